//! What tests of several crates need: a real engine on a directory of its own, real processes
//! included, that leaves nothing behind.
//!
//! A dev-dependency only. Start reading at [`TestEngine`].
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod host;
mod model;
mod pair;
mod postgres;
#[path = "../../store/tests/conformance/server.rs"]
#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::panic,
    reason = "a server that the tests of the database start as well"
)]
mod postgres_server;
mod provider;
mod readers;
#[path = "../../ssh/tests/real/sshd.rs"]
#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a server that the tests of the connections start as well"
)]
mod sshd;
mod sudo;
mod upstream;

pub use host::{NAME as HOST, TestHost};
pub use model::{Answer, Asked, FakeModel};
pub use pair::{Pair, with_pair};
pub use postgres::TestPostgres;
pub use provider::{FAKE_HOST_KEY, FakeProvider, Fault};
pub use readers::{ClaudeCode, Codex, Init, OpenCode, OpenCodeServer, Readers, Screen, Seat, told};
pub use sudo::with_sudo;
pub use upstream::{Seen, TestUpstream};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wharf_engine::knowledge::{Manual, NoManual};
use wharf_engine::registry::UserRegistry;
use wharf_engine::{Engine, Limits, Options, PackageLocks, Parts, Sandboxes};
use wharf_exec::files::LocalFiles;
use wharf_exec::journal::{Journal, JournalOptions};
use wharf_exec::remote::SshHosts;
use wharf_exec::{LocalExecutor, TreeLimits, Zygote, ZygoteOptions};
use wharf_model::{Clock, Entropy, Timestamp};
use wharf_store::audit::{self, AuditLog};
use wharf_store::db::Database;

/// The real clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is where tests read the clock"
        )]
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

/// Real randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read;
        std::fs::File::open("/dev/urandom")
            .unwrap()
            .read_exact(buffer)
            .unwrap();
    }
}

/// How a test's engine differs from the usual one.
#[derive(Clone)]
pub struct Setup {
    /// Bounds of the engine.
    pub limits: Limits,
    /// Bounds of each process tree.
    pub tree: TreeLimits,
    /// Bounds of the journal.
    pub journal: JournalOptions,
    /// How much those with an account may use.
    pub quotas: wharf_model::Quotas,
    /// What an acknowledged record survives.
    pub durability: audit::Durability,
    /// Deny becomes confirm.
    pub allow_dangerous: bool,
    /// The owner's policy; the built-in one when empty.
    pub policy: Vec<wharf_policy::File>,
    /// The user's entries of the registry.
    pub registry: Arc<UserRegistry>,
    /// What the system says of programs that the registry does not know.
    pub manual: Arc<dyn Manual>,
    /// A program that sudo asks for a password.
    pub askpass: Option<String>,
    /// Where the package tools have their locks.
    pub package_locks: PackageLocks,
    /// Other machines: made when the engine is, and ended after it.
    pub hosts: Option<Arc<TestHost>>,
    /// Machines of sandbox sessions.
    pub sandboxes: Option<Arc<dyn Sandboxes>>,
    /// The database, which may be shared; one of its own when absent.
    pub database: Option<Database>,
    /// Where other servers on that database reach this one.
    pub peer_url: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            tree: TreeLimits::default(),
            journal: JournalOptions::default(),
            quotas: wharf_model::Quotas::default(),
            durability: audit::Durability::default(),
            allow_dangerous: false,
            policy: Vec::new(),
            registry: Arc::default(),
            manual: Arc::new(NoManual),
            askpass: None,
            package_locks: PackageLocks::default(),
            hosts: None,
            sandboxes: None,
            database: None,
            peer_url: String::new(),
        }
    }
}

/// A real engine with its executor.
pub struct TestEngine {
    /// The engine.
    pub engine: Engine,
    /// Where commands run.
    pub executor: Arc<LocalExecutor>,
    /// Other machines.
    pub hosts: Option<Arc<SshHosts>>,
    /// Everything that is kept.
    pub directory: PathBuf,
    /// The engine's record.
    pub audit: AuditLog,
    /// The engine's database.
    pub database: Database,
}

