//! Sockets in a sandbox's network.
//!
//! Root's server enters the network with a thread ([`Want::open`] is called there). An ordinary
//! user may do so only from inside the sandbox's user namespace, and only a process with one thread
//! can change into one. So this process does it, and hands each socket back over the one that is
//! its standard input.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, connect, recv, sendmsg, socket_with,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::init::started;
use super::plan::{Answer, Failure, Init};
use crate::sys;

/// A socket that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// One that connects to this port of the loopback address.
    Connect(u16),
    /// One that listens there.
    Listen(u16),
}

impl Want {
    /// Opens it in the network of the calling thread. It does not block: a connection may still be
    /// on its way, since somebody inside could keep it so for as long as they like.
    pub(crate) fn open(self) -> io::Result<OwnedFd> {
        match self {
            Self::Connect(port) => {
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
                let to = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
                match connect(&socket, &to) {
                    Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket),
                    Err(error) => Err(error.into()),
                }
            }
            Self::Listen(port) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
                listener.set_nonblocking(true)?;
                Ok(listener.into())
            }
        }
    }

    /// A request for it.
    pub(crate) fn to_bytes(self) -> [u8; MESSAGE_BYTES] {
        let (kind, port) = match self {
            Self::Connect(port) => (b'c', port),
            Self::Listen(port) => (b'l', port),
        };
        let [high, low] = port.to_be_bytes();
        [kind, high, low, 0]
    }

    fn from_bytes(bytes: [u8; MESSAGE_BYTES]) -> Option<Self> {
        let [kind, high, low, _] = bytes;
        let port = u16::from_be_bytes([high, low]);
        match kind {
            b'c' => Some(Self::Connect(port)),
            b'l' => Some(Self::Listen(port)),
            _ => None,
        }
    }
}

/// The length of a request, and of an answer: zero with a descriptor, or the system's error.
pub(crate) const MESSAGE_BYTES: usize = 4;

/// Serves until nobody asks any more.
pub(super) fn serve(init: Init) -> Result<(), Failure> {
    enter(init).map_err(Failure::plain)?;
    super::say(&Answer::Dialing).map_err(Failure::plain)?;
    let asked = io::stdin();
    loop {
        let mut request = [0; MESSAGE_BYTES];
        match recv(asked.as_fd(), &mut request, RecvFlags::empty()) {
            Ok((0, _)) => return Ok(()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(Failure::plain(error)),
        }
        let want = Want::from_bytes(request);
        let want = want.ok_or_else(|| Failure::plain("a request that is none"))?;
        let sent = match want.open() {
            Ok(socket) => answer(0, Some(&socket)),
            Err(error) => answer(error.raw_os_error().unwrap_or(libc::EIO), None),
        };
        sent.map_err(Failure::plain)?;
    }
}

/// Moves this process into a sandbox's users and its network.
pub(super) fn enter(init: Init) -> io::Result<()> {
    let gone = || io::Error::other("the sandbox has ended");
    let pid = Pid::from_raw(init.pid).ok_or_else(gone)?;
    let held = pidfd_open(pid, PidfdFlags::empty())?;
    if started(init.pid)? != init.started {
        return Err(gone());
    }
    sys::enter_user_and_network(held.as_fd())
}

fn answer(code: i32, socket: Option<&OwnedFd>) -> rustix::io::Result<()> {
    let descriptors: Vec<_> = socket.iter().map(|socket| socket.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut extra = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        extra.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    let code = code.to_be_bytes();
    let text = [IoSlice::new(&code)];
    sendmsg(io::stdin().as_fd(), &text, &mut extra, SendFlags::NOSIGNAL)?;
    Ok(())
}
