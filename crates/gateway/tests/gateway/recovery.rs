//! The next start: what the database says against what the provider has.

use std::time::Duration;

use wharf_gateway::{Error, State};
use wharf_sandbox::SandboxId;
use wharf_testkit::Fault;

use crate::{World, ada, deferred, immediate, key, options};

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
    // Its keys are free again: nobody answers to them.
    let again = next.create(&ada(), deferred(), key("one", "b")).await;
    assert!(!again.unwrap().replayed);
    let caller = ada();
    // The first process is told when it comes to write.
    let late = world
        .gateway
        .extend(&caller, &ids[0], Duration::from_secs(60));
    let late = tokio::time::timeout(Duration::from_millis(100), late).await;
    assert!(
        !matches!(late, Ok(Ok(_))),
        "it has its turn still: {late:?}"
    );
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
}
