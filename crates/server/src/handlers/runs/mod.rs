//! Running commands, and what is kept of them.

pub(crate) mod analyze;
pub(crate) mod cancel;
pub(crate) mod events;
pub(crate) mod list;
pub(crate) mod output;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod tool_result;
