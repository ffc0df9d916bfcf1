//! Questions that wait for a person, and yeses that hold for longer.

use wharf_store::db::Stage::{Holding, Over, Waiting};
use wharf_store::db::{ConsentRow, Stage, Sweep};

use crate::{Kind, Place, join_all, on_both};

fn row(kind: &str, id: &str, stage: Stage, ms: i64) -> ConsentRow {
    ConsentRow {
        kind: kind.to_owned(),
        id: id.to_owned(),
        until_ms: ms + 10,
        stage,
        changed_ms: ms,
        body: format!("{{\"id\":\"{id}\"}}"),
    }
}

fn ids(rows: &[ConsentRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

async fn a_question_is_kept_as_it_stands(kind: Kind) {
    let place = Place::new(&kind).await;
    let asked = row("approval", "a", Waiting, 1);
    place.db.put_consent(&asked).await.unwrap();
    assert_eq!(
        place.db.consent("approval", "a").await.unwrap(),
        Some(asked)
    );
    let answered = row("approval", "a", Over, 2);
    place.db.put_consent(&answered).await.unwrap();
    assert_eq!(
        place.db.consent("approval", "a").await.unwrap(),
        Some(answered)
    );
    assert_eq!(place.db.consent("grant", "a").await.unwrap(), None);
}

async fn open_ones_come_oldest_first_and_recent_ones_newest_first(kind: Kind) {
    let place = Place::new(&kind).await;
    for (id, stage, ms) in [("a", Waiting, 3), ("b", Over, 2), ("c", Holding, 1)] {
        let row = row("approval", id, stage, ms);
        place.db.put_consent(&row).await.unwrap();
    }
    let grant = row("grant", "g", Holding, 0);
    place.db.put_consent(&grant).await.unwrap();
    let open = place.db.open_consents("approval").await.unwrap();
    assert_eq!(ids(&open), ["c", "a"]);
    let recent = place.db.recent_consents("approval", 2).await.unwrap();
    assert_eq!(ids(&recent), ["a", "b"]);
}

async fn what_is_over_is_swept(kind: Kind) {
    let place = Place::new(&kind).await;
    for (id, ms) in [("old", 1), ("new", 100)] {
        let row = row("approval", id, Over, ms);
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

/// Each from a handle of its own, as several servers have them.
async fn a_yes_is_used_by_one_of_many(kind: Kind) {
    let place = Place::new(&kind).await;
    let yes = row("approval", "a", Holding, 1);
    place.db.put_consent(&yes).await.unwrap();
    let uses = (0..20).map(|n| {
        let db = place.db.as_server(&format!("srv_{n}"));
        let used = ConsentRow {
            body: n.to_string(),
            ..row("approval", "a", Over, n)
        };
        async move { db.move_consent(&used, Holding).await.unwrap() }
    });
    let uses: Vec<bool> = join_all(uses).await;
    assert_eq!(uses.iter().filter(|used| **used).count(), 1);
}

async fn a_step_is_taken_from_where_it_was_thought_to_be(kind: Kind) {
    let place = Place::new(&kind).await;
    let asked = row("approval", "a", Waiting, 1);
    place.db.put_consent(&asked).await.unwrap();
    let yes = row("approval", "a", Holding, 2);
    assert!(place.db.move_consent(&yes, Waiting).await.unwrap());
    let no = row("approval", "a", Over, 3);
    assert!(!place.db.move_consent(&no, Waiting).await.unwrap());
    let used = ConsentRow {
        body: "used".to_owned(),
        ..row("approval", "a", Over, 4)
    };
    assert!(place.db.move_consent(&used, Holding).await.unwrap());
    // Nothing came of it; somebody else's step is not taken back.
    assert!(!place.db.take_back_consent(&no, &yes).await.unwrap());
    assert!(place.db.take_back_consent(&used, &yes).await.unwrap());
    let found = place.db.consent("approval", "a").await.unwrap();
    assert_eq!(found, Some(yes));
}

on_both!(
    a_yes_is_used_by_one_of_many,
    a_step_is_taken_from_where_it_was_thought_to_be,
    a_question_is_kept_as_it_stands,
    open_ones_come_oldest_first_and_recent_ones_newest_first,
    what_is_over_is_swept,
);
