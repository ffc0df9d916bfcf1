//! The database: what the log says, ready for questions, and the little that is not in the log.
//!
//! [`Projector`] applies the entries of the audit log to the tables, exactly once: rows and the
//! position in the log change in one transaction. The other methods of [`Database`] are grouped by
//! topic, a file each: runs, sessions, hosts, consents, claims, accounts, gateway, servers, catalog,
//! meta, care.
//!
//! SQLite or PostgreSQL. Both take the same statements and the same migrations (`$1`,
//! `ON CONFLICT`, four types), through the library's runtime driver; the suite in
//! `tests/conformance/` is run over both. What differs (addresses, connection settings, two words
//! of the schema) is in `sqlite.rs` and `postgres.rs`; integrity check and sizes are in `care.rs`.
//!
//! One connection writes, a few read, and neither waits for the other. A crash of the process
//! loses nothing that was committed; with SQLite a power cut may lose the last commits, never
//! consistency, and what is lost is projected again.
//!
//! A PostgreSQL database may be shared by several servers of ours. Each projects its own log and
//! has its own position in it; runs and sessions are marked with the server that they are of, and
//! all of them are found by all. What two servers might do at once (use a yes, take a key) is one
//! statement that only one of them succeeds with.

mod accounts;
mod ahead;
mod care;
mod catalog;
mod claims;
mod consents;
mod copy;
mod copy_tables;
mod error;
mod gateway;
mod hosts;
pub mod limits;
mod look;
mod meta;
mod open;
mod postgres;
mod project;
mod run_writes;
mod runs;
mod servers;
mod sessions;
mod spent;
mod sqlite;
mod text;

pub use accounts::{
    AgentRow, AttemptRow, DeviceMade, DeviceRow, Ending, InvitationRow, Joined, KeyMade, KeyPlace,
    KeyRow, LoginRow, MemberRow, Membership, OrganizationRow, Polled, PrincipalRow, Rotation,
    RotationAsk, SigningKeyRow, SshKeyRow, TeamJoined, TeamMade, TeamMemberRow, TeamPlace, TeamRow,
    UserMade, UserRow,
};
pub use ahead::Ahead;
pub use care::{Sizes, Sweep};
pub use catalog::{
    CATALOG_BYTES_MAX, CATALOG_ITEMS_MAX, CATALOG_OWNERS_MAX, CATALOG_WORDS_MAX, CatalogAsk,
    CatalogChange, CatalogRow,
};
pub use claims::{ClaimRow, Claimed};
pub use consents::{ConsentRow, Stage};
pub use copy::Copied;
pub use error::{DbError, SqlError};
pub use gateway::{
    AccountRow, Begun, ConfigurationMade, ConfigurationRow, GatewayClaim, GatewayClaimRow,
    GatewayEventRow, GatewayRoom, GatewaySessionRow, RepoRow, SessionsAsk, TicketRow,
};
pub use hosts::HostRow;
pub use look::Looked;
pub use open::{Database, url_without_password};
pub use project::{CaughtUp, Projector};
pub use runs::{Cursor, NoCursor, Page, RunEnd, RunRow, state};
pub use servers::{ServerRow, Versions};
pub use sessions::{SessionRow, SessionUpdate};
pub use spent::SpentRow;
