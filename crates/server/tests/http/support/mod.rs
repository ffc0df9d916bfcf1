//! A server for each test, and requests in one line.

pub(crate) mod accounts;
pub(crate) mod attach;
pub(crate) mod browser;
mod engine;
pub(crate) mod port;
pub(crate) mod schema;
pub(crate) mod trees;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use wharf_engine::Engine;
use wharf_model::Caller;
use wharf_server::{ServerOptions, Tokens, router};
use wharf_testkit::TestHost;

/// The owner's token.
pub(crate) const TOKEN: &str = "token-of-the-owner";
/// Another caller's token.
pub(crate) const STRANGER: &str = "token-of-a-stranger";
/// The token of somebody else who looks after the server.
pub(crate) const SECOND: &str = "token-of-a-second-owner";
/// An origin that the tests' server is configured with.
pub(crate) const FRIEND: &str = "https://console.example.com";

/// A server without a socket.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) engine: Engine,
    router: Router,
}

/// Runs `test` with a server over an engine of its own, whose directory goes away afterwards.
pub(crate) fn with_server<F: Future<Output = ()>>(test: impl FnOnce(Server) -> F) {
    with_server_of(options(), test);
}

/// [`with_server`], with options of the test's own.
pub(crate) fn with_server_of<F: Future<Output = ()>>(
    options: ServerOptions,
    test: impl FnOnce(Server) -> F,
) {
    engine::with_engine(|engine| {
        let router = router(engine.clone(), &options);
        test(Server { engine, router })
    });
}

/// [`with_server`], with a host that it can reach; none where no SSH server is installed.
pub(crate) fn with_server_and_host<F: Future<Output = ()>>(
    sshd: &str,
    test: impl FnOnce(Server, Arc<TestHost>) -> F,
) {
    let Some(host) = TestHost::start(sshd).map(Arc::new) else {
        return;
    };
    engine::with_engine_and(&host, |engine| {
        let router = router(engine.clone(), &options());
        test(Server { engine, router }, Arc::clone(&host))
    });
}

pub(crate) fn options() -> ServerOptions {
    let tokens = Tokens::of([
        (TOKEN, Caller::local()),
        (STRANGER, Caller::new("stranger")),
        (
            SECOND,
            Caller::with("second", Caller::local().grants().clone()),
        ),
    ]);
    ServerOptions {
        allowed_origins: vec![FRIEND.to_owned()],
        instance: "test".to_owned(),
        version: "1.2.3".to_owned(),
        ..ServerOptions::new(Arc::new(tokens))
    }
}

/// A request under way.
pub(crate) struct Ask {
    server: Server,
    method: Method,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// One over an engine that somebody else looks after.
    pub(crate) fn of(engine: Engine, options: &ServerOptions) -> Self {
        let router = router(engine.clone(), options);
        Self { engine, router }
    }

    /// A request to this machine with the owner's token.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        self.bare(method, path)
            .header("host", "localhost:7304")
            .header("authorization", format!("Bearer {TOKEN}"))
    }

    /// A request with no header at all.
    pub(crate) fn bare(&self, method: &str, path: &str) -> Ask {
        Ask {
            server: self.clone(),
            method: method.parse().unwrap(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Body::empty(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, json: &Value) -> Answer {
        self.ask("POST", path).json(json).send().await
    }

    /// The answer to a command that is expected to be run.
    pub(crate) async fn run(&self, json: Value) -> Value {
        let answer = self.post("/api/run-command", &json).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    }
}

impl Ask {
    /// Adds a header, or replaces the one of that name.
    pub(crate) fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a header beside others of that name.
    pub(crate) fn also(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn json(self, json: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(json.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer whose body is still to be read. None when no such request can be made.
    pub(crate) async fn open(self) -> Option<axum::response::Response> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(self.body).ok()?;
        let Ok(response) = self.server.router.oneshot(request).await;
        Some(response)
    }

    /// The whole answer. None when no such request can be made.
    pub(crate) async fn try_send(self) -> Option<Answer> {
        let response = self.open().await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Some(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    pub(crate) async fn send(self) -> Answer {
        self.try_send().await.expect("a request that can be made")
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Status and code of a problem document, checked for its form.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text()
        );
        let problem: wharf_api::Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.correlation_id, self.header("x-correlation-id"));
        if problem.status == 422 {
            assert!(problem.errors.is_some_and(|errors| !errors.is_empty()));
        }
        (problem.status, problem.code)
    }
}
