//! Secrets that are told by what they look like, wherever they stand.

use super::{Cut, Word, is_secret_option};
use crate::env::is_secret_name;

/// What looks like a secret wherever it stands.
pub(super) fn by_shape(text: &str, words: &[Word<'_>], cuts: &mut Vec<Cut>) {
    for word in words {
        userinfo(word, cuts);
        json_members(word, cuts);
        let bytes = word.raw.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let len = bytes
                .get(at..)
                .map_or(0, |rest| rest.iter().take_while(|b| in_token(**b)).count());
            if len >= MIN_TOKEN
                && let Some(token) = word.raw.get(at..at + len)
            {
                token_shape(word.start + at, token, cuts);
            }
            at += len.max(1);
        }
    }
    query_members(text, cuts);
}

/// The shortest token that is told by its shape.
const MIN_TOKEN: usize = 12;

const fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/')
}

fn token_shape(start: usize, token: &str, cuts: &mut Vec<Cut>) {
    const STARTS: &[(&str, usize)] = &[
        ("ghp_", 20),
        ("gho_", 20),
        ("ghu_", 20),
        ("ghs_", 20),
        ("ghr_", 20),
        ("github_pat_", 30),
        ("glpat-", 20),
        ("gldt-", 20),
        ("sk-", 20),
        ("sk_live_", 16),
        ("sk_test_", 16),
        ("rk_live_", 16),
        ("pk_live_", 16),
        ("whsec_", 16),
        ("xoxb-", 16),
        ("xoxp-", 16),
        ("xoxa-", 16),
        ("xoxr-", 16),
        ("xoxs-", 16),
        ("xapp-", 16),
        ("AKIA", 20),
        ("ASIA", 20),
        ("AIza", 30),
        ("ya29.", 20),
        ("npm_", 30),
        ("pypi-", 30),
        ("dop_v1_", 30),
        ("hf_", 20),
        ("SG.", 30),
        ("shpat_", 20),
        ("glrt-", 16),
        ("hvs.", 20),
        ("dckr_pat_", 16),
        ("lin_api_", 20),
        ("tfp_", 20),
        ("eyJ", 24),
        ("EAACEdEose0cBA", 20),
        ("key-", 32),
        ("sq0atp-", 20),
        ("pat_", 20),
        ("atlasv1.", 20),
        ("figd_", 20),
        ("nvapi-", 20),
    ];
    for (prefix, least) in STARTS {
        let Some(at) = token.find(prefix) else {
            continue;
        };
        let bounded = at == 0
            || token
                .as_bytes()
                .get(at - 1)
                .is_some_and(|b| matches!(b, b'/' | b'.' | b'+'));
        let rest = token.get(at..).unwrap_or_default();
        let dense = rest.bytes().any(|b| b.is_ascii_digit())
            || rest.bytes().any(|b| b.is_ascii_uppercase());
        if bounded
            && rest.len() >= *least
            && dense
            && (*prefix != "eyJ" || rest.contains('.') || rest.len() > 60)
        {
            cuts.push((start + at, start + token.len()));
            return;
        }
    }
}

/// `scheme://user:password@host`: the password, or the whole userinfo when it is a token.
fn userinfo(word: &Word<'_>, cuts: &mut Vec<Cut>) {
    for (at, _) in word.raw.match_indices("://") {
        let from = at + 3;
        let rest = word.raw.get(from..).unwrap_or_default();
        let authority = rest
            .split(['/', '?', '#', '"', '\''])
            .next()
            .unwrap_or_default();
        let Some(userinfo) = authority.rfind('@').and_then(|end| authority.get(..end)) else {
            continue;
        };
        let start = word.start + from;
        match userinfo.find(':') {
            Some(colon)
                if !userinfo
                    .get(colon + 1..)
                    .unwrap_or_default()
                    .starts_with('$') =>
            {
                cuts.push((start + colon + 1, start + userinfo.len()));
            }
            None if userinfo.len() >= 20 => cuts.push((start, start + userinfo.len())),
            _ => {}
        }
    }
}

/// `"password": "x"` in a body of JSON.
fn json_members(word: &Word<'_>, cuts: &mut Vec<Cut>) {
    if !word.raw.contains(['{', '"']) {
        return;
    }
    for (at, _) in word.raw.match_indices("\"") {
        let rest = word.raw.get(at + 1..).unwrap_or_default();
        let name = rest
            .bytes()
            .take(40)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            .count();
        let (name, tail) = rest.split_at(name);
        let Some(value) = tail
            .strip_prefix("\"")
            .map(str::trim_start)
            .and_then(|tail| tail.strip_prefix(':'))
        else {
            continue;
        };
        if !(is_secret_name(name) || is_secret_option(name) || camel_secret(name)) {
            continue;
        }
        let value = value.trim_start();
        let Some(value) = value.strip_prefix('"') else {
            continue;
        };
        let start = word.end - (word.raw.len() - (word.raw.len() - value.len()));
        let len = value.find('"').unwrap_or(value.len());
        if len > 0 {
            cuts.push((start, start + len));
        }
    }
}

fn camel_secret(name: &str) -> bool {
    [
        "Password",
        "Token",
        "Secret",
        "ApiKey",
        "accessKey",
        "privateKey",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// `?token=x` and `&api_key=x` in addresses, and form fields.
fn query_members(text: &str, cuts: &mut Vec<Cut>) {
    let bytes = text.as_bytes();
    let mut covered = 0;
    for at in memchr::memchr_iter(b'=', bytes) {
        if at < covered {
            // Inside of a value that is taken out already; looking again would be quadratic.
            continue;
        }
        let before = bytes.get(..at).unwrap_or_default();
        let len = before
            .iter()
            .rev()
            .take(40)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            .count();
        let start = at - len;
        let opens = start
            .checked_sub(1)
            .and_then(|at| bytes.get(at))
            .is_some_and(|b| matches!(b, b'?' | b'&'));
        let name = text.get(start..at).unwrap_or_default();
        if !opens
            || !(is_secret_name(name)
                || is_secret_option(name)
                || matches!(name, "sig" | "signature" | "code" | "X-Amz-Signature"))
        {
            continue;
        }
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let len = rest
            .iter()
            .take_while(|b| !matches!(b, b'&' | b' ' | b'"' | b'\'' | b'\n' | b'#'))
            .count();
        if len > 0 && rest.first() != Some(&b'$') {
            covered = at + 1 + len;
            cuts.push((at + 1, covered));
        }
    }
}

/// From `-----BEGIN … PRIVATE KEY-----` to its end.
pub(super) fn private_keys(text: &str, cuts: &mut Vec<Cut>) {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("-----BEGIN ")) {
        let start = from + found;
        let head = text.get(start..).unwrap_or_default();
        let label = head
            .get(11..)
            .and_then(|rest| rest.find("-----"))
            .unwrap_or(0);
        let secret = head
            .get(..11 + label)
            .is_some_and(|head| head.contains("PRIVATE KEY"));
        let mut end = start + 11;
        if secret {
            let tail = head.find("-----END ").map(|at| at + 9);
            let close = tail.and_then(|at| head.get(at..)?.find("-----").map(|len| at + len + 5));
            end = start + close.unwrap_or(head.len());
            cuts.push((start, end));
        }
        from = end;
    }
}
