//! Starting the agent's server in a sandbox, over SSH and as the account that programs run under.
//!
//! Its password comes on standard input and is in no argument; its output goes to a file there. It
//! is a process of the sandbox's: it goes on without this server, and ends with the sandbox.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::TaskTracker;
use wharf_gateway::{AgentAt, Agents, BoxFuture};
use wharf_sandbox::Egress;
use wharf_ssh::{Config, Connector, Credentials, RemoteExit, Settings, Start, World};

use crate::context::Context;
use crate::wire::{SystemClock, SystemEntropy};

/// How long starting it may take; that it listens is waited for elsewhere.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of a complaint that are told.
const COMPLAINT_BYTES: u64 = 500;
/// What the sandbox's shell says where there is no such program.
const NOT_FOUND: u32 = 127;

/// Starts `opencode serve`.
pub(crate) struct OpenCode {
    connector: Connector,
    key: PathBuf,
    /// Variables for what sandboxes do not reach: an agent does not try for it at its start.
    unreached: String,
}

impl OpenCode {
    pub(crate) fn new(cx: &Context, egress: &Egress) -> Self {
        let world = Arc::new(World {
            clock: Arc::new(SystemClock::here()),
            entropy: Arc::new(SystemEntropy),
            home: "/".into(),
            user: String::new(),
            hostname: String::new(),
            env: std::collections::BTreeMap::new(),
        });
        // Nobody's configuration counts: where a sandbox is, and what key it shows, is known.
        let config = Arc::new(Config::default());
        Self {
            connector: Connector::new(world, config, TaskTracker::new()),
            key: cx.places.sandbox_key_file(),
            unreached: unreached(egress),
        }
    }

    async fn run(&self, at: &AgentAt) -> Result<(), String> {
        let machine = &at.machine;
        let settings = Settings {
            port: machine.ssh_port,
            alias: at.session.clone(),
            pinned: machine.host_keys.clone(),
            identities_only: true,
            ..Settings::plain(&machine.ssh_host, machine.user())
        };
        let credentials = Credentials {
            key: Some(self.key.clone()),
            ..Credentials::default()
        };
        let words = |error: wharf_ssh::Error| error.to_string();
        let connection = self.connector.connect(&settings, &credentials);
        let connection = connection.await.map_err(words)?;
        let command = command(&machine.workspace, machine.agent_port, &self.unreached);
        let started = connection.open(Start::Command(command)).await;
        let mut channel = started.map_err(words)?;
        let password = format!("{}\n", at.password.expose());
        // One that ended early says why.
        let _it_says_why = channel.stdin.write_all(password.as_bytes()).await;
        let _it_says_why = channel.stdin.shutdown().await;
        let mut complaint = String::new();
        let mut stderr = channel.stderr.take(COMPLAINT_BYTES);
        let _as_much_as_there_is = stderr.read_to_string(&mut complaint).await;
        let exit = channel.exit.await;
        connection.close().await;
        match exit {
            Ok(RemoteExit::Code(0)) => Ok(()),
            Ok(RemoteExit::Code(NOT_FOUND)) => Err(
                "opencode is not in the sandbox. Where it is on the machine that makes sandboxes \
                 (npm install -g opencode-ai) when the server starts, sandboxes have it"
                    .to_owned(),
            ),
            _ => Err(format!("it could not be started: {}", complaint.trim())),
        }
    }
}

impl Agents for OpenCode {
    fn start<'a>(&'a self, at: &'a AgentAt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let done = tokio::time::timeout(PATIENCE, self.run(at)).await;
            let late = || format!("starting it took longer than {} s", PATIENCE.as_secs());
            done.unwrap_or_else(|_| Err(late()))
        })
    }
}

/// What an agent fetches at its start, and the variables without which it would wait for it.
const FETCHED: [(&str, &str); 3] = [
    ("models.dev", "OPENCODE_DISABLE_MODELS_FETCH=1"),
    (
        "registry.npmjs.org",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS=1 npm_config_fetch_retries=0",
    ),
    ("github.com", "OPENCODE_DISABLE_LSP_DOWNLOAD=1"),
];
const HTTPS: u16 = 443;

fn unreached(egress: &Egress) -> String {
    let reached = |host: &str| match egress {
        Egress::Off => false,
        Egress::Only(hosts) => hosts.iter().any(|it| it.covers(host, HTTPS)),
        Egress::On => true,
    };
    let missing = FETCHED.iter().filter(|(host, _)| !reached(host));
    let variables: Vec<&str> = missing.map(|(_, variables)| *variables).collect();
    variables.join(" ")
}

/// What starts it. `setsid -f` lets it go on when the connection ends, and nothing that it holds is
/// of the connection.
fn command(workspace: &str, port: u16, unreached: &str) -> String {
    let workspace = workspace.replace('\'', r"'\''");
    format!(
        "PATH=\"$HOME/.local/bin:$HOME/.opencode/bin:$PATH\"; \
         command -v opencode >/dev/null || exit {NOT_FOUND}; \
         IFS= read -r OPENCODE_SERVER_PASSWORD || exit 1; export OPENCODE_SERVER_PASSWORD; \
         export OPENCODE_DISABLE_AUTOUPDATE=1 {unreached}; \
         cd '{workspace}' && mkdir -p \"$HOME/.local/state\" && \
         setsid -f opencode serve --hostname 127.0.0.1 --port {port} \
         </dev/null >\"$HOME/.local/state/opencode-serve.log\" 2>&1"
    )
}
