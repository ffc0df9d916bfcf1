//! The password that a command's sudo will want: typed here, or read from a file. It is never an
//! argument and never a variable, which every process of this user can read.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use wharf_engine::request::MAX_SUDO_PASSWORD;

use super::Args;
use crate::context::Context;
use crate::error::CommandError;

/// The file's name for standard input.
const STDIN: &str = "-";
/// What is asked.
const QUESTION: &str = "wharf: password for sudo: ";

/// Whether standard input has the password and nothing for the command.
pub(super) fn takes_stdin(args: &Args) -> bool {
    let file = args.sudo_password_file.as_deref();
    file.is_some_and(|file| file == Path::new(STDIN))
}

/// The password, where there is to be one.
pub(super) fn get(cx: &Context, args: &Args) -> Result<Option<String>, CommandError> {
    if let Some(file) = &args.sudo_password_file {
        return from_file(file).map(Some);
    }
    if !args.sudo {
        return Ok(None);
    }
    let nobody = || {
        CommandError::usage(
            "--sudo asks for the password on a terminal, and there is none to ask on",
        )
        .hint("give --sudo-password-file FILE, or - for standard input")
    };
    if !cx.ui.asks {
        return Err(nobody());
    }
    let stdin = io::stdin();
    let typed = if stdin.is_terminal() {
        ask(&stdin, &mut stdin.lock())
    } else {
        // The command's input comes from elsewhere, as for sudo itself.
        let mut terminal = File::open("/dev/tty").map_err(|_| nobody())?;
        let same = terminal.try_clone().map_err(|_| nobody())?;
        ask(&same, &mut terminal)
    };
    match typed {
        Ok(Some(password)) => checked(password).map(Some),
        Ok(None) => Err(CommandError::usage(
            "no password was typed; nothing was run",
        )),
        Err(error) => Err(CommandError::failed("cannot read the password").because(error)),
    }
}

fn from_file(file: &Path) -> Result<String, CommandError> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_SUDO_PASSWORD).unwrap_or(u64::MAX);
    // The line's end, and one byte too many.
    let most = most.saturating_add(3);
    let read = if file == Path::new(STDIN) {
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|open| open.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        let what = format!("cannot read the password from {}", file.display());
        CommandError::failed(what).because(error)
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CommandError::usage("the password for sudo is not UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    checked(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// As the server will have it.
fn checked(password: String) -> Result<String, CommandError> {
    let whole = !password.contains(['\n', '\r', '\0']);
    if whole && (1..=MAX_SUDO_PASSWORD).contains(&password.len()) {
        return Ok(password);
    }
    Err(CommandError::usage(format!(
        "the password for sudo must be one line of 1 to {MAX_SUDO_PASSWORD} bytes"
    )))
}

/// A terminal that shows nothing and hands over each key, until this is dropped. Ctrl-C is a key as
/// well: a signal would leave the terminal as it is now.
struct Silent<'a, T: AsFd> {
    terminal: &'a T,
    before: Termios,
}

impl<'a, T: AsFd> Silent<'a, T> {
    fn new(terminal: &'a T) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd> Drop for Silent<'_, T> {
    fn drop(&mut self) {
        let _gone = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// Asks; none when whoever sits there wants to leave it at that.
fn ask<T: AsFd>(terminal: &T, keys: &mut impl Read) -> io::Result<Option<String>> {
    let silent = Silent::new(terminal)?;
    let mut shown = io::stderr().lock();
    shown.write_all(QUESTION.as_bytes())?;
    shown.flush()?;
    let typed = read_line(keys);
    drop(silent);
    shown.write_all(b"\n")?;
    typed
}

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const CTRL_BACKSLASH: u8 = 28;
const DELETE: u8 = 127;

/// Keys up to the end of a line.
fn read_line(keys: &mut impl Read) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut key = [0];
    while keys.read(&mut key)? == 1 {
        let [byte] = key;
        match byte {
            b'\n' | b'\r' => {
                let text = String::from_utf8(line);
                return text.map(Some).map_err(io::Error::other);
            }
            CTRL_C | CTRL_D | CTRL_BACKSLASH => return Ok(None),
            CTRL_U => line.clear(),
            BACKSPACE | DELETE => {
                // A character may have several bytes.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte if line.len() <= MAX_SUDO_PASSWORD => line.push(byte),
            // It is too long, and will be told so.
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Option<String> {
        read_line(&mut &*keys).unwrap()
    }

    #[test]
    fn keys_make_a_line() {
        assert_eq!(typed(b"abc\nrest").as_deref(), Some("abc"));
        assert_eq!(typed("a\u{e9}\u{7f}b\r".as_bytes()).as_deref(), Some("ab"));
        assert_eq!(typed(b"\x7fwrong\x15right\n").as_deref(), Some("right"));
        for left in [&b"ab\x03"[..], b"\x04", b"ab", b"ab\x1c\n"] {
            assert_eq!(typed(left), None);
        }
        let long = typed(&[vec![b'x'; MAX_SUDO_PASSWORD * 2], b"\n".to_vec()].concat());
        assert!(checked(long.unwrap()).is_err());
    }

    #[test]
    fn a_file_has_one_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &[u8]| {
            std::fs::write(file.path(), text).unwrap();
            from_file(file.path())
        };
        assert_eq!(read(b" a b \r\n").unwrap(), " a b ");
        let longest = vec![b'x'; MAX_SUDO_PASSWORD];
        assert_eq!(read(&longest).unwrap().len(), MAX_SUDO_PASSWORD);
        let longer = [longest.as_slice(), b"x"].concat();
        for odd in [&b""[..], b"\n", b"a\nb\n", b"\xff", &longer] {
            assert!(read(odd).is_err(), "{odd:?}");
        }
        assert!(from_file(Path::new("/no/such/file")).is_err());
    }
}
