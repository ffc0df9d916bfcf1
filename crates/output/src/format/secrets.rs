//! Kinds and counts of secrets in an output, never what they are.

use std::collections::BTreeMap;

use serde::Serialize;

/// What kind of secret it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// The key of a pair that must stay at home.
    PrivateKey,
    /// Keys of Amazon's cloud.
    AwsKey,
    /// Tokens of GitHub.
    GithubToken,
    /// Tokens of GitLab.
    GitlabToken,
    /// Tokens of Slack.
    SlackToken,
    /// Keys of Stripe.
    StripeKey,
    /// Keys of Google.
    GoogleKey,
    /// Tokens of package registries.
    RegistryToken,
    /// Keys of model providers and others that begin with `sk-`.
    ApiKey,
    /// Signed claims of a login.
    Jwt,
    /// A password in an address.
    UrlPassword,
    /// The hash of a password.
    PasswordHash,
    /// A value under a name such as `password` or `token`.
    NamedValue,
}

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
                in_key = !line.contains("-----END ");
                continue;
            }
            if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
                *counts.entry(SecretKind::PrivateKey).or_default() += 1;
                in_key = !line.contains("-----END ");
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

/// Beginnings of tokens, with the least length of the whole.
const STARTS: &[(&str, usize, SecretKind)] = &[
    ("AKIA", 20, SecretKind::AwsKey),
    ("ASIA", 20, SecretKind::AwsKey),
    ("ghp_", 30, SecretKind::GithubToken),
    ("gho_", 30, SecretKind::GithubToken),
    ("ghu_", 30, SecretKind::GithubToken),
    ("ghs_", 30, SecretKind::GithubToken),
    ("ghr_", 30, SecretKind::GithubToken),
    ("github_pat_", 30, SecretKind::GithubToken),
    ("glpat-", 20, SecretKind::GitlabToken),
    ("glrt-", 20, SecretKind::GitlabToken),
    ("xoxb-", 20, SecretKind::SlackToken),
    ("xoxp-", 20, SecretKind::SlackToken),
    ("xoxa-", 20, SecretKind::SlackToken),
    ("xapp-", 20, SecretKind::SlackToken),
    ("sk_live_", 20, SecretKind::StripeKey),
    ("sk_test_", 20, SecretKind::StripeKey),
    ("rk_live_", 20, SecretKind::StripeKey),
    ("AIza", 35, SecretKind::GoogleKey),
    ("ya29.", 30, SecretKind::GoogleKey),
    ("npm_", 36, SecretKind::RegistryToken),
    ("pypi-", 40, SecretKind::RegistryToken),
    ("dckr_pat_", 20, SecretKind::RegistryToken),
    ("hf_", 30, SecretKind::ApiKey),
    ("sk-", 24, SecretKind::ApiKey),
    ("$6$", 40, SecretKind::PasswordHash),
    ("$5$", 40, SecretKind::PasswordHash),
    ("$y$", 40, SecretKind::PasswordHash),
    ("$2b$", 50, SecretKind::PasswordHash),
    ("$2a$", 50, SecretKind::PasswordHash),
    ("$2y$", 50, SecretKind::PasswordHash),
];

fn of_line(line: &str, counts: &mut BTreeMap<SecretKind, u64>) {
    let mut shaped = 0_u64;
    // A token is long; most lines have no word of that length and end here.
    let parts =
        |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '/' | '+'));
    for token in line.split(parts).filter(|token| token.len() >= 20) {
        if let Some(kind) = shape(token) {
            *counts.entry(kind).or_default() += 1;
            shaped += 1;
        }
    }
    if line.contains("://") && line.contains('@') {
        let passwords = line
            .split("://")
            .skip(1)
            .filter(|rest| has_password(rest))
            .count() as u64;
        if passwords > 0 {
            *counts.entry(SecretKind::UrlPassword).or_default() += passwords;
            shaped += passwords;
        }
    }
    if shaped > 0 || !may_name_a_secret(line) {
        return;
    }
    let cut = wharf_shell::redact(line);
    let marks = |text: &str| text.matches("[redacted]").count();
    let named = marks(&cut).saturating_sub(marks(line)) as u64;
    if named > 0 && !is_placeholder(line, &cut) {
        *counts.entry(SecretKind::NamedValue).or_default() += named;
    }
}

fn shape(token: &str) -> Option<SecretKind> {
    // A token may stand behind a path or a name.
    let known = STARTS.iter().find(|(start, least, _)| {
        token.find(start).is_some_and(|at| {
            let rest = token.get(at..).unwrap_or_default();
            let bounded = at == 0
                || token
                    .get(..at)
                    .is_some_and(|before| before.ends_with(['/', '.', '+', '$']));
            let dense = rest.bytes().any(|b| b.is_ascii_digit())
                && rest.bytes().any(|b| b.is_ascii_alphabetic());
            bounded && rest.len() >= *least && dense
        })
    });
    if let Some((_, _, kind)) = known {
        return Some(*kind);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let jwt = matches!(parts.as_slice(), [head, body, _] if head.starts_with("eyJ") && body.starts_with("eyJ"));
    jwt.then_some(SecretKind::Jwt)
}

/// `user:password@host` behind the scheme.
fn has_password(rest: &str) -> bool {
    let authority = rest
        .split(['/', ' ', '"', '\'', '?', '#'])
        .next()
        .unwrap_or_default();
    authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .is_some_and(|(_, password)| {
            !password.is_empty()
                && !password.starts_with(['*', '$', '<', '[', '{'])
                && !password.starts_with("xxx")
        })
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
