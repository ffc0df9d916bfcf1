//! The zygote: a small process that starts all others.
//!
//! It is forked from the server before the server has threads or a large memory, so that starting
//! a process stays cheap and may do what a process with threads must not do between `fork` and
//! `exec`. It is the reaper of last resort for everything below it, and when the server is gone,
//! however it went, it ends everything and then itself.

mod cgroup;
mod child;

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::oneshot;

use crate::executor::{LaunchError, Status};
use crate::frame::{self, Decoder, Encoder};
use crate::sys;

pub(crate) use child::{CONTROL_FD, INPUT_FD, drain, wait_for_either};

/// From asking for a child to its being there. A spare waits as a rule; else a fork and entering a
/// control group take milliseconds.
const CREATE_PATIENCE: Duration = Duration::from_secs(10);

/// What the zygote and everything below it needs to know.
#[derive(Debug, Clone)]
pub struct ZygoteOptions {
    /// The environment of every command: nothing of the server's own is handed through.
    pub base_env: Vec<(String, String)>,
    /// The directory commands start in unless told otherwise.
    pub default_cwd: PathBuf,
    /// A directory for what lives no longer than a command; made when it is needed.
    pub private: PathBuf,
    /// Bounds on each run's process tree.
    pub limits: TreeLimits,
}

/// Bounds on one process tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLimits {
    /// Processes and threads; none: no bound.
    pub processes: Option<u64>,
    /// Bytes of memory; none: no bound.
    pub memory: Option<u64>,
}

/// The most processes and threads in one tree unless configured.
pub const DEFAULT_TREE_PROCESSES: u64 = 4096;

impl Default for TreeLimits {
    fn default() -> Self {
        Self {
            processes: Some(DEFAULT_TREE_PROCESSES),
            memory: None,
        }
    }
}

/// A zygote that was forked but that no runtime listens to yet.
#[derive(Debug)]
pub struct Zygote {
    socket: OwnedFd,
    pid: Pid,
    pub(crate) options: ZygoteOptions,
}

