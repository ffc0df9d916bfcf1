//! The words that every other crate uses: ids, callers, targets, command text, secrets, time.
//!
//! Nothing here does IO, waits, or knows a wire format. Values are checked when they are made
//! (`parse`), so that a [`CommandText`] or a [`SessionId`] that exists is a legal one.
//!
//! Start reading at [`id`], then [`command`].

pub mod caller;
pub mod clock;
pub mod command;
pub mod host;
pub mod id;
pub mod limits;
pub mod secret;
pub mod target;
pub mod token;

pub use caller::{Caller, Grants, InvalidScope, Organization, Person, Role, Scope, Scopes};
pub use clock::{Clock, Entropy, Timestamp};
pub use command::{CommandText, InvalidCommand, MAX_COMMAND_BYTES};
pub use host::is_local_host;
pub use id::{InvalidId, MAX_SESSION_ID_BYTES, RunId, SessionId, random_text_id};
pub use limits::{Limits, Quotas};
pub use secret::Secret;
pub use target::{InvalidTarget, SandboxTarget, SshTarget, Target};
pub use token::{NotAToken, TokenKind};
