//! Sandbox sessions, and what they are made of.

use wharf_store::db::{
    Begun, ConfigurationMade, ConfigurationRow, GatewayClaim, GatewayEventRow, GatewayRoom,
    GatewaySessionRow, RepoRow, SessionsAsk, TicketRow,
};

use crate::{Kind, Place, join_all, on_both};

fn session(id: &str, state: &str) -> GatewaySessionRow {
    GatewaySessionRow {
        id: id.to_owned(),
        organization: "org_1".to_owned(),
        owner: "usr_1".to_owned(),
        caller: "acme/ann".to_owned(),
        account: "org_1".to_owned(),
        configuration: "cfg_1".to_owned(),
        path_hash: Some("00ff".to_owned()),
        title: Some("a\0b".to_owned()),
        session_type: "cli".to_owned(),
        client_type: "cli".to_owned(),
        asked: "{}".to_owned(),
        provider: "local".to_owned(),
        state: state.to_owned(),
        created_ms: 1,
        active_ms: 1,
        expires_ms: 100,
        version: 1,
        ..GatewaySessionRow::default()
    }
}

fn event(row: &GatewaySessionRow, number: i64, kind: &str) -> GatewayEventRow {
    GatewayEventRow {
        session: row.id.clone(),
        number,
        kind: kind.to_owned(),
        at_ms: number,
        state: row.state.clone(),
        reason: Some("because".to_owned()),
        expires_ms: row.expires_ms,
    }
}

const ROOM: GatewayRoom = GatewayRoom {
    running: None,
    pending: 9,
    all: 9,
};

async fn begin(place: &Place, id: &str, state: &str, running: Option<u32>, all: u32) -> Begun {
    let room = GatewayRoom {
        running,
        all,
        ..ROOM
    };
    begin_in(place, id, state, room).await
}

async fn begin_in(place: &Place, id: &str, state: &str, room: GatewayRoom) -> Begun {
    let row = session(id, state);
    let event = event(&row, 1, "created");
    let begun = place.db.insert_gateway_session(&row, &event, room, None);
    begun.await.unwrap()
}

/// Something of everything.
pub(crate) async fn fill(place: &Place) {
    let db = &place.db;
    assert_eq!(begin(place, "gws_1", "pending", None, 9).await, Begun::Done);
    let next = GatewaySessionRow {
        version: 2,
        ..session("gws_1", "stopped")
    };
    let news = event(&next, 2, "ended");
    let update = db.update_gateway_session(&next, Some(&news), None, 1);
    assert_eq!(update.await.unwrap(), Begun::Done);
    let configuration = ConfigurationRow {
        id: "cfg_1".to_owned(),
        ..ConfigurationRow::default()
    };
    db.insert_configuration(&configuration, 9).await.unwrap();
    let repo = RepoRow {
        id: "rep_1".to_owned(),
        ..RepoRow::default()
    };
    db.put_repo(&repo, 9).await.unwrap();
    let claimed = db.claim_gateway_key("ann", "k", "f", (1, 0), None);
    claimed.await.unwrap();
    let ticket = TicketRow {
        hash: "1".to_owned(),
        ..TicketRow::default()
    };
    db.insert_ticket(&ticket, 9).await.unwrap();
    db.put_selection("o", "ann", "c", 1).await.unwrap();
}

