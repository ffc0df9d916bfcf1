//! A living shell: one bash that runs command after command.

pub(crate) mod forker;
mod job;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod script;
mod traps;
mod tree;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::pipe::PipeFlags;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::oneshot;

use crate::executor::{BoxFuture, LaunchError, Shell, ShellCommand, ShellReport, Status, Tree};
use crate::journal::RunOutput;
use crate::pump::{self, Pipes, Writers};
use crate::zygote::ZygoteClient;
use report::{Found, Report};
use restore::Before;
use tree::{Leader, ShellTree, end_all, unsigned};

/// The shell.
pub(crate) const BASH: &str = "/bin/bash";
/// No startup files, so that what was judged is what runs.
const WORDS: [&str; 4] = ["bash", "--noprofile", "--norc", "-c"];
/// What one read of the report channel takes.
const REPORT_BYTES: usize = 16 * 1024;
/// The code of a command whose report makes no sense.
const UNREADABLE_REPORT: i32 = 255;
/// From killing a shell to seeing that it is dead.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// From asking for a shell to its first word.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// From asking how a job ended, which it has, to giving the shell up.
const ASK_PATIENCE: Duration = Duration::from_secs(5);
/// Reports of other commands than the current one that are dropped before a shell is given up.
const MAX_FOREIGN: u32 = 100;

/// A living bash.
pub(crate) struct LocalShell {
    pid: i32,
    input: Sender,
    control: Receiver,
    /// Kept open so that the shell can reach the channel by path as it exits.
    _control_writer: OwnedFd,
    said: Vec<u8>,
    exit: oneshot::Receiver<Status>,
    ended: Option<Status>,
    pipes: Pipes,
    left: Left,
    last_job: Option<u32>,
    /// The number of the current command, or of the latest.
    number: u16,
    /// What follows the text in the shell's pipe while that runs.
    trailer: usize,
    /// Reports of other commands, which were dropped.
    foreign: u32,
    /// A trap may have been set in it.
    wary: bool,
    /// It says what no shell of ours says, and is used no more.
    garbled: bool,
    /// The latest command's report, while it is waited for a moment in which nothing of it starts.
    reported: Option<ShellReport>,
    unsent: Vec<u8>,
    current: Option<Current>,
    latest_output: Weak<RunOutput>,
    since: Arc<ShellTree>,
    leader: Leader,
}

/// What the latest command left, for the next one that asks.
#[derive(Default)]
pub(crate) struct Left {
    pub(crate) flags: String,
    pub(crate) status: i32,
    pub(crate) pipeline: Vec<i32>,
    pub(crate) word: Option<String>,
    pub(crate) traps: String,
}

impl Left {
    pub(crate) fn before(&self) -> Before<'_> {
        Before {
            flags: &self.flags,
            status: self.status,
            pipeline: &self.pipeline,
            word: self.word.as_deref(),
            traps: &self.traps,
        }
    }
}

/// The command that runs.
struct Current {
    output: Arc<RunOutput>,
    own: Option<(Pipes, Writers)>,
    /// Kept open until the shell has opened it by path.
    _stdin: Option<OwnedFd>,
    single: bool,
    word: Option<String>,
    last_words: Option<Report>,
}

/// What a shell is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A session: remembers all, reports as it exits.
    Living,
    /// Commands of their own, each in a fork.
    Forks,
}

impl LocalShell {
    pub(crate) async fn start(
        zygote: &ZygoteClient,
        purpose: Purpose,
        env: &[(String, String)],
        cwd: &Path,
        null: BorrowedFd<'_>,
    ) -> Result<Self, LaunchError> {
        let (pipes, writers) = Pipes::new()?;
        let (control, control_writer) = pump::pipe()?;
        let (input_reader, input) = input_pipe()?;
        let program = match purpose {
            Purpose::Living => script::program(&by_path(&control_writer)),
            Purpose::Forks => forker::program(),
        };
        let argv: Vec<&str> = WORDS.into_iter().chain([program.as_str()]).collect();
        let env: Vec<String> = env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let fds = [
            null,
            writers.stdout.as_fd(),
            writers.stderr.as_fd(),
            input_reader.as_fd(),
            control_writer.as_fd(),
        ];
        let child = zygote.new_shell(BASH, &argv, &env, cwd, fds).await?;
        let leader = Leader::new(child.pid);
        let since = ShellTree::now(leader, true);
        let mut shell = Self {
            pid: child.pid,
            input,
            control,
            _control_writer: control_writer,
            said: Vec::new(),
            exit: child.exit,
            ended: None,
            pipes,
            left: Left::default(),
            last_job: None,
            number: script::FIRST,
            trailer: 0,
            foreign: 0,
            wary: false,
            garbled: false,
            reported: None,
            unsent: Vec::new(),
            current: None,
            latest_output: Weak::new(),
            since,
            leader,
        };
        shell.give("", false);
        match tokio::time::timeout(START_PATIENCE, shell.hear_first()).await {
            Ok(heard) => heard?,
            Err(_) => {
                shell.leader.kill();
                return Err(LaunchError::TooSlow {
                    what: "the shell",
                    within: START_PATIENCE,
                });
            }
        }
        if purpose == Purpose::Forks {
            shell.fork_ahead();
        }
        Ok(shell)
    }

