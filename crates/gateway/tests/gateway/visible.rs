//! What is not a caller's is not there for them, on every way.

use std::time::Duration;

use wharf_gateway::Error;
use wharf_gateway::views::EndedAll;
use wharf_model::{Caller, Role};

use crate::{HASH, World, ada, person};

#[tokio::test]
async fn a_strangers_session_is_not_there_on_any_way() {
    let world = World::new().await;
    let made = world.running(&ada()).await;
    let (id, gateway) = (made.session.as_str(), &world.gateway);
    let sandbox = made.machine.unwrap().sandbox;
    let ticket = gateway.ticket(&ada(), id).await.unwrap().ticket;
    for stranger in [
        person("bob", "acme", Role::Member),
        person("bob", "other", Role::Owner),
        Caller::new("nobody"),
    ] {
        let s = &stranger;
        let span = Duration::from_secs(600);
        let gone = |error: Option<Error>| matches!(error, Some(Error::NotFound("session")));
        assert!(gone(gateway.show(s, id).await.err()));
        assert!(gone(gateway.status(s, id).await.err()));
        assert!(gone(gateway.connect(s, id).await.err()));
        assert!(gone(gateway.pause(s, id).await.err()));
        assert!(gone(gateway.resume(s, id).await.err()));
        assert!(gone(gateway.extend(s, id, span).await.err()));
        assert!(gone(gateway.snapshot(s, id).await.err()));
        assert!(gone(gateway.end(s, id).await.err()));
        assert!(gone(gateway.ticket(s, id).await.err()));
        assert!(gone(gateway.renew(s, id, &ticket).await.err()));
        assert!(gone(gateway.events(s, id, 0, Duration::ZERO).await.err()));
        let saved = gateway.save_configuration(s, HASH, id, &sandbox).await;
        assert!(gone(saved.err()));
        assert!(gateway.attach_as(s, id).await.is_err());
        assert!(gateway.list(s, None, true).await.unwrap().is_empty());
        let alive = gateway.alive(s, std::slice::from_ref(&sandbox)).await;
        assert!(alive.unwrap().is_empty());
        assert_eq!(gateway.configuration(s, HASH).await.unwrap(), None);
        assert!(!gateway.remove_configuration(s, HASH).await.unwrap());
        assert_eq!(gateway.end_all(s).await.unwrap(), EndedAll::default());
    }
    let alive = gateway
        .alive(&ada(), &[sandbox.clone(), "x".to_owned()])
        .await;
    assert_eq!(alive.unwrap(), [sandbox]);
}

#[tokio::test]
async fn who_administers_looks_after_sessions_and_stays_outside() {
    let world = World::new().await;
    let made = world.running(&ada()).await;
    let (id, gateway) = (made.session.as_str(), &world.gateway);
    let admin = person("eve", "acme", Role::Admin);
    assert!(gateway.show(&admin, id).await.is_ok());
    let span = Duration::from_secs(600);
    assert!(gateway.extend(&admin, id, span).await.is_ok());
    let inside = [
        gateway.connect(&admin, id).await.err(),
        gateway.ticket(&admin, id).await.err(),
        gateway.snapshot(&admin, id).await.err(),
        gateway.resume(&admin, id).await.err(),
    ];
    for refused in inside {
        assert!(matches!(refused, Some(Error::Forbidden(_))), "{refused:?}");
    }
    assert!(gateway.pause(&admin, id).await.is_ok());
    assert!(gateway.end(&admin, id).await.is_ok());
    let entry = "\"caller\":\"acme/eve@example.com\"";
    assert!(world.log().contains(entry));
    assert!(world.log().contains("\"of\":\"acme/ada@example.com\""));
}
