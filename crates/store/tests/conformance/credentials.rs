//! Logins, keys, devices, and the tries at them.

use wharf_store::db::{
    AgentRow, AttemptRow, Database, DeviceMade, DeviceRow, KeyMade, KeyPlace, KeyRow, LoginRow,
    Polled, Rotation, RotationAsk, SigningKeyRow, SshKeyRow,
};

use crate::accounts::{at_once, with_first};
use crate::{Kind, Place, on_both};

fn login(id: &str, used_ms: i64) -> LoginRow {
    LoginRow {
        id: id.to_owned(),
        user_id: "id-ann".to_owned(),
        organization_id: "org-main".to_owned(),
        device: "laptop".to_owned(),
        address: "192.0.2.1".to_owned(),
        created_ms: used_ms,
        used_ms,
        expires_ms: 1_000,
        revoked_ms: None,
    }
}

fn key(id: &str) -> KeyRow {
    KeyRow {
        id: id.to_owned(),
        hash: format!("hash-{id}"),
        user_id: "id-ann".to_owned(),
        organization_id: "org-main".to_owned(),
        name: "laptop".to_owned(),
        scopes: "run".to_owned(),
        created_ms: 10,
        expires_ms: 1_000,
        ..KeyRow::default()
    }
}

fn ask<'a>(hash: &'a str, successor: &'a str, now_ms: i64) -> RotationAsk<'a> {
    RotationAsk {
        hash,
        successor,
        now_ms,
        grace_ms: 10,
        expires_ms: now_ms + 1_000,
        address: "192.0.2.2",
        most: 100,
    }
}

async fn a_refresh_token_is_replaced_once_and_known_afterwards(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    db.insert_login(&login("l", 1), "r0", 10).await.unwrap();
    let done = Rotation::Done {
        login: "l".to_owned(),
    };
    assert_eq!(db.rotate_refresh(ask("r0", "r1", 100)).await.unwrap(), done);
    let now = db.login("l").await.unwrap().unwrap();
    assert_eq!((now.used_ms, now.expires_ms), (100, 1_100));
    assert_eq!(now.address, "192.0.2.2");
    // Within the grace it gets another successor, and then no more.
    assert_eq!(db.rotate_refresh(ask("r0", "r2", 110)).await.unwrap(), done);
    let reused = Rotation::Reused {
        login: "l".to_owned(),
    };
    let late = db.rotate_refresh(ask("r0", "r3", 111)).await.unwrap();
    assert_eq!(late, reused);
    let unknown = db.rotate_refresh(ask("r3", "r4", 111)).await.unwrap();
    assert_eq!(unknown, Rotation::Unknown, "nothing is left of a refusal");
    let old = db.rotate_refresh(ask("r1", "r5", 1_100)).await.unwrap();
    assert_eq!(old, Rotation::Ended);
    assert!(db.revoke_login("l", 120).await.unwrap());
    assert!(!db.revoke_login("l", 120).await.unwrap());
    let ended = db.rotate_refresh(ask("r1", "r6", 121)).await.unwrap();
    assert_eq!(ended, Rotation::Ended);
}

async fn of_many_that_refresh_at_once_one_replaces_the_token(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    db.insert_login(&login("l", 1), "r0", 10).await.unwrap();
    let names: Vec<String> = (0..12).map(|n| format!("s{n}")).collect();
    // Of those who find it replaced, none is within a grace of less than nothing.
    let other = place.again().await;
    let asks = names.iter().enumerate().map(|(n, name)| {
        let ask = RotationAsk {
            grace_ms: -1,
            ..ask("r0", name, 5)
        };
        let db = if n % 2 == 0 { db } else { &other };
        db.rotate_refresh(ask)
    });
    let answers = at_once(asks.collect()).await;
    let answers: Vec<Rotation> = answers.into_iter().map(Result::unwrap).collect();
    let done = answers
        .iter()
        .filter(|it| matches!(it, Rotation::Done { .. }));
    assert_eq!(done.count(), 1, "{answers:?}");
    let asks = names.iter().map(|name| {
        let ask = RotationAsk {
            most: 5,
            hash: "r0",
            ..ask("", name, 6)
        };
        let successor = format!("again-{name}");
        async move {
            let ask = RotationAsk {
                successor: &successor,
                ..ask
            };
            db.rotate_refresh(ask).await
        }
    });
    let answers = at_once(asks.collect()).await;
    let done = |it: &Result<Rotation, _>| matches!(it, Ok(Rotation::Done { .. }));
    assert!(answers.iter().all(done), "{answers:?}");
    // The oldest made room: of those that were made, the last five are good.
    let mut good = 0;
    for name in &names {
        let again = format!("again-{name}");
        let ask = ask(&again, "next", 7);
        let ask = RotationAsk {
            grace_ms: -1,
            ..ask
        };
        let next = format!("next-{name}");
        let ask = RotationAsk {
            successor: &next,
            ..ask
        };
        good += usize::from(matches!(
            db.rotate_refresh(ask).await.unwrap(),
            Rotation::Done { .. }
        ));
    }
    assert_eq!(good, 5);
}

