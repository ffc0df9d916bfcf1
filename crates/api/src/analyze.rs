//! `POST /api/analyze`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    /// Count what the command would delete, move or change, read-only and for at most two
    /// seconds. Not together with `context`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measure: bool,
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

/// What a command would do.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AnalyzeResponse {
    /// The command.
    pub command: String,
    /// The first program's name; empty when there is none.
    pub base_command: String,
    /// The first of `features` by precedence: `invalid`, `compound`, `heredoc`, `background`,
    /// `chain`, `pipeline`, `redirect`, `cd`, `sudo`, `package_manager`, `docker`, `simple`.
    #[serde(rename = "type")]
    pub kind: String,
    /// All that apply.
    pub features: Vec<String>,
    /// Every program that would run, in the order of its word in the text.
    pub programs: Vec<AnalyzedProgram>,
    /// A part runs with another user's rights.
    pub privileged: bool,
    /// Paths that are read.
    pub reads: Vec<String>,
    /// Paths that are written.
    pub writes: Vec<String>,
    /// What it would do.
    pub effects: Vec<AnalyzedEffect>,
    /// `low`, `medium`, `high`, `critical` or `unknown`.
    pub risk_level: String,
    /// Allow, confirm or deny, with reasons.
    #[schema(value_type = Object)]
    pub decision: Value,
    /// As asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// What it would delete, move or change, counted; absent when it does none of it, or when
    /// this was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub measured: Option<Value>,
    /// Why bash would reject the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parse_error: Option<AnalyzedError>,
}

/// One program that would run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AnalyzedProgram {
    /// Its basename after quotes and escapes are resolved.
    pub name: String,
    /// Its word in the text, in bytes.
    pub span: [usize; 2],
    /// Name and arguments, when all are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// What carries it elsewhere: `ssh`, `docker`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// One thing that a command would do.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AnalyzedEffect {
    /// `read`, `write`, `delete`, `network_out`, …
    pub kind: String,
    /// To what, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The part of the text that does it, in bytes.
    pub span: [usize; 2],
}

/// Why bash would reject a text.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AnalyzedError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes.
    pub span: [usize; 2],
}
