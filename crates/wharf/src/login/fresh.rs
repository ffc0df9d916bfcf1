//! A token that works: as it is kept, or renewed first, by one process for all.

use std::fs;

use wharf_client::{Client, Error as ClientError, Session};
use wharf_localstate::credentials::{Credential, Held, Keeper, Kind as TokenKind};
use wharf_localstate::private;
use wharf_model::{Secret, Timestamp};

use super::{again, day, is_for, now};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::wire::block_on;

/// A token is renewed this long before it ends, so that it does not end on its way; half of its
/// life where that is shorter.
const MARGIN_MILLIS: i64 = 60_000;

/// The code of the error that says that a store has lost a login.
pub(crate) const LOST: &str = "login_lost";

/// A token as it is kept.
#[derive(Debug)]
pub(crate) enum Kept {
    /// There is none.
    None,
    /// It can be used.
    Token(Secret),
    /// It has to be renewed before it is used.
    Due,
}

impl From<Option<Secret>> for Kept {
    fn from(token: Option<Secret>) -> Self {
        token.map_or(Self::None, Self::Token)
    }
}

/// The token of a profile for the server at `url`; none where the profile has no login for it.
pub(crate) fn token(
    cx: &Context,
    profile: &str,
    url: &str,
) -> Result<Option<Secret>, CommandError> {
    let keeper = Keeper::new(&cx.places);
    let Some(kept) = kept(&keeper, profile, url)? else {
        return Ok(None);
    };
    let fresh = if is_due(&kept, now()) {
        renew(cx, &keeper, profile)?
    } else {
        kept
    };
    Ok(Some(fresh.token))
}

/// As [`token`], asking no server and changing nothing: for whoever may be cut off at any moment,
/// since a renewal that is cut off loses the login.
pub(crate) fn peek(cx: &Context, profile: &str, url: &str) -> Result<Kept, CommandError> {
    Ok(match kept(&Keeper::new(&cx.places), profile, url)? {
        None => Kept::None,
        Some(kept) if is_due(&kept, now()) => Kept::Due,
        Some(kept) => Kept::Token(kept.token),
    })
}

/// What is kept for that server and has not ended.
fn kept(keeper: &Keeper, profile: &str, url: &str) -> Result<Option<Credential>, CommandError> {
    let Some(login) = keeper.login(profile)? else {
        return Ok(None);
    };
    if login.about.is_none() {
        return Ok(None);
    }
    let kept = keeper.credential(profile)?.ok_or_else(|| {
        let mut error = again(profile, &format!("{} no longer has the login", login.place));
        LOST.clone_into(&mut error.code);
        error
    })?;
    if !is_for(&kept, url) {
        return Ok(None);
    }
    check(profile, &kept)?;
    Ok(Some(kept))
}

/// What can be seen without a server.
fn check(profile: &str, kept: &Credential) -> Result<(), CommandError> {
    if kept.about.refused {
        return Err(again(
            profile,
            "the login has ended; the server no longer takes it",
        ));
    }
    match kept.about.expires_at {
        Some(end) if kept.about.kind == TokenKind::Key && end <= now() => {
            Err(again(profile, &format!("the key ended on {}", day(end))))
        }
        _ => Ok(()),
    }
}

/// Whether a token is to be renewed before it is used.
pub(crate) fn is_due(kept: &Credential, now: Timestamp) -> bool {
    let about = &kept.about;
    match (about.kind, about.expires_at, &kept.refresh) {
        (TokenKind::Login, Some(end), Some(_)) => {
            let life = end.millis() - about.stored_at.millis();
            end.millis() - MARGIN_MILLIS.min(life / 2) <= now.millis()
        }
        _ => false,
    }
}

/// Renews it, or takes what somebody else has got meanwhile. Everybody waits for the one who asks
/// the server; if that fails, nobody who waited asks again.
fn renew(cx: &Context, keeper: &Keeper, profile: &str) -> Result<Credential, CommandError> {
    let began = now();
    let held = keeper.hold(profile)?;
    let kept = keeper
        .credential(profile)?
        .ok_or_else(|| again(profile, "there is no login any more"))?;
    check(profile, &kept)?;
    if !is_due(&kept, now()) {
        return Ok(kept);
    }
    if let Some(why) = failed_since(cx, profile, began) {
        return match is_usable_still(&kept) {
            true => Ok(kept),
            false => Err(unavailable(profile, &kept.about.url).because(Said(why))),
        };
    }
    let Some(refresh) = &kept.refresh else {
        return Ok(kept);
    };
    let client = Client::new(&kept.about.url, None)?;
    match block_on(async { Ok(client.refresh(refresh).await) })? {
        Ok(session) => {
            clear_failure(cx, profile);
            replace(cx, keeper, &held, &kept, session)
        }
        Err(error) if is_refusal(&error) => {
            let mut refused = kept.clone();
            refused.about.refused = true;
            if keeper.swap(&held, &kept, &refused)? {
                return Err(again(
                    profile,
                    "the login has ended; the server no longer takes it",
                ));
            }
            // Somebody logged in while we asked.
            let newer = keeper.credential(profile)?;
            newer.ok_or_else(|| again(profile, "there is no login any more"))
        }
        Err(error) => {
            note_failure(cx, profile, &error);
            if !is_usable_still(&kept) {
                return Err(unavailable(profile, &kept.about.url).because(error));
            }
            cx.ui
                .warn(&format!("the login could not be renewed yet: {error}"));
            Ok(kept)
        }
    }
}

