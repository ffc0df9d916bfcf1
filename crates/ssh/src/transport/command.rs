//! Through a program that speaks for the host on its standard streams (`ProxyCommand`).

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio_util::task::TaskTracker;

use super::AnyStream;
use crate::error::Error;
use crate::world::World;

/// How much of a proxy's complaints is kept.
const MAX_COMPLAINT_BYTES: usize = 1024;

/// What the program has complained of so far.
pub(crate) type Complaints = Arc<Mutex<Vec<u8>>>;

/// Starts the program in a process group of its own, which ends with the connection.
pub(crate) fn start(
    world: &World,
    host: &str,
    command: &str,
    tasks: &TaskTracker,
) -> Result<(AnyStream, Complaints), Error> {
    let fail = |what: String| Error::Connect {
        host: host.to_owned(),
        address: "the ProxyCommand".to_owned(),
        what,
    };
    let mut child = process(world, command)
        .spawn()
        .map_err(|error| fail(error.to_string()))?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(fail("it has no standard streams".to_owned()));
    };
    let complaints = Complaints::default();
    tasks.spawn(listen(stderr, Arc::clone(&complaints)));
    let stream = Program {
        group: child.id().and_then(|id| i32::try_from(id).ok()),
        _child: child,
        stdin: Some(stdin),
        stdout,
    };
    Ok((Box::new(stream), complaints))
}

/// What the program has complained of, as one line.
pub(crate) fn shown(complaints: &Complaints) -> Option<String> {
    let kept = complaints.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&kept);
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the zygote is above this crate; the program is no command of a caller's, it belongs \
              to one connection and its whole group ends with it"
)]
fn process(world: &World, command: &str) -> Command {
    let mut process = Command::new("/bin/sh");
    process
        .args(["-c", &format!("exec {command}")])
        .env_clear()
        .envs(&world.env)
        .env("HOME", &world.home)
        .current_dir(if world.home.is_dir() {
            world.home.as_path()
        } else {
            std::path::Path::new("/")
        })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    process
}

async fn listen(mut stderr: ChildStderr, complaints: Complaints) {
    let mut buffer = [0; 256];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let mut kept = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_COMPLAINT_BYTES.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(count.min(room)));
    }
}

struct Program {
    group: Option<i32>,
    _child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

impl Drop for Program {
    fn drop(&mut self) {
        // The child is not reaped before this, so that the number is still its group's.
        let group = self.group.and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl AsyncRead for Program {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Program {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}
