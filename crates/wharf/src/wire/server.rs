//! The server's parts, put together.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wharf_engine::knowledge::PackageManager;
use wharf_engine::registry::UserRegistry;
use wharf_engine::{Engine, Limits, Options, PackageLocks, Parts};
use wharf_exec::files::LocalFiles;
use wharf_exec::journal::{Journal, JournalOptions};
use wharf_exec::remote::SshHosts;
use wharf_exec::{Hosts, LocalExecutor, TreeLimits, Zygote, ZygoteOptions};
use wharf_gateway::Gateway;
use wharf_identity::Identity;
use wharf_localstate::{Token, key::KEY_BYTES, server_id};
use wharf_profiles::Profiles;
use wharf_server::{
    AccountTokens, Accounts, AttachOptions, Authenticator, Everybody, InTurn, Machine, PolicyFiles,
    SandboxAttachments, SandboxMachines, ServerLimits, ServerOptions, Tokens, Upstreams, serve,
};
use wharf_store::audit::{self, AuditLog, Durability};
use wharf_store::db::Database;

use super::peers::HttpPeers;
use super::{
    SystemClock, SystemEntropy, configuration, database, gateway, identity, manual, policy, ssh,
};
use crate::config::options::ServeOptions;
use crate::context::Context;
use crate::error::CommandError;

/// Variables that every command gets from the server's own environment.
const BASE_VARIABLES: &[&str] = &[
    "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
];
/// Between two cleanings of what has ended.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// Where programs are looked for when the server itself was not told.
pub(super) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything is open; nothing is served yet.
pub(crate) struct Ready {
    engine: Engine,
    executor: Arc<LocalExecutor>,
    hosts: Option<Arc<SshHosts>>,
    options: ServerOptions,
    upstreams: Upstreams,
    gateway: Gateway,
    profiles: Profiles,
    /// Who looks after accounts.
    pub(crate) identity: Identity,
    /// Ends the serving, in order.
    pub(crate) stop: CancellationToken,
}

impl Ready {
    /// The address under which clients know the server, where one is configured.
    pub(crate) fn public_url(&self) -> Option<String> {
        self.options.public_url.clone()
    }

    /// Serves until [`Ready::stop`], then ends all commands and the zygote.
    pub(crate) async fn serve(self, listener: TcpListener) -> Result<(), CommandError> {
        let swept = sweep(self.identity.clone(), self.profiles, self.stop.clone());
        let sweeping = tokio::spawn(swept);
        let tending = tokio::spawn(tend(self.gateway.clone(), self.stop.clone()));
        let served = serve(listener, self.engine, self.options, self.stop.clone()).await;
        self.stop.cancel();
        // It ends by itself once it is told; a panic of it has been logged.
        let _ended = sweeping.await;
        let _ended = tending.await;
        self.gateway.close().await;
        self.identity.close().await;
        self.upstreams.close().await;
        self.executor.shutdown().await;
        if let Some(hosts) = self.hosts {
            hosts.shutdown().await;
        }
        served.map_err(|error| CommandError::failed("cannot serve").because(error))
    }
}

/// Looks after sandbox sessions. They are told at once that the server stops, so that nobody goes on
/// waiting for what happens to one.
async fn tend(gateway: Gateway, stop: CancellationToken) {
    let tending = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.run().await }
    });
    stop.cancelled().await;
    gateway.stop();
    // It ends by itself once that is said; a panic of it has been logged.
    let _ended = tending.await;
}

/// Deletes now and then what has ended: logins, codes, keys, and the profiles of those who ended a
/// while ago.
async fn sweep(identity: Identity, profiles: Profiles, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        match identity.sweep().await {
            Ok(rows) => tracing::debug!(target: "system", rows, "swept accounts"),
            Err(error) => tracing::warn!(target: "system", %error, "accounts were not swept"),
        }
        match profiles.sweep_ended().await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(target: "system", gone, "profiles have ended for good"),
            Err(error) => tracing::warn!(target: "system", %error, "profiles were not swept"),
        }
    }
}

/// Forks the process that starts commands.
pub(crate) fn fork_zygote(cx: &Context, options: &ServeOptions) -> Result<Zygote, CommandError> {
    let options = ZygoteOptions {
        base_env: base_env(cx, options),
        default_cwd: default_cwd(cx),
        private: cx.places.private_dir(),
        limits: TreeLimits {
            processes: u64::try_from(options.processes).ok(),
            memory: Some(options.memory_bytes).filter(|bytes| *bytes > 0),
        },
    };
    Zygote::fork(options).map_err(|error| {
        CommandError::failed("cannot start the process that starts commands").because(error)
    })
}

/// What is this server's own.
pub(crate) struct Own<'a> {
    /// The local token.
    pub(crate) token: &'a Token,
    /// The key that seals what is kept.
    pub(crate) seal_key: [u8; KEY_BYTES],
    /// Where this machine reaches it.
    pub(crate) url: String,
}

