//! Text that is typed and not shown.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::guard;

/// What came of asking.
pub(crate) enum Answer {
    /// This was typed.
    Text(String),
    /// Whoever sits there left it at that: Ctrl-C or Ctrl-D.
    Left,
    /// There is no terminal to ask on.
    Nobody,
}

/// Asks on the terminal, also where standard input comes from elsewhere. What is longer than
/// `most` bytes comes back longer than that, and is not all that was typed.
pub(crate) fn ask(question: &str, most: usize) -> io::Result<Answer> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return ask_on(&stdin, &mut stdin.lock(), question, most);
    }
    let terminal =
        File::open("/dev/tty").and_then(|terminal| Ok((terminal.try_clone()?, terminal)));
    match terminal {
        Ok((same, mut terminal)) => ask_on(&same, &mut terminal, question, most),
        Err(_) => Ok(Answer::Nobody),
    }
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
        guard::watch(terminal, &before);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd> Drop for Silent<'_, T> {
    fn drop(&mut self) {
        let _gone = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
        guard::rest();
    }
}

/// Asks; none when whoever sits there wants to leave it at that.
fn ask_on<T: AsFd>(
    terminal: &T,
    keys: &mut impl Read,
    question: &str,
    most: usize,
) -> io::Result<Answer> {
    let silent = Silent::new(terminal)?;
    let mut shown = io::stderr().lock();
    shown.write_all(question.as_bytes())?;
    shown.flush()?;
    let typed = read_line(keys, most);
    drop(silent);
    shown.write_all(b"\n")?;
    Ok(typed?.map_or(Answer::Left, Answer::Text))
}

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const CTRL_BACKSLASH: u8 = 28;
const DELETE: u8 = 127;

/// Keys up to the end of a line. One longer than `most` bytes comes out longer than that.
fn read_line(keys: &mut impl Read, most: usize) -> io::Result<Option<String>> {
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
            byte if line.len() <= most => line.push(byte),
            // It is too long, and will be told so.
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 64;

    fn typed(keys: &[u8]) -> Option<String> {
        read_line(&mut &*keys, MOST).unwrap()
    }

    #[test]
    fn keys_make_a_line() {
        assert_eq!(typed(b"abc\nrest").as_deref(), Some("abc"));
        assert_eq!(typed("a\u{e9}\u{7f}b\r".as_bytes()).as_deref(), Some("ab"));
        assert_eq!(typed(b"\x7fwrong\x15right\n").as_deref(), Some("right"));
        for left in [&b"ab\x03"[..], b"\x04", b"ab", b"ab\x1c\n"] {
            assert_eq!(typed(left), None);
        }
        let long = typed(&[vec![b'x'; MOST * 2], b"\n".to_vec()].concat());
        assert!(long.unwrap().len() > MOST);
    }
}
