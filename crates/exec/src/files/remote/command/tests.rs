use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, DuplexStream, ReadBuf, duplex};

use super::*;

/// A channel as `wharf_ssh` has them: when all its streams are gone it is closed, and nothing is
/// said of its command's end any more.
struct Parts(std::sync::Mutex<Option<oneshot::Sender<RemoteExit>>>);

impl Parts {
    fn say(&self, exit: RemoteExit) {
        if let Some(sender) = self.0.lock().unwrap().take() {
            sender.send(exit).unwrap();
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.say(RemoteExit::Silent);
    }
}

struct Stream(
    DuplexStream,
    #[expect(dead_code, reason = "held")] Arc<Parts>,
);

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Lets everybody else do what they can.
async fn others() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// A host on which all has ended before anybody here has looked, as on a busy machine, and whose
/// word of the command's end comes last.
struct Quick;

impl Opener for Quick {
    fn open(&self, _: &str) -> wharf_ssh::BoxFuture<'_, Result<Channel, wharf_ssh::Error>> {
        let (told, exit) = oneshot::channel();
        let parts = Arc::new(Parts(std::sync::Mutex::new(Some(told))));
        let stream = || {
            let (near, far) = duplex(4096);
            (Box::new(Stream(near, Arc::clone(&parts))), far)
        };
        let ((stdin, input), (stdout, mut out), (stderr, mut err)) = (stream(), stream(), stream());
        let parts = Arc::downgrade(&parts);
        tokio::spawn(async move {
            let mut line = String::new();
            BufReader::new(input).read_line(&mut line).await.unwrap();
            let mark = line.split("printf %s ").nth(1).unwrap();
            let mark = mark.split(';').next().unwrap().as_bytes();
            err.write_all(mark).await.unwrap();
            drop(err);
            others().await;
            out.write_all(mark).await.unwrap();
            drop(out);
            others().await;
            if let Some(parts) = parts.upgrade() {
                parts.say(RemoteExit::Code(0));
            }
        });
        Box::pin(async move {
            Ok(Channel {
                stdin,
                stdout,
                stderr,
                exit,
            })
        })
    }
}

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

#[tokio::test]
async fn a_channel_stays_open_until_it_is_said_how_the_command_ended() {
    let (tasks, gate) = (TaskTracker::new(), Gate::default());
    let path = Path::new("/p");
    let command = Command::start(&Quick, &Zeros, &tasks, &gate, path, "rm -f /p");
    let command = command.await.unwrap();
    let ended = command.end("remove it", STEP_PATIENCE).await;
    assert_eq!(ended.unwrap(), b"");
}

#[test]
fn what_a_host_says_of_a_file_is_read_in_each_form() {
    let stat = parse_stat(b"81a4 1000 100 42 1700000000\n").unwrap();
    assert_eq!(
        (stat.kind, stat.mode, stat.size, stat.modified),
        (
            Kind::File,
            0o644,
            42,
            Some(Timestamp::from_millis(1_700_000_000_000))
        )
    );
    assert_eq!(
        stat.owner,
        Some(Owner {
            uid: 1000,
            gid: 100
        })
    );
    let stat = parse_stat(b"drwxrwxrwt+ 9 0 7 4096 Jan  1 00:00 /tmp/\xff\n").unwrap();
    assert_eq!(
        (stat.kind, stat.mode, stat.size, stat.modified),
        (Kind::Directory, 0o1777, 4096, None)
    );
    assert_eq!(parse_stat(b"-rwsr-Sr-- 1 0 0 9 Jan").unwrap().mode, 0o6744);
    for wrong in [
        "",
        "stat: cannot",
        "81a4 1000",
        "-rwx",
        "-rwzr-xr-x 1 0 0 9",
    ] {
        assert_eq!(parse_stat(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn a_path_cannot_say_what_went_wrong() {
    let of = |complaint: &str| told(Path::new("/p"), "do it", 40, complaint);
    assert!(matches!(
        of("ls: /p: No such file or directory"),
        FilesError::NotFound { .. }
    ));
    assert!(matches!(
        of("sh: 1: cannot create /p: Directory nonexistent"),
        FilesError::NotFound { .. }
    ));
    assert!(matches!(
        of("cat: Permission denied: Input/output error"),
        FilesError::Failed { .. }
    ));
    assert!(matches!(
        of("cat: write error: No space left on device"),
        FilesError::NoSpace { .. }
    ));
}
