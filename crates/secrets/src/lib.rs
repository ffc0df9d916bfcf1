//! What a secret looks like by its own shape: tokens with a known beginning, signed claims, the
//! head of a private key, a password in an address.
//!
//! Pure and small, because those who ask are far apart: `output` counts secrets in what a command
//! printed, `sync` refuses them in what would be uploaded. What a *name* such as `password=` says of
//! the value behind it depends on where the text is from, and is each caller's own.
//!
//! Limits: a secret without a shape is not found here. Nothing of a secret is kept or returned.

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

impl SecretKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::PrivateKey,
        Self::AwsKey,
        Self::GithubToken,
        Self::GitlabToken,
        Self::SlackToken,
        Self::StripeKey,
        Self::GoogleKey,
        Self::RegistryToken,
        Self::ApiKey,
        Self::Jwt,
        Self::UrlPassword,
        Self::PasswordHash,
        Self::NamedValue,
    ];

    /// Its name, as it is serialized.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrivateKey => "private_key",
            Self::AwsKey => "aws_key",
            Self::GithubToken => "github_token",
            Self::GitlabToken => "gitlab_token",
            Self::SlackToken => "slack_token",
            Self::StripeKey => "stripe_key",
            Self::GoogleKey => "google_key",
            Self::RegistryToken => "registry_token",
            Self::ApiKey => "api_key",
            Self::Jwt => "jwt",
            Self::UrlPassword => "url_password",
            Self::PasswordHash => "password_hash",
            Self::NamedValue => "named_value",
        }
    }

    /// What it looks like, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::PrivateKey => "a private key",
            Self::AwsKey => "a key of AWS",
            Self::GithubToken => "a token of GitHub",
            Self::GitlabToken => "a token of GitLab",
            Self::SlackToken => "a token of Slack",
            Self::StripeKey => "a key of Stripe",
            Self::GoogleKey => "a key of Google",
            Self::RegistryToken => "a token of a package registry",
            Self::ApiKey => "an API key",
            Self::Jwt => "the signed claims of a login",
            Self::UrlPassword => "a password in an address",
            Self::PasswordHash => "the hash of a password",
            Self::NamedValue => "a value whose name says that it is secret",
        }
    }
}

/// The kinds of the secrets in one line, one for each. Keys of several lines are found by
/// [`begins_private_key`].
#[must_use]
pub fn in_line(line: &str) -> Vec<SecretKind> {
    let mut found = Vec::new();
    // A token is long; most lines have no word of that length and end here.
    let parts =
        |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '/' | '+'));
    let tokens = line.split(parts).filter(|token| token.len() >= 20);
    found.extend(tokens.filter_map(shape));
    if line.contains(SCHEME_END) && line.contains('@') {
        let rests = line.split(SCHEME_END).skip(1);
        found.extend(
            rests
                .filter(|rest| has_password(rest))
                .map(|_| SecretKind::UrlPassword),
        );
    }
    found
}

/// Whether a private key begins in this line.
#[must_use]
pub fn begins_private_key(line: &str) -> bool {
    line.contains(KEY_BEGIN) && line.contains("PRIVATE KEY")
}

/// Whether such a key ends in this line.
#[must_use]
pub fn ends_private_key(line: &str) -> bool {
    line.contains("-----END ")
}

/// Texts of which every secret has one: where none of them is, there is no secret. Whoever looks
/// through much searches for these first.
pub fn marks() -> impl Iterator<Item = &'static str> {
    let starts = STARTS.iter().map(|(start, _, _)| *start);
    starts.chain([JWT, SCHEME_END, KEY_BEGIN])
}

const JWT: &str = "eyJ";
const SCHEME_END: &str = "://";
const KEY_BEGIN: &str = "-----BEGIN ";

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
    let jwt = matches!(parts.as_slice(), [head, body, _] if head.starts_with(JWT) && body.starts_with(JWT));
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

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// As it is serialized.
    struct Shown(SecretKind);

    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.serialize(f)
        }
    }

    #[test]
    fn a_kind_is_named_as_it_is_serialized() {
        for (at, kind) in SecretKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(Shown(kind).to_string(), kind.name());
        }
    }

    #[test]
    fn shapes_are_found_and_references_are_not() {
        let alphanumeric = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
        for (line, kinds) in [
            (
                format!("token: ghp_{alphanumeric}"),
                vec![SecretKind::GithubToken],
            ),
            (format!("x/sk-{alphanumeric}"), vec![SecretKind::ApiKey]),
            (
                "postgres://ada:s3cret@db/x".to_owned(),
                vec![SecretKind::UrlPassword],
            ),
            ("postgres://ada:${PASSWORD}@db/x".to_owned(), vec![]),
            ("postgres://ada@db/x".to_owned(), vec![]),
            (
                "a sentence about tokens, keys and ghp_ in general".to_owned(),
                vec![],
            ),
        ] {
            assert_eq!(in_line(&line), kinds, "{line}");
            let is_marked = marks().any(|mark| line.contains(mark));
            assert!(is_marked || kinds.is_empty(), "{line} has no mark");
        }
        assert!(begins_private_key("-----BEGIN OPENSSH PRIVATE KEY-----"));
        assert!(!begins_private_key("-----BEGIN CERTIFICATE-----"));
    }
}