/// Opens record, database and engine. What an earlier server left open is closed here.
pub(crate) async fn open(
    cx: &Context,
    options: &ServeOptions,
    zygote: Zygote,
    own: Own<'_>,
) -> Result<Ready, CommandError> {
    let executor = LocalExecutor::start(zygote)
        .map_err(|error| CommandError::failed("cannot start the executor").because(error))?;
    let (audit, recovery) = AuditLog::open(&cx.places.audit_dir(), audit_options(options))
        .map_err(|error| {
            CommandError::failed("cannot open the record")
                .because(error)
                .hint("wharf audit verify says where it is damaged")
        })?;
    tracing::info!(target: "audit", ?recovery, "opened the record");
    let id = server_id::load_or_create(&cx.places.server_id_file(), &SystemEntropy)?;
    let database = database::open(cx).await?;
    tracing::info!(target: "system", database = database.name(), server = id, "opened the database");
    let peer_url = peer_url(options, &database, own.url);
    let journal = Journal::open(&cx.places.journal_dir(), journal_options(options))
        .map_err(|error| CommandError::failed("cannot open the journal").because(error))?;
    let shared = database.is_shared();
    let policy = policy::load(&cx.places.policy_dir())?;
    let accounts = identity::accounts(cx, &options.accounts, database.clone(), audit.clone())?;
    let configuration = configuration::configuration(cx, options, database.clone(), id)?;
    let kept = (database.clone(), audit.clone());
    let gateway = gateway::gateway(cx, options, kept, &accounts, own.seal_key).await?;
    let hosts = (!options.disable_remote).then(|| ssh::hosts(cx, user(cx), host()));
    let parts = Parts {
        clock: Arc::new(SystemClock::here()),
        entropy: Arc::new(SystemEntropy),
        executor: Arc::clone(&executor) as Arc<dyn wharf_exec::Executor>,
        files: Arc::new(LocalFiles::new(
            cx.world.home().unwrap_or_else(|| "/".into()),
            Arc::new(SystemEntropy),
        )),
        audit,
        audit_directory: cx.places.audit_dir(),
        database,
        journal,
        policy,
        registry: registry(cx),
        hosts: hosts.clone().map(|hosts| hosts as Arc<dyn Hosts>),
        manual: Arc::new(manual::Pages::of_this_system()),
        sandboxes: Some(Arc::new(SandboxMachines::new(
            gateway.clone(),
            cx.places.sandbox_key_file(),
        ))),
    };
    let options_of_engine = Options {
        peer_url,
        ..engine_options(cx, options, own.seal_key)
    };
    let engine = Engine::open(parts, options_of_engine)
        .await
        .map_err(|error| CommandError::failed("cannot start the engine").because(error))?;
    if options.bypass_auth {
        tracing::warn!(target: "system", "no token is asked for: every process of this machine may run commands");
    }
    Ok(Ready {
        engine,
        executor,
        hosts,
        identity: accounts.identity.clone(),
        upstreams: configuration.upstreams.clone(),
        gateway: gateway.clone(),
        profiles: configuration.profiles.clone(),
        options: ServerOptions {
            peers: match shared {
                true => Some(Arc::new(HttpPeers::new()?)),
                false => None,
            },
            plain_peers: options.plain_peers,
            configuration: Some(configuration),
            ..server_options(cx, options, own.token, accounts, gateway)
        },
        stop: CancellationToken::new(),
    })
}

/// Where other servers on the same database reach this one. The loopback is of use to them only
/// where they are here as well, which they are if the database is.
fn peer_url(options: &ServeOptions, database: &Database, here: String) -> String {
    match &options.peer_url {
        Some(url) => url.clone(),
        None if !options.address.ip().is_loopback() && !options.address.ip().is_unspecified() => {
            here
        }
        None if database.is_here() => here,
        None => String::new(),
    }
}

fn audit_options(options: &ServeOptions) -> audit::Options {
    let durability = if options.durable {
        Durability::Full
    } else {
        Durability::Process
    };
    audit::Options {
        durability,
        ..audit::Options::default()
    }
}

fn journal_options(options: &ServeOptions) -> JournalOptions {
    JournalOptions {
        run_cap: options.journal_run_bytes,
        total_cap: options.journal_total_bytes,
        keep: options.journal_age,
    }
}

fn engine_options(cx: &Context, options: &ServeOptions, seal_key: [u8; KEY_BYTES]) -> Options {
    Options {
        default_cwd: default_cwd(cx),
        base_env: base_env(cx, options),
        home: cx
            .world
            .home()
            .and_then(|home| home.to_str().map(str::to_owned)),
        user: user(cx),
        host: host(),
        peer_url: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        allow_dangerous: options.allow_dangerous,
        force_local: options.force_local,
        askpass: options.askpass.clone(),
        package_locks: PackageLocks::default(),
        limits: Limits {
            concurrent_runs: options.concurrent_runs,
            queued_runs: options.queued_runs,
            queued_per_session: options.queued_per_session,
            sessions: options.sessions,
            background_runs: options.background_runs,
            grace: options.grace,
            session_timeout: options.session_timeout,
        },
        quotas: options.quotas,
        seal_key,
    }
}

