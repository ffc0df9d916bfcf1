//! A provider that is slow, or fails half-way, at each step; and a sweep that finds all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wharf_gateway::{AgentAt, Agents, AttachRefusal, BringUp, Error, Offer, Options, State};
use wharf_sandbox::{BoxFuture, SandboxId};
use wharf_testkit::{FakeProvider, Fault};

use crate::tickets::{agent, answers};
use crate::{HASH, World, ada, immediate, options, words};

const SECOND: Duration = Duration::from_secs(1);

/// As long as a server waits that nobody has told otherwise.
fn patient() -> Options {
    Options {
        bring_up: BringUp::default(),
        ..options()
    }
}

/// That much time goes by for whoever waits, in no time.
async fn wait(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
    // Who waited finds out.
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

/// Ends all sessions and sweeps; nothing is left at the provider then, nor is counted.
async fn nothing_is_left(world: &World) {
    let caller = ada();
    world.gateway.end_all(&caller).await.unwrap();
    world.gateway.sweep().await;
    assert_eq!(world.provider.there(), []);
    let credits = world.gateway.credits(&caller, None).await.unwrap();
    assert_eq!(credits.running, 0);
    let kept = world.gateway.configuration(&caller, HASH).await.unwrap();
    let kept = kept.and_then(|it| it.snapshot);
    let there = world.provider.snapshots();
    assert_eq!(
        there.iter().map(|it| it.as_str()).collect::<Vec<_>>(),
        kept.iter().collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_is_made_after_nobody_waits_any_more_is_swept() {
    let world = World::with(patient(), |_| {}).await;
    world.provider.fail("create", Fault::ComesLate);
    let gateway = world.gateway.clone();
    let making = tokio::spawn(async move { gateway.create(&ada(), immediate(), None).await });
    world.provider.hangs().await;
    wait(BringUp::default().make - SECOND).await;
    assert!(!making.is_finished());
    wait(2 * SECOND).await;
    let made = making.await.unwrap();
    assert!(words(made).contains("the provider took longer than 120 s"));
    world.provider.arrive();
    assert_eq!(world.provider.there().len(), 1);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn what_fails_half_way_and_cannot_be_taken_back_is_swept() {
    for fault in [Fault::Refuses, Fault::FailsHalfWay, Fault::Hangs] {
        let world = World::new().await;
        world.provider.fail("create", Fault::FailsHalfWay);
        world.provider.fail("terminate", fault);
        assert!(
            world
                .gateway
                .create(&ada(), immediate(), None)
                .await
                .is_err()
        );
        nothing_is_left(&world).await;
    }
}

#[tokio::test]
async fn a_provider_that_cannot_say_how_a_machine_is_disturbs_nobody() {
    let world = World::with(patient(), |_| {}).await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    for fault in [Fault::Refuses, Fault::FailsHalfWay, Fault::Hangs] {
        // Twice: for whoever connects, and for whoever looks after it.
        world.provider.fail("health", fault);
        let connected = {
            let (gateway, id) = (world.gateway.clone(), id.clone());
            tokio::spawn(async move { gateway.connect(&ada(), &id).await })
        };
        if fault == Fault::Hangs {
            world.provider.hangs().await;
            wait(BringUp::default().ask + SECOND).await;
        }
        connected.await.unwrap().unwrap();
        world.provider.fail("health", fault);
        let tended = {
            let gateway = world.gateway.clone();
            tokio::spawn(async move { gateway.tend().await })
        };
        if fault == Fault::Hangs {
            world.provider.hangs().await;
            wait(BringUp::default().ask + SECOND).await;
        }
        tended.await.unwrap();
        assert_eq!(world.kinds(&caller, &id).await, ["created", "running"]);
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn what_runs_though_it_was_to_rest_is_found_out_and_paid_for() {
    let world = World::new().await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    world.gateway.pause(&caller, &id).await.unwrap();
    // It goes on there, and what is said of it is something else.
    world.provider.fail("connect", Fault::FailsHalfWay);
    assert!(world.gateway.connect(&caller, &id).await.is_err());
    assert_eq!(world.state(&caller, &id).await.0, State::Paused);
    world.gateway.tend().await;
    assert_eq!(world.state(&caller, &id).await.0, State::Running);
    world.pass(60 * SECOND);
    world.gateway.tend().await;
    assert_eq!(world.used(&caller).await, 60 * SECOND);
    // One that is gone while it rests is told as well.
    world.gateway.pause(&caller, &id).await.unwrap();
    world.provider.lose(&id);
    world.gateway.tend().await;
    assert_eq!(world.state(&caller, &id).await.0, State::Stopped);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_snapshot_that_fails_half_way_is_swept() {
    let world = World::with(patient(), |_| {}).await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    for fault in [Fault::FailsHalfWay, Fault::Hangs] {
        world.provider.fail("snapshot", fault);
        world.provider.fail("forget", Fault::Refuses);
        let (gateway, session) = (world.gateway.clone(), id.clone());
        let kept = tokio::spawn(async move { gateway.snapshot(&ada(), &session).await });
        if fault == Fault::Hangs {
            world.provider.hangs().await;
            wait(BringUp::default().keep + SECOND).await;
        }
        assert!(matches!(kept.await.unwrap(), Err(Error::Failed { .. })));
        assert_eq!(world.provider.snapshots().len(), 1, "{fault:?}");
        world.gateway.sweep().await;
        assert!(world.provider.snapshots().is_empty(), "{fault:?}");
    }
    // What a configuration has stays.
    world.gateway.snapshot(&caller, &id).await.unwrap();
    nothing_is_left(&world).await;
    assert_eq!(world.provider.snapshots().len(), 1);
}

#[tokio::test]
async fn an_end_that_fails_half_way_is_swept() {
    let world = World::with(patient(), |_| {}).await;
    let caller = ada();
    for fault in [Fault::Refuses, Fault::FailsHalfWay, Fault::Hangs] {
        let id = world.running(&caller).await.session;
        world.provider.fail("terminate", fault);
        let (gateway, session) = (world.gateway.clone(), id.clone());
        let ended = tokio::spawn(async move { gateway.end(&ada(), &session).await });
        if fault == Fault::Hangs {
            world.provider.hangs().await;
            wait(BringUp::default().end + SECOND).await;
        }
        assert_eq!(ended.await.unwrap().unwrap().state, State::Stopped);
        if fault != Fault::Hangs {
            assert_eq!(world.provider.there(), [SandboxId::of(&id)]);
        }
        // A sweep that fails as well is not the last one.
        world.provider.fail("terminate", Fault::Refuses);
        world.gateway.sweep().await;
        nothing_is_left(&world).await;
    }
}

/// An agent that does not start once, half-way or for ever, and does after that.
struct Stubborn {
    provider: FakeProvider,
    agent: std::net::SocketAddr,
    hangs: bool,
    tried: AtomicBool,
}

impl Agents for Stubborn {
    fn start<'a>(&'a self, _: &'a AgentAt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            if self.tried.swap(true, Ordering::SeqCst) {
                self.provider.lead_to(Some(self.agent));
                return Ok(());
            }
            if self.hangs {
                std::future::pending::<()>().await;
            }
            Err("it has no model".to_owned())
        })
    }

    fn tell<'a>(&'a self, _: &'a AgentAt, _: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn an_agent_that_does_not_start_leaves_its_session_and_no_way_to_it() {
    for hangs in [false, true] {
        let provider = FakeProvider::default();
        let stubborn = Arc::new(Stubborn {
            provider: provider.clone(),
            agent: agent().await,
            hangs,
            tried: AtomicBool::new(false),
        });
        let agents = Arc::clone(&stubborn) as Arc<dyn Agents>;
        let offered = provider.clone();
        let mut world = World::with(options(), |parts| {
            parts.agents = Some(agents);
            parts.offers = vec![Offer::Ready(Arc::new(offered))];
        })
        .await;
        world.provider = provider;
        let caller = ada();
        let id = world.running(&caller).await.session;
        let refused = world.gateway.attach_as(&caller, &id).await.unwrap_err();
        let AttachRefusal::Unavailable { reason, .. } = refused else {
            panic!("{refused:?}");
        };
        let why = if hangs {
            "took longer than"
        } else {
            "no model"
        };
        assert!(reason.contains(why), "{reason}");
        assert_eq!(world.state(&caller, &id).await.0, State::Running);
        let way = world.gateway.attach_as(&caller, &id).await.unwrap();
        assert!(answers(way.address).await);
        nothing_is_left(&world).await;
        assert!(!answers(way.address).await);
    }
}