    /// Waits until the shell has said that it reads.
    async fn hear_first(&mut self) -> Result<(), LaunchError> {
        loop {
            tokio::select! {
                biased;
                _ = self.control.readable() => self.hear(Receiver::try_read_buf),
                status = &mut self.exit => {
                    let code = status.map_or(-1, Status::code);
                    let text = format!("bash ended with {code} as it started");
                    return Err(LaunchError::System(std::io::Error::other(text)));
                }
            }
            if let Found::Report(report) = report::take(&mut self.said) {
                self.left.flags = report.flags;
                return Ok(());
            }
        }
    }

    /// Takes what stragglers of the latest command have written by now.
    pub(crate) fn take_stragglers_output(&mut self) {
        if let Some(output) = self.latest_output.upgrade() {
            self.pipes.drain(&output);
        }
    }

    pub(crate) const fn raw_pid(&self) -> i32 {
        self.pid
    }

    fn begin_text(&mut self, text: &str, report_env: bool, current: Current) {
        self.now_runs(current);
        self.number = self.number % script::MAX_NUMBER + 1;
        self.give(text, report_env);
    }

    fn now_runs(&mut self, current: Current) {
        self.since = ShellTree::now(self.leader, current.single);
        self.latest_output = Arc::downgrade(&current.output);
        self.current = Some(current);
        self.said.clear();
    }

    /// Writes a text and what follows it, as much as the shell's pipe takes. Before its first
    /// command a shell waits for a number only.
    fn give(&mut self, text: &str, report_env: bool) {
        let trailer = script::Trailer {
            number: self.number,
            env: report_env,
            traps: self.wary,
        };
        let trailer = trailer.text();
        self.trailer = trailer.len();
        self.unsent.clear();
        if self.number != script::FIRST {
            self.unsent.extend_from_slice(text.as_bytes());
            self.unsent.push(0);
        }
        self.unsent.extend_from_slice(trailer.as_bytes());
        self.send(|input, bytes| Ok(rustix::io::write(input, bytes)?));
    }

    /// Hands over as much of the command as the shell's pipe takes, by `write`.
    fn send(&mut self, write: impl FnOnce(&Sender, &[u8]) -> std::io::Result<usize>) {
        if let Ok(sent) = write(&self.input, &self.unsent) {
            self.unsent.drain(..sent.min(self.unsent.len()));
        }
    }

    /// Takes what there is on the report channel, by `read`.
    ///
    /// The runtime's own reads also tell it when there is nothing left, without which it would
    /// say at once again that there is; those that go around it see what it has not heard of yet.
    fn hear(&mut self, read: impl Fn(&Receiver, &mut Vec<u8>) -> std::io::Result<usize>) {
        self.said.reserve(REPORT_BYTES);
        while read(&self.control, &mut self.said).is_ok_and(|read| read > 0) {
            self.said.reserve(REPORT_BYTES);
        }
    }

    async fn await_end(&mut self) -> ShellReport {
        if self.reported.is_none() {
            self.reported = Some(self.await_report().await);
        }
        if self
            .reported
            .as_ref()
            .is_some_and(|report| report.rest.is_some())
        {
            self.since.passed().await;
        }
        self.reported.take().unwrap_or_else(lost)
    }

    async fn await_report(&mut self) -> ShellReport {
        loop {
            let Some(current) = self.current.as_mut() else {
                return lost();
            };
            let output = Arc::clone(&current.output);
            let own = current.own.as_mut().map(|(pipes, _)| pipes);
            let own_open = own.as_ref().is_some_and(|pipes| !pipes.closed());
            tokio::select! {
                biased;
                _ = self.control.readable() => self.hear(Receiver::try_read_buf),
                status = &mut self.exit, if self.ended.is_none() => {
                    self.ended = Some(status.unwrap_or(Status::Signaled(libc::SIGKILL)));
                    // What it said and wrote last is in the pipes already.
                    self.hear(pump::read_now);
                }
                _ = self.input.writable(), if !self.unsent.is_empty() => self.send(Sender::try_write),
                () = self.pipes.more(&output), if !self.pipes.closed() => {}
                () = more_of(own, &output), if own_open => {}
            }
            if let Some(report) = self.next_report() {
                return self.complete(Some(report));
            }
            if self.garbled && self.ended.is_none() {
                self.leader.kill();
                let dead = tokio::time::timeout(KILL_PATIENCE, &mut self.exit).await;
                self.ended = dead.ok().and_then(Result::ok);
                return self.complete(None);
            }
            if self.ended.is_some() {
                return self.complete(None);
            }
        }
    }

