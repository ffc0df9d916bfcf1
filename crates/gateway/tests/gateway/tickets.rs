//! What opens the way to an agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wharf_gateway::limits::{ATTACH_AGAIN, IDLE, TICKET_LIFETIME, TICKETS_PER_SESSION};
use wharf_gateway::views::NewSession;
use wharf_gateway::{AgentAt, Agents, AttachRefusal, Error, State};
use wharf_sandbox::BoxFuture;
use wharf_testkit::FakeProvider;

use crate::{World, ada, ada_by, deferred, immediate, options, words};

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
    told: watch::Sender<Vec<String>>,
    deaf: AtomicBool,
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

    fn tell<'a>(&'a self, at: &'a AgentAt, prompt: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            if self.deaf.load(Ordering::SeqCst) {
                return Err("it does not listen".to_owned());
            }
            let model = at.model.as_deref().unwrap_or_default();
            self.told
                .send_modify(|told| told.push(format!("{model}: {prompt}")));
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
        told: watch::Sender::default(),
        deaf: AtomicBool::new(false),
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
    assert!(!way.ended.is_cancelled());
    world.gateway.end(&ada(), &id).await.unwrap();
    way.ended.cancelled().await;
    let end = tokio::time::timeout(Duration::from_secs(5), stream.read_u8()).await;
    assert!(end.unwrap().is_err());
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
    let AttachRefusal::Unavailable { reason, .. } = refused else {
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

#[tokio::test]
async fn the_end_of_a_server_is_not_that_of_its_sessions() {
    let (world, _starts) = world().await;
    let id = world.pending(&ada()).await.session;
    let ticket = world.gateway.ticket(&ada(), &id).await.unwrap().ticket;
    let way = world.gateway.attach(&id, ticket.expose()).await.unwrap();
    world.gateway.close().await;
    assert!(!way.ended.is_cancelled());
    let next = world.again().await;
    let again = next.attach(&id, ticket.expose()).await.unwrap();
    next.end(&ada(), &id).await.unwrap();
    assert!(again.ended.is_cancelled());
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_not_refused_for_good() {
    let (world, _starts) = world().await;
    let id = world.pending(&ada()).await.session;
    let ticket = world.gateway.ticket(&ada_by("key_1"), &id).await;
    let ticket = ticket.unwrap().ticket;
    let again = |refused: AttachRefusal| match refused {
        AttachRefusal::Unavailable { retry_after, .. } => retry_after,
        AttachRefusal::BadTicket => panic!("a good ticket was refused for good"),
    };
    world.credentials.away();
    let refused = world.gateway.attach(&id, ticket.expose()).await;
    assert_eq!(again(refused.unwrap_err()), Some(ATTACH_AGAIN));
    world.database.close().await;
    let refused = world.gateway.attach(&id, ticket.expose()).await;
    assert_eq!(again(refused.unwrap_err()), Some(ATTACH_AGAIN));
    let refused = world.gateway.attach_as(&ada(), "gws_other").await;
    assert_eq!(again(refused.unwrap_err()), Some(ATTACH_AGAIN));
}

#[tokio::test]
async fn what_a_ticket_was_got_with_takes_it_along_and_what_is_open() {
    let (world, _starts) = world().await;
    let id = world.pending(&ada()).await.session;
    let gateway = &world.gateway;
    let ticket = async |caller| gateway.ticket(&caller, &id).await.unwrap().ticket;
    let (one, two) = (ticket(ada_by("key_1")).await, ticket(ada_by("key_2")).await);
    let moved = ticket(ada_by("key_1")).await;
    let attach = async |ticket: &wharf_model::Secret| gateway.attach(&id, ticket.expose()).await;
    let (first, second) = (attach(&one).await.unwrap(), attach(&two).await.unwrap());
    let by_key = gateway.attach_as(&ada_by("key_1"), &id).await.unwrap();
    gateway.renew(&ada_by("key_2"), &id, &moved).await.unwrap();
    gateway.look_at_holders().await;
    assert!(!first.ended.is_cancelled() && !second.ended.is_cancelled());

    world.credentials.end("key_1");
    gateway.look_at_holders().await;
    assert!(first.ended.is_cancelled() && by_key.ended.is_cancelled());
    assert!(!second.ended.is_cancelled());
    assert_eq!(attach(&one).await.unwrap_err(), AttachRefusal::BadTicket);
    // Whoever renewed it answers for it from then on.
    let third = attach(&moved).await.unwrap();

    // Who cannot be asked takes nothing away.
    world.credentials.away();
    gateway.look_at_holders().await;
    assert!(!second.ended.is_cancelled() && !third.ended.is_cancelled());
    assert!(attach(&two).await.is_ok());
}

#[tokio::test]
async fn a_ticket_that_made_room_is_not_good_any_more() {
    let (world, _starts) = world().await;
    let id = world.pending(&ada()).await.session;
    let ticket = async || world.gateway.ticket(&ada(), &id).await.unwrap().ticket;
    let oldest = ticket().await;
    let open = world.gateway.attach(&id, oldest.expose()).await.unwrap();
    world.pass(Duration::from_millis(1));
    for _ in 1..TICKETS_PER_SESSION {
        ticket().await;
    }
    assert!(world.gateway.attach(&id, oldest.expose()).await.is_ok());
    ticket().await;
    let refused = world.gateway.attach(&id, oldest.expose()).await;
    assert_eq!(refused.unwrap_err(), AttachRefusal::BadTicket);
    assert!(!open.ended.is_cancelled());
}

/// A session with something to do for its agent.
fn with_prompt(new: NewSession) -> NewSession {
    NewSession {
        prompt: Some("mend it".to_owned()),
        model: Some("acme/large".to_owned()),
        ..new
    }
}

#[tokio::test]
async fn an_agent_is_told_what_to_do_first() {
    let (world, starts) = world().await;
    let told = || starts.told.borrow().clone();
    // Where the machine is made at once, nobody has to attach for it.
    let create = async |new| world.gateway.create(&ada(), with_prompt(new), None).await;
    create(immediate()).await.unwrap();
    let mut news = starts.told.subscribe();
    news.wait_for(|told| told.len() == 1).await.unwrap();
    assert_eq!(told(), ["acme/large: mend it"]);

    let id = create(deferred()).await.unwrap().session;
    assert_eq!(told().len(), 1);
    world.gateway.attach_as(&ada(), &id).await.unwrap();
    world.gateway.attach_as(&ada(), &id).await.unwrap();
    assert_eq!(told().len(), 2);

    // One that does not listen is there all the same, and it is said.
    starts.deaf.store(true, Ordering::SeqCst);
    let id = create(deferred()).await.unwrap().session;
    world.gateway.attach_as(&ada(), &id).await.unwrap();
    let events = world.gateway.events(&ada(), &id, 0, Duration::ZERO).await;
    let last = events.unwrap().pop().unwrap();
    assert_eq!(last.kind, "warning");
    assert!(
        last.reason
            .unwrap()
            .ends_with("initial prompt: it does not listen")
    );
}

#[tokio::test]
async fn where_nobody_starts_agents_there_is_nobody_to_tell() {
    let world = World::new().await;
    let (ada, new) = (ada(), with_prompt(deferred()));
    let said = words(world.gateway.create(&ada, new, None).await);
    assert!(said.contains("this server starts no agents"), "{said}");
    let nothing = NewSession {
        prompt: Some(" ".to_owned()),
        ..deferred()
    };
    world.gateway.create(&ada, nothing, None).await.unwrap();
}
