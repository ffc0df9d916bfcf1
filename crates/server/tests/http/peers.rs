//! What is another server's is handed on to that server, once, and to no other.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use wharf_gateway::{Credentials, Gateway, NoHub, NoKeys, Offer, Unlimited};
use wharf_model::{Caller, Role};
use wharf_server::{PeerAnswer, PeerRequest, Peers, ServerOptions, Tokens, router};
use wharf_testkit::{FakeProvider, Pair, SystemEntropy, TestEngine, WallClock, with_pair};

use crate::access::caller;
use crate::support::{STRANGER, Server, TOKEN, options};

/// A way to one other server, without a network, and the heads of what went along it.
struct Way {
    to: Router,
    gone: Mutex<Vec<(String, HeaderMap)>>,
}

impl Peers for Way {
    fn send(
        &self,
        request: PeerRequest,
    ) -> Pin<Box<dyn Future<Output = Result<PeerAnswer, String>> + Send + '_>> {
        Box::pin(async move {
            let path = request.url.strip_prefix("http://a").unwrap();
            let mut gone = Request::builder().method(request.method).uri(path);
            let headers = request.headers;
            let seen = (path.to_owned(), headers.clone());
            self.gone.lock().unwrap().push(seen);
            *gone.headers_mut().unwrap() = headers;
            let gone = gone.header("host", "localhost:7304");
            let body = request.body.map_or_else(Body::empty, Body::from_stream);
            let Ok(answer) = self.to.clone().oneshot(gone.body(body).unwrap()).await;
            let (parts, body) = answer.into_parts();
            let body = body.into_data_stream();
            Ok(PeerAnswer {
                status: parts.status,
                headers: parts.headers,
                body: Box::pin(body.map(|piece| piece.map_err(std::io::Error::other))),
            })
        })
    }
}

/// Two servers that may go over plain HTTP; the way is from `b` to `a`, which does not know the owner's token of `b`.
fn with_servers<F: Future<Output = Pair>>(test: impl FnOnce(Pair, Server, Server, Arc<Way>) -> F) {
    with_servers_of(true, test);
}

fn with_servers_of<F: Future<Output = Pair>>(
    plain_peers: bool,
    test: impl FnOnce(Pair, Server, Server, Arc<Way>) -> F,
) {
    with_pair(["http://a".to_owned(), String::new()], |pair| {
        let ada = caller(Role::Member, "run", false);
        let tokens = Tokens::of([(STRANGER, ada.clone())]);
        let of_a = ServerOptions::new(Arc::new(tokens));
        let way = Arc::new(Way {
            to: router(pair.a.engine.clone(), &of_a),
            gone: Mutex::default(),
        });
        let here = Tokens::of([(STRANGER, ada), (TOKEN, Caller::local())]);
        let of_b = ServerOptions {
            authenticator: Arc::new(here),
            plain_peers,
            peers: Some(Arc::clone(&way) as Arc<dyn Peers>),
            ..options()
        };
        let a = Server::of(pair.a.engine.clone(), &of_a);
        let b = Server::of(pair.b.engine.clone(), &of_b);
        test(pair, a, b, way)
    });
}

/// Credentials that never end.
struct Good;

impl Credentials for Good {
    fn holder<'a>(
        &'a self,
        _: &'a str,
        name: &'a str,
    ) -> wharf_gateway::BoxFuture<'a, Result<Option<Caller>, String>> {
        Box::pin(async move { Ok(Some(Caller::new(name))) })
    }
}

async fn gateway(own: &TestEngine, provider: &FakeProvider) -> Gateway {
    let parts = wharf_gateway::Parts {
        database: own.database.clone(),
        clock: Arc::new(WallClock),
        entropy: Arc::new(SystemEntropy),
        audit: own.audit.clone(),
        offers: vec![Offer::Ready(Arc::new(provider.clone()))],
        gate: Arc::new(Unlimited::new(own.database.clone())),
        keys: Arc::new(NoKeys),
        credentials: Arc::new(Good),
        hub: Arc::new(NoHub),
        agents: None,
        doors: None,
    };
    Gateway::open(parts, wharf_gateway::Options::default())
        .await
        .unwrap()
}

