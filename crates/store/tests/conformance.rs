//! What every database must do. Each check takes a [`Database`]; `made` is where another kind of
//! database joins in.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use serde_json::json;
use tempfile::TempDir;
use wharf_store::audit::event::{
    Idempotency, RUN_CLOSED, RUN_OPENED, RUN_REFUSED, RunClosed, RunOpened, RunRefused,
    SESSION_CREATED, SESSION_ENDED, SessionCreated, SessionEnded,
};
use wharf_store::audit::{AuditLog, Options};
use wharf_store::db::limits::{PAGE_ROWS_MAX, PROJECT_ENTRIES_MAX, SWEEP_ROWS_MAX};
use wharf_store::db::{
    CaughtUp, Database, DbError, Page, Projector, RunRow, SessionRow, SessionUpdate, Sweep,
};

#[tokio::test]
async fn a_run_is_seen_open_and_then_closed() {
    let place = Place::new().await;
    let opened = RunOpened {
        session: Some("s1".to_owned()),
        background: true,
        idempotency: Some(Idempotency {
            key: "k".to_owned(),
            fingerprint: "f".to_owned(),
        }),
        extra: [("correlation".to_owned(), json!("c1"))].into(),
        ..place.opened("r1", "ann", "echo hi")
    };
    place.log.append(RUN_OPENED, 1_000, &opened).unwrap();
    assert_eq!(place.catch_up().await.entries, 1);

    let expected = RunRow {
        id: "r1".to_owned(),
        seq_opened: 1,
        caller: "ann".to_owned(),
        session_id: Some("s1".to_owned()),
        target: "local".to_owned(),
        command: "echo hi".to_owned(),
        cwd: "/tmp".to_owned(),
        kind: "simple".to_owned(),
        risk: "low".to_owned(),
        verdict: "allow".to_owned(),
        background: true,
        state: "running".to_owned(),
        started_ms: 1_000,
        idempotency_key: Some("k".to_owned()),
        idempotency_fingerprint: Some("f".to_owned()),
        extra: Some(r#"{"correlation":"c1"}"#.to_owned()),
        ..RunRow::default()
    };
    assert_eq!(
        place.db.run("ann", "r1").await.unwrap().as_ref(),
        Some(&expected)
    );
    assert_eq!(place.db.run("bob", "r1").await.unwrap(), None);
    assert_eq!(place.db.open_runs(0).await.unwrap(), [expected.clone()]);
    assert_eq!(place.db.open_runs(1).await.unwrap(), []);

    let closed = RunClosed {
        run: "r1".to_owned(),
        state: "done".to_owned(),
        exit_code: Some(3),
        ms: 42,
        stdout_bytes: 3,
        stderr_bytes: 5_000_000_000,
        output: Some("7:0".to_owned()),
        error: Some("timeout".to_owned()),
        cwd: Some("/".to_owned()),
        sha256: Some("ab".to_owned()),
    };
    place.log.append(RUN_CLOSED, 1_050, &closed).unwrap();
    place.catch_up().await;

    let expected = RunRow {
        seq_closed: Some(2),
        state: "done".to_owned(),
        exit_code: Some(3),
        ended_ms: Some(1_050),
        duration_ms: Some(42),
        stdout_bytes: 3,
        stderr_bytes: 5_000_000_000,
        output_location: Some("7:0".to_owned()),
        error_kind: Some("timeout".to_owned()),
        cwd_after: Some("/".to_owned()),
        output_sha256: Some("ab".to_owned()),
        ..expected
    };
    assert_eq!(place.db.run("ann", "r1").await.unwrap(), Some(expected));
    assert_eq!(place.db.open_runs(0).await.unwrap(), []);
}

#[tokio::test]
async fn it_does_not_matter_how_the_entries_are_batched() {
    let (whole, pieces) = (Place::new().await, Place::new().await);
    for n in 0..200 {
        for place in [&whole, &pieces] {
            place.open_run(&format!("r{n}"), "ann", &format!("echo {n}"), n);
            // Runs overlap, some end twice (lost, then adopted again), some never.
            for ended in [n - 7, n - 90]
                .into_iter()
                .filter(|ended| *ended >= 0 && ended % 5 > 0)
            {
                place.close_run(
                    &format!("r{ended}"),
                    if ended < n - 50 { "lost" } else { "done" },
                    n,
                );
            }
        }
        if n % 3 == 0 {
            pieces.catch_up().await;
        }
    }
    whole.catch_up().await;
    pieces.catch_up().await;

    let page = Page {
        limit: 500,
        before: None,
    };
    let rows = whole.db.recent_runs("ann", None, page).await.unwrap();
    assert_eq!(rows.len(), 200);
    assert!(rows.iter().any(|row| row.state == "running"));
    assert!(rows.iter().any(|row| row.state == "lost"));
    assert_eq!(
        pieces.db.recent_runs("ann", None, page).await.unwrap(),
        rows
    );
}

#[tokio::test]
async fn a_refusal_is_a_run_that_never_ran() {
    let place = Place::new().await;
    let mut request = place.opened("r1", "ann", "rm -rf /");
    request.verdict = "deny".to_owned();
    request.idempotency = Some(Idempotency {
        key: "k".to_owned(),
        fingerprint: "f".to_owned(),
    });
    let refused = RunRefused {
        request,
        reasons: vec![json!({"rule": "root"})],
    };
    place.log.append(RUN_REFUSED, 5, &refused).unwrap();
    place.catch_up().await;

    let row = place.db.run("ann", "r1").await.unwrap().unwrap();
    assert_eq!(
        (row.state.as_str(), row.verdict.as_str()),
        ("refused", "deny")
    );
    assert_eq!(
        (row.seq_closed, row.ended_ms, row.exit_code),
        (Some(1), Some(5), None)
    );
    assert_eq!(
        row.extra.as_deref(),
        Some(r#"{"reasons":[{"rule":"root"}]}"#)
    );
    assert_eq!(place.db.open_runs(0).await.unwrap(), []);
    assert_eq!(
        place.db.run_by_idempotency("ann", "k", 0).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_and_are_bounded() {
    let place = Place::new().await;
    let rows = i64::from(PAGE_ROWS_MAX) + 5;
    for n in 0..rows {
        let session = Some(if n % 2 == 0 { "even" } else { "odd" }.to_owned());
        let opened = RunOpened {
            session,
            ..place.opened(&format!("r{n}"), "ann", "x")
        };
        place.log.append(RUN_OPENED, n, &opened).unwrap();
    }
    place.catch_up().await;

    let ids = |rows: &[RunRow]| rows.iter().map(|row| row.seq_opened).collect::<Vec<_>>();
    let first = place
        .db
        .recent_runs(
            "ann",
            None,
            Page {
                limit: 3,
                before: None,
            },
        )
        .await
        .unwrap();
    assert_eq!(ids(&first), [rows, rows - 1, rows - 2]);
    let before = first.last().map(|row| row.seq_opened);
    let second = place
        .db
        .recent_runs("ann", None, Page { limit: 2, before })
        .await
        .unwrap();
    assert_eq!(ids(&second), [rows - 3, rows - 4]);

    let all = place
        .db
        .recent_runs(
            "ann",
            None,
            Page {
                limit: u32::MAX,
                before: None,
            },
        )
        .await
        .unwrap();
    assert_eq!(all.len(), PAGE_ROWS_MAX as usize);
    let none = place
        .db
        .recent_runs("ann", None, Page::default())
        .await
        .unwrap();
    assert_eq!(none.len(), 1, "a limit of nothing is taken as one");
    assert_eq!(
        place.db.open_runs(0).await.unwrap().len(),
        PAGE_ROWS_MAX as usize
    );
    assert_eq!(place.db.open_runs(rows - 2).await.unwrap().len(), 2);

    let odd = place
        .db
        .session_runs(
            "ann",
            "odd",
            Page {
                limit: 2,
                before: Some(10),
            },
        )
        .await
        .unwrap();
    assert_eq!(ids(&odd), [8, 6]);
    assert_eq!(
        place
            .db
            .session_runs(
                "bob",
                "odd",
                Page {
                    limit: 2,
                    before: None
                }
            )
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn runs_are_found_by_what_their_command_contains() {
    let place = Place::new().await;
    for (n, command) in [
        "Cargo Test",
        "cargo build",
        "echo 100%",
        "echo 100",
        "a_b",
        "axb",
        "a!b",
    ]
    .into_iter()
    .enumerate()
    {
        place.open_run(&format!("r{n}"), "ann", command, 0);
    }
    place.open_run("other", "bob", "cargo run", 0);
    place.catch_up().await;

    for (text, found) in [
        ("CARGO", vec!["cargo build", "Cargo Test"]),
        ("100%", vec!["echo 100%"]),
        ("a_b", vec!["a_b"]),
        ("a!b", vec!["a!b"]),
        ("' OR 1=1 --", vec![]),
    ] {
        let page = Page {
            limit: 10,
            before: None,
        };
        let rows = place.db.recent_runs("ann", Some(text), page).await.unwrap();
        assert_eq!(
            rows.iter()
                .map(|row| row.command.as_str())
                .collect::<Vec<_>>(),
            found,
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_idempotency_key_leads_to_the_callers_own_newest_run() {
    let place = Place::new().await;
    for (run, caller, time) in [("r1", "ann", 100), ("r2", "ann", 200), ("r3", "bob", 300)] {
        let idempotency = Some(Idempotency {
            key: "k".to_owned(),
            fingerprint: run.to_owned(),
        });
        let opened = RunOpened {
            idempotency,
            ..place.opened(run, caller, "x")
        };
        place.log.append(RUN_OPENED, time, &opened).unwrap();
    }
    place.catch_up().await;

    let find = |caller, since| place.db.run_by_idempotency(caller, "k", since);
    assert_eq!(find("ann", 0).await.unwrap().unwrap().id, "r2");
    assert_eq!(find("ann", 200).await.unwrap().unwrap().id, "r2");
    assert_eq!(find("ann", 201).await.unwrap(), None);
    assert_eq!(
        place
            .db
            .run_by_idempotency("ann", "other", 0)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn sessions_live_change_and_end() {
    let place = Place::new().await;
    let session = place.session("ann", "s", 100);
    assert!(place.db.insert_session(&session).await.unwrap());
    assert!(
        !place.db.insert_session(&session).await.unwrap(),
        "it lives already"
    );
    assert!(
        place
            .db
            .insert_session(&place.session("bob", "s", 50))
            .await
            .unwrap()
    );
    assert_eq!(
        place.db.session("ann", "s").await.unwrap(),
        Some(session.clone())
    );
    assert_eq!(place.db.session("eve", "s").await.unwrap(), None);

    let mut update = SessionUpdate {
        owner: "ann".to_owned(),
        id: "s".to_owned(),
        last_used_ms: 300,
        cwd: "/srv".to_owned(),
        env_sealed: Some(vec![0, 255, 7]),
        command_count: 4,
    };
    place
        .db
        .update_sessions(std::slice::from_ref(&update))
        .await
        .unwrap();
    (update.env_sealed, update.command_count) = (None, 5);
    place.db.update_sessions(&[update]).await.unwrap();
    let changed = SessionRow {
        last_used_ms: 300,
        cwd: "/srv".to_owned(),
        env_sealed: Some(vec![0, 255, 7]),
        command_count: 5,
        ..session
    };
    assert_eq!(place.db.sessions_of("ann").await.unwrap(), [changed]);
    let live = place.db.live_sessions().await.unwrap();
    assert_eq!(
        live.iter()
            .map(|row| row.owner.as_str())
            .collect::<Vec<_>>(),
        ["ann", "bob"]
    );

    assert!(
        place
            .db
            .end_session("ann", "s", 400, "deleted")
            .await
            .unwrap()
    );
    assert!(!place.db.end_session("ann", "s", 500, "idle").await.unwrap());
    let ended = place.db.session("ann", "s").await.unwrap().unwrap();
    assert_eq!(
        (ended.ended_ms, ended.end_reason.as_deref()),
        (Some(400), Some("deleted"))
    );
    assert_eq!(
        ended.env_sealed, None,
        "an ended session keeps no environment"
    );
    assert_eq!(place.db.sessions_of("ann").await.unwrap(), []);

    let again = place.session("ann", "s", 600);
    assert!(place.db.insert_session(&again).await.unwrap());
    assert_eq!(place.db.session("ann", "s").await.unwrap(), Some(again));
}

#[tokio::test]
async fn sessions_are_projected_without_undoing_what_the_engine_wrote() {
    let place = Place::new().await;
    let created = SessionCreated {
        session: "s".to_owned(),
        caller: "ann".to_owned(),
        target: "local".to_owned(),
        cwd: "/".to_owned(),
        timeout_s: 60,
        client_info: None,
    };
    let ended = SessionEnded {
        session: "s".to_owned(),
        caller: "ann".to_owned(),
        reason: "idle".to_owned(),
    };
    // The engine was faster: created, ended and created again, before the first is projected.
    let now = place.session("ann", "s", 30);
    place.db.insert_session(&now).await.unwrap();
    place.log.append(SESSION_CREATED, 10, &created).unwrap();
    place.log.append(SESSION_ENDED, 20, &ended).unwrap();
    place.log.append(SESSION_CREATED, 30, &created).unwrap();
    place.catch_up().await;
    assert_eq!(place.db.session("ann", "s").await.unwrap(), Some(now));

    // The engine died before it wrote anything.
    let other = SessionCreated {
        session: "t".to_owned(),
        ..created
    };
    place.log.append(SESSION_CREATED, 40, &other).unwrap();
    place.log.append(SESSION_ENDED, 50, &ended).unwrap();
    place.catch_up().await;
    let t = place.db.session("ann", "t").await.unwrap().unwrap();
    assert_eq!((t.created_ms, t.timeout_s, t.ended_ms), (40, 60, None));
    let s = place.db.session("ann", "s").await.unwrap().unwrap();
    assert_eq!(
        (s.ended_ms, s.end_reason.as_deref()),
        (Some(50), Some("idle"))
    );
}

#[tokio::test]
async fn what_nobody_understands_is_passed_over() {
    let place = Place::new().await;
    place
        .log
        .append("approval.granted", 1, &json!({"by": "ann"}))
        .unwrap();
    place.log.append(RUN_OPENED, 2, &json!({"run": 5})).unwrap();
    place.open_run("r", "ann", "x", 3);
    assert_eq!(
        place.catch_up().await,
        CaughtUp {
            entries: 3,
            unreadable: 1
        }
    );
    assert!(place.db.run("ann", "r").await.unwrap().is_some());
}

#[tokio::test]
async fn projecting_goes_on_where_it_stopped_and_anchors_the_head() {
    let place = Place::new().await;
    assert_eq!(place.db.anchored_head().await.unwrap(), None);
    let entries = 2 * PROJECT_ENTRIES_MAX as u64;
    for n in 0..entries {
        place.open_run(&format!("r{n}"), "ann", "x", 0);
    }
    assert_eq!(place.catch_up().await.entries, entries);
    assert_eq!(place.catch_up().await.entries, 0);
    assert_eq!(
        place.db.anchored_head().await.unwrap(),
        Some(place.log.head())
    );
    place.open_run("last", "ann", "x", 0);
    assert_eq!(place.catch_up().await.entries, 1);

    place.db.forget_projection().await.unwrap();
    assert_eq!(place.db.sizes().await.unwrap().runs, 0);
    assert_eq!(place.catch_up().await.entries, entries + 1);
    assert_eq!(
        place.db.sizes().await.unwrap().runs,
        i64::try_from(entries + 1).unwrap()
    );
}

#[tokio::test]
async fn another_log_than_the_projected_one_is_noticed() {
    let (place, other) = (Place::new().await, Place::new().await);
    place.open_run("r", "ann", "x", 0);
    place.open_run("r2", "ann", "x", 0);
    place.catch_up().await;

    let empty = Projector::open(&place.db, &other.audit()).await;
    assert!(
        matches!(empty, Err(DbError::NotOfThisLog { .. })),
        "{empty:?}"
    );
    other.open_run("r", "eve", "longer", 0);
    other.open_run("r2", "eve", "longer", 0);
    let replaced = Projector::open(&place.db, &other.audit()).await;
    assert!(
        matches!(replaced, Err(DbError::NotOfThisLog { .. })),
        "{replaced:?}"
    );
}

#[tokio::test]
async fn meta_keeps_the_last_value() {
    let place = Place::new().await;
    assert_eq!(place.db.meta("a").await.unwrap(), None);
    place.db.set_meta("a", "1").await.unwrap();
    place.db.set_meta("a", "2").await.unwrap();
    assert_eq!(place.db.meta("a").await.unwrap().as_deref(), Some("2"));
}

#[tokio::test]
async fn old_rows_are_swept_step_by_step_and_running_ones_stay() {
    let place = Place::new().await;
    let rows = i64::from(SWEEP_ROWS_MAX) + 100;
    for n in 0..rows {
        place.open_run(&format!("r{n}"), "ann", "x", n);
        if n > 0 {
            place.close_run(&format!("r{n}"), "done", n);
        }
    }
    place
        .db
        .insert_session(&place.session("ann", "live", 0))
        .await
        .unwrap();
    place
        .db
        .insert_session(&place.session("ann", "ended", 0))
        .await
        .unwrap();
    place
        .db
        .end_session("ann", "ended", 5, "idle")
        .await
        .unwrap();
    place.catch_up().await;

    let by_age = Sweep {
        before_ms: 50,
        keep_runs: 10_000,
    };
    assert_eq!(place.db.sweep(by_age).await.unwrap(), 49 + 1);
    assert_eq!(place.db.sweep(by_age).await.unwrap(), 0);
    let by_count = Sweep {
        before_ms: 0,
        keep_runs: 20,
    };
    assert_eq!(
        place.db.sweep(by_count).await.unwrap(),
        u64::from(SWEEP_ROWS_MAX)
    );
    while place.db.sweep(by_count).await.unwrap() > 0 {}

    let left = place
        .db
        .recent_runs(
            "ann",
            None,
            Page {
                limit: 100,
                before: None,
            },
        )
        .await
        .unwrap();
    assert_eq!(left.len(), 21);
    assert_eq!(left.last().unwrap().id, "r0");
    assert!(place.db.session("ann", "live").await.unwrap().is_some());
    assert_eq!(place.db.session("ann", "ended").await.unwrap(), None);
}

#[tokio::test]
async fn a_database_tells_how_it_is() {
    let place = Place::new().await;
    place.open_run("r", "ann", "x", 0);
    place.catch_up().await;
    assert_eq!(place.db.check().await.unwrap(), Vec::<String>::new());
    let sizes = place.db.sizes().await.unwrap();
    assert_eq!((sizes.runs, sizes.sessions), (1, 0));
    assert!(sizes.file_bytes + sizes.wal_bytes > 4_096);
}

/// A log and a database, in a directory of their own.
struct Place {
    dir: TempDir,
    log: AuditLog,
    db: Database,
}

impl Place {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let (log, _) = AuditLog::open(&dir.path().join("audit"), Options::default()).unwrap();
        let db = made(&dir).await;
        Self { dir, log, db }
    }

    fn audit(&self) -> std::path::PathBuf {
        self.dir.path().join("audit")
    }

    async fn catch_up(&self) -> CaughtUp {
        let mut projector = Projector::open(&self.db, &self.audit()).await.unwrap();
        projector.catch_up().await.unwrap()
    }

    fn opened(&self, run: &str, caller: &str, command: &str) -> RunOpened {
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

    fn open_run(&self, run: &str, caller: &str, command: &str, time_ms: i64) {
        let opened = self.opened(run, caller, command);
        self.log.append(RUN_OPENED, time_ms, &opened).unwrap();
    }

    fn close_run(&self, run: &str, state: &str, time_ms: i64) {
        let (run, state) = (run.to_owned(), state.to_owned());
        let closed = RunClosed {
            run,
            state,
            ms: 1,
            ..RunClosed::default()
        };
        self.log.append(RUN_CLOSED, time_ms, &closed).unwrap();
    }

    fn session(&self, owner: &str, id: &str, created_ms: i64) -> SessionRow {
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
