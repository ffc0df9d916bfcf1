//! Somebody at a terminal: types, reads, changes the size of the window.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

/// What is waited for before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The terminal, and what runs in front of it.
pub(crate) struct Seat {
    master: File,
    /// Kept open, so that the terminal can be looked at when the program is gone.
    terminal: OwnedFd,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    child: Child,
}

#[derive(Default)]
struct Shown {
    bytes: Vec<u8>,
    /// What was waited for already.
    read: usize,
}

impl Seat {
    /// Starts it in front of a terminal that is its own, as a login does.
    pub(crate) fn at(command: &Command) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        resize(&master, 80, 24);
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = || rustix::fs::open(&name, flags, Mode::empty()).unwrap();
        let mut leader = Command::new("setsid");
        leader
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(command.get_current_dir().unwrap())
            .stdin(open())
            .stdout(open())
            .stderr(open());
        let child = leader.spawn().unwrap();
        drop(leader);
        let shown = Arc::new((Mutex::new(Shown::default()), Condvar::new()));
        let master = File::from(master);
        let (mut from, to) = (master.try_clone().unwrap(), Arc::clone(&shown));
        // It ends with the terminal.
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut piece) {
                to.0.lock().unwrap().bytes.extend_from_slice(&piece[..read]);
                to.1.notify_all();
            }
        });
        Self {
            master,
            terminal: open(),
            shown,
            child,
        }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until `text` is shown, behind what was waited for before.
    pub(crate) fn sees(&self, text: &str) {
        let (shown, changed) = &*self.shown;
        let end = Instant::now() + PATIENCE;
        let mut shown = shown.lock().unwrap();
        loop {
            let new = &shown.bytes[shown.read..];
            let found = new.windows(text.len()).position(|it| it == text.as_bytes());
            if let Some(at) = found {
                shown.read += at + text.len();
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {text:?} in {:?}",
                String::from_utf8_lossy(new)
            );
            shown = changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    pub(crate) fn resizes(&self, columns: u16, rows: u16) {
        resize(&self.master, columns, rows);
    }

    pub(crate) fn sends(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn attributes(&self) -> Termios {
        tcgetattr(&self.terminal).unwrap()
    }

    /// Whether what is typed is shown and comes in lines, as a shell wants it.
    pub(crate) fn is_plain(&self) -> bool {
        let wanted = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        self.attributes().local_modes.contains(wanted)
    }

    /// All that was shown, once it has ended, and how it ended.
    pub(crate) fn ends(mut self) -> (String, ExitStatus) {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it goes on: {:?}", self.text());
            std::thread::yield_now();
        };
        // What was written is in the terminal's buffer; the mark comes behind it.
        rustix::io::write(&self.terminal, b"<end>").unwrap();
        self.sees("<end>");
        (self.text(), status)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.0.lock().unwrap().bytes).replace("\r\n", "\n")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn resize(master: &impl AsFd, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(master, size).unwrap();
}