/// Runs an async test with an engine of its own and checks that no process is left.
///
/// The zygote is forked before the runtime exists, as in the real server.
pub fn with_engine<F: Future<Output = ()>>(setup: Setup, test: impl FnOnce(TestEngine) -> F) {
    let directory = tempfile::tempdir().unwrap();
    in_directory(directory.path(), setup, test);
}

/// [`with_engine`] on a directory that the caller keeps.
pub fn in_directory<F: Future<Output = ()>>(
    directory: &Path,
    setup: Setup,
    test: impl FnOnce(TestEngine) -> F,
) {
    let zygote = Zygote::fork(zygote_options(directory, &setup)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let engine = TestEngine::start(zygote, directory, setup).await;
        let (kept, executor) = (engine.engine.clone(), Arc::clone(&engine.executor));
        let hosts = engine.hosts.clone();
        tokio::time::timeout(Duration::from_secs(180), test(engine))
            .await
            .unwrap();
        kept.shutdown(Duration::from_millis(200)).await;
        executor.shutdown().await;
        if let Some(hosts) = hosts {
            hosts.shutdown().await;
        }
        let left = wharf_exec::processes_below(executor.zygote_pid());
        assert!(left.is_empty(), "processes are left: {left:?}");
    });
}

/// What the zygote is given.
#[must_use]
pub fn zygote_options(directory: &Path, setup: &Setup) -> ZygoteOptions {
    ZygoteOptions {
        base_env: base_env(directory),
        default_cwd: directory.to_owned(),
        private: directory.join("private"),
        limits: setup.tree,
    }
}

fn base_env(directory: &Path) -> Vec<(String, String)> {
    vec![
        ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
        ("HOME".into(), directory.display().to_string()),
        ("LANG".into(), "C.UTF-8".into()),
    ]
}

impl TestEngine {
    /// Starts an engine in `directory` over a zygote that was forked before.
    pub async fn start(zygote: Zygote, directory: &Path, setup: Setup) -> Self {
        let executor = LocalExecutor::start(zygote).unwrap();
        let hosts = setup.hosts.as_ref().map(|host| host.hosts());
        let audit_directory = directory.join("audit");
        let options = audit::Options {
            durability: setup.durability,
            ..audit::Options::default()
        };
        let (log, _) = AuditLog::open(&audit_directory, options).unwrap();
        let database = match setup.database {
            Some(database) => database,
            None => Database::open_sqlite(&directory.join("wharf.db"))
                .await
                .unwrap(),
        };
        let (audit, kept) = (log.clone(), database.clone());
        let parts = Parts {
            clock: Arc::new(WallClock),
            entropy: Arc::new(SystemEntropy),
            executor: Arc::clone(&executor) as Arc<dyn wharf_exec::Executor>,
            files: Arc::new(LocalFiles::new(
                directory.to_owned(),
                Arc::new(SystemEntropy),
            )),
            journal: Journal::open(&directory.join("journal"), setup.journal).unwrap(),
            audit: log,
            audit_directory,
            database,
            policy: wharf_policy::Policy::load(&setup.policy).unwrap(),
            registry: setup.registry,
            manual: setup.manual,
            sandboxes: setup.sandboxes,
            hosts: hosts
                .clone()
                .map(|hosts| hosts as Arc<dyn wharf_exec::Hosts>),
        };
        let options = Options {
            default_cwd: directory.to_owned(),
            base_env: base_env(directory),
            home: Some("/home/someone".into()),
            user: Some("someone".into()),
            host: "testhost".into(),
            peer_url: setup.peer_url,
            version: "0".into(),
            allow_dangerous: setup.allow_dangerous,
            force_local: false,
            askpass: setup.askpass,
            package_locks: setup.package_locks,
            limits: setup.limits,
            quotas: setup.quotas,
            seal_key: [7; 32],
        };
        let engine = Engine::open(parts, options).await.unwrap();
        Self {
            engine,
            executor,
            hosts,
            directory: directory.to_owned(),
            audit,
            database: kept,
        }
    }
}
