//! Connections to other machines over SSH.
//!
//! A destination is resolved from the person's own configuration ([`config`]), reached, recognised
//! by its host key ([`known_hosts`]), and entered ([`Connector`]); then commands are opened on it.
//! Connections are shared and kept.
//!
//! This crate knows no database, no policy and no caller: whoever holds a decision uses it. There
//! is no way through it to a server whose key was not checked. It reads no clock, environment or
//! home directory of its own: these come in as [`World`].
//!
//! Start reading at [`opener`], then [`Pool`], then [`Connector`].
//!
//! Limits: no GSSAPI; keys on cards and FIDO tokens through an agent only; no list of revoked keys
//! but `@revoked`; `Match exec` and names made canonical by DNS are not done, and said
//! ([`Settings::notes`]). A server is given up after two intervals of silence at least, whatever
//! `ServerAliveCountMax` says. Secrets are overwritten where they are ours and by the protocol
//! library in its requests; its buffers of packets that are being sent are beyond our reach.

pub mod config;
pub mod error;
pub mod keys;
pub mod known_hosts;
pub mod opener;
pub mod pool;
pub mod refusal;
pub mod settings;
pub mod terminal;
pub mod trust;
pub mod world;

mod auth;
mod channel;
mod connect;
mod connection;
mod failure;
mod handler;
mod protocol;
mod transport;

pub use auth::{MAX_ATTEMPTS, MAX_QUESTION_ROUNDS};
pub use channel::{MAX_HELD_BYTES, STALL_LIMIT};
pub use config::{Config, Destination};
pub use connect::{Connector, MAX_HOPS};
pub use connection::{Connection, Start, Stream};
pub use error::{Error, Step};
pub use opener::{BoxFuture, Channel, Opener, RemoteExit};
pub use pool::{HostOpener, Pool, PoolLimits, SessionInfo, SessionState};
pub use refusal::{Attempt, AuthRefusal, HostKeyRefusal, Place};
pub use settings::{Credentials, Settings};
pub use terminal::{Resizer, Size, Terminal};
pub use trust::{HostKey, Standing, TrustError, Trusted};
pub use world::World;
