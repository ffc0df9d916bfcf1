//! Sandboxes: machines of their own for a session, with an sshd in them.
//!
//! A [`Provider`] makes them, finds them again, holds them still and ends them. There are three:
//! [`local`], namespaces on this machine, [`docker`], containers of a Docker engine, and [`ssh`], a
//! directory on a host that is there already. Another is a module beside them.
//!
//! This crate decides nothing about what runs in a sandbox and knows neither callers nor HTTP nor
//! a database; what must survive the server lies in the provider's own files. It reads no clock,
//! environment or home directory: moments and random bytes come in through `wharf_model`.
//!
//! Start reading at [`provider`], then `local/mod.rs`, then [`launcher`], the process that makes a
//! local sandbox. `unsafe` is confined to `sys` and to what is shared in `wharf_linux`.
//!
//! Limits: Linux, and for the local provider a kernel of 5.12 or newer. What a sandbox keeps apart
//! and what it does not is in `docs/sandbox.md`.

pub mod docker;
pub mod error;
pub mod id;
pub mod launcher;
pub mod local;
pub mod provider;
pub mod ssh;

mod check;
mod sys;

pub use check::{MAX_ENVIRONMENT_BYTES, MAX_KEYS};
pub use docker::{DockerOptions, DockerProvider, Image};
pub use error::Error;
pub use id::{InvalidName, SandboxId, SnapshotId};
pub use launcher::plan::{Base, Fault, How, Step};
pub use local::{LauncherProgram, LocalOptions, LocalProvider};
pub use provider::{
    AGENT_PORT, BoxFuture, Capabilities, Capability, Connection, Destination, Egress, Health,
    Limits, Provider, Sandbox, Source, Spec, Swept, User,
};
pub use ssh::{SshOptions, SshProvider};
