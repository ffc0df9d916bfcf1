//! What is asked and answered, in words of our own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_model::{Secret, Timestamp};
use wharf_store::db::{ConfigurationRow, GatewayEventRow, GatewaySessionRow, RepoRow};

use crate::machine::Asked;
pub use crate::machine::Machine;
use crate::state::State;

/// What a session is to be. Its texts are as they came.
#[derive(Debug, Clone, Default)]
pub struct NewSession {
    /// The organization, by id or short name.
    pub organization: Option<String>,
    /// What it is of; exactly one.
    pub sources: Vec<Source>,
    /// `coding`, `setup` or `cli`.
    pub session_type: String,
    /// `web`, `slack`, `cli` or `automation`.
    pub client_type: String,
    /// `immediate` or `deferred`.
    pub mode: Option<String>,
    /// The model that the agent asks.
    pub model: Option<String>,
    /// Who gets in by SSH.
    pub ssh: Option<Ssh>,
    /// What the agent is to do first.
    pub prompt: Option<String>,
    /// What people call it.
    pub title: Option<String>,
    /// What the client keeps with it.
    pub metadata: Option<Value>,
    /// The provider that makes it.
    pub provider: Option<String>,
    /// How long it lives.
    pub lifetime: Option<Duration>,
}

/// What a session is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A directory of a device's.
    Directory {
        /// Its name for the server.
        path_hash: String,
        /// What people call it.
        display_name: Option<String>,
    },
    /// A configuration that is there.
    Configuration(String),
    /// Repositories that the server knows; all of the owner's where none are named.
    Repos(Option<Vec<String>>),
}

/// Who gets in by SSH.
#[derive(Debug, Clone, Default)]
pub struct Ssh {
    /// Public keys as in `authorized_keys`.
    pub public_keys: Vec<String>,
    /// Variables of every process.
    pub variables: Vec<(String, Secret)>,
}

/// A key under which a request is carried out once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key.
    pub key: String,
    /// The whole request; what has other bytes is another one.
    pub body: Vec<u8>,
}

/// A session that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The session.
    pub session: String,
    /// What it is made of.
    pub configuration: String,
    /// How it is, as it is written.
    pub state: String,
    /// It begins with what an earlier session left.
    pub has_snapshot: bool,
    /// The configuration is new.
    pub new_configuration: bool,
    /// Its machine, where it is there.
    pub machine: Option<Machine>,
    /// When it ends.
    pub expires_ms: i64,
    /// It was made by an earlier request with the same key.
    #[serde(skip)]
    pub replayed: bool,
}

impl Created {
    pub(crate) fn of(row: &GatewaySessionRow, new_configuration: bool) -> Self {
        Self {
            session: row.id.clone(),
            configuration: row.configuration.clone(),
            state: row.state.clone(),
            has_snapshot: row.snapshot.is_some(),
            new_configuration,
            machine: Machine::of_row(row),
            expires_ms: row.expires_ms,
            replayed: false,
        }
    }
}

/// A session as those who may see it do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// How it is.
    pub state: State,
    /// Why.
    pub reason: Option<String>,
    /// What people call it.
    pub title: Option<String>,
    /// Who made it.
    pub caller: String,
    /// The organization's id.
    pub organization: Option<String>,
    /// What it is for.
    pub session_type: String,
    /// What kind of client made it.
    pub client_type: String,
    /// What it is made of.
    pub configuration: String,
    /// The directory that it is of.
    pub path_hash: Option<String>,
    /// What people call the directory.
    pub display_name: Option<String>,
    /// The provider of its machine.
    pub provider: String,
    /// The provider's name for its machine.
    pub sandbox: Option<String>,
    /// Where that is, while it runs.
    pub machine: Option<Machine>,
    /// What of it could not be had, each a sentence.
    pub notes: Vec<String>,
    /// What the client keeps with it.
    pub metadata: Option<Value>,
    /// It began with what an earlier session left.
    pub has_snapshot: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When its machine was first there.
    pub started: Option<Timestamp>,
    /// When it was last used.
    pub active: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it is paused if nobody uses it.
    pub pauses: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How long its machine ran.
    pub used: Duration,
}

