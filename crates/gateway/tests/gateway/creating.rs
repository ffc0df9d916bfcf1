//! Making sessions.

use std::time::Duration;

use wharf_gateway::views::{NewSession, Source, Ssh};
use wharf_gateway::{Error, Gateway, Offer, State};
use wharf_model::Secret;
use wharf_testkit::{FAKE_HOST_KEY, Fault};

use crate::{HASH, KEY, REGISTERED, SERVERS, World, ada, deferred, immediate, key, options, words};

#[tokio::test]
async fn a_session_has_a_machine_its_keys_and_its_host_key() {
    let world = World::new().await;
    let made = world.running(&ada()).await;
    assert_eq!(
        (made.state.as_str(), made.new_configuration),
        ("running", true)
    );
    let machine = made.machine.unwrap();
    assert_eq!(machine.host_keys, [FAKE_HOST_KEY]);
    assert_eq!(
        (machine.user(), machine.ssh_host.as_str()),
        ("user", "127.0.0.1")
    );
    let spec = world.provider.spec(&made.session).unwrap();
    assert_eq!(spec.public_keys, [KEY, REGISTERED, SERVERS]);

    let row = world.database.gateway_session(&made.session).await.unwrap();
    let row = row.unwrap();
    assert_eq!(
        (row.state.as_str(), row.server.as_str()),
        ("running", "srv_1")
    );
    assert_eq!(row.account, "org_acme");
    assert_eq!(
        world.kinds(&ada(), &made.session).await,
        ["created", "running"]
    );
    assert_eq!(world.entries("sandbox.created"), 1);
    assert_eq!(world.entries("sandbox.running"), 1);
}

#[tokio::test]
async fn what_is_deferred_is_made_when_it_is_needed_and_once() {
    let world = World::new().await;
    let made = world.pending(&ada()).await;
    assert_eq!((made.state.as_str(), made.machine), ("pending", None));
    assert!(world.provider.there().is_empty());
    let id = made.session.as_str();
    let status = world.gateway.status(&ada(), id).await.unwrap();
    assert_eq!((status.state, status.alive), (State::Pending, None));

    let caller = ada();
    let asks = (0..8).map(|_| world.gateway.connect(&caller, id));
    for connected in futures_util::future::join_all(asks).await {
        assert_eq!(connected.unwrap().machine.workspace, "/home/user/workspace");
    }
    assert_eq!(world.provider.count("create"), 1);
    let kinds = world.kinds(&ada(), id).await;
    assert_eq!(kinds, ["created", "starting", "running"]);
    let status = world.gateway.status(&ada(), id).await.unwrap();
    assert_eq!((status.state, status.alive), (State::Running, Some(true)));
}

#[tokio::test]
async fn ssh_is_immediate_whatever_is_asked() {
    let world = World::new().await;
    let asked = NewSession {
        mode: Some("deferred".to_owned()),
        ..immediate()
    };
    let made = world.gateway.create(&ada(), asked, None).await.unwrap();
    assert_eq!(made.state, "running");
}

#[tokio::test]
async fn each_directory_has_one_configuration_of_its_owner() {
    let world = World::new().await;
    let (ada, bob) = (
        ada(),
        crate::person("bob", "acme", wharf_model::Role::Member),
    );
    let one = world.pending(&ada).await;
    let two = world.pending(&ada).await;
    let other = world.pending(&bob).await;
    assert_ne!(one.session, two.session);
    assert_eq!(one.configuration, two.configuration);
    assert!(one.new_configuration && !two.new_configuration);
    assert_ne!(one.configuration, other.configuration);
    // A configuration is named by its id as well, by its owner alone.
    let named = NewSession {
        sources: vec![Source::Configuration(one.configuration.clone())],
        ..deferred()
    };
    let three = world.gateway.create(&ada, named.clone(), None).await;
    assert_eq!(three.unwrap().configuration, one.configuration);
    let stolen = world.gateway.create(&bob, named, None).await;
    assert_eq!(words(stolen), "there is no such configuration");
}

