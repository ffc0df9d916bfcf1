//! What came from outside, checked once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use wharf_model::Secret;

use crate::Error;
use crate::limits::{
    IDEMPOTENCY_BYTES_MAX, KEY_BYTES_MAX, KEYS_MAX, METADATA_BYTES_MAX, NAME_CHARS_MAX,
    PATH_HASH_CHARS, PROMPT_BYTES_MAX, VARIABLES_BYTES_MAX, VARIABLES_MAX,
};

/// The name of a directory for the server.
pub(crate) fn path_hash(text: &str) -> Result<String, Error> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if PATH_HASH_CHARS.contains(&text.len()) && text.bytes().all(legal) {
        Ok(text.to_owned())
    } else {
        let (least, most) = (PATH_HASH_CHARS.start(), PATH_HASH_CHARS.end());
        Err(Error::invalid(
            "localPathHash",
            format!("must be {least} to {most} letters and digits"),
        ))
    }
}

/// A name that people give; none where it is empty.
pub(crate) fn name(field: &'static str, text: Option<&str>) -> Result<Option<String>, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > NAME_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            field,
            format!("must have at most {NAME_CHARS_MAX} characters and no control characters"),
        ));
    }
    Ok(Some(text.to_owned()))
}

/// One of a few words.
pub(crate) fn word(
    field: &'static str,
    text: &str,
    words: &'static [&'static str],
) -> Result<&'static str, Error> {
    let found = words.iter().find(|word| **word == text);
    found
        .copied()
        .ok_or_else(|| Error::invalid(field, format!("must be one of {}", words.join(", "))))
}

pub(crate) fn prompt(text: Option<String>) -> Result<Option<String>, Error> {
    match text {
        Some(text) if text.len() > PROMPT_BYTES_MAX => Err(Error::invalid(
            "initialPrompt",
            format!("must have at most {PROMPT_BYTES_MAX} bytes"),
        )),
        other => Ok(other),
    }
}

pub(crate) fn metadata(
    value: Option<serde_json::Value>,
) -> Result<Option<serde_json::Value>, Error> {
    let bytes = value.as_ref().map_or(0, |value| value.to_string().len());
    if bytes > METADATA_BYTES_MAX {
        return Err(Error::invalid(
            "clientMetadata",
            format!("must have at most {METADATA_BYTES_MAX} bytes"),
        ));
    }
    Ok(value)
}

pub(crate) fn idempotency_key(key: &str) -> Result<&str, Error> {
    let printable = |byte: u8| (b' '..=b'~').contains(&byte);
    if (1..=IDEMPOTENCY_BYTES_MAX).contains(&key.len()) && key.bytes().all(printable) {
        Ok(key)
    } else {
        Err(Error::invalid(
            "Idempotency-Key",
            format!("must have 1 to {IDEMPOTENCY_BYTES_MAX} printable characters"),
        ))
    }
}

/// Public keys of a request: at least one, each a line that opens a machine and does nothing else.
pub(crate) fn public_keys(field: &'static str, keys: &[String]) -> Result<Vec<String>, Error> {
    if keys.is_empty() || keys.len() > KEYS_MAX {
        return Err(Error::invalid(
            field,
            format!("must have 1 to {KEYS_MAX} keys"),
        ));
    }
    let wrong = || {
        Error::invalid(
            field,
            "must be public keys, as in a file that ends with .pub",
        )
    };
    let read = keys.iter().map(|key| public_key(key).ok_or_else(wrong));
    read.collect()
}

/// What opens a machine today. DSA does not, and certificates are not for lists of keys.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