/// The user's entries. A file with a mistake is left out; the log says which and why.
fn registry(cx: &Context) -> Arc<UserRegistry> {
    let (registry, problems) = UserRegistry::open(cx.places.registry_dir());
    for problem in problems {
        tracing::warn!(
            file = problem.file,
            line = problem.line,
            problem = problem.message,
            "left out of the registry"
        );
    }
    Arc::new(registry)
}

fn server_options(
    cx: &Context,
    options: &ServeOptions,
    token: &Token,
    accounts: Accounts,
    gateway: Gateway,
) -> ServerOptions {
    let authenticator: Arc<dyn Authenticator> = if options.bypass_auth {
        Arc::new(Everybody)
    } else {
        let local = Tokens::local(token.secret().expose());
        let of_accounts = AccountTokens::new(accounts.identity.clone());
        Arc::new(InTurn::new(Arc::new(local), Arc::new(of_accounts)))
    };
    let attachments = SandboxAttachments::new(gateway.clone(), Arc::clone(&authenticator));
    let mut instance = [0; 3];
    wharf_model::Entropy::fill(&SystemEntropy, &mut instance);
    ServerOptions {
        instance: instance.iter().map(|byte| format!("{byte:02x}")).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: Machine {
            user: user(cx).unwrap_or_default(),
            host: host(),
            platform: rustix::system::uname()
                .sysname()
                .to_string_lossy()
                .into_owned(),
            package_manager: package_manager(cx),
            is_root: rustix::process::geteuid().is_root(),
        },
        allowed_hosts: options.allowed_hosts.clone(),
        allowed_origins: options.cors_origins.clone(),
        public_url: options.accounts.public_url.clone(),
        accounts: Some(accounts),
        gateway: Some(gateway),
        attach: Some(AttachOptions::new(Arc::new(attachments))),
        trusted_proxies: options.trusted_proxies.clone(),
        policy_files: policy_files(cx),
        limits: ServerLimits {
            patience: options.patience,
            ..ServerLimits::default()
        },
        ..ServerOptions::new(authenticator)
    }
}

/// The owner's policy, to be read again when asked.
fn policy_files(cx: &Context) -> PolicyFiles {
    let directory = cx.places.policy_dir();
    PolicyFiles::from_fn(move || {
        policy::files(&directory).map_err(|error| match error.causes.as_slice() {
            [] => error.message,
            causes => format!("{}: {}", error.message, causes.join(": ")),
        })
    })
}

/// How programs are installed here: the first of the known ones that is on the path.
fn package_manager(cx: &Context) -> Option<PackageManager> {
    let path = cx.world.variable("PATH");
    let path = path.as_deref().unwrap_or(DEFAULT_PATH);
    let there = |program: &str| {
        path.split(':')
            .any(|directory| std::path::Path::new(directory).join(program).is_file())
    };
    let known = ["apt-get", "dnf", "apk", "brew"].into_iter();
    known
        .filter(|program| there(program))
        .find_map(PackageManager::of_program)
}

/// A small environment: what programs need to know about the user, and what was asked for.
fn base_env(cx: &Context, options: &ServeOptions) -> Vec<(String, String)> {
    let path = cx
        .world
        .variable("PATH")
        .unwrap_or_else(|| DEFAULT_PATH.to_owned());
    // Nothing that runs here has a terminal.
    let mut env = vec![
        ("PATH".to_owned(), path),
        ("TERM".to_owned(), "dumb".to_owned()),
    ];
    let passed = options.env_pass.iter().map(String::as_str);
    for name in BASE_VARIABLES.iter().copied().chain(passed) {
        if let Some(value) = cx.world.variable(name) {
            env.retain(|(known, _)| known != name);
            env.push((name.to_owned(), value));
        }
    }
    env
}

/// Where the server was started, if that place is still there.
fn default_cwd(cx: &Context) -> std::path::PathBuf {
    let here = cx.world.cwd().map(std::path::Path::to_owned);
    here.or_else(|| cx.world.home())
        .unwrap_or_else(|| "/".into())
}

fn user(cx: &Context) -> Option<String> {
    cx.world
        .variable("USER")
        .or_else(|| cx.world.variable("LOGNAME"))
        .or_else(user_by_id)
}

/// The name that the system has for our user id, where the environment says nothing: services
/// and containers often start without it.
fn user_by_id() -> Option<String> {
    let id = rustix::process::getuid().as_raw().to_string();
    let known = std::fs::read_to_string("/etc/passwd").ok()?;
    known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}

fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
