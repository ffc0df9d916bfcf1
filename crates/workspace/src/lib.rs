//! A directory that is taken to a sandbox and brought back.
//!
//! A sync goes like this, each step one module:
//!
//! 1. [`identity::Workspace::at`] says whether the directory may be taken, and its id.
//! 2. [`scan::scan`] walks it by git's rules and knows the digest of each file; [`look::look`] says
//!    what somebody should be asked about. At the same time [`far::ask`] looks at the far side.
//! 3. [`plan::plan`] compares what is here, what both agreed on ([`state::Agreement`]) and what
//!    changed there.
//! 4. [`push::push`] sends what the plan says over one channel, and records the new agreement;
//!    [`bases::Bases::keep`] keeps contents for later merges, when nobody waits.
//! 5. For the way back, [`pull::fetch`] brings what changed there to a place of its own;
//!    [`pull::diff`], [`pull::branch`] and [`pull::apply`] make of it what the person wants.
//!
//! [`round::Round`] does these steps in their order, and is what a caller wants.
//!
//! The far side needs `sh`, `tar`, `find`, `stat` or GNU's `find`, and little more; nothing of ours
//! is installed there. Start reading at [`plan`], which has the rules, then [`far`], then [`push`].
//!
//! What this crate may not do: print, or read clock, environment, home or randomness. Directories,
//! times and rules of the person's come in as parameters. It starts one program, git, and only for
//! a branch.
//!
//! Limits: Unix on both sides. Of a file with several names each arrives as one of its own. Owners,
//! extended attributes, setuid bits and times below a second do not travel. One sync of a workspace
//! at a time: the caller holds the lock. A far side whose clock and inode numbers lie can hide
//! changes from us, but not make us write outside the workspace.

pub mod bases;
pub mod far;
pub mod identity;
pub mod look;
pub mod manifest;
pub mod path;
pub mod plan;
pub mod pull;
pub mod push;
pub mod round;
pub mod scan;
pub mod state;
pub mod walk;
pub mod watch;

mod chunks;
mod error;
mod ignore;
mod released;
mod uncovered;

pub use error::Error;
