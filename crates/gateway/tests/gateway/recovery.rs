//! The next start: what the database says against what the provider has.

use std::time::Duration;

use wharf_gateway::limits::LIFETIME;
use wharf_gateway::{Error, State};
use wharf_model::{Caller, Role};
use wharf_sandbox::SandboxId;
use wharf_testkit::Fault;

use crate::{World, ada, immediate, key, options, person, words};

#[tokio::test]
async fn machines_are_taken_up_lost_ones_told_and_strays_ended() {
    let world = World::new().await;
    let caller = ada();
    let goes_on = world.running(&caller).await.session;
    let stopped = world.running(&caller).await.session;
    let gone = world.running(&caller).await.session;
    let paused = world.running(&caller).await.session;
    let pending = world.pending(&caller).await.session;
    world.gateway.pause(&caller, &paused).await.unwrap();
    world.gateway.close().await;
    world.provider.stop(&stopped);
    world.provider.lose(&gone);
    world.provider.stray("somebody's");

    let next = world.again().await;
    next.recover().await;
    let state = async |id: &str| next.show(&caller, id).await.unwrap().state;
    assert_eq!(state(&goes_on).await, State::Running);
    assert_eq!(
        state(&stopped).await,
        State::Running,
        "it was started again"
    );
    assert_eq!(state(&gone).await, State::Stopped);
    assert_eq!(state(&paused).await, State::Paused);
    assert_eq!(state(&pending).await, State::Pending);
    let mut there = [&goes_on, &stopped, &paused]
        .map(|id| SandboxId::of(id))
        .to_vec();
    there.sort();
    assert_eq!(world.provider.there(), there);
    // Events go on counting where they were.
    let events = next
        .events(&caller, &gone, 0, Duration::ZERO)
        .await
        .unwrap();
    let seen: Vec<_> = events
        .iter()
        .map(|it| (it.number, it.kind.as_str()))
        .collect();
    assert_eq!(seen, [(1, "created"), (2, "running"), (3, "ended")]);
    assert!(next.connect(&caller, &paused).await.is_ok());
    assert!(next.connect(&caller, &pending).await.is_ok());
}

#[tokio::test]
async fn a_killed_server_is_followed_by_one_that_finds_its_own() {
    let mut slow = options();
    slow.bring_up.make = Duration::from_secs(600);
    let world = World::with(slow, |_| {}).await;
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        world.provider.fail("create", Fault::Hangs);
        let gateway = world.gateway.clone();
        tokio::spawn(async move { gateway.create(&ada(), immediate(), key(name, "b")).await });
        world.provider.hangs().await;
        let all = world.gateway.list(&ada(), None, false).await.unwrap();
        let new = all.iter().find(|view| !ids.contains(&view.id)).unwrap();
        ids.push(new.id.clone());
    }
    // It was killed: nothing of it is closed, and of one machine nothing was there yet.
    world.provider.lose(&ids[1]);
    let next = world.again().await;
    next.recover().await;
    let state = async |id: &str| next.show(&ada(), id).await.unwrap().state;
    assert_eq!(state(&ids[0]).await, State::Running);
    assert_eq!(state(&ids[1]).await, State::Failed);
    assert_eq!(world.provider.there(), [SandboxId::of(&ids[0])]);
    // Who never heard is answered from what there is, and nothing is made twice.
    let again = async |name: &str| next.create(&ada(), immediate(), key(name, "b")).await;
    let one = again("one").await.unwrap();
    assert!(one.replayed && one.machine.is_some());
    assert_eq!((&one.session, &*one.state), (&ids[0], "running"));
    assert_eq!(world.provider.there().len(), 1);
    // What came to nothing is made.
    let two = again("two").await.unwrap();
    assert!(!two.replayed && two.session != ids[1]);
    assert_eq!(again("two").await.unwrap().session, two.session);
}

#[tokio::test]
async fn a_process_that_is_not_the_last_one_is_told_when_it_writes() {
    let world = World::new().await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    let next = world.again().await;
    next.recover().await;
    let longer = 2 * LIFETIME;
    next.extend(&caller, &id, longer).await.unwrap();
    let late = world.gateway.extend(&caller, &id, longer).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
}