async fn logins_have_a_bound_and_the_least_used_goes(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    for (id, used_ms) in [("a", 3), ("b", 1), ("c", 2), ("d", 4)] {
        let row = login(id, used_ms);
        db.insert_login(&row, &format!("r{id}"), 3).await.unwrap();
    }
    let left: Vec<String> = ids(&db.logins("id-ann", 5).await.unwrap());
    assert_eq!(left, ["d", "a", "c"]);
    assert!(db.knows_address("id-ann", "192.0.2.1", 0).await.unwrap());
    assert!(!db.knows_address("id-ann", "192.0.2.9", 0).await.unwrap());
    assert!(!db.knows_address("id-ann", "192.0.2.1", 4).await.unwrap());
    db.touch_login("c", "192.0.2.7", 9).await.unwrap();
    let left: Vec<String> = ids(&db.logins("id-ann", 5).await.unwrap());
    assert_eq!(left, ["c", "d", "a"]);
    assert_eq!(db.revoke_logins("id-ann", 9).await.unwrap(), 3);
}

fn ids(rows: &[LoginRow]) -> Vec<String> {
    rows.iter().map(|row| row.id.clone()).collect()
}

async fn a_key_stands_for_a_member_and_for_nobody_else(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    let agent = AgentRow {
        id: "agt".to_owned(),
        organization_id: "org-main".to_owned(),
        user_id: "id-ann".to_owned(),
        name: "claude".to_owned(),
        created_ms: 1,
        limits: Some("{}".to_owned()),
    };
    assert!(db.insert_agent(&agent).await.unwrap());
    let twin = AgentRow {
        id: "agt-2".to_owned(),
        ..agent.clone()
    };
    assert!(!db.insert_agent(&twin).await.unwrap());
    let theirs = KeyRow {
        agent_id: Some("agt".to_owned()),
        ..key("k2")
    };
    for (key, made) in [
        (&key("k1"), KeyMade::Made),
        (&theirs, KeyMade::Made),
        (&key("k3"), KeyMade::Full),
    ] {
        assert_eq!(db.insert_key(key, 2).await.unwrap(), made, "{}", key.id);
    }
    let nowhere = KeyRow {
        organization_id: "org-other".to_owned(),
        ..key("k4")
    };
    let made = db.insert_key(&nowhere, 9).await.unwrap();
    assert_eq!(made, KeyMade::Refused);

    let mine = db.key_principal("hash-k1").await.unwrap().unwrap();
    assert_eq!(mine.email, "ann@example.com");
    assert_eq!(mine.slug, "main");
    assert_eq!(mine.role.as_deref(), Some("owner"));
    assert!(mine.home && mine.agent.is_none());
    let agents = db.key_principal("hash-k2").await.unwrap().unwrap();
    assert_eq!(agents.agent.as_deref(), Some("claude"));
    assert_eq!(agents.agent_limits.as_deref(), Some("{}"));
    assert_eq!(db.key_principal("hash-k9").await.unwrap(), None);

    let listed = db.agents("org-main", None).await.unwrap();
    assert_eq!(listed, [(agent, "ann@example.com".to_owned())]);
    assert_eq!(db.agents("org-main", Some("id-bob")).await.unwrap(), []);
    let listed = db.keys("id-ann", 30).await.unwrap();
    let names = listed
        .iter()
        .map(|it| (it.key.id.as_str(), it.agent.as_deref()));
    let names: Vec<_> = names.collect();
    assert_eq!(names, [("k1", None), ("k2", Some("claude"))]);
    let main = |it: &KeyPlace| it.organization.as_deref() == Some("main");
    assert!(listed.iter().all(main), "{listed:?}");
    assert!(db.remove_agent("agt", 20).await.unwrap());
    let gone = db.key_principal("hash-k2").await.unwrap().unwrap();
    assert_eq!((gone.agent, gone.revoked_ms), (None, Some(20)));
    db.touch_key("k1", "192.0.2.1", 30).await.unwrap();
    let listed = db.keys("id-ann", 30).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].key.used_ms, Some(30));
    assert!(db.revoke_key("k1", 31).await.unwrap());
    assert!(!db.revoke_key("k1", 31).await.unwrap());

    db.insert_login(&login("l", 1), "r", 10).await.unwrap();
    let by_login = db.login_principal("l").await.unwrap().unwrap();
    assert_eq!(
        (by_login.credential.as_str(), by_login.scopes),
        ("laptop", None)
    );
    let by_address = db.person_principal("ann@example.com").await.unwrap();
    assert_eq!(by_address.unwrap().organization_id, "org-main");
}

