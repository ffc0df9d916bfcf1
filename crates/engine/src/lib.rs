//! The use cases: running commands, living in sessions, looking after processes, and keeping the
//! record of all of it.
//!
//! The one straight path is [`Engine::start`]: analyse, decide, record, launch, supervise, close.
//! Its order is forced by types: only `policy::decide` makes an `Approved`, only `record::open`
//! turns that into a `Recorded`, and nothing else can be launched. HTTP, the CLI and every later
//! adapter enter here; there is no second door.
//!
//! It knows no HTTP, no SQL, no environment and no wall clock: those come in through [`Parts`].
//!
//! Start reading at `runs::start`.

pub mod approvals;
pub mod error;
pub mod files;
pub mod hosts;
pub mod knowledge;
pub mod measure;
pub mod options;
pub mod policies;
pub mod quotas;
pub mod registry;
pub mod request;
pub mod view;

mod behind;
mod engine;
mod housekeeping;
mod judge;
mod places;
mod policy;
mod principal;
mod processes;
mod record;
mod runs;
mod sandboxes;
mod seal;
mod sessions;
mod shared;
mod syntax;
mod whole;

pub use engine::{Elsewhere, Engine, Gauges, Surroundings};
pub use error::{Error, Field};
pub use options::{Limits, Options, PackageLocks, Parts};
pub use policies::{Reloaded, Tested};
pub use request::{Idempotency, NewSession, ProcessSelector, RunRequest, Stream};
pub use sandboxes::{SandboxRefusal, SandboxWay, Sandboxes};
pub use view::{
    AuditLine, Captured, Decision, Finished, HistoryItem, Judged, OutputChunk, ProcessView,
    RunView, ServerView, SessionView, Started, SuggestionView,
};
/// Other machines, for lists.
pub use wharf_exec::{BoxFuture, HostConnection, remote::HostState};

/// What is said about commands, for the adapters that put it into their own form.
pub use wharf_output as output;
pub use wharf_shell as shell;

/// What policies and approvals are made of, likewise.
pub use wharf_policy as rules;
