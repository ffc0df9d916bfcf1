//! `wharf sync`, without its commands and its network: an agent's configuration, the same on every
//! machine, and no edit lost.
//!
//! A sync goes like this, each step one module:
//!
//! 1. [`apply::Workplace::open`] takes the lock, completes what an earlier run left, and knows the
//!    **base**, which is what both sides agreed on last.
//! 2. [`select`] looks at the directory of the agent (`~/.claude`) and says what of it is the
//!    profile, as a [`profile::Manifest`], and what was left out and why.
//! 3. The caller gets the server's manifest ([`profile::Manifest::from_listed`] checks it).
//! 4. [`plan::plan`] compares the three and says for each path: written, deleted, kept as an edit
//!    of this side, or a conflict. [`merge`] makes one content of two for a conflict.
//! 5. The caller fetches [`plan::Plan::needed`]; [`plan::Plan::changes`] checks each content.
//! 6. [`apply::Workplace::apply`] makes all changes or none, records the operation so that it can
//!    be undone, and the new base with it.
//! 7. For a push, [`plan::Plan::push`] says what to send, [`secrets`] what must not be in it, and
//!    [`apply::Workplace::agree`] records what the server has taken.
//!
//! [`targets`] writes the same profile for other agents (OpenCode, Codex, `AGENTS.md`).
//!
//! What this crate may not do: use the network, print, read the environment, the clock or
//! randomness. Directories, times and random numbers come in as parameters.
//!
//! Limits: Linux and other Unix systems (modes, links, `flock`). Owners, extended attributes and
//! hard links of a replaced file are not kept. A file system that cannot exchange two files in one
//! step leaves a moment between the last look at a file and its replacement.

pub mod apply;
pub mod json;
pub mod member;
pub mod merge;
pub mod plan;
pub mod profile;
pub mod secrets;
pub mod select;
pub mod targets;
