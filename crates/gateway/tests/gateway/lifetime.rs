//! How long a session lives, and what is held still.

use std::time::Duration;

use futures_util::FutureExt as _;
use wharf_gateway::limits::{IDLE, LIFETIME, LIFETIME_MAX, TRIED_AGAIN_AFTER_MAX, WARNING};
use wharf_gateway::views::NewSession;
use wharf_gateway::{Error, State};
use wharf_sandbox::Health;
use wharf_sandbox::provider::Capability;
use wharf_testkit::Fault;

use crate::{World, ada, immediate, options, words};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_session_warns_once_and_ends_in_time() {
    let never_idle = wharf_gateway::Options {
        idle: None,
        ..options()
    };
    let world = World::with(never_idle, |_| {}).await;
    let id = world.running(&ada()).await.session;
    world.pass(LIFETIME - WARNING - SECOND);
    world.gateway.tend().await;
    assert_eq!(world.kinds(&ada(), &id).await, ["created", "running"]);
    world.pass(SECOND);
    world.gateway.tend().await;
    world.gateway.tend().await;
    let kinds = world.kinds(&ada(), &id).await;
    assert_eq!(kinds, ["created", "running", "warning"]);
    let (state, reason) = world.state(&ada(), &id).await;
    assert_eq!((state, reason), (State::Running, None));
    world.pass(WARNING - SECOND);
    world.gateway.tend().await;
    assert_eq!(world.state(&ada(), &id).await.0, State::Running);
    world.pass(SECOND);
    world.gateway.tend().await;
    let ended = world.state(&ada(), &id).await;
    assert_eq!(
        ended,
        (State::Stopped, Some("its time was over".to_owned()))
    );
    assert!(world.provider.there().is_empty());
    assert!(world.log().contains("\"caller\":\"server\""));
}

#[tokio::test]
async fn it_lives_longer_when_somebody_says_so_and_never_shorter() {
    let world = World::new().await;
    let id = world.running(&ada()).await.session;
    let expires = async || world.gateway.show(&ada(), &id).await.unwrap().expires;
    let first = expires().await;
    let less = world
        .gateway
        .extend(&ada(), &id, Duration::from_secs(60))
        .await;
    assert_eq!(less.unwrap().expires, first);
    let more = world.gateway.extend(&ada(), &id, LIFETIME + SECOND).await;
    assert_eq!(more.unwrap().expires.millis(), first.millis() + 1_000);
    let most = world.gateway.extend(&ada(), &id, LIFETIME_MAX * 2).await;
    let now_ms = wharf_model::Clock::now(&world.clock).millis();
    let day = i64::try_from(LIFETIME_MAX.as_millis()).unwrap();
    assert_eq!(most.unwrap().expires.millis(), now_ms + day);
    let until = world.provider.spec(&id).unwrap().expires_at.unwrap();
    assert_eq!(until.millis(), now_ms + day + 60 * 60 * 1_000);
    let short = world
        .gateway
        .extend(&ada(), &id, Duration::from_secs(59))
        .await;
    assert!(matches!(short, Err(Error::Invalid { .. })));
    // A warning is said again.
    world.gateway.end(&ada(), &id).await.unwrap();
    let over = world.gateway.extend(&ada(), &id, LIFETIME).await;
    assert!(matches!(over, Err(Error::Ended { .. })));
}

#[tokio::test]
async fn what_is_extended_warns_again() {
    let never_idle = wharf_gateway::Options {
        idle: None,
        ..options()
    };
    let world = World::with(never_idle, |_| {}).await;
    let id = world.running(&ada()).await.session;
    world.pass(LIFETIME - WARNING);
    world.gateway.tend().await;
    world.gateway.extend(&ada(), &id, LIFETIME).await.unwrap();
    world.pass(LIFETIME - WARNING);
    world.gateway.tend().await;
    let kinds = world.kinds(&ada(), &id).await;
    assert_eq!(
        kinds,
        ["created", "running", "warning", "extended", "warning"]
    );
}

#[tokio::test]
async fn a_request_says_how_long_within_bounds() {
    let world = World::new().await;
    let ask = async |seconds| {
        let new = NewSession {
            lifetime: Some(Duration::from_secs(seconds)),
            ..immediate()
        };
        let made = world.gateway.create(&ada(), new, None).await?;
        let now_ms = wharf_model::Clock::now(&world.clock).millis();
        Ok::<_, Error>((made.expires_ms - now_ms) / 1_000)
    };
    assert_eq!(ask(60).await.unwrap(), 60);
    assert_eq!(ask(10_000_000).await.unwrap(), 24 * 60 * 60);
    assert!(matches!(ask(59).await, Err(Error::Invalid { .. })));
}

