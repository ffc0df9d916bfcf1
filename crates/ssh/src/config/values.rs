//! Values of options: yes and no, spans of time, destinations, lists of names, tokens.

use std::time::Duration;

use sha1::{Digest as _, Sha1};

use super::Destination;
use crate::world::World;

/// `yes`, `true`, `no`, `false`.
pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("`{text}` is neither `yes` nor `no`")),
    }
}

/// `90`, `1m30s`, `2h`: OpenSSH's spans.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let fail = || format!("`{text}` is not a span of time such as `10` or `1m30s`");
    let mut total: u64 = 0;
    let mut number: Option<u64> = None;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            let before = number.unwrap_or(0).checked_mul(10).ok_or_else(fail)?;
            number = Some(before.checked_add(u64::from(digit)).ok_or_else(fail)?);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            'w' => 604_800,
            _ => return Err(fail()),
        };
        let part = number.take().ok_or_else(fail)?.checked_mul(unit);
        total = total.checked_add(part.ok_or_else(fail)?).ok_or_else(fail)?;
    }
    if text.is_empty() {
        return Err(fail());
    }
    let total = total.checked_add(number.unwrap_or(0)).ok_or_else(fail)?;
    // More than a lifetime is a mistake, and overflows what is computed with it.
    (total <= u64::from(u32::MAX))
        .then(|| Duration::from_secs(total))
        .ok_or_else(fail)
}

/// A port.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is not a port from 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

/// `[user@]host[:port]` or `ssh://…`.
pub(super) fn destination(text: &str) -> Option<Destination> {
    let (text, is_uri) = match text.strip_prefix("ssh://") {
        Some(rest) => (rest.trim_end_matches('/'), true),
        None => (text, false),
    };
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (host, number) = if let Some(inner) = rest.strip_prefix('[') {
        let (host, after) = inner.split_once(']')?;
        (host, after.strip_prefix(':'))
    } else if rest.matches(':').count() > 1 && !is_uri {
        // An address of IPv6 without brackets has no port.
        (rest, None)
    } else {
        match rest.split_once(':') {
            Some((host, number)) => (host, Some(number)),
            None => (rest, None),
        }
    };
    let is_odd = |text: &str| {
        text.starts_with('-') || text.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if host.is_empty() || is_odd(host) || user.is_some_and(|user| user.is_empty() || is_odd(user)) {
        return None;
    }
    Some(Destination {
        host: host.to_owned(),
        user: user.map(str::to_owned),
        port: match number {
            Some(number) => Some(port(number).ok()?),
            None => None,
        },
    })
}

/// A list of algorithms: those named, or ours with some added, put first or taken away.
pub(super) fn algorithms(text: &str, ours: &[String]) -> Vec<String> {
    let named = |text: &str| -> Vec<String> {
        let names = text.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let without = |names: &[String], out: &[String]| -> Vec<String> {
        let is_in = |name: &&String| !out.contains(name);
        names.iter().filter(is_in).cloned().collect()
    };
    let mut chars = text.chars();
    match chars.next() {
        Some('+') => {
            let added = named(chars.as_str());
            let new = without(&added, ours);
            [ours.to_vec(), new].concat()
        }
        Some('^') => {
            let first = named(chars.as_str());
            let rest = without(ours, &first);
            [first, rest].concat()
        }
        Some('-') => {
            let patterns = named(chars.as_str());
            let is_out = |name: &str| {
                patterns
                    .iter()
                    .any(|pattern| crate::known_hosts::matches_pattern(pattern, name))
            };
            ours.iter().filter(|name| !is_out(name)).cloned().collect()
        }
        _ => named(text),
    }
}

/// What the tokens stand for.
pub(super) struct Tokens<'a> {
    pub(super) world: &'a World,
    pub(super) original: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) alias: Option<&'a str>,
}

impl Tokens<'_> {
    /// The text with `%h` and the like replaced, and `${NAME}` where `with_env`.
    pub(super) fn expand(&self, text: &str, with_env: bool) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => {
                    let token = chars.next().ok_or("a `%` stands alone at the end")?;
                    out.push_str(&self.token(token)?);
                }
                '$' if with_env && chars.as_str().starts_with('{') => {
                    let rest = chars.as_str();
                    let (name, after) = rest
                        .strip_prefix('{')
                        .and_then(|rest| rest.split_once('}'))
                        .ok_or("a `${` is not closed")?;
                    let value = self.world.env.get(name);
                    out.push_str(value.ok_or_else(|| format!("${{{name}}} is not set"))?);
                    chars = after.chars();
                }
                c => out.push(c),
            }
        }
        Ok(out)
    }

    fn token(&self, token: char) -> Result<String, String> {
        let world = self.world;
        Ok(match token {
            '%' => "%".to_owned(),
            'h' => self.host.to_owned(),
            'n' => self.original.to_owned(),
            'p' => self.port.to_string(),
            'r' => self.user.to_owned(),
            'u' => world.user.clone(),
            'd' => world.home.display().to_string(),
            'l' => world.hostname.clone(),
            'L' => world
                .hostname
                .split('.')
                .next()
                .unwrap_or_default()
                .to_owned(),
            'i' => rustix::process::getuid().as_raw().to_string(),
            'k' => self.alias.unwrap_or(self.original).to_owned(),
            'C' => {
                let text = format!("{}{}{}{}", world.hostname, self.host, self.port, self.user);
                let hash = Sha1::digest(text.as_bytes());
                hash.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            other => return Err(format!("`%{other}` is not known here")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, seconds) in [
            ("0", 0),
            ("90", 90),
            ("1m30s", 90),
            ("2H", 7200),
            ("1w1d", 691_200),
            ("1m5", 65),
        ] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "x",
            "m",
            "1x",
            "-1",
            "99999999999999999999",
            "4294967296",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn destinations_are_read() {
        let read = |text: &str| destination(text).map(|d| (d.user, d.host, d.port));
        let some = |user: Option<&str>, host: &str, port| {
            Some((user.map(str::to_owned), host.to_owned(), port))
        };
        assert_eq!(read("web"), some(None, "web", None));
        assert_eq!(read("me@web:2222"), some(Some("me"), "web", Some(2222)));
        assert_eq!(read("a@b@web"), some(Some("a@b"), "web", None));
        assert_eq!(read("[::1]:22"), some(None, "::1", Some(22)));
        assert_eq!(read("::1"), some(None, "::1", None));
        assert_eq!(read("ssh://me@web:22/"), some(Some("me"), "web", Some(22)));
        for text in [
            "",
            "@web",
            "web:",
            "web:0",
            "web:x",
            "-oProxyCommand=x",
            "me@-x",
            "[::1",
            "a\nb",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn lists_of_algorithms_are_changed() {
        let ours = ["a".to_owned(), "b1".to_owned(), "b2".to_owned()];
        assert_eq!(algorithms("x,y", &ours), ["x", "y"]);
        assert_eq!(algorithms("+x,a", &ours), ["a", "b1", "b2", "x"]);
        assert_eq!(algorithms("^b2,x", &ours), ["b2", "x", "a", "b1"]);
        assert_eq!(algorithms("-b*", &ours), ["a"]);
    }
}
