//! The moment of one command, by which its operations in several directories are one when they are
//! undone. No two commands have the same.

use std::path::PathBuf;

use wharf_localstate::private;

use super::place::seconds;
use super::state::replace;
use crate::context::Context;

/// How far ahead of the clock a moment may be.
const AHEAD_MAX: i64 = 3600;

/// The moment for the command that begins now, in seconds since 1970: after that of every command
/// before it, also where the clock was set back.
pub(super) fn begin(cx: &Context) -> i64 {
    let last = private::read(&file(cx)).ok().flatten();
    let last = last.and_then(|text| text.trim().parse::<i64>().ok());
    let now = seconds();
    // A clock that was far ahead once is not followed.
    let last = last.filter(|last| *last <= now.saturating_add(AHEAD_MAX));
    last.map_or(now, |last| now.max(last.saturating_add(1)))
}

/// Notes that something was written at that moment. Without the note two commands of one second are
/// undone together, which is no harm.
pub(super) fn note(cx: &Context, at: i64) {
    let _unnoted = replace(&file(cx), at.to_string().as_bytes());
}

fn file(cx: &Context) -> PathBuf {
    cx.places.sync_dir().join("run")
}
