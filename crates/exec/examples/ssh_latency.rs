//! How long `true` takes on a host behind a real SSH server: in a living shell, and as a stateless
//! run in a lane.
//!
//! ```console
//! $ cargo run --release -p wharf-exec --example ssh_latency
//! $ cargo run --release -p wharf-exec --example ssh_latency -- PORT USER KEY KNOWN_HOSTS
//! ```
//!
//! Without arguments it starts a server of its own and prints medians. With them it does what the
//! lines on its input say: `session CLIENTS ROUNDS` or `lane CLIENTS ROUNDS`. It answers each with
//! a line of milliseconds, the first for all of it together and then one for each command, or with
//! `error` and why. `cargo xtask bench` asks it so.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a server that the tests of the connections start as well"
)]
#[path = "../../ssh/tests/real/sshd.rs"]
mod sshd;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_exec::journal::{Journal, JournalOptions};
use wharf_exec::remote::RemoteExecutor;
use wharf_exec::{Executor, Launch, Program, Shell, ShellCommand, ShellStart};
use wharf_model::{Entropy, RunId};
use wharf_ssh::settings::IdentityFile;
use wharf_ssh::{Credentials, Pool, PoolLimits, Settings};

type Failure = Box<dyn Error + Send + Sync>;

/// Commands that are not counted, in each client before the others.
const WARM_UP: usize = 20;

struct Real;

impl Entropy for Real {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read;
        let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(buffer));
        assert!(read.is_ok(), "there is no randomness");
    }
}

struct Host {
    executor: Arc<RemoteExecutor>,
    journal: Arc<Journal>,
    _pool: Pool,
    _directory: tempfile::TempDir,
}

impl Host {
    fn new(connector: wharf_ssh::Connector, settings: Settings) -> Result<Arc<Self>, Failure> {
        let directory = tempfile::tempdir()?;
        let journal = Journal::open(&directory.path().join("journal"), JournalOptions::default())?;
        let pool = Pool::new(connector, PoolLimits::default());
        let opener = pool.opener_for(settings, Credentials::default());
        Ok(Arc::new(Self {
            executor: RemoteExecutor::new(Arc::new(opener), Arc::new(Real)),
            journal,
            _pool: pool,
            _directory: directory,
        }))
    }

    async fn in_session(&self, shell: &mut dyn Shell) -> Result<Duration, Failure> {
        let command = ShellCommand {
            text: "true".to_owned(),
            cwd: None,
            env: Vec::new(),
            stdin: None,
            output: self.journal.begin(&RunId::random(&Real), false),
            own_pipes: false,
            report_env: false,
            single: true,
        };
        let begin = Instant::now();
        shell.begin(command)?;
        let report = shell.finish().await;
        let took = begin.elapsed();
        match report.status.code() {
            0 => Ok(took),
            code => Err(format!("`true` ended with {code}: {:?}", report.fault).into()),
        }
    }

    async fn in_lane(&self) -> Result<Duration, Failure> {
        let launch = Launch {
            program: Program::Shell {
                text: "true".to_owned(),
                forkable: true,
            },
            cwd: None,
            env: Vec::new(),
            stdin: None,
            output: self.journal.begin(&RunId::random(&Real), false),
            wants_pid: false,
            keep: false,
        };
        let begin = Instant::now();
        let exit = self.executor.launch(launch).await?.wait().await?;
        let took = begin.elapsed();
        match exit.status.code() {
            0 => Ok(took),
            code => Err(format!("`true` ended with {code}").into()),
        }
    }

    /// The commands of one client.
    async fn client(
        self: Arc<Self>,
        living: bool,
        rounds: usize,
    ) -> Result<Vec<Duration>, Failure> {
        let mut took = Vec::with_capacity(rounds);
        if !living {
            for _ in 0..rounds {
                took.push(self.in_lane().await?);
            }
            return Ok(took);
        }
        let mut shell = self.executor.shell(ShellStart::default()).await?;
        for _ in 0..rounds {
            took.push(self.in_session(&mut *shell).await?);
        }
        shell.end(Duration::ZERO).await;
        Ok(took)
    }

    /// Clients side by side: how long all took together, and each command.
    async fn all(
        self: &Arc<Self>,
        living: bool,
        clients: usize,
        rounds: usize,
    ) -> Result<(Duration, Vec<Duration>), Failure> {
        let begin = Instant::now();
        // In tasks, as a server's requests are.
        let clients: Vec<_> = (0..clients)
            .map(|_| tokio::spawn(Arc::clone(self).client(living, rounds)))
            .collect();
        let mut took = Vec::new();
        for client in clients {
            took.extend(client.await??);
        }
        Ok((begin.elapsed(), took))
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        return alone().await;
    }
    let [port, user, key, known_hosts] = words.as_slice() else {
        return Err("either nothing or PORT USER KEY KNOWN_HOSTS".into());
    };
    let mut settings = Settings::plain("127.0.0.1", user);
    settings.port = port.parse()?;
    settings.user_known_hosts = vec![PathBuf::from(known_hosts)];
    settings.identities = vec![IdentityFile {
        path: PathBuf::from(key),
        named: true,
    }];
    let home = tempfile::tempdir()?;
    let host = Host::new(sshd::connector(home.path()), settings)?;
    for line in std::io::stdin().lines() {
        match asked(&host, &line?).await {
            Ok(line) => println!("{line}"),
            Err(error) => println!("error {error}"),
        }
    }
    host.executor.shutdown().await;
    Ok(())
}

async fn asked(host: &Arc<Host>, line: &str) -> Result<String, Failure> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, clients, rounds] = words.as_slice() else {
        return Err("KIND CLIENTS ROUNDS".into());
    };
    let (all, took) = host
        .all(*kind == "session", clients.parse()?, rounds.parse()?)
        .await?;
    let line = std::iter::once(&all).chain(&took);
    let line: Vec<String> = line.map(|took| milliseconds(*took)).collect();
    Ok(line.join(" "))
}

async fn alone() -> Result<(), Failure> {
    let server = sshd::Sshd::start("");
    let host = Host::new(server.connector(), server.settings())?;
    for (what, living, clients, rounds) in [
        ("in a living shell", true, 1, 3000),
        ("in a lane", false, 1, 3000),
        ("in lanes, 8 clients", false, 8, 300),
        ("in lanes, 32 clients", false, 32, 100),
    ] {
        host.all(living, clients, WARM_UP).await?;
        let (all, mut took) = host.all(living, clients, rounds).await?;
        took.sort_unstable();
        let at = |share: usize| {
            let at = took.get(took.len() * share / 100);
            milliseconds(at.copied().unwrap_or_default())
        };
        let rate = took.len() as f64 / all.as_secs_f64();
        println!(
            "{what:<24} p50 {} ms, p90 {} ms, p99 {} ms, {rate:.0} /s",
            at(50),
            at(90),
            at(99)
        );
    }
    host.executor.shutdown().await;
    Ok(())
}

fn milliseconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64() * 1e3)
}