/// `TYPE BASE64` of a line; its comment is nobody's business inside. A line with options in front
/// is none: it could name a command.
fn public_key(line: &str) -> Option<String> {
    let line = line.trim();
    if line.len() > KEY_BYTES_MAX || line.chars().any(char::is_control) {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let (kind, blob) = (words.next()?, words.next()?);
    let bytes = STANDARD.decode(blob).ok()?;
    // It begins with its kind, as a length and a text (RFC 4253, 6.6), and goes on.
    let length = u32::from_be_bytes(*bytes.first_chunk()?);
    let (inner, rest) = bytes
        .get(4..)?
        .split_at_checked(usize::try_from(length).ok()?)?;
    let fits = KINDS.contains(&kind) && inner == kind.as_bytes() && rest.len() >= 32;
    fits.then(|| format!("{kind} {blob}"))
}

/// Variables of a request.
pub(crate) fn variables(variables: Vec<(String, Secret)>) -> Result<Vec<(String, Secret)>, Error> {
    let bytes: usize = variables
        .iter()
        .map(|(name, value)| name.len() + value.expose().len())
        .sum();
    let fits = variables.len() <= VARIABLES_MAX && bytes <= VARIABLES_BYTES_MAX;
    let legal = |(name, value): &(String, Secret)| {
        let letters = name
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'_');
        let begins = name.bytes().next().is_some_and(|it| !it.is_ascii_digit());
        // A provider writes each on a line.
        letters && begins && !value.expose().contains(['\n', '\r', '\0'])
    };
    if !fits || !variables.iter().all(legal) {
        return Err(Error::invalid(
            "sshOptions.envVars",
            format!(
                "must be at most {VARIABLES_MAX} variables of {VARIABLES_BYTES_MAX} bytes \
                 together, each on one line, with names of letters, digits and _"
            ),
        ));
    }
    Ok(variables)
}

/// In hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn a_key_is_a_key_and_nothing_more() {
        let with_comment = format!("  {KEY} ada@laptop \n");
        assert_eq!(public_keys("keys", &[with_comment]).unwrap(), [KEY]);
        for wrong in [
            "",
            "ssh-ed25519",
            KEY.get(..40).unwrap(),
            &format!("command=\"sh\" {KEY}"),
            &format!("{KEY}\n{KEY}"),
            &KEY.replace("ssh-ed25519", "ssh-rsa"),
            &format!("{KEY} {}", "x".repeat(KEY_BYTES_MAX)),
        ] {
            assert!(
                public_keys("keys", &[wrong.to_owned()]).is_err(),
                "{wrong:?}"
            );
        }
        let many = |count| public_keys("keys", &vec![KEY.to_owned(); count]);
        assert!(many(0).is_err() && many(KEYS_MAX).is_ok() && many(KEYS_MAX + 1).is_err());
    }

    #[test]
    fn a_directory_has_a_short_plain_name() {
        for good in ["0123456789abcdef", "12345678", &"a".repeat(64)] {
            assert!(path_hash(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "1234567",
            "../../../etc",
            "0123456789abcde\0",
            &"a".repeat(65),
        ] {
            assert!(path_hash(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn variables_have_names_and_bounds() {
        let one = |name: &str, value: &str| {
            variables(vec![(name.to_owned(), Secret::new(value.to_owned()))])
        };
        assert!(one("A_1", "x y").is_ok());
        let most = "x".repeat(VARIABLES_BYTES_MAX - 1);
        assert!(one("A", &most).is_ok() && one("AB", &most).is_err());
        for wrong in ["", "1A", "A-B", "A=B", "A\nB"] {
            assert!(one(wrong, "x").is_err(), "{wrong:?}");
        }
        for wrong in ["x\0", "x\ny", "x\r"] {
            assert!(one("A", wrong).is_err(), "{wrong:?}");
        }
        let many = |count: usize| {
            let all = (0..count).map(|n| (format!("V{n}"), Secret::new(String::new())));
            variables(all.collect()).is_ok()
        };
        assert!(many(VARIABLES_MAX) && !many(VARIABLES_MAX + 1));
    }

    #[test]
    fn what_a_client_keeps_has_bounds() {
        let text = |bytes| prompt(Some("x".repeat(bytes))).is_ok();
        assert!(text(PROMPT_BYTES_MAX) && !text(PROMPT_BYTES_MAX + 1));
        let kept = |bytes| metadata(Some(serde_json::Value::from("x".repeat(bytes)))).is_ok();
        assert!(kept(METADATA_BYTES_MAX - 2) && !kept(METADATA_BYTES_MAX - 1));
        let named = |chars| name("title", Some(&"é".repeat(chars))).is_ok();
        assert!(named(NAME_CHARS_MAX) && !named(NAME_CHARS_MAX + 1));
        let key = |bytes| idempotency_key(&"k".repeat(bytes)).is_ok();
        assert!(key(IDEMPOTENCY_BYTES_MAX) && !key(IDEMPOTENCY_BYTES_MAX + 1) && !key(0));
    }
}
