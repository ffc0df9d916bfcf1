//! How much may be attached at once, and which connections are shared.

use std::time::Duration;

use axum::body::Body;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wharf_server::AttachLimits;
use wharf_testkit::TestUpstream;

use crate::support::attach::{NEVER, path, piece, with_attached, with_attached_of};

#[test]
fn a_connection_is_kept_for_its_session_and_for_no_other() {
    with_attached(&[], async |attached| {
        attached.sessions.put("b", attached.upstream.address());
        let mut client = attached.client().await;
        for session in ["a", "a", "b", "b", "a"] {
            let (status, _) = client.ask("GET", &path(session, "/x"), Body::empty()).await;
            assert_eq!(status, 200);
        }
        let seen = attached.upstream.seen();
        let connections: Vec<_> = seen.iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, [0, 0, 1, 1, 0]);

        // A session that has moved has nothing to do with who is at its old address.
        let moved = TestUpstream::start(&[]).await;
        attached.sessions.put("a", moved.address());
        client.ask("GET", &path("a", "/x"), Body::empty()).await;
        assert_eq!(moved.seen().len(), 1);
        attached.upstream.becomes(|state| state.open == 1).await;
        attached
    });
}

/// A kept connection may close at the moment at which it is used.
#[test]
fn a_connection_that_was_closed_costs_nobody_an_answer() {
    with_attached(&[], async |attached| {
        let mut client = attached.client().await;
        for method in ["GET", "POST", "GET", "POST"].repeat(10) {
            let body = if method == "POST" { "hello" } else { "" };
            let (status, back) = client.ask(method, &path("a", "/once"), body).await;
            assert_eq!((status, &back[..]), (200, body.as_bytes()));
        }
        attached
    });
}

fn few(per_session: usize, in_all: usize) -> AttachLimits {
    AttachLimits {
        per_session,
        in_all,
        place_patience: Duration::from_millis(200),
        ..AttachLimits::default()
    }
}

#[test]
fn one_more_than_may_be_is_told_to_come_again() {
    with_attached_of(few(2, 3), &[], async |attached| {
        attached.sessions.put("b", attached.upstream.address());
        let mut held = Vec::new();
        for session in ["a", "a"] {
            let mut client = attached.client().await;
            let quiet = client
                .begin("GET", &path(session, "/quiet"), Body::empty())
                .await;
            held.push((client, quiet));
        }
        let mut late = attached.client().await;
        let full = late.begin("GET", &path("a", "/x"), Body::empty()).await;
        assert_eq!(full.status(), 429);
        assert_eq!(full.headers()["retry-after"], "1");
        assert_eq!(full.headers()["content-type"], "text/plain; charset=utf-8");
        drop(full);

        let mut late = attached.client().await;
        let quiet = late.begin("GET", &path("b", "/quiet"), Body::empty()).await;
        assert_eq!(quiet.status(), 200);
        let mut later = attached.client().await;
        let full = later.begin("GET", &path("b", "/x"), Body::empty()).await;
        assert_eq!(full.status(), 503);
        assert_eq!(full.headers()["retry-after"], "1");
        drop(full);
        for why in ["session_full", "full"] {
            let line = format!("wharf_attach_refused_total{{why=\"{why}\"}}");
            assert_eq!(attached.metric(&line).await, 1, "{why}");
        }

        // Places come back.
        held.clear();
        drop((late, quiet));
        attached.upstream.becomes(|state| state.open == 0).await;
        for session in ["a", "b"] {
            let mut client = attached.client().await;
            let (status, _) = client.ask("GET", &path(session, "/x"), Body::empty()).await;
            assert_eq!(status, 200);
        }
        assert_eq!(attached.metric("wharf_attach_requests_active").await, 0);
        attached
    });
}

#[test]
fn the_sessions_of_an_account_leave_places_for_others() {
    let limits = AttachLimits {
        per_account: 2,
        ..few(2, 3)
    };
    with_attached_of(limits, &[], async |attached| {
        for session in ["b", "c"] {
            attached.sessions.put(session, attached.upstream.address());
        }
        attached.sessions.charge("c", "other");
        let mut held = Vec::new();
        for session in ["a", "b"] {
            let mut client = attached.client().await;
            let quiet = path(session, "/quiet");
            let quiet = client.begin("GET", &quiet, Body::empty()).await;
            held.push((client, quiet));
        }
        let mut late = attached.client().await;
        let full = late.begin("GET", &path("b", "/x"), Body::empty()).await;
        assert_eq!(full.status(), 429);
        assert_eq!(full.headers()["retry-after"], "1");
        drop(full);
        let mut other = attached.client().await;
        let (status, _) = other.ask("GET", &path("c", "/x"), Body::empty()).await;
        assert_eq!(status, 200);
        let line = "wharf_attach_refused_total{why=\"account_full\"}";
        assert_eq!(attached.metric(line).await, 1);
        attached
    });
}

