//! A run that outlives its connection, as a process like any other: whoever waits for it does not
//! notice that the connection was lost, and who comes later takes it up again by its handle.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::durable::{Durable, DurableEnd, DurableError, DurableRun};
use super::hosts::host_error;
use super::line::broken;
use crate::executor::{BoxFuture, Exit, Launch, LaunchError, Process, Program, Status, Tree};
use crate::journal::{RunOutput, Totals};
use crate::shell::script::quote_into;
use crate::tree::Processes;

/// The first and the longest pause before a host that was lost is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// The code of a run of which it is not known how it ended.
const UNKNOWN: i32 = 255;
/// From here on, a code says that a signal ended the run.
const BY_SIGNAL: i32 = 128;
/// The highest number of a signal.
const MAX_SIGNAL: i32 = 64;

pub(super) struct KeptProcess {
    shared: Arc<Shared>,
    run: Arc<Durable>,
    output: Arc<RunOutput>,
    /// What stood in `output` before: words of ours, which its host does not know of.
    before: Totals,
    tree: Arc<KeptTree>,
}

impl KeptProcess {
    pub(super) async fn launch(shared: &Arc<Shared>, launch: Launch) -> Result<Self, LaunchError> {
        let text = match launch.program {
            Program::Shell { text, .. } => text,
            Program::Direct(words) => {
                let mut text = String::new();
                for word in &words {
                    quote_into(&mut text, word);
                    text.push(' ');
                }
                text
            }
        };
        let work = DurableRun {
            text,
            cwd: launch.cwd.map(|cwd| cwd.to_string_lossy().into_owned()),
            env: launch.env,
            stdin: launch.stdin.unwrap_or_default(),
        };
        let run = shared
            .start_durable(&work)
            .await
            .map_err(|error| match error {
                DurableError::Open(error) => host_error(error),
                DurableError::Lost | DurableError::TooSlow { .. } => LaunchError::Uncertain,
                other => broken(&other.to_string()),
            })?;
        Ok(Self::of(shared, run, launch.output))
    }

    fn of(shared: &Arc<Shared>, run: Durable, output: Arc<RunOutput>) -> Self {
        let run = Arc::new(run);
        Self {
            tree: Arc::new(KeptTree {
                shared: Arc::clone(shared),
                run: Arc::clone(&run),
                runtime: tokio::runtime::Handle::current(),
            }),
            shared: Arc::clone(shared),
            run,
            before: output.totals(),
            output,
        }
    }

    /// The run of that handle.
    pub(super) fn adopt(
        shared: &Arc<Shared>,
        handle: &str,
        output: Arc<RunOutput>,
    ) -> Result<Self, LaunchError> {
        let run = read_handle(handle).ok_or_else(|| broken("that is no handle of a kept run"))?;
        Ok(Self::of(shared, run, output))
    }

