//! What opens the way to an agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wharf_gateway::limits::{IDLE, TICKET_LIFETIME};
use wharf_gateway::{AgentAt, Agents, AttachRefusal, Error, State};
use wharf_sandbox::BoxFuture;
use wharf_testkit::FakeProvider;

use crate::{World, ada, options};

/// An agent that answers each byte with the next one.
pub(crate) async fn agent() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    stream.write_u8(byte + 1).await.unwrap();
                }
            });
        }
    });
    address
}

pub(crate) async fn answers(address: std::net::SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    let _sent = stream.write_u8(7).await;
    stream.read_u8().await.ok() == Some(8)
}

/// Starts the agent by letting connections lead to it.
struct Starts {
    provider: FakeProvider,
    agent: std::net::SocketAddr,
    started: AtomicUsize,
}

impl Agents for Starts {
    fn start<'a>(&'a self, at: &'a AgentAt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            assert_eq!(at.machine.agent_port, 4096);
            assert_eq!(at.password.expose().len(), 64);
            self.started.fetch_add(1, Ordering::SeqCst);
            self.provider.lead_to(Some(self.agent));
            Ok(())
        })
    }
}

async fn world() -> (World, Arc<Starts>) {
    let agent = agent().await;
    let starts = Arc::new(Starts {
        provider: FakeProvider::default(),
        agent,
        started: AtomicUsize::new(0),
    });
    let agents = Arc::clone(&starts) as Arc<dyn Agents>;
    let provider = starts.provider.clone();
    let mut world = World::with(options(), |parts| {
        parts.agents = Some(agents);
        let offered = Arc::new(provider.clone());
        parts.offers = vec![wharf_gateway::Offer::Ready(offered)];
    })
    .await;
    world.provider = provider;
    (world, starts)
}

#[tokio::test]
async fn a_ticket_leads_to_its_agent_and_starts_it_once() {
    let (world, starts) = world().await;
    let id = world.pending(&ada()).await.session;
    let ticket = world.gateway.ticket(&ada(), &id).await.unwrap();
    let ticket = ticket.ticket.expose();
    let asks = (0..8).map(|_| world.gateway.attach(&id, ticket));
    let ways = futures_util::future::join_all(asks).await;
    let ways: Vec<_> = ways.into_iter().map(Result::unwrap).collect();
    assert!(ways.iter().all(|way| way.address == ways[0].address));
    assert_eq!(
        (ways[0].user, ways[0].password.expose().len()),
        ("opencode", 64)
    );
    assert!(answers(ways[0].address).await);
    assert_eq!(starts.started.load(Ordering::SeqCst), 1);
    assert_eq!(world.state(&ada(), &id).await.0, State::Running);

    // The agent ends; who comes after whoever noticed has it started again.
    world.provider.lead_to(None);
    assert!(!answers(ways[0].address).await);
    let again = world.gateway.attach(&id, ticket).await.unwrap();
    assert!(answers(again.address).await);
    assert_eq!(starts.started.load(Ordering::SeqCst), 2);

    // A machine that rests because nobody used it goes on for it.
    world.pass(IDLE);
    world.gateway.tend().await;
    assert!(!answers(again.address).await);
    let ticket = world.gateway.ticket(&ada(), &id).await.unwrap();
    let ticket = ticket.ticket.expose();
    let woken = world.gateway.attach(&id, ticket).await.unwrap();
    assert!(answers(woken.address).await);
}

#[tokio::test]
async fn what_a_person_paused_is_not_woken_by_a_client_that_comes_again() {
    let (world, _starts) = world().await;
    let id = world.running(&ada()).await.session;
    let attach = async || {
        let ticket = world.gateway.ticket(&ada(), &id).await.unwrap().ticket;
        world.gateway.attach(&id, ticket.expose()).await
    };
    let is_refused = async || {
        let refused = format!("{:?}", attach().await.unwrap_err());
        assert!(refused.contains("ada@example.com paused it"), "{refused}");
        assert!(refused.contains("wharf session resume gws_"), "{refused}");
        assert_eq!(world.state(&ada(), &id).await.0, State::Paused);
    };
    let way = attach().await.unwrap();
    world.gateway.pause(&ada(), &id).await.unwrap();
    assert!(!answers(way.address).await);
    is_refused().await;
    assert_eq!(world.provider.count("resume"), 0);
    world.gateway.resume(&ada(), &id).await.unwrap();
    attach().await.unwrap();

    // One that rested already is held from then on.
    world.pass(IDLE);
    world.gateway.tend().await;
    world.gateway.pause(&ada(), &id).await.unwrap();
    world.gateway.pause(&ada(), &id).await.unwrap();
    is_refused().await;
    assert_eq!(world.provider.count("pause"), 2);
    assert_eq!(world.entries("sandbox.paused"), 3);
    world.gateway.connect(&ada(), &id).await.unwrap();
    attach().await.unwrap();
}