/// Two servers with sandboxes; the way is from the second to the first.
fn with_sandboxes(pair: &Pair, gateways: &[Gateway; 2]) -> (Server, Server, Arc<Way>) {
    let [of_a, of_b] = gateways.clone().map(|gateway| {
        let ada = caller(Role::Member, "run", false);
        ServerOptions {
            gateway: Some(gateway),
            plain_peers: true,
            public_url: Some("https://wharf.example.com".to_owned()),
            ..ServerOptions::new(Arc::new(Tokens::of([(STRANGER, ada)])))
        }
    });
    let way = Arc::new(Way {
        to: router(pair.a.engine.clone(), &of_a),
        gone: Mutex::default(),
    });
    let a = Server::of(pair.a.engine.clone(), &of_a);
    let peers = Some(Arc::clone(&way) as Arc<dyn Peers>);
    let b = Server::of(pair.b.engine.clone(), &ServerOptions { peers, ..of_b });
    (a, b, way)
}

async fn new_sandbox(server: &Server) -> Value {
    let new = json!({"sessionType": "cli", "clientType": "cli",
        "cliConfiguration": {"localPathHash": "0123456789abcdef"}});
    let made = server.ask("POST", "/proliferate/sessions");
    let made = made.header("authorization", format!("Bearer {STRANGER}"));
    let made = made.json(&new).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

#[test]
fn what_is_asked_of_all_sandboxes_is_asked_of_each_server() {
    with_pair(
        ["http://a".to_owned(), "http://b".to_owned()],
        async |pair| {
            let providers = [FakeProvider::default(), FakeProvider::default()];
            let gateways = [
                gateway(&pair.a, &providers[0]).await,
                gateway(&pair.b, &providers[1]).await,
            ];
            let (a, b, way) = with_sandboxes(&pair, &gateways);
            let [there, here] = [new_sandbox(&a).await, new_sandbox(&b).await];
            let id = there["sessionId"].as_str().unwrap();

            // Events of another server's come from there, from the first one on.
            let events = format!("/api/sandboxes/{id}/events");
            let stream = b
                .ask("GET", &events)
                .header("authorization", format!("Bearer {STRANGER}"));
            let stream = stream.open().await.unwrap();
            assert_eq!(stream.headers()["content-type"], "text/event-stream");
            let mut body = stream.into_body().into_data_stream();
            let first = body.next().await.unwrap().unwrap();
            assert!(first.starts_with(b"event: created\nid: 1\n"), "{first:?}");
            drop(body);

            let call = async |procedure: &str, input: Value| {
                let path = format!("/api/rpc/cli/sessions/{procedure}");
                let body = json!({"json": input, "meta": []});
                as_stranger(&b, "POST", &path, Some(body)).await["json"].clone()
            };
            let machine = as_stranger(&b, "GET", &format!("/proliferate/{id}"), None).await;
            let names = json!({"sandboxIds": [machine["sandboxId"]]});
            let alive = call("checkSandboxes", names).await;
            assert_eq!(alive["alive"], json!([machine["sandboxId"]]));
            let ended = call("deleteAll", Value::Null).await;
            assert_eq!(ended, json!({"success": true, "terminated": 2}));
            for made in [&there, &here] {
                let path = format!("/api/sandboxes/{}", made["sessionId"].as_str().unwrap());
                let shown = as_stranger(&b, "GET", &path, None).await;
                assert_eq!(shown["status"], "stopped");
            }
            let went = way.gone.lock().unwrap().clone();
            let went: Vec<_> = went.iter().map(|(path, _)| path.as_str()).collect();
            let [machine, end] = [format!("/proliferate/{id}"), format!("/api/sandboxes/{id}")];
            assert_eq!(went, [&*events, &*machine, &*end]);
            for gateway in gateways {
                gateway.close().await;
            }
            pair
        },
    );
}

#[test]
fn a_sandbox_is_its_servers_whoever_is_asked() {
    with_pair(
        ["http://a".to_owned(), "http://b".to_owned()],
        async |pair| {
            let (here, there) = (FakeProvider::default(), FakeProvider::default());
            let gateways = [
                gateway(&pair.a, &there).await,
                gateway(&pair.b, &here).await,
            ];
            let (a, b, way) = with_sandboxes(&pair, &gateways);
            let made = new_sandbox(&a).await;
            assert_eq!(made["gatewayUrl"], "http://a");
            let id = made["sessionId"].as_str().unwrap();

            let at = |rest: &str| format!("/api/sandboxes/{id}{rest}");
            let machine = as_stranger(&b, "GET", &format!("/proliferate/{id}"), None).await;
            assert_eq!(machine["status"], "running");
            // An agent is where its session is, and a ticket says so.
            let ticket = as_stranger(&b, "POST", &at("/tickets"), None).await;
            let url = ticket["url"].as_str().unwrap();
            assert!(
                url.starts_with(&format!("http://a/proxy/{id}/wht_")),
                "{url}"
            );
            let again = json!({"ticket": ticket["ticket"]});
            let renewed = as_stranger(&b, "POST", &at("/tickets/renew"), Some(again)).await;
            assert_eq!(renewed["url"], url);
            let ended = as_stranger(&b, "DELETE", &at(""), None).await;
            assert_eq!(ended["status"], "stopped");
            assert_eq!((there.count("create"), here.calls().len()), (1, 0));
            let gone: Vec<_> = way
                .gone
                .lock()
                .unwrap()
                .iter()
                .map(|it| it.0.clone())
                .collect();
            assert_eq!(
                gone,
                [
                    format!("/proliferate/{id}"),
                    at("/tickets"),
                    at("/tickets/renew"),
                    at("")
                ]
            );
            for gateway in gateways {
                gateway.close().await;
            }
            pair
        },
    );
}

async fn as_stranger(server: &Server, method: &str, path: &str, body: Option<Value>) -> Value {
    let ask = server
        .ask(method, path)
        .header("authorization", format!("Bearer {STRANGER}"));
    let ask = match &body {
        Some(body) => ask.json(body),
        None => ask,
    };
    let answer = ask.send().await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[test]
fn a_request_and_its_answer_go_as_they_are() {
    with_servers(|pair, a, b, way| async move {
        let new = json!({"session_id": "work", "cwd": "/usr"});
        as_stranger(&a, "POST", "/api/create-session", Some(new.clone())).await;

        let run = json!({"command": "pwd", "session_id": "work"});
        let done = as_stranger(&b, "POST", "/api/run-command", Some(run.clone())).await;
        assert_eq!(done["stdout"], "/usr\n");
        let shown = as_stranger(&b, "GET", "/api/session/work?x=1", None).await;
        assert_eq!(shown["current_directory"], "/usr");
        let made = as_stranger(&b, "POST", "/api/sessions", Some(new)).await;
        assert_eq!(made["created"], false);
        let id = done["command_id"].as_str().unwrap();
        let path = format!("/api/commands/{id}/output");
        let raw = b
            .ask("GET", &path)
            .header("authorization", format!("Bearer {STRANGER}"))
            .send()
            .await;
        assert!(raw.text().contains("/usr"), "{}", raw.text());
        let streamed = b
            .ask("POST", "/api/run-command")
            .header("authorization", format!("Bearer {STRANGER}"))
            .header("accept", "text/event-stream")
            .header("cookie", "a=b")
            .header("x-correlation-id", "mine")
            .json(&run)
            .send()
            .await;
        assert_eq!(streamed.header("content-type"), "text/event-stream");
        assert_eq!(streamed.header("x-correlation-id"), "mine");
        let text = streamed.text();
        assert!(
            text.contains("event: stdout") && text.contains("event: exit"),
            "{text}"
        );
        let listed = as_stranger(&b, "GET", "/api/sessions", None).await;
        let server = &listed["sessions"][0]["server"];
        assert_eq!(
            (&server["id"], &server["url"], &server["live"]),
            (&json!("srv_a"), &json!("http://a"), &json!(true))
        );

        let gone = way.gone.lock().unwrap();
        assert_eq!(gone[1].0, "/api/session/work?x=1");
        let (_, last) = gone.last().unwrap();
        assert!(!last.contains_key("cookie") && !last.contains_key("origin"));
        assert_eq!(last["wharf-forwarded-by"], "srv_b");
        assert_eq!(last["wharf-forwarded-to"], "srv_a");
        assert_eq!(last["authorization"], format!("Bearer {STRANGER}"));
        drop(gone);
        pair
    });
}

#[test]
fn a_file_goes_whole_however_little_of_it_is_kept() {
    with_servers(|pair, a, b, way| async move {
        let directory = tempfile::tempdir().unwrap();
        let new = json!({"session_id": "work", "cwd": directory.path()});
        as_stranger(&a, "POST", "/api/create-session", Some(new)).await;
        // More than is kept of the body of a file.
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
        let put = b.ask("PUT", "/api/files?session_id=work&path=big");
        let put = put.header("authorization", format!("Bearer {STRANGER}"));
        let made = put.body(content.clone()).send().await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(
            std::fs::read(directory.path().join("big")).unwrap(),
            content
        );
        assert_eq!(way.gone.lock().unwrap().len(), 1);
        pair
    });
}

#[test]
fn nothing_goes_further_than_it_may() {
    with_servers(|pair, a, b, way| async move {
        let new = json!({"session_id": "work"});
        as_stranger(&a, "POST", "/api/create-session", Some(new)).await;
        let stranger = format!("Bearer {STRANGER}");
        let ask = |path: &str| b.ask("GET", path).header("authorization", stranger.clone());

        // It has been handed on already.
        let twice = ask("/api/session/work").header("wharf-forwarded-by", "srv_x");
        let twice = twice.send().await;
        assert_eq!(twice.problem(), (503, "elsewhere".to_owned()));
        // It is meant for another.
        let strayed = ask("/api/sessions").header("wharf-forwarded-to", "srv_x");
        let strayed = strayed.send().await.problem();
        assert_eq!(strayed, (421, "other_server_meant".to_owned()));
        // Whoever has no token here gets nothing there.
        let nobody = b.bare("GET", "/api/session/work");
        let nobody = nobody.header("host", "localhost:7304").send().await;
        assert_eq!(nobody.status, 401);
        // What is somebody else's is not there, and nobody is asked about it.
        let other = b.ask("GET", "/api/session/work").send().await;
        assert_eq!(other.status, 404);
        assert_eq!(way.gone.lock().unwrap().len(), 0);

        // The token of this machine's owner is nobody else's to see.
        let mine = wharf_engine::NewSession {
            id: Some(wharf_model::SessionId::parse("own").unwrap()),
            ..wharf_engine::NewSession::default()
        };
        let made = pair.a.engine.create_session(&Caller::local(), mine).await;
        made.unwrap();
        let run = json!({"command": "pwd", "session_id": "own"});
        let asked = [
            b.ask("GET", "/api/session/own"),
            b.ask("DELETE", "/api/session/own"),
            b.ask("POST", "/api/run-command").json(&run),
        ];
        for ask in asked {
            let unknown = ask.send().await;
            assert_eq!(unknown.problem(), (403, "elsewhere".to_owned()));
            let text = unknown.text();
            assert!(
                text.contains("local token") && !text.contains(TOKEN),
                "{text}"
            );
            // Who looks after servers is told where it is.
            assert!(text.contains("http://a"), "{text}");
        }
        assert_eq!(way.gone.lock().unwrap().len(), 0);

        // Its lease is over: nobody is asked.
        let before = way.gone.lock().unwrap().len();
        let over = "UPDATE servers SET seen_ms = 0 WHERE id = 'srv_a'";
        pair.postgres.execute(&pair.database, over);
        let gone = ask("/api/session/work").send().await;
        assert_eq!(gone.problem(), (503, "elsewhere".to_owned()));
        let text = gone.text();
        assert!(text.contains("srv_a, which is not there"), "{text}");
        assert!(!text.contains("http://a"), "{text}");
        assert_eq!(way.gone.lock().unwrap().len(), before);
        pair
    });
}

#[test]
fn no_token_leaves_the_machine_unencrypted_unless_it_may() {
    with_servers_of(false, |pair, a, b, way| async move {
        let new = json!({"session_id": "work"});
        as_stranger(&a, "POST", "/api/create-session", Some(new)).await;
        let ask = b.ask("GET", "/api/session/work");
        let ask = ask.header("authorization", format!("Bearer {STRANGER}"));
        let refused = ask.send().await;
        assert_eq!(refused.problem(), (503, "elsewhere".to_owned()));
        assert!(
            refused.text().contains("allow_plain_http"),
            "{}",
            refused.text()
        );
        assert!(way.gone.lock().unwrap().is_empty());
        pair
    });
}
