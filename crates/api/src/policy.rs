//! The policy: what holds, and what another one would change.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Runs that one replay reads at most.
pub const REPLAY_RUNS_MAX: u64 = 10_000;

/// `GET /api/policy`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyShown {
    /// Which policy this is.
    pub fingerprint: String,
    /// The role of everybody who has no other.
    pub default_role: String,
    /// Roles with their members.
    pub roles: Vec<PolicyName>,
    /// Classes of commands with their programs.
    pub classes: Vec<PolicyName>,
    /// Named paths.
    pub paths: Vec<PolicyName>,
    /// Groups of targets.
    pub targets: Vec<PolicyName>,
    /// Named hours.
    pub hours: Vec<PolicyName>,
    /// Policies that hold, built-in ones first.
    pub policies: Vec<PolicyEntry>,
    /// Built-in policies that are left out.
    pub left_out: Vec<String>,
    /// How many examples its files have.
    pub examples: usize,
    /// What holds for approvals.
    #[serde(default)]
    pub approvals: PolicyApprovals,
}

/// A name and what stands behind it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyName {
    /// The name.
    pub name: String,
    /// What stands behind it, as written.
    pub entries: Vec<String>,
}

/// One policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyEntry {
    /// Its id.
    pub id: String,
    /// `permits`, `permits unasked`, `asks` or `refuses`.
    pub does: String,
    /// The role that it is about; everybody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative: Option<String>,
    /// The file that it stands in, or `built-in`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// Its text, in Cedar.
    pub text: String,
}

/// What holds for approvals.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyApprovals {
    /// Whether the person who asks may also say yes.
    pub requester_may_approve: bool,
    /// Seconds that a question waits, and then the yes to be used.
    pub open_seconds: u64,
    /// Seconds that a yes for a session or a pattern holds.
    pub grant_seconds: u64,
}

/// One file of a policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyFile {
    /// Its name: `policy.toml`, or one that ends in `.cedar`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// `POST /api/policy/test`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyTestRequest {
    /// All files of the policy.
    pub files: Vec<PolicyFile>,
}

/// Whether a policy loads and decides its examples as they say.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyTested {
    /// It does.
    pub ok: bool,
    /// What is wrong, in the order of the files.
    pub problems: Vec<PolicyProblem>,
    /// How many examples were tried; 0 when it does not load.
    pub examples: usize,
    /// Which policy it is, when it loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// One thing that is wrong with a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyProblem {
    /// The file; absent when it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong; of an example, what was expected and what it got.
    pub message: String,
    /// What was probably meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// `POST /api/policy/replay`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyReplayRequest {
    /// All files of the changed policy.
    pub files: Vec<PolicyFile>,
    /// How many of the latest runs; 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit: Option<u64>,
}

/// What another policy would have decided differently.
///
/// The record holds commands without their secrets and without the names of their roles and
/// variables, so that a policy which asks about these may decide differently than shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyReplay {
    /// Runs that were read, refused ones too.
    pub read: usize,
    /// Runs that are decided as before.
    pub same: usize,
    /// Runs that are decided differently.
    pub changed: usize,
    /// How many go from one verdict to another.
    pub moves: Vec<PolicyMove>,
    /// The same command by the same caller in the same place once.
    pub changes: Vec<PolicyChange>,
    /// Changed runs that are in no entry of `changes`.
    pub unlisted: usize,
    /// What this cannot show.
    pub note: String,
}

/// How many go from one verdict to another.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyMove {
    /// `allow`, `confirm` or `deny`.
    pub from: String,
    /// Likewise.
    pub to: String,
    /// How many runs.
    pub count: usize,
}

/// A command that is decided differently.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyChange {
    /// The latest run of it.
    pub command_id: String,
    /// The command, secrets redacted.
    pub command: String,
    /// Who asked.
    pub caller: String,
    /// Where.
    pub target: String,
    /// The verdict of the policy that holds.
    pub from: String,
    /// The verdict of the other.
    pub to: String,
    /// Why, in the words of the stricter one.
    pub reason: String,
    /// Policies that say so.
    pub policies: Vec<String>,
    /// How many runs.
    pub count: usize,
}

/// `POST /api/policy/reload`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PolicyReloaded {
    /// The files hold now. When false, the policy before them stays, and `problems` says why.
    pub reloaded: bool,
    /// The policy that holds now.
    pub fingerprint: String,
    /// Whether that is another than before.
    pub changed: bool,
    /// What is wrong with the files.
    pub problems: Vec<PolicyProblem>,
}