impl SessionView {
    pub(crate) fn of(row: &GatewaySessionRow, now_ms: i64, idle_ms: Option<i64>) -> Self {
        let state = State::read(&row.state);
        let running = state == State::Running;
        let used = row.used_ms.saturating_add(uncharged(row, now_ms));
        let machine = Machine::of_row(row);
        Self {
            id: row.id.clone(),
            state,
            reason: row.reason.clone(),
            title: row.title.clone(),
            caller: row.caller.clone(),
            organization: Some(row.organization.clone()).filter(|it| !it.is_empty()),
            session_type: row.session_type.clone(),
            client_type: row.client_type.clone(),
            configuration: row.configuration.clone(),
            path_hash: row.path_hash.clone(),
            display_name: row.display_name.clone(),
            provider: row.provider.clone(),
            sandbox: row.sandbox.clone(),
            notes: machine
                .as_ref()
                .map(|it| it.notes.clone())
                .unwrap_or_default(),
            machine: machine.filter(|_| running),
            metadata: Asked::of_row(row).metadata,
            has_snapshot: row.snapshot.is_some(),
            created: Timestamp::from_millis(row.created_ms),
            started: row.started_ms.map(Timestamp::from_millis),
            active: Timestamp::from_millis(row.active_ms),
            expires: Timestamp::from_millis(row.expires_ms),
            pauses: idle_ms
                .filter(|_| running)
                .map(|idle| Timestamp::from_millis(row.active_ms.saturating_add(idle))),
            ended: row.ended_ms.map(Timestamp::from_millis),
            used: Duration::from_millis(u64::try_from(used).unwrap_or_default()),
        }
    }
}

/// How long a machine has run that was not charged yet: until now, and no longer than its session
/// lives, which is for how long somebody pays.
pub(crate) fn uncharged(row: &GatewaySessionRow, now_ms: i64) -> i64 {
    let until_ms = now_ms.min(row.expires_ms);
    // A clock that went back charges nothing.
    row.running_ms
        .map_or(0, |since_ms| until_ms.saturating_sub(since_ms).max(0))
}

/// What came of ending all sessions of somebody's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndedAll {
    /// How many ended.
    pub ended: u64,
    /// Those that are other servers' to end.
    pub elsewhere: Vec<Elsewhere>,
}

/// A session of another server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The session.
    pub session: String,
    /// Its server.
    pub server: String,
}

/// How a session is, with what its provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusView {
    /// How it is.
    pub state: State,
    /// Why.
    pub reason: Option<String>,
    /// The provider's name for its machine.
    pub sandbox: Option<String>,
    /// Whether the provider says that it is there; nothing where it was not asked or did not say.
    pub alive: Option<bool>,
}

/// A session whose machine is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// The session.
    pub session: String,
    /// Its machine.
    pub machine: Machine,
    /// When it ends.
    pub expires: Timestamp,
}

/// Something that happened to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// Counts from 1.
    pub number: u64,
    /// What.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// How the session is from then on.
    pub state: State,
    /// Why.
    pub reason: Option<String>,
    /// When it ends.
    pub expires: Timestamp,
}

impl EventView {
    pub(crate) fn of(row: GatewayEventRow) -> Self {
        Self {
            number: u64::try_from(row.number).unwrap_or_default(),
            state: State::read(&row.state),
            kind: row.kind,
            at: Timestamp::from_millis(row.at_ms),
            reason: row.reason,
            expires: Timestamp::from_millis(row.expires_ms),
        }
    }
}

/// What a provider can do here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportView {
    /// Its name.
    pub provider: String,
    /// Why it makes nothing, where it does not.
    pub unavailable: Option<String>,
    /// Whether it can hold a machine still.
    pub pauses: bool,
    /// Whether it can keep a copy of one.
    pub snapshots: bool,
}

/// Something that opens the way to an agent.
#[derive(Debug, Clone)]
pub struct TicketView {
    /// The ticket.
    pub ticket: Secret,
    /// Until when connections may begin.
    pub expires: Timestamp,
}

/// What sessions are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationView {
    /// Its id.
    pub id: String,
    /// What a session of it left.
    pub snapshot: Option<String>,
    /// Whose it is.
    pub owner: String,
    /// The directory.
    pub path_hash: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Where the snapshot is of use.
    pub provider: Option<String>,
}

impl ConfigurationView {
    pub(crate) fn of(row: ConfigurationRow) -> Self {
        Self {
            id: row.id,
            snapshot: row.snapshot,
            owner: row.owner,
            path_hash: row.path_hash.filter(|_| row.repos.is_none()),
            created: Timestamp::from_millis(row.created_ms),
            provider: row.provider,
        }
    }
}

/// A directory that the server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoView {
    /// Its id.
    pub id: String,
    /// The directory.
    pub path_hash: String,
    /// What people call it.
    pub display_name: Option<String>,
    /// What it is linked to.
    pub connection: Option<String>,
}

impl RepoView {
    pub(crate) fn of(row: RepoRow) -> Self {
        Self {
            id: row.id,
            path_hash: row.path_hash,
            display_name: row.display_name,
            connection: row.connection,
        }
    }
}

/// What an account is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Time of machines, beside what its plan gives and what it was given before.
    pub time: Duration,
    /// Its plan from now on; the same as before where there is none.
    pub plan: Option<String>,
}

/// What may be used of sandboxes, and what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditsView {
    /// Who pays.
    pub account: String,
    /// Machines that run.
    pub running: u64,
    /// The rest.
    pub standing: crate::billing::Standing,
}
