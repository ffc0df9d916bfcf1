//! `/api/sandboxes`: looking after sandbox sessions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::identity::Hidden;

/// `GET /api/sandboxes`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxList {
    /// The newest first.
    pub sandboxes: Vec<Sandbox>,
    /// What this server can make.
    pub support: Vec<SandboxSupport>,
}

/// A provider of sandboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxSupport {
    /// Its name, such as `local`.
    pub provider: String,
    /// Whether it can make one here.
    pub available: bool,
    /// Why it cannot, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it can hold a sandbox still and let it go on.
    pub pauses: bool,
    /// Whether it can keep what is in a sandbox for another one.
    pub snapshots: bool,
}

/// One sandbox session. It is there also when its machine is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sandbox {
    /// The session, `gws_…`; this is what the routes take.
    pub id: String,
    /// `pending`, `starting`, `running`, `paused`, `stopped` or `failed`. The last two are for good.
    pub status: String,
    /// Why it ended, is paused, or could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who made it: a caller's name.
    pub owner: String,
    /// The organization's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// `coding`, `setup` or `cli`.
    pub session_type: String,
    /// `web`, `slack`, `cli` or `automation`.
    pub client_type: String,
    /// What it is made of.
    pub configuration_id: String,
    /// The directory that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_path_hash: Option<String>,
    /// What people call the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The provider of its machine.
    pub provider: String,
    /// The provider's name for the machine, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_id: Option<String>,
    /// Where its SSH server listens, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_host: Option<String>,
    /// The same, the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_port: Option<u16>,
    /// The keys that its SSH server shows, as `TYPE BASE64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_host_keys: Vec<String>,
    /// The account that programs run under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The directory for the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Where a browser sees what it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_url: Option<String>,
    /// What of a machine could not be had here, each a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What its client keeps with it. Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub client_metadata: Option<Value>,
    /// It began with what an earlier session left.
    pub has_snapshot: bool,
    /// RFC 3339.
    pub created_at: String,
    /// When its machine was first there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it was last used.
    pub last_activity_at: String,
    /// When it ends, unless it is extended.
    pub expires_at: String,
    /// When it is paused if nobody uses it until then; absent where it is not running, or the server
    /// pauses nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pauses_at: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Seconds that its machine ran.
    pub seconds_used: u64,
}

/// `POST /api/sandboxes/{id}/extend`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExtendSandbox {
    /// Seconds from now that it is to live at least. It never ends earlier than before.
    #[schema(minimum = 60)]
    pub seconds: u64,
}

/// `POST /api/sandboxes/{id}/keys`: keys that are let in as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdmitKeys {
    /// Public keys as in `authorized_keys`, at least one.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub public_keys: Vec<String>,
}

/// What opens the way to the agent in a sandbox: `POST /api/sandboxes/{id}/tickets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxTicket {
    /// `wht_…`, for this session and nothing else.
    #[schema(value_type = String)]
    pub ticket: Hidden,
    /// The agent's address with the ticket in it. Whoever has it is let in.
    #[schema(value_type = String)]
    pub url: Hidden,
    /// Until when connections may begin; those that are there then go on.
    pub expires_at: String,
}

/// `POST /api/sandboxes/{id}/tickets/renew`: lets connections begin for another while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenewTicket {
    /// As it was given, to the same caller.
    #[schema(value_type = String)]
    pub ticket: Hidden,
}

/// One event of `GET /api/sandboxes/{id}/events`. Its name on the stream is its `kind`, its id there
/// is `number`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxEvent {
    /// Counts from 1 for each session, without gaps.
    pub number: u64,
    /// `created`, `starting`, `running`, `warning`, `extended`, `paused`, `snapshot`, `failed` or
    /// `ended`; a later server may have more.
    pub kind: String,
    /// RFC 3339.
    pub at: String,
    /// What the session is from then on.
    pub status: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ends, unless it is extended.
    pub expires_at: String,
}

/// `POST /api/v1/credits/grants`: gives an account credit for sandboxes, another plan, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantCredits {
    /// The organization, by id or short name; the caller's own account when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Seconds of sandboxes, beside what the plan gives and what was given before.
    #[serde(default)]
    #[schema(maximum = 315_360_000)]
    pub seconds: u64,
    /// The plan from now on, one of the server's; the same as before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

/// `GET /api/v1/credits`: what may be used of sandboxes, and what is left of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Credits {
    /// The plan's name; `unlimited` where nothing is counted against.
    pub plan: String,
    /// Whose it is: the organization's id, or the caller's name where there is none.
    pub account: String,
    /// Sandboxes that run at once; absent where there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_max: Option<u64>,
    /// Sandboxes that run now.
    pub concurrent: u64,
    /// Seconds of sandboxes that were given; absent where there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_granted: Option<u64>,
    /// Seconds of them that are used.
    pub seconds_used: u64,
    /// Seconds that are left; absent where there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
}