impl Zygote {
    /// Forks the zygote. To be called before this process has more than one thread.
    ///
    /// # Errors
    /// When the system has no process or descriptor left.
    pub fn fork(options: ZygoteOptions) -> io::Result<Self> {
        let (ours, theirs) = packet_pair()?;
        let pid = sys::fork(|| child::main(theirs, &options))?;
        Ok(Self {
            socket: ours,
            pid,
            options,
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        u32::try_from(self.pid.as_raw_nonzero().get()).unwrap_or_default()
    }
}

/// Two ends of a socket that keeps packet borders.
pub(crate) fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::SEQPACKET;
    Ok(socketpair(
        AddressFamily::UNIX,
        kind,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Hands a socket to the runtime. It keeps packet borders, which is all that the datagram type
/// relies on.
pub(crate) fn in_runtime(socket: OwnedFd) -> io::Result<UnixDatagram> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(socket))
}

/// Receives one packet; `None` when the other end is gone. Safe to drop and call again.
pub(crate) async fn receive(
    socket: &UnixDatagram,
    buffer: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
) -> io::Result<Option<()>> {
    loop {
        socket.readable().await?;
        match socket.try_io(Interest::READABLE, || frame::receive(socket, buffer, fds)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

/// Kinds of packets between server and zygote.
pub(crate) mod kind {
    /// Fork a shim that serves the attached socket.
    pub(crate) const NEW_SHIM: u8 = 1;
    /// Fork and become a program with the attached descriptors.
    pub(crate) const NEW_SHELL: u8 = 2;
    /// Answer to both: the process id, or an error number.
    pub(crate) const CREATED: u8 = 3;
    /// A child has ended.
    pub(crate) const EXITED: u8 = 4;
}

/// A child of the zygote's.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: i32,
    /// How it ended, once it has.
    pub(crate) exit: oneshot::Receiver<Status>,
}

type Reply = oneshot::Sender<io::Result<Child>>;

/// The server's side of the zygote.
pub(crate) struct ZygoteClient {
    socket: UnixDatagram,
    pid: Pid,
    waiting: Mutex<Waiting>,
    /// We have told it to end.
    hung_up: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    next: u32,
    replies: HashMap<u32, Reply>,
    exits: HashMap<i32, oneshot::Sender<Status>>,
    gone: bool,
}

impl ZygoteClient {
    /// Takes the zygote into the runtime. The caller spawns [`ZygoteClient::listen`].
    pub(crate) fn new(zygote: Zygote) -> io::Result<Arc<Self>> {
        let socket = in_runtime(zygote.socket)?;
        Ok(Arc::new(Self {
            socket,
            pid: zygote.pid,
            waiting: Mutex::new(Waiting::default()),
            hung_up: AtomicBool::new(false),
        }))
    }

    /// Hands out what the zygote says, until it is gone.
    pub(crate) async fn listen(self: Arc<Self>) {
        let (mut buffer, mut fds) = (Vec::new(), Vec::new());
        while let Ok(Some(())) = receive(&self.socket, &mut buffer, &mut fds).await {
            self.dispatch(&buffer);
        }
        if !self.hung_up.load(Ordering::Acquire) {
            tracing::error!(target: "system", zygote = self.pid.as_raw_nonzero().get(), "the process that starts commands has ended; nothing can be run until the server is started again");
        }
        let mut waiting = self.lock();
        waiting.gone = true;
        waiting.replies.clear();
        waiting.exits.clear();
    }

    /// It has ended, so that nothing can be started any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    /// Tells the zygote that the server goes away, so that it ends everything and then itself.
    pub(crate) fn hang_up(&self) {
        self.hung_up.store(true, Ordering::Release);
        let _gone_already = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
    }

    /// Collects the exit status of a zygote that has closed its socket, which it does only as it
    /// ends, so that it does not stay as a zombie.
    pub(crate) fn reap(&self) {
        let _not_ours =
            rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::empty());
    }

    pub(crate) async fn new_shim(&self, socket: BorrowedFd<'_>) -> Result<Child, LaunchError> {
        self.create(kind::NEW_SHIM, &[socket], |_| {}).await
    }

    /// Starts a shell: `fds` are stdin, stdout, stderr, input and control.
    pub(crate) async fn new_shell(
        &self,
        file: &str,
        argv: &[&str],
        env: &[String],
        cwd: &std::path::Path,
        fds: [BorrowedFd<'_>; 5],
    ) -> Result<Child, LaunchError> {
        use std::os::unix::ffi::OsStrExt;
        let order = |frame: &mut Encoder| {
            frame.bytes(file.as_bytes());
            frame.list(argv.iter().map(|word| word.as_bytes()));
            frame.list(env.iter().map(|entry| entry.as_bytes()));
            frame.bytes(cwd.as_os_str().as_bytes());
        };
        self.create(kind::NEW_SHELL, &fds, order).await
    }

    async fn create(
        &self,
        packet_kind: u8,
        fds: &[BorrowedFd<'_>],
        order: impl FnOnce(&mut Encoder),
    ) -> Result<Child, LaunchError> {
        let (sender, receiver) = oneshot::channel();
        let mut frame = Encoder::new(packet_kind);
        let token = {
            let mut waiting = self.lock();
            if waiting.gone {
                return Err(LaunchError::ZygoteGone);
            }
            let token = waiting.next;
            waiting.next = waiting.next.wrapping_add(1);
            waiting.replies.insert(token, sender);
            frame.number(token);
            token
        };
        order(&mut frame);
        let created = async {
            self.send(frame.as_slice(), fds)
                .await
                .map_err(LaunchError::System)?;
            match receiver.await {
                Ok(result) => result.map_err(LaunchError::System),
                Err(_gone) => Err(LaunchError::ZygoteGone),
            }
        };
        match tokio::time::timeout(CREATE_PATIENCE, created).await {
            Ok(created) => created,
            Err(_) => {
                // A child that comes now finds its sockets closed, and ends.
                self.lock().replies.remove(&token);
                Err(LaunchError::TooSlow {
                    what: "a new process",
                    within: CREATE_PATIENCE,
                })
            }
        }
    }

    async fn send(&self, packet: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            self.socket.writable().await?;
            let sent = self.socket.try_io(Interest::WRITABLE, || {
                frame::send(&self.socket, packet, fds)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    fn dispatch(&self, packet: &[u8]) {
        let Some((packet_kind, mut fields)) = Decoder::new(packet) else {
            return;
        };
        let known = match packet_kind {
            kind::CREATED => self.created(&mut fields),
            kind::EXITED => self.exited(&mut fields),
            _ => None,
        };
        if known.is_none() {
            tracing::debug!(target: "system", packet_kind, "a packet that nobody waits for");
        }
    }

    fn created(&self, fields: &mut Decoder<'_>) -> Option<()> {
        let token = fields.number()?;
        let pid = i32::try_from(fields.number()?).ok()?;
        let error = i32::try_from(fields.number()?).ok()?;
        let mut waiting = self.lock();
        let reply = waiting.replies.remove(&token)?;
        let result = if error == 0 {
            let (sender, exit) = oneshot::channel();
            waiting.exits.insert(pid, sender);
            Ok(Child { pid, exit })
        } else {
            Err(io::Error::from_raw_os_error(error))
        };
        // Whoever asked may have gone away; its child then sees its sockets closed and ends.
        let _nobody_waits = reply.send(result);
        Some(())
    }

    fn exited(&self, fields: &mut Decoder<'_>) -> Option<()> {
        let pid = i32::try_from(fields.number()?).ok()?;
        let status = decode_status(fields.number()?);
        let sender = self.lock().exits.remove(&pid)?;
        let _nobody_waits = sender.send(status);
        Some(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A status as one number: the code, or 256 and the signal.
pub(crate) fn encode_status(status: rustix::process::WaitStatus) -> u32 {
    let code = status.exit_status().map(|code| code & 0xff);
    let signal = status.terminating_signal().map(|signal| 256 + signal);
    u32::try_from(code.or(signal).unwrap_or(0)).unwrap_or(0)
}

pub(crate) fn decode_status(number: u32) -> Status {
    let number = i32::try_from(number).unwrap_or(0);
    if number < 256 {
        Status::Exited(number)
    } else {
        Status::Signaled(number - 256)
    }
}
