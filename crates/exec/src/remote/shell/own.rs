//! What a shell is told and asked on our own behalf: at its start, and after its jobs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::Shared;
use super::super::line::{Line, broken};
use super::super::tree::RemoteTree;
use super::super::words::{self, Kind, Purpose};
use super::RemoteShell;
use crate::executor::{LaunchError, ShellEnv, ShellStart, Status};
use crate::shell::Left;
use crate::shell::report::Report;
use crate::shell::script::{self, Trailer};

/// From asking for the first report to giving the shell up.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// From asking how a job ended, which it has, to giving the shell up.
const ASK_PATIENCE: Duration = Duration::from_secs(10);

impl RemoteShell {
    pub(in crate::remote) async fn start(
        shared: &Arc<Shared>,
        start: &ShellStart,
    ) -> Result<Self, LaunchError> {
        let (env, bare) = match &start.env {
            ShellEnv::OnTop(env) => (env, false),
            ShellEnv::Exactly(env) => (env, true),
        };
        let line = Line::open(shared, Purpose::Living, bare).await?;
        let tree = RemoteTree::new(&line.guard, 0, true, true);
        let mut shell = Self {
            shared: Arc::clone(shared),
            line,
            said: Vec::new(),
            left: Left::default(),
            last_job: None,
            number: script::FIRST,
            own: None,
            wary: false,
            garbled: false,
            tick: 0,
            pair: 0,
            next_pair: None,
            current: None,
            tree,
        };
        shell.put(None, Trailer::default(), "", "");
        let mut setup = words::exports(env);
        let cwd = start.cwd.as_deref().and_then(Path::to_str);
        if let Some(cwd) = cwd {
            setup.push_str(&words::enter(cwd));
            setup.push_str(" && unset OLDPWD");
        }
        let mut status = 0;
        let first = async {
            shell.own_answer().await?;
            if !setup.is_empty() {
                shell.ask(&setup, "");
                status = shell.own_answer().await?.status;
            }
            Some(())
        };
        match tokio::time::timeout(START_PATIENCE, first).await {
            Ok(Some(())) => {}
            Ok(None) => return Err(broken("the host's shell ended as it started")),
            Err(_) => {
                return Err(LaunchError::TooSlow {
                    what: "the shell on the host",
                    within: START_PATIENCE,
                });
            }
        }
        match (cwd, status) {
            (Some(cwd), error) if error != 0 => Err(LaunchError::Cwd {
                path: cwd.into(),
                source: std::io::Error::from_raw_os_error(error),
            }),
            _ => Ok(shell),
        }
    }

    /// A text of our own, whose output nobody reads.
    pub(super) fn ask(&mut self, text: &str, more: &str) {
        self.number = self.number % script::MAX_NUMBER + 1;
        self.put(Some(text), Trailer::default(), more, "");
    }

    /// The report of a message of our own; none when the shell has ended.
    async fn own_answer(&mut self) -> Option<Report> {
        loop {
            if let Some(report) = self.next_report() {
                if report.number == Some(self.number) {
                    self.note(&report);
                    return Some(report);
                }
                continue;
            }
            if self.garbled || self.line.ended.is_some() || self.line.reports.closed() {
                return None;
            }
            self.more(None).await;
        }
    }

    /// How a job ended, which only the shell that started it is told.
    pub(super) async fn ask_after(&mut self, job: u32) -> Option<Status> {
        if self.current.is_some() || self.garbled || self.line.has_ended() {
            return None;
        }
        self.ask(&words::job_status(self.line.place.kind, job), "");
        let flags = self.left.flags.clone();
        let answer = tokio::time::timeout(ASK_PATIENCE, self.own_answer()).await;
        self.left.flags = flags;
        let Ok(answer) = answer else {
            self.garbled = true;
            return None;
        };
        let report = answer?;
        let known =
            report.knows_job && (self.line.place.kind == Kind::Bash || report.status != 127);
        known.then_some(Status::Exited(report.status))
    }
}
