//! Sessions: living shells, each of one caller.
//!
//! [`state::Session`] is one session; [`run`] runs a command in it, in order of arrival; [`end`]
//! and [`restore`] are its ways out of life and back into it.

pub(crate) mod create;
pub(crate) mod end;
pub(crate) mod history;
pub(crate) mod job;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod suggestions;
pub(crate) mod table;
pub(crate) mod view;
