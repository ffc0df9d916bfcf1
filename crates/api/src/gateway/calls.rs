//! Inputs and outputs of the procedures below `/api/rpc/cli`: repositories, sessions, GitHub.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A directory of a device's, by its name for the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathHash {
    /// As in `POST /proliferate/sessions`.
    pub local_path_hash: String,
}

/// A directory that the server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRepo {
    /// `rep_…`
    pub id: String,
    /// The directory.
    pub local_path_hash: Option<String>,
    /// What people call it.
    pub display_name: Option<String>,
}

/// What a directory is linked to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRepoConnection {
    /// The connection's id.
    pub id: String,
    /// The same; `local-git` for none but the directory itself.
    pub integration_id: String,
}

/// The answer to `repos.get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocalRepoFound {
    /// Null where there is none.
    pub repo: Option<LocalRepo>,
    /// Null where it is linked to nothing.
    pub connection: Option<LocalRepoConnection>,
}

/// `repos.create`: makes one, or says anew what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRepoCreate {
    /// The directory.
    pub local_path_hash: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The connection that it is linked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration_id: Option<String>,
}

/// The answer to [`LocalRepoCreate`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRepoCreated {
    /// Always true; errors are errors.
    pub success: bool,
    /// `rep_…`
    pub repo_id: String,
    /// The connection that it is linked to.
    pub integration_id: Option<String>,
}

/// The answer to `repos.deleteAll`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocalReposDeleted {
    /// Always true; errors are errors.
    pub success: bool,
    /// How many are gone.
    pub deleted: u64,
}

/// `sessions.list`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CliSessionFilter {
    /// Of this directory only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_path_hash: Option<String>,
}

/// The answer to `sessions.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CliSessionList {
    /// The newest first.
    pub sessions: Vec<CliSession>,
}

/// A session, as these clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CliSession {
    /// `gws_…`
    pub id: String,
    /// `pending`, `starting`, `running`, `paused`, `stopped` or `failed`.
    pub status: Option<String>,
    /// `coding`, `setup` or `cli`.
    pub session_type: Option<String>,
    /// The kind of client that made it.
    pub origin: Option<String>,
    /// The directory.
    pub local_path_hash: Option<String>,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub last_activity_at: Option<String>,
}

/// `sessions.get` and `sessions.delete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionId {
    /// `gws_…`
    pub id: String,
}

/// The answer to `sessions.get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionShown {
    /// The session.
    pub session: super::Sandbox,
}

/// The answer to `sessions.delete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionEndAnswer {
    /// Always true; errors are errors.
    pub success: bool,
    /// That it had ended before, where it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The answer to `sessions.deleteAll`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionsEnded {
    /// Always true; errors are errors.
    pub success: bool,
    /// How many ended.
    pub terminated: u64,
    /// Those that run on: their servers cannot be asked now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remaining: Vec<String>,
}

/// `sessions.checkSandboxes`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SandboxesToCheck {
    /// The provider's names, at most 100.
    #[schema(max_items = 100)]
    pub sandbox_ids: Vec<String>,
}

/// The answer to [`SandboxesToCheck`]: those that are there and the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxesAlive {
    /// Their names.
    pub alive: Vec<String>,
    /// How many.
    pub count: u64,
}

/// The answer to `github.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GitHubStatus {
    /// Whether the organization has a connection.
    pub connected: bool,
    /// The account there.
    pub username: Option<String>,
}

/// The answer to `github.connect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitHubConnect {
    /// The page on which a person connects.
    pub connect_url: String,
    /// Whom the connection will be of.
    pub end_user_id: String,
}

/// The answer to `github.connectStatus`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitHubConnectStatus {
    /// Whether there is a connection.
    pub connected: bool,
    /// Which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// Why there is none, where there is more to say than that nobody has connected yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `github.select`: which connection the next `github.connectStatus` answers, within five minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitHubSelect {
    /// The connection.
    pub connection_id: String,
}
