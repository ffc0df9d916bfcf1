//! Approvals: questions that wait for a person, and yeses that hold for longer than one run.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest that `GET /api/approvals/{id}?wait=` waits, in seconds.
pub const APPROVAL_WAIT_MAX: u64 = 60;

/// Where a question stands. The last three are ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has answered.
    Pending,
    /// Yes, and not used yet.
    Approved,
    /// No.
    Denied,
    /// Nobody answered in time, or the yes was not used in time.
    Expired,
    /// The run was let through.
    Used,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: ApprovalState,
    /// The command, secrets redacted.
    pub command: String,
    /// Who asks.
    pub caller: String,
    /// The person behind who asks.
    pub requester: String,
    /// Where it would run.
    pub target: String,
    /// The directory that it would start in.
    pub cwd: String,
    /// The session that it would run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// What asked: rules of the analysis and policies.
    pub rules: Vec<String>,
    /// RFC 3339.
    pub asked_at: String,
    /// When the question, or the yes, ends, in RFC 3339.
    pub expires_at: String,
    /// Who said yes or no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// When it was answered, or its yes used; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    /// Why no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The run that used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// A pattern for commands like this, to offer to whoever says yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggested_pattern: Option<String>,
}

/// `GET /api/approvals?state=&limit=`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ApprovalList {
    /// Open ones first, then the latest that are over.
    pub approvals: Vec<Approval>,
}

/// What a yes is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalScope {
    /// This run and no other.
    #[default]
    Once,
    /// This exact command, in this session.
    Session,
    /// Commands like `pattern`, in `project`.
    Pattern,
}

/// `POST /api/approvals/{id}/approve`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ApproveRequest {
    /// What the yes is for; this run alone when absent.
    #[serde(default)]
    #[schema(required = false)]
    pub scope: ApprovalScope,
    /// For the scope `pattern`: words, `<word>`, `<path>`, `<number>`, `...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// For the scope `pattern`: the project's root; where the command starts when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `POST /api/approvals/{id}/deny`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct DenyRequest {
    /// Why, for whoever asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /api/approvals/preview`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PreviewRequest {
    /// The pattern.
    pub pattern: String,
    /// The project's root, absolute.
    pub project: String,
    /// Where; `local` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What a pattern would have matched among the caller's latest runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Runs that were looked at.
    pub seen: usize,
    /// Those that match.
    pub matched: usize,
    /// Those that match and are of high risk: what the pattern spares.
    pub spared: usize,
    /// Different commands that match, the most frequent first.
    pub commands: Vec<PreviewedCommand>,
    /// Different commands that match and are not listed.
    pub unlisted: usize,
}

/// A command of the past, secrets redacted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PreviewedCommand {
    /// Its text.
    pub command: String,
    /// How often it was run.
    pub count: usize,
}

/// A yes that holds for longer than one run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// The id of the approval that it comes from.
    pub id: String,
    /// `session` or `pattern`.
    pub scope: ApprovalScope,
    /// Who said yes.
    pub by: String,
    /// For whom.
    pub caller: String,
    /// On which target.
    pub target: String,
    /// Dangers that were agreed to; with another one it asks again.
    pub rules: Vec<String>,
    /// RFC 3339.
    pub expires_at: String,
    /// The session that it holds in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The directory that the command starts in, for the scope `session`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The project that the pattern holds in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `GET /api/grants`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct GrantList {
    /// Oldest first.
    pub grants: Vec<Grant>,
}