async fn a_session_is_changed_by_whoever_knows_how_it_is(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    assert_eq!(begin(&place, "a", "pending", None, 9).await, Begun::Done);
    let read = db.gateway_session("a").await.unwrap().unwrap();
    let next = GatewaySessionRow {
        state: "running".to_owned(),
        sandbox: Some("sbx".to_owned()),
        place: Some("{}".to_owned()),
        started_ms: Some(2),
        running_ms: Some(2),
        warned: true,
        version: 2,
        ..read.clone()
    };
    let news = event(&next, 2, "running");
    let update = |row: GatewaySessionRow| {
        let news = news.clone();
        async move {
            db.update_gateway_session(&row, Some(&news), None, 7)
                .await
                .unwrap()
        }
    };
    let both = join_all([next.clone(), next.clone()].into_iter().map(update)).await;
    assert!(
        both.contains(&Begun::Done) && both.contains(&Begun::Changed),
        "{both:?}"
    );
    assert_eq!(db.gateway_session("a").await.unwrap().unwrap(), next);
    assert_eq!(db.gateway_session("b").await.unwrap(), None);
    // Once is once: one event, one charge.
    let events = db.gateway_events("a", 0, 10).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["created", "running"]);
    assert_eq!(
        db.gateway_events("a", 1, 10).await.unwrap(),
        std::slice::from_ref(&news)
    );
    assert_eq!(db.gateway_events("a", 0, 1).await.unwrap().len(), 1);
    assert_eq!(db.last_gateway_event("a").await.unwrap(), 2);
    assert_eq!(db.last_gateway_event("b").await.unwrap(), 0);
    let account = db.gateway_account("org_1").await.unwrap().unwrap();
    assert_eq!((account.used_ms, account.granted_ms), (7, 0));
}

async fn no_more_machines_run_than_may(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let starts = ["a", "b", "c", "d"].map(|id| begin(&place, id, "starting", Some(2), 9));
    let begun = join_all(starts.into_iter()).await;
    assert_eq!(begun.iter().filter(|it| **it == Begun::Done).count(), 2);
    assert_eq!(begun.iter().filter(|it| **it == Begun::Full).count(), 2);
    assert_eq!(db.running_gateway_sessions("org_1").await.unwrap(), 2);
    assert_eq!(begin(&place, "e", "pending", Some(2), 9).await, Begun::Done);
    let wakes = |row: GatewaySessionRow, most| async move {
        db.update_gateway_session(&row, None, most, 0)
            .await
            .unwrap()
    };
    let started = GatewaySessionRow {
        version: 2,
        ..session("e", "starting")
    };
    assert_eq!(wakes(started.clone(), Some(2)).await, Begun::Full);
    assert_eq!(wakes(started.clone(), Some(3)).await, Begun::Done);
    // One that runs already is not counted twice.
    let runs = GatewaySessionRow {
        version: 3,
        state: "running".to_owned(),
        ..started
    };
    assert_eq!(wakes(runs, Some(3)).await, Begun::Done);
    assert_eq!(begin(&place, "f", "pending", None, 3).await, Begun::Crowded);
    // Another server has room of its own.
    let other = place.beside("srv_2");
    assert_eq!(begin(&other, "f", "pending", None, 3).await, Begun::Done);
    assert_eq!(other.db.living_gateway_sessions().await.unwrap().len(), 1);
    assert_eq!(db.living_gateway_sessions().await.unwrap().len(), 3);
}

async fn no_more_sessions_wait_than_may(kind: Kind) {
    let place = Place::new(&kind).await;
    let few = GatewayRoom { pending: 2, ..ROOM };
    let asks = ["a", "b", "c", "d"].map(|id| begin_in(&place, id, "pending", few));
    let begun = join_all(asks.into_iter()).await;
    assert_eq!(begun.iter().filter(|it| **it == Begun::Done).count(), 2);
    assert_eq!(begun.iter().filter(|it| **it == Begun::Waiting).count(), 2);
    assert_eq!(begin_in(&place, "e", "starting", few).await, Begun::Done);
    // One that is made, or has ended, waits no more.
    let waiting = place.db.living_gateway_sessions().await.unwrap();
    let one = waiting.into_iter().find(|it| it.state == "pending");
    let starts = GatewaySessionRow {
        state: "starting".to_owned(),
        version: 2,
        ..one.unwrap()
    };
    let started = place.db.update_gateway_session(&starts, None, None, 0);
    assert_eq!(started.await.unwrap(), Begun::Done);
    assert_eq!(begin_in(&place, "f", "pending", few).await, Begun::Done);
    assert_eq!(begin_in(&place, "g", "pending", few).await, Begun::Waiting);
    // The account is the same on each server.
    let other = place.beside("srv_2");
    assert_eq!(begin_in(&other, "g", "pending", few).await, Begun::Waiting);
}

