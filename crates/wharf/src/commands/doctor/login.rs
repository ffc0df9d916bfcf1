//! Whether the login works, and for how long.

use super::Line;
use crate::commands::auth::status::{self, Standing};
use crate::context::Context;

/// Fewer days than this are worth a word.
const DAYS_WARN: i64 = 7;

pub(super) fn check(cx: &Context) -> Vec<Line> {
    let line = match status::standing(cx) {
        Ok(Standing::Works { who, days, place }) => {
            let left = match days {
                Some(days) => format!(", {days} d left"),
                None => String::new(),
            };
            let text = format!("{who}{left}, {place}");
            match days {
                Some(..DAYS_WARN) => {
                    Line::warn("login", text).hint("wharf auth login makes a new one")
                }
                _ => Line::ok("login", text),
            }
        }
        Ok(Standing::Due { place }) => {
            Line::ok("login", format!("renewed by the next command, {place}"))
        }
        Ok(Standing::None) => Line::skip("login", "none; this machine's own server needs none"),
        Ok(Standing::Ended(why)) => Line::fail("login", why).hint("wharf auth login"),
        Ok(Standing::Unknown(why)) => {
            Line::warn("login", format!("cannot be checked: {why}")).hint("it is kept; try again")
        }
        Err(error) => Line::fail("login", super::text_of(&error))
            .hint(error.hints.first().cloned().unwrap_or_default()),
    };
    vec![line]
}