    /// Follows it, however often the connection is lost.
    async fn await_end(&self) -> Exit {
        let mut pause = PAUSES.0;
        loop {
            let before = self.output.totals();
            let error = match self
                .shared
                .follow(&self.run, &self.output, self.before)
                .await
            {
                Ok(end) => return exit(end),
                Err(error) => error,
            };
            let after = self.output.totals();
            if (before.stdout, before.stderr) != (after.stdout, after.stderr) {
                pause = PAUSES.0;
            }
            tracing::debug!(target: "system", run = self.run.id, %error, "a kept run is out of sight");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

fn exit(end: DurableEnd) -> Exit {
    let (status, lost) = match end {
        DurableEnd::Code(code) if code > BY_SIGNAL && code <= BY_SIGNAL + MAX_SIGNAL => {
            (Status::Signaled(code - BY_SIGNAL), false)
        }
        DurableEnd::Code(code) => (Status::Exited(code), false),
        DurableEnd::Unknown | DurableEnd::Gone => (Status::Exited(UNKNOWN), true),
    };
    Exit {
        status,
        lost,
        goes_on: false,
        survivors: Vec::new(),
    }
}

/// `ID PID DIRECTORY`.
fn read_handle(handle: &str) -> Option<Durable> {
    let mut words = handle.splitn(3, ' ');
    let (id, pid, directory) = (words.next()?, words.next()?, words.next()?);
    let legal = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (legal && directory.starts_with('/')).then_some(())?;
    Some(Durable {
        id: id.to_owned(),
        directory: directory.to_owned(),
        pid: pid.parse().ok()?,
    })
}

impl Process for KeptProcess {
    fn pid(&self) -> Option<u32> {
        Some(self.run.pid)
    }

    fn tree(&self) -> Arc<dyn Tree> {
        Arc::clone(&self.tree) as Arc<dyn Tree>
    }

    fn wait(&mut self) -> BoxFuture<'_, Result<Exit, LaunchError>> {
        Box::pin(async move { Ok(self.await_end().await) })
    }

    fn handle(&self) -> Option<String> {
        let Durable { id, directory, pid } = self.run.as_ref();
        Some(format!("{id} {pid} {directory}"))
    }

    fn settle(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.shared.forget(&self.run).await {
                tracing::debug!(target: "system", run = self.run.id, %error, "what a run left on a host goes later");
            }
        })
    }

    fn outlive(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Signals reach it wherever it is, as long as its host can be reached.
struct KeptTree {
    shared: Arc<Shared>,
    run: Arc<Durable>,
    runtime: tokio::runtime::Handle,
}

impl std::fmt::Debug for KeptTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptTree")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl KeptTree {
    /// Its processes and ports at this moment; none when the host cannot say.
    fn look(&self) -> Option<(Vec<u32>, Vec<u16>)> {
        let looked = self.runtime.block_on(self.shared.look_durable(&self.run));
        looked
            .inspect_err(|error| {
                tracing::debug!(target: "system", run = self.run.id, %error, "a run cannot be looked at");
            })
            .ok()
    }
}

/// By name where the far side does more than send it: what kills goes on until none is left, and
/// what ends wakes those that are stopped.
fn name_of(signal: i32) -> String {
    let name = match signal {
        1 => "HUP",
        2 => "INT",
        9 => "KILL",
        15 => "TERM",
        other => return other.to_string(),
    };
    name.to_owned()
}

impl Tree for KeptTree {
    fn signal(&self, signal: i32) {
        let name = name_of(signal);
        let sending = self.shared.signal_durable(&self.run, &name);
        if let Err(error) = self.runtime.block_on(sending) {
            tracing::warn!(target: "system", run = self.run.id, %error, "a signal did not reach its host");
        }
    }

    fn kill(&self) {
        self.signal(9);
    }

    /// Asking the host takes a round trip, which a list of many does not make for each.
    fn members_in(&self, _all: &Processes) -> Vec<u32> {
        vec![self.run.pid]
    }

    fn members(&self) -> Vec<u32> {
        self.look()
            .map_or_else(|| vec![self.run.pid], |(pids, _)| pids)
    }

    fn listens(&self) -> Option<Vec<u16>> {
        self.look().map(|(_, ports)| ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_again_and_nothing_else_is() {
        let run = read_handle("abc 42 /home/a b/.cache/wharf/x@y").unwrap();
        assert_eq!((run.id.as_str(), run.pid), ("abc", 42));
        assert_eq!(run.directory, "/home/a b/.cache/wharf/x@y");
        for wrong in [
            "",
            "abc",
            "abc 42",
            "a;b 42 /x",
            " 42 /x",
            "abc x /x",
            "abc 42 x",
        ] {
            assert_eq!(read_handle(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_code_beyond_128_is_a_signal() {
        assert_eq!(exit(DurableEnd::Code(143)).status, Status::Signaled(15));
        assert_eq!(exit(DurableEnd::Code(128)).status, Status::Exited(128));
        assert_eq!(exit(DurableEnd::Code(255)).status, Status::Exited(255));
        assert!(exit(DurableEnd::Gone).lost);
    }
}
