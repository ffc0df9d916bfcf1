//! A program on a terminal that nobody but the test sits at.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{Group, PATIENCE};

/// How large the terminal is.
const SIZE: Winsize = Winsize {
    ws_row: 40,
    ws_col: 120,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// The program and its terminal, which answers no questions. It and all that it started end when
/// this is dropped.
pub struct Screen {
    keys: File,
    shown: Arc<Shown>,
    child: Child,
    group: Option<Group>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shown {
    /// All bytes so far, and whether there are no more.
    bytes: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Screen {
    pub(super) fn of(mut command: Command) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        tcsetwinsize(&terminal, SIZE).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let open = || -> OwnedFd {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            rustix::fs::open(&name, flags, Mode::empty()).unwrap()
        };
        command.stdin(open()).stdout(open()).stderr(open());
        let child = command.spawn().unwrap();
        let group = Group::of(&child);
        // It holds our ends of the terminal; without them its end is seen.
        drop(command);
        let keys = File::from(terminal);
        let mut output = keys.try_clone().unwrap();
        let shown = Arc::<Shown>::default();
        let seen = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // EIO: everybody has closed the terminal.
            while let Ok(read @ 1..) = output.read(&mut piece) {
                let mut bytes = seen.bytes.lock().unwrap();
                bytes
                    .0
                    .extend_from_slice(piece.get(..read).unwrap_or_default());
                seen.changed.notify_all();
            }
            seen.bytes.lock().unwrap().1 = true;
            seen.changed.notify_all();
        });
        Self {
            keys,
            shown,
            child,
            group: Some(group),
            reader: Some(reader),
        }
    }

    /// Types this.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this was shown, behind the first `from` bytes of all that was; how much that is
    /// by then.
    pub fn shows(&self, text: &str, from: usize) -> usize {
        let bytes = self.shown.bytes.lock().unwrap();
        let missing = |(bytes, ended): &mut (Vec<u8>, bool)| {
            let new = bytes.get(from..).unwrap_or_default();
            !*ended && !String::from_utf8_lossy(new).contains(text)
        };
        let waited = self
            .shown
            .changed
            .wait_timeout_while(bytes, PATIENCE, missing);
        let (mut bytes, _) = waited.unwrap();
        let is_missing = missing(&mut bytes) || bytes.1;
        let all = String::from_utf8_lossy(&bytes.0).into_owned();
        assert!(!is_missing, "{text:?} was not shown: {all:?}");
        bytes.0.len()
    }

    /// All that was shown.
    #[must_use]
    pub fn all(&self) -> String {
        let bytes = self.shown.bytes.lock().unwrap();
        String::from_utf8_lossy(&bytes.0).into_owned()
    }

    /// Waits for its end; its exit code.
    pub fn ends(&mut self) -> Option<i32> {
        let bytes = self.shown.bytes.lock().unwrap();
        let goes_on = |(_, ended): &mut (Vec<u8>, bool)| !*ended;
        let waited = self
            .shown
            .changed
            .wait_timeout_while(bytes, PATIENCE, goes_on);
        let ended = waited.unwrap().0.1;
        assert!(ended, "it did not end in time");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.group.take());
        let _reaped = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ended = reader.join();
        }
    }
}
