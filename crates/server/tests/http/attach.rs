//! The way to an agent in a sandbox: which heads go on, which answers come back, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use wharf_server::{AttachLimits, AttachRefusal, ServerOptions};
use wharf_testkit::TestUpstream;

use crate::support::attach::{OWN, Sessions, TICKET, options_with, path, with_attached};
use crate::support::port::open;
use crate::support::{Answer, FRIEND, Server, TOKEN, with_server};

#[test]
fn it_is_known_where_a_request_comes_from() {
    with_attached(&[], async |attached| {
        let mut client = attached.client().await;
        let (status, _) = client.ask("GET", &path("a", "/x"), "").await;
        assert_eq!(status, 200);
        let from = attached.sessions.came_from().address;
        assert!(
            from.is_some_and(|address| address.is_loopback()),
            "{from:?}"
        );
        attached
    });
}

#[test]
fn every_request_on_a_kept_connection_is_rewritten() {
    with_attached(&[], async |attached| {
        let mut client = attached.client().await;
        let asked = [
            ("GET", "", "GET /"),
            (
                "GET",
                "/global/health?a=%2Fb&c",
                "GET /global/health?a=%2Fb&c",
            ),
            (
                "POST",
                "/session/x%20y/message",
                "POST /session/x%20y/message",
            ),
            ("PATCH", "//a/../b", "PATCH //a/../b"),
            (
                "BREW",
                "/proxy/a/b/opencode/x",
                "BREW /proxy/a/b/opencode/x",
            ),
        ];
        for (method, rest, _) in asked {
            let (status, body) = client.ask(method, &path("a", rest), "hello").await;
            assert_eq!((status, &body[..]), (200, &b"hello"[..]));
        }
        let seen = attached.upstream.seen();
        assert_eq!(seen.len(), asked.len());
        for (seen, (_, _, line)) in seen.iter().zip(asked) {
            assert_eq!(seen.line(), line);
            assert_eq!(seen.header("authorization"), Some(OWN));
            let host = attached.upstream.address().to_string();
            assert_eq!(seen.header("host"), Some(&*host));
            assert_eq!(seen.header("content-length"), Some("5"));
            assert_eq!(seen.body, b"hello");
            assert!(
                seen.head.iter().all(|line| !line.contains(TICKET)),
                "{seen:?}"
            );
        }
        attached
    });
}

#[test]
fn what_is_this_servers_or_a_strangers_does_not_go_on() {
    with_attached(&[], async |attached| {
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
             x-api-key: {TOKEN}\r\ncookie: wharf={TOKEN}\r\nreferer: http://localhost{}\r\n\
             x-forwarded-for: 6.6.6.6\r\nx-forwarded-host: evil\r\nforwarded: for=6.6.6.6\r\n\
             te: trailers\r\nconnection: x-once, authorization, close\r\nx-once: 1\r\n\
             keep-alive: 5\r\naccept: x/y\r\naccept: z/z\r\n\r\n",
            path("a", "/x"),
            path("a", "/"),
        );
        let answer = attached.open.exchange(&request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let mut head = attached.upstream.seen().remove(0).head;
        head[1..].sort();
        assert_eq!(
            head,
            [
                "GET /x HTTP/1.1".to_owned(),
                "accept: x/y".to_owned(),
                "accept: z/z".to_owned(),
                format!("authorization: {OWN}"),
                "connection: te".to_owned(),
                format!("host: {}", attached.upstream.address()),
                "te: trailers".to_owned(),
            ]
        );
        attached
    });
}

