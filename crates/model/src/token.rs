//! Texts that open doors: how ours look, so that a scanner, a person and we know one at sight.
//!
//! A prefix that says what it is, 52 characters of Crockford's base 32 for 256 random bits, and 7
//! for a CRC-32 of all before. The prefix lets secret scanners know one when they see it; the
//! checksum lets them, and us, tell a real one from a typing error without asking anybody.

use crate::{Entropy, Secret};

/// What a token is for; it begins with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A long-lived key of a person or an agent: `whk_`.
    ApiKey,
    /// Goes on with a login: `whr_`.
    Refresh,
    /// What a device polls with while its person decides: `whd_`.
    Device,
    /// This machine's clients and server: `whf_`.
    Local,
    /// Opens the way to the agent in one sandbox: `wht_`.
    Ticket,
}

const RANDOM_BYTES: usize = 32;
const RANDOM_CHARS: usize = 52;
const CHECK_CHARS: usize = 7;
const PREFIX_CHARS: usize = 4;
/// The length of every token in bytes.
pub const TOKEN_BYTES: usize = PREFIX_CHARS + RANDOM_CHARS + CHECK_CHARS;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has a prefix and 59 characters with a checksum; this text is cut or mistyped")]
pub struct NotAToken;

impl TokenKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ApiKey,
        Self::Refresh,
        Self::Device,
        Self::Local,
        Self::Ticket,
    ];

    /// How a token of this kind begins.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "whk_",
            Self::Refresh => "whr_",
            Self::Device => "whd_",
            Self::Local => "whf_",
            Self::Ticket => "wht_",
        }
    }

    /// The kind of a text by its beginning; nothing of the rest is looked at.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
    }

    /// A new token that nobody can guess.
    #[must_use]
    pub fn random(self, entropy: &dyn Entropy) -> Secret {
        let mut bits = [0; RANDOM_BYTES];
        entropy.fill(&mut bits);
        let mut text = String::with_capacity(TOKEN_BYTES);
        text.push_str(self.prefix());
        base32(&bits, &mut text);
        let check = crc32(text.as_bytes());
        base32(&check.to_be_bytes(), &mut text);
        Secret::new(text)
    }

    /// Reads one of this kind, white space around it aside.
    ///
    /// # Errors
    /// When its prefix, shape or checksum is wrong.
    pub fn parse(self, text: &str) -> Result<Secret, NotAToken> {
        let text = text.trim();
        let body = text
            .len()
            .checked_sub(CHECK_CHARS)
            .and_then(|at| text.split_at_checked(at));
        let (body, check) = body.ok_or(NotAToken)?;
        let mut right = String::new();
        base32(&crc32(body.as_bytes()).to_be_bytes(), &mut right);
        let legal = text.len() == TOKEN_BYTES && body.starts_with(self.prefix()) && check == right;
        if legal {
            Ok(Secret::new(text.to_owned()))
        } else {
            Err(NotAToken)
        }
    }
}

/// Five bits a character, the last one filled up with zeros.
fn base32(bytes: &[u8], text: &mut String) {
    let (mut held, mut bits) = (0_u32, 0);
    let mut push = |five: u32| {
        let index = usize::try_from(five & 31).unwrap_or_default();
        text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'0')));
    };
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(held >> bits);
        }
    }
    if bits > 0 {
        push(held << (5 - bits));
    }
}

/// CRC-32 as in zip and PNG (IEEE 802.3, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn tokens_round_trip_and_differ() {
        for kind in TokenKind::ALL {
            let token = kind.random(&Fixed(0xff));
            let text = token.expose();
            assert_eq!(text.len(), TOKEN_BYTES);
            assert_eq!(TokenKind::of(text), Some(kind));
            assert_eq!(kind.parse(&format!(" {text}\n")).unwrap().expose(), text);
            assert_ne!(text, kind.random(&Fixed(0xfe)).expose());
        }
    }

    #[test]
    fn one_kind_is_not_taken_for_another() {
        let key = TokenKind::ApiKey.random(&Fixed(1));
        assert!(TokenKind::Refresh.parse(key.expose()).is_err());
        let other = key.expose().replace("whk_", "whr_");
        assert!(
            TokenKind::Refresh.parse(&other).is_err(),
            "the checksum is over the prefix as well"
        );
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let token = TokenKind::Local.random(&Fixed(7));
        let text = token.expose();
        for at in 0..text.len() {
            let mut changed = text.to_owned().into_bytes();
            changed[at] = if changed[at] == b'z' { b'y' } else { b'z' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(TokenKind::Local.parse(&changed).is_err(), "{at}");
        }
        let (headless, endless) = (&text.as_bytes()[1..], &text.as_bytes()[..TOKEN_BYTES - 1]);
        for cut in [b"".as_slice(), b"whf_", "é".as_bytes(), headless, endless] {
            let cut = std::str::from_utf8(cut).unwrap();
            assert!(TokenKind::Local.parse(cut).is_err(), "{cut}");
        }
    }
}
