//! HTTP: the wire contract of the command API, in front of the engine's use cases.
//!
//! A handler reads a request, calls one use case, and writes its answer. What it may not do:
//! decide, run, store or analyse anything; read the environment or the wall clock; bind a port
//! or read a token file, which are the binary's.
//!
//! Start reading at [`routes`], where all paths are on one page, and [`access`], where it stands
//! what each asks of its caller; then `middleware/gate.rs`, which
//! every request passes before its body is read; then `handlers/runs/run.rs`, the busiest path.
//!
//! Limits, each a named constant in [`options`]: body, head, connections, requests, and the time
//! that each of head, body and answer may take; those of [`attach`] are its own. HTTP/1.1 only; bodies
//! are never decompressed.

pub mod access;
pub mod accounts;
pub mod attach;
pub mod auth;
pub mod configuration;
pub mod gateway;
pub mod options;
pub mod peers;
pub mod routes;
pub mod serve;
pub mod upstreams;

mod convert;
mod error;
mod extract;
mod handlers;
mod hop;
mod metrics;
mod middleware;
mod openapi;
mod pages;
mod reply;
mod room;
mod shape;
mod state;
mod stream;

pub use accounts::{AccountTokens, Accounts};
pub use attach::{AttachLimits, AttachOptions, AttachRefusal, Attachments, Upstream};
pub use auth::{Authentication, Authenticator, Everybody, InTurn, Peer, Tokens, Why};
pub use configuration::Configuration;
pub use gateway::{AccountCredentials, AccountKeys, SandboxAttachments, SandboxMachines};
pub use options::{Machine, PolicyFiles, Proxies, ServerLimits, ServerOptions};
pub use peers::{PeerAnswer, PeerRequest, Peers};
pub use routes::router;
pub use serve::{ServeError, serve};
pub use upstreams::{UpstreamOptions, Upstreams};