#[test]
fn a_body_in_chunks_goes_on_in_chunks_and_its_length_is_believed_once() {
    with_attached(&[], async |attached| {
        for method in ["POST", "GET"] {
            let request = format!(
                "{method} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                 transfer-encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n",
                path("a", "/echo")
            );
            let answer = attached.open.exchange(&request).await;
            assert!(answer.ends_with("\r\n\r\nabcde"), "{answer}");
        }
        for seen in attached.upstream.seen() {
            assert_eq!(seen.body, b"abcde");
            assert_eq!(seen.header("content-length"), None);
        }
        // Where the two of them could disagree, nothing goes on.
        let before = attached.upstream.state().asked;
        for lengths in [
            "content-length: 5\r\ncontent-length: 6",
            "content-length: +5",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        ] {
            let request = format!(
                "POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{lengths}\r\n\r\n\
                 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
                path("a", "/echo")
            );
            let answer = attached.open.exchange(&request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{lengths}: {answer}");
        }
        assert_eq!(attached.upstream.state().asked, before);
        attached
    });
}

const ODD: [(&str, &str); 9] = [
    ("/none", "HTTP/1.1 204 No Content\nx-a: 1\n\n"),
    ("/same", "HTTP/1.1 304 Not Modified\netag: \"1\"\n\n"),
    ("/head", "HTTP/1.1 200 OK\ncontent-length: 1000\n\n"),
    (
        "/head-chunked",
        "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n",
    ),
    (
        "/early",
        "HTTP/1.1 103 Early Hints\nlink: </x>\n\nHTTP/1.1 200 Fine\ncontent-length: 2\n\nok",
    ),
    (
        "/trailers",
        "HTTP/1.1 200 OK\ntransfer-encoding: chunked\ntrailer: x-sum\n\n2\nok\n0\nx-sum: 7\n\n",
    ),
    (
        "/moved",
        "HTTP/1.1 302 Found\nlocation: /there?x\ncontent-length: 0\n\n",
    ),
    (
        "/page",
        "HTTP/1.1 200 OK\nset-cookie: wharf=1\naccess-control-allow-origin: *\n\
         content-type: text/html\ncontent-length: 3\n\n<p>",
    ),
    (
        "/closing",
        "HTTP/1.1 200 OK\nconnection: close, x-b\nx-b: 1\ncontent-length: 2\n\nok",
    ),
];

/// An answer as it comes, without what every answer of this server has.
fn bare(answer: &str) -> Vec<String> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let own = ["date:", "x-correlation-id:", "connection: close"];
    let mut lines: Vec<_> = head
        .lines()
        .filter(|line| !own.iter().any(|own| line.starts_with(own)))
        .map(str::to_owned)
        .collect();
    lines[1..].sort();
    if !body.is_empty() {
        lines.push(body.replace("\r\n", "|"));
    }
    lines
}

#[test]
fn odd_answers_come_back_as_they_are() {
    with_attached(&ODD, async |attached| {
        let ask = |method: &'static str, rest: &'static str| {
            let request = format!(
                "{method} {} HTTP/1.1\r\nhost: localhost\r\nte: trailers\r\n\
                 connection: te, close\r\n\r\n",
                path("a", rest)
            );
            let open = &attached.open;
            async move { bare(&open.exchange(&request).await) }
        };
        let usual = [
            "cache-control: no-store",
            "content-security-policy: sandbox; default-src 'self' 'unsafe-inline' data:; \
             base-uri 'none'; form-action 'none'",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
        ];
        let with = |first: &str, more: &[&str], body: &[&str]| {
            let mut lines: Vec<_> = usual.iter().chain(more).map(|l| (*l).to_owned()).collect();
            lines.sort();
            lines.insert(0, first.to_owned());
            lines.extend(body.iter().map(|l| (*l).to_owned()));
            lines
        };
        let ok = "HTTP/1.1 200 OK";
        let none = with("HTTP/1.1 204 No Content", &["x-a: 1"], &[]);
        assert_eq!(ask("GET", "/none").await, none);
        let same = with("HTTP/1.1 304 Not Modified", &["etag: \"1\""], &[]);
        assert_eq!(ask("GET", "/same").await, same);
        let head = with(ok, &["content-length: 1000"], &[]);
        assert_eq!(ask("HEAD", "/head").await, head);
        assert_eq!(ask("HEAD", "/head-chunked").await, with(ok, &[], &[]));
        let early = with(ok, &["content-length: 2"], &["ok"]);
        assert_eq!(ask("GET", "/early").await, early);
        let trailers = ["trailer: x-sum", "transfer-encoding: chunked"];
        let trailers = with(ok, &trailers, &["2|ok|0|x-sum: 7||"]);
        assert_eq!(ask("GET", "/trailers").await, trailers);
        let there = format!("location: {}", path("a", "/there?x"));
        let moved = with("HTTP/1.1 302 Found", &["content-length: 0", &there], &[]);
        assert_eq!(ask("GET", "/moved").await, moved);
        let page = ["content-length: 3", "content-type: text/html"];
        assert_eq!(ask("GET", "/page").await, with(ok, &page, &["<p>"]));
        let closing = with(ok, &["content-length: 2"], &["ok"]);
        assert_eq!(ask("GET", "/closing").await, closing);
        attached
    });
}