#[tokio::test]
async fn what_is_wrong_is_found_in_the_order_of_the_contract() {
    let world = World::new().await;
    // Everything is wrong; one thing after the other is mended.
    let mut new = NewSession {
        organization: Some("other".to_owned()),
        sources: Vec::new(),
        session_type: "x".to_owned(),
        client_type: "x".to_owned(),
        mode: Some("x".to_owned()),
        ssh: Some(Ssh::default()),
        ..NewSession::default()
    };
    let mut said = Vec::new();
    let mut ask = async |new: &NewSession| {
        let made = world.gateway.create(&ada(), new.clone(), key("", "")).await;
        said.push(words(made));
    };
    ask(&new).await;
    new.organization = Some("acme".to_owned());
    ask(&new).await;
    new.session_type = "coding".to_owned();
    ask(&new).await;
    new.client_type = "web".to_owned();
    ask(&new).await;
    new.mode = None;
    ask(&new).await;
    let hash = Source::Directory {
        path_hash: HASH.to_owned(),
        display_name: None,
    };
    new.sources = vec![hash.clone(), Source::Configuration("cfg_1".to_owned())];
    ask(&new).await;
    new.sources = vec![hash];
    ask(&new).await;
    new.ssh = None;
    ask(&new).await;
    assert_eq!(
        said,
        [
            "the token is not for this organization",
            "sessionType must be one of coding, setup, cli",
            "clientType must be one of web, slack, cli, automation",
            "sandboxMode must be one of immediate, deferred",
            "configuration must be exactly one of cliConfiguration, configurationId and \
             managedConfiguration",
            "configuration must be exactly one of cliConfiguration, configurationId and \
             managedConfiguration",
            "sshOptions.publicKeys must have 1 to 32 keys",
            "Idempotency-Key must have 1 to 255 printable characters",
        ]
    );
    assert_eq!(world.entries("sandbox.created"), 0);
    assert!(
        world
            .database
            .gateway_sessions(&Default::default())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_same_key_makes_one_session() {
    let world = World::new().await;
    let caller = ada();
    let ask = |body: &'static str| world.gateway.create(&caller, immediate(), key("k", body));
    let first = ask("a").await.unwrap();
    let again = ask("a").await.unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!(
        (&first.session, &first.machine, &first.state),
        (&again.session, &again.machine, &again.state)
    );
    assert!(matches!(ask("b").await, Err(Error::OtherRequest)));
    // Somebody else's key is another one.
    let bob = crate::person("bob", "acme", wharf_model::Role::Member);
    let other = world.gateway.create(&bob, immediate(), key("k", "b")).await;
    assert_ne!(other.unwrap().session, first.session);

    world.pass(Duration::from_secs(24 * 60 * 60 - 1));
    assert!(ask("a").await.unwrap().replayed);
    world.pass(Duration::from_secs(1));
    assert!(matches!(ask("b").await, Ok(made) if !made.replayed));
}

#[tokio::test]
async fn a_key_in_flight_is_told_and_one_that_failed_is_free() {
    let world = World::new().await;
    world.provider.fail("create", Fault::Hangs);
    let gateway: Gateway = world.gateway.clone();
    let first =
        tokio::spawn(async move { gateway.create(&ada(), immediate(), key("k", "a")).await });
    world.provider.hangs().await;
    let second = world
        .gateway
        .create(&ada(), immediate(), key("k", "a"))
        .await;
    assert!(matches!(second, Err(Error::InFlight)), "{second:?}");
    let first = first.await.unwrap();
    assert!(words(first).contains("took longer"));
    let third = world
        .gateway
        .create(&ada(), immediate(), key("k", "a"))
        .await;
    assert!(!third.unwrap().replayed);
}

#[tokio::test]
async fn a_key_that_could_not_be_settled_is_answered_from_what_there_is() {
    let world = World::new().await;
    let caller = ada();
    let ask = |name: &'static str| world.gateway.create(&caller, immediate(), key(name, "b"));
    world
        .sql(
            "CREATE TRIGGER refuses BEFORE UPDATE OF answer ON gateway_claims \
             BEGIN SELECT RAISE(ABORT, 'the test said no'); END",
        )
        .await;
    let first = ask("made").await.unwrap();
    let again = ask("made").await.unwrap();
    assert!(again.replayed);
    assert_eq!(
        (&again.session, &again.machine),
        (&first.session, &first.machine)
    );
    world.sql("DROP TRIGGER refuses").await;

    world
        .sql(
            "CREATE TRIGGER refuses BEFORE DELETE ON gateway_claims \
             BEGIN SELECT RAISE(ABORT, 'the test said no'); END",
        )
        .await;
    world.provider.fail("create", Fault::Refuses);
    ask("failed").await.unwrap_err();
    assert!(!ask("failed").await.unwrap().replayed);
    // Of this one there never was a session.
    let nowhere = NewSession {
        provider: Some("docker".to_owned()),
        ..immediate()
    };
    let made = world.gateway.create(&caller, nowhere, key("none", "a"));
    assert!(matches!(made.await, Err(Error::NoProvider { .. })));
    world.sql("DROP TRIGGER refuses").await;
    assert!(!ask("none").await.unwrap().replayed);
}

#[tokio::test]
async fn where_nothing_can_be_made_it_is_said_what_to_do() {
    let none = World::with(options(), |parts| parts.offers.clear()).await;
    let refused = words(none.gateway.create(&ada(), immediate(), None).await);
    assert!(refused.contains("sandbox.provider"), "{refused}");
    let reason = "user namespaces are switched off; sysctl …".to_owned();
    let unable = World::with(options(), |parts| {
        parts.offers = vec![Offer::Unavailable {
            name: "local".to_owned(),
            reason,
        }];
    })
    .await;
    let refused = unable.gateway.create(&ada(), immediate(), None).await;
    assert!(matches!(&refused, Err(Error::NoProvider { .. })));
    assert!(words(refused).contains("user namespaces"));
    let support = unable.gateway.support();
    assert!(support[0].unavailable.is_some());
    let world = World::new().await;
    let named = NewSession {
        provider: Some("docker".to_owned()),
        ..immediate()
    };
    let refused = words(world.gateway.create(&ada(), named, None).await);
    assert!(refused.contains("there are: fake"), "{refused}");
}

#[tokio::test]
async fn variables_reach_the_machine_and_nothing_else() {
    let world = World::new().await;
    let secret = "planted-word";
    let asked = NewSession {
        ssh: Some(Ssh {
            public_keys: vec![KEY.to_owned()],
            variables: vec![("TOKEN".to_owned(), Secret::new(secret.to_owned()))],
        }),
        ..deferred()
    };
    let made = world.gateway.create(&ada(), asked, key("k", "b")).await;
    let made = made.unwrap();
    let spec = world.provider.spec(&made.session).unwrap();
    assert_eq!(spec.environment[0].1.expose(), secret);
    let row = world.database.gateway_session(&made.session).await.unwrap();
    assert!(!format!("{row:?}").contains(secret) && !world.log().contains(secret));
}
