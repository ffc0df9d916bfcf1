//! The server itself: health, the audit log, the registry.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// `GET /health`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `healthy`, or `degraded`: it answers, but runs nothing until it is started again. A server that
    /// is stopping takes no connections.
    pub status: String,
    /// The server's version.
    pub version: String,
    /// Seconds since its start.
    pub uptime_seconds: u64,
}

/// `GET /api/audit?limit=`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditTail {
    /// The latest entries as they are stored, oldest first.
    #[schema(value_type = Vec<AuditEntry>)]
    pub entries: Vec<Value>,
}

/// One entry of the audit log. What it holds besides number, time, kind and hashes depends on its
/// kind; all texts are redacted.
///
/// `run.opened`: a command was decided and is about to start. `run.refused`: it was asked for and
/// not run, because the policy denies it (`verdict: deny`) or wants a yes (`confirm`); the same
/// members, and `reasons`. `run.closed`: it has ended, or is known to be lost. `session.created`,
/// `session.ended`. `approval.asked`, `approval.approved`, `approval.denied`, `approval.expired`:
/// the life of a question. `grant.revoked`: a standing yes was taken back. `policy.reloaded`,
/// `policy.refused`: the owner's files were read again and hold now, or do not load. `host.added`,
/// `host.changed`, `host.removed`: what the server knows of a host. `host.trusted`,
/// `host.key_refused`: a host's key is on record now, or was refused, with `why`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its number, without a gap.
    pub seq: u64,
    /// When it happened, in milliseconds since 1970.
    pub time: i64,
    /// `run.opened`, `run.refused`, `run.closed`, `session.created`, `approval.asked`, …; more may
    /// come.
    pub kind: String,
    /// The hash of the entry before.
    pub prev: String,
    /// The hash of this one, over `prev` and all other members.
    pub hash: String,
    /// The run. A refused one has an id too, under which it can be asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The directory: where it starts, where it would have run, or where its session is afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The command's type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub command_type: Option<String>,
    /// The risk as judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// The verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Whether the answer did not wait for the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<bool>,
    /// The idempotency key and a hash of its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub idempotency: Option<Value>,
    /// `rules` that spoke, names of `env`, `stdin_bytes`, `confirmed`; more may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub extra: Option<Value>,
    /// Why it was refused, as told to the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub reasons: Option<Vec<Value>>,
    /// How it ended: `done`, `lost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<i64>,
    /// Bytes written to standard output, kept or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout_bytes: Option<i64>,
    /// Bytes written to standard error, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr_bytes: Option<i64>,
    /// Where the output is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The hash of each stream that was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The kind of failure: `timeout`, `killed`, `needs_input`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Seconds without use after which the session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<i64>,
    /// What the client said about itself, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_info: Option<String>,
    /// Why the session ended: `deleted`, `idle`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Who answered, took back or reloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Rules that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<String>>,
    /// When the question or the standing yes ends, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Why no, why files did not load, or why a key was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What a standing yes is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub grant: Option<Value>,
    /// The host that was added, changed or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How that host is reached from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub entry: Option<Value>,
    /// The host's key that was trusted, or the one that was given for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub key: Option<Value>,
    /// The policy before, by its fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The policy that holds from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The policy that stays, where files did not load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
    /// For what is done to accounts: whose account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The id of the login or key that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The id of what it is about: a login, a key, an invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The role that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What a key is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whose agent configuration was changed: `org/ID`, `team/ID` or `user/ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// For what is done to a sandbox session: whose that is, where it is not the caller's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What sandbox sessions are made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// Who makes its machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What that one calls the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// `GET /api/registry?category=&q=`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RegistryList {
    /// What is known about each command.
    #[schema(value_type = Vec<Object>)]
    pub commands: Vec<Value>,
}

/// `PUT /api/registry/{command}`: an entry of the server's owner, in the form of those that are
/// built in, which `GET` shows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RegistryEntry {
    /// The command's name, the same as in the path.
    pub name: String,
    /// One sentence, with a full stop.
    pub description: String,
    /// One of the categories, such as `development/build`.
    pub category: String,
    /// The structure of its output, such as `tabular`.
    pub output_format: String,
    /// `low`, `medium`, `high` or `critical`; not lower than that of a built-in entry.
    pub risk: String,
    /// `instant`, `short`, `long` or `open`.
    #[serde(default)]
    pub duration: String,
    /// `default`, `server_start`, `package_manager` or `container`.
    #[serde(default)]
    pub timeout_class: String,
    /// Whether it wants a terminal.
    #[serde(default)]
    pub interactive: bool,
    /// Options, each with `flag` and `description`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub common_options: Vec<Value>,
    /// Forms with a higher risk, by `flags`, `operands` and `places`, each with `risk` and
    /// `reason`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub raises: Vec<Value>,
    /// Commands for similar work.
    #[serde(default)]
    pub related: Vec<String>,
    /// Examples, each with `command` and `description`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub examples: Vec<Value>,
    /// What is usually done next: `success` and `failure`, each a list.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub next_steps: Value,
    /// Subcommands, with the same members.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub subcommands: Vec<Value>,
}
