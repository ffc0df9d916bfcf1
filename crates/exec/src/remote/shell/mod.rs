//! A living shell on the far side.

mod own;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Shared;
use super::line::{End, Line, Pair, broken};
use super::pair;
use super::tree::{FOREVER, Held, RemoteTree};
use super::words::{self, Kind};
use crate::executor::{BoxFuture, LaunchError, Shell, ShellCommand, ShellReport, Status, Tree};
use crate::journal::{RunOutput, Stream};
use crate::shell::Left;
use crate::shell::report::{self, Found, Report};
use crate::shell::restore;
use crate::shell::script::{self, Around, Trailer};

/// The code of a command of which it is not known how it ended.
const UNKNOWN: i32 = 255;
/// From the end of a shell to that of what it has said and written.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(3);
/// The same, of a shell that was ended by a signal.
const KILLED_WORDS_PATIENCE: Duration = Duration::from_millis(500);
/// From killing a shell to hearing that it is dead.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// For the guard to say where the shell is.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);
/// Between two pieces of output, once a command's end was reported: the marks were written before.
const MARK_PATIENCE: Duration = Duration::from_secs(15);
/// A little longer than one of the far side's ticks.
const TICK: Duration = Duration::from_millis(11);
/// Letters of the mark behind a command's output: nobody meets it by accident, and each costs the
/// far side a system call.
const MARK_LETTERS: usize = 9;
/// Input up to here travels with the command.
pub(super) const MAX_INLINE_INPUT: usize = 1024;
/// The most input of one command.
pub(super) const MAX_INPUT: usize = 8 * 1024 * 1024;

pub(super) const LOST: &str = "the connection to the host was lost while the command ran; whether it went on to its end is not known, and it is not run again";
const ENDED_BY_SIGNAL: &str = "the session's shell was ended by a signal, and what it ran with it; a new one takes over its directory and exported variables";
const GARBLED: &str = "the session's shell no longer does what it is told; a new one takes over its directory and exported variables";
const NO_PAIR: &str = "the host gave no second channel for this command's output, so that it was not run; a new shell takes over";
const NO_INPUT: &str =
    "the command's input could not be handed to the host, so that it was not run";

/// A shell on the far side that remembers.
pub(super) struct RemoteShell {
    shared: Arc<Shared>,
    line: Line,
    said: Vec<u8>,
    left: Left,
    last_job: Option<u32>,
    number: u16,
    /// The number of a message of our own, whose report is nobody's.
    own: Option<u16>,
    /// A trap may have been set in it.
    wary: bool,
    garbled: bool,
    /// The tick at which the latest command ended.
    tick: u64,
    /// Which pair of outputs it writes to.
    pair: u32,
    next_pair: Option<JoinHandle<Result<Pair, LaunchError>>>,
    current: Option<Current>,
    tree: Arc<RemoteTree>,
}

struct Current {
    command: Option<ShellCommand>,
    output: Arc<RunOutput>,
    preparing: Option<BoxFuture<'static, Result<Vec<String>, LaunchError>>>,
    /// The command is on its way.
    sent: bool,
    own_pipes: bool,
    word: Option<String>,
    files: Vec<String>,
    report: Option<Report>,
    last_words: Option<Report>,
    fault: Option<&'static str>,
}

impl RemoteShell {
    /// Puts a message on its way.
    fn put(&mut self, text: Option<&str>, asked: Trailer, more: &str, mark: &str) {
        let trailer = Trailer {
            number: self.number,
            ..asked
        };
        let number = format!("{}{more}", trailer.text().trim_end_matches('\0'));
        let message = words::message(self.line.place.kind, text, &number, self.pair, mark);
        self.line.input.put(message.as_bytes());
    }

    /// Learns what every report says.
    fn note(&mut self, report: &Report) {
        self.tick = report.tick.unwrap_or(self.tick);
        if self.left.flags.is_empty() {
            self.left.flags.clone_from(&report.flags);
        }
    }

