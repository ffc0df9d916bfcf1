//! The platform's side of agent configuration: profiles, each in a git repository of its own.
//!
//! A *profile* is one tree of files (`CLAUDE.md`, `settings.json`, `commands/…`). Each person, team
//! and organization has one; what an agent gets is the *effective* profile, their layers one over
//! the other. A version is a git commit, so that stock git reads, clones and checks everything.
//!
//! What this crate may not do: know HTTP or SQL, decide who may ask (whoever calls has), read the
//! clock or the environment. It runs no program but `git`, and that for an upstream only.
//!
//! Start reading at [`Profiles`] ([`profiles`]); [`content`] is the single file, [`files`] the whole
//! tree, [`effective`] the layers, [`view`] what a machine gets and sends, [`upstream`] another repository that is followed, [`catalog`]
//! what owners offer each other. [`path`] and
//! [`upload`] say what is refused. How a repository is written is in `git`.
//!
//! Limits: every bound is in [`limits`]. A file system without `flock` or hard links is refused by
//! the first write.

pub mod catalog;
pub mod content;
pub mod diff;
pub mod effective;
mod ended;
pub mod error;
pub mod files;
pub mod frames;
mod git;
mod index;
pub mod keys;
mod lays;
pub mod limits;
mod merge;
mod numbers;
pub mod owner;
pub mod path;
pub mod profiles;
mod recent;
mod snapshot;
pub mod tree;
mod unmerge;
pub mod upload;
pub mod upstream;
pub mod view;

pub use content::{Content, History, Version};
pub use effective::{Effective, EffectiveFile, Layers, Origin, Part};
pub use error::{Error, Problem};
pub use git::commits::Author;
pub use owner::{Layer, Owner};
pub use path::ProfilePath;
pub use profiles::{Condition, Profiles};
pub use tree::{CONTENT_PATH, File, Sha256, Tree};
pub use upload::Upload;
pub use view::{PutView, View};
