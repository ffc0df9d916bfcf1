//! What web pages can make a browser send is refused before any of its body is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::stream;

use crate::support::{Ask, FRIEND, Server, TOKEN, with_server};

/// A body that notes when somebody reads it.
fn watched() -> (Body, Arc<AtomicBool>) {
    let read = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&read);
    let body = Body::from_stream(stream::poll_fn(move |_| {
        noted.store(true, Ordering::SeqCst);
        std::task::Poll::Ready(None::<Result<Bytes, std::io::Error>>)
    }));
    (body, read)
}

/// Everything with the right token, so that nothing but the check itself can refuse it.
fn run(server: &Server) -> Ask {
    server
        .ask("POST", "/api/run-command")
        .header("content-type", "application/json")
}

const FOREIGN_HOSTS: [&str; 28] = [
    "evil.example",
    "evil.example:7304",
    "localhost.evil.example",
    "localhost.evil.example:7304",
    "127.0.0.1.nip.io:7304",
    "127.0.0.1.evil.example",
    "evil.example:localhost",
    "localhost@evil.example",
    "evil.example@localhost",
    "localhost#evil",
    "localhost/evil",
    "localhost\\evil",
    "localhost:",
    "localhost:0x1c88",
    "localhost:99999",
    "localhost.",
    "0.0.0.0:7304",
    "127.0.0.2:7304",
    "127.1:7304",
    "2130706433",
    "0177.0.0.1",
    "[::]:7304",
    "[::ffff:127.0.0.1]:7304",
    "[::1%eth0]:7304",
    "[0:0:0:0:0:0:0:1]",
    "10.0.0.5",
    "",
    "null",
];

const FOREIGN_ORIGINS: [&str; 30] = [
    "null",
    "https://evil.example",
    "http://evil.example:7304",
    "http://localhost.evil.example:7304",
    "http://evil.localhost:7304",
    "http://localhost:7305",
    "http://localhost:3000",
    "http://localhost",
    "https://localhost:7304",
    "http://127.0.0.1:7304",
    "http://[::1]:7304",
    "http://localhost:7304.evil.example",
    "http://localhost:7304@evil.example",
    "http://localhost:7304/",
    "http://localhost:7304 http://evil.example",
    "ws://localhost:7304",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "moz-extension://1-2-3",
    "vscode-webview://x",
    "app://localhost",
    "data:text/html,x",
    "*",
    "",
    "https://console.example.com.evil.example",
    "https://console.example.com:444",
    "http://console.example.com",
    "https://evil.console.example.com",
    "https://consoleXexample.com",
    "HTTPS://CONSOLE.EXAMPLE.COM",
];

/// Each with a name, all with the owner's token.
fn vectors(server: &Server) -> Vec<(String, Ask)> {
    let mut all = Vec::new();
    for host in FOREIGN_HOSTS {
        all.push((format!("host {host:?}"), run(server).header("host", host)));
    }
    for origin in FOREIGN_ORIGINS {
        all.push((
            format!("origin {origin:?}"),
            run(server).header("origin", origin),
        ));
    }
    for site in ["cross-site", "same-site", "", "Same-Origin", "nonsense"] {
        all.push((
            format!("site {site:?}"),
            run(server).header("sec-fetch-site", site),
        ));
        let own = run(server).header("origin", "http://localhost:7304");
        all.push((
            format!("own origin, site {site:?}"),
            own.header("sec-fetch-site", site),
        ));
    }
    let evil = || run(server).header("origin", "https://evil.example");
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        all.push((
            format!("simple {kind}"),
            evil().header("content-type", kind),
        ));
        let no_cors = run(server)
            .header("content-type", kind)
            .header("sec-fetch-site", "cross-site");
        all.push((format!("no-cors {kind}"), no_cors));
    }
    let upgrade = server
        .ask("GET", "/api/run-command")
        .header("origin", "https://evil.example");
    all.push((
        "websocket".to_owned(),
        upgrade
            .header("upgrade", "websocket")
            .header("connection", "upgrade"),
    ));
    let events = server.ask("GET", "/api/commands/run_00000000000000000000000000/events");
    let events = events
        .header("origin", "https://evil.example")
        .header("accept", "text/event-stream");
    all.push(("event source".to_owned(), events));
    for (method, path) in [
        ("GET", "/api/dev-server-logs/x?follow=true"),
        ("GET", "/health"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/"),
        ("DELETE", "/api/session/x"),
        ("HEAD", "/api/sessions"),
    ] {
        let page = server.ask(method, path).header("origin", "null");
        all.push((format!("{method} {path} from a sandboxed frame"), page));
        let image = server
            .ask(method, path)
            .header("sec-fetch-site", "cross-site");
        all.push((format!("{method} {path} as an image"), image));
    }
    let preflight = |origin: &str| {
        server
            .ask("OPTIONS", "/api/run-command")
            .without("authorization")
            .header("origin", origin.to_owned())
            .header("access-control-request-method", "POST")
    };
    for origin in ["null", "https://evil.example", "http://127.0.0.1:7304"] {
        all.push((format!("preflight {origin}"), preflight(origin)));
        let private = preflight(origin).header("access-control-request-private-network", "true");
        all.push((format!("private preflight {origin}"), private));
    }
    let two = run(server)
        .header("origin", "http://localhost:7304")
        .also("origin", "null");
    all.push(("two origins".to_owned(), two));
    all.push((
        "two hosts".to_owned(),
        run(server).also("host", "evil.example"),
    ));
    all.push((
        "the same host twice".to_owned(),
        run(server).also("host", "localhost:7304"),
    ));
    all.push(("no host".to_owned(), run(server).without("host")));
    let absolute = server.ask("POST", "http://evil.example/api/run-command");
    all.push(("a foreign host in the request line".to_owned(), absolute));
    all.push((
        "not text".to_owned(),
        run(server).header("origin", b"http://\xff".as_slice()),
    ));
    all
}

