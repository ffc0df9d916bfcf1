//! What a command leaves running in a shell: when it has ended, and how.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::pipe::{Receiver, Sender};

use super::report::{self, Found};
use super::{ASK_PATIENCE, LocalShell, script};
use crate::executor::{BoxFuture, Status};
use crate::journal::RunOutput;
use crate::pump::{Pipes, Writers};
use crate::{sys, tree};

/// How often it is looked whether a job has ended, where the kernel does not tell.
const LOOK: Duration = Duration::from_millis(250);

/// Takes in what a command's stragglers write, until all have closed its pipes and its job has
/// ended; none when nothing is left of it.
pub(super) fn rest(
    own: Option<(Pipes, Writers)>,
    output: Arc<RunOutput>,
    job: Option<u32>,
    shell: i32,
) -> Option<BoxFuture<'static, ()>> {
    let pipes = own.and_then(|(mut pipes, writers)| {
        drop(writers);
        pipes.drain(&output);
        Some(pipes).filter(|pipes| !pipes.closed())
    });
    let job = job
        .and_then(|job| i32::try_from(job).ok())
        .and_then(|job| Job::of(job, shell));
    if pipes.is_none() && job.is_none() {
        return None;
    }
    Some(Box::pin(async move {
        if let Some(mut pipes) = pipes {
            pipes.read_to_end(&output).await;
        }
        if let Some(job) = job {
            job.gone().await;
        }
    }))
}

/// A living child of the shell's.
struct Job {
    pid: i32,
    started: u64,
}

impl Job {
    fn of(pid: i32, shell: i32) -> Option<Self> {
        let entry = tree::entry(pid)?;
        let lives = entry.parent == shell && !entry.zombie;
        lives.then_some(Self {
            pid,
            started: entry.started,
        })
    }

    fn lives(&self) -> bool {
        tree::entry(self.pid).is_some_and(|now| now.started == self.started && !now.zombie)
    }

    async fn gone(self) {
        let watched = sys::watch(self.pid);
        while self.lives() {
            match &watched {
                Ok(fd) => {
                    let _gone_or_error = fd.readable().await;
                    return;
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }
}

impl LocalShell {
    /// How a job ended, which only the shell that started it is told.
    pub(super) async fn ask_after(&mut self, job: u32) -> Option<Status> {
        if self.current.is_some() || self.garbled || self.ended.is_some() {
            return None;
        }
        self.number = self.number % script::MAX_NUMBER + 1;
        self.said.clear();
        self.give(&script::job_status(job), false);
        match tokio::time::timeout(ASK_PATIENCE, self.answer()).await {
            Ok(answer) => answer,
            Err(_) => {
                self.garbled = true;
                self.leader.kill();
                None
            }
        }
    }

    async fn answer(&mut self) -> Option<Status> {
        loop {
            tokio::select! {
                biased;
                _ = self.control.readable() => self.hear(Receiver::try_read_buf),
                status = &mut self.exit => {
                    self.ended = Some(status.unwrap_or(Status::Signaled(libc::SIGKILL)));
                    return None;
                }
                _ = self.input.writable(), if !self.unsent.is_empty() => self.send(Sender::try_write),
            }
            match report::take(&mut self.said) {
                Found::Nothing => {}
                Found::Garbage => {
                    self.garbled = true;
                    self.leader.kill();
                    return None;
                }
                Found::Report(report) if report.number == Some(self.number) => {
                    // `known` is no code, so that it is counted and left out of them.
                    return report.knows_job.then_some(Status::Exited(report.status));
                }
                Found::Report(report) => {
                    if let Some(number) = report.number {
                        self.drop_foreign(number);
                    }
                }
            }
        }
    }
}
