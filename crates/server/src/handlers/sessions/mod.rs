//! Sessions: living shells.

pub(crate) mod create;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod show;
pub(crate) mod suggestions;
