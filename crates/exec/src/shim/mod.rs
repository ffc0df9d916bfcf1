//! Shims: one small process over each command that runs without a living shell.
//!
//! A shim is the reaper of its command's whole tree, so that what a command leaves behind is known
//! exactly, also when it has left its process group and its session. It serves one command at a
//! time and is used again for the next. When the server's end of its socket closes, it ends its
//! tree and itself.

pub(crate) mod child;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::UnixDatagram;

use crate::executor::{LaunchError, Status};
use crate::frame::{self, Decoder, Encoder};
use crate::sys;
use crate::tree::Processes;
use crate::zygote::{ZygoteClient, decode_status, in_runtime, packet_pair};

/// Kinds of packets between server and shim.
pub(crate) mod kind {
    /// Start a command with the attached stdin, stdout, stderr.
    pub(crate) const LAUNCH: u8 = 10;
    /// Send a signal to every process of the tree.
    pub(crate) const SIGNAL: u8 = 11;
    /// Kill every process of the tree.
    pub(crate) const KILL: u8 = 12;
    /// The first process has this id.
    pub(crate) const STARTED: u8 = 13;
    /// Nothing was started: stage and error number.
    pub(crate) const FAILED: u8 = 14;
    /// The first process has ended: status, and whether others go on.
    pub(crate) const EXITED: u8 = 15;
    /// The last of the others has ended too.
    pub(crate) const GONE: u8 = 16;
}

/// Where starting a command failed.
pub(crate) mod stage {
    pub(crate) const CWD: u32 = 1;
    pub(crate) const FIND: u32 = 2;
    pub(crate) const START: u32 = 3;
}

/// The longest packet that a shim sends.
const MAX_EVENT: usize = 64;

/// What a shim says.
#[derive(Debug)]
pub(crate) enum Event {
    Started {
        pid: u32,
    },
    Failed {
        stage: u32,
        error: io::Error,
    },
    Exited {
        status: Status,
        others: bool,
    },
    Gone,
    /// The shim itself has ended, which only a fault or a kill from outside can cause.
    Lost,
}

/// What to start.
pub(crate) struct Order<'a> {
    pub(crate) argv: &'a [String],
    /// The program's file, where it is not to be looked for by the first word.
    pub(crate) file: Option<&'a str>,
    pub(crate) env: &'a [(String, String)],
    pub(crate) cwd: Option<&'a Path>,
    pub(crate) wants_pid: bool,
}

/// The server's end of a shim.
#[derive(Debug)]
pub(crate) struct Shim {
    socket: UnixDatagram,
    pid: i32,
    /// Its current command is to be killed.
    killed: AtomicBool,
}

impl Shim {
    pub(crate) async fn new(zygote: &ZygoteClient) -> Result<Self, LaunchError> {
        let (ours, theirs) = packet_pair().map_err(LaunchError::System)?;
        let socket = in_runtime(ours).map_err(LaunchError::System)?;
        let child = zygote.new_shim(theirs.as_fd()).await?;
        Ok(Self {
            socket,
            pid: child.pid,
            killed: AtomicBool::new(false),
        })
    }

    /// Asks for a command to be started. The shim is idle and its socket empty, so that this does
    /// not have to wait.
    pub(crate) fn launch(&self, order: &Order<'_>, stdio: [BorrowedFd<'_>; 3]) -> io::Result<()> {
        use std::os::unix::ffi::OsStrExt;
        self.killed.store(false, Ordering::Release);
        let mut frame = Encoder::new(kind::LAUNCH);
        frame.number(u32::from(order.wants_pid));
        frame.bytes(
            order
                .cwd
                .map_or(b"".as_slice(), |cwd| cwd.as_os_str().as_bytes()),
        );
        frame.bytes(order.file.unwrap_or_default().as_bytes());
        frame.list(order.argv.iter().map(String::as_bytes));
        frame.list(order.env.iter().map(|(name, _)| name.as_bytes()));
        frame.list(order.env.iter().map(|(_, value)| value.as_bytes()));
        frame::send(&self.socket, frame.as_slice(), &stdio)
    }

    /// What it says next. Safe to drop and call again.
    pub(crate) async fn event(&self) -> Event {
        let mut packet = [0; MAX_EVENT];
        loop {
            if self.socket.readable().await.is_err() {
                return Event::Lost;
            }
            match self.socket.try_recv(&mut packet) {
                Ok(length @ 1..) => {
                    return packet.get(..length).and_then(decode).unwrap_or(Event::Lost);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => return Event::Lost,
            }
        }
    }

    /// Signals the whole tree.
    pub(crate) fn signal(&self, signal: i32) {
        let mut frame = Encoder::new(kind::SIGNAL);
        frame.number(u32::try_from(signal).unwrap_or(0));
        self.tell(&frame);
    }

    /// Kills the whole tree. True: it was told so before.
    pub(crate) fn kill(&self) -> bool {
        self.tell(&Encoder::new(kind::KILL));
        self.killed.swap(true, Ordering::AcqRel)
    }

    /// Kills the shim itself, which is stuck: the zygote ends what it leaves.
    pub(crate) fn kill_itself(&self) {
        let _gone_already = sys::kill(self.pid, libc::SIGKILL);
    }

    /// The processes of its tree.
    pub(crate) fn members_in(&self, all: &Processes) -> Vec<u32> {
        all.descendants(self.pid)
            .into_iter()
            .filter_map(|pid| u32::try_from(pid).ok())
            .collect()
    }

    fn tell(&self, frame: &Encoder) {
        if let Err(error) = frame::send(&self.socket, frame.as_slice(), &[]) {
            tracing::debug!(target: "command", %error, "a shim is gone already");
        }
    }
}

fn decode(packet: &[u8]) -> Option<Event> {
    let (packet_kind, mut fields) = Decoder::new(packet)?;
    match packet_kind {
        kind::STARTED => Some(Event::Started {
            pid: fields.number()?,
        }),
        kind::FAILED => {
            let stage = fields.number()?;
            let error = i32::try_from(fields.number()?).ok()?;
            Some(Event::Failed {
                stage,
                error: io::Error::from_raw_os_error(error),
            })
        }
        kind::EXITED => {
            let status = decode_status(fields.number()?);
            Some(Event::Exited {
                status,
                others: fields.number()? != 0,
            })
        }
        kind::GONE => Some(Event::Gone),
        _ => None,
    }
}
