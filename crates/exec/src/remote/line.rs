//! A shell on the far side with its guard: how both are opened, and what is known of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Shared;
use super::flow::Flow;
use super::guard::Guard;
use super::guard_words;
use super::hosts::host_error;
use super::input::Input;
use super::words::{self, ENTRY, Kind, Purpose};
use crate::executor::{LaunchError, Status};
use wharf_ssh::{Channel, RemoteExit};

/// From asking for a shell to its first word.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// What a login shell may print before the shell that was asked for speaks.
const MAX_NOISE: usize = 16 * 1024 * 1024;
/// What a shell says of itself at its start.
const FIELDS: usize = 5;
/// More than a report can be long while it is not whole.
const MAX_FIRST_WORDS: usize = 64 * 1024;

/// A pair of output streams.
pub(super) struct Pair {
    pub(super) stdout: Flow,
    pub(super) stderr: Flow,
}

/// A shell on the far side.
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) input: Input,
    pub(super) outputs: Pair,
    pub(super) reports: Flow,
    pub(super) exit: oneshot::Receiver<RemoteExit>,
    pub(super) ended: Option<End>,
    pub(super) guard: Arc<Guard>,
}

/// How a shell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    With(Status),
    /// The connection is gone, and what became of it is not known.
    Lost,
}

/// What is known of a shell.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) directory: String,
    pub(super) pid: u32,
    pub(super) kind: Kind,
    /// The path of the shell's program.
    pub(super) program: String,
}

impl Line {
    /// Opens both channels. `bare`: the shell gets nothing of the login's environment.
    pub(super) async fn open(
        shared: &Arc<Shared>,
        purpose: Purpose,
        bare: bool,
    ) -> Result<Self, LaunchError> {
        let opened = Self::open_now(shared, purpose, bare);
        match tokio::time::timeout(START_PATIENCE, opened).await {
            Ok(line) => line,
            Err(_) => Err(LaunchError::TooSlow {
                what: "the shell on the host",
                within: START_PATIENCE,
            }),
        }
    }

    async fn open_now(
        shared: &Arc<Shared>,
        purpose: Purpose,
        bare: bool,
    ) -> Result<Self, LaunchError> {
        let (id, mark) = (shared.random(ID_LETTERS), shared.random(START_LETTERS));
        let (shell, guard) = {
            let _one_at_a_time = shared.channels.lock().await;
            // Their round trips are made at the same time.
            tokio::join!(shared.opener.open(ENTRY), shared.opener.open(ENTRY))
        };
        let (shell, guard) = (shell.map_err(host_error)?, guard.map_err(host_error)?);
        let Channel {
            stdin,
            stdout,
            stderr,
            exit,
        } = shell;
        let mut input = Input::new(stdin);
        let (mut stdout, mut stderr) = (Flow::new(stdout), Flow::new(stderr));
        input.put(words::start(&id, &mark, purpose, bare).as_bytes());
        input.push_all().await;
        past_noise(&mut stdout, &mut stderr, &mark).await?;
        let place = place(&mut stdout, id).await?;
        let (guard, reports) = guarded(shared, guard, &place).await?;
        Ok(Self {
            place: place.0,
            input,
            outputs: Pair { stdout, stderr },
            reports,
            exit,
            ended: None,
            guard: Arc::new(guard),
        })
    }

    /// Whether the shell has ended, as far as it is known without waiting.
    pub(super) fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = match self.exit.try_recv() {
                Ok(exit) => Some(exit.into()),
                Err(oneshot::error::TryRecvError::Empty) => None,
                Err(oneshot::error::TryRecvError::Closed) => Some(End::Lost),
            };
        }
        self.ended.is_some() || self.guard.is_gone()
    }
}

impl From<RemoteExit> for End {
    fn from(exit: RemoteExit) -> Self {
        match exit {
            RemoteExit::Code(code) => {
                Self::With(Status::Exited(i32::try_from(code).unwrap_or(255)))
            }
            RemoteExit::Signal(name) => Self::With(Status::Signaled(signal(&name))),
            RemoteExit::Silent | RemoteExit::Lost(_) => Self::Lost,
        }
    }
}

/// The number of a signal as the protocol names it. Those that it does not name are told by a
/// server's own word for them, and count as a kill.
fn signal(name: &str) -> i32 {
    match name {
        "ABRT" => libc::SIGABRT,
        "ALRM" => libc::SIGALRM,
        "FPE" => libc::SIGFPE,
        "HUP" => libc::SIGHUP,
        "ILL" => libc::SIGILL,
        "INT" => libc::SIGINT,
        "PIPE" => libc::SIGPIPE,
        "QUIT" => libc::SIGQUIT,
        "SEGV" => libc::SIGSEGV,
        "TERM" => libc::SIGTERM,
        "USR1" => libc::SIGUSR1,
        "USR2" => libc::SIGUSR2,
        _ => libc::SIGKILL,
    }
}

