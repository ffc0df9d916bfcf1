//! From the log to the tables, once, in any batches, from the right log only.

use serde_json::json;
use wharf_store::audit::event::RUN_OPENED;
use wharf_store::db::limits::PROJECT_ENTRIES_MAX;
use wharf_store::db::{CaughtUp, Cursor, DbError, Page, Projector};

use crate::{Kind, Place, on_both};

async fn it_does_not_matter_how_the_entries_are_batched(kind: Kind) {
    let (whole, pieces) = (Place::new(&kind).await, Place::new(&kind).await);
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
    let rows = whole
        .db
        .recent_runs("ann", None, page.clone())
        .await
        .unwrap();
    assert_eq!(rows.len(), 200);
    assert!(rows.iter().any(|row| row.state == "running"));
    assert!(rows.iter().any(|row| row.state == "lost"));
    assert_eq!(
        pieces.db.recent_runs("ann", None, page).await.unwrap(),
        rows
    );
}

/// While the tables cannot follow, the log answers: the same as they would.
async fn what_is_ahead_of_the_tables_is_read_from_the_log(kind: Kind) {
    let place = Place::new(&kind).await;
    let runs = i64::try_from(2 * PROJECT_ENTRIES_MAX).unwrap();
    for n in 0..runs {
        let caller = if n % 3 == 0 { "bob" } else { "ann" };
        place.open_run(&format!("r{n}"), caller, &format!("echo {n}"), n);
        for ended in [n - 2, n - 40].into_iter().filter(|n| *n >= 0 && n % 5 > 0) {
            let state = if ended < n - 20 { "done" } else { "lost" };
            place.close_run(&format!("r{ended}"), state, n);
        }
        if n == 100 {
            place.catch_up().await;
        }
    }
    let projector = Projector::open(&place.db, &place.audit()).await.unwrap();
    let ahead = projector.ahead().await.unwrap();
    let page = |before: Option<i64>| Page {
        limit: 300,
        before: before.map(|started_ms| Cursor {
            started_ms,
            ..Cursor::default()
        }),
    };
    let mut answered = Vec::new();
    for caller in ["ann", "bob"] {
        for before in [None, Some(1500), Some(80)] {
            let rows = place.db.recent_runs(caller, None, page(before)).await;
            answered.push(ahead.page(caller, None, &page(before), rows.unwrap()));
        }
    }
    let mut single = Vec::new();
    for id in ["r1", "r99", "r700", "r3", "none"] {
        let row = place.db.run("ann", id).await.unwrap();
        single.push(ahead.run("ann", id, row));
    }
    assert!(single[2].is_some() && single[3].is_none(), "r3 is bob's");

    place.catch_up().await;
    let (mut answers, mut singles) = (answered.iter(), single.iter());
    for caller in ["ann", "bob"] {
        for before in [None, Some(1500), Some(80)] {
            let rows = place
                .db
                .recent_runs(caller, None, page(before))
                .await
                .unwrap();
            assert_eq!(answers.next(), Some(&rows), "{caller} {before:?}");
        }
    }
    for id in ["r1", "r99", "r700", "r3", "none"] {
        let row = place.db.run("ann", id).await.unwrap();
        assert_eq!(singles.next(), Some(&row), "{id}");
    }
}

async fn what_nobody_understands_is_passed_over(kind: Kind) {
    let place = Place::new(&kind).await;
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

async fn projecting_goes_on_where_it_stopped_and_anchors_the_head(kind: Kind) {
    let place = Place::new(&kind).await;
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

async fn another_log_than_the_projected_one_is_noticed(kind: Kind) {
    let (place, other) = (Place::new(&kind).await, Place::new(&kind).await);
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

async fn projecting_can_be_cancelled_at_any_moment(kind: Kind) {
    let place = Place::new(&kind).await;
    let mut projector = Projector::open(&place.db, &place.audit()).await.unwrap();
    let mut cancelled = 0;
    for n in 0..300 {
        place.open_run(&format!("r{n}"), "ann", "x", n);
        if n > 0 {
            place.close_run(&format!("r{}", n - 1), "done", n);
        }
        let patience = async {
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            projected = projector.catch_up() => drop(projected.unwrap()),
            () = patience => cancelled += 1,
        }
    }
    assert!(cancelled > 10, "{cancelled} cancelled");
    projector.catch_up().await.unwrap();

    let page = Page {
        limit: 500,
        before: None,
    };
    let rows = place
        .db
        .recent_runs("ann", None, page.clone())
        .await
        .unwrap();
    place.db.forget_projection().await.unwrap();
    place.catch_up().await;
    assert_eq!(rows, place.db.recent_runs("ann", None, page).await.unwrap());
    assert_eq!(rows.len(), 300);
}

on_both!(
    it_does_not_matter_how_the_entries_are_batched,
    what_is_ahead_of_the_tables_is_read_from_the_log,
    what_nobody_understands_is_passed_over,
    projecting_goes_on_where_it_stopped_and_anchors_the_head,
    another_log_than_the_projected_one_is_noticed,
    projecting_can_be_cancelled_at_any_moment,
);
