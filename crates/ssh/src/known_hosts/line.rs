//! One line of a file of known hosts: `[@marker] names algorithm key [comment]`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::PublicKey;
use sha1::Sha1;

/// What a line says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    /// It is the host's.
    Host,
    /// It signs the certificates of the hosts.
    Authority,
    /// It must not be used.
    Revoked,
}

/// A line that says something.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) marker: Marker,
    names: Names,
    pub(crate) key: PublicKey,
}

#[derive(Debug, Clone)]
enum Names {
    /// Patterns in lower case; those with `!` take hosts out.
    Patterns(Vec<String>),
    /// HMAC-SHA1 of the name, with the salt as its key.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

impl Line {
    /// The line's meaning; none for an empty one, a comment, or one that cannot be understood.
    /// OpenSSH skips the latter as well: a file may be shared with a newer version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        let mut words = text.split_ascii_whitespace();
        let mut word = words.next()?;
        let marker = match word {
            "@cert-authority" => Marker::Authority,
            "@revoked" => Marker::Revoked,
            _ if word.starts_with('@') => return None,
            _ => Marker::Host,
        };
        if marker != Marker::Host {
            word = words.next()?;
        }
        let names = Names::parse(word)?;
        let algorithm = words.next()?;
        let blob = STANDARD.decode(words.next()?).ok()?;
        let key = russh::keys::key::parse_public_key(&blob).ok()?;
        // A line that names another algorithm than its key has is not to be guessed at.
        (key.algorithm().as_str() == algorithm).then_some(Self { marker, names, key })
    }

    /// What is left of `text`, the line's own, without this name. None: nothing. It is an error
    /// where a pattern covers the name, because others are meant by it as well.
    pub(crate) fn without(&self, text: &str, name: &str) -> Result<Option<String>, ()> {
        let Names::Patterns(patterns) = &self.names else {
            return Ok(None);
        };
        let is_plain = |pattern: &String| !pattern.contains(['*', '?', '!']);
        if !patterns.iter().all(is_plain) {
            return Err(());
        }
        let (names, rest) = text.trim().split_once([' ', '\t']).ok_or(())?;
        let others: Vec<&str> = names
            .split(',')
            .filter(|other| !other.is_empty() && other.to_lowercase() != name)
            .collect();
        Ok((!others.is_empty()).then(|| format!("{} {}", others.join(","), rest.trim_start())))
    }

    /// The line is about the host of this name, which is in lower case and, where the port is not
    /// SSH's, `[name]:port`.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        match &self.names {
            Names::Patterns(patterns) => matches_list(patterns, name),
            Names::Hashed { salt, hash } => {
                let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else {
                    return false;
                };
                mac.update(name.as_bytes());
                mac.verify_slice(hash).is_ok()
            }
        }
    }
}

impl Names {
    fn parse(word: &str) -> Option<Self> {
        if let Some(rest) = word.strip_prefix("|1|") {
            let (salt, hash) = rest.split_once('|')?;
            return Some(Self::Hashed {
                salt: STANDARD.decode(salt).ok()?,
                hash: STANDARD.decode(hash).ok()?,
            });
        }
        let patterns = word.split(',').filter(|pattern| !pattern.is_empty());
        Some(Self::Patterns(patterns.map(str::to_lowercase).collect()))
    }
}

/// The name as a hashed line has it.
pub(crate) fn hashed(name: &str, salt: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else {
        return name.to_owned();
    };
    mac.update(name.as_bytes());
    let hash = mac.finalize().into_bytes();
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash))
}

/// One of the patterns is met, and none of those with `!`.
pub(crate) fn matches_list<S: AsRef<str>>(patterns: &[S], name: &str) -> bool {
    let mut met = false;
    for pattern in patterns {
        match pattern.as_ref().strip_prefix('!') {
            Some(pattern) if matches_pattern(pattern, name) => return false,
            Some(_) => {}
            None => met |= matches_pattern(pattern.as_ref(), name),
        }
    }
    met
}

/// `*` stands for any characters, `?` for one.
pub(crate) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut seen) = (0, 0);
    // Where to go on after the latest star, should what follows it not fit: linear in practice,
    // and never exponential.
    let mut retry: Option<(usize, usize)> = None;
    while seen < name.len() {
        let here = pattern.get(at);
        if here == Some(&'*') {
            retry = Some((at + 1, seen));
            at += 1;
        } else if here == Some(&'?') || here == name.get(seen) {
            at += 1;
            seen += 1;
        } else if let Some((after, from)) = retry {
            retry = Some((after, from + 1));
            at = after;
            seen = from + 1;
        } else {
            return false;
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn patterns_are_met_as_in_a_shell() {
        for (pattern, name, is_met) in [
            ("*", "", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxxcd", false),
            ("[h]:2222", "[h]:2222", true),
            ("", "x", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), is_met, "{pattern} {name}");
        }
        let stars = "*a".repeat(40);
        assert!(!matches_pattern(&stars, &"a".repeat(39)));
    }

    #[test]
    fn a_negated_pattern_takes_a_host_out() {
        let line = Line::parse(&format!("*.example.com,!db.example.com {KEY}")).unwrap();
        assert!(line.is_about("web.example.com"));
        assert!(!line.is_about("db.example.com"));
        assert!(!line.is_about("other.org"));
    }

    #[test]
    fn a_hashed_name_is_recognised() {
        let name = hashed("[example.com]:2222", b"12345678901234567890");
        let line = Line::parse(&format!("{name} {KEY} a comment")).unwrap();
        assert!(line.is_about("[example.com]:2222"));
        assert!(!line.is_about("example.com"));
    }

    #[test]
    fn what_cannot_be_understood_says_nothing() {
        for text in [
            "",
            "# host ssh-ed25519 x",
            "host",
            "host ssh-ed25519",
            "host ssh-ed25519 !!!!",
            "@unheard-of host ssh-ed25519 AAAA",
            "|1|x host ssh-ed25519 AAAA",
            "host ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
            "host 1024 35 1234567890",
        ] {
            assert!(Line::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn markers_are_read() {
        let line = Line::parse(&format!("@revoked * {KEY}")).unwrap();
        assert_eq!(line.marker, Marker::Revoked);
        let line = Line::parse(&format!("@cert-authority *.a,b {KEY}")).unwrap();
        assert_eq!(line.marker, Marker::Authority);
    }
}