    /// Waits for whatever comes next. Safe to drop and call again.
    async fn more(&mut self, output: Option<&RunOutput>) {
        let Line {
            input,
            outputs: Pair { stdout, stderr },
            reports,
            exit,
            ended,
            ..
        } = &mut self.line;
        tokio::select! {
            () = reports.read(), if !reports.closed() => reports.take_all(&mut self.said),
            how = exit, if ended.is_none() => *ended = Some(how.map_or(End::Lost, End::from)),
            () = input.push(), if input.is_waiting() => {}
            () = stdout.read(), if !stdout.closed() && output.is_some() => {}
            () = stderr.read(), if !stderr.closed() && output.is_some() => {}
            // Every guard may be false when all has ended.
            else => *ended = Some(ended.unwrap_or(End::Lost)),
        }
        if let Some(output) = output {
            stdout.take(|bytes| output.append(Stream::Stdout, bytes));
            stderr.take(|bytes| output.append(Stream::Stderr, bytes));
        }
    }

    fn next_report(&mut self) -> Option<Report> {
        let found = match report::take(&mut self.said) {
            Found::Nothing => self.line.outputs.stdout.report(),
            found => found,
        };
        match found {
            Found::Nothing => None,
            Found::Report(report) => Some(*report),
            Found::Garbage => {
                tracing::warn!(target: "system", "a remote shell's report makes no sense");
                self.garbled = true;
                None
            }
        }
    }

    async fn await_end(&mut self) -> ShellReport {
        if !self.prepare().await {
            return self.refuse();
        }
        self.await_report().await;
        self.complete().await
    }

    /// Makes ready what the command needs and sends it. False: it was not sent.
    async fn prepare(&mut self) -> bool {
        let Some(current) = self.current.as_mut() else {
            return true;
        };
        if current.sent {
            return true;
        }
        if self.line.has_ended() {
            current.fault = match self.line.ended {
                Some(End::With(Status::Exited(_))) => None,
                Some(End::With(Status::Signaled(_))) => Some(ENDED_BY_SIGNAL),
                _ => Some(LOST_IDLE),
            };
            return false;
        }
        if let Some(preparing) = &mut current.preparing {
            let prepared = preparing.await;
            current.preparing = None;
            match prepared {
                Ok(files) => current.files = files,
                Err(error) => {
                    tracing::warn!(target: "system", %error, "input for a host was not handed over");
                    current.fault = Some(NO_INPUT);
                    return false;
                }
            }
        }
        if let Some(opening) = &mut self.next_pair {
            let opened = opening.await;
            self.next_pair = None;
            match opened {
                Ok(Ok(pair)) => self.line.outputs = pair,
                failed => {
                    let error = failed.map(Result::err);
                    tracing::warn!(target: "system", ?error, "no channel for a session's output");
                    self.garbled = true;
                    if let Some(current) = self.current.as_mut() {
                        current.fault = Some(NO_PAIR);
                    }
                    return false;
                }
            }
        }
        self.send();
        true
    }

    fn send(&mut self) {
        let Some(current) = self.current.as_mut() else {
            return;
        };
        current.sent = true;
        let Some(command) = current.command.take() else {
            return;
        };
        let directory = &self.line.place.directory;
        let mut redirections = String::new();
        if command.own_pipes && self.line.place.kind == Kind::Bash {
            redirections.push_str(&words::leash(directory, self.pair));
        }
        let mut first = String::new();
        if let Some(input) = &command.stdin {
            let name = current.files.first().cloned().unwrap_or_default();
            let path = words::quoted(&format!("{directory}/{name}"));
            if input.len() <= MAX_INLINE_INPUT {
                first = format!("{} >|{path};", words::printed(input));
            }
            redirections.push_str(&format!("<{path}"));
        }
        let around = Around {
            before: self.left.before(),
            cwd: command.cwd.as_deref().and_then(std::path::Path::to_str),
            env: &command.env,
            redirections: &redirections,
        };
        let text = [
            first,
            words::living(self.line.place.kind, &command.text, &around),
        ]
        .concat();
        self.wary |= script::may_trap(&command.text);
        self.number = self.number % script::MAX_NUMBER + 1;
        let asked = Trailer {
            number: self.number,
            env: command.report_env,
            traps: self.wary && self.line.place.kind == Kind::Bash,
        };
        let mark = self.shared.random(MARK_LETTERS);
        match self.line.place.kind {
            Kind::Bash => self.line.outputs.stdout.look_for_report(&mark),
            Kind::Posix => self.line.outputs.stdout.look_for(&mark),
        }
        self.line.outputs.stderr.look_for(&mark);
        let more = if command.own_pipes { "o" } else { "" };
        self.put(Some(&text), asked, more, &mark);
    }

