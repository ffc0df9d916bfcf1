//! Private keys, which have no business in a profile.
//!
//! Whoever uploads looks for secrets of all kinds first and can say what to put in their place;
//! this is the last door, for clients that did not look. It refuses what nobody writes by accident.

use memchr::memmem;

/// What a private key is, before the dashes of its first line.
const PEM: [&str; 2] = ["PRIVATE KEY", "PRIVATE KEY BLOCK"];
/// Fewest characters of a line of base64 that is taken for one.
const BASE64_LINE_MIN: usize = 16;
/// Characters of an age key behind its prefix.
const AGE_KEY: usize = 58;

/// The first line of `content`, counted from 1, where a private key begins.
///
/// A key in PEM needs a line of base64 below its first line: a text that explains how a key
/// looks is not one.
#[must_use]
pub fn private_key(content: &[u8]) -> Option<usize> {
    // Nearly no content has one of these, and most of a first sync's time went into its lines.
    let marks: [&[u8]; 3] = [b"PRIVATE KEY", AGE_PREFIX, PUTTY];
    if !marks
        .iter()
        .any(|mark| memmem::find(content, mark).is_some())
    {
        return None;
    }
    let mut lines = content.split(|byte| *byte == b'\n').map(trimmed);
    let mut number = 0;
    while let Some(line) = lines.next() {
        number += 1;
        if line.windows(AGE_PREFIX.len()).any(|at| at == AGE_PREFIX) && is_age(line) {
            return Some(number);
        }
        if line.starts_with(PUTTY) {
            return Some(number);
        }
        if is_pem(line) {
            let mut below = lines.clone().take(5);
            if below.any(is_base64) {
                return Some(number);
            }
        }
        if is_pem_in_one_line(line) {
            return Some(number);
        }
    }
    None
}

const AGE_PREFIX: &[u8] = b"AGE-SECRET-KEY-1";
const PUTTY: &[u8] = b"PuTTY-User-Key-File-";

fn is_age(line: &[u8]) -> bool {
    let at = line
        .windows(AGE_PREFIX.len())
        .position(|at| at == AGE_PREFIX);
    let rest = at.and_then(|at| line.get(at + AGE_PREFIX.len()..));
    rest.is_some_and(|rest| {
        let key = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric());
        key.count() >= AGE_KEY
    })
}

fn is_pem(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    let inner = line.strip_prefix("-----BEGIN ");
    let inner = inner.and_then(|rest| rest.strip_suffix("-----"));
    inner.is_some_and(|name| PEM.iter().any(|kind| name.ends_with(kind)))
}

/// As keys stand in JSON: the line breaks written as `\n`.
fn is_pem_in_one_line(line: &[u8]) -> bool {
    let marker = b"PRIVATE KEY-----\\n";
    let at = line.windows(marker.len()).position(|at| at == marker);
    let rest = at.and_then(|at| line.get(at + marker.len()..));
    rest.and_then(|rest| rest.get(..BASE64_LINE_MIN))
        .is_some_and(is_base64)
}

fn is_base64(line: &[u8]) -> bool {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    line.len() >= BASE64_LINE_MIN && line.iter().all(legal)
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ";

    #[test]
    fn keys_are_found_with_their_line() {
        for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
            let text = format!("one\n  -----BEGIN {kind}PRIVATE KEY-----\r\n  {BODY}\r\n");
            assert_eq!(private_key(text.as_bytes()), Some(2), "{kind}");
        }
        let pgp = format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: x\n\n{BODY}\n");
        assert_eq!(private_key(pgp.as_bytes()), Some(1));
        let json = format!("{{\"key\": \"-----BEGIN PRIVATE KEY-----\\n{BODY}\\n\"}}");
        assert_eq!(private_key(json.as_bytes()), Some(1));
        let age = format!("# key\nAGE-SECRET-KEY-1{}\n", "Q".repeat(AGE_KEY));
        assert_eq!(private_key(age.as_bytes()), Some(2));
        assert_eq!(private_key(b"PuTTY-User-Key-File-3: x"), Some(1));
    }

    #[test]
    fn a_text_about_keys_is_not_one() {
        for text in [
            "Never commit `-----BEGIN PRIVATE KEY-----`.",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "-----BEGIN PUBLIC KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n",
            "AGE-SECRET-KEY-1...",
        ] {
            assert_eq!(private_key(text.as_bytes()), None, "{text}");
        }
    }
}
