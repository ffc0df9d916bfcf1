//! From a command and its output to what is said of it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::to_raw_value;
use wharf_output::digest::{self, Digest, digest};
use wharf_output::format::{OutputAnalysis, output_analysis};
use wharf_output::hints::{self, Form, ModelHints, model_hints};
use wharf_output::next::{NextStep, Surroundings, next_steps};
use wharf_output::rows::rows;
use wharf_shell::registry::Registry;
use wharf_shell::{Analysis, DecisionView};

use super::manual::Said;
use super::metadata::{ExecutionContext, Format, MetadataInput, ResultView, metadata};
use super::{DataAbout, Knowledge, Machine, TextAbout, Wanted, added};
use crate::engine::Inner;
use crate::error::Error;
use crate::view::Judged;

/// Outputs up to this many bytes are read where the answer is made; longer ones on a thread of
/// their own, so that they hold nobody up.
const SHORT_BYTES: usize = 64 * 1024;

/// A command and what came out of it.
pub(super) struct Material {
    pub(super) command: String,
    pub(super) analysis: Arc<Analysis>,
    pub(super) decision: Option<DecisionView>,
    pub(super) machine: Machine,
    /// The directory before the command.
    pub(super) cwd: String,
    /// RFC 3339.
    pub(super) started: String,
    pub(super) exit_code: Option<i32>,
    /// It goes on; what is here is what it has written by now.
    pub(super) running: bool,
    pub(super) milliseconds: u64,
    pub(super) stdout: Side,
    pub(super) stderr: Side,
    /// How a part of the output is read.
    pub(super) handle: Option<String>,
    pub(super) registry: Arc<Registry>,
    /// What the system says of a program that the registry does not know.
    pub(super) manual: Option<Arc<Said>>,
    pub(super) wanted: Wanted,
}

/// What of a stream is at hand.
pub(super) struct Side {
    /// Its beginning, within a bound.
    pub(super) head: Bytes,
    /// Its end, within a bound; the same as the beginning where that is all.
    pub(super) end: Bytes,
    /// Bytes written.
    pub(super) total: u64,
    /// Bytes that were written and are not kept.
    pub(super) dropped: u64,
}

