//! Texts that come in and go out: checked names, ids, codes and their hashes.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use wharf_model::{Entropy, Secret, Timestamp};

use crate::Error;
use crate::limits::{
    EMAIL_BYTES_MAX, NAME_CHARS_MAX, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, SLUG_CHARS,
};
use crate::views::Peer;

/// The SHA-256 of a text, in hex: enough for what has many bits of its own.
pub(crate) fn hash_of(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing into a string cannot fail.
        let _infallible = write!(hex, "{byte:02x}");
    }
    hex
}

/// An address in the form in which it is compared and kept.
pub(crate) fn email(text: &str) -> Result<String, Error> {
    // Only ASCII: what else is the same in another case is not the same to whoever reads the mail.
    let text = text.trim().to_ascii_lowercase();
    let legal = text.len() <= EMAIL_BYTES_MAX
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
        })
        // A slash would end the address in the name of a caller.
        && !text.chars().any(|it| it.is_whitespace() || it.is_control() || "/\\<>\"".contains(it));
    if legal {
        Ok(text)
    } else {
        Err(Error::invalid(
            "email",
            format!("must be an address, name@host, of at most {EMAIL_BYTES_MAX} bytes"),
        ))
    }
}

/// A name that people see.
pub(crate) fn name(field: &'static str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    let legal =
        (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if legal {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid(
            field,
            format!("must have 1 to {NAME_CHARS_MAX} characters and no control characters"),
        ))
    }
}

/// A short name that is part of the names of callers.
pub(crate) fn slug(field: &'static str, text: &str) -> Result<String, Error> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let legal = SLUG_CHARS.contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if legal {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid(
            field,
            format!(
                "must have {} to {} characters of a-z 0-9 and, inside, -",
                SLUG_CHARS.start(),
                SLUG_CHARS.end()
            ),
        ))
    }
}

/// A password that may be set.
pub(crate) fn new_password(text: &Secret) -> Result<(), Error> {
    let long = text.expose().chars().count() >= PASSWORD_CHARS_MIN;
    if long && text.expose().len() <= PASSWORD_BYTES_MAX {
        return Ok(());
    }
    Err(Error::invalid(
        "password",
        format!(
            "must have at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} \
             bytes"
        ),
    ))
}

/// An id or name that somebody asks for: what cannot be one is not found, and never reaches the
/// database.
pub(crate) fn known<'a>(what: &'static str, text: &'a str) -> Result<&'a str, Error> {
    let legal = (1..=EMAIL_BYTES_MAX).contains(&text.len())
        && !text.chars().any(|it| it.is_control() || it.is_whitespace());
    if legal {
        Ok(text)
    } else {
        Err(Error::NotFound(what))
    }
}

/// What a client calls itself, made fit to be shown.
pub(crate) fn device_of(peer: &Peer) -> String {
    let given = peer.device.as_deref().unwrap_or_default();
    let plain = given
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it });
    let text: String = plain.take(NAME_CHARS_MAX).collect();
    match text.trim() {
        "" => "unknown device".to_owned(),
        text => text.to_owned(),
    }
}

/// The address of a peer.
pub(crate) fn address_of(peer: &Peer) -> String {
    match peer.address {
        Some(address) => address.to_canonical().to_string(),
        None => "local".to_owned(),
    }
}

/// What of an address counts as one: a network of 64 bits for IPv6, where anybody has one.
pub(crate) fn network_of(peer: &Peer) -> String {
    match peer.address.map(|it| it.to_canonical()) {
        Some(std::net::IpAddr::V6(address)) => {
            let network = address.to_bits() >> 64 << 64;
            std::net::Ipv6Addr::from_bits(network).to_string()
        }
        _ => address_of(peer),
    }
}

/// A random UUID (version 4).
pub(crate) fn uuid(entropy: &dyn Entropy) -> String {
    let mut bits = [0_u8; 16];
    entropy.fill(&mut bits);
    let bits = u128::from_be_bytes(bits);
    let bits = bits & !(0xf << 76) | 4 << 76;
    let bits = bits & !(0b11 << 62) | 0b10 << 62;
    let (a, b, c, d, e) = (
        bits >> 96,
        bits >> 80 & 0xffff,
        bits >> 64 & 0xffff,
        bits >> 48 & 0xffff,
        bits & 0xffff_ffff_ffff,
    );
    format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
}

const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_CHARS: usize = 20;
const CODE_GROUP: usize = 5;

/// A one-time code: 100 random bits in Crockford's base 32, in groups that can be read out.
pub(crate) fn one_time_code(entropy: &dyn Entropy) -> Secret {
    let mut bits = [0_u8; 16];
    entropy.fill(&mut bits);
    let mut bits = u128::from_be_bytes(bits);
    let mut text = String::with_capacity(CODE_CHARS + CODE_CHARS / CODE_GROUP);
    for at in 0..CODE_CHARS {
        if at > 0 && at % CODE_GROUP == 0 {
            text.push('-');
        }
        let index = usize::try_from(bits & 31).unwrap_or_default();
        text.push(char::from(
            CODE_ALPHABET.get(index).copied().unwrap_or(b'0'),
        ));
        bits >>= 5;
    }
    Secret::new(text)
}

/// The hash of a one-time code as somebody typed it: in any case, with or without dashes, with
/// letters that look like digits. None of a text that is no code.
pub(crate) fn code_hash(code: &Secret) -> Option<String> {
    let mut text = String::with_capacity(CODE_CHARS);
    for char in code.expose().chars() {
        let plain = match char.to_ascii_uppercase() {
            '-' => continue,
            it if it.is_whitespace() => continue,
            'O' => '0',
            'I' | 'L' => '1',
            it => it,
        };
        let legal = u8::try_from(plain).is_ok_and(|it| CODE_ALPHABET.contains(&it));
        if !legal || text.len() >= CODE_CHARS {
            return None;
        }
        text.push(plain);
    }
    (text.len() == CODE_CHARS).then(|| hash_of(&text))
}