fn device(state: &str) -> DeviceRow {
    DeviceRow {
        device_hash: "dev".to_owned(),
        user_hash: "usr".to_owned(),
        device: "laptop".to_owned(),
        scopes: "run sync".to_owned(),
        created_ms: 0,
        expires_ms: 900,
        interval_ms: 5,
        state: state.to_owned(),
        ..DeviceRow::default()
    }
}

async fn poll(db: &Database, id: &str, now_ms: i64) -> Polled {
    let key = KeyRow {
        created_ms: now_ms,
        ..key(id)
    };
    let polled = db.poll_device("dev", key, 100, (1, 5, 12)).await;
    polled.unwrap()
}

async fn a_device_gets_one_key_however_many_polls_there_are(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    assert_eq!(poll(db, "k", 1).await, Polled::Unknown);
    let insert = |row: DeviceRow, bounds| async move { db.insert_device(&row, bounds).await };
    let made = insert(device("pending"), (1, 1)).await.unwrap();
    assert_eq!(made, DeviceMade::Made);
    let made = insert(device("pending"), (9, 9)).await.unwrap();
    assert_eq!(made, DeviceMade::Taken);
    let other = DeviceRow {
        device_hash: "dev-2".to_owned(),
        user_hash: "usr-2".to_owned(),
        ..device("pending")
    };
    let made = insert(other, (9, 1)).await.unwrap();
    assert_eq!(made, DeviceMade::Full);

    assert_eq!(poll(db, "k", 1).await, Polled::Pending, "the first is free");
    let slower = |interval_ms| Polled::TooSoon { interval_ms };
    assert_eq!(poll(db, "k", 4).await, slower(10));
    assert_eq!(poll(db, "k", 9).await, slower(12));
    assert_eq!(poll(db, "k", 20).await, Polled::Pending);

    assert!(db.device("usr", 20).await.unwrap().is_some());
    assert!(db.device("usr", 900).await.unwrap().is_none());
    let allowed = DeviceRow {
        state: "allowed".to_owned(),
        user_id: Some("id-ann".to_owned()),
        organization_id: Some("org-main".to_owned()),
        name: Some("my laptop".to_owned()),
        scopes: "run".to_owned(),
        ..device("")
    };
    assert!(db.answer_device(&allowed, 21).await.unwrap());
    assert!(!db.answer_device(&allowed, 21).await.unwrap());
    let ids: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
    let other = place.again().await;
    let polls = ids.iter().enumerate().map(|(n, id)| {
        let db = if n % 2 == 0 { db } else { &other };
        poll(db, id, 22)
    });
    let polls = at_once(polls.collect()).await;
    let made: Vec<&Polled> = polls
        .iter()
        .filter(|it| matches!(it, Polled::Made(_)))
        .collect();
    assert_eq!(made.len(), 1, "{polls:?}");
    let keys = db.keys("id-ann", 22).await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (keys[0].key.name.as_str(), keys[0].key.scopes.as_str()),
        ("my laptop", "run")
    );

    for (state, now_ms, answer) in [
        ("denied", 5, Polled::Denied),
        ("pending", 900, Polled::Expired),
        ("allowed", 900, Polled::Expired),
    ] {
        let made = db.insert_device(&device(state), (9, 9)).await.unwrap();
        assert_eq!(made, DeviceMade::Made);
        assert_eq!(poll(db, "k", now_ms).await, answer, "{state}");
        assert_eq!(poll(db, "k", now_ms).await, Polled::Unknown, "{state}");
    }
}

/// One network that asks and asks keeps nobody else out.
async fn of_devices_that_wait_the_busiest_network_makes_room(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    for (n, network) in ["many", "many", "one", "new"].into_iter().enumerate() {
        let row = DeviceRow {
            device_hash: format!("dev-{n}"),
            user_hash: format!("usr-{n}"),
            network: network.to_owned(),
            created_ms: i64::try_from(n).unwrap(),
            ..device("pending")
        };
        let made = db.insert_device(&row, (3, 2)).await.unwrap();
        assert_eq!(made, DeviceMade::Made);
    }
    for (user, there) in [
        ("usr-0", false),
        ("usr-1", true),
        ("usr-2", true),
        ("usr-3", true),
    ] {
        let found = db.device(user, 5).await.unwrap();
        assert_eq!(found.is_some(), there, "{user}");
    }
}

