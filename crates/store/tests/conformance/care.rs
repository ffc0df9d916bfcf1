//! Meta, sweeping and health.

use wharf_store::db::limits::SWEEP_ROWS_MAX;
use wharf_store::db::{Page, Sweep};

use crate::{Kind, Place, on_both};

async fn meta_keeps_the_last_value(kind: Kind) {
    let place = Place::new(&kind).await;
    assert_eq!(place.db.meta("a").await.unwrap(), None);
    place.db.set_meta("a", "1").await.unwrap();
    place.db.set_meta("a", "2").await.unwrap();
    assert_eq!(place.db.meta("a").await.unwrap().as_deref(), Some("2"));
}

async fn old_rows_are_swept_step_by_step_and_running_ones_stay(kind: Kind) {
    let place = Place::new(&kind).await;
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

async fn a_database_tells_how_it_is(kind: Kind) {
    let place = Place::new(&kind).await;
    place.open_run("r", "ann", "x", 0);
    place.catch_up().await;
    assert_eq!(place.db.check().await.unwrap(), Vec::<String>::new());
    let sizes = place.db.sizes().await.unwrap();
    assert_eq!((sizes.runs, sizes.sessions), (1, 0));
    assert!(sizes.file_bytes + sizes.wal_bytes > 4_096);
}

on_both!(
    meta_keeps_the_last_value,
    old_rows_are_swept_step_by_step_and_running_ones_stay,
    a_database_tells_how_it_is,
);