/// Letters of a shell's name.
const ID_LETTERS: usize = 20;
/// Letters of the mark behind what a login shell prints.
const START_LETTERS: usize = 32;

pub(super) fn broken(text: &str) -> LaunchError {
    LaunchError::System(std::io::Error::other(text.to_owned()))
}

/// Drops what comes before the mark on both streams.
pub(crate) async fn past_noise(
    stdout: &mut Flow,
    stderr: &mut Flow,
    mark: &str,
) -> Result<(), LaunchError> {
    stdout.look_for(mark);
    stderr.look_for(mark);
    let mut noise = Noise::default();
    loop {
        noise.hear(stdout);
        noise.hear(stderr);
        let lost = |flow: &Flow, passed: bool| flow.closed() && !passed;
        let (out, err) = (stdout.found(), stderr.found());
        if out && err {
            return Ok(());
        }
        if lost(stdout, out) || lost(stderr, err) {
            // The other stream may say why.
            let rest = async {
                while !(stdout.closed() && stderr.closed()) {
                    tokio::select! {
                        () = stdout.read(), if !stdout.closed() => {}
                        () = stderr.read(), if !stderr.closed() => {}
                    }
                    noise.hear(stdout);
                    noise.hear(stderr);
                }
            };
            let _held_open = tokio::time::timeout(REASON_PATIENCE, rest).await;
            let reason = String::from_utf8_lossy(&noise.last);
            let reason = reason.trim();
            return Err(broken(&format!(
                "the host did not start a shell{}{reason}",
                if reason.is_empty() { "" } else { ": " }
            )));
        }
        if noise.bytes > MAX_NOISE {
            return Err(broken("the login shell prints without end"));
        }
        tokio::select! {
            () = stdout.read(), if !stdout.closed() => {}
            () = stderr.read(), if !stderr.closed() => {}
        }
    }
}

/// From the end of one stream to that of the other.
const REASON_PATIENCE: Duration = Duration::from_millis(500);
/// What is told of a reason.
const MAX_REASON: usize = 300;

/// What a login shell prints.
#[derive(Default)]
struct Noise {
    bytes: usize,
    /// What it says last is the reason, where nothing else is started.
    last: Vec<u8>,
}

impl Noise {
    fn hear(&mut self, flow: &mut Flow) {
        flow.take(|bytes| {
            self.bytes = self.bytes.saturating_add(bytes.len());
            if !bytes.is_empty() {
                let from = bytes.len().saturating_sub(MAX_REASON);
                self.last = bytes.get(from..).unwrap_or_default().to_vec();
            }
        });
    }
}

/// What the shell says of itself behind the mark, and its session.
async fn place(stdout: &mut Flow, id: String) -> Result<(Place, u32), LaunchError> {
    let mut said = Vec::new();
    loop {
        stdout.take_all(&mut said);
        let mut fields = said.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        if said.iter().filter(|byte| **byte == 0).count() >= FIELDS {
            let mut next = || fields.next().unwrap_or_default().into_owned();
            let (directory, pid, session, kind, program) = (next(), next(), next(), next(), next());
            if directory.is_empty() {
                return Err(broken(
                    "the host has no place where a state directory could be made: not below ~/.cache, XDG_RUNTIME_DIR or /tmp",
                ));
            }
            let kind = if kind == "bash" {
                Kind::Bash
            } else {
                Kind::Posix
            };
            let pid = pid.parse().unwrap_or(0);
            let place = Place {
                id,
                directory,
                pid,
                kind,
                program,
            };
            return Ok((place, session.parse().unwrap_or(0)));
        }
        if stdout.closed() || said.len() > MAX_FIRST_WORDS {
            return Err(broken("the host's shell ended as it started"));
        }
        stdout.read().await;
    }
}

async fn guarded(
    shared: &Arc<Shared>,
    channel: Channel,
    place: &(Place, u32),
) -> Result<(Guard, Flow), LaunchError> {
    let (place, session) = place;
    let mark = shared.random(START_LETTERS);
    let mut input = Input::new(channel.stdin);
    let (mut stdout, mut stderr) = (Flow::new(channel.stdout), Flow::new(channel.stderr));
    let program = guard_words::program(&place.id, &place.directory, place.pid, *session, &mark);
    input.put(program.as_bytes());
    input.push_all().await;
    past_noise(&mut stdout, &mut stderr, &mark).await?;
    let guard = Guard::new(input, stderr, channel.exit, &shared.tasks);
    Ok((guard, stdout))
}
