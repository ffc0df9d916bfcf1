//! What is known of a command and of what it wrote: the wire's `metadata`, `decision`,
//! `model_hints`, `data` and `text`.
//!
//! Made on request alone: a run whose caller asks for none of it costs none of it. Reading and
//! judging are `wharf_output`'s and `wharf_shell`'s; here they get what they need: the output from
//! the journal, the caller's history and the existence of paths. Where to start reading:
//! `result.rs` makes the members, `circumstances.rs` looks up what is not in the text.
//!
//! Limits: of a stream, [`READ_BYTES`] are read; what that leaves out is said in the text.

mod added;
mod circumstances;
mod manual;
mod measured;
pub mod metadata;
mod past;
mod result;
mod run;

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use wharf_exec::Facts;
use wharf_model::{Caller, CommandText, Target};
use wharf_output::digest::{Digest, LeftOut};
use wharf_output::hints::ModelHints;
use wharf_output::rows::{Row, Rows};
use wharf_shell::DecisionView;

use crate::engine::{Elsewhere, Inner, Surroundings};
use crate::error::Error;
use crate::judge;
use crate::view::{Finished, Judged};
use metadata::Format;
use result::{Foresight, Material, Side};

pub(crate) use manual::Remembered;
pub use manual::{Manual, NoManual, Said};
pub use measured::WITHIN as MEASURED_WITHIN;
pub(crate) use measured::{AT_ONCE, before_a_yes, measured};
pub(crate) use past::Pasts;
pub(crate) use run::{of_finished, of_run};
pub use wharf_output::next::PackageManager;

/// The smallest and the largest budget of tokens that a request may name.
pub const BUDGET_RANGE: std::ops::RangeInclusive<usize> =
    wharf_output::digest::MIN_BUDGET_TOKENS..=1_000_000;

/// Bytes of a stream that are read to say something of it.
pub const READ_BYTES: usize = 8 * 1024 * 1024;

/// What of it is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `metadata` and `model_hints`.
    pub metadata: Option<Format>,
    /// `text`, within so many tokens.
    pub token_budget: Option<usize>,
    /// `data`.
    pub data: bool,
}

impl Wanted {
    /// Nothing is asked for.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.metadata.is_none() && self.token_budget.is_none() && !self.data
    }
}

/// What is said about where commands run.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The login name that commands run under.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// `Linux`, …
    pub platform: String,
    /// How programs are installed there.
    pub package_manager: Option<PackageManager>,
    /// Whether commands run as root.
    pub is_root: bool,
}

impl Machine {
    /// The machine that a run was on: this one, or what the host says of itself.
    fn of(&self, finished: &Finished) -> Self {
        let called = match &finished.target {
            Target::Local => return self.clone(),
            Target::Ssh(host) => host.host().to_owned(),
            other => other.to_string(),
        };
        let facts = finished
            .decision
            .as_ref()
            .and_then(|decision| decision.facts.as_deref());
        let said = |member: fn(&Facts) -> Option<&String>| facts.and_then(member).cloned();
        let user = said(|facts| facts.user.as_ref()).unwrap_or_default();
        Self {
            is_root: user == "root",
            user,
            host: said(|facts| facts.name.as_ref()).unwrap_or(called),
            platform: said(|facts| facts.kernel.as_ref()).unwrap_or_default(),
            package_manager: said(|facts| facts.packages.as_ref())
                .and_then(|program| PackageManager::of_program(&program)),
        }
    }
}

/// What is known; only what was asked for.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// The `metadata` member, as JSON.
    pub metadata: Option<Box<RawValue>>,
    /// The decision, with what this caller did before and which paths are there.
    pub decision: Option<DecisionView>,
    /// Hints for a model.
    pub model_hints: Option<ModelHints>,
    /// The output as objects, where a parser knows it.
    pub data: Option<Vec<Row>>,
    /// What `data` was made of.
    pub data_about: Option<DataAbout>,
    /// The output for a model.
    pub text: Option<String>,
    /// What `text` was made of.
    pub text_about: Option<TextAbout>,
}

