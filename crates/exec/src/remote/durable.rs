//! Runs that outlive their connection.
//!
//! A holder in plain sh stays on the host beside the command, in a session of its own. It keeps
//! what the command writes in files of the state directory, bounded, and writes down how it ended.
//! Whoever comes later with the [`Durable`]'s three words reads on where the output broke off, so
//! that a cut of the network costs nothing and nothing is run twice. The directory is removed when
//! all was read ([`RemoteExecutor::forget`]), or swept a week after the last change.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_ssh::RemoteExit;

use super::durable_words::{self, Work};
use super::flow::Flow;
use super::input::Input;
use super::line::{Pair, past_noise};
use super::words::ENTRY;
use super::{RemoteExecutor, Shared};
use crate::journal::{RunOutput, Stream, Totals};

/// Bytes that a host keeps of each stream of one run; what follows is counted and dropped.
pub const HOST_CAP: u64 = 1024 * 1024 * 1024;
/// From asking for a holder to its word.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// For a signal, and for the removal.
const ACT_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of what is told about a run's processes.
const MAX_LOOK: u64 = 4 * 1024 * 1024;
/// Letters of a run's name, and of marks.
const ID_LETTERS: usize = 20;
/// More than what a holder says of itself.
const MAX_WORDS: usize = 64 * 1024;

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct DurableRun {
    /// The text, for bash where there is one.
    pub text: String,
    /// The directory to start in; the login's when absent.
    pub cwd: Option<String>,
    /// Variables on top of the login's environment.
    pub env: Vec<(String, String)>,
    /// Bytes for standard input.
    pub stdin: Vec<u8>,
}

/// Where a run is kept: enough to find it again after anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    /// The name by which its processes are found.
    pub id: String,
    /// The state directory.
    pub directory: String,
    /// The holder's process.
    pub pid: u32,
}

/// How a run that was followed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurableEnd {
    /// With this code, as a shell reports it.
    Code(i32),
    /// Its holder was killed or the machine was restarted, so that nobody knows.
    Unknown,
    /// There is no such run on the host, or no more.
    Gone,
}

/// Why a run was not started, or is not followed any more.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// No channel.
    #[error(transparent)]
    Open(#[from] wharf_ssh::Error),
    /// The connection was lost. What was started goes on, and can be followed again.
    #[error("the connection to the host was lost; the command goes on there")]
    Lost,
    /// The host did not do its part.
    #[error("the host did not {0}")]
    Refused(String),
    /// It took too long.
    #[error("the host did not {what} within {} s", within.as_secs())]
    TooSlow {
        /// What.
        what: &'static str,
        /// Its time.
        within: Duration,
    },
}

impl RemoteExecutor {
    /// Starts a run that outlives this connection.
    ///
    /// # Errors
    /// [`DurableError::Lost`] says that it may have begun all the same; it is not begun twice.
    pub async fn start_durable(&self, run: &DurableRun) -> Result<Durable, DurableError> {
        self.shared.start_durable(run).await
    }

    /// Takes what a run writes into `output` until it has ended, from where `output` is now: what
    /// it has got already is not fetched again.
    ///
    /// # Errors
    /// [`DurableError::Lost`]: ask again, and it goes on where this broke off.
    pub async fn follow(
        &self,
        run: &Durable,
        output: &RunOutput,
    ) -> Result<DurableEnd, DurableError> {
        self.shared.follow(run, output, Totals::default()).await
    }

    /// Sends a signal, named without `SIG`, to all processes of a run but its holder. With `KILL`
    /// none is left.
    ///
    /// # Errors
    /// When the host does not do it in its time.
    pub async fn signal_durable(&self, run: &Durable, signal: &str) -> Result<(), DurableError> {
        self.shared.signal_durable(run, signal).await
    }

    /// Ends what is left of a run and removes what it has left behind.
    ///
    /// # Errors
    /// When the host does not do it in its time.
    pub async fn forget(&self, run: &Durable) -> Result<(), DurableError> {
        self.shared.forget(run).await
    }
}

impl Shared {
    pub(super) async fn start_durable(&self, run: &DurableRun) -> Result<Durable, DurableError> {
        let starting = self.start_holder(run);
        match tokio::time::timeout(START_PATIENCE, starting).await {
            Ok(started) => started,
            Err(_) => Err(DurableError::TooSlow {
                what: "start the command",
                within: START_PATIENCE,
            }),
        }
    }

    async fn start_holder(&self, run: &DurableRun) -> Result<Durable, DurableError> {
        let (id, mark) = (self.random(ID_LETTERS), self.random(ID_LETTERS));
        let work = Work {
            text: &run.text,
            cwd: run.cwd.as_deref(),
            env: &run.env,
            cap: HOST_CAP,
            input: run.stdin.len(),
        };
        let mut channel = self.opener.open(ENTRY).await?;
        let line = durable_words::start(&id, &mark, &work);
        let sent = async {
            channel.stdin.write_all(line.as_bytes()).await?;
            channel.stdin.write_all(&run.stdin).await?;
            channel.stdin.shutdown().await
        };
        sent.await.map_err(|_| DurableError::Lost)?;
        let (mut stdout, mut stderr) = (Flow::new(channel.stdout), Flow::new(channel.stderr));
        let started = past_noise(&mut stdout, &mut stderr, &mark).await;
        started.map_err(|error| DurableError::Refused(format!("start the command: {error}")))?;
        let mut said = Vec::new();
        loop {
            stdout.take_all(&mut said);
            let mut fields = said.split(|byte| *byte == 0).map(String::from_utf8_lossy);
            if let (Some(directory), Some(pid), Some(_)) =
                (fields.next(), fields.next(), fields.next())
            {
                return match (directory.is_empty(), pid.parse()) {
                    (false, Ok(pid)) => Ok(Durable {
                        id,
                        directory: directory.into_owned(),
                        pid,
                    }),
                    _ => Err(DurableError::Refused(
                        "make a place for the command's output".to_owned(),
                    )),
                };
            }
            if stdout.closed() || said.len() > MAX_WORDS {
                return Err(DurableError::Lost);
            }
            stdout.read().await;
        }
    }

