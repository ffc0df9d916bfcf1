//! A terminal with nobody but the test in front of it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Runs it with all three streams on a terminal. Once it asks, `answer` is typed. Returns all that
/// was shown, and the exit code.
pub(crate) fn on_terminal(mut command: Command, answer: &str) -> (String, Option<i32>) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let open = || -> OwnedFd {
        rustix::fs::open(
            &name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .unwrap()
    };
    command.stdin(open()).stdout(open()).stderr(open());
    let mut child = command.spawn().unwrap();
    // The command holds our ends of the terminal; without it, reading would never end.
    drop(command);
    let mut master = File::from(master);
    let (mut shown, mut answered) = (Vec::new(), false);
    let mut piece = [0; 4096];
    // EIO: everybody has closed the terminal.
    while let Ok(read @ 1..) = master.read(&mut piece) {
        shown.extend_from_slice(&piece[..read]);
        let questions: [&[u8]; 3] = [b"[y/N] ", b"for sudo: ", b"[q]uit? "];
        if !answered && questions.iter().any(|it| shown.ends_with(it)) {
            answered = true;
            master.write_all(answer.as_bytes()).unwrap();
        }
    }
    let code = child.wait().unwrap().code();
    (String::from_utf8_lossy(&shown).replace("\r\n", "\n"), code)
}
