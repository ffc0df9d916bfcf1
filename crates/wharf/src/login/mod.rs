//! Logins: which server and which account a command is for, and a token that works there.
//!
//! Start at [`target()`]: everything else follows from it. [`fresh`] renews a token, one process for
//! all; [`keep`] says where a new login goes.

pub(crate) mod device;
pub(crate) mod fresh;
pub(crate) mod keep;
pub(crate) mod ssh_key;
pub(crate) mod stop;
pub(crate) mod target;

pub(crate) use target::{Target, target};

use wharf_localstate::credentials::{Credential, KeepError, Kind as TokenKind, StoreError};
use wharf_model::{Clock as _, Timestamp};

use crate::error::{CommandError, Kind};
use crate::wire::SystemClock;

/// The name of no profile: this machine's own server, whose token is found by itself.
pub(crate) const LOCAL: &str = "local";
/// Milliseconds of a day.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The present moment.
pub(crate) fn now() -> Timestamp {
    SystemClock::here().now()
}

/// A moment as the API writes it.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

/// Whole days from now until then; negative afterwards.
pub(crate) fn days_until(then: Timestamp) -> i64 {
    (then.millis() - now().millis()).div_euclid(DAY_MILLIS)
}

/// The day of a moment, in UTC.
pub(crate) fn day(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// A person has to log in again.
pub(crate) fn again(profile: &str, why: &str) -> CommandError {
    CommandError::new(Kind::Login, format!("{why} (profile {profile})"))
        .hint(format!("wharf auth login --profile {profile}"))
}

/// The command that lists what such a login is at its server, and revokes it.
pub(crate) const fn shown_by(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Key => "wharf key",
        TokenKind::Login => "wharf auth sessions",
    }
}

/// The server that a credential is for must be the one that is asked.
pub(crate) fn is_for(credential: &Credential, url: &str) -> bool {
    same_url(&credential.about.url, url)
}

/// Whether both are one address.
pub(crate) fn same_url(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

impl From<KeepError> for CommandError {
    fn from(error: KeepError) -> Self {
        let kind = match &error {
            KeepError::Profile(_) => Kind::Usage,
            KeepError::TooMany | KeepError::Taken { .. } => Kind::Conflict,
            KeepError::Store(StoreError::Locked | StoreError::Slow(_)) => Kind::TryLater,
            KeepError::Store(_) | KeepError::File(_) => Kind::Failed,
        };
        let mut said = Self::new(kind, error.to_string());
        if let KeepError::File(error) | KeepError::Store(StoreError::File(error)) = &error
            && let Some(source) = std::error::Error::source(error)
        {
            said = said.because(source);
        }
        match &error {
            KeepError::Taken { .. } => said.hint("name another file with --store-file=PATH"),
            KeepError::Store(StoreError::Locked | StoreError::Slow(_)) => {
                said.hint("unlock the keyring, or set WHARF_TOKEN")
            }
            KeepError::Store(StoreError::NoBus | StoreError::NoService) => said.hint(
                "the login is kept there; start the keyring, set WHARF_TOKEN, or log in again \
                 with --store-file",
            ),
            _ => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_counted_in_days() {
        let then = moment("2027-02-18T10:00:00Z").unwrap();
        assert_eq!(day(then), "2027-02-18");
        assert!(moment("tomorrow").is_none());
        let soon = now().plus_seconds(3 * 24 * 3600 + 60);
        assert_eq!(days_until(soon), 3);
        assert_eq!(
            days_until(Timestamp::from_millis(now().millis() - 1000)),
            -1
        );
    }

    #[test]
    fn an_address_is_the_same_with_a_slash_at_its_end() {
        assert!(same_url("http://a/", "http://a"));
        assert!(!same_url("http://a", "http://a.b"));
    }
}
