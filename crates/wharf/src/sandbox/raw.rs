//! This terminal, handed to something else byte for byte, and put right afterwards.

use std::ffi::CStr;
use std::io::{self, Read, Write as _};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, ttyname};
use tokio::net::unix::pipe::{Receiver, Sender};
use wharf_ssh::Size;

/// What a program that drew the whole screen may have left: pointer reports, bracketed paste, focus
/// reports, other keyboards, a hidden cursor, colours. Nothing of it moves anything.
const PLAIN: &str = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\
                     \x1b[?2004l\x1b[?2026l\x1b[<99u\x1b[>4;0m\x1b[?1l\x1b>\x1b[?7h\x1b[?25h\x1b[0m\
                     \x1b[0 q";
/// Out of the other screen. The cursor is saved first, since leaving restores it: where there is no
/// other screen it stays in its place.
const LEAVE: &str = "\x1b7\x1b[?1049l";

/// What a program left behind that could not clean up.
pub(crate) fn clean() {
    let mut out = io::stdout().lock();
    // A terminal that is gone needs no cleaning.
    let _gone = out.write_all(format!("{LEAVE}{PLAIN}\r").as_bytes());
    let _gone = out.flush();
}

/// How large this terminal is.
pub(crate) fn size() -> Size {
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin()));
    let known = size.ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    known.map_or_else(Size::default, |size| Size {
        columns: size.ws_col.into(),
        rows: size.ws_row.into(),
    })
}

/// What a program may have left on the screen. It is cleaned when this is dropped, however that comes
/// about.
pub(crate) struct Screen {
    is_clean: bool,
}

impl Screen {
    /// Before the program begins.
    pub(crate) const fn begin() -> Self {
        Self { is_clean: false }
    }

    /// The program ended well, and cleaned up itself.
    pub(crate) const fn was_left_well(&mut self) {
        self.is_clean = true;
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !self.is_clean {
            clean();
        }
    }
}

/// A terminal that hands over each key and shows nothing by itself. It is as it was when this is
/// dropped. Whoever has one hears of signals meanwhile ([`crate::login::stop::Stop`]).
pub(crate) struct Raw {
    before: Termios,
}

impl Raw {
    /// Begins.
    pub(crate) fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // What was typed for a program that is gone is not for the next one.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

/// The terminal itself, opened anew, so that waiting for it holds up nobody and can be given up: what
/// is typed, and where it is shown.
pub(crate) fn open() -> io::Result<(Receiver, Sender)> {
    let flags = OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let both = |name: &CStr| {
        let open = |way| rustix::fs::open(name, flags | way, Mode::empty());
        Ok::<_, Errno>((open(OFlags::RDONLY)?, open(OFlags::WRONLY)?))
    };
    let named = ttyname(io::stdin(), Vec::new()).and_then(|name| both(&name));
    // After `su` the terminal is somebody else's by its name, and ours all the same.
    let (keys, screen) = named.or_else(|_| both(c"/dev/tty"))?;
    // A terminal is waited for as a pipe is.
    Ok((
        Receiver::from_owned_fd_unchecked(keys)?,
        Sender::from_owned_fd_unchecked(screen)?,
    ))
}

/// Standard input, piece by piece, from a thread that reads until the process ends: nothing
/// interrupts reading a pipe.
pub(crate) fn pieces() -> tokio::sync::mpsc::Receiver<Vec<u8>> {
    let (sender, pieces) = tokio::sync::mpsc::channel(PIECES_AHEAD);
    std::thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(read @ 1..) = io::stdin().lock().read(&mut piece) {
            let read = piece.get(..read).unwrap_or_default().to_vec();
            if sender.blocking_send(read).is_err() {
                return;
            }
        }
    });
    pieces
}

/// Bytes of standard input that are read at once.
const PIECE_BYTES: usize = 32 * 1024;
/// Pieces that wait for the network.
const PIECES_AHEAD: usize = 8;
