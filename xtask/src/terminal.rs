//! The two ways in which a task speaks.
//!
//! Both ignore a closed pipe: `cargo xtask check | head` should not turn into a failure.

use std::io::{self, Write};

/// A line of the task's result.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// A line about what went wrong or was left out.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
