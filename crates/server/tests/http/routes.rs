//! Which routes there are, and that none but the open ones answers without a token.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use wharf_server::access::{Class, ROUTES};

use crate::support::{Server, TOKEN, with_server};

/// Method and path of everything in the OpenAPI document, ids filled in.
pub(crate) async fn documented(server: &Server) -> Vec<(String, String)> {
    let document = server.get("/openapi.json").await.json();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            found.push((method.to_uppercase(), path.clone()));
        }
    }
    found
}

pub(crate) fn filled(path: &str) -> String {
    path.replace("{id}", "run_00000000000000000000000000")
        .replace("{session_id}", "build")
        .replace("{session_key}", "box")
        .replace("{command}", "ls")
        .replace("{name}", "web-1")
        .replace("{user}", "ada@example.com")
        .replace("{invitation}", "inv_1")
        .replace("{profile}", "me")
        .replace("{commit_sha}", &"a".repeat(40))
        .replace("{*file}", "index.html")
        .replace("{token}", "ticket")
        .replace("{*path}", "global/health")
}

/// What people look at is not in the document, nor what is an agent's in a sandbox.
pub(crate) fn is_page(path: &str) -> bool {
    path.starts_with("/docs")
        || path.starts_with("/proxy/")
        || ["/device", "/setup", "/invitation", "/reset"].contains(&path)
}

/// Whether no token is asked for.
fn is_open(method: &str, path: &str) -> bool {
    let found = ROUTES
        .iter()
        .find(|(known, at, _)| *known == method && *at == path);
    found.is_some_and(|(_, _, class)| *class == Class::Open)
}

#[test]
fn the_document_and_the_page_of_routes_agree() {
    with_server(async |server| {
        let page = include_str!("../../src/routes.rs");
        let routed: BTreeSet<_> = page
            .lines()
            .filter_map(|line| line.split_once("\"/")?.1.split('"').next())
            .map(|path| format!("/{path}"))
            .filter(|path| !is_page(path))
            .collect();
        let documented: BTreeSet<_> = documented(&server)
            .await
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        assert_eq!(routed, documented);
        assert!(routed.len() > 20, "{routed:?}");
    });
}

#[test]
fn every_documented_operation_exists() {
    with_server(async |server| {
        for (method, path) in documented(&server).await {
            let answer = server.ask(&method, &filled(&path)).send().await;
            let missing = answer.status == StatusCode::METHOD_NOT_ALLOWED
                || answer.text().contains("There is no such path");
            assert!(!missing, "{method} {path}: {}", answer.text());
        }
    });
}

#[test]
fn operations_have_names_of_their_own() {
    with_server(async |server| {
        let document = server.get("/openapi.json").await.json();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], "1.2.3");
        let mut names = BTreeSet::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap().to_owned();
                assert!(names.insert(name.clone()), "{name} occurs twice");
            }
        }
    });
}

#[test]
fn nothing_but_open_routes_answers_without_a_token() {
    with_server(async |server| {
        let mut routes = documented(&server).await;
        for path in ["/docs", "/docs/", "/docs/{*file}", "/no/such/path"] {
            routes.push(("GET".to_owned(), path.to_owned()));
        }
        for (method, path) in routes {
            let ask = || server.ask(&method, &filled(&path));
            let basic = BASE64_STANDARD.encode(format!("me:{TOKEN}x"));
            for (what, ask) in [
                ("none", ask().without("authorization")),
                (
                    "wrong",
                    ask().header("authorization", format!("Bearer {TOKEN}x")),
                ),
                ("empty", ask().header("authorization", "Bearer ")),
                (
                    "other scheme",
                    ask().header("authorization", format!("Token {TOKEN}")),
                ),
                (
                    "wrong key",
                    ask().without("authorization").header("x-api-key", "x"),
                ),
                (
                    "wrong login",
                    ask().header("authorization", format!("Basic {basic}")),
                ),
                (
                    "not text",
                    ask().header("authorization", b"Bearer \xff\xfe".as_slice()),
                ),
            ] {
                let answer = ask.send().await;
                if is_open(&method, &path) {
                    // What it asks for is a cookie.
                    let cookie = path == "/api/v1/auth/refresh";
                    assert!(
                        cookie || answer.status != StatusCode::UNAUTHORIZED,
                        "{path}"
                    );
                    continue;
                }
                assert!(!answer.header("www-authenticate").is_empty());
                if path.starts_with("/api/rpc/") {
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
                    assert_eq!(answer.json()["json"]["code"], "UNAUTHORIZED");
                    continue;
                }
                assert_eq!(
                    answer.problem(),
                    (401, "unauthorized".to_owned()),
                    "{method} {path} {what}"
                );
            }
        }
    });
}