#[test]
fn a_redirect_stays_below_the_path_that_the_server_is_known_by() {
    with_server(async |server| {
        let sessions = Arc::<Sessions>::default();
        let upstream = TestUpstream::start(&ODD).await;
        let _ended = sessions.put("a", upstream.address());
        let options = ServerOptions {
            public_url: Some("https://box.example/x/".to_owned()),
            ..options_with(&sessions, AttachLimits::default())
        };
        let open = open(server.engine.clone(), options);
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            path("a", "/moved")
        );
        let answer = open.exchange(&request).await;
        let there = format!("location: /x{}", path("a", "/there?x"));
        assert!(bare(&answer).contains(&there), "{answer}");
        open.end().await;
    });
}

/// What no refusal may say.
fn says_nothing(answer: &Answer) {
    let text = answer.text();
    assert!(
        !text.contains(TICKET) && !text.contains("/proxy/"),
        "{text}"
    );
    assert!(!text.contains("127.0.0.1"), "{text}");
    assert!(!answer.headers.contains_key("www-authenticate"));
    assert!(!text.is_empty());
}

#[test]
fn who_has_no_ticket_gets_a_word_and_no_challenge() {
    with_server(async |server| {
        let upstream = TestUpstream::start(&[]).await;
        let sessions = std::sync::Arc::<Sessions>::default();
        sessions.put("a", upstream.address());
        let server = Server::of(server.engine, &options_with(&sessions, Default::default()));
        for (session, ticket) in [
            ("a", "wrong"),
            ("b", TICKET),
            ("a%62", TICKET),
            ("a", "%74"),
        ] {
            let path = format!("/proxy/{session}/{ticket}/opencode/x");
            // The owner's token is no ticket.
            let answer = server.get(&path).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
            assert!(
                answer.text().contains("Run `wharf` again"),
                "{}",
                answer.text()
            );
            says_nothing(&answer);
        }
        // Nor is there anything else to be had.
        let elsewhere = format!("/proxy/a/{TICKET}/elsewhere");
        let nobody = server.ask("GET", &elsewhere).without("authorization");
        let nobody = nobody.send().await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
        says_nothing(&nobody);
        assert_eq!(server.get(&elsewhere).await.status, StatusCode::NOT_FOUND);
        let foreign = server
            .ask("GET", &path("a", "/x"))
            .header("origin", "https://evil.example");
        let foreign = foreign.send().await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN);
        says_nothing(&foreign);
        let trace = server.ask("TRACE", &path("a", "/x")).send().await;
        assert_eq!(trace.status, StatusCode::METHOD_NOT_ALLOWED);
        let allow = trace.header("allow");
        assert!(allow.contains("GET") && !allow.contains("TRACE"), "{allow}");
        assert!(
            trace.text().contains("TRACE does not go"),
            "{}",
            trace.text()
        );
        assert_eq!(upstream.state().connections, 0);
        assert_eq!(sessions.touches("a"), 0);

        // With a ticket nobody asks for a token, and a configured page may read the answer.
        let known = server
            .ask("POST", &path("a", "/x"))
            .without("authorization")
            .header("origin", FRIEND)
            .body("hello");
        let known = known.send().await;
        assert_eq!(
            (known.status, known.text()),
            (StatusCode::OK, "hello".to_owned())
        );
        assert_eq!(known.header("access-control-allow-origin"), FRIEND);
        let asks = server
            .ask("OPTIONS", &path("a", "/x"))
            .without("authorization")
            .header("origin", FRIEND)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "x-opencode-directory");
        let told = asks.send().await;
        assert_eq!(told.status, StatusCode::NO_CONTENT);
        let allowed = told.header("access-control-allow-headers");
        assert!(allowed.ends_with(", x-opencode-directory"), "{allowed}");
        assert_eq!(upstream.seen()[0].header("origin"), None);
        assert_eq!(sessions.touches("a"), 1);
    });
}

