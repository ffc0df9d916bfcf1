//! What every database must do. Each check takes a [`Database`]; `made` is where another kind of
//! database joins in.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod care;
mod consents;
mod hosts;
mod projection;
mod runs;
mod sessions;

use tempfile::TempDir;
use wharf_store::audit::event::{RUN_CLOSED, RUN_OPENED, RunClosed, RunOpened};
use wharf_store::audit::{AuditLog, Options};
use wharf_store::db::{CaughtUp, Database, Projector, SessionRow};

/// A log and a database, in a directory of their own.
pub(crate) struct Place {
    dir: TempDir,
    pub(crate) log: AuditLog,
    pub(crate) db: Database,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let (log, _) = AuditLog::open(&dir.path().join("audit"), Options::default()).unwrap();
        let db = made(&dir).await;
        Self { dir, log, db }
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

async fn made(dir: &TempDir) -> Database {
    Database::open_sqlite(&dir.path().join("wharf.db"))
        .await
        .unwrap()
}
