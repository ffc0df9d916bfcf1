//! How an entry looks on its line: making one, and taking one apart.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256, shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first entry has as its `prev`.
    pub const GENESIS: Self = Self([0; 32]);
}

/// The last entry of a log, or of a part of it: enough to know the whole chain before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its sequence number; 0 when there is no entry yet.
    pub seq: u64,
    /// Its hash; [`Hash::GENESIS`] when there is no entry yet.
    pub hash: Hash,
}

impl Head {
    /// The head of a log without entries.
    pub const GENESIS: Self = Self {
        seq: 0,
        hash: Hash::GENESIS,
    };
}

/// An entry that was written: its place in the chain.
pub type Entry = Head;

/// A place between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Number of the segment file, from 1.
    pub segment: u32,
    /// Byte offset in it.
    pub offset: u64,
}

impl Position {
    /// Before the first entry.
    pub const START: Self = Self {
        segment: 1,
        offset: 0,
    };
}

/// The parts of a line that belong to the chain, borrowed from it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) seq: u64,
    pub(super) time_ms: i64,
    pub(super) kind: &'a str,
    prev: &'a [u8],
    hash: &'a [u8],
    signed: &'a [u8],
}

/// Appends the line of an entry to `line` and returns its hash. `members` is the inside of the
/// body's object, without the braces.
pub(super) fn write_line(
    line: &mut Vec<u8>,
    before: &Head,
    time_ms: i64,
    kind: &str,
    members: &[u8],
) -> Hash {
    line.clear();
    line.extend_from_slice(br#"{"seq":"#);
    push_number(line, before.seq + 1);
    line.extend_from_slice(br#","time":"#);
    push_number(line, time_ms);
    line.extend_from_slice(br#","kind":""#);
    line.extend_from_slice(kind.as_bytes());
    line.push(b'"');
    if !members.is_empty() {
        line.push(b',');
        line.extend_from_slice(members);
    }
    line.extend_from_slice(PREV);
    line.extend_from_slice(&before.hash.hex());
    line.push(b'"');
    let hash = Hash(Sha256::digest(&*line).into());
    line.extend_from_slice(HASH);
    line.extend_from_slice(&hash.hex());
    line.extend_from_slice(b"\"}\n");
    hash
}

impl<'a> Line<'a> {
    /// Takes a line apart (without its newline). Only the shape that [`write_line`] gives is
    /// accepted; the hash is not computed.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, &'static str> {
        let parts = || {
            let (signed, rest) = line.split_at_checked(line.len().checked_sub(HASH_PART)?)?;
            let hash = rest.strip_prefix(HASH)?.strip_suffix(b"\"}")?;
            let (_, prev) = signed.split_at_checked(signed.len().checked_sub(PREV_PART)?)?;
            let prev = prev.strip_prefix(PREV)?.strip_suffix(b"\"")?;
            Some((signed, prev, hash))
        };
        let (signed, prev, hash) = parts().ok_or("it does not end with prev and hash")?;
        let start = || {
            let rest = signed.strip_prefix(br#"{"seq":"#)?;
            let (seq, rest) = number::<u64>(rest)?;
            let (time_ms, rest) = number::<i64>(rest.strip_prefix(br#","time":"#)?)?;
            let rest = rest.strip_prefix(br#","kind":""#)?;
            let kind = rest.get(..memchr::memchr(b'"', rest)?)?;
            Some((seq, time_ms, std::str::from_utf8(kind).ok()?))
        };
        let (seq, time_ms, kind) = start().ok_or("it does not begin with seq, time and kind")?;
        Ok(Self {
            seq,
            time_ms,
            kind,
            prev,
            hash,
            signed,
        })
    }

    /// Whether the line is what was written, and follows on `before`. Returns the new head.
    pub(super) fn follows(&self, before: &Head) -> Result<Head, String> {
        let after = self.head()?;
        if self.seq != before.seq + 1 {
            return Err(format!(
                "its seq is {} where {} follows",
                self.seq,
                before.seq + 1
            ));
        }
        if self.prev != before.hash.hex() {
            return Err(format!("its prev is not the hash of entry {}", before.seq));
        }
        Ok(after)
    }

    /// Whether the line's hash is the hash of the line. Returns it as a head.
    pub(super) fn head(&self) -> Result<Head, String> {
        let hash = Hash(Sha256::digest(self.signed).into());
        if self.hash != hash.hex() {
            return Err("its hash does not fit its text".to_owned());
        }
        Ok(Head {
            seq: self.seq,
            hash,
        })
    }

    /// The hash that the line claims, unchecked.
    pub(super) fn claimed(&self) -> Option<Hash> {
        std::str::from_utf8(self.hash).ok()?.parse().ok()
    }
}

const PREV: &[u8] = br#","prev":""#;
const HASH: &[u8] = br#","hash":""#;
const HEX_LEN: usize = 64;
/// `,"prev":"<hex>"`
const PREV_PART: usize = PREV.len() + HEX_LEN + 1;
/// `,"hash":"<hex>"}`
const HASH_PART: usize = HASH.len() + HEX_LEN + 2;
/// What the chain adds to a body and its kind, at most: two numbers, two hashes, the member names.
pub(super) const FRAME_BYTES_MAX: usize = PREV_PART + HASH_PART + 80;

/// A decimal number at the start of `text`.
fn number<N: FromStr>(text: &[u8]) -> Option<(N, &[u8])> {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit() && *byte != b'-')?;
    let (digits, rest) = text.split_at_checked(end)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

fn push_number(line: &mut Vec<u8>, number: impl fmt::Display) {
    use std::io::Write as _;
    // Writing into a vector cannot fail.
    let _infallible = write!(line, "{number}");
}

impl Hash {
    /// The 64 digits, as bytes of text.
    pub(super) fn hex(&self) -> [u8; HEX_LEN] {
        let mut text = [b'0'; HEX_LEN];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = if nibble < 10 {
                    b'0' + nibble
                } else {
                    b'a' + nibble - 10
                };
            }
        }
        text
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// A text that is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hex digits")]
pub struct NotAHash;

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let mut bytes = [0; 32];
        if text.len() != HEX_LEN {
            return Err(NotAHash);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            for digit in pair {
                let nibble = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(NotAHash),
                };
                *byte = (*byte << 4) | nibble;
            }
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_apart_as_it_was_put_together() {
        let before = Head {
            seq: 41,
            hash: Hash([7; 32]),
        };
        let mut line = Vec::new();

        let hash = write_line(&mut line, &before, -5, "run.opened", br#""run":"r1""#);

        let text = line.strip_suffix(b"\n").unwrap();
        let parsed = Line::parse(text).unwrap();
        assert_eq!(
            (parsed.seq, parsed.time_ms, parsed.kind),
            (42, -5, "run.opened")
        );
        assert_eq!(parsed.follows(&before), Ok(Head { seq: 42, hash }));
        assert_eq!(parsed.claimed(), Some(hash));
        let json: serde_json::Value = serde_json::from_slice(text).unwrap();
        assert_eq!(json["run"], "r1");
        assert_eq!(json["prev"], before.hash.to_string());
    }

    #[test]
    fn a_line_without_body_is_still_json() {
        let mut line = Vec::new();
        write_line(&mut line, &Head::GENESIS, 0, "x", b"");
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(json["seq"], 1);
        assert_eq!(json["prev"], "0".repeat(64));
    }

    #[test]
    fn a_hash_reads_what_it_shows_and_nothing_else() {
        let hash = Hash(std::array::from_fn(|i| u8::try_from(i * 8).unwrap()));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().into_bytes(), hash.hex());
        for wrong in ["", "0", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(wrong.parse::<Hash>(), Err(NotAHash), "{wrong}");
        }
    }
}
