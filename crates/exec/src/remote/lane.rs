//! A lane: a shell that runs one stateless command after the other, each in a subshell that is
//! forked before the command is there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::line::{End, Line, Pair, broken};
use super::words::{self, Kind, Purpose};
use crate::executor::{Launch, LaunchError, Program};
use crate::journal::{RunOutput, Stream};
use crate::local::shell_argv;
use crate::shell::report::{self, Found, Report};
use crate::shell::script;

/// From opening a lane to its first report.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// Letters of the mark behind a run's output.
const MARK_LETTERS: usize = 9;

/// A shell for stateless runs.
pub(super) struct Lane {
    pub(super) line: Line,
    said: Vec<u8>,
    number: u16,
    /// What will stand behind the output of the next run.
    mark: String,
    _room: OwnedSemaphorePermit,
}

/// What a lane says.
pub(super) enum Word {
    Report(Box<Report>),
    /// The run's first process.
    Pid(u32),
    /// Nothing was started.
    Failed(Failure),
    Garbage,
}

/// Why nothing was started.
pub(super) enum Failure {
    NotFound,
    NotExecutable,
    Cwd(i32),
}

impl Lane {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        room: OwnedSemaphorePermit,
    ) -> Result<Self, LaunchError> {
        let line = Line::open(shared, Purpose::Lane, false).await?;
        let mut lane = Self {
            line,
            said: Vec::new(),
            number: script::FIRST,
            mark: shared.random(MARK_LETTERS),
            _room: room,
        };
        let first = match lane.line.place.kind {
            Kind::Bash => format!("-\0{}\0", lane.mark),
            Kind::Posix => format!("{} -\n", script::FIRST),
        };
        lane.line.input.put(first.as_bytes());
        lane.look_for("-");
        let heard = tokio::time::timeout(START_PATIENCE, lane.hear_first()).await;
        if heard != Ok(true) {
            return Err(broken("the host's shell ended as it started"));
        }
        lane.fork_ahead(shared).await;
        Ok(lane)
    }

    async fn hear_first(&mut self) -> bool {
        let mut reported = false;
        while !reported || !self.outputs_passed() {
            if self.line.ended.is_some() || self.line.reports.closed() {
                return false;
            }
            self.more(None).await;
            reported |= matches!(self.next(), Some(Word::Report(_)));
        }
        true
    }

    /// It forks for the next run.
    pub(super) async fn fork_ahead(&mut self, shared: &Shared) {
        self.number = self.number % script::MAX_NUMBER + 1;
        if self.line.place.kind == Kind::Posix {
            self.mark = shared.random(MARK_LETTERS);
            let message = format!("{} {}\n", self.number, self.mark);
            self.line.input.put(message.as_bytes());
        }
        self.line.input.push_all().await;
    }

    /// Nothing has happened to the fork that waits, as far as it is known without waiting.
    pub(super) async fn is_quiet(&mut self) -> bool {
        if self.line.has_ended() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.more(None) => false,
            () = std::future::ready(()) => true,
        }
    }

    /// Gives the fork that waits its text.
    pub(super) async fn begin(&mut self, shared: &Shared, text: &str) {
        let mark = std::mem::take(&mut self.mark);
        self.look_for(&mark);
        let message = match self.line.place.kind {
            Kind::Bash => {
                self.mark = shared.random(MARK_LETTERS);
                format!("{text}\0{}\0", self.mark)
            }
            Kind::Posix => {
                let lines = text.matches('\n').count().saturating_add(1);
                format!("{lines}\n{text}\n")
            }
        };
        self.line.input.put(message.as_bytes());
        // It runs from here on, whether or not anybody waits for it.
        self.line.input.push_all().await;
    }

    fn look_for(&mut self, mark: &str) {
        let Line { place, outputs, .. } = &mut self.line;
        match place.kind {
            Kind::Bash => outputs.stdout.look_for_report(mark),
            Kind::Posix => outputs.stdout.look_for(mark),
        }
        outputs.stderr.look_for(mark);
    }

    pub(super) fn outputs_passed(&self) -> bool {
        let Pair { stdout, stderr } = &self.line.outputs;
        stdout.passed() && stderr.passed()
    }

    /// Waits for whatever comes next. Safe to drop and call again.
    pub(super) async fn more(&mut self, output: Option<&RunOutput>) {
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
            () = stdout.read(), if !stdout.closed() => {}
            () = stderr.read(), if !stderr.closed() => {}
            else => *ended = Some(ended.unwrap_or(End::Lost)),
        }
        stdout.take(|bytes| write(output, Stream::Stdout, bytes));
        stderr.take(|bytes| write(output, Stream::Stderr, bytes));
    }

    /// The next thing that it has said.
    pub(super) fn next(&mut self) -> Option<Word> {
        if self.said.first() == Some(&b'!') {
            let mut fields = self.said.splitn(3, |byte| *byte == 0);
            let (kind, value, _) = (fields.next()?, fields.next()?, fields.next()?);
            let length = kind.len().saturating_add(value.len()).saturating_add(2);
            let value = String::from_utf8_lossy(value).parse();
            let word = match (kind, value) {
                (b"!pid", Ok(pid)) => Word::Pid(pid),
                (b"!cwd", Ok(error)) => {
                    Word::Failed(Failure::Cwd(i32::try_from(error).unwrap_or(libc::ENOENT)))
                }
                (b"!none", _) => Word::Failed(Failure::NotFound),
                (b"!unfit", _) => Word::Failed(Failure::NotExecutable),
                _ => Word::Garbage,
            };
            self.said.drain(..length.min(self.said.len()));
            return Some(word);
        }
        let found = match report::take(&mut self.said) {
            Found::Nothing => self.line.outputs.stdout.report(),
            found => found,
        };
        match found {
            Found::Nothing => None,
            Found::Garbage => Some(Word::Garbage),
            Found::Report(report) if report.number == Some(self.number) => {
                Some(Word::Report(report))
            }
            Found::Report(_) => Some(Word::Garbage),
        }
    }

    /// The text of a run. `input` is a file of the state directory.
    pub(super) fn text(
        &self,
        launch: &Launch,
        input: Option<&str>,
        inline: Option<&[u8]>,
    ) -> String {
        let place = &self.line.place;
        let (posix, reports) = (
            place.kind == Kind::Posix,
            words::quoted(&format!("{}/r", place.directory)),
        );
        let tell = |kind: &str, value: &str| {
            format!("printf '%s\\000%s\\000' '!{kind}' {value} 1<>{reports}")
        };
        let mut text =
            "unset -v __w __wc __wl __wv __wn __wd __wm __wo __ws __wf __wz __c;".to_owned();
        if launch.wants_pid && posix {
            let told = tell("pid", "\"${__wp:-0}\"");
            text.push_str(&format!(
                "IFS=' ' read -r __wp __wz </proc/self/stat;{told};unset __wp __wz;"
            ));
        } else if launch.wants_pid {
            text.push_str(&format!("{};", tell("pid", "\"$BASHPID\"")));
        }
        if let Some(name) = input {
            let path = words::quoted(&format!("{}/{name}", place.directory));
            if let Some(bytes) = inline {
                text.push_str(&format!("{} >|{path};", words::printed(bytes)));
            }
            text.push_str(&format!("exec 0<{path};"));
        }
        if let Some(cwd) = launch.cwd.as_deref().and_then(std::path::Path::to_str) {
            let told = tell("cwd", "$?");
            text.push_str(&format!(
                "{} || {{ {told}; exit 1; }};unset OLDPWD;",
                words::enter(cwd)
            ));
        }
        text.push_str(&words::exports(&launch.env));
        match &launch.program {
            Program::Direct(argv) => text.push_str(&direct(argv, &tell)),
            Program::Shell {
                text: command,
                forkable: true,
            } => text.push_str(command),
            Program::Shell { text: command, .. } => {
                text.push_str(&fresh(place.kind, &place.program, command));
            }
        }
        text
    }
}

