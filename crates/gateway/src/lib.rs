//! Sandbox sessions: machines of their own for somebody's work, from the first request to the end.
//!
//! A session is a row of the database, and a machine that a provider makes when it is needed. The
//! row comes first and goes last: what a provider has and no living session is of is taken for a
//! remainder and ended. Each change of a session is an entry of the audit log before it is made, and
//! an event afterwards. What a caller may not see is not there for them.
//!
//! What this crate may not do: know HTTP or SQL, decide what runs in a sandbox, read clock or
//! randomness, or the network but for the loopback ports by which the proxy reaches an agent. What
//! it works with comes in as [`Parts`].
//!
//! Start reading at [`Gateway`], then `create.rs` and `up.rs`. Every bound is a constant in
//! [`limits`].

mod again;
mod agents;
mod billing;
mod configurations;
mod create;
mod credits;
mod doors;
mod end;
mod error;
mod events;
mod gateway;
mod github;
mod holders;
mod idempotency;
pub mod limits;
mod live;
mod machine;
mod owner;
mod parts;
mod record;
mod recover;
mod relay;
mod repos;
mod resolve;
mod rest;
mod sessions;
mod snapshots;
mod state;
mod steps;
mod tend;
mod text;
mod tickets;
mod up;
pub mod views;

pub use agents::{AgentAt, Agents};
pub use billing::{
    Admission, BillingCode, Gate, GateError, Ledger, Plan, Refusal, Standing, Unlimited,
};
pub use doors::Doors;
pub use error::Error;
pub use gateway::Gateway;
pub use github::{Hub, HubConnection, HubPage, NoHub};
pub use limits::BringUp;
pub use parts::{Credentials, Keys, NoKeys, Offer, Options, Parts};
pub use state::State;
pub use tickets::{AttachRefusal, Upstream};
pub use wharf_sandbox::BoxFuture;
