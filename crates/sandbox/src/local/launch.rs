//! Starting the launcher and hearing its answer.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::Error;
use crate::launcher::plan::{Answer, Plan};

/// How long a sandbox may take to be there.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long a copy of a sandbox's files may take.
pub(crate) const COPY_PATIENCE: Duration = Duration::from_secs(600);
/// The longest answer.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The program that is started as the launcher: this one, with a hidden command.
#[derive(Debug, Clone)]
pub struct LauncherProgram {
    /// The program.
    pub program: PathBuf,
    /// The arguments that make it the launcher.
    pub arguments: Vec<OsString>,
}

impl LauncherProgram {
    /// Gives it a plan and waits for the answer. Blocks.
    pub(crate) fn ask(&self, plan: &Plan, limit: Duration) -> Result<Answer, Error> {
        let plan = serde_json::to_vec(plan).map_err(failed)?;
        let mut child = self.spawn(Stdio::piped())?;
        if let Some(mut input) = child.stdin.take() {
            // One that ends early says why in its answer.
            let _it_says_why = input.write_all(&plan);
        }
        let answer = listen(&mut child, limit)?;
        // It has answered and has nothing more to do.
        child.wait().map_err(failed)?;
        Ok(answer)
    }

    /// The same for one that goes on after its answer and has a socket of messages, `theirs`, as
    /// its standard input; the plan is the first message on it.
    pub(crate) fn begin_over(
        &self,
        plan: &Plan,
        ours: &OwnedFd,
        theirs: Stdio,
        limit: Duration,
    ) -> Result<(Child, Answer), Error> {
        let plan = serde_json::to_vec(plan).map_err(failed)?;
        rustix::net::send(ours, &plan, rustix::net::SendFlags::NOSIGNAL).map_err(failed)?;
        let mut child = self.spawn(theirs)?;
        let answer = listen(&mut child, limit)?;
        Ok((child, answer))
    }

    fn spawn(&self, input: Stdio) -> Result<Child, Error> {
        Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            // With all that it starts one group, which is ended as one.
            .process_group(0)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)
    }
}

/// Its answer; one that gives none is ended.
fn listen(child: &mut Child, limit: Duration) -> Result<Answer, Error> {
    let output = child.stdout.take().map(OwnedFd::from);
    let answer = output
        .ok_or_else(|| failed("it has no output"))
        .and_then(|output| read_line(&output, limit))
        .and_then(|line| {
            serde_json::from_slice(&line).map_err(|_| failed("it ended without an answer"))
        });
    if answer.is_err() {
        if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
            let _gone_already = kill_process_group(group, Signal::KILL);
        }
        let _nothing_to_wait_for = child.wait();
    }
    answer
}

fn read_line(output: &OwnedFd, limit: Duration) -> Result<Vec<u8>, Error> {
    let deadline = Instant::now() + limit;
    let mut line = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = Timespec::try_from(left).ok();
        let mut wanted = [PollFd::new(output, PollFlags::IN)];
        match poll(&mut wanted, wait.as_ref()) {
            Ok(0) => {
                return Err(Error::Late {
                    what: "the launcher of sandboxes",
                    limit,
                });
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(failed(error)),
        }
        let read = rustix::io::read(output, &mut chunk).map_err(failed)?;
        line.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if read == 0 || line.ends_with(b"\n") || line.len() > MAX_ANSWER_BYTES {
            return Ok(line);
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Launcher(error.to_string())
}

/// Runs something that blocks where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::System {
            what: "a thread for work that waits",
            source: io::Error::other(error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that it has started ends with a launcher that takes too long.
    #[test]
    fn a_launcher_that_is_late_is_ended_with_all_that_it_has_started() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let launcher = LauncherProgram {
            program: "/bin/sh".into(),
            arguments: ["-c", &script].map(OsString::from).to_vec(),
        };
        let plan = Plan::Dial {
            init: crate::launcher::plan::Init { pid: 1, started: 1 },
        };
        let late = launcher.ask(&plan, Duration::from_millis(300));
        assert!(matches!(late, Err(Error::Late { .. })), "{late:?}");
        let started = std::fs::read_to_string(&file).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", started.trim()));
        // It is nobody's child here, and may be there until somebody has waited for it.
        while state().is_ok_and(|state| !state.contains(") Z ")) {
            std::thread::yield_now();
        }
    }
}
