//! `POST /api/analyze`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::MetadataFormat;

/// Judge a command without running anything.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AnalyzeRequest {
    /// The command.
    #[schema(min_length = 1, max_length = 131_072)]
    pub command: String,
    /// The directory it would run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Where it would run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The session it would run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// How much metadata the answer carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_format: Option<MetadataFormat>,
    /// Judge as if elsewhere; nothing of this machine is looked at then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<AnalyzeContext>,
}

/// The surroundings to judge in.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AnalyzeContext {
    /// The home directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The root of the working tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_root: Option<String>,
    /// The branch that is checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_branch: Option<String>,
}
