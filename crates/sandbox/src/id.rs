//! Names of sandboxes and of what is kept of them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Characters of an id, beside its prefix: 80 bits of a hash.
const DIGITS: usize = 20;
const SANDBOX: &str = "sbx_";
const SNAPSHOT: &str = "snp_";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A text that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is `{prefix}` and {DIGITS} hexadecimal digits")]
pub struct InvalidName {
    what: &'static str,
    prefix: &'static str,
}

/// One sandbox: `sbx_` and 20 hexadecimal digits.
///
/// It follows from the key that the caller chose. So the same request twice names the same
/// sandbox, also when the first was cut off and nobody remembers it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SandboxId(Arc<str>);

/// What was kept of a sandbox: `snp_` and 20 hexadecimal digits, of a key in the same way.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId(Arc<str>);

macro_rules! name {
    ($type:ident, $prefix:ident, $what:literal) => {
        impl $type {
            /// The name that belongs to a key of the caller's.
            #[must_use]
            pub fn of(key: &str) -> Self {
                Self(digest($prefix, key))
            }

            /// Reads a name as this crate writes them.
            ///
            /// # Errors
            /// When the text is none; names never reach a path unchecked.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                if is_name(text, $prefix) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(InvalidName {
                        what: $what,
                        prefix: $prefix,
                    })
                }
            }

            /// Its text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

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

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}
name!(SandboxId, SANDBOX, "a sandbox's id");
name!(SnapshotId, SNAPSHOT, "a snapshot's id");

impl SandboxId {
    /// Its first digits, for what has no room for all.
    pub(crate) fn short(&self) -> String {
        self.0.chars().skip(SANDBOX.len()).take(8).collect()
    }

    /// The name of the sandbox for itself.
    pub(crate) fn host_name(&self) -> String {
        format!("wharf-{}", self.short())
    }
}

fn digest(prefix: &str, key: &str) -> Arc<str> {
    let hash = Sha256::digest([prefix.as_bytes(), key.as_bytes()].concat());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = nibbles.take(DIGITS).map(|nibble| {
        let digit = HEX.get(usize::from(nibble)).copied();
        char::from(digit.unwrap_or(b'0'))
    });
    let text: String = prefix.chars().chain(digits).collect();
    Arc::from(text)
}

fn is_name(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|b| HEX.contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_sandbox() {
        let id = SandboxId::of("ses_1");
        assert_eq!(id, SandboxId::of("ses_1"));
        assert_ne!(id, SandboxId::of("ses_2"));
        assert_eq!(SandboxId::parse(id.as_str()), Ok(id.clone()));
        assert_eq!(id.as_str().len(), SANDBOX.len() + DIGITS);
    }

    #[test]
    fn nothing_that_could_be_a_path_is_a_name() {
        let right = SandboxId::of("x").to_string();
        for wrong in [
            "",
            "..",
            "sbx_",
            "sbx_../../../../../etc/pa",
            &right.to_uppercase(),
            &format!("{right}0"),
            &right.replace("sbx_", "snp_"),
        ] {
            assert!(SandboxId::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(SnapshotId::parse(&right).is_err());
    }
}
