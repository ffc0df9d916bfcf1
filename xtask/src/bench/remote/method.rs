//! The ways in which `true` is run on the host.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::host::{Host, Place};
use crate::bench::load::drive;
use crate::bench::target::{Expected, Kind, Target, check};

/// What a round does.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) place: Place,
    /// In a living session, where the method knows such a thing.
    pub(super) living: bool,
    pub(super) clients: usize,
    pub(super) requests: usize,
}

/// What a round took.
pub(super) struct Took {
    pub(super) latencies: Vec<Duration>,
    pub(super) wall: Duration,
}

pub(super) trait Method {
    fn round(&mut self, task: Task) -> Result<Took>;
}

/// Wharf's server, over HTTP.
pub(super) struct Http {
    target: Target,
    sessions: [Vec<String>; 2],
}

impl Http {
    pub(super) fn start(kind: &Kind, logs: &Path, host: &Host) -> Result<Self> {
        let target = Target::start(kind, logs)?;
        let home = target.started.as_ref().context("a server of ours")?.home();
        let folder = home.join(".ssh");
        fs::create_dir_all(&folder).context("making a folder for the configuration")?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).context("its mode")?;
        fs::copy(host.config(), folder.join("config")).context("copying the configuration")?;
        Ok(Self {
            target,
            sessions: Default::default(),
        })
    }
}

impl Method for Http {
    fn round(&mut self, task: Task) -> Result<Took> {
        let host = task.place.alias();
        let mut payloads = Vec::with_capacity(task.clients);
        if task.living {
            let [near, far] = &mut self.sessions;
            let sessions = match task.place {
                Place::Near => near,
                Place::Far => far,
            };
            while sessions.len() < task.clients {
                sessions.push(self.target.create_session_on(host)?);
            }
            let sessions = sessions.iter().take(task.clients);
            payloads.extend(sessions.map(|session| self.target.command("true", Some(session))));
        } else {
            payloads.resize(task.clients, self.target.command_on(host, "true"));
        }
        let round = drive(self.target.address, &payloads, task.requests)?;
        for body in &round.bodies {
            check(body, &Expected::Text(""))?;
        }
        Ok(Took {
            latencies: round.latencies,
            wall: round.wall,
        })
    }
}

/// A program that does what the lines on its input say: `session CLIENTS ROUNDS` or `lane CLIENTS
/// ROUNDS`, and answers in milliseconds, all together first. One for each place.
pub(super) struct Driven {
    program: Vec<PathBuf>,
    near: Option<Driver>,
    far: Option<Driver>,
    arguments: [[String; 4]; 2],
}

struct Driver {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Driven {
    /// `program` with its first arguments; the port, the account, the key and the known hosts
    /// follow.
    pub(super) fn new(program: Vec<PathBuf>, host: &Host) -> Self {
        let arguments = [Place::Near, Place::Far].map(|place| {
            [
                host.port(place).to_string(),
                host.user.clone(),
                host.key().display().to_string(),
                host.known_hosts().display().to_string(),
            ]
        });
        Self {
            program,
            near: None,
            far: None,
            arguments,
        }
    }
}

impl Method for Driven {
    fn round(&mut self, task: Task) -> Result<Took> {
        let [near, far] = &self.arguments;
        let (driver, arguments) = match task.place {
            Place::Near => (&mut self.near, near),
            Place::Far => (&mut self.far, far),
        };
        let driver = match driver {
            Some(driver) => driver,
            none => none.insert(Driver::start(&self.program, arguments)?),
        };
        let kind = if task.living { "session" } else { "lane" };
        driver.ask(kind, task.clients, (task.requests / task.clients).max(1))
    }
}

impl Driver {
    fn start(program: &[PathBuf], arguments: &[String]) -> Result<Self> {
        let (program, first) = program.split_first().context("a program")?;
        let mut child = Command::new(program)
            .args(first)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("a driver's output")?);
        Ok(Self {
            child,
            input,
            output,
        })
    }