#[tokio::test]
async fn a_provider_that_cannot_say_ends_and_pauses_nothing() {
    let world = World::new().await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    let port = world.gateway.show(&caller, &id).await.unwrap().machine;
    world.gateway.close().await;
    world.provider.stop(&id);

    let next = world.again().await;
    world.provider.fail("health", Fault::Refuses);
    next.recover().await;
    let state = async || next.show(&caller, &id).await.unwrap().state;
    assert_eq!(state().await, State::Running);
    // Whoever needs the machine is not led to where it was.
    world.provider.fail("health", Fault::Hangs);
    let connected = next.connect(&caller, &id).await;
    assert!(words(connected).contains("longer than"));
    assert_eq!(state().await, State::Running);
    next.tend().await;
    let view = next.show(&caller, &id).await.unwrap();
    assert_eq!(view.state, State::Running);
    assert_ne!(view.machine, port, "where it is now");
    let events = next.events(&caller, &id, 0, Duration::ZERO).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["created", "running", "running"]);
}

#[tokio::test]
async fn nobody_pays_for_what_was_not_there() {
    let world = World::new().await;
    let caller = ada();
    let [gone, stopped, there] = [
        world.running(&caller).await.session,
        world.running(&caller).await.session,
        world.running(&caller).await.session,
    ];
    let minute = Duration::from_secs(60);
    world.pass(minute);
    world.gateway.tend().await;
    assert_eq!(world.used(&caller).await, 3 * minute);
    world.gateway.close().await;
    world.provider.lose(&gone);
    world.provider.stop(&stopped);
    world.pass(60 * minute);
    let next = world.again().await;
    next.recover().await;
    let used = async |id: &str| next.show(&caller, id).await.unwrap().used;
    assert_eq!(used(&gone).await, minute);
    assert_eq!(used(&stopped).await, minute);
    assert_eq!(used(&there).await, 61 * minute);
    // However long nobody looks, a session costs no more than it lives.
    next.close().await;
    world.pass(10 * LIFETIME);
    let last = world.again().await;
    last.recover().await;
    last.tend().await;
    let used = async |id: &str| last.show(&caller, id).await.unwrap().used;
    assert_eq!(used(&there).await, LIFETIME);
    assert_eq!(used(&stopped).await, LIFETIME - 60 * minute);
    let all = LIFETIME + LIFETIME - 60 * minute + minute;
    let credits = last.credits(&caller, None).await.unwrap();
    assert_eq!(credits.standing.used, all);
}

#[tokio::test]
async fn what_another_server_has_is_said_to_be_its() {
    let world = World::new().await;
    let id = world.pending(&ada()).await.session;
    let other = World::with(options(), |parts| {
        parts.database = world.database.as_server("srv_2");
    })
    .await;
    assert_eq!(
        other.gateway.show(&ada(), &id).await.unwrap().state,
        State::Pending
    );
    let connected = other.gateway.connect(&ada(), &id).await;
    assert!(
        matches!(&connected, Err(Error::Elsewhere { server }) if server == "srv_1"),
        "{connected:?}"
    );
    other.gateway.recover().await;
    assert_eq!(world.state(&ada(), &id).await.0, State::Pending);
    // What is asked of all is said of what is elsewhere as well.
    let made = world.running(&ada()).await;
    let machine = made.machine.unwrap().sandbox;
    let names = [machine.clone(), "none".to_owned()];
    let alive = async |caller: &Caller| other.gateway.alive(caller, &names).await.unwrap();
    assert_eq!(alive(&ada()).await, [machine]);
    let bob = person("bob", "acme", Role::Member);
    assert!(alive(&bob).await.is_empty());
    let here = other.pending(&ada()).await.session;
    let all = other.gateway.end_all(&ada()).await.unwrap();
    assert_eq!(all.ended, 1);
    assert_eq!(other.state(&ada(), &here).await.0, State::Stopped);
    let mut elsewhere: Vec<_> = all.elsewhere.into_iter().map(|it| it.session).collect();
    elsewhere.sort();
    let mut expected = [id, made.session];
    expected.sort();
    assert_eq!(elsewhere, expected);
}