/// What rows were made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataAbout {
    /// The form that was read, such as `ps` or `git_log`.
    pub parser: &'static str,
    /// Rows.
    pub rows: usize,
    /// Lines that were not read, because the output is too long.
    pub lines_left_out: usize,
    /// Bytes of standard output behind those that were looked at.
    pub bytes_left_out: u64,
    /// Lines that hold a message of the program and no row.
    pub messages: usize,
}

impl DataAbout {
    fn of(rows: &Rows, bytes_left_out: u64) -> Self {
        Self {
            parser: rows.parser,
            rows: rows.rows.len(),
            lines_left_out: rows.lines_left_out,
            bytes_left_out,
            messages: rows.messages,
        }
    }
}

/// What a text for a model was made of, and exactly what is missing in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextAbout {
    /// Tokens of the whole output.
    pub tokens_before: usize,
    /// Tokens of the text.
    pub tokens_after: usize,
    /// Lines of the whole output.
    pub lines: u64,
    /// Lines that tell of a failure.
    pub failure_lines: u64,
    /// How many of them did not fit.
    pub failure_lines_left_out: u64,
    /// Every part that is missing.
    pub left_out: Vec<LeftOut>,
    /// How a missing part is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
}

impl TextAbout {
    fn of(digest: &Digest, handle: Option<String>) -> Self {
        Self {
            tokens_before: digest.tokens_before,
            tokens_after: digest.tokens_after,
            lines: digest.lines,
            failure_lines: digest.failure_lines,
            failure_lines_left_out: digest.failure_lines_left_out,
            left_out: digest.left_out.clone(),
            handle: handle.filter(|_| !digest.left_out.is_empty()),
        }
    }
}

/// A result that was produced elsewhere.
#[derive(Debug, Clone)]
pub struct ToolResult {
    /// The command.
    pub command: CommandText,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// Its exit code.
    pub exit_code: i32,
}

/// What a result from elsewhere says. Nothing is run, and nothing of this machine is looked at.
pub(crate) async fn of_tool_result(
    inner: &Inner,
    caller: &Caller,
    result: ToolResult,
    wanted: Wanted,
    machine: &Machine,
) -> Result<Knowledge, Error> {
    let around = Surroundings {
        elsewhere: Some(Elsewhere::default()),
        ..Surroundings::default()
    };
    let judged = judge::elsewhere(inner, caller, &result.command, &around).await?;
    let registry = inner.parts.registry.current();
    let decision = circumstances::of_text(&judged.decision);
    let elsewhere = Machine {
        platform: machine.platform.clone(),
        ..Machine::default()
    };
    let material = Material {
        command: result.command.as_str().to_owned(),
        analysis: Arc::clone(&judged.decision.analysis),
        decision: Some(decision),
        machine: elsewhere,
        cwd: String::new(),
        started: String::new(),
        exit_code: Some(result.exit_code),
        running: false,
        milliseconds: 0,
        stdout: Side::whole(result.stdout.into()),
        stderr: Side::whole(result.stderr.into()),
        handle: None,
        registry,
        manual: None,
        wanted,
    };
    result::knowledge(inner, material).await
}

/// What is known before a command runs.
pub(crate) async fn foresee(
    inner: &Arc<Inner>,
    caller: &Caller,
    judged: &Judged,
    here: bool,
    format: Option<Format>,
    machine: &Machine,
) -> Knowledge {
    let registry = inner.parts.registry.current();
    let manual = match format {
        Some(_) if here => manual::of_unknown(inner, &registry, &judged.decision.analysis).await,
        _ => None,
    };
    let decision = match &judged.cwd {
        Some(cwd) if here => {
            circumstances::here(
                inner,
                caller,
                &judged.decision,
                cwd,
                circumstances::When::Before,
            )
            .await
        }
        _ => circumstances::of_text(&judged.decision),
    };
    result::foresight(Foresight {
        judged,
        registry: &registry,
        manual: manual.as_deref(),
        decision,
        format,
        machine,
    })
}
