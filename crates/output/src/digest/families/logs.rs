//! Logs of the kernel, of services and of applications.

use super::{Class, Rule, at, has};
use crate::digest::blocks::Block;

use Class::{Detail, Fail, Open};

pub(super) const RULES: &[Rule] = &[
    has("", "Out of memory: Killed process", Fail),
    has("", "oom-kill:", Fail),
    has("", "invoked oom-killer", Fail),
    has("", "segfault at ", Fail),
    has("", "I/O error", Fail),
    has("", "Call Trace:", Detail(Block::None)),
    has("", "BUG: ", Fail),
    has("", "Oops: ", Fail),
    has("", "hung task", Fail),
    has("", "blocked for more than", Fail),
    has("", "Failed with result", Fail),
    has("", "Main process exited, code=", Fail),
    has("", "status=1/FAILURE", Fail),
    at("panicked at ", Open(Block::ToBlank)),
];
