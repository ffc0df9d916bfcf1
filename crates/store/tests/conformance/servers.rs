//! Several servers on one database.

use wharf_store::audit::event::{RUN_OPENED, SESSION_ENDED, SessionEnded};
use wharf_store::db::limits::LEASE;
use wharf_store::db::{Claimed, ConsentRow, Cursor, Database, HostRow, Page, Projector, RunRow};

use crate::{Kind, Place, join_all, on_both};

async fn page(db: &Database, limit: u32, before: Option<Cursor>) -> Vec<RunRow> {
    let page = Page { limit, before };
    db.recent_runs("ann", None, page).await.unwrap()
}

fn ids(rows: &[RunRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

async fn each_log_has_a_position_and_all_runs_are_in_one_history(kind: Kind) {
    // A file has one server.
    let Kind::Postgres(_) = &kind else { return };
    let place = Place::new(&kind).await;
    let (a, b) = (place.beside("srv_a"), place.beside("srv_b"));
    for n in 0..6_i64 {
        let (server, name) = if n % 2 == 0 { (&a, "a") } else { (&b, "b") };
        // Two at a time have the same time.
        server.open_run(&format!("{name}{n}"), "ann", "x", n / 2);
        server.catch_up().await;
    }
    a.close_run("a0", "done", 9);
    b.close_run("b1", "lost", 9);
    a.catch_up().await;
    b.catch_up().await;

    assert_eq!(a.db.anchored_head().await.unwrap(), Some(a.log.head()));
    assert_eq!(b.db.anchored_head().await.unwrap(), Some(b.log.head()));
    let all = page(&a.db, 10, None).await;
    assert_eq!(ids(&all), ["b5", "a4", "b3", "a2", "b1", "a0"]);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let rows = page(&b.db, 1, before).await;
        let Some(row) = rows.into_iter().next() else {
            break;
        };
        // As a client has it.
        before = Some(row.cursor().to_string().parse().unwrap());
        paged.push(row);
    }
    assert_eq!(paged, all);
    assert_eq!(ids(&a.db.open_runs(-1).await.unwrap()), ["a2", "a4"]);
    assert_eq!(ids(&b.db.open_runs(-1).await.unwrap()), ["b3", "b5"]);
    a.db.forget_projection().await.unwrap();
    assert_eq!(ids(&page(&b.db, 10, None).await), ["b5", "b3", "b1"]);
}

async fn a_session_is_ended_and_brought_back_by_its_own_server(kind: Kind) {
    let Kind::Postgres(_) = &kind else { return };
    let place = Place::new(&kind).await;
    let (a, b) = (place.beside("srv_a"), place.beside("srv_b"));
    let session = place.session("ann", "s", 1);
    assert!(a.db.insert_session(&session).await.unwrap());
    assert!(!b.db.insert_session(&session).await.unwrap(), "it lives");

    let of_a = a.db.session("ann", "s").await.unwrap().unwrap();
    assert_eq!(of_a.server, "srv_a");
    assert_eq!(b.db.sessions_of("ann").await.unwrap(), [of_a]);
    assert_eq!(b.db.live_sessions().await.unwrap(), []);
    assert_eq!(a.db.live_sessions().await.unwrap().len(), 1);
    assert!(!b.db.end_session("ann", "s", 2, "idle").await.unwrap());
    let ended = SessionEnded {
        session: "s".to_owned(),
        caller: "ann".to_owned(),
        reason: "deleted".to_owned(),
    };
    b.log.append(SESSION_ENDED, 4, &ended).unwrap();
    b.catch_up().await;
    assert_eq!(a.db.live_sessions().await.unwrap().len(), 1);
    a.log.append(SESSION_ENDED, 5, &ended).unwrap();
    a.catch_up().await;
    assert_eq!(a.db.live_sessions().await.unwrap(), []);
    assert!(b.db.insert_session(&session).await.unwrap());
}

async fn a_server_is_there_while_it_says_so(kind: Kind) {
    let place = Place::new(&kind).await;
    let (a, b) = (place.beside("srv_a"), place.beside("srv_b"));
    assert!(!a.db.beat().await.unwrap(), "it has no entry yet");
    a.db.join("http://a", "1").await.unwrap();
    b.db.join("http://b", "1").await.unwrap();
    assert!(a.db.beat().await.unwrap());
    b.db.leave().await.unwrap();

    let servers = a.db.servers().await.unwrap();
    let seen: Vec<_> = servers
        .iter()
        .map(|server| (server.id.as_str(), server.url.as_str(), server.live))
        .collect();
    assert_eq!(
        seen,
        [("srv_a", "http://a", true), ("srv_b", "http://b", false)]
    );
    if let Kind::Postgres(server) = &kind {
        let name = place.name.as_deref().unwrap();
        let lease = i64::try_from(LEASE.as_millis()).unwrap();
        let later = format!("UPDATE servers SET seen_ms = seen_ms - {lease}");
        server.execute(name, &later);
        assert!(!a.db.servers().await.unwrap()[0].live);
        assert!(a.db.beat().await.unwrap());
        assert!(a.db.servers().await.unwrap()[0].live);
    }
}

/// Before there were ids, and after a server has lost its own.
async fn what_is_known_of_a_log_goes_on_under_a_new_id(kind: Kind) {
    let place = Place::new(&kind).await;
    place.open_run("r", "ann", "x", 1);
    let session = place.session("ann", "s", 1);
    place.db.insert_session(&session).await.unwrap();
    place.catch_up().await;

    for id in ["srv_a", "srv_b"] {
        let db = place.db.as_server(id);
        Projector::open(&db, &place.audit()).await.unwrap();
        assert_eq!(db.anchored_head().await.unwrap(), Some(place.log.head()));
        assert_eq!(db.open_runs(-1).await.unwrap().len(), 1);
        assert_eq!(db.live_sessions().await.unwrap().len(), 1);
    }
    let old = place.db.as_server("srv_a");
    assert_eq!(old.anchored_head().await.unwrap(), None);
    assert_eq!(old.open_runs(-1).await.unwrap(), []);
}

async fn nothing_is_taken_from_a_server_that_is_there(kind: Kind) {
    let place = Place::new(&kind).await;
    let a = place.beside("srv_a");
    a.open_run("r", "ann", "x", 1);
    a.catch_up().await;
    a.db.join("http://a", "1").await.unwrap();

    // A copy of its home that has lost the id.
    let copy = place.db.as_server("srv_c");
    let opened = Projector::open(&copy, &a.audit()).await;
    match kind {
        Kind::Sqlite => assert!(opened.is_err()),
        Kind::Postgres(_) => drop(opened.unwrap()),
    }
    assert_eq!(a.db.open_runs(-1).await.unwrap().len(), 1);
    assert_eq!(copy.open_runs(-1).await.unwrap(), []);
}

async fn a_key_is_taken_by_one_of_many(kind: Kind) {
    let place = Place::new(&kind).await;
    let takes = (0..20).map(|n| {
        let db = place.db.as_server(&format!("srv_{n}"));
        async move { db.claim("ann", "k", "f", 100, 50).await.unwrap() }
    });
    let takes = join_all(takes).await;
    let taken = takes.iter().filter(|taken| **taken == Claimed::Taken);
    assert_eq!(taken.count(), 1);
    let mut holders: Vec<_> = takes.iter().filter_map(holder_of).collect();
    assert_eq!(holders.len(), 19);
    holders.dedup();
    let [holder] = holders.as_slice() else {
        panic!("one has it: {holders:?}");
    };

    let (holder, other) = (place.db.as_server(holder), place.db.as_server("other"));
    other.release("ann", "k").await.unwrap();
    other.fulfil("ann", "k", "not mine").await.unwrap();
    assert_eq!(holder.open_claims().await.unwrap().len(), 1);
    holder.fulfil("ann", "k", "r").await.unwrap();
    holder.release("ann", "k").await.unwrap();
    let taken = other.claim("ann", "k", "f", 100, 50).await.unwrap();
    assert!(matches!(taken, Claimed::Held(row) if row.run.as_deref() == Some("r")));
    let taken = other.claim("bob", "k", "f", 100, 50).await.unwrap();
    assert_eq!(taken, Claimed::Taken);
    // A day later it may be used anew.
    let taken = other.claim("ann", "k", "g", 200, 150).await.unwrap();
    assert_eq!(taken, Claimed::Taken);
    other.release("ann", "k").await.unwrap();
    let taken = holder.claim("ann", "k", "g", 200, 150).await.unwrap();
    assert_eq!(taken, Claimed::Taken);
}

fn holder_of(claimed: &Claimed) -> Option<String> {
    match claimed {
        Claimed::Held(row) => Some(row.server.clone()),
        Claimed::Taken | Claimed::Gone => None,
    }
}

async fn changes_of_what_is_kept_in_memory_are_counted(kind: Kind) {
    let place = Place::new(&kind).await;
    let before = place.db.versions().await.unwrap();
    place.db.put_host(&HostRow::default()).await.unwrap();
    place.db.put_consent(&ConsentRow::default()).await.unwrap();
    place.db.remove_host("").await.unwrap();
    // Nothing changed by these.
    assert!(!place.db.remove_host("").await.unwrap());
    assert!(!place.db.set_host_facts("", "{}", 1).await.unwrap());
    let after = place.db.versions().await.unwrap();
    // A file has one server, which knows what it did.
    let counts = matches!(kind, Kind::Postgres(_));
    let grown = (after.hosts - before.hosts, after.consents - before.consents);
    assert_eq!(grown, if counts { (2, 1) } else { (0, 0) });
}

/// What was projected last is of another log, and nothing of it is ours.
async fn a_new_server_begins_beside_one_whose_log_it_has_not(kind: Kind) {
    let Kind::Postgres(_) = &kind else { return };
    let place = Place::new(&kind).await;
    place.open_run("r", "ann", "x", 1);
    place.catch_up().await;
    let b = place.beside("srv_b");
    b.log
        .append(RUN_OPENED, 2, &b.opened("b", "ann", "y"))
        .unwrap();
    b.catch_up().await;
    assert_eq!(ids(&page(&b.db, 10, None).await), ["b", "r"]);
    assert_eq!(place.db.open_runs(-1).await.unwrap().len(), 1);
}

on_both!(
    each_log_has_a_position_and_all_runs_are_in_one_history,
    a_session_is_ended_and_brought_back_by_its_own_server,
    a_server_is_there_while_it_says_so,
    what_is_known_of_a_log_goes_on_under_a_new_id,
    nothing_is_taken_from_a_server_that_is_there,
    a_key_is_taken_by_one_of_many,
    changes_of_what_is_kept_in_memory_are_counted,
    a_new_server_begins_beside_one_whose_log_it_has_not,
);