#[test]
fn no_foreign_page_gets_its_body_read() {
    with_server(async |server| {
        let vectors = vectors(&server);
        assert!(vectors.len() >= 60, "{}", vectors.len());
        for (name, ask) in vectors {
            let (body, read) = watched();
            let answer = ask.body(body).send().await;
            let refused =
                [StatusCode::FORBIDDEN, StatusCode::MISDIRECTED_REQUEST].contains(&answer.status);
            assert!(refused, "{name}: {} {}", answer.status, answer.text());
            assert!(!read.load(Ordering::SeqCst), "{name}: the body was read");
            assert!(
                !answer.headers.contains_key("access-control-allow-origin"),
                "{name}"
            );
            assert!(
                !answer
                    .headers
                    .contains_key("access-control-allow-private-network"),
                "{name}"
            );
        }
    });
}

#[test]
fn without_a_token_the_body_is_not_read_either() {
    with_server(async |server| {
        let (body, read) = watched();
        let answer = run(&server)
            .without("authorization")
            .body(body)
            .send()
            .await;
        assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
        assert!(!read.load(Ordering::SeqCst));
    });
}

#[test]
fn other_content_is_refused_unread_even_from_here() {
    with_server(async |server| {
        for path in [
            "/api/run-command",
            "/api/analyze",
            "/api/process-manager",
            "/api/create-session",
        ] {
            for kind in [
                "text/plain",
                "application/x-www-form-urlencoded",
                "text/json",
                "",
            ] {
                let (body, read) = watched();
                let ask = server.ask("POST", path).header("content-type", kind);
                let answer = ask.body(body).send().await;
                assert_eq!(answer.problem().0, 415, "{path} {kind:?}");
                assert!(!read.load(Ordering::SeqCst), "{path} {kind:?}");
            }
        }
    });
}

#[test]
fn own_pages_and_programs_are_served() {
    with_server(async |server| {
        for host in [
            "localhost",
            "localhost:1",
            "127.0.0.1:7304",
            "[::1]:7304",
            "LocalHost:80",
        ] {
            let answer = server
                .ask("GET", "/health")
                .header("host", host)
                .send()
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{host}");
        }
        let own = server
            .ask("GET", "/health")
            .header("origin", "http://localhost:7304");
        let answer = own.header("sec-fetch-site", "same-origin").send().await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        let typed = server
            .ask("GET", "/docs/")
            .header("sec-fetch-site", "none")
            .send()
            .await;
        assert_eq!(typed.status, StatusCode::OK);
    });
}

#[test]
fn a_configured_origin_may_call_and_is_named_exactly() {
    with_server(async |server| {
        let page = || {
            server
                .ask("GET", "/api/sessions")
                .header("origin", FRIEND)
                .header("sec-fetch-site", "cross-site")
        };
        let answer = page().send().await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("access-control-allow-origin"), FRIEND);
        assert_eq!(answer.header("vary"), "origin");
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
        // It still needs the token; and may read that it does.
        let answer = page().without("authorization").send().await;
        assert_eq!(answer.problem().0, 401);
        assert_eq!(answer.header("access-control-allow-origin"), FRIEND);
    });
}

#[test]
fn a_configured_origin_may_ask_beforehand() {
    with_server(async |server| {
        let answer = server
            .bare("OPTIONS", "/api/run-command")
            .header("host", "localhost:7304")
            .header("origin", FRIEND)
            .header("access-control-request-method", "POST")
            .header("access-control-request-private-network", "true")
            .send()
            .await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.header("access-control-allow-origin"), FRIEND);
        assert_eq!(
            answer.header("access-control-allow-private-network"),
            "true"
        );
        assert!(
            answer
                .header("access-control-allow-headers")
                .contains("authorization")
        );
        assert!(!answer.header("access-control-allow-headers").contains('*'));
        assert!(!TOKEN.is_empty() && !answer.text().contains(TOKEN));
    });
}
