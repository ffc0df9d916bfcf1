//! A provider that fails, half-way or for ever: nothing is left, and the session says why.

use wharf_gateway::limits::PENDING_PER_ACCOUNT;
use wharf_gateway::{Error, State};
use wharf_model::Role;
use wharf_sandbox::{Health, SandboxId};
use wharf_testkit::Fault;

use crate::{World, ada, deferred, immediate, options, person, words};

#[tokio::test]
async fn what_fails_leaves_nothing_and_says_why() {
    for (fault, reason) in [
        (Fault::Refuses, "the test said no"),
        (Fault::FailsHalfWay, "the test said no"),
        (Fault::Hangs, "took longer than"),
    ] {
        let world = World::new().await;
        world.provider.fail("create", fault);
        let made = world.gateway.create(&ada(), immediate(), None).await;
        assert!(matches!(made, Err(Error::Failed { .. })), "{fault:?}");
        assert!(words(made).contains(reason), "{fault:?}");
        assert!(world.provider.there().is_empty(), "{fault:?}");
        let all = world.gateway.list(&ada(), None, true).await.unwrap();
        let (state, why) = (all[0].state, all[0].reason.clone().unwrap());
        assert_eq!(state, State::Failed);
        assert!(why.contains(reason), "{why}");
        assert_eq!(world.kinds(&ada(), &all[0].id).await, ["created", "failed"]);
        assert!(
            world
                .gateway
                .list(&ada(), None, false)
                .await
                .unwrap()
                .is_empty()
        );
        let again = world.gateway.connect(&ada(), &all[0].id).await;
        assert!(matches!(again, Err(Error::Ended { .. })));
    }
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_found_by_the_sweep() {
    let world = World::new().await;
    world.provider.fail("create", Fault::FailsHalfWay);
    world.provider.fail("terminate", Fault::Refuses);
    let made = world.gateway.create(&ada(), immediate(), None).await;
    assert!(made.is_err());
    assert_eq!(world.provider.there().len(), 1);
    let kept = world.running(&ada()).await;
    world.gateway.sweep().await;
    assert_eq!(world.provider.there(), [SandboxId::of(&kept.session)]);
}

#[tokio::test]
async fn what_is_being_made_is_given_up_when_it_ends() {
    let mut slow = options();
    slow.bring_up.make = std::time::Duration::from_secs(600);
    let world = World::with(slow, |_| {}).await;
    world.provider.fail("create", Fault::Hangs);
    let gateway = world.gateway.clone();
    let making = tokio::spawn(async move { gateway.create(&ada(), immediate(), None).await });
    world.provider.hangs().await;
    let all = world.gateway.list(&ada(), None, false).await.unwrap();
    assert_eq!(all[0].state, State::Starting);
    let ended = world.gateway.end(&ada(), &all[0].id).await.unwrap();
    assert_eq!(ended.state, State::Stopped);
    let made = making.await.unwrap();
    assert!(matches!(made, Err(Error::Ended { .. })), "{made:?}");
    assert!(world.provider.there().is_empty());
    assert_eq!(world.kinds(&ada(), &all[0].id).await, ["created", "ended"]);
}

#[tokio::test]
async fn it_goes_on_when_whoever_asked_is_gone() {
    let world = World::new().await;
    let made = world.pending(&ada()).await;
    let caller = ada();
    let connecting = world.gateway.connect(&caller, &made.session);
    // One poll, as from a client that goes away at once.
    let polled = tokio::time::timeout(std::time::Duration::ZERO, connecting).await;
    drop(polled);
    let patience = std::time::Duration::from_secs(10);
    let mut last = 0;
    loop {
        let events = world.gateway.events(&caller, &made.session, last, patience);
        let events = events.await.unwrap();
        last = events.last().unwrap().number;
        if events.iter().any(|event| event.state == State::Running) {
            break;
        }
    }
    assert_eq!(
        world.provider.health_of(&made.session),
        Some(Health::Running)
    );
}

#[tokio::test]
async fn a_server_that_stops_leaves_nothing_half_made() {
    let mut slow = options();
    slow.bring_up.make = std::time::Duration::from_secs(600);
    let world = World::with(slow, |_| {}).await;
    world.provider.fail("create", Fault::Hangs);
    let gateway = world.gateway.clone();
    let making = tokio::spawn(async move { gateway.create(&ada(), immediate(), None).await });
    world.provider.hangs().await;
    world.gateway.close().await;
    assert!(words(making.await.unwrap()).contains("the server stopped"));
    assert!(world.provider.there().is_empty());
    let all = world.gateway.list(&ada(), None, true).await.unwrap();
    assert_eq!(all[0].state, State::Failed);
}

#[tokio::test]
async fn what_does_not_wake_is_not_lost() {
    let world = World::new().await;
    let made = world.running(&ada()).await;
    let id = made.session.as_str();
    world.gateway.pause(&ada(), id).await.unwrap();
    world.provider.fail("resume", Fault::Refuses);
    let woken = world.gateway.connect(&ada(), id).await;
    assert!(words(woken).contains("the test said no"));
    let (state, reason) = world.state(&ada(), id).await;
    assert_eq!(state, State::Paused);
    assert!(reason.unwrap().contains("did not go on"));
    assert!(world.gateway.connect(&ada(), id).await.is_ok());

    // A machine that is gone is another thing.
    world.provider.lose(id);
    let gone = world.gateway.connect(&ada(), id).await;
    assert_eq!(words(gone), "the session has ended: its sandbox is gone");
}

#[tokio::test]
async fn a_machine_whose_processes_ended_is_started_again() {
    let world = World::new().await;
    let made = world.running(&ada()).await;
    let id = made.session.as_str();
    let port = made.machine.unwrap().ssh_port;
    world.provider.stop(id);
    world.gateway.tend().await;
    assert_eq!(world.state(&ada(), id).await.0, State::Paused);
    let connected = world.gateway.connect(&ada(), id).await.unwrap();
    assert_ne!(connected.machine.ssh_port, port, "where it is now");
    // The same between two looks.
    world.provider.stop(id);
    assert!(world.gateway.connect(&ada(), id).await.is_ok());
    assert_eq!(world.state(&ada(), id).await.0, State::Running);
}

#[tokio::test]
async fn no_account_fills_the_server_with_what_nobody_needs() {
    let many = wharf_gateway::Options {
        max: 2 * PENDING_PER_ACCOUNT,
        ..options()
    };
    let world = World::with(many, |_| {}).await;
    let one = world.pending(&ada()).await;
    for _ in 1..PENDING_PER_ACCOUNT {
        world.pending(&ada()).await;
    }
    let more = world.gateway.create(&ada(), deferred(), None).await;
    assert!(
        matches!(more, Err(Error::Waiting(PENDING_PER_ACCOUNT))),
        "{more:?}"
    );
    assert!(words(more).contains("connect to one of them, or end one"));
    // A colleague is of the same account; another organization is not.
    let bob = person("bob", "acme", Role::Member);
    assert!(world.gateway.create(&bob, deferred(), None).await.is_err());
    world.pending(&person("bob", "other", Role::Member)).await;
    // What is made at once does not wait, and what is connected to does no more.
    world.running(&ada()).await;
    world.gateway.connect(&ada(), &one.session).await.unwrap();
    world.pending(&ada()).await;
}

#[tokio::test]
async fn there_are_no_more_sessions_than_may_be() {
    let few = wharf_gateway::Options {
        max: 2,
        ..options()
    };
    let world = World::with(few, |_| {}).await;
    let one = world.pending(&ada()).await;
    world.pending(&ada()).await;
    let third = world.gateway.create(&ada(), deferred(), None).await;
    assert!(matches!(third, Err(Error::Crowded(2))), "{third:?}");
    world.gateway.end(&ada(), &one.session).await.unwrap();
    world.pending(&ada()).await;
}
