//! The machine of a sandbox session, reached from here: over SSH, with this device's key, and with
//! its host key pinned to what the server says.
//!
//! [`Line`] is the connection; [`terminal`] puts this terminal in front of a command there, and
//! [`pipe`] this process's own streams; [`forward`] opens ports.

pub(crate) mod ended;
pub(crate) mod find;
pub(crate) mod forward;
pub(crate) mod line;
pub(crate) mod pipe;
pub(crate) mod raw;
pub(crate) mod terminal;

pub(crate) use ended::Ended;
pub(crate) use line::{Line, Machine};

/// `text` as one word for a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
