//! Sockets in a sandbox's network, made from outside.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags,
    SocketType, recvmsg, send, socketpair,
};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::launch::{LauncherProgram, START_PATIENCE, blocking};
use super::process::Held;
use crate::error::Error;
use crate::launcher::plan::{Answer, Plan};
use crate::launcher::{MESSAGE_BYTES, Want};
use crate::sys;

/// Most requests that wait for the thread. It needs some microseconds for one.
const MAX_WAITING: usize = 1024;
/// How long a connection to a port inside may take, and a helper for its answer.
pub(crate) const DIAL_PATIENCE: Duration = Duration::from_secs(5);

/// How a sandbox's network is reached.
#[derive(Clone)]
pub(crate) enum Way {
    /// By the provider's thread; root's.
    Thread(Dialer, Arc<Held>),
    /// By a process of the sandbox's own; an ordinary user's.
    Helper(Arc<Helper>),
}

impl Way {
    /// Whether connections can be had by it; a thread ends with the server alone.
    pub(crate) fn is_alive(&self) -> bool {
        match self {
            Self::Thread(..) => true,
            Self::Helper(helper) => helper.is_alive(),
        }
    }

    /// Whether what it leads to still runs.
    pub(crate) fn leads_somewhere(&self) -> bool {
        match self {
            Self::Thread(_, held) => held.is_alive(),
            Self::Helper(helper) => helper.is_alive(),
        }
    }

    async fn open(&self, want: Want) -> io::Result<OwnedFd> {
        match self {
            Self::Thread(dialer, held) => dialer.open(Arc::clone(held), want).await,
            Self::Helper(helper) => {
                let helper = Arc::clone(helper);
                let opened = blocking(move || helper.open(want)).await;
                opened.map_err(io::Error::other)?
            }
        }
    }

    /// A connection to a port inside.
    pub(crate) async fn connect(&self, port: u16) -> Result<TcpStream, Error> {
        let connected = tokio::time::timeout(DIAL_PATIENCE, async {
            let socket = std::net::TcpStream::from(self.open(Want::Connect(port)).await?);
            let stream = TcpStream::from_std(socket)?;
            stream.writable().await?;
            match stream.take_error()? {
                Some(error) => Err(error),
                None => Ok(stream),
            }
        });
        match connected.await {
            Ok(Ok(stream)) => {
                // Small packets of a terminal must not wait for each other.
                let _works_without = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Err(Error::Refused(port))
            }
            Ok(Err(source)) => Err(Error::System {
                what: "a connection into the sandbox",
                source,
            }),
            Err(_) => Err(Error::Late {
                what: "a connection into the sandbox",
                limit: DIAL_PATIENCE,
            }),
        }
    }

    /// A listener at a port inside, which only the sandbox reaches.
    pub(crate) async fn listen(&self, port: u16) -> Result<tokio::net::TcpListener, Error> {
        let opened = self.open(Want::Listen(port)).await;
        opened
            .and_then(|socket| tokio::net::TcpListener::from_std(socket.into()))
            .map_err(|source| Error::System {
                what: "listening inside the sandbox",
                source,
            })
    }
}

/// A thread that enters one network after the other.
#[derive(Clone)]
pub(crate) struct Dialer {
    asked: SyncSender<Ask>,
}

struct Ask {
    held: Arc<Held>,
    want: Want,
    reply: oneshot::Sender<io::Result<OwnedFd>>,
}

impl Dialer {
    /// Starts the thread. It ends with the last of whoever may ask.
    pub(crate) fn start() -> io::Result<Self> {
        let (asked, asks) = sync_channel(MAX_WAITING);
        let home = std::fs::File::open("/proc/self/ns/net")?;
        std::thread::Builder::new()
            .name("sandbox-dial".to_owned())
            .spawn(move || serve(&asks, &home.into()))?;
        Ok(Self { asked })
    }

    async fn open(&self, held: Arc<Held>, want: Want) -> io::Result<OwnedFd> {
        let (reply, answer) = oneshot::channel();
        match self.asked.try_send(Ask { held, want, reply }) {
            Ok(()) => answer.await.map_err(|_| gone())?,
            Err(TrySendError::Full(_)) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TrySendError::Disconnected(_)) => Err(gone()),
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that reaches sandboxes has ended")
}

fn serve(asks: &Receiver<Ask>, home: &OwnedFd) {
    while let Ok(Ask { held, want, reply }) = asks.recv() {
        let opened = sys::enter_network(held.fd()).and_then(|()| want.open());
        // At once and not before the next one: a thread inside keeps the network of a sandbox that
        // has ended.
        let is_home = sys::enter_network(home.as_fd());
        let _nobody_waits = reply.send(opened);
        if is_home.is_err() {
            return;
        }
    }
}

/// A process inside a sandbox's user namespace that hands sockets out.
pub(crate) struct Helper {
    state: Mutex<(Child, OwnedFd)>,
}

impl Helper {
    /// Starts it. Blocks.
    pub(crate) fn start(launcher: &LauncherProgram, held: &Held) -> Result<Self, Error> {
        let system = |error: rustix::io::Errno| Error::System {
            what: "a socket for the sandbox's helper",
            source: error.into(),
        };
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(system)?;
        set_socket_timeout(&ours, Timeout::Recv, Some(DIAL_PATIENCE)).map_err(system)?;
        let plan = Plan::Dial { init: held.init };
        let (child, answer) =
            launcher.begin_over(&plan, &ours, Stdio::from(theirs), START_PATIENCE)?;
        let helper = Self {
            state: Mutex::new((child, ours)),
        };
        match answer {
            Answer::Dialing => Ok(helper),
            other => Err(Error::Launcher(format!("its helper answered {other:?}"))),
        }
    }

    fn is_alive(&self) -> bool {
        match self.state.try_lock() {
            Ok(mut state) => matches!(state.0.try_wait(), Ok(None)),
            Err(TryLockError::Poisoned(_)) => false,
            // Somebody waits for its answer.
            Err(TryLockError::WouldBlock) => true,
        }
    }

    /// Asks for a socket. Requests have no number: after one without an answer the next answer
    /// would be to the wrong one, so the helper is ended then, and another started later.
    fn open(&self, want: Want) -> io::Result<OwnedFd> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match ask(&state.1, want) {
            Ok(answer) => answer,
            Err(error) => {
                let _gone_already = state.0.kill();
                let _nothing_to_wait_for = state.0.wait();
                Err(error)
            }
        }
    }
}

/// What the helper answers; the outer error is that it does not.
fn ask(socket: &OwnedFd, want: Want) -> io::Result<io::Result<OwnedFd>> {
    send(socket, &want.to_bytes(), SendFlags::NOSIGNAL)?;
    let mut code = [0; MESSAGE_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut extra = RecvAncillaryBuffer::new(&mut space);
    let mut text = [IoSliceMut::new(&mut code)];
    let read = recvmsg(socket, &mut text, &mut extra, RecvFlags::CMSG_CLOEXEC)?;
    if read.bytes != MESSAGE_BYTES {
        return Err(io::Error::other("the sandbox's helper has ended"));
    }
    let handed = extra.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    match (handed, i32::from_be_bytes(code)) {
        (Some(socket), 0) => Ok(Ok(socket)),
        (_, code) => Ok(Err(io::Error::from_raw_os_error(code))),
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _gone_already = state.0.kill();
        let _nothing_to_wait_for = state.0.wait();
    }
}
