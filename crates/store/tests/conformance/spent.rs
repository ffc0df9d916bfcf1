//! What callers have used.

use wharf_store::audit::event::{RUN_CLOSED, RUN_OPENED, RUN_REFUSED, RunClosed, RunRefused};
use wharf_store::db::SpentRow;

use crate::{Kind, Place, on_both};

impl Place {
    fn ran(&self, run: &str, caller: &str, from: i64, ms: i64, bytes: (i64, i64)) {
        let opened = self.opened(run, caller, "x");
        self.log.append(RUN_OPENED, from, &opened).unwrap();
        let closed = RunClosed {
            run: run.to_owned(),
            state: "done".to_owned(),
            ms,
            stdout_bytes: bytes.0,
            stderr_bytes: bytes.1,
            ..RunClosed::default()
        };
        self.log.append(RUN_CLOSED, from + ms, &closed).unwrap();
    }
}

async fn what_ended_since_a_moment_is_added_up_for_each_caller(kind: Kind) {
    let place = Place::new(&kind).await;
    place.ran("r0", "ann", 100, 10, (1_000, 0));
    place.ran("r1", "ann", 900, 50, (100, 0));
    // Begun before and ended after; at the very moment too.
    place.ran("r2", "ann", 950, 50, (5, 6_000_000_000));
    place.ran("r3", "bob", 1_500, 7, (1, 2));
    place.ran("r4", "ann", 1_600, 3, (0, 1));
    let refused = RunRefused {
        request: place.opened("r5", "bob", "x"),
        reasons: Vec::new(),
    };
    place.log.append(RUN_REFUSED, 1_700, &refused).unwrap();
    let open = place.opened("r6", "bob", "x");
    place.log.append(RUN_OPENED, 1_800, &open).unwrap();
    place.catch_up().await;

    let mut spent = place.db.spent_since(500, 1_000).await.unwrap();
    spent.sort_by(|one, two| one.caller.cmp(&two.caller));
    let row = |caller: &str, wall_ms, output_bytes| SpentRow {
        caller: caller.to_owned(),
        here: true,
        wall_ms,
        output_bytes,
    };
    assert_eq!(spent, [row("ann", 53, 6_000_000_006), row("bob", 7, 3)]);
    assert_eq!(place.db.spent_since(0, 0).await.unwrap().len(), 2);
    // Another server sees the same, and that it was not there.
    let other = place.db.as_server("other");
    let mut seen = other.spent_since(500, 1_000).await.unwrap();
    seen.sort_by(|one, two| one.caller.cmp(&two.caller));
    let elsewhere = |row: SpentRow| SpentRow { here: false, ..row };
    assert_eq!(seen, spent.into_iter().map(elsewhere).collect::<Vec<_>>());
    assert_eq!(other.begun_since(0).await.unwrap(), []);
    assert_eq!(place.db.spent_since(5_000, 5_000).await.unwrap(), []);

    let begun = place.db.begun_since(1_500).await.unwrap();
    let begun: Vec<_> = begun.iter().map(|(who, at)| (who.as_str(), *at)).collect();
    assert_eq!(begun, [("bob", 1_800), ("ann", 1_600), ("bob", 1_500)]);
}

on_both!(what_ended_since_a_moment_is_added_up_for_each_caller);
