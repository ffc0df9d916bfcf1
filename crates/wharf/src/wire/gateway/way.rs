//! The server's own way into a sandbox: over SSH, by the key that each is made with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::TaskTracker;
use wharf_gateway::views::Machine;
use wharf_ssh::{Config, Connector, Credentials, RemoteExit, Settings, Start, World};

use crate::context::Context;
use crate::wire::{SystemClock, SystemEntropy};

/// How long one command may take there.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of a complaint that are told.
const COMPLAINT_BYTES: u64 = 500;

/// Connects for each command: there are few, and none is waited for by many.
pub(crate) struct Way {
    connector: Connector,
    key: PathBuf,
}

impl Way {
    pub(crate) fn new(cx: &Context) -> Self {
        let world = Arc::new(World {
            clock: Arc::new(SystemClock::here()),
            entropy: Arc::new(SystemEntropy),
            home: "/".into(),
            user: String::new(),
            hostname: String::new(),
            env: BTreeMap::new(),
        });
        // Nobody's configuration counts: where a sandbox is, and what key it shows, is known.
        let config = Arc::new(Config::default());
        Self {
            connector: Connector::new(world, config, TaskTracker::new()),
            key: cx.places.sandbox_key_file(),
        }
    }

    /// Runs a shell text as `user`, with this on standard input. How it ended, and what it had to
    /// complain of.
    pub(crate) async fn run(
        &self,
        session: &str,
        machine: &Machine,
        user: &str,
        command: String,
        input: String,
    ) -> Result<(RemoteExit, String), String> {
        let running = self.try_run(session, machine, user, command, input);
        let done = tokio::time::timeout(PATIENCE, running).await;
        let late = || Err(format!("it took longer than {} s", PATIENCE.as_secs()));
        done.unwrap_or_else(|_| late())
    }

    async fn try_run(
        &self,
        session: &str,
        machine: &Machine,
        user: &str,
        command: String,
        input: String,
    ) -> Result<(RemoteExit, String), String> {
        let settings = Settings {
            port: machine.ssh_port,
            alias: session.to_owned(),
            pinned: machine.host_keys.clone(),
            identities_only: true,
            ..Settings::plain(&machine.ssh_host, user)
        };
        let credentials = Credentials {
            key: Some(self.key.clone()),
            ..Credentials::default()
        };
        let words = |error: wharf_ssh::Error| error.to_string();
        let connection = self.connector.connect(&settings, &credentials);
        let connection = connection.await.map_err(words)?;
        let started = connection.open(Start::Command(command)).await;
        let mut channel = started.map_err(words)?;
        // One that ended early says why.
        let _it_says_why = channel.stdin.write_all(input.as_bytes()).await;
        let _it_says_why = channel.stdin.shutdown().await;
        let mut complaint = String::new();
        let mut stderr = channel.stderr.take(COMPLAINT_BYTES);
        let _as_much_as_there_is = stderr.read_to_string(&mut complaint).await;
        let exit = channel.exit.await;
        connection.close().await;
        let exit = exit.map_err(|_| "the connection ended before it did".to_owned())?;
        Ok((exit, complaint.trim().to_owned()))
    }
}