async fn sessions_are_found_by_whose_they_are(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    for (at, id) in (1..).zip(["a", "b", "c"]) {
        let row = GatewaySessionRow {
            created_ms: at,
            owner: if id == "c" { "usr_2" } else { "usr_1" }.to_owned(),
            path_hash: Some(id.to_owned()),
            ended_ms: (id == "b").then_some(9),
            ..session(id, "pending")
        };
        let event = event(&row, 1, "created");
        let begun = db.insert_gateway_session(&row, &event, ROOM, None);
        begun.await.unwrap();
    }
    let found = async |ask: SessionsAsk<'_>| {
        let rows = db.gateway_sessions(&ask).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<String>()
    };
    let all = SessionsAsk {
        ended: true,
        ..SessionsAsk::default()
    };
    assert_eq!(found(all.clone()).await, "cba");
    assert_eq!(found(SessionsAsk::default()).await, "ca");
    let of = |owner| SessionsAsk {
        owner: Some(owner),
        organization: Some("org_1"),
        ..all.clone()
    };
    assert_eq!(found(of("usr_1")).await, "ba");
    assert_eq!(found(of("usr_3")).await, "");
    let path = SessionsAsk {
        path_hash: Some("a"),
        caller: Some("acme/ann"),
        ..of("usr_1")
    };
    assert_eq!(found(path).await, "a");
    let elsewhere = SessionsAsk {
        organization: Some("org_2"),
        ..all
    };
    assert_eq!(found(elsewhere).await, "");
}

async fn a_directory_has_one_configuration_of_an_owner(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let row = |id: &str, owner: &str| ConfigurationRow {
        id: id.to_owned(),
        organization: "org_1".to_owned(),
        owner: owner.to_owned(),
        path_hash: Some("00ff".to_owned()),
        display_name: Some("shop".to_owned()),
        created_ms: 1,
        changed_ms: 1,
        ..ConfigurationRow::default()
    };
    let made = db.insert_configuration(&row("a", "ann"), 1).await.unwrap();
    assert_eq!(made, ConfigurationMade::Made);
    let made = db.insert_configuration(&row("b", "ann"), 1).await.unwrap();
    assert_eq!(made, ConfigurationMade::There(Box::new(row("a", "ann"))));
    let made = db.insert_configuration(&row("b", "bob"), 1).await.unwrap();
    assert_eq!(made, ConfigurationMade::Made);
    let second = ConfigurationRow {
        path_hash: Some("11".to_owned()),
        ..row("c", "ann")
    };
    let made = db.insert_configuration(&second, 1).await.unwrap();
    assert_eq!(made, ConfigurationMade::Full);
    assert_eq!(db.configuration("c").await.unwrap(), None);

    let set = |before, after| db.set_configuration_snapshot("a", before, after, 5);
    assert!(set(None, Some(("snp_1", "local"))).await.unwrap());
    assert!(!set(None, Some(("snp_2", "local"))).await.unwrap());
    let kept = db.configuration("a").await.unwrap().unwrap();
    assert_eq!(kept.snapshot.as_deref(), Some("snp_1"));
    let kept = db.configuration_snapshots("").await.unwrap();
    assert_eq!(kept, [("a".to_owned(), "snp_1".to_owned())]);
    assert_eq!(db.configuration_snapshots("a").await.unwrap(), []);
    assert!(set(Some("snp_1"), None).await.unwrap());
    assert_eq!(db.configuration_snapshots("").await.unwrap(), []);
    db.rename_configuration("a", "store", 6).await.unwrap();
    let found = db
        .configuration_of_path("org_1", "ann", "00ff")
        .await
        .unwrap();
    let expected = ConfigurationRow {
        display_name: Some("store".to_owned()),
        changed_ms: 6,
        ..row("a", "ann")
    };
    assert_eq!(found, Some(expected));
    assert!(db.remove_configuration("a").await.unwrap());
    assert!(!db.remove_configuration("a").await.unwrap());
}