fn write(output: Option<&RunOutput>, stream: Stream, bytes: &[u8]) {
    if let Some(output) = output {
        output.append(stream, bytes);
    }
}

/// One program in the place of the subshell.
fn direct(argv: &[String], tell: &dyn Fn(&str, &str) -> String) -> String {
    let name = argv.first().map(String::as_str).unwrap_or_default();
    let word = words::quoted(name);
    let (none, unfit) = (tell("none", "0"), tell("unfit", "0"));
    let there = if name.contains('/') {
        format!(
            "[ -e {word} ] || {{ {none}; exit 127; }}; [ -x {word} ] && [ ! -d {word} ] || {{ {unfit}; exit 126; }};"
        )
    } else {
        format!("command -v -- {word} >/dev/null 2>&1 || {{ {none}; exit 127; }};")
    };
    let argv: Vec<String> = argv.iter().map(|word| words::quoted(word)).collect();
    format!("{there}exec {}", argv.join(" "))
}

/// A shell of its own in the place of the subshell.
fn fresh(kind: Kind, program: &str, command: &str) -> String {
    let argv = shell_argv(command);
    let options = if kind == Kind::Bash { 1 } else { 3 };
    let argv: Vec<String> = argv
        .iter()
        .skip(options)
        .map(|word| words::quoted(word))
        .collect();
    let program = words::quoted(program);
    match kind {
        Kind::Bash => format!("exec -a bash {program} {}", argv.join(" ")),
        Kind::Posix => format!("exec {program} {}", argv.join(" ")),
    }
}
