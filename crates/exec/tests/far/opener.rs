//! A host that is this machine: each channel is a shell of its own in a session of its own, as a
//! server for SSH starts it, reached over pipes that can be slow and can be cut.
#![expect(dead_code, reason = "each that uses it uses its part")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wharf_ssh::{BoxFuture, Channel, Error, Opener, RemoteExit};

/// What one read of a slow channel takes.
const CHUNK: usize = 32 * 1024;
/// Chunks that are on their way at once.
const IN_FLIGHT: usize = 1024;

pub(crate) struct LocalOpener {
    login_shell: Vec<String>,
    home: PathBuf,
    path: String,
    round_trip: Duration,
    /// No task of ours between the pipes and whoever reads them: such channels cannot be cut.
    direct: bool,
    link: std::sync::Mutex<CancellationToken>,
    pub(crate) opened: AtomicU32,
    /// Channels that are refused from then on.
    pub(crate) most: AtomicU32,
}

impl LocalOpener {
    pub(crate) fn new(login_shell: &[&str], home: &Path) -> Self {
        Self {
            login_shell: login_shell.iter().map(|word| (*word).to_owned()).collect(),
            home: home.to_owned(),
            path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
            round_trip: Duration::ZERO,
            direct: false,
            link: std::sync::Mutex::new(CancellationToken::new()),
            opened: AtomicU32::new(0),
            most: AtomicU32::new(u32::MAX),
        }
    }

    pub(crate) fn slow(mut self, round_trip: Duration) -> Self {
        self.round_trip = round_trip;
        self
    }

    pub(crate) fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    pub(crate) fn path(mut self, path: &Path) -> Self {
        self.path = path.to_str().unwrap().to_owned();
        self
    }

    /// Cuts all channels as a broken network does. New ones can be opened.
    pub(crate) fn cut(&self) {
        let mut link = self.link.lock().unwrap();
        link.cancel();
        *link = CancellationToken::new();
    }

    fn start(&self, command: &str) -> Result<Channel, Error> {
        let count = self.opened.fetch_add(1, Ordering::Relaxed);
        if count >= self.most.load(Ordering::Relaxed) {
            return Err(refused("the host opens no more channels"));
        }
        let mut child = Command::new("setsid")
            .args(&self.login_shell)
            .args(["-c", command])
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", &self.path)
            .env("LANG", "C.UTF-8")
            .env("SHELL", self.login_shell.first().unwrap())
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| refused(&error.to_string()))?;
        let stdin = Sender::from_owned_fd(OwnedFd::from(child.stdin.take().unwrap())).unwrap();
        let stdout = Receiver::from_owned_fd(OwnedFd::from(child.stdout.take().unwrap())).unwrap();
        let stderr = Receiver::from_owned_fd(OwnedFd::from(child.stderr.take().unwrap())).unwrap();
        let (told, exit) = oneshot::channel();
        let link = self.link.lock().unwrap().clone();
        let half = self.round_trip / 2;
        let runtime = tokio::runtime::Handle::current();
        let lost = link.clone();
        std::thread::spawn(move || {
            let status = child.wait().unwrap();
            let how = match (status.code(), status.signal()) {
                (Some(code), _) => RemoteExit::Code(u32::try_from(code).unwrap()),
                (None, Some(15)) => RemoteExit::Signal("TERM".to_owned()),
                (None, _) => RemoteExit::Signal("KILL".to_owned()),
            };
            runtime.spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(half) => { let _gone = told.send(how); }
                    () = lost.cancelled() => {}
                }
            });
        });
        let exit = {
            // The waiting thread outlives the link, so that its end is told apart from the exit.
            let (told, heard) = oneshot::channel();
            let link = link.clone();
            tokio::spawn(async move {
                tokio::select! {
                    how = exit => if let Ok(how) = how { let _gone = told.send(how); },
                    () = link.cancelled() => {}
                }
            });
            heard
        };
        if self.direct {
            return Ok(Channel {
                stdin: Box::new(stdin),
                stdout: Box::new(stdout),
                stderr: Box::new(stderr),
                exit,
            });
        }
        Ok(Channel {
            stdin: Box::new(far_writer(stdin, half, link.clone())),
            stdout: Box::new(far_reader(stdout, half, link.clone())),
            stderr: Box::new(far_reader(stderr, half, link)),
            exit,
        })
    }
}

impl Opener for LocalOpener {
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let command = command.to_owned();
        Box::pin(async move {
            // To open a channel and to start a command in it are a round trip each.
            tokio::time::sleep(self.round_trip * 2).await;
            self.start(&command)
        })
    }
}

fn refused(what: &str) -> Error {
    Error::Channel {
        host: "here".to_owned(),
        what: what.to_owned(),
    }
}

fn far_reader(
    from: impl AsyncRead + Send + Unpin + 'static,
    half: Duration,
    link: CancellationToken,
) -> impl AsyncRead + Send + Unpin {
    let (reader, writer) = tokio::io::duplex(CHUNK * 8);
    carry(from, writer, half, link);
    reader
}

fn far_writer(
    to: impl AsyncWrite + Send + Unpin + 'static,
    half: Duration,
    link: CancellationToken,
) -> impl AsyncWrite + Send + Unpin {
    let (reader, writer) = tokio::io::duplex(CHUNK * 8);
    carry(reader, to, half, link);
    writer
}

/// Carries bytes, each chunk as long under way as any other.
fn carry(
    mut from: impl AsyncRead + Send + Unpin + 'static,
    mut to: impl AsyncWrite + Send + Unpin + 'static,
    half: Duration,
    link: CancellationToken,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(IN_FLIGHT);
    let cut = link.clone();
    tokio::spawn(async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            tokio::select! {
                read = from.read_buf(&mut chunk) => if !matches!(read, Ok(1..)) { return },
                () = cut.cancelled() => return,
            }
            if sender.send((Instant::now() + half, chunk)).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                next = receiver.recv() => next,
                () = link.cancelled() => return,
            };
            let Some((due, chunk)) = next else { break };
            tokio::time::sleep_until(due).await;
            let written = tokio::select! {
                written = to.write_all(&chunk) => written,
                () = link.cancelled() => return,
            };
            if written.is_err() {
                return;
            }
        }
        tokio::time::sleep(half).await;
        let _gone = to.shutdown().await;
    });
}
