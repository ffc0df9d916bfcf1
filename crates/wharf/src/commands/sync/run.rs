//! The moment of one command, by which its operations in several directories are one when they are
//! undone. No two commands have the same, also not two at once: it is taken under a lock.

use std::path::PathBuf;

use wharf_localstate::lock::FileLock;
use wharf_localstate::private;

use super::place::seconds;
use super::state::replace;
use crate::context::Context;

/// How far ahead of the clock a moment may be.
const AHEAD_MAX: i64 = 3600;

/// The moment for the command that begins now, in seconds since 1970: after that of every command
/// before it, also where the clock was set back. It is taken, also by a command that writes nothing
/// then. Where it cannot be noted two commands of one second are undone together, which is no harm.
pub(super) fn begin(cx: &Context) -> i64 {
    let file = file(cx);
    let made = file.parent().map(private::make_dir);
    let _lock = made.and_then(|_| FileLock::wait(&file.with_extension("lock")).ok());
    let last = private::read(&file).ok().flatten();
    let last = last.and_then(|text| text.trim().parse::<i64>().ok());
    let now = seconds();
    // A clock that was far ahead once is not followed.
    let last = last.filter(|last| *last <= now.saturating_add(AHEAD_MAX));
    let at = last.map_or(now, |last| now.max(last.saturating_add(1)));
    let _unnoted = replace(&file, at.to_string().as_bytes());
    at
}

fn file(cx: &Context) -> PathBuf {
    cx.places.sync_dir().join("run")
}