    pub(super) async fn follow(
        &self,
        run: &Durable,
        output: &RunOutput,
        before: Totals,
    ) -> Result<DurableEnd, DurableError> {
        let (start, mark) = (self.random(ID_LETTERS), self.random(ID_LETTERS));
        let seen = output.totals();
        let channel = self.opener.open(ENTRY).await?;
        // Held open: its end is the follower's.
        let mut input = Input::new(channel.stdin);
        let (out, err) = (
            seen.stdout.saturating_sub(before.stdout),
            seen.stderr.saturating_sub(before.stderr),
        );
        let line = durable_words::follow(&run.directory, out, err, &mark, &start);
        input.put(line.as_bytes());
        input.push_all().await;
        let mut pair = Pair {
            stdout: Flow::new(channel.stdout),
            stderr: Flow::new(channel.stderr),
        };
        let noise = past_noise(&mut pair.stdout, &mut pair.stderr, &start).await;
        noise.map_err(|_| DurableError::Lost)?;
        pair.stdout.look_for(&mark);
        pair.stderr.look_for(&mark);
        loop {
            let Pair { stdout, stderr } = &mut pair;
            stdout.take(|bytes| output.append(Stream::Stdout, bytes));
            stderr.take(|bytes| output.append(Stream::Stderr, bytes));
            if stdout.found() && stderr.found() {
                break;
            }
            if stdout.closed() && !stdout.found() || stderr.closed() && !stderr.found() {
                return Err(DurableError::Lost);
            }
            tokio::select! {
                () = stdout.read(), if !stdout.closed() => {}
                () = stderr.read(), if !stderr.closed() => {}
            }
        }
        let mut code = Vec::new();
        loop {
            pair.stdout.take_all(&mut code);
            if pair.stdout.closed() || code.contains(&b' ') {
                break;
            }
            pair.stdout.read().await;
        }
        let code = String::from_utf8_lossy(&code);
        match (code.trim().parse(), code.contains(' ')) {
            (Ok(code), true) => Ok(DurableEnd::Code(code)),
            (Err(_), true) => Ok(DurableEnd::Unknown),
            // Without a directory there is nothing behind the mark.
            _ => match channel.exit.await {
                Ok(RemoteExit::Code(3)) => Ok(DurableEnd::Gone),
                _ => Err(DurableError::Lost),
            },
        }
    }

    pub(super) async fn signal_durable(
        &self,
        run: &Durable,
        signal: &str,
    ) -> Result<(), DurableError> {
        if !signal.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(DurableError::Refused(format!("know a signal {signal}")));
        }
        self.tell(&durable_words::signal(&run.id, signal), "send the signal")
            .await
    }

    pub(super) async fn forget(&self, run: &Durable) -> Result<(), DurableError> {
        let line = durable_words::remove(&run.id, &run.directory);
        self.tell(&line, "remove what the command left").await
    }

    /// The processes of a run but its holder, and the ports on which they listen.
    pub(super) async fn look_durable(
        &self,
        run: &Durable,
    ) -> Result<(Vec<u32>, Vec<u16>), DurableError> {
        let mark = self.random(ID_LETTERS);
        let looked = async {
            let mut channel = self.opener.open(ENTRY).await?;
            let line = durable_words::look(&run.id, &mark);
            let sent = channel.stdin.write_all(line.as_bytes()).await;
            sent.map_err(|_| DurableError::Lost)?;
            let mut said = Vec::new();
            let mut from = channel.stdout.take(MAX_LOOK);
            let read = from.read_to_end(&mut said).await;
            read.map_err(|_| DurableError::Lost)?;
            let said = String::from_utf8_lossy(&said);
            let mut parts = said.split(mark.as_str()).skip(1);
            let processes = parts.next().and_then(|part| part.split_once('\n'));
            let (numbers, descriptors) = processes.ok_or(DurableError::Lost)?;
            let pids = numbers
                .split_whitespace()
                .filter_map(|pid| pid.parse().ok());
            let sockets = crate::ports::sockets_in(descriptors);
            let ports = crate::ports::in_tables(parts.next().unwrap_or_default(), &sockets);
            Ok((pids.collect(), ports))
        };
        tokio::time::timeout(ACT_PATIENCE, looked)
            .await
            .map_err(|_| DurableError::TooSlow {
                what: "tell about the command's processes",
                within: ACT_PATIENCE,
            })?
    }

    async fn tell(&self, line: &str, what: &'static str) -> Result<(), DurableError> {
        let told = async {
            let mut channel = self.opener.open(ENTRY).await?;
            let sent = channel.stdin.write_all(line.as_bytes()).await;
            sent.map_err(|_| DurableError::Lost)?;
            match channel.exit.await {
                Ok(RemoteExit::Code(_)) => Ok(()),
                _ => Err(DurableError::Lost),
            }
        };
        tokio::time::timeout(ACT_PATIENCE, told)
            .await
            .map_err(|_| DurableError::TooSlow {
                what,
                within: ACT_PATIENCE,
            })?
    }
}