#[test]
fn who_waited_for_a_place_goes_to_where_the_agent_is_by_then() {
    let limits = AttachLimits {
        per_session: 1,
        ..AttachLimits::default()
    };
    with_attached_of(limits, &[], async |attached| {
        let mut first = attached.client().await;
        let quiet = path("a", "/quiet");
        let quiet = first.begin("GET", &quiet, Body::empty()).await;
        let mut second = attached.client().await;
        let at = path("a", "/echo");
        let asks = second.ask("POST", &at, "x");
        let elsewhere = TestUpstream::start(&[]).await;
        let moves = async {
            // Before it waits, nothing that is known has to change.
            while attached.metric("wharf_attach_requests_waiting").await == 0 {
                tokio::task::yield_now().await;
            }
            let _ended = attached.sessions.put("a", elsewhere.address());
            drop((first, quiet));
        };
        let ((status, _), ()) = tokio::join!(asks, moves);
        assert_eq!(status, 200);
        let connections = |upstream: &TestUpstream| upstream.state().connections;
        assert_eq!(connections(&attached.upstream), 1);
        assert_eq!(connections(&elsewhere), 1);
        attached
    });
}

/// Each begins as the agent's own client does: a stream of events, some questions at once, and then
/// something is sent.
#[test]
fn fifty_attach_at_once() {
    const CLIENTS: usize = 50;
    const QUESTIONS: usize = 6;
    with_attached(&[], async |attached| {
        let mut starting = JoinSet::new();
        for number in 0..CLIENTS {
            let session = format!("s{}", number % (CLIENTS / 2));
            attached.sessions.put(&session, attached.upstream.address());
            let (mut events, mut prompts) = (attached.client().await, attached.client().await);
            let mut questions = JoinSet::new();
            for _ in 0..QUESTIONS {
                let (mut client, path) = (attached.client().await, path(&session, "/question"));
                questions.spawn(async move { client.ask("GET", &path, Body::empty()).await.0 });
            }
            starting.spawn(async move {
                let stream = events
                    .begin("GET", &path(&session, "/events"), Body::empty())
                    .await;
                assert_eq!(stream.status(), 200);
                assert_eq!(questions.join_all().await, [200; QUESTIONS]);
                let prompt = format!("prompt {number}");
                let path = path(&session, "/echo");
                let (status, back) = prompts.ask("POST", &path, prompt.clone()).await;
                assert_eq!((status, &back[..]), (200, prompt.as_bytes()));
                (stream.into_body(), events)
            });
        }
        let mut streams = starting.join_all().await;
        assert_eq!(
            attached.metric("wharf_attach_requests_active").await,
            CLIENTS as u64
        );
        attached.upstream.say("hello");
        for (stream, _) in &mut streams {
            let event = piece(stream).await.unwrap().unwrap();
            assert_eq!(event, "data: hello\n\n");
        }
        attached
    });
}

#[test]
fn nobody_waits_for_ever_for_a_session_or_its_agent() {
    let limits = AttachLimits {
        attach_timeout: Duration::from_millis(50),
        connect_timeout: Duration::from_millis(50),
        ..AttachLimits::default()
    };
    with_attached_of(limits, &[], async |attached| {
        let mut client = attached.client().await;
        let (status, text) = client.ask("GET", &path(NEVER, "/x"), Body::empty()).await;
        assert_eq!(status, 503);
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("did not come up in time"), "{text}");

        // Somebody who listens and takes in nobody more.
        let full = TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(0).unwrap();
        let address = full.local_addr().unwrap();
        let mut queue = Vec::new();
        let a_while = Duration::from_millis(200);
        while let Ok(stream) = timeout(a_while, TcpStream::connect(address)).await {
            queue.push(stream.unwrap());
        }
        attached.sessions.put("full", address);
        let (status, text) = client.ask("GET", &path("full", "/x"), Body::empty()).await;
        assert_eq!(status, 502);
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("cannot be connected to"), "{text}");
        assert_eq!(
            attached
                .metric("wharf_attach_cut_total{why=\"connect\"}")
                .await,
            1
        );
        attached
    });
}