async fn a_repository_is_made_once_and_said_anew(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let row = |id: &str, path: &str, name: Option<&str>| RepoRow {
        id: id.to_owned(),
        organization: String::new(),
        owner: "local".to_owned(),
        path_hash: path.to_owned(),
        display_name: name.map(str::to_owned),
        connection: None,
        created_ms: 1,
        changed_ms: 1,
    };
    let first = row("a", "00ff", Some("shop"));
    assert_eq!(db.put_repo(&first, 1).await.unwrap(), Some(first.clone()));
    let again = db.put_repo(&row("b", "00ff", None), 1).await.unwrap();
    assert_eq!(again, Some(first.clone()), "its name stays");
    assert_eq!(db.put_repo(&row("b", "11", None), 1).await.unwrap(), None);
    assert_eq!(db.repo("", "local", "11").await.unwrap(), None);
    assert_eq!(db.repos("", "local").await.unwrap(), [first]);
    assert_eq!(db.remove_repos("", "local").await.unwrap(), 1);
}

async fn a_key_is_taken_by_one_and_answers_all(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let claims = (0..4).map(|_| db.claim_gateway_key("ann", "k", "f", (10, 0), None));
    let claimed = join_all(claims).await;
    let taken = claimed
        .iter()
        .filter(|it| matches!(it, Ok(GatewayClaim::Taken)));
    assert_eq!(taken.count(), 1);
    let held = async |now_ms, since_ms| {
        let claimed = db.claim_gateway_key("ann", "k", "g", (now_ms, since_ms), None);
        match claimed.await.unwrap() {
            GatewayClaim::Held(row) => Some((row.fingerprint, row.answer)),
            _ => None,
        }
    };
    assert_eq!(held(11, 10).await, Some(("f".to_owned(), None)));
    db.fulfil_gateway_key("ann", "k", "{}").await.unwrap();
    db.release_gateway_key("ann", "k").await.unwrap();
    let answered = Some(("f".to_owned(), Some("{}".to_owned())));
    assert_eq!(held(11, 10).await, answered);
    assert_eq!(held(21, 11).await, None, "it is old");
    place
        .beside("srv_2")
        .db
        .release_open_gateway_keys()
        .await
        .unwrap();
    assert!(held(22, 21).await.is_some());
    db.release_open_gateway_keys().await.unwrap();
    assert_eq!(held(23, 21).await, None);
}

async fn a_key_says_which_session_was_made_under_it(kind: Kind) {
    let place = Place::new(&kind).await;
    let (db, other) = (&place.db, place.beside("srv_2"));
    let make = async |on: &Place, id: &str| {
        let row = session(id, "starting");
        let event = event(&row, 1, "created");
        let key = Some(("ann", "k"));
        let begun = on.db.insert_gateway_session(&row, &event, ROOM, key);
        begun.await.unwrap()
    };
    let claim = async |on: &Place, over: Option<&str>| {
        let claimed = on.db.claim_gateway_key("ann", "k", "f", (10, 0), over);
        match claimed.await.unwrap() {
            GatewayClaim::Held(row) => Some((row.server, row.session)),
            _ => None,
        }
    };
    assert_eq!(make(&place, "a").await, Begun::Changed, "nobody took it");
    assert_eq!(db.gateway_session("a").await.unwrap(), None);
    assert_eq!(claim(&place, None).await, None);
    assert_eq!(make(&other, "a").await, Begun::Changed, "it is another's");
    assert_eq!(make(&place, "a").await, Begun::Done);
    assert_eq!(make(&place, "b").await, Begun::Changed, "once is once");

    // It is kept for whoever asks again, whatever becomes of the server.
    let held = Some((db.server().to_owned(), Some("a".to_owned())));
    db.release_open_gateway_keys().await.unwrap();
    other.db.release_gateway_key("ann", "k").await.unwrap();
    assert_eq!(claim(&other, None).await, held);
    assert_eq!(claim(&other, Some("b")).await, held);
    // Of what came to nothing it is taken by one.
    let takes = (0..4).map(|_| claim(&other, Some("a")));
    let taken = join_all(takes).await;
    assert_eq!(taken.iter().filter(|it| it.is_none()).count(), 1);
    assert_eq!(claim(&place, None).await, Some(("srv_2".to_owned(), None)));
    db.release_gateway_key("ann", "k").await.unwrap();
    assert!(claim(&place, None).await.is_some(), "it is another's");
    assert_eq!(make(&other, "b").await, Begun::Done);
    other.db.fulfil_gateway_key("ann", "k", "{}").await.unwrap();
    assert!(claim(&place, Some("b")).await.is_some(), "it is answered");
}