async fn tries_are_compared_and_swapped(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let row = |count| AttemptRow {
        count,
        until_ms: count * 10,
        changed_ms: count,
    };
    assert_eq!(db.attempt("a").await.unwrap(), None);
    assert!(db.swap_attempt("a", None, row(1)).await.unwrap());
    assert!(!db.swap_attempt("a", None, row(1)).await.unwrap());
    assert!(!db.swap_attempt("a", Some(row(2)), row(3)).await.unwrap());
    let other = place.again().await;
    let swaps = (0..6).map(|n| {
        let db = if n % 2 == 0 { db } else { &other };
        db.swap_attempt("a", Some(row(1)), row(2))
    });
    let swaps = at_once(swaps.collect()).await;
    let won = swaps.into_iter().filter(|it| matches!(it, Ok(true)));
    assert_eq!(won.count(), 1);
    assert_eq!(db.attempt("a").await.unwrap(), Some(row(2)));
    db.forget_attempt("a").await.unwrap();
    assert_eq!(db.attempt("a").await.unwrap(), None);
}

async fn keys_of_other_kinds_are_kept(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let ssh = SshKeyRow {
        id: "sky".to_owned(),
        owner: "id-ann".to_owned(),
        fingerprint: "SHA256:x".to_owned(),
        public_key: "ssh-ed25519 AAAA".to_owned(),
        name: "laptop".to_owned(),
        created_ms: 1,
    };
    assert!(db.insert_ssh_key(&ssh).await.unwrap());
    let twin = SshKeyRow {
        id: "sky-2".to_owned(),
        ..ssh.clone()
    };
    assert!(!db.insert_ssh_key(&twin).await.unwrap());
    let others = SshKeyRow {
        owner: "id-bob".to_owned(),
        ..twin
    };
    assert!(db.insert_ssh_key(&others).await.unwrap());
    assert_eq!(db.ssh_keys("id-ann").await.unwrap(), [ssh]);
    assert!(!db.remove_ssh_key("id-ann", "sky-2").await.unwrap());
    assert!(db.remove_ssh_key("id-ann", "SHA256:x").await.unwrap());
    assert_eq!(db.remove_ssh_keys("id-bob").await.unwrap(), 1);

    let signing = |id: &str, expires_ms| SigningKeyRow {
        id: id.to_owned(),
        modulus: "n".to_owned(),
        exponent: "AQAB".to_owned(),
        created_ms: expires_ms,
        expires_ms,
    };
    for row in [signing("a", 10), signing("b", 20)] {
        db.insert_signing_key(&row).await.unwrap();
    }
    assert_eq!(db.signing_keys(10).await.unwrap(), [signing("b", 20)]);
}

/// What can still be asked for stays, and what can not goes.
async fn what_has_ended_goes(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    db.put_code("reset", "id-ann", "c", (0, 10)).await.unwrap();
    db.insert_device(&device("pending"), (9, 9)).await.unwrap();
    db.insert_login(&login("l", 1), "r", 10).await.unwrap();
    db.insert_key(&key("k"), 10).await.unwrap();
    assert_eq!(db.sweep_accounts(10).await.unwrap(), 0);
    assert_eq!(db.sweep_accounts(11).await.unwrap(), 1, "the code");
    let day = 24 * 60 * 60 * 1_000;
    let gone = db.sweep_accounts(day + 1_001).await.unwrap();
    assert_eq!(gone, 2, "the device and the refresh token");
    let gone = db.sweep_accounts(90 * day + 1_001).await.unwrap();
    assert_eq!(gone, 2, "the login and the key");
    assert_eq!(db.count_users().await.unwrap(), 1);
}

on_both!(
    a_refresh_token_is_replaced_once_and_known_afterwards,
    of_many_that_refresh_at_once_one_replaces_the_token,
    logins_have_a_bound_and_the_least_used_goes,
    a_key_stands_for_a_member_and_for_nobody_else,
    a_device_gets_one_key_however_many_polls_there_are,
    of_devices_that_wait_the_busiest_network_makes_room,
    tries_are_compared_and_swapped,
    keys_of_other_kinds_are_kept,
    what_has_ended_goes,
);
