//! The first process of a sandbox: it takes connections, gives each an sshd, and reaps.
//!
//! sshd is started for each connection (`sshd -i`) and none waits idle: that is what sshd itself
//! does with a connection, the sandbox answers from the moment it listens, and nobody inside can
//! end the one that listens. Nobody inside can look into this process either: its memory belongs
//! to the namespace of the machine.

use std::collections::HashSet;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{WaitOptions, wait};

use wharf_linux::process::{Leads, child_signals, spawn};

use super::skeleton::SSHD_CONFIG;

/// Most connections at once. What is above waits until one has ended.
pub(crate) const MAX_CONNECTIONS: usize = 64;

/// Where sshd is, in the places of the distributions.
pub(crate) const SSHD: [&str; 3] = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"];

/// What sshd is started with; sessions have what its configuration says.
pub(crate) const ENVIRONMENT: [&str; 2] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
    "LANG=C.UTF-8",
];

/// When a process was started, in ticks since the machine's start.
pub(crate) fn started(pid: i32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Its name is in parentheses and may hold anything; what follows the last one is numbers.
    stat.rsplit_once(')')
        .and_then(|(_, numbers)| numbers.split_whitespace().nth(19))
        .and_then(|ticks| ticks.parse().ok())
        .ok_or_else(|| io::Error::other("its state cannot be read"))
}

/// What serves connections.
pub(super) struct Door {
    listener: OwnedFd,
    children: OwnedFd,
    nowhere: OwnedFd,
    sshd: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    open: HashSet<i32>,
}

impl Door {
    /// Listens at that port of the sandbox's own loopback interface.
    pub(super) fn open(port: u16) -> io::Result<Self> {
        let sshd = SSHD
            .into_iter()
            .find(|path| fs::metadata(path).is_ok())
            .ok_or_else(|| {
                io::Error::other("there is no sshd in it (Debian has it in openssh-server)")
            })?;
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let nowhere = fs::File::options().write(true).open("/dev/null")?;
        let words = [sshd, "-i", "-f", SSHD_CONFIG];
        Ok(Self {
            listener: listener.into(),
            children: child_signals()?,
            nowhere: nowhere.into(),
            sshd: CString::new(sshd)?,
            arguments: strings(&words)?,
            environment: strings(&ENVIRONMENT)?,
            open: HashSet::new(),
        })
    }

    /// The descriptors that the process has to keep.
    pub(super) fn descriptors(&self) -> [i32; 3] {
        [
            self.listener.as_raw_fd(),
            self.children.as_raw_fd(),
            self.nowhere.as_raw_fd(),
        ]
    }

    /// Serves until the process is killed.
    pub(super) fn serve(mut self) -> i32 {
        loop {
            let mut wanted = vec![PollFd::new(&self.children, PollFlags::IN)];
            if self.open.len() < MAX_CONNECTIONS {
                wanted.push(PollFd::new(&self.listener, PollFlags::IN));
            }
            match poll(&mut wanted, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return 71,
            }
            self.reap();
            self.admit();
        }
    }

    /// Ends what has ended, whoever's child it was.
    fn reap(&mut self) {
        let mut signals = [0; 1024];
        while rustix::io::read(&self.children, &mut signals).is_ok_and(|read| read > 0) {}
        while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
            self.open.remove(&pid.as_raw_nonzero().get());
        }
    }

    fn admit(&mut self) {
        while self.open.len() < MAX_CONNECTIONS {
            let Ok(connection) = accept_with(&self.listener, SocketFlags::CLOEXEC) else {
                return;
            };
            let stdio = [connection.as_fd(), connection.as_fd(), self.nowhere.as_fd()];
            // Where nothing can be started (too many processes) the connection is closed, which
            // whoever made it sees at once.
            let sshd = spawn(
                &self.sshd,
                &self.arguments,
                &self.environment,
                stdio,
                Leads::Session,
            );
            if let Ok(pid) = sshd {
                self.open.insert(pid.as_raw_nonzero().get());
            }
        }
    }
}

fn strings(texts: &[&str]) -> io::Result<Vec<CString>> {
    let texts = texts.iter().map(|text| CString::new(*text));
    texts.collect::<Result<_, _>>().map_err(io::Error::from)
}