impl Side {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self {
            total: length(&bytes),
            end: bytes.clone(),
            head: bytes,
            dropped: 0,
        }
    }

    /// Bytes before [`Side::end`].
    fn before(&self) -> u64 {
        let kept = self.total.saturating_sub(self.dropped);
        kept.saturating_sub(length(&self.end))
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Makes what is wanted, without holding up others.
pub(super) async fn knowledge(inner: &Inner, material: Material) -> Result<Knowledge, Error> {
    let bytes = material.stdout.end.len() + material.stderr.end.len();
    if bytes <= SHORT_BYTES {
        return Ok(material.knowledge());
    }
    let place = Arc::clone(&inner.heavy).acquire_owned().await;
    let place = place.map_err(|_| Error::Stopping)?;
    let reading = tokio::task::spawn_blocking(move || {
        let _place = place;
        material.knowledge()
    });
    reading
        .await
        .map_err(|error| Error::internal("reading what an output says", error))
}

impl Material {
    /// Everything that is wanted.
    pub(super) fn knowledge(self) -> Knowledge {
        let mut known = Knowledge::default();
        let digest = self.digest();
        if let Some(format) = self.wanted.metadata {
            let (metadata, hints) = self.metadata(format, &digest);
            known.metadata = metadata;
            known.model_hints = hints;
        }
        if self.wanted.data
            && let Some(rows) = rows(&self.analysis, &self.command, &self.stdout.head)
        {
            let unread = self.stdout.total.saturating_sub(length(&self.stdout.head));
            known.data_about = Some(DataAbout::of(&rows, unread));
            known.data = Some(rows.rows);
        }
        if self.wanted.token_budget.is_some() {
            known.text_about = Some(TextAbout::of(&digest, self.handle.clone()));
            known.text = Some(self.beyond() + &digest.text);
        }
        known.decision = self.decision;
        known
    }

    fn digest(&self) -> Digest {
        digest(&digest::Input {
            analysis: &self.analysis,
            stdout: &self.stdout.end,
            stderr: &self.stderr.end,
            exit_code: self.outcome(),
            budget_tokens: self.wanted.token_budget,
            handle: self.handle.as_deref(),
        })
    }

    /// What goes on has not failed yet.
    fn outcome(&self) -> Option<i32> {
        if self.running {
            Some(0)
        } else {
            self.exit_code
        }
    }

    /// What of the streams was not read for the text, and how it is read.
    fn beyond(&self) -> String {
        let mut notes = String::new();
        for (name, side) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let before = side.before();
            if before > 0 {
                notes.push_str(&format!(
                    "[the first {before} bytes of {name} are not in this text, and its offsets \
                     count from there"
                ));
                if let Some(handle) = &self.handle {
                    let handle = handle.replace("{stream}", name).replace("{offset}", "0");
                    let handle = handle.replace("{limit}", &before.to_string());
                    notes.push_str(&format!(": {handle}"));
                }
                notes.push_str("]\n");
            }
            if side.dropped > 0 {
                let dropped = side.dropped;
                notes.push_str(&format!(
                    "[{dropped} bytes of {name} were written and not kept]\n"
                ));
            }
        }
        notes
    }

    fn metadata(
        &self,
        format: Format,
        digest: &Digest,
    ) -> (Option<Box<serde_json::value::RawValue>>, Option<ModelHints>) {
        let mut output = output_analysis(
            &self.analysis,
            &self.command,
            &self.stdout.head,
            &self.stderr.head,
            self.outcome().unwrap_or(1),
        );
        added::form(
            &self.registry,
            &self.analysis,
            &self.stdout.head,
            &mut output,
        );
        let next = self.next(format);
        let hints = self.hints(&output, digest);
        let input = MetadataInput {
            command: &self.command,
            analysis: &self.analysis,
            context: self.context(),
            result: Some(self.result()),
            output: Some(&output),
            next: &next,
            decision: self.decision.as_ref(),
            hints: hints.as_ref(),
            registry: &self.registry,
            manual: self.manual.as_deref(),
        };
        (to_raw_value(&metadata(&input, format)).ok(), hints)
    }

    fn next(&self, format: Format) -> Vec<NextStep> {
        if format == Format::Minimal {
            return Vec::new();
        }
        let around = Surroundings {
            package_manager: self.machine.package_manager,
            is_root: self.machine.is_root,
            programs: &[],
        };
        let (stdout, stderr) = (&self.stdout.end, &self.stderr.end);
        let said = next_steps(&self.analysis, self.outcome(), stdout, stderr, &around);
        let failed = self.outcome() != Some(0);
        added::steps(&self.registry, &self.analysis, failed, said)
    }

    /// What has been written by now says nothing of how the whole is read.
    fn hints(&self, output: &OutputAnalysis, digest: &Digest) -> Option<ModelHints> {
        if self.running {
            return Some(hints::expected_hints(&self.analysis, &self.command));
        }
        Some(model_hints(&hints::Input {
            analysis: &self.analysis,
            stdout: &self.stdout.end,
            stderr: &self.stderr.end,
            exit_code: self.exit_code,
            form: Form {
                name: output.format_type,
                confidence: output.confidence,
                columns: &output.columns,
                rows: output.row_count,
            },
            digest,
        }))
    }

    fn context(&self) -> ExecutionContext<'_> {
        ExecutionContext {
            user: &self.machine.user,
            host: &self.machine.host,
            working_directory: &self.cwd,
            platform: &self.machine.platform,
            timestamp: &self.started,
        }
    }

    fn result(&self) -> ResultView {
        let exit_code = self.exit_code.filter(|_| !self.running);
        ResultView {
            exit_code,
            success: self.running || exit_code == Some(0),
            stdout_length: self.stdout.total,
            stderr_length: self.stderr.total,
            execution_time_ms: self.milliseconds,
        }
    }
}

/// A command that has not run.
pub(super) struct Foresight<'a> {
    pub(super) judged: &'a Judged,
    pub(super) registry: &'a Registry,
    pub(super) manual: Option<&'a Said>,
    pub(super) decision: DecisionView,
    pub(super) format: Option<Format>,
    pub(super) machine: &'a Machine,
}

/// All but what only a result can say.
pub(super) fn foresight(before: Foresight<'_>) -> Knowledge {
    let mut known = Knowledge::default();
    if let Some(format) = before.format {
        let (analysis, command) = (
            &before.judged.decision.analysis,
            before.judged.decision.command.as_str(),
        );
        let hints = hints::expected_hints(analysis, command);
        let next = next_steps(analysis, Some(0), b"", b"", &Surroundings::default());
        let next = added::steps(before.registry, analysis, false, next);
        let input = MetadataInput {
            command,
            analysis,
            context: ExecutionContext {
                user: &before.machine.user,
                host: &before.machine.host,
                working_directory: before.judged.cwd.as_deref().unwrap_or_default(),
                platform: &before.machine.platform,
                timestamp: "",
            },
            result: None,
            output: None,
            next: &next,
            decision: Some(&before.decision),
            hints: Some(&hints),
            registry: before.registry,
            manual: before.manual,
        };
        known.metadata = to_raw_value(&metadata(&input, format)).ok();
        known.model_hints = Some(hints);
    }
    known.decision = Some(before.decision);
    known
}

#[cfg(test)]
mod tests;
