//! The password that a command's sudo will want: typed here, or read from a file. It is never an
//! argument and never a variable, which every process of this user can read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use wharf_engine::request::MAX_SUDO_PASSWORD;

use super::Args;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::guard;
use crate::ui::hidden::{self, Answer};

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
    // The run itself ends in order when it is told to.
    guard::leave_terminate_alone();
    match hidden::ask(QUESTION, MAX_SUDO_PASSWORD) {
        Ok(Answer::Text(password)) => checked(password).map(Some),
        Ok(Answer::Nobody) => Err(nobody()),
        Ok(Answer::Left) => Err(CommandError::usage(
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

#[cfg(test)]
mod tests {
    use super::*;

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
