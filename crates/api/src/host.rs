//! Hosts that have a name here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `PUT /api/hosts/{name}`: how a host is reached. What is left open is for the SSH configuration
/// of the server's owner to say. There is no password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostRequest {
    /// The name or address to connect to; the SSH configuration may know it.
    #[schema(min_length = 1, max_length = 253)]
    pub address: String,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// The account there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The file of the key that opens it, on the server's machine: starts with `/` or `~/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Hosts on the way, `[USER@]HOST[:PORT]` and commas; at most 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// The groups that it is in; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub groups: Vec<String>,
    /// What people should know of it, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
}

/// One host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// Its name here. As a target it is `ssh://NAME`.
    pub name: String,
    /// How it is reached.
    #[serde(flatten)]
    pub place: HostRequest,
    /// Who added it.
    pub added_by: String,
    /// RFC 3339.
    pub added_at: String,
    /// RFC 3339.
    pub changed_at: String,
    /// What it said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<HostFacts>,
    /// When it said so; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts_at: Option<String>,
}

/// What a host says of itself. What it does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostFacts {
    /// The account's home directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its name for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kernel, as `uname -s` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The architecture, as `uname -m` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The system's name and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The login shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// Processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<u32>,
    /// Memory in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The first package manager that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<String>,
}

/// The answer to `PUT /api/hosts/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostPut {
    /// False when a host of that name was there and is another now.
    pub created: bool,
    /// The host as it is now.
    pub host: Host,
}

/// `GET /api/hosts?group&q`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostList {
    /// By name.
    pub hosts: Vec<Host>,
}

/// A key that a host shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostKey {
    /// Its algorithm.
    pub algorithm: String,
    /// Its fingerprint, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// What the files of known hosts say of it: `known`, `unknown`, `changed` (another key is on
    /// record) or `refused` (it must not be trusted).
    pub standing: String,
    /// The fingerprint on record, where the key has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Where that is on record, or why the key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The answer to `POST /api/hosts/{name}/test`. What was not come to is absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct HostTest {
    /// The host as it was asked for.
    pub host: String,
    /// Every step went well.
    pub ok: bool,
    /// The key that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<HostKey>,
    /// Milliseconds until it was connected; next to none where a connection was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<f64>,
    /// Milliseconds that a trivial command took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<HostFacts>,
    /// What in the SSH configuration was left out and may matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The step at which it went no further: `config`, `resolve`, `connect`, `banner`,
    /// `key_exchange`, `host_key`, `authentication`, `channel`, `established` or `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Why, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `POST /api/hosts/{name}/trust`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct HostTrustRequest {
    /// The fingerprint that a person has compared. Absent: the key is shown and nothing recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The fingerprint of the key on record that it shall replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
}

/// The answer to [`HostTrustRequest`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct HostTrust {
    /// The host as it was asked for.
    pub host: String,
    /// The key is trusted.
    pub trusted: bool,
    /// The key that the host shows.
    pub key: HostKey,
    /// The file that has it now, where it was recorded by this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_in: Option<String>,
}