    /// Waits until the command's report and the ends of its outputs are there, or the shell's end.
    async fn await_report(&mut self) {
        let Some(output) = self
            .current
            .as_ref()
            .map(|current| Arc::clone(&current.output))
        else {
            return;
        };
        loop {
            while let Some(report) = self.next_report() {
                self.hear(report);
            }
            let Some(current) = &self.current else { return };
            let Pair { stdout, stderr } = &self.line.outputs;
            let whole = current.report.is_some() && stdout.passed() && stderr.passed();
            if whole || self.garbled || self.line.ended.is_some() {
                return;
            }
            if self.line.reports.closed() && current.report.is_none() {
                // The shell ends as well, or nothing more can be heard of it.
                let exit = tokio::time::timeout(LAST_WORDS_PATIENCE, &mut self.line.exit).await;
                match exit {
                    Ok(how) => self.line.ended = Some(how.map_or(End::Lost, End::from)),
                    Err(_) => self.garbled = true,
                }
                return;
            }
            let reported = current.report.is_some();
            let more = self.more(Some(&output));
            if !reported {
                more.await;
            } else if tokio::time::timeout(MARK_PATIENCE, more).await.is_err() {
                self.garbled = true;
            }
        }
    }

    fn hear(&mut self, report: Report) {
        let Some(current) = self.current.as_mut() else {
            return;
        };
        match report.number {
            None => current.last_words = Some(report),
            Some(number) if number == self.number && current.sent => {
                current.report = Some(report);
            }
            Some(number) if Some(number) == self.own => {
                self.own = None;
                self.note(&report);
            }
            Some(number) => {
                tracing::warn!(target: "system", number, "a report of another command is dropped");
            }
        }
    }

    /// The shell has ended: takes what it has said and written last, after what it ran was ended.
    async fn take_last(&mut self) {
        let Some(current) = self.current.as_ref() else {
            return;
        };
        let output = Arc::clone(&current.output);
        let guard = Arc::clone(&self.line.guard);
        let killed = guard.ask(|number| format!("K {number} 0 {FOREVER} 1"));
        let _too_slow = tokio::time::timeout(KILL_PATIENCE, killed).await;
        if self.line.ended.is_none() {
            let exit = tokio::time::timeout(KILL_PATIENCE, &mut self.line.exit).await;
            self.line.ended = exit.ok().map(|how| how.map_or(End::Lost, End::from));
        }
        // A killed shell says nothing more; what it had said is on its way.
        let patience = match self.line.ended {
            Some(End::With(Status::Signaled(_))) => KILLED_WORDS_PATIENCE,
            _ => LAST_WORDS_PATIENCE,
        };
        let rest = async {
            loop {
                while let Some(report) = self.next_report() {
                    self.hear(report);
                }
                let Line {
                    outputs: Pair { stdout, stderr },
                    reports,
                    ..
                } = &mut self.line;
                stdout.take(|bytes| output.append(Stream::Stdout, bytes));
                stderr.take(|bytes| output.append(Stream::Stderr, bytes));
                // The guard stays until it is let go: after the shell's last words it has none.
                let current = self.current.as_ref();
                let said_all =
                    current.is_some_and(|it| it.report.is_some() || it.last_words.is_some());
                if stdout.closed() && stderr.closed() && (reports.closed() || said_all) {
                    return;
                }
                tokio::select! {
                    () = stdout.read(), if !stdout.closed() => {}
                    () = stderr.read(), if !stderr.closed() => {}
                    () = reports.read(), if !reports.closed() => reports.take_all(&mut self.said),
                }
            }
        };
        let _held_open_by_somebody = tokio::time::timeout(patience, rest).await;
    }

