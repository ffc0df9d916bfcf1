//! The text of a command, checked once.

use std::fmt;
use std::sync::Arc;

/// The longest command accepted, in bytes.
pub const MAX_COMMAND_BYTES: usize = 128 * 1024;

/// A command's text: 1 byte to [`MAX_COMMAND_BYTES`], without NUL, cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandText(Arc<str>);

/// Why a text is no command.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidCommand {
    /// Nothing but white space.
    #[error("the command is empty")]
    Empty,
    /// Longer than [`MAX_COMMAND_BYTES`].
    #[error("the command has {0} bytes; at most {MAX_COMMAND_BYTES} are accepted")]
    TooLong(usize),
    /// A NUL byte, which no shell or argument can hold.
    #[error("the command has a NUL byte at offset {0}")]
    Nul(usize),
}

impl CommandText {
    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidCommand> {
        if text.len() > MAX_COMMAND_BYTES {
            return Err(InvalidCommand::TooLong(text.len()));
        }
        if let Some(at) = text.bytes().position(|b| b == 0) {
            return Err(InvalidCommand::Nul(at));
        }
        if text.trim().is_empty() {
            return Err(InvalidCommand::Empty);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Commands may hold secrets, so that debug output shows only the length.
impl fmt::Debug for CommandText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandText({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_up_to_the_bound() {
        assert!(CommandText::parse(&"x".repeat(MAX_COMMAND_BYTES)).is_ok());
        assert_eq!(
            CommandText::parse(&"x".repeat(MAX_COMMAND_BYTES + 1)),
            Err(InvalidCommand::TooLong(MAX_COMMAND_BYTES + 1))
        );
    }

    #[test]
    fn refuses_nothing_and_nul() {
        assert_eq!(CommandText::parse(" \n"), Err(InvalidCommand::Empty));
        assert_eq!(CommandText::parse("a\0b"), Err(InvalidCommand::Nul(1)));
    }

    #[test]
    fn debug_does_not_show_the_text() {
        let command = CommandText::parse("mysql -psecret").unwrap();
        assert_eq!(format!("{command:?}"), "CommandText(14 bytes)");
    }
}