async fn tickets_and_choices_end(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let ticket = |hash: &str, expires_ms| TicketRow {
        hash: hash.to_owned(),
        session: "a".to_owned(),
        caller: "ann".to_owned(),
        credential: "key_1".to_owned(),
        created_ms: 1,
        expires_ms,
    };
    let mut gone = Vec::new();
    for (hash, expires_ms) in [("1", 10), ("2", 20), ("3", 30)] {
        let evicted = db.insert_ticket(&ticket(hash, expires_ms), 2).await;
        gone.push(evicted.unwrap());
    }
    assert_eq!(gone, [vec![], vec![], vec!["1".to_owned()]]);
    assert_eq!(db.ticket("1").await.unwrap(), None, "it made room");
    assert_eq!(db.ticket("2").await.unwrap(), Some(ticket("2", 20)));
    let renew = |session, caller, until| db.renew_ticket("2", session, (caller, "key_2"), until);
    assert!(!renew("b", "ann", 40).await.unwrap() && !renew("a", "bob", 40).await.unwrap());
    assert!(renew("a", "ann", 40).await.unwrap() && renew("a", "ann", 15).await.unwrap());
    let renewed = TicketRow {
        credential: "key_2".to_owned(),
        ..ticket("2", 40)
    };
    assert_eq!(db.ticket("2").await.unwrap(), Some(renewed));
    db.remove_tickets("a").await.unwrap();
    assert_eq!(db.ticket("2").await.unwrap(), None);

    db.put_selection("o", "ann", "one", 10).await.unwrap();
    db.put_selection("o", "ann", "two", 10).await.unwrap();
    assert_eq!(db.take_selection("o", "bob", 5).await.unwrap(), None);
    assert_eq!(db.take_selection("o", "ann", 10).await.unwrap(), None);
    let takes = (0..4).map(|_| db.take_selection("o", "ann", 9));
    let taken: Vec<_> = join_all(takes)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(taken.iter().flatten().collect::<Vec<_>>(), ["two"]);
}

async fn credit_is_given_and_what_ended_long_ago_goes(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    db.grant_gateway_account("o", Some("small"), 5, 1)
        .await
        .unwrap();
    db.grant_gateway_account("o", None, 6, 2).await.unwrap();
    let account = db.gateway_account("o").await.unwrap().unwrap();
    assert_eq!(
        (account.plan.as_deref(), account.granted_ms),
        (Some("small"), 11)
    );

    let day_ms = 24 * 60 * 60 * 1_000;
    for (id, ended_ms) in [
        ("old", Some(1)),
        ("new", Some(50 * day_ms)),
        ("lives", None),
    ] {
        let row = GatewaySessionRow {
            ended_ms,
            ..session(id, "stopped")
        };
        let event = event(&row, 1, "created");
        let begun = db.insert_gateway_session(&row, &event, ROOM, None);
        begun.await.unwrap();
    }
    let claimed = db.claim_gateway_key("ann", "k", "f", (1, 0), None);
    claimed.await.unwrap();
    let now_ms = 90 * day_ms + 2;
    assert_eq!(db.sweep_gateway(now_ms).await.unwrap(), 3);
    assert_eq!(db.sweep_gateway(now_ms).await.unwrap(), 0);
    assert_eq!(db.gateway_session("old").await.unwrap(), None);
    assert_eq!(db.gateway_events("old", 0, 9).await.unwrap(), []);
    assert!(db.gateway_session("new").await.unwrap().is_some());
    assert_eq!(db.gateway_events("lives", 0, 9).await.unwrap().len(), 1);
}

on_both!(
    a_session_is_changed_by_whoever_knows_how_it_is,
    no_more_machines_run_than_may,
    no_more_sessions_wait_than_may,
    sessions_are_found_by_whose_they_are,
    a_directory_has_one_configuration_of_an_owner,
    a_repository_is_made_once_and_said_anew,
    a_key_is_taken_by_one_and_answers_all,
    a_key_says_which_session_was_made_under_it,
    tickets_and_choices_end,
    credit_is_given_and_what_ended_long_ago_goes,
);