    /// Where the shell is. What it says itself keeps the names of symbolic links, but `PWD` is a
    /// variable like any other: it is believed where it names the directory that the shell is in.
    fn directory(&self, said: String) -> Option<PathBuf> {
        use std::os::unix::fs::MetadataExt;
        let said = PathBuf::from(said);
        if self.ended.is_some() {
            return said.is_absolute().then_some(said);
        }
        let real = PathBuf::from(format!("/proc/{}/cwd", self.pid));
        let real = std::fs::read_link(&real).ok()?;
        // The same words are the usual case, and cost one look.
        let place = |path: &Path| std::fs::metadata(path).ok().map(|at| (at.dev(), at.ino()));
        let same = || place(&said).is_some() && place(&said) == place(&real);
        if said == real || said.is_absolute() && same() {
            return Some(said);
        }
        Some(real)
    }

    /// Part of the text is still on its way. The shell evaluates nothing before it has read the
    /// last byte of that; its number it reads afterwards.
    fn has_unread(&self) -> bool {
        let trailer = u64::try_from(self.trailer).unwrap_or(0);
        !self.unsent.is_empty()
            || rustix::io::ioctl_fionread(&self.input).is_ok_and(|left| left > trailer)
    }

    /// The report of a command's end, if it is there; last words are kept for later, and what is
    /// about another command is dropped.
    fn next_report(&mut self) -> Option<Report> {
        loop {
            let report = match report::take(&mut self.said) {
                Found::Nothing => return None,
                Found::Report(report) => *report,
                Found::Garbage => {
                    tracing::warn!(target: "system", shell = self.pid, "a shell's report makes no sense");
                    self.garbled = true;
                    return None;
                }
            };
            match report.number {
                None => self.current.as_mut()?.last_words = Some(report),
                Some(number) if number == self.number => return Some(report),
                Some(number) => self.drop_foreign(number),
            }
            if self.garbled {
                return None;
            }
        }
    }

    fn drop_foreign(&mut self, number: u16) {
        self.foreign += 1;
        let (expected, dropped) = (self.number, self.foreign);
        tracing::warn!(target: "system", shell = self.pid, number, expected, dropped, "a report of another command is dropped");
        self.garbled = self.foreign >= MAX_FOREIGN;
    }

    fn complete(&mut self, report: Option<Report>) -> ShellReport {
        let Some(current) = self.current.take() else {
            return lost();
        };
        // A kill that is on its way finds nothing of this command's any more. One that goes on at
        // this moment takes the shell with it.
        self.since.ends();
        self.pipes.drain(&current.output);
        let not_started = report.is_none() && current.last_words.is_none() && self.has_unread();
        let reported = report.as_ref().map(|report| report.status);
        // A command that was reported has that code, also if the shell has died since.
        let status = match (reported, self.ended) {
            (Some(code), _) => Status::Exited(code),
            (None, Some(status)) if !self.garbled => status,
            (None, _) => Status::Exited(UNREADABLE_REPORT),
        };
        let mut answer = ShellReport {
            status,
            not_started,
            ..lost()
        };
        if let Some(report) = report.or(current.last_words) {
            answer.cwd = self.directory(report.cwd);
            answer.env = report.env;
            answer.job = report.job.filter(|job| self.last_job != Some(*job));
            self.last_job = report.job;
            self.left = Left {
                flags: report.flags,
                status: status.code(),
                pipeline: report.pipeline,
                word: current.word,
                traps: report.traps.unwrap_or_else(|| {
                    self.garbled = true;
                    String::new()
                }),
            };
        }
        answer.ended = self.ended.is_some() || self.garbled;
        answer.fault = self.fault();
        if self.garbled {
            self.leader.kill();
        }
        answer.rest = job::rest(current.own, current.output, answer.job, self.pid);
        answer
    }

    /// What happened to the shell, where its command cannot have meant that.
    fn fault(&self) -> Option<&'static str> {
        match self.ended {
            _ if self.garbled => Some(
                "the session's shell no longer does what it is told; a new one takes over its directory and exported variables",
            ),
            Some(Status::Signaled(_)) => Some(
                "the session's shell was ended by a signal, and what it ran with it; a new one takes over its directory and exported variables",
            ),
            _ => None,
        }
    }
}

