//! How fast a file goes to a host and back, beside `sftp` and `scp`, over the loopback and with a
//! delay that is added.
//!
//! ```console
//! $ cargo run --release -p wharf-exec --example files_throughput -- [MEBIBYTES [MILLISECONDS]]
//! ```
//! MILLISECONDS is a round trip. The server is an OpenSSH of its own.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]
#![expect(clippy::unwrap_used, reason = "it ends where something is wrong")]

#[path = "../../ssh/tests/real/sshd.rs"]
#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a server that the tests of the connections start as well"
)]
mod sshd;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use wharf_exec::files::{Files, Read, RemoteFiles, Write};
use wharf_model::Entropy;
use wharf_ssh::{Credentials, Pool, PoolLimits, Settings};

struct Real;

impl Entropy for Real {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read;
        let mut file = std::fs::File::open("/dev/urandom").unwrap();
        file.read_exact(buffer).unwrap();
    }
}

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1);
    let mebibytes: usize = words.next().map_or(256, |word| word.parse().unwrap());
    let round_trip: u64 = words.next().map_or(0, |word| word.parse().unwrap());
    let server = sshd::Sshd::start("");
    let port = delayed(server.port, Duration::from_millis(round_trip) / 2).await;
    let directory = tempfile::tempdir().unwrap();
    let mut content = vec![0; 1 << 20];
    Real.fill(&mut content);
    let content = content.repeat(mebibytes);
    let here = directory.path().join("here");
    std::fs::write(&here, &content).unwrap();

    let mut settings = server.settings();
    settings.port = port;
    let known = directory.path().join("known_hosts");
    let key = std::fs::read_to_string(server.path("host_ed25519.pub")).unwrap();
    std::fs::write(&known, format!("[127.0.0.1]:{port} {key}")).unwrap();
    settings.user_known_hosts = vec![known.clone()];
    println!("{mebibytes} MiB, {round_trip} ms of delay");
    ours(&server, settings, directory.path(), Bytes::from(content)).await;
    theirs(&server, port, &known, directory.path(), mebibytes).await;
}

async fn ours(server: &sshd::Sshd, settings: Settings, directory: &Path, content: Bytes) {
    let pool = Pool::new(server.connector(), PoolLimits::default());
    let opener = pool.opener_for(settings, Credentials::default());
    opener.connect().await.unwrap();
    let files = RemoteFiles::new(Arc::new(opener), Arc::new(Real));
    let there = directory.join("there");
    let length = content.len();
    // The channel is there.
    files.list(directory, 1).await.unwrap();
    for _ in 0..3 {
        let begin = Instant::now();
        let mut sink = files.write(&there, Write::default()).await.unwrap();
        sink.write(content.clone()).await.unwrap();
        sink.finish().await.unwrap();
        say("wharf, there", length, begin);
        let begin = Instant::now();
        let mut source = files.read(&there, Read::default()).await.unwrap();
        let mut count = 0;
        while let Some(piece) = source.next().await.unwrap() {
            count += piece.len();
        }
        say("wharf, back", length, begin);
        assert_eq!(count, length);
        let begin = Instant::now();
        files.digest(&there).await.unwrap();
        say("wharf, digest", length, begin);
    }
    assert!(std::fs::read(&there).unwrap() == content);
    files.shutdown().await;
    pool.shut_down(Duration::from_secs(5)).await;
}

async fn theirs(server: &sshd::Sshd, port: u16, known: &Path, directory: &Path, mebibytes: usize) {
    let length = mebibytes << 20;
    let options = [
        format!("UserKnownHostsFile={}", known.display()),
        format!("IdentityFile={}", server.path("client").display()),
        "IdentitiesOnly=yes".to_owned(),
        "BatchMode=yes".to_owned(),
    ];
    let options: Vec<&str> = options.iter().flat_map(|o| ["-o", o.as_str()]).collect();
    let at = directory.display();
    let host = format!("{}@127.0.0.1", server.user);
    let run = |program: &str, words: Vec<String>, batch: String| {
        let mut command = Command::new(program);
        command
            .args(["-q", "-F", "none", "-P", &port.to_string()])
            .args(&options)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            std::io::Write::write_all(&mut stdin, batch.as_bytes()).unwrap();
            drop(stdin);
            assert!(child.wait().unwrap().success());
        })
    };
    let batch = || vec!["-b".to_owned(), "-".to_owned(), host.clone()];
    let begin = Instant::now();
    run("sftp", batch(), "pwd\n".to_owned()).await.unwrap();
    println!(
        "sftp, nothing at all (to be taken off): {:?}",
        begin.elapsed()
    );
    for _ in 0..3 {
        let begin = Instant::now();
        run("sftp", batch(), format!("put {at}/here {at}/far\n"))
            .await
            .unwrap();
        say("sftp, there", length, begin);
        let begin = Instant::now();
        run("sftp", batch(), format!("get {at}/far {at}/back\n"))
            .await
            .unwrap();
        say("sftp, back", length, begin);
        let begin = Instant::now();
        let words = vec![format!("{at}/here"), format!("{host}:{at}/far")];
        run("scp", words, String::new()).await.unwrap();
        say("scp, there", length, begin);
        let begin = Instant::now();
        let words = vec![format!("{host}:{at}/far"), format!("{at}/back")];
        run("scp", words, String::new()).await.unwrap();
        say("scp, back", length, begin);
    }
}

fn say(what: &str, length: usize, begin: Instant) {
    let took = begin.elapsed();
    let rate = length as f64 / took.as_secs_f64() / f64::from(1 << 20);
    println!("{what:14} {rate:7.0} MiB/s   {took:?}");
}

/// A port behind which everything takes `half` as long again in each direction.
async fn delayed(port: u16, half: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    if half.is_zero() {
        return port;
    }
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
            carry(from_near, to_far, half);
            carry(from_far, to_near, half);
        }
    });
    own
}

fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    half: Duration,
) {
    let (sender, mut receiver) = mpsc::channel::<(tokio::time::Instant, Vec<u8>)>(4096);
    tokio::spawn(async move {
        loop {
            let mut chunk = Vec::with_capacity(64 * 1024);
            if !matches!(from.read_buf(&mut chunk).await, Ok(1..)) {
                return;
            }
            let due = tokio::time::Instant::now() + half;
            if sender.send((due, chunk)).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, chunk)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        let _gone = to.shutdown().await;
    });
}