const USER_CODE_LETTERS: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";

/// A user code, `ABCD-1234`: one of 24⁴·10⁴, each as likely as the others to 1 in 2³².
pub(crate) fn user_code(entropy: &dyn Entropy) -> Secret {
    let mut bits = [0_u8; 8];
    entropy.fill(&mut bits);
    let mut bits = u64::from_be_bytes(bits);
    let mut text = String::with_capacity(9);
    for _ in 0..4 {
        let index = usize::try_from(bits % 24).unwrap_or_default();
        text.push(char::from(
            USER_CODE_LETTERS.get(index).copied().unwrap_or(b'A'),
        ));
        bits /= 24;
    }
    // Writing into a string cannot fail.
    let _infallible = write!(text, "-{:04}", bits % 10_000);
    Secret::new(text)
}

/// The hash of a user code as somebody typed it: in any case, with or without the dash. None of a
/// text that is no such code.
pub(crate) fn user_code_hash(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .filter(|it| *it != '-' && !it.is_whitespace())
        .take(9)
        .map(|it| it.to_ascii_uppercase())
        .collect();
    let bytes = plain.as_bytes();
    let (letters, digits) = bytes.split_at_checked(4)?;
    let legal = digits.len() == 4
        && letters.iter().all(|it| USER_CODE_LETTERS.contains(it))
        && digits.iter().all(u8::is_ascii_digit);
    legal.then(|| hash_of(&plain))
}

/// A moment as it is kept.
pub(crate) const fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// A span in milliseconds.
pub(crate) fn ms(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
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
    fn addresses_are_kept_in_one_form() {
        assert_eq!(email(" Ada@Example.COM ").unwrap(), "ada@example.com");
        // The sign for kelvins is a k to Unicode, and nobody's k in an address.
        assert_eq!(
            email("\u{212a}@Example.com").unwrap(),
            "\u{212a}@example.com"
        );
        for wrong in [
            "", "a", "@b", "a@", "a b@c", "a@b@c", "a/b@c", "a\n@b", "a@.b", "<a@b>",
        ] {
            assert!(email(wrong).is_err(), "{wrong:?}");
        }
        let long = format!("{}@example.com", "a".repeat(EMAIL_BYTES_MAX - 12));
        assert_eq!(long.len(), EMAIL_BYTES_MAX);
        assert!(email(&long).is_ok());
        assert!(email(&format!("a{long}")).is_err());
    }

    #[test]
    fn names_have_bounds() {
        assert_eq!(name("name", "  Ada L ").unwrap(), "Ada L");
        assert!(name("name", &"ä".repeat(NAME_CHARS_MAX)).is_ok());
        for wrong in ["", "  ", "a\u{7}b", &"a".repeat(NAME_CHARS_MAX + 1)] {
            assert!(name("name", wrong).is_err(), "{wrong:?}");
        }
        assert!(slug("slug", "a-1").is_ok());
        for wrong in ["", "-a", "a-", "A", "a/b", "ä", &"a".repeat(40)] {
            assert!(slug("slug", wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn passwords_have_bounds() {
        let ok = |text: String| new_password(&Secret::new(text)).is_ok();
        assert!(!ok("a".repeat(PASSWORD_CHARS_MIN - 1)));
        assert!(!ok("ä".repeat(PASSWORD_CHARS_MIN - 1)));
        assert!(ok("a".repeat(PASSWORD_CHARS_MIN)));
        assert!(ok("a".repeat(PASSWORD_BYTES_MAX)));
        assert!(!ok("a".repeat(PASSWORD_BYTES_MAX + 1)));
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        let code = one_time_code(&Fixed(0x5a));
        assert_eq!(code.expose().len(), 23);
        let hash = code_hash(&code).unwrap();
        let typed = code.expose().to_lowercase().replace('-', " ");
        assert_eq!(code_hash(&Secret::new(typed)).unwrap(), hash);
        let zeros = Secret::new("OOOOO-00000-ooooo-00000".to_owned());
        let ones = Secret::new("ILil1-11111-11111-11111".to_owned());
        assert_eq!(code_hash(&zeros).unwrap(), hash_of(&"0".repeat(20)));
        assert_eq!(code_hash(&ones).unwrap(), hash_of(&"1".repeat(20)));
        for wrong in ["", "UUUUU-00000-00000-00000", &"0".repeat(21), "é"] {
            assert!(code_hash(&Secret::new(wrong.to_owned())).is_none());
        }
    }

    #[test]
    fn user_codes_are_as_the_contract_has_them() {
        let code = user_code(&Fixed(0xff));
        let text = code.expose();
        let hash = user_code_hash(text).unwrap();
        assert_eq!(
            user_code_hash(&text.to_lowercase().replace('-', "")).unwrap(),
            hash
        );
        for wrong in [
            "",
            "ABCI-1234",
            "ABCO-1234",
            "ABC-12345",
            "ABCD-12345",
            "ABCDE123",
        ] {
            assert!(user_code_hash(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        assert_eq!(uuid(&Fixed(0xff)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid(&Fixed(0)), "00000000-0000-4000-8000-000000000000");
    }

    #[test]
    fn one_network_is_one_address() {
        let peer = |text: &str| Peer {
            address: Some(text.parse().unwrap()),
            device: None,
        };
        assert_eq!(network_of(&peer("2001:db8:1:2:3:4:5:6")), "2001:db8:1:2::");
        assert_eq!(network_of(&peer("::ffff:192.0.2.1")), "192.0.2.1");
        assert_eq!(network_of(&Peer::default()), "local");
    }
}
