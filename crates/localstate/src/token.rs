//! The token that this machine's clients show to this machine's server.
//!
//! `whf_`, 52 characters of Crockford's base 32 for 256 random bits, and 7 for a CRC-32 of all
//! before. The prefix lets secret scanners know one when they see it; the checksum lets them, and
//! us, tell a real one from a typing error without asking anybody.

use std::path::Path;

use wharf_model::{Entropy, Secret};

use crate::error::Error;
use crate::private::{self, FILE_MODE, Repaired};

/// How every token begins.
pub const PREFIX: &str = "whf_";
const RANDOM_BYTES: usize = 32;
const RANDOM_CHARS: usize = 52;
const CHECK_CHARS: usize = 7;
/// The length of every token in bytes.
pub const TOKEN_BYTES: usize = PREFIX.len() + RANDOM_CHARS + CHECK_CHARS;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A well-formed token.
#[derive(Debug, Clone)]
pub struct Token(Secret);

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is {PREFIX} and 59 characters with a checksum; this text is cut or mistyped")]
pub struct NotAToken;

impl Token {
    /// A new one that nobody can guess.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bits = [0; RANDOM_BYTES];
        entropy.fill(&mut bits);
        let mut text = String::with_capacity(TOKEN_BYTES);
        text.push_str(PREFIX);
        base32(&bits, &mut text);
        let check = crc32(text.as_bytes());
        base32(&check.to_be_bytes(), &mut text);
        Self(Secret::new(text))
    }

    /// Reads one, white space around it aside.
    ///
    /// # Errors
    /// When its shape or checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let text = text.trim();
        let body = text
            .len()
            .checked_sub(CHECK_CHARS)
            .and_then(|at| text.split_at_checked(at));
        let (body, check) = body.ok_or(NotAToken)?;
        let mut right = String::new();
        base32(&crc32(body.as_bytes()).to_be_bytes(), &mut right);
        let legal = text.len() == TOKEN_BYTES && body.starts_with(PREFIX) && check == right;
        if legal {
            Ok(Self(Secret::new(text.to_owned())))
        } else {
            Err(NotAToken)
        }
    }

    /// The token in `file`, if there is one; a file that others could read is made private, which
    /// is reported.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold a token.
    pub fn load(file: &Path) -> Result<Option<(Self, Option<Repaired>)>, Error> {
        let Some(text) = private::read(file)? else {
            return Ok(None);
        };
        let repaired = private::protect(file, FILE_MODE)?;
        let token = Self::parse(&text).map_err(|error| Error::Damaged {
            path: file.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Some((token, repaired)))
    }

    /// The token in `file`, made now if there is none. Two processes that do this at once get the
    /// same one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn load_or_create(
        file: &Path,
        entropy: &dyn Entropy,
    ) -> Result<(Self, Option<Repaired>), Error> {
        if let Some(found) = Self::load(file)? {
            return Ok(found);
        }
        let new = Self::random(entropy);
        let line = format!("{}\n", new.0.expose());
        if private::create(file, line.as_bytes())? {
            return Ok((new, None));
        }
        Self::load(file)?.ok_or_else(|| Error::Damaged {
            path: file.to_owned(),
            reason: "it was removed while it was read".into(),
        })
    }

    /// The secret itself.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
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
        let token = Token::random(&Fixed(0xff));
        let text = token.secret().expose();

        assert_eq!(text.len(), TOKEN_BYTES);
        assert_eq!(
            Token::parse(&format!(" {text}\n"))
                .unwrap()
                .secret()
                .expose(),
            text
        );
        assert_ne!(text, Token::random(&Fixed(0xfe)).secret().expose());
        assert!(!format!("{token:?}").contains(text));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let text = Token::random(&Fixed(7)).secret().expose().to_owned();
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'z' { b'y' } else { b'z' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Token::parse(&changed).err(), Some(NotAToken), "{at}");
        }
        let (headless, endless) = (&text.as_bytes()[1..], &text.as_bytes()[..TOKEN_BYTES - 1]);
        for cut in [
            "".as_bytes(),
            "whf_".as_bytes(),
            "é".as_bytes(),
            headless,
            endless,
        ] {
            let cut = std::str::from_utf8(cut).unwrap();
            assert_eq!(Token::parse(cut).err(), Some(NotAToken), "{cut}");
        }
    }

    #[test]
    fn the_first_start_makes_it_and_later_ones_keep_it() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("token");

        let (first, _) = Token::load_or_create(&file, &Fixed(1)).unwrap();
        let (second, _) = Token::load_or_create(&file, &Fixed(2)).unwrap();

        assert_eq!(first.secret().expose(), second.secret().expose());
    }

    #[test]
    fn a_token_that_others_can_read_is_made_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("token");
        Token::load_or_create(&file, &Fixed(1)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();

        let (_, repaired) = Token::load(&file).unwrap().unwrap();

        assert_eq!(repaired.map(|r| (r.was, r.now)), Some((0o644, 0o600)));
    }

    #[test]
    fn a_damaged_token_is_an_error_and_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("token");
        std::fs::write(&file, "whf_short").unwrap();
        let found = Token::load_or_create(&file, &Fixed(1));
        assert!(matches!(found, Err(Error::Damaged { .. })));
    }
}
