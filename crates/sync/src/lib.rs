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
//! ```
//! use wharf_sync::apply::{Ground, Workplace};
//! use wharf_sync::plan::{Contents, Options, plan};
//! use wharf_sync::profile::{Entry, Manifest, ProfilePath};
//! use wharf_sync::select::{Cache, Source, select};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let home = home.path();
//! // What is there, as the server told it.
//! let remote = Manifest::from_entries([(ProfilePath::parse("CLAUDE.md")?, Entry::of(b"Be brief.\n", false))])?;
//!
//! let ground = Ground {
//!     root: home.join(".claude"),
//!     state: home.join("state"),
//!     lock: home.join("lock"),
//!     within: vec![home.to_owned()],
//!     members: Vec::new(),
//!     nonce: 4, // random
//! };
//! let mut place = Workplace::open(ground.clone())?;
//! let mut cache = Cache::load(&home.join("digests"));
//! let source = Source { root: &ground.root, members: &ground.members, within: &ground.within, now_ns: 0 };
//! let here = select(source, &mut cache)?;
//!
//! let options = Options {
//!     unreadable: here.unreadable(&place.base().manifest),
//!     ignores_case: here.ignores_case,
//!     ..Options::default()
//! };
//! let local = place.base().seen(&here.manifest);
//! let plan = plan(&place.base().manifest, &local, &remote, &options);
//! assert_eq!(plan.summary().added, 1);
//!
//! let mut contents = Contents::new();
//! for digest in plan.needed() {
//!     contents.insert(digest, (*b"Be brief.\n").into()); // fetched
//! }
//! let changes = plan.changes(&contents)?;
//! let next = place.base().next("4f1c2ab", plan.agreed());
//! let outcome = place.apply(&changes, next, 1_700_000_000)?;
//! assert_eq!(std::fs::read(home.join(".claude/CLAUDE.md"))?, b"Be brief.\n");
//!
//! place.undo(outcome.operation.ok_or("nothing was done")?, false, 1_700_000_001)?;
//! assert!(!home.join(".claude/CLAUDE.md").exists());
//! # Ok(())
//! # }
//! ```
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
