//! Sandboxes: machines that are made for a session, and what a session is made of.
//!
//! Two families of names meet here and each keeps its own: `/proliferate`, `/api/cli/sessions` and
//! the procedures of `/api/rpc/cli` write `camelCase`, as the clients that were written for them
//! do; `/api/sandboxes` writes `snake_case`. Times are RFC 3339, spans are seconds.
//!
//! Start reading at [`create`], then [`sandbox`]. A session of this kind is a sandbox's life; it
//! has nothing to do with the living shells of [`session`](crate::session).

pub mod calls;
pub mod configuration;
pub mod create;
pub mod sandbox;

pub use calls::{
    CliSession, CliSessionFilter, CliSessionList, GitHubConnect, GitHubConnectStatus, GitHubSelect,
    GitHubStatus, LocalRepo, LocalRepoConnection, LocalRepoCreate, LocalRepoCreated,
    LocalRepoFound, LocalReposDeleted, PathHash, SandboxesAlive, SandboxesToCheck,
    SessionEndAnswer, SessionId, SessionShown, SessionsEnded,
};
pub use configuration::{
    CliConfiguration, ConfigurationCreate, ConfigurationCreated, ConfigurationFound,
    SavedConfiguration,
};
pub use create::{
    AgentConfig, CliSessionCreated, CliSessionRequest, CreateGatewaySession, GatewayConnection,
    GatewaySandbox, GatewaySessionCreated, GatewayStatus, ManagedConfiguration, SshOptions,
};
pub use sandbox::{
    AdmitKeys, Credits, ExtendSandbox, GrantCredits, RenewTicket, Sandbox, SandboxEvent,
    SandboxList, SandboxSupport, SandboxTicket,
};
