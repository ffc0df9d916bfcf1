//! A stateless run on a host, in a lane that serves others afterwards.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::lane::{Failure, Lane, Word};
use super::line::{Line, broken};
use super::pair;
use super::shell::{MAX_INLINE_INPUT, MAX_INPUT};
use super::tree::{FOREVER, Held, RemoteTree};
use crate::executor::{BoxFuture, Exit, Launch, LaunchError, Process, Program, Status, Tree};
use crate::journal::RunOutput;
use crate::shell::report::Report;

/// The code of a run of which it is not known how it ended.
const UNKNOWN: i32 = 255;
/// Between two pieces of output, once a run's end was reported.
const MARK_PATIENCE: Duration = Duration::from_secs(15);
/// From here on, a code says that a signal ended the run. Its fork may not have read its text then,
/// which the lane would take for something else.
const BY_SIGNAL: i32 = 128;
/// Letters of the name of a file of input.
const NAME_LETTERS: usize = 9;

/// A run in a lane.
pub(super) struct LaneProcess {
    shared: Arc<Shared>,
    lane: Option<Lane>,
    output: Arc<RunOutput>,
    tree: Arc<RemoteTree>,
    pid: Option<u32>,
    wants_pid: bool,
    failure: Option<Failure>,
    report: Option<Box<Report>>,
    garbled: bool,
    survivors: Vec<u32>,
    files: Vec<String>,
    name: String,
    cwd: std::path::PathBuf,
    /// A shell of its own ran it, which may have left something.
    may_leave: bool,
    _permit: OwnedSemaphorePermit,
}

impl LaneProcess {
    pub(super) async fn launch(shared: &Arc<Shared>, launch: Launch) -> Result<Self, LaunchError> {
        let permit = shared.place().await?;
        let mut lane = shared.lane().await?;
        let mut files = Vec::new();
        let mut inline = None;
        if let Some(input) = &launch.stdin {
            let name = format!("in.{}", shared.random(NAME_LETTERS));
            if input.len() > MAX_INPUT {
                return Err(broken("more than 8 MiB of input for a command on a host"));
            } else if input.len() > MAX_INLINE_INPUT {
                let directory = lane.line.place.directory.clone();
                files = pair::upload(Arc::clone(shared), directory, name, input.clone()).await?;
            } else {
                inline = Some(input.as_slice());
                files.push(name);
            }
        }
        let text = lane.text(&launch, files.first().map(String::as_str), inline);
        lane.begin(shared, &text).await;
        let name = match &launch.program {
            Program::Direct(argv) => argv.first().cloned().unwrap_or_default(),
            Program::Shell { .. } => String::new(),
        };
        let may_leave = !matches!(launch.program, Program::Shell { forkable: true, .. });
        let tree = RemoteTree::new(&lane.line.guard, 0, true, false);
        let mut process = Self {
            shared: Arc::clone(shared),
            lane: Some(lane),
            output: launch.output,
            tree,
            pid: None,
            wants_pid: launch.wants_pid,
            failure: None,
            report: None,
            garbled: false,
            survivors: Vec::new(),
            files,
            name,
            cwd: launch.cwd.unwrap_or_default(),
            may_leave,
            _permit: permit,
        };
        if launch.wants_pid {
            process.until(|process| process.pid.is_some()).await;
        }
        Ok(process)
    }

    /// Takes in what comes until `enough`, or the end.
    async fn until(&mut self, enough: impl Fn(&Self) -> bool) {
        let output = Arc::clone(&self.output);
        loop {
            let Some(lane) = self.lane.as_mut() else {
                return;
            };
            while let Some(word) = lane.next() {
                match word {
                    Word::Report(report) => self.report = Some(report),
                    Word::Pid(pid) => self.pid = Some(pid),
                    Word::Failed(failure) => self.failure = Some(failure),
                    Word::Garbage => {
                        self.garbled = true;
                        break;
                    }
                }
            }
            let whole = match &self.report {
                // The report of a success comes another way and may be here first.
                Some(report) if report.status == 0 && self.wants_pid && self.pid.is_none() => false,
                Some(_) => lane.outputs_passed(),
                None => false,
            };
            let gone = lane.line.ended.is_some() || lane.line.reports.closed();
            if whole || gone || self.garbled || enough(self) {
                return;
            }
            let reported = self.report.is_some();
            let Some(lane) = self.lane.as_mut() else {
                return;
            };
            let more = lane.more(Some(&output));
            if !reported {
                more.await;
            } else if tokio::time::timeout(MARK_PATIENCE, more).await.is_err() {
                // The marks were written before the report.
                self.garbled = true;
            }
        }
    }

