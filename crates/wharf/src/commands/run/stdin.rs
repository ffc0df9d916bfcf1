//! Handing standard input on.

use std::io::{self, Read as _};
use std::sync::mpsc;
use std::time::Duration;

use wharf_api::STDIN_BYTES_MAX;

use crate::context::Context;
use crate::error::CommandError;

/// How long its end is waited for without a word.
const SILENCE: Duration = Duration::from_secs(2);

/// All of standard input, unless it is a terminal. More than the bound is refused and not cut: a
/// command that works on half of its input does harm.
pub(super) fn read(cx: &Context) -> Result<Option<Vec<u8>>, CommandError> {
    if cx.world.stdin_terminal {
        return Ok(None);
    }
    let (read, reader) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let limit = STDIN_BYTES_MAX as u64 + 1;
        let result = io::stdin().lock().take(limit).read_to_end(&mut bytes);
        // Nobody listens any more only when the process is about to end.
        let _unheard = read.send(result.map(|_| bytes));
    });
    let result = match reader.recv_timeout(SILENCE) {
        Ok(result) => Some(result),
        Err(_) => {
            cx.ui
                .event("waiting for standard input to end; -n or </dev/null runs without it");
            reader.recv().ok()
        }
    };
    match result {
        Some(Ok(bytes)) => check(bytes),
        // A closed descriptor is no input.
        Some(Err(error)) if error.raw_os_error() == Some(EBADF) => Ok(None),
        Some(Err(error)) => Err(CommandError::failed("cannot read standard input").because(error)),
        None => Err(CommandError::failed("cannot read standard input")),
    }
}

fn check(bytes: Vec<u8>) -> Result<Option<Vec<u8>>, CommandError> {
    if bytes.len() > STDIN_BYTES_MAX {
        return Err(CommandError::failed(format!(
            "standard input is longer than {STDIN_BYTES_MAX} bytes; nothing was run"
        ))
        .hint("put it into a file and name that in the command, or run with -n"));
    }
    Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
}

const EBADF: i32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_a_bound_and_is_never_cut() {
        assert_eq!(check(Vec::new()).unwrap(), None);
        assert_eq!(
            check(vec![b'x'; STDIN_BYTES_MAX]).unwrap().unwrap().len(),
            STDIN_BYTES_MAX
        );
        assert!(
            check(vec![b'x'; STDIN_BYTES_MAX + 1])
                .unwrap_err()
                .message
                .contains("nothing was run")
        );
        assert_eq!(check(vec![0xff, 0]).unwrap(), Some(vec![0xff, 0]));
    }
}
