//! Whether logins can be kept where they are kept.

use std::time::Instant;

use wharf_localstate::credentials::{Keeper, Place};

use super::{Line, text_of};
use crate::context::Context;
use crate::error::CommandError;

/// The name of the test; no login is called that.
const TEST: &str = "doctor";

pub(super) fn check(cx: &Context) -> Vec<Line> {
    let keeper = Keeper::new(&cx.places);
    let logins = match keeper.list() {
        Ok(logins) => logins,
        Err(error) => {
            return vec![
                Line::fail("keyring", text_of(&error.into())).hint("wharf reset begins anew"),
            ];
        }
    };
    let mut used: Vec<(String, Place)> = Vec::new();
    for (profile, login) in logins
        .into_iter()
        .filter(|(_, login)| login.about.is_some())
    {
        if !used.iter().any(|(_, place)| *place == login.place) {
            used.push((profile, login.place));
        }
    }
    if used.is_empty() {
        return vec![unused(&keeper)];
    }
    used.iter()
        .map(|(profile, place)| in_use(&keeper, profile, place))
        .collect()
}

/// Nobody needs one yet.
fn unused(keeper: &Keeper) -> Line {
    let begun = Instant::now();
    match keeper.probe(TEST, &Place::SecretService) {
        Ok(()) => Line::ok("keyring", took(&Place::SecretService, begun)),
        Err(error) => Line::skip("keyring", error.to_string())
            .hint("needed for logins only; wharf auth login --store-file does without"),
    }
}

/// Tried as that login, beside what is kept of it.
fn in_use(keeper: &Keeper, profile: &str, place: &Place) -> Line {
    let begun = Instant::now();
    match keeper.probe(profile, place) {
        Ok(()) => Line::ok("keyring", took(place, begun)),
        Err(error) => {
            let error = CommandError::from(error);
            let hint = error.hints.first().cloned().unwrap_or_default();
            Line::fail("keyring", text_of(&error)).hint(hint)
        }
    }
}

fn took(place: &Place, begun: Instant) -> String {
    format!(
        "{place}, write test ok ({} ms)",
        begun.elapsed().as_millis()
    )
}