    async fn await_end(&mut self) -> Result<Exit, LaunchError> {
        self.until(|_| false).await;
        let status = self.report.as_ref().map(|report| report.status);
        let left = self
            .report
            .as_ref()
            .map(|report| report.left.clone())
            .unwrap_or_default();
        // A shell without bash's means is asked about what was left, where something can be.
        let asks = left.contains('d') || left.contains('?') && self.may_leave;
        if asks && self.survivors.is_empty() {
            self.survivors = self.tree.look().await;
        }
        let goes_on = !self.survivors.is_empty();
        let whole = status.is_some_and(|code| code < BY_SIGNAL) && !self.garbled;
        let reusable = whole && !goes_on && !left.contains('d');
        self.tree.ends(if reusable { 0 } else { FOREVER }).await;
        if let Some(lane) = &self.lane {
            lane.line.guard.remove(&self.files);
        }
        // A signal that came as late as the run's end may have met the fork that waits.
        if reusable && !self.tree.was_signalled() {
            self.give_back(left.contains('?') && !self.may_leave).await;
        }
        if let Some(failure) = self.failure.take() {
            return Err(self.error(&failure));
        }
        let Some(code) = status else {
            // Whatever is left of it is ended with the lane.
            drop(self.lane.take());
            return Ok(Exit {
                status: Status::Exited(UNKNOWN),
                lost: true,
                goes_on: false,
                survivors: Vec::new(),
            });
        };
        Ok(Exit {
            status: Status::Exited(code),
            lost: false,
            goes_on,
            survivors: self.survivors.clone(),
        })
    }

    /// Puts a clean lane back. `unsure`: only after a look at what it has left.
    async fn give_back(&mut self, unsure: bool) {
        let Some(mut lane) = self.lane.take() else {
            return;
        };
        if !unsure {
            lane.fork_ahead(&self.shared).await;
            self.shared.put(lane);
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let tree = RemoteTree::new(&lane.line.guard, 0, true, false);
            if tree.look().await.is_empty() && !lane.line.has_ended() {
                lane.fork_ahead(&shared).await;
                shared.put(lane);
            }
        });
    }

    fn error(&self, failure: &Failure) -> LaunchError {
        match failure {
            Failure::NotFound => LaunchError::NotFound(self.name.clone()),
            Failure::NotExecutable => LaunchError::NotExecutable {
                program: self.name.clone(),
                source: std::io::Error::from_raw_os_error(libc::EACCES),
            },
            Failure::Cwd(error) => LaunchError::Cwd {
                path: self.cwd.clone(),
                source: std::io::Error::from_raw_os_error(*error),
            },
        }
    }
}

impl Process for LaneProcess {
    fn pid(&self) -> Option<u32> {
        self.pid
    }

    fn tree(&self) -> Arc<dyn Tree> {
        Arc::new(Held(Arc::clone(&self.tree)))
    }

    fn wait(&mut self) -> BoxFuture<'_, Result<Exit, LaunchError>> {
        Box::pin(self.await_end())
    }

    fn outlive(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Some(lane) = self.lane.take() else { return };
            let Line {
                mut input,
                outputs,
                guard,
                ..
            } = lane.line;
            // The lane ends, and holds the outputs no more.
            input.close().await;
            outputs.drain(&self.output).await;
            for pid in &self.survivors {
                let ended = guard.ask(|number| format!("J {number} {pid}"));
                if ended.await.is_none() {
                    return;
                }
            }
        })
    }
}
