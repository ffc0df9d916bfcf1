//! Connections to other machines over SSH.
//!
//! A destination is resolved from the person's own configuration, reached, recognised by its host
//! key, and entered; then commands are opened on it. Connections are shared and kept.
//!
//! This crate knows no database, no policy and no caller: whoever holds a decision uses it. There
//! is no way through it to a server whose key was not checked. It reads no clock, environment or
//! home directory of its own: these come in.
//!
//! Start reading at [`opener`].

pub mod error;
pub mod opener;
pub mod refusal;

pub use error::{Error, Step};
pub use opener::{BoxFuture, Channel, Opener, RemoteExit};
pub use refusal::{Attempt, AuthRefusal, HostKeyRefusal, Place};
