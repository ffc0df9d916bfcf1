//! A database that does not take something, or whose answer gets lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wharf_gateway::limits::LIFETIME;
use wharf_gateway::{Error, Keys, State};
use wharf_model::Caller;
use wharf_sandbox::BoxFuture;
use wharf_testkit::Fault;

use crate::{World, ada, immediate, options, words};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_lost_answer_costs_one_step() {
    let world = World::new().await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    world.change(&id, |_| {}).await;
    let extend = async || world.gateway.extend(&caller, &id, LIFETIME).await;
    assert!(matches!(extend().await, Err(Error::Conflict(_))));
    extend().await.unwrap();
    assert_eq!(
        world.kinds(&caller, &id).await,
        ["created", "running", "extended"]
    );

    // The same when its time is over: it ends the next time, and each attempt is told as what it was.
    world.change(&id, |_| {}).await;
    world.pass(LIFETIME);
    world.gateway.tend().await;
    assert_eq!(world.state(&caller, &id).await.0, State::Running);
    world.pass(10 * SECOND);
    world.gateway.tend().await;
    assert_eq!(world.state(&caller, &id).await.0, State::Stopped);
    let entries = ["sandbox.ended", "sandbox.end_failed"].map(|kind| world.entries(kind));
    assert_eq!(entries, [2, 1]);
}

#[tokio::test]
async fn what_was_done_though_nobody_said_so_is_found_out() {
    let world = World::new().await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    world.hide_sessions().await;
    let extended = world.gateway.extend(&caller, &id, LIFETIME).await;
    assert!(matches!(extended, Err(Error::Database(_))), "{extended:?}");
    world
        .sql("UPDATE away SET version = version + 1, expires_ms = expires_ms + 7")
        .await;
    world.show_sessions().await;
    let before = world.gateway.show(&caller, &id).await.unwrap().expires;
    world.gateway.extend(&caller, &id, LIFETIME).await.unwrap();
    let after = world.gateway.show(&caller, &id).await.unwrap().expires;
    assert_eq!(after.millis(), before.millis() + 7);

    // The same with an end.
    world.hide_sessions().await;
    assert!(world.gateway.end(&caller, &id).await.is_err());
    world
        .sql("UPDATE away SET version = version + 1, state = 'stopped', ended_ms = 1")
        .await;
    world.show_sessions().await;
    world.gateway.tend().await;
    assert_eq!(world.state(&caller, &id).await.0, State::Stopped);
    let ended = world.gateway.connect(&caller, &id).await;
    assert!(matches!(ended, Err(Error::Ended { .. })), "{ended:?}");
    assert!(world.provider.there().is_empty());
}

#[tokio::test]
async fn a_machine_that_cannot_be_written_down_is_taken_back() {
    let world = World::new().await;
    let caller = ada();
    world.provider.fail("create", Fault::Waits);
    let gateway = world.gateway.clone();
    let making = tokio::spawn(async move { gateway.create(&ada(), immediate(), None).await });
    world.provider.hangs().await;
    world.refuse_changes().await;
    world.provider.go_on();
    let made = making.await.unwrap();
    assert!(matches!(made, Err(Error::Database(_))), "{made:?}");
    assert!(world.provider.there().is_empty());
    let all = world.gateway.list(&caller, None, true).await.unwrap();
    assert_eq!(all[0].state, State::Starting, "nothing else can be written");

    world.allow_changes().await;
    world.gateway.tend().await;
    let (state, reason) = world.state(&caller, &all[0].id).await;
    assert_eq!(state, State::Failed);
    assert!(reason.unwrap().contains("the database does not answer"));
    let running = world.gateway.credits(&caller, None).await.unwrap().running;
    assert_eq!(running, 0, "its place is free");
}

#[tokio::test]
async fn a_machine_that_woke_and_could_not_be_written_down_is_found() {
    let world = World::new().await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    world.gateway.pause(&caller, &id).await.unwrap();
    world.provider.fail("resume", Fault::Waits);
    let (gateway, session) = (world.gateway.clone(), id.clone());
    let waking = tokio::spawn(async move { gateway.connect(&ada(), &session).await });
    world.provider.hangs().await;
    world.refuse_changes().await;
    world.provider.go_on();
    assert!(waking.await.unwrap().is_err());
    world.allow_changes().await;
    world.gateway.tend().await;
    assert_eq!(world.state(&caller, &id).await.0, State::Running);
}

/// A list of keys that is there for as many questions.
struct KeysFor(AtomicUsize);

impl Keys for KeysFor {
    fn of<'a>(&'a self, _: &'a Caller) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async {
            let left = self.0.load(Ordering::SeqCst);
            self.0.store(left.saturating_sub(1), Ordering::SeqCst);
            let keys = (left > 0).then(Vec::new);
            keys.ok_or_else(|| "it is away".to_owned())
        })
    }
}

#[tokio::test]
async fn what_stands_in_the_way_leaves_nothing_starting() {
    let keys = Arc::new(KeysFor(AtomicUsize::new(1)));
    let known = Arc::clone(&keys);
    let world = World::with(options(), |parts| parts.keys = known).await;
    let caller = ada();
    let made = world.gateway.create(&caller, immediate(), None).await;
    assert!(words(made).contains("who keeps the SSH keys"));
    let all = world.gateway.list(&caller, None, true).await.unwrap();
    assert_eq!(all[0].state, State::Failed);
    assert!(all[0].reason.as_ref().unwrap().contains("it is away"));

    // One that waits goes on waiting, and is made the next time.
    keys.0.store(1, Ordering::SeqCst);
    let id = world.pending(&caller).await.session;
    assert!(world.gateway.connect(&caller, &id).await.is_err());
    assert_eq!(world.state(&caller, &id).await.0, State::Pending);
    keys.0.store(1, Ordering::SeqCst);
    world.gateway.connect(&caller, &id).await.unwrap();
}
