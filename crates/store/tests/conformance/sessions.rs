//! Sessions: written by the engine and by the projection.

use wharf_store::audit::event::{SESSION_CREATED, SESSION_ENDED, SessionCreated, SessionEnded};
use wharf_store::db::{SessionRow, SessionUpdate};

use crate::{Kind, Place, on_both};

async fn sessions_live_change_and_end(kind: Kind) {
    let place = Place::new(&kind).await;
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

async fn sessions_are_projected_without_undoing_what_the_engine_wrote(kind: Kind) {
    let place = Place::new(&kind).await;
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

on_both!(
    sessions_live_change_and_end,
    sessions_are_projected_without_undoing_what_the_engine_wrote,
);
