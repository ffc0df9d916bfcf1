//! A typed client for the command API.
//!
//! It speaks HTTP and nothing else: no printing, no files, no environment, no proxy that the
//! environment names (a token for a server on this machine must not reach one). What may be
//! repeated is: a connection that could not be made, and a call that carries an idempotency key.
//! A run without one is never sent twice.
//!
//! Start reading at [`Client`]; a streamed run is [`RunStream`].
//!
//! Over TLS it trusts whom the system trusts. Limits: HTTP/1.1. Answers are bounded by [`client::ANSWER_BYTES_MAX`], events
//! of a stream by [`sse::EVENT_BYTES_MAX`].

pub mod calls;
pub mod client;
pub mod consent;
pub mod documents;
pub mod door;
pub mod error;
pub mod files;
mod follow;
pub mod gateway;
mod hosts;
mod identity;
pub mod peer;
pub mod profile;
pub mod sse;
pub mod stream;

pub use calls::{OutputChunk, OutputStream};
pub use client::{Client, is_loopback, plain_text_host};
pub use documents::DocumentClient;
pub use door::Door;
pub use error::Error;
pub use gateway::SandboxEvents;
pub use identity::{Polled, Session};
pub use peer::PeerClient;
pub use stream::{RunEvent, RunStream};
