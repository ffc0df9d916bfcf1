//! `/api/v1/profile/upstream`: another git repository that a profile follows and is sent to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Hidden;

/// `PUT /api/v1/profile/upstream?profile=`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PutUpstream {
    /// `https://…` or `ssh://…`, without a password in it.
    #[schema(max_length = 2048)]
    pub url: String,
    /// `main` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The name that goes with the token, for HTTPS; `git` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The token, for HTTPS. It is never shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub token: Option<Hidden>,
    /// The lines of a `known_hosts` file that name the host's keys, for SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<String>,
    /// New versions are sent there at once.
    #[serde(default)]
    pub push: bool,
}

/// `GET /api/v1/profile/upstream?profile=`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamShown {
    /// Where it is.
    pub url: String,
    /// The branch that is followed.
    pub branch: String,
    /// `open`, `token` or `key`.
    pub access: String,
    /// The public half of the key that has to be let in there, for SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// New versions are sent there at once.
    pub push: bool,
    /// Where a webhook is to be sent to.
    pub webhook_path: String,
    /// How the last conversation ended; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<UpstreamDone>,
}

/// The answer to a new upstream.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WebhookSecret {
    /// To be entered where webhooks come from; bodies are signed with it (HMAC-SHA256). Only where
    /// it was made now, for an address that was not the one before; it is never shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub webhook_secret: Option<Hidden>,
    /// The upstream.
    #[serde(flatten)]
    pub upstream: UpstreamShown,
}

/// `POST /api/v1/profile/upstream/pull?profile=`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct UpstreamPull {
    /// What to do where both sides have versions of their own; told and left when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged: Option<Divergence>,
}

/// What to do where both sides have versions of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Divergence {
    /// Both are put together, where no file was changed on both sides.
    Merge,
    /// The upstream's files.
    Theirs,
    /// The files that are here.
    Ours,
}

/// How a conversation with an upstream ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamDone {
    /// `unchanged`, `pulled`, `pushed`, `diverged` or `failed`.
    pub outcome: String,
    /// The newest commit of the profile afterwards.
    pub commit_sha: String,
    /// Why it failed, or which files both sides changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// RFC 3339.
    pub at: String,
}