/// A token that has not ended is good enough, if it cannot be renewed.
fn is_usable_still(kept: &Credential) -> bool {
    kept.about.expires_at.is_some_and(|end| end > now())
}

fn replace(
    cx: &Context,
    keeper: &Keeper,
    held: &Held,
    kept: &Credential,
    session: Session,
) -> Result<Credential, CommandError> {
    let new = renewed(kept, session, now());
    match keeper.swap(held, kept, &new) {
        Ok(true) => {}
        Ok(false) => cx.ui.note("somebody logged in meanwhile; their login stays"),
        // What was spent for this token is gone: it serves this command at least.
        Err(error) => cx.ui.warn_always(&format!(
            "the renewed login cannot be kept, so that the next command will ask for a login: {error}"
        )),
    }
    Ok(new)
}

fn renewed(kept: &Credential, session: Session, now: Timestamp) -> Credential {
    let mut about = kept.about.clone();
    about.expires_at = Some(now.plus_seconds(session.expires_in.as_secs()));
    about.stored_at = now;
    about.refused = false;
    Credential {
        token: session.access,
        // A server that gives no other one means that this one goes on.
        refresh: session.refresh.or_else(|| kept.refresh.clone()),
        about,
    }
}

/// Whether the server was reached and said no to this login, as opposed to having trouble. A 403
/// says that something is not allowed, or that the request was not for this server.
pub(crate) fn is_refusal(error: &ClientError) -> bool {
    error.problem().is_some_and(|problem| problem.status == 401)
}

fn unavailable(profile: &str, url: &str) -> CommandError {
    CommandError::new(
        Kind::TryLater,
        format!("the login of profile {profile} has to be renewed, and {url} does not answer"),
    )
    .hint("nothing is lost: try again when the server can be reached")
}

/// Words of an error that another process had.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

/// Where a failed renewal is noted for those who wait: the moment, then why.
fn failure_file(cx: &Context, profile: &str) -> std::path::PathBuf {
    cx.places
        .credentials_dir()
        .join(format!("{profile}.failed"))
}

fn note_failure(cx: &Context, profile: &str, error: &ClientError) {
    let text = format!("{} {error}", now().millis());
    // Whoever waits asks for themselves then.
    let _unnoted = private::write(&failure_file(cx, profile), text.as_bytes());
}

fn clear_failure(cx: &Context, profile: &str) {
    let _none = fs::remove_file(failure_file(cx, profile));
}

fn failed_since(cx: &Context, profile: &str, began: Timestamp) -> Option<String> {
    let text = private::read(&failure_file(cx, profile)).ok()??;
    let (when, why) = text.split_once(' ')?;
    let when: i64 = when.parse().ok()?;
    (when >= began.millis() && when <= now().millis()).then(|| why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wharf_localstate::credentials::About;

    use super::*;

    fn login(stored: i64, end: i64) -> Credential {
        Credential {
            token: Secret::new("a".into()),
            refresh: Some(Secret::new("whr_1".into())),
            about: About {
                url: "http://127.0.0.1:1".into(),
                kind: TokenKind::Login,
                expires_at: Some(Timestamp::from_millis(end)),
                stored_at: Timestamp::from_millis(stored),
                user: None,
                org: None,
                id: None,
                refused: false,
            },
        }
    }

    #[test]
    fn a_token_is_renewed_a_minute_before_its_end_or_half_way() {
        let at = Timestamp::from_millis;
        let long = login(0, 1_800_000);
        assert!(!is_due(&long, at(1_739_999)));
        assert!(is_due(&long, at(1_740_000)));
        let short = login(0, 10_000);
        assert!(!is_due(&short, at(4_999)));
        assert!(is_due(&short, at(5_000)));
        let mut key = login(0, 10_000);
        key.about.kind = TokenKind::Key;
        assert!(!is_due(&key, at(9_999)));
    }

    #[test]
    fn what_is_renewed_keeps_whom_it_is_for() {
        let session = |refresh: Option<&str>| Session {
            access: Secret::new("b".into()),
            expires_in: Duration::from_secs(1800),
            refresh: refresh.map(|text| Secret::new(text.into())),
        };
        let kept = login(0, 10);
        let new = renewed(&kept, session(Some("whr_2")), Timestamp::from_millis(5));
        assert_eq!(new.about.url, kept.about.url);
        assert_eq!(
            new.about.expires_at,
            Some(Timestamp::from_millis(1_800_005))
        );
        assert_eq!(new.refresh.unwrap().expose(), "whr_2");
        let same = renewed(&kept, session(None), Timestamp::from_millis(5));
        assert_eq!(same.refresh.unwrap().expose(), "whr_1");
    }
}
