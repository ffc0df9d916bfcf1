//! Questions that wait for a person, and yeses that hold for longer.

use wharf_store::db::{ConsentRow, Sweep};

use crate::{Kind, Place, on_both};

fn row(kind: &str, id: &str, open: bool, ms: i64) -> ConsentRow {
    ConsentRow {
        kind: kind.to_owned(),
        id: id.to_owned(),
        until_ms: ms + 10,
        open,
        changed_ms: ms,
        body: format!("{{\"id\":\"{id}\"}}"),
    }
}

fn ids(rows: &[ConsentRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

async fn a_question_is_kept_as_it_stands(kind: Kind) {
    let place = Place::new(&kind).await;
    let asked = row("approval", "a", true, 1);
    place.db.put_consent(&asked).await.unwrap();
    assert_eq!(
        place.db.consent("approval", "a").await.unwrap(),
        Some(asked)
    );
    let answered = row("approval", "a", false, 2);
    place.db.put_consent(&answered).await.unwrap();
    assert_eq!(
        place.db.consent("approval", "a").await.unwrap(),
        Some(answered)
    );
    assert_eq!(place.db.consent("grant", "a").await.unwrap(), None);
}

async fn open_ones_come_oldest_first_and_recent_ones_newest_first(kind: Kind) {
    let place = Place::new(&kind).await;
    for (id, open, ms) in [("a", true, 3), ("b", false, 2), ("c", true, 1)] {
        let row = row("approval", id, open, ms);
        place.db.put_consent(&row).await.unwrap();
    }
    let grant = row("grant", "g", true, 0);
    place.db.put_consent(&grant).await.unwrap();
    let open = place.db.open_consents("approval").await.unwrap();
    assert_eq!(ids(&open), ["c", "a"]);
    let recent = place.db.recent_consents("approval", 2).await.unwrap();
    assert_eq!(ids(&recent), ["a", "b"]);
}

async fn what_is_over_is_swept(kind: Kind) {
    let place = Place::new(&kind).await;
    for (id, ms) in [("old", 1), ("new", 100)] {
        let row = row("approval", id, false, ms);
        place.db.put_consent(&row).await.unwrap();
    }
    let sweep = Sweep {
        before_ms: 50,
        keep_runs: 10,
    };
    assert_eq!(place.db.sweep(sweep).await.unwrap(), 1);
    let left = place.db.recent_consents("approval", 10).await.unwrap();
    assert_eq!(ids(&left), ["new"]);
}

on_both!(
    a_question_is_kept_as_it_stands,
    open_ones_come_oldest_first_and_recent_ones_newest_first,
    what_is_over_is_swept,
);
