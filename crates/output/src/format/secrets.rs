//! Kinds and counts of secrets in an output, never what they are.

use std::collections::BTreeMap;

use serde::Serialize;
pub use wharf_secrets::SecretKind;
use wharf_secrets::{begins_private_key, ends_private_key, in_line};

/// How many secrets of a kind there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// The kind.
    pub kind: SecretKind,
    /// How often.
    pub count: u64,
}

/// The secrets in some streams.
pub(super) fn found(streams: &[&[u8]]) -> Vec<Secret> {
    let mut counts: BTreeMap<SecretKind, u64> = BTreeMap::new();
    for stream in streams {
        let text = String::from_utf8_lossy(stream);
        let mut in_key = false;
        for line in text.lines() {
            if in_key {
                in_key = !ends_private_key(line);
                continue;
            }
            if begins_private_key(line) {
                *counts.entry(SecretKind::PrivateKey).or_default() += 1;
                in_key = !ends_private_key(line);
                continue;
            }
            of_line(line, &mut counts);
        }
    }
    counts
        .into_iter()
        .map(|(kind, count)| Secret { kind, count })
        .collect()
}

fn of_line(line: &str, counts: &mut BTreeMap<SecretKind, u64>) {
    let shaped = in_line(line);
    for kind in &shaped {
        *counts.entry(*kind).or_default() += 1;
    }
    if !shaped.is_empty() || !may_name_a_secret(line) {
        return;
    }
    let cut = wharf_shell::redact(line);
    let marks = |text: &str| text.matches("[redacted]").count();
    let named = marks(&cut).saturating_sub(marks(line)) as u64;
    if named > 0 && !is_placeholder(line, &cut) {
        *counts.entry(SecretKind::NamedValue).or_default() += named;
    }
}

/// Whether a line holds one of the words that secrets are named by; the rest is not redacted.
fn may_name_a_secret(line: &str) -> bool {
    const WORDS: &[&str] = &[
        "pass",
        "token",
        "secret",
        "key",
        "auth",
        "credential",
        "bearer",
        "cookie",
    ];
    if !line.contains([':', '=']) {
        return false;
    }
    let line = line.to_ascii_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

/// Stars, references and examples stand for a secret and are none.
fn is_placeholder(line: &str, cut: &str) -> bool {
    let Some(at) = cut.find("[redacted]") else {
        return true;
    };
    let value = line
        .get(at..)
        .unwrap_or_default()
        .trim_matches(['"', '\'', ' ']);
    let first = value
        .split(['"', '\'', ' ', ','])
        .next()
        .unwrap_or_default();
    first.len() < 4
        || first
            .chars()
            .all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '-' | '•'))
        || first.starts_with(['$', '<', '{', '(', '%', '/'])
        || matches!(
            first.to_ascii_lowercase().as_str(),
            "null"
                | "none"
                | "true"
                | "false"
                | "string"
                | "required"
                | "optional"
                | "yes"
                | "undefined"
                | "redacted"
        )
}