    async fn complete(&mut self) -> ShellReport {
        let tick = self
            .current
            .as_ref()
            .and_then(|current| current.report.as_ref()?.tick);
        let spoiled = self
            .tree
            .ends(tick.map_or(FOREVER, |tick| tick.saturating_add(1)))
            .await;
        if spoiled && self.line.ended.is_none() {
            let exit = tokio::time::timeout(KILL_PATIENCE, &mut self.line.exit).await;
            self.line.ended = Some(exit.map_or(End::Lost, |how| how.map_or(End::Lost, End::from)));
        }
        if self.garbled || self.line.has_ended() {
            self.take_last().await;
        }
        let forged = self
            .current
            .as_ref()
            .and_then(|current| current.report.as_ref())
            .is_some_and(|report| report.left.contains('!'));
        let place = if forged {
            self.real_directory().await
        } else {
            None
        };
        let answer = self.answer(place);
        self.line.input.push_all().await;
        if answer.rest.is_some() {
            // What starts now is told from what the command has left.
            tokio::time::sleep(TICK).await;
        }
        answer
    }

    /// Where the shell is, when `PWD` names another place.
    async fn real_directory(&mut self) -> Option<String> {
        let guard = Arc::clone(&self.line.guard);
        let asked = guard.ask(|number| format!("C {number}"));
        let said = tokio::time::timeout(LOOK_PATIENCE, asked).await.ok()??;
        Some(said).filter(|said| said.starts_with('/'))
    }

    fn answer(&mut self, place: Option<String>) -> ShellReport {
        let Some(current) = self.current.take() else {
            return nothing();
        };
        self.line.guard.remove(&current.files);
        let reported = current.report.as_ref().map(|report| report.status);
        let status = match (reported, self.line.ended) {
            (Some(code), _) => Status::Exited(code),
            (None, Some(End::With(status))) if !self.garbled => status,
            (None, _) => Status::Exited(UNKNOWN),
        };
        let ended = self.garbled || self.line.ended.is_some();
        let mut answer = ShellReport {
            status,
            ended,
            fault: self.fault(),
            ..nothing()
        };
        let mut left = String::new();
        if let Some(report) = current.report.or(current.last_words) {
            let said = place.unwrap_or(report.cwd);
            answer.cwd = Some(PathBuf::from(said)).filter(|said| said.is_absolute());
            answer.env = report.env;
            answer.job = report.job.filter(|job| self.last_job != Some(*job));
            self.last_job = report.job;
            left = report.left;
            let leaves = left.contains(['d', 'l']);
            let tick = report.tick.unwrap_or(self.tick);
            self.tick = tick.saturating_add(u64::from(leaves));
            self.left = Left {
                flags: report.flags,
                status: status.code(),
                pipeline: report.pipeline,
                word: current.word,
                traps: report.traps.unwrap_or_else(|| {
                    self.garbled = true;
                    answer.ended = true;
                    String::new()
                }),
            };
        }
        if !answer.ended {
            let job = answer.job.filter(|_| left.contains('l'));
            let streams = current.own_pipes && left.contains('d');
            answer.rest = self.rest(streams, job, current.output);
        }
        answer
    }

