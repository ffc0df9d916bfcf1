//! What every database must do. Each case is one text that is run over both: over SQLite as a test
//! of its own, and over PostgreSQL by [`on_postgres`], which starts one server for all.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "helpers of tests fail by panicking, as tests do, and say what they leave out"
)]

mod accounts;
mod care;
mod catalog;
mod consents;
mod copies;
mod credentials;
mod gateway;
mod hosts;
mod postgres;
mod projection;
mod runs;
mod schema;
mod server;
mod servers;
mod sessions;
mod spent;
mod teams;
mod tls;

use std::pin::Pin;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinSet;
use wharf_store::audit::event::{RUN_CLOSED, RUN_OPENED, RunClosed, RunOpened};
use wharf_store::audit::{AuditLog, Options};
use wharf_store::db::{CaughtUp, Database, Projector, SessionRow};

use server::Server;

/// Which database a case is run over.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Sqlite,
    Postgres(Arc<Server>),
}

type Case = (&'static str, fn(Kind) -> Running);
type Running = Pin<Box<dyn Future<Output = ()>>>;

/// Makes tests of cases: one each over SQLite, and a list for PostgreSQL.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(crate::Kind::Sqlite).await;
                }
            )+
        }

        pub(crate) const CASES: &[crate::Case] = &[
            $((concat!(module_path!(), "::", stringify!($case)), |kind| Box::pin($case(kind)))),+
        ];
    };
}
pub(crate) use on_both;

/// Cases that run at once. Each has three databases at the most.
const AT_ONCE: usize = 4;

/// One test, and not one for each case, so that there is one server: a runner may give every test
/// a process of its own.
#[tokio::test]
async fn on_postgres() {
    let Some(server) = Server::start() else {
        return;
    };
    let server = Arc::new(server);
    let cases = [
        postgres::CASES,
        tls::CASES,
        schema::CASES,
        accounts::CASES,
        credentials::CASES,
        care::CASES,
        catalog::CASES,
        consents::CASES,
        copies::CASES,
        gateway::CASES,
        hosts::CASES,
        projection::CASES,
        runs::CASES,
        servers::CASES,
        sessions::CASES,
        spent::CASES,
        teams::CASES,
    ];
    // Why one fails is printed where it does.
    let mut failed = Vec::new();
    let mut running = JoinSet::new();
    let all = async {
        for (name, case) in cases.concat() {
            if running.len() == AT_ONCE {
                failed.extend(running.join_next().await.unwrap().unwrap());
            }
            let case = case(Kind::Postgres(Arc::clone(&server)));
            running.spawn_local(async move {
                let ended = tokio::task::spawn_local(case).await;
                ended.is_err().then_some(name)
            });
        }
        while let Some(ended) = running.join_next().await {
            failed.extend(ended.unwrap());
        }
    };
    tokio::task::LocalSet::new().run_until(all).await;
    assert_eq!(failed, Vec::<&str>::new());
}

/// A log and a database, in a directory of their own.
pub(crate) struct Place {
    dir: TempDir,
    pub(crate) log: AuditLog,
    pub(crate) db: Database,
    url: String,
    /// The name of the database, where it has one.
    pub(crate) name: Option<String>,
}

impl Place {
    pub(crate) async fn new(kind: &Kind) -> Self {
        let dir = TempDir::new().unwrap();
        let (db, url, name) = made(kind, &dir).await;
        Self {
            name,
            url,
            ..Self::in_dir(dir, db)
        }
    }

    /// The same database over connections of its own.
    pub(crate) async fn again(&self) -> Database {
        Database::open(&self.url).await.unwrap()
    }

    /// Another server on the same database, with a log of its own.
    pub(crate) fn beside(&self, id: &str) -> Self {
        Self::in_dir(TempDir::new().unwrap(), self.db.as_server(id))
    }

    fn in_dir(dir: TempDir, db: Database) -> Self {
        let (log, _) = AuditLog::open(&dir.path().join("audit"), Options::default()).unwrap();
        Self {
            dir,
            log,
            db,
            name: None,
            url: String::new(),
        }
    }

    pub(crate) fn audit(&self) -> std::path::PathBuf {
        self.dir.path().join("audit")
    }

    pub(crate) async fn catch_up(&self) -> CaughtUp {
        let mut projector = Projector::open(&self.db, &self.audit()).await.unwrap();
        projector.catch_up().await.unwrap()
    }

    pub(crate) fn opened(&self, run: &str, caller: &str, command: &str) -> RunOpened {
        RunOpened {
            run: run.to_owned(),
            caller: caller.to_owned(),
            target: "local".to_owned(),
            command: command.to_owned(),
            cwd: "/tmp".to_owned(),
            command_type: "simple".to_owned(),
            risk: "low".to_owned(),
            verdict: "allow".to_owned(),
            ..RunOpened::default()
        }
    }

    pub(crate) fn open_run(&self, run: &str, caller: &str, command: &str, time_ms: i64) {
        let opened = self.opened(run, caller, command);
        self.log.append(RUN_OPENED, time_ms, &opened).unwrap();
    }

    pub(crate) fn close_run(&self, run: &str, state: &str, time_ms: i64) {
        let (run, state) = (run.to_owned(), state.to_owned());
        let closed = RunClosed {
            run,
            state,
            ms: 1,
            ..RunClosed::default()
        };
        self.log.append(RUN_CLOSED, time_ms, &closed).unwrap();
    }

    pub(crate) fn session(&self, owner: &str, id: &str, created_ms: i64) -> SessionRow {
        SessionRow {
            owner: owner.to_owned(),
            id: id.to_owned(),
            target: "local".to_owned(),
            created_ms,
            last_used_ms: created_ms,
            timeout_s: 3_600,
            cwd: "/".to_owned(),
            client_info: Some("{}".to_owned()),
            ..SessionRow::default()
        }
    }
}

/// A new database, its URL and, where it has one, its name.
async fn made(kind: &Kind, dir: &TempDir) -> (Database, String, Option<String>) {
    let (url, name) = match kind {
        Kind::Sqlite => {
            let file = dir.path().join("wharf.db");
            (format!("sqlite://{}", file.display()), None)
        }
        Kind::Postgres(server) => {
            let name = server.make_database();
            (server.url(&name), Some(name))
        }
    };
    (Database::open(&url).await.unwrap(), url, name)
}

/// All at once, in the order given.
pub(crate) async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut left = false;
        for (future, done) in all.iter_mut().filter(|one| one.1.is_none()) {
            match future.as_mut().poll(cx) {
                std::task::Poll::Ready(value) => *done = Some(value),
                std::task::Poll::Pending => left = true,
            }
        }
        if left {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    all.into_iter().filter_map(|one| one.1).collect()
}