#[test]
fn a_token_in_the_address_or_a_login_box_opens_no_command() {
    with_server(async |server| {
        let login = format!("Basic {}", BASE64_STANDARD.encode(format!("me:{TOKEN}")));
        for path in ["/docs/", "/docs/index.html", "/openapi.json"] {
            let answer = server
                .ask("GET", path)
                .header("authorization", login.clone())
                .send()
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
        }
        for (method, path) in documented(&server).await {
            if is_open(&method, &path) || path == "/openapi.json" {
                continue;
            }
            let with_login = server
                .ask(&method, &filled(&path))
                .header("authorization", login.clone());
            assert_eq!(
                with_login.send().await.status,
                StatusCode::UNAUTHORIZED,
                "{method} {path}"
            );
            let in_query = format!("{}?token={TOKEN}&access_token={TOKEN}", filled(&path));
            let in_query = server.ask(&method, &in_query).without("authorization");
            assert_eq!(
                in_query.send().await.status,
                StatusCode::UNAUTHORIZED,
                "{method} {path}"
            );
        }
    });
}

#[test]
fn an_api_key_is_a_token_too() {
    with_server(async |server| {
        let ask = server.ask("GET", "/api/sessions").without("authorization");
        assert_eq!(
            ask.header("x-api-key", TOKEN).send().await.status,
            StatusCode::OK
        );
    });
}

#[test]
fn the_documentation_needs_nothing_from_elsewhere() {
    with_server(async |server| {
        let page = server.get("/docs/").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.header("content-security-policy")
                .contains("default-src 'none'")
        );
        let text = page.text();
        assert!(text.contains("swagger-ui"), "{text}");
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{text}"
        );
        let script = server.get("/docs/swagger-initializer.js").await;
        assert!(script.text().contains("/openapi.json"), "{}", script.text());
        for odd in [
            "/docs/nothing",
            "/docs/../routes.rs",
            "/docs/%2e%2e/Cargo.toml",
        ] {
            assert_eq!(
                server.get(odd).await.problem(),
                (404, "not_found".to_owned()),
                "{odd}"
            );
        }
    });
}

#[test]
fn wrong_paths_and_methods_are_problems() {
    with_server(async |server| {
        assert_eq!(
            server.get("/api/nothing").await.problem(),
            (404, "not_found".to_owned())
        );
        assert_eq!(
            server.get("/").await.problem(),
            (404, "not_found".to_owned())
        );
        for (method, path, allow) in [
            ("GET", "/api/run-command", "POST"),
            ("PUT", "/api/commands", "GET,HEAD"),
            ("PATCH", "/api/session/x", "GET,HEAD,DELETE"),
            ("BREW", "/health", "GET,HEAD"),
        ] {
            let answer = server.ask(method, path).send().await;
            assert_eq!(
                answer.problem(),
                (405, "method_not_allowed".to_owned()),
                "{method} {path}"
            );
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
        }
    });
}

#[test]
fn every_answer_carries_the_same_care() {
    with_server(async |server| {
        for (ask, id) in [
            (
                server
                    .ask("GET", "/health")
                    .header("x-correlation-id", "agent-7"),
                Some("agent-7"),
            ),
            (
                server
                    .ask("GET", "/nothing")
                    .header("x-correlation-id", "a b"),
                None,
            ),
            (server.bare("GET", "/health"), None),
        ] {
            let answer = ask.send().await;
            let given = answer.header("x-correlation-id");
            assert!(
                id.map_or(given.starts_with("test-"), |id| id == given),
                "{given}"
            );
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    });
}

#[test]
fn metrics_count_what_was_asked() {
    with_server(async |server| {
        server.get("/api/nothing/made/up").await;
        server.run(serde_json::json!({"command": "true"})).await;
        let text = server.get("/metrics").await.text();
        for line in [
            "wharf_requests_total{route=\"none\",status=\"404\"} 1",
            "wharf_requests_total{route=\"/api/run-command\",status=\"200\"} 1",
            "wharf_runs_total{outcome=\"success\"} 1",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        assert!(!text.contains("made/up"));
    });
}