#[test]
fn a_session_that_is_not_there_is_told_with_its_reason() {
    let answers = [
        (
            "/who",
            "HTTP/1.1 401 Unauthorized\nwww-authenticate: Basic\ncontent-length: 0\n\n",
        ),
        ("/junk", "SSH-2.0-OpenSSH_9.2\n"),
        ("/none", ""),
    ];
    with_server(async |server| {
        let upstream = TestUpstream::start(&answers).await;
        let sessions = std::sync::Arc::<Sessions>::default();
        sessions.put("a", upstream.address());
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        sessions.put("gone", gone.local_addr().unwrap());
        drop(gone);
        let refusal = |retry_after| AttachRefusal::Unavailable {
            reason: "the sandbox is asleep".to_owned(),
            retry_after,
        };
        sessions.refuse("asleep", refusal(None));
        sessions.refuse("waking", refusal(Some(Duration::from_millis(2500))));
        let none = server.get(&path("a", "/x")).await;
        let engine = server.engine.clone();
        let server = Server::of(engine, &options_with(&sessions, Default::default()));

        let asleep = server.get(&path("asleep", "/x")).await;
        assert_eq!(asleep.status, StatusCode::SERVICE_UNAVAILABLE);
        let body = serde_json::json!({
            "error": "Session not available", "details": {"reason": "The sandbox is asleep."},
        });
        assert_eq!(asleep.json(), body);
        assert!(!asleep.headers.contains_key("retry-after"));
        let waking = server.get(&path("waking", "/x")).await;
        assert_eq!((waking.json(), waking.header("retry-after")), (body, "3"));
        assert_eq!(none.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(none.json()["error"], "Session not available");

        for (session, rest) in [
            ("gone", "/x"),
            ("a", "/who"),
            ("a", "/junk"),
            ("a", "/cut/none"),
        ] {
            let broken = server.get(&path(session, rest)).await;
            assert_eq!(broken.status, StatusCode::BAD_GATEWAY, "{rest}");
            assert!(broken.json()["details"]["reason"].is_string());
            says_nothing(&broken);
        }
        let metrics = server.get("/metrics").await.text();
        for line in [
            "wharf_attach_refused_total{why=\"unavailable\"} 2",
            "wharf_attach_cut_total{why=\"connect\"} 1",
            "wharf_attach_cut_total{why=\"upstream\"} 3",
            "wharf_attach_requests_active 0",
        ] {
            assert!(
                metrics.lines().any(|known| known == line),
                "{line}:\n{metrics}"
            );
        }
        let route = "route=\"/proxy/{id}/{token}/opencode/{*path}\"";
        assert!(
            metrics.contains(route) && !metrics.contains(TICKET),
            "{metrics}"
        );
    });
}

#[test]
fn an_older_client_is_told_what_it_needs() {
    with_attached(&[], async |attached| {
        let request = format!(
            "GET {} HTTP/1.0\r\nhost: localhost\r\n\r\n",
            path("a", "/x")
        );
        let answer = attached.open.exchange(&request).await;
        assert!(
            answer.contains(" 505 ") && answer.contains("proxy_http_version"),
            "{answer}"
        );
        assert_eq!(attached.upstream.state().connections, 0);
        attached
    });
}
