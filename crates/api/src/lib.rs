//! The wire: what goes over HTTP, as the contract of the command API has it.
//!
//! Shared by server and client, so it knows neither: no IO, no checks beyond types (the server
//! checks ranges), none of our other crates. Members are only ever added.
//!
//! Start reading at [`run`]; errors are in [`problem`].

pub mod analyze;
pub mod approval;
pub mod file;
pub mod gateway;
pub mod host;
pub mod identity;
pub mod meaning;
pub mod policy;
pub mod problem;
pub mod process;
pub mod profile;
pub mod run;
pub mod session;
pub mod system;
pub mod usage;

pub use analyze::{
    AnalyzeContext, AnalyzeRequest, AnalyzeResponse, AnalyzedEffect, AnalyzedError, AnalyzedProgram,
};
pub use approval::{
    APPROVAL_WAIT_MAX, Approval, ApprovalList, ApprovalScope, ApprovalState, ApproveRequest,
    DenyRequest, Grant, GrantList, Preview, PreviewRequest, PreviewedCommand,
};
pub use file::{DirectoryEntry, DirectoryListing, FileInfo, FileWritten};
pub use host::{
    Host, HostFacts, HostKey, HostList, HostPut, HostRequest, HostTest, HostTrust, HostTrustRequest,
};
pub use meaning::{DataAbout, LeftOut, Meaning, TextAbout, ToolResultRequest, ToolResultResponse};
pub use policy::{
    PolicyApprovals, PolicyChange, PolicyEntry, PolicyFile, PolicyMove, PolicyName, PolicyProblem,
    PolicyReloaded, PolicyReplay, PolicyReplayRequest, PolicyShown, PolicyTestRequest,
    PolicyTested, REPLAY_RUNS_MAX,
};
pub use problem::{ApprovalRef, FieldError, Problem};
pub use process::{
    DevServerLogs, LogLines, ProcessAction, ProcessInfo, ProcessRequest, ProcessResponse,
    SshSession,
};
pub use run::{
    Include, MetadataFormat, OutputPage, RunCancelled, RunError, RunList, RunRecord, RunRequest,
    RunResponse, STDIN_BYTES_MAX, Truncated,
};
pub use session::{
    CreateSession, HistoryEntry, HistoryPage, SessionCreated, SessionDetail, SessionList,
    SessionServer, SessionSummary, Success, Suggestion, Suggestions,
};
pub use system::{AuditEntry, AuditTail, Health, RegistryEntry, RegistryList};
pub use usage::{Usage, UsageShare};

/// The port that `wharf serve` listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 7304;