#[tokio::test]
async fn what_is_open_ends_with_its_session() {
    let (world, _starts) = world().await;
    let id = world.pending(&ada()).await.session;
    let ticket = world.gateway.ticket(&ada(), &id).await.unwrap().ticket;
    let way = world.gateway.attach(&id, ticket.expose()).await.unwrap();
    let mut stream = TcpStream::connect(way.address).await.unwrap();
    stream.write_u8(1).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 2);
    let ending = world.gateway.ending(&id).unwrap();
    world.gateway.end(&ada(), &id).await.unwrap();
    ending.cancelled().await;
    let end = tokio::time::timeout(Duration::from_secs(5), stream.read_u8()).await;
    assert!(end.unwrap().is_err());
    assert!(world.gateway.ending(&id).is_none());
    let refused = world
        .gateway
        .attach(&id, ticket.expose())
        .await
        .unwrap_err();
    assert_eq!(refused, AttachRefusal::BadTicket);
}

#[tokio::test]
async fn an_end_that_fails_leaves_no_address_behind() {
    let (world, _starts) = world().await;
    let id = world.pending(&ada()).await.session;
    let ticket = world.gateway.ticket(&ada(), &id).await.unwrap().ticket;
    let before = world.gateway.attach(&id, ticket.expose()).await.unwrap();
    assert!(answers(before.address).await);
    world.refuse_changes().await;
    assert!(world.gateway.end(&ada(), &id).await.is_err());
    // Its port is anybody's by now.
    assert!(!answers(before.address).await);
    world.allow_changes().await;
    // Its machine went with the attempt.
    let gone = world.gateway.attach(&id, ticket.expose()).await;
    assert!(gone.is_err(), "{gone:?}");

    // The same where it could not even be found out how the session is: its machine is there still,
    // and is led to by a new port.
    let id = world.pending(&ada()).await.session;
    let ticket = world.gateway.ticket(&ada(), &id).await.unwrap().ticket;
    world.gateway.attach(&id, ticket.expose()).await.unwrap();
    world.hide_sessions().await;
    let extended = world.gateway.extend(&ada(), &id, TICKET_LIFETIME).await;
    assert!(extended.is_err());
    assert!(world.gateway.end(&ada(), &id).await.is_err());
    world.show_sessions().await;
    let after = world.gateway.attach(&id, ticket.expose()).await.unwrap();
    assert!(answers(after.address).await);
}

#[tokio::test]
async fn a_ticket_is_for_one_session_one_caller_and_a_short_while() {
    let (world, _starts) = world().await;
    let caller = ada();
    let (one, two) = (
        world.pending(&caller).await.session,
        world.pending(&caller).await.session,
    );
    let ticket = world.gateway.ticket(&caller, &one).await.unwrap().ticket;
    let bad = async |session: &str, ticket: &str| {
        let attached = world.gateway.attach(session, ticket).await;
        matches!(attached, Err(AttachRefusal::BadTicket))
    };
    let text = ticket.expose().to_owned();
    assert!(bad(&two, &text).await);
    assert!(bad("gws_none", &text).await);
    for wrong in [
        "",
        "wht_",
        "whk_x",
        text.get(..text.len() - 1).unwrap(),
        &text.replace("wht_", "whk_"),
    ] {
        assert!(bad(&one, wrong).await, "{wrong}");
    }
    assert!(!bad(&one, &text).await);
    world.pass(TICKET_LIFETIME - Duration::from_millis(1));
    assert!(!bad(&one, &text).await);
    world.pass(Duration::from_millis(1));
    assert!(bad(&one, &text).await);

    // Whoever got it renews it, and nobody else, nor for another session.
    let mate = wharf_model::Caller::of_account(wharf_model::Grants {
        agent: Some("claude".into()),
        role: wharf_model::Role::Agent,
        ..caller.grants().clone()
    });
    assert!(world.gateway.renew(&mate, &one, &ticket).await.is_err());
    let other = world.gateway.renew(&caller, &two, &ticket).await;
    assert!(matches!(other, Err(Error::NotFound("ticket"))));
    world.gateway.renew(&caller, &one, &ticket).await.unwrap();
    assert!(!bad(&one, &text).await);
    // Another process of the server knows it as well.
    let next = world.again().await;
    assert!(next.attach(&one, &text).await.is_ok());

    let kept = format!("{:?}", world.database.ticket("").await);
    assert!(!world.log().contains(&text) && !kept.contains(&text));
}

#[tokio::test]
async fn an_agent_that_does_not_come_is_told() {
    let world = World::new().await;
    let id = world.running(&ada()).await.session;
    let ticket = world.gateway.ticket(&ada(), &id).await.unwrap().ticket;
    let refused = world
        .gateway
        .attach(&id, ticket.expose())
        .await
        .unwrap_err();
    let AttachRefusal::Unavailable { reason } = refused else {
        panic!("{refused:?}");
    };
    assert!(
        reason.contains("the agent in it does not answer"),
        "{reason}"
    );
    // The session goes on.
    assert_eq!(world.state(&ada(), &id).await.0, State::Running);
    assert!(world.gateway.attach_as(&ada(), &id).await.is_err());
}