#[tokio::test]
async fn what_nobody_uses_is_paused_and_goes_on_when_somebody_does() {
    let world = World::new().await;
    let id = world.running(&ada()).await.session;
    let pauses = world.gateway.show(&ada(), &id).await.unwrap().pauses;
    assert!(pauses.is_some());
    world.pass(IDLE - SECOND);
    world.gateway.tend().await;
    assert_eq!(world.state(&ada(), &id).await.0, State::Running);
    // Somebody attached.
    world.gateway.touched(&id);
    world.pass(IDLE - SECOND);
    world.gateway.tend().await;
    assert_eq!(world.state(&ada(), &id).await.0, State::Running);
    // Something went over its SSH connections ten seconds ago.
    world.pass(SECOND);
    world.provider.idle_for(Some(10 * SECOND));
    world.gateway.tend().await;
    assert_eq!(world.state(&ada(), &id).await.0, State::Running);
    world.provider.idle_for(Some(IDLE));
    world.pass(IDLE - 10 * SECOND);
    world.gateway.tend().await;
    let (state, reason) = world.state(&ada(), &id).await;
    assert_eq!(state, State::Paused);
    assert!(reason.unwrap().contains("nobody used it"));
    assert_eq!(world.provider.health_of(&id), Some(Health::Paused));

    let view = world.gateway.resume(&ada(), &id).await.unwrap();
    assert_eq!((view.state, view.reason), (State::Running, None));
    assert_eq!(world.provider.health_of(&id), Some(Health::Running));
    let kinds = world.kinds(&ada(), &id).await;
    assert_eq!(
        kinds,
        ["created", "running", "paused", "starting", "running"]
    );
}

#[tokio::test]
async fn what_cannot_be_paused_runs_on() {
    let world = World::new().await;
    world.provider.cannot(Capability::Pause);
    let id = world.running(&ada()).await.session;
    world.pass(IDLE * 2);
    world.gateway.tend().await;
    assert_eq!(world.state(&ada(), &id).await.0, State::Running);
    let asked = world.gateway.pause(&ada(), &id).await;
    assert!(matches!(asked, Err(Error::Unsupported(_))));
}

#[tokio::test]
async fn a_pause_that_fails_changes_nothing() {
    let world = World::new().await;
    let id = world.running(&ada()).await.session;
    world.provider.fail("pause", Fault::Refuses);
    assert!(words(world.gateway.pause(&ada(), &id).await).contains("the test said no"));
    assert_eq!(world.state(&ada(), &id).await.0, State::Running);
    world.gateway.pause(&ada(), &id).await.unwrap();
    // Twice is once.
    world.gateway.pause(&ada(), &id).await.unwrap();
    assert_eq!(world.provider.count("pause"), 2);
}

#[tokio::test]
async fn what_keeps_failing_is_tried_less_and_less_and_recorded_as_that() {
    let world = World::new().await;
    let id = world.running(&ada()).await.session;
    for _ in 0..100 {
        world.provider.fail("pause", Fault::Refuses);
    }
    world.pass(IDLE);
    // An hour of looks.
    for _ in 0..720 {
        world.gateway.tend().await;
        world.pass(5 * SECOND);
    }
    let entries = ["sandbox.paused", "sandbox.pause_failed"].map(|kind| world.entries(kind));
    // After 10, 20, 40, 80 and 160 s, and each five minutes from then on.
    assert_eq!(entries, [16, 16]);
    assert_eq!(world.kinds(&ada(), &id).await, ["created", "running"]);

    // The same with an end.
    world.refuse_changes().await;
    world.pass(LIFETIME);
    for _ in 0..720 {
        world.gateway.tend().await;
        world.pass(5 * SECOND);
    }
    let entries = ["sandbox.ended", "sandbox.end_failed"].map(|kind| world.entries(kind));
    assert_eq!(entries, [16, 16]);
    world.allow_changes().await;
    world.pass(TRIED_AGAIN_AFTER_MAX);
    world.gateway.tend().await;
    assert_eq!(world.state(&ada(), &id).await.0, State::Stopped);
}

#[tokio::test]
async fn an_extension_goes_on_when_whoever_asked_is_gone() {
    let world = World::new().await;
    let id = world.running(&ada()).await.session;
    let caller = ada();
    let extending = world.gateway.extend(&caller, &id, 2 * LIFETIME);
    // One poll, as from a client that goes away at once.
    assert!(extending.now_or_never().is_none());
    let patience = Duration::from_secs(2);
    let events = world.gateway.events(&caller, &id, 2, patience).await;
    let kinds: Vec<_> = events.unwrap().into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds, ["extended"]);
}

#[tokio::test]
async fn an_end_is_an_end() {
    let world = World::new().await;
    let id = world.running(&ada()).await.session;
    let ended = world.gateway.end(&ada(), &id).await.unwrap();
    assert_eq!(
        ended.reason.as_deref(),
        Some("acme/ada@example.com ended it")
    );
    assert!(world.provider.there().is_empty());
    let again = world.gateway.end(&ada(), &id).await.unwrap();
    assert_eq!((again.state, again.ended), (State::Stopped, ended.ended));
    assert_eq!(world.entries("sandbox.ended"), 1);
    assert!(matches!(
        world.gateway.connect(&ada(), &id).await,
        Err(Error::Ended { .. })
    ));
    for _ in 0..3 {
        world.running(&ada()).await;
    }
    assert_eq!(world.gateway.end_all(&ada()).await.unwrap().ended, 3);
    assert!(world.provider.there().is_empty());
}
