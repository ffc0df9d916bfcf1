//! Whether the configuration of agents is synced, and what waits.

use super::Line;
use crate::commands::sync::health;
use crate::context::Context;

/// More days without asking the server are worth a word.
const DAYS_WARN: i64 = 14;

pub(super) fn check(cx: &Context) -> Vec<Line> {
    let health = match health::health(cx) {
        Ok(Some(health)) => health,
        Ok(None) => return vec![Line::skip("sync", "nothing was synced here")],
        Err(error) => {
            let hint = error.hints.first().cloned().unwrap_or_default();
            return vec![Line::warn("sync", super::text_of(&error)).hint(hint)];
        }
    };
    let shown = &health.shown;
    if health.is_unfinished {
        let text = format!("the last sync of {shown} did not come to its end");
        return vec![Line::warn("sync", text).hint("wharf sync completes it, or takes it back")];
    }
    let mut text = format!("{shown}, {}, asked {}", health.base, health.asked);
    if let Some(who) = &health.other {
        // What waits there is nothing to the login at hand.
        text.push_str(&format!("; for {who}, not for the login at hand"));
        return vec![Line::ok("sync", text)];
    }
    if health.conflicts > 0 {
        text.push_str(&format!("; {} in conflict", health.conflicts));
        return vec![Line::warn("sync", text).hint("wharf sync diff, wharf sync merge FILE")];
    }
    if health.kept > 0 {
        text.push_str(&format!("; {} of yours not sent", health.kept));
    }
    let line = match health.asked_days {
        DAYS_WARN.. => Line::warn("sync", text).hint("wharf sync"),
        _ if health.kept > 0 => Line::ok("sync", text).hint("wharf sync push"),
        _ => Line::ok("sync", text),
    };
    vec![line]
}