    /// Takes in what the command's stragglers go on writing, to a pair that the shell leaves at
    /// once: it would be waited for otherwise until the next command.
    fn rest(
        &mut self,
        streams: bool,
        job: Option<u32>,
        output: Arc<RunOutput>,
    ) -> Option<BoxFuture<'static, ()>> {
        let pair = streams.then(|| {
            self.pair = self.pair.saturating_add(1);
            let directory = self.line.place.directory.clone();
            let opening = pair::open(Arc::clone(&self.shared), directory, self.pair);
            self.next_pair = Some(self.shared.tasks.spawn(opening));
            self.ask(&words::move_to(self.pair), "s");
            self.own = Some(self.number);
            std::mem::replace(&mut self.line.outputs, Pair::none())
        });
        if pair.is_none() && job.is_none() {
            return None;
        }
        let guard = Arc::downgrade(&self.line.guard);
        Some(Box::pin(async move {
            if let Some(pair) = pair {
                pair.drain(&output).await;
            }
            if let (Some(job), Some(guard)) = (job, guard.upgrade()) {
                let ended = guard.ask(|number| format!("J {number} {job}"));
                drop(ended.await);
            }
        }))
    }

    fn fault(&self) -> Option<&'static str> {
        match self.line.ended {
            Some(End::Lost) => Some(LOST),
            _ if self.garbled => Some(GARBLED),
            Some(End::With(Status::Signaled(_))) => Some(ENDED_BY_SIGNAL),
            _ => None,
        }
    }

    /// The answer to a command that was not sent.
    fn refuse(&mut self) -> ShellReport {
        let current = self.current.take();
        let fault = current.and_then(|current| current.fault);
        let ended = self.garbled || self.line.has_ended();
        ShellReport {
            status: Status::Exited(UNKNOWN),
            ended,
            not_started: ended && fault != Some(NO_PAIR),
            fault,
            ..nothing()
        }
    }
}

const LOST_IDLE: &str = "the connection to the host was lost, and its shell with it; a new one takes over its directory and exported variables";

impl Shell for RemoteShell {
    fn pid(&self) -> u32 {
        self.line.place.pid
    }

    fn tree(&self) -> Arc<dyn Tree> {
        Arc::new(Held(Arc::clone(&self.tree)))
    }

    fn members(&self) -> Vec<u32> {
        Held(RemoteTree::new(&self.line.guard, 0, true, false)).members()
    }

    fn begin(&mut self, mut command: ShellCommand) -> Result<(), LaunchError> {
        let mut files = Vec::new();
        let mut preparing = None;
        if let Some(input) = &mut command.stdin {
            if input.len() > MAX_INPUT {
                return Err(broken("more than 8 MiB of input for a command on a host"));
            }
            let name = format!("in.{}", self.shared.random(MARK_LETTERS));
            if input.len() > MAX_INLINE_INPUT {
                // The bytes that stay tell that they do not travel with the command.
                let bytes = std::mem::replace(input, vec![0; MAX_INLINE_INPUT.saturating_add(1)]);
                let upload = pair::upload(
                    Arc::clone(&self.shared),
                    self.line.place.directory.clone(),
                    name,
                    bytes,
                );
                preparing = Some(Box::pin(upload) as BoxFuture<'static, _>);
            } else {
                files.push(name);
            }
        }
        self.tree = RemoteTree::new(&self.line.guard, self.tick, command.single, true);
        self.current = Some(Current {
            output: Arc::clone(&command.output),
            preparing,
            sent: false,
            own_pipes: command.own_pipes,
            word: restore::last_word(&command.text).map(str::to_owned),
            files,
            report: None,
            last_words: None,
            fault: None,
            command: Some(command),
        });
        Ok(())
    }

    fn finish(&mut self) -> BoxFuture<'_, ShellReport> {
        Box::pin(self.await_end())
    }

    fn has_ended(&mut self) -> bool {
        self.garbled || self.line.has_ended()
    }

    fn job_status(&mut self, job: u32) -> BoxFuture<'_, Option<Status>> {
        Box::pin(self.ask_after(job))
    }

    fn end(mut self: Box<Self>, grace: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let pauses = grace.as_millis() / 50;
            let asked = self.line.guard.ask(|number| format!("A {number} {pauses}"));
            let patience = grace.saturating_add(KILL_PATIENCE);
            let _gone_already = tokio::time::timeout(patience, asked).await;
            if self.line.ended.is_none() {
                let _lost = tokio::time::timeout(KILL_PATIENCE, &mut self.line.exit).await;
            }
        })
    }
}

/// A report of nothing, to build on.
const fn nothing() -> ShellReport {
    ShellReport {
        status: Status::Exited(UNKNOWN),
        ended: true,
        not_started: false,
        cwd: None,
        env: None,
        job: None,
        rest: None,
        fault: None,
    }
}
