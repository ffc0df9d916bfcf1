//! Names of things: runs, sessions, and whatever else is kept.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Entropy;

/// The longest session id that a client may choose, in bytes.
pub const MAX_SESSION_ID_BYTES: usize = 128;

/// 128 random bits in Crockford's base 32 (no I, L, O, U), lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_CHARS: usize = 26;
const RUN_PREFIX: &str = "run_";
const SESSION_PREFIX: &str = "ses_";

/// A text that is no id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{what} must be 1 to {max} characters of A-Z a-z 0-9 . _ - and start with a letter or digit"
)]
pub struct InvalidId {
    what: &'static str,
    max: usize,
}

/// One run: `run_` and 26 characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

/// One session, named by the server (`ses_…`) or by the client.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Arc<str>);

impl RunId {
    /// The id that stands for no run: nothing is ever found under it.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::from("run_"))
    }

    /// A new id that nobody can guess.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(random_id(RUN_PREFIX, entropy))
    }

    /// Reads an id as this server writes them.
    ///
    /// # Errors
    /// When the text is no such id; ids never reach a path unchecked.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let legal = text.strip_prefix(RUN_PREFIX).is_some_and(|rest| {
            rest.len() == RANDOM_CHARS && rest.bytes().all(|b| ALPHABET.contains(&b))
        });
        if legal {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidId {
                what: "a run id",
                max: RUN_PREFIX.len() + RANDOM_CHARS,
            })
        }
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SessionId {
    /// A new id that nobody can guess.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(random_id(SESSION_PREFIX, entropy))
    }

    /// Reads an id that a client chose.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that could matter in a path, a header or a
    /// log.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = text.bytes();
        let legal = text.len() <= MAX_SESSION_ID_BYTES
            && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && bytes.all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if legal {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidId {
                what: "a session id",
                max: MAX_SESSION_ID_BYTES,
            })
        }
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A new id of any kind that nobody can guess: `prefix` and 26 characters.
#[must_use]
pub fn random_text_id(prefix: &str, entropy: &dyn Entropy) -> String {
    random_id(prefix, entropy).as_ref().to_owned()
}

fn random_id(prefix: &str, entropy: &dyn Entropy) -> Arc<str> {
    let mut bits = [0_u8; 16];
    entropy.fill(&mut bits);
    let mut value = u128::from_be_bytes(bits);
    let mut text = String::with_capacity(prefix.len() + RANDOM_CHARS);
    text.push_str(prefix);
    for _ in 0..RANDOM_CHARS {
        let index = usize::try_from(value & 31).unwrap_or_default();
        text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'0')));
        value >>= 5;
    }
    Arc::from(text)
}

macro_rules! text_id {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
text_id!(RunId);
text_id!(SessionId);

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;
    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for (i, byte) in buffer.iter_mut().enumerate() {
                *byte = u8::try_from(i * 7 % 251).unwrap();
            }
        }
    }

    #[test]
    fn run_ids_round_trip() {
        let id = RunId::random(&Counting);
        assert_eq!(RunId::parse(id.as_str()), Ok(id.clone()));
        assert_eq!(id.as_str().len(), 30);
    }

    #[test]
    fn session_ids_have_a_bound() {
        assert!(SessionId::parse(&"a".repeat(MAX_SESSION_ID_BYTES)).is_ok());
        assert!(SessionId::parse(&"a".repeat(MAX_SESSION_ID_BYTES + 1)).is_err());
    }

    #[test]
    fn nothing_that_could_be_a_path_is_an_id() {
        for text in [
            "", ".", "..", "../x", "a/b", "a\0b", "%2e%2e", "-x", "a b", "é", "a\nb",
        ] {
            assert!(SessionId::parse(text).is_err(), "{text:?}");
            assert!(RunId::parse(text).is_err(), "{text:?}");
            assert!(RunId::parse(&format!("run_{text}")).is_err(), "{text:?}");
        }
    }
}
