//! Runs: projected, found, paged.

use serde_json::json;
use wharf_store::audit::event::{
    Idempotency, RUN_CLOSED, RUN_OPENED, RUN_REFUSED, RunClosed, RunOpened, RunRefused,
};
use wharf_store::db::limits::PAGE_ROWS_MAX;
use wharf_store::db::{Cursor, Page, RunRow};

use crate::{Kind, Place, on_both};

async fn a_run_is_seen_open_and_then_closed(kind: Kind) {
    let place = Place::new(&kind).await;
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
    assert_eq!(
        place.db.open_runs(0).await.unwrap(),
        std::slice::from_ref(&expected)
    );
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
        digest: Some("ab".to_owned()),
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
        output_digest: Some("ab".to_owned()),
        ..expected
    };
    assert_eq!(place.db.run("ann", "r1").await.unwrap(), Some(expected));
    assert_eq!(place.db.open_runs(0).await.unwrap(), []);
}

async fn a_refusal_is_a_run_that_never_ran(kind: Kind) {
    let place = Place::new(&kind).await;
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

async fn pages_go_from_the_newest_to_the_oldest_and_are_bounded(kind: Kind) {
    let place = Place::new(&kind).await;
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
    let before = first.last().map(RunRow::cursor);
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
                before: Some(Cursor {
                    started_ms: 9,
                    ..Cursor::default()
                }),
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

async fn runs_are_found_by_what_their_command_contains(kind: Kind) {
    let place = Place::new(&kind).await;
    for (n, command) in [
        "Cargo Test",
        "cargo build",
        "echo 100%",
        "echo 100",
        "a_b",
        "axb",
        "a!b",
        "ÄRGER",
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
        ("Ärger", vec!["ÄRGER"]),
        ("ärger", vec![]),
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

async fn an_idempotency_key_leads_to_the_callers_own_newest_run(kind: Kind) {
    let place = Place::new(&kind).await;
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

on_both!(
    a_run_is_seen_open_and_then_closed,
    a_refusal_is_a_run_that_never_ran,
    pages_go_from_the_newest_to_the_oldest_and_are_bounded,
    runs_are_found_by_what_their_command_contains,
    an_idempotency_key_leads_to_the_callers_own_newest_run,
);