    fn ask(&mut self, kind: &str, clients: usize, rounds: usize) -> Result<Took> {
        let input = self.input.as_mut().context("a driver's input")?;
        writeln!(input, "{kind} {clients} {rounds}").context("asking a driver")?;
        let mut line = String::new();
        let count = self.output.read_line(&mut line);
        if count.context("hearing a driver")? == 0 || line.starts_with("error") {
            bail!("a driver ended or failed: {}", line.trim());
        }
        let figures: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        let figures = figures.with_context(|| format!("figures, not {line:?}"))?;
        let (wall, latencies) = figures.split_first().context("figures")?;
        let time = |milliseconds: &f64| Duration::from_secs_f64(milliseconds / 1e3);
        Ok(Took {
            latencies: latencies.iter().map(time).collect(),
            wall: time(wall),
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends with its input, and takes what it has on the host along.
        drop(self.input.take());
        let asked = Instant::now();
        while asked.elapsed() < GRACE && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// From the end of a driver's input to its own.
const GRACE: Duration = Duration::from_secs(15);

/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// OpenSSH with a connection that is shared: a process for each command.
pub(super) struct ControlMaster {
    config: PathBuf,
    sockets: [PathBuf; 2],
    is_open: [bool; 2],
}

impl ControlMaster {
    /// Fewer commands tell as much of what takes so long.
    const SHARE: usize = 4;

    pub(super) fn new(host: &Host) -> Self {
        Self {
            config: host.config(),
            sockets: [Place::Near, Place::Far].map(|place| host.socket(place.alias())),
            is_open: [false; 2],
        }
    }

    fn ssh(&self, socket: &Path) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(&self.config).arg("-S").arg(socket);
        let null = [Stdio::null(), Stdio::null(), Stdio::null()];
        let [stdin, stdout, stderr] = null;
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        command
    }

    fn one(&self, socket: &Path, place: Place) -> Result<Duration> {
        let began = Instant::now();
        let status = self.ssh(socket).args([place.alias(), "true"]).status();
        let took = began.elapsed();
        let status = status.context("starting ssh")?;
        if !status.success() {
            bail!("`ssh {} true` ended with {status}", place.alias());
        }
        Ok(took)
    }
}

impl Method for ControlMaster {
    fn round(&mut self, task: Task) -> Result<Took> {
        let [near, far] = &self.sockets;
        let (at, socket) = match task.place {
            Place::Near => (0, near.clone()),
            Place::Far => (1, far.clone()),
        };
        if !self.is_open.get(at).copied().unwrap_or_default() {
            let mut master = self.ssh(&socket);
            // It goes to the background once it is there.
            let status = master.args(["-M", "-N", "-f", task.place.alias()]).status();
            if !status.context("starting ssh")?.success() {
                bail!("OpenSSH's master did not start");
            }
            if let Some(is_open) = self.is_open.get_mut(at) {
                *is_open = true;
            }
        }
        let requests = (task.requests / Self::SHARE).max(task.clients);
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        let latencies: Result<Vec<Vec<Duration>>> = thread::scope(|scope| {
            let work = || {
                let mut took = Vec::new();
                while next.fetch_add(1, Ordering::Relaxed) < requests {
                    took.push(self.one(&socket, task.place)?);
                }
                Ok(took)
            };
            let clients: Vec<_> = (0..task.clients).map(|_| scope.spawn(work)).collect();
            let ended = clients.into_iter().map(|client| match client.join() {
                Ok(took) => took,
                Err(_) => bail!("a client panicked"),
            });
            ended.collect()
        });
        Ok(Took {
            wall: began.elapsed(),
            latencies: latencies?.concat(),
        })
    }
}

impl Drop for ControlMaster {
    fn drop(&mut self) {
        for (socket, place) in self.sockets.iter().zip([Place::Near, Place::Far]) {
            let _ = self
                .ssh(socket)
                .args(["-O", "exit", place.alias()])
                .status();
        }
    }
}