impl Current {
    const fn new(output: Arc<RunOutput>) -> Self {
        Self {
            output,
            own: None,
            _stdin: None,
            single: true,
            word: None,
            last_words: None,
        }
    }
}

impl Shell for LocalShell {
    fn pid(&self) -> u32 {
        u32::try_from(self.pid).unwrap_or(0)
    }

    fn tree(&self) -> Arc<dyn Tree> {
        Arc::clone(&self.since) as Arc<dyn Tree>
    }

    fn members(&self) -> Vec<u32> {
        unsigned(self.leader.members())
    }

    fn begin(&mut self, command: ShellCommand) -> Result<(), LaunchError> {
        let mut redirections = String::new();
        let own = if command.own_pipes {
            Some(Pipes::new()?)
        } else {
            None
        };
        if let Some((_, writers)) = &own {
            let (stdout, stderr) = (by_path(&writers.stdout), by_path(&writers.stderr));
            redirections.push_str(&format!(">{stdout} 2>{stderr} "));
        }
        let stdin = command.stdin.as_deref().map(memory_file).transpose()?;
        if let Some(file) = &stdin {
            redirections.push_str(&format!("<{}", by_path(file)));
        }
        let around = script::Around {
            before: self.left.before(),
            cwd: command.cwd.as_deref().and_then(Path::to_str),
            env: &command.env,
            redirections: &redirections,
        };
        let text = script::living(&command.text, &around);
        let mut current = Current::new(command.output);
        current.own = own;
        current._stdin = stdin;
        current.single = command.single;
        self.wary |= script::may_trap(&command.text);
        current.word = restore::last_word(&command.text).map(str::to_owned);
        self.begin_text(&text, command.report_env, current);
        Ok(())
    }

    fn finish(&mut self) -> BoxFuture<'_, ShellReport> {
        Box::pin(self.await_end())
    }

    fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = match self.exit.try_recv() {
                Ok(status) => Some(status),
                Err(oneshot::error::TryRecvError::Empty) => None,
                Err(oneshot::error::TryRecvError::Closed) => Some(Status::Signaled(libc::SIGKILL)),
            };
        }
        self.ended.is_some() || self.garbled
    }

    fn job_status(&mut self, job: u32) -> BoxFuture<'_, Option<Status>> {
        Box::pin(self.ask_after(job))
    }

    fn end(mut self: Box<Self>, grace: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let leader = self.leader;
            // Looking through all processes is not for a runtime's thread.
            let ended = tokio::task::spawn_blocking(move || end_all(leader, grace));
            let _panicked = ended.await;
            if self.ended.is_none() {
                let _too_late_to_matter = tokio::time::timeout(KILL_PATIENCE, &mut self.exit).await;
            }
        })
    }
}

/// A shell that nobody holds any more is killed rather than left to find its input closed: as it
/// ends, it would open the path of its channel, under which another's may be by then.
impl Drop for LocalShell {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.leader.kill();
        }
    }
}

/// A path by which our own children can open a descriptor of this process.
fn by_path(fd: &OwnedFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd())
}

/// A file in memory that holds `bytes`, to be read from its start.
pub(crate) fn memory_file(bytes: &[u8]) -> Result<OwnedFd, LaunchError> {
    let system = |error: rustix::io::Errno| LaunchError::System(error.into());
    let file =
        rustix::fs::memfd_create("wharf-stdin", rustix::fs::MemfdFlags::CLOEXEC).map_err(system)?;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let offset = u64::try_from(at).unwrap_or(u64::MAX);
        at += rustix::io::pwrite(&file, rest, offset).map_err(system)?;
    }
    Ok(file)
}

fn input_pipe() -> Result<(OwnedFd, Sender), LaunchError> {
    let system = |error: rustix::io::Errno| LaunchError::System(error.into());
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(system)?;
    rustix::fs::fcntl_setfl(
        &writer,
        rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::WRONLY,
    )
    .map_err(system)?;
    let writer = Sender::from_owned_fd_unchecked(writer).map_err(LaunchError::System)?;
    Ok((reader, writer))
}

async fn more_of(pipes: Option<&mut Pipes>, output: &RunOutput) {
    if let Some(pipes) = pipes {
        pipes.more(output).await;
    }
}

/// A report of nothing, to build on.
const fn lost() -> ShellReport {
    let status = Status::Signaled(libc::SIGKILL);
    ShellReport {
        status,
        ended: true,
        not_started: false,
        cwd: None,
        env: None,
        job: None,
        rest: None,
        fault: None,
    }
}
