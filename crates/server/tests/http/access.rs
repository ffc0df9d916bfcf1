//! What each route asks of its caller, tried on every route that the table names.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use serde_json::Value;
use wharf_model::{Caller, Grants, Limits, Organization, Person, Quotas, Role, Scopes};
use wharf_server::access::{Class, ROUTES};
use wharf_server::{Authentication, Authenticator, InTurn, Peer, ServerOptions, Tokens, Why};

use crate::routes::{documented, filled, is_page};
use crate::support::{Answer, TOKEN, options, with_server, with_server_of};

/// The members that every refusal has, and no more.
const MEMBERS: [&str; 7] = [
    "code",
    "correlation_id",
    "detail",
    "retryable",
    "status",
    "title",
    "type",
];

pub(crate) fn caller(role: Role, scopes: &str, administrator: bool) -> Caller {
    Caller::of_account(Grants {
        person: Some(Person {
            id: "usr_1".into(),
            email: "ada@example.com".into(),
        }),
        organization: Some(Organization {
            id: "org_1".into(),
            slug: "acme".into(),
        }),
        role,
        scopes: Scopes::parse(scopes).unwrap(),
        administrator,
        ..Grants::default()
    })
}

fn members(answer: &Answer) -> Vec<String> {
    let Value::Object(members) = answer.json() else {
        panic!("{}", answer.text());
    };
    members
        .keys()
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// A refusal with exactly these words for programs.
fn refused(answer: &Answer, status: u16, code: &str, authenticate: &str, about: &str) {
    if about.contains("/api/rpc/") {
        let error = answer.json()["json"].clone();
        let code = if status == 401 {
            "UNAUTHORIZED"
        } else {
            "FORBIDDEN"
        };
        assert_eq!(
            (&error["status"], &error["code"]),
            (&status.into(), &code.into())
        );
        assert_eq!(answer.header("www-authenticate"), authenticate, "{about}");
        return;
    }
    assert_eq!(answer.problem(), (status, code.to_owned()), "{about}");
    assert_eq!(answer.header("www-authenticate"), authenticate, "{about}");
    let mut found = members(answer);
    if about.contains("/api/cli/") || about.contains("/proliferate/") {
        found.retain(|name| name != "error");
    }
    assert_eq!(found, MEMBERS, "{about}");
    let body = answer.json();
    assert_eq!(body["type"], format!("/problems/{code}"), "{about}");
    assert_eq!(body["retryable"], false, "{about}");
    assert!(
        body["detail"].as_str().is_some_and(|text| text.len() > 20),
        "{about}"
    );
}

#[test]
fn every_route_has_a_class_and_every_class_a_route_that_is_there() {
    with_server(async |server| {
        let known: BTreeSet<_> = ROUTES
            .iter()
            .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
            .filter(|(_, path)| !is_page(path))
            .collect();
        let documented: BTreeSet<_> = documented(&server).await.into_iter().collect();
        assert_eq!(known, documented);
        for (method, path, _) in ROUTES {
            let answer = server.ask(method, &filled(path)).send().await;
            assert_ne!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
        }
        // The table names every path of the page of routes, the documentation's too.
        let page = include_str!("../../src/routes.rs");
        let paths = page
            .lines()
            .filter_map(|line| line.split_once("\"/")?.1.split('"').next())
            .map(|path| format!("/{path}"));
        for path in paths {
            assert!(
                ROUTES.iter().any(|(_, known, _)| *known == path),
                "{path} has no class"
            );
        }
    });
}

#[test]
fn without_a_token_or_with_a_foreign_one_nothing_is_done() {
    with_server(async |server| {
        for (method, path, class) in ROUTES {
            let about = format!("{method} {path}");
            let none = server.ask(method, &filled(path)).without("authorization");
            let none = none.send().await;
            let foreign = server
                .ask(method, &filled(path))
                .header("authorization", "Bearer whk_0000000000000000000000000000");
            let foreign = foreign.send().await;
            if *class == Class::Open {
                for answer in [none, foreign] {
                    let shut = shuts_out(&answer);
                    assert!(!shut || asks_for_a_cookie(path), "{about}");
                }
                continue;
            }
            let reader = path.starts_with("/docs") || *path == "/openapi.json";
            let (bare, wrong) = if reader {
                let login =
                    "Basic realm=\"wharf: any name, the token as password\", charset=\"UTF-8\"";
                (login, login)
            } else {
                let bare = "Bearer realm=\"wharf\"";
                (bare, "Bearer realm=\"wharf\", error=\"invalid_token\"")
            };
            refused(&none, 401, "unauthorized", bare, &about);
            refused(&foreign, 401, "unauthorized", wrong, &about);
        }
    });
}

fn shuts_out(answer: &Answer) -> bool {
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status)
}

/// The one open route that answers 401: it asks for a cookie and not for a token.
fn asks_for_a_cookie(path: &str) -> bool {
    path == "/api/v1/auth/refresh"
}

/// What a token opens, written down apart from how the server decides it.
fn opens(class: Class, who: &str) -> bool {
    use Class::{Answer, Any, Manage, Open, Read, Run, Sandbox, Sync};
    let classes: &[Class] = match who {
        "nothing" => &[Open, Any],
        "low" | "session" => &[Open, Any, Read, Run],
        "run" => &[Open, Any, Read, Run, Answer, Sandbox],
        "sync" => &[Open, Any, Sync],
        "admin" => &[Open, Any, Answer, Manage],
        "viewer" => &[Open, Any, Read, Sync, Manage],
        "member" | "agent" => &[Open, Any, Read, Run, Answer, Sandbox, Sync, Manage],
        "administrator" => &Class::ALL,
        other => panic!("{other}"),
    };
    classes.contains(&class)
}

#[test]
fn too_small_a_scope_or_role_opens_what_it_is_for_and_no_more() {
    let all = "run sync admin";
    let callers = [
        ("nothing", caller(Role::Member, "", false)),
        ("low", caller(Role::Member, "run:low", false)),
        ("session", caller(Role::Member, "session:build", false)),
        ("run", caller(Role::Owner, "run", true)),
        ("sync", caller(Role::Owner, "sync", true)),
        ("admin", caller(Role::Member, "admin", false)),
        ("viewer", caller(Role::Viewer, all, false)),
        ("agent", caller(Role::Agent, all, false)),
        ("member", caller(Role::Member, all, false)),
        ("administrator", caller(Role::Admin, all, true)),
    ];
    let tokens = callers.iter().map(|(name, caller)| (*name, caller.clone()));
    let mine = ServerOptions {
        authenticator: Arc::new(Tokens::of(tokens)),
        ..options()
    };
    with_server_of(mine, async |server| {
        for (name, _) in &callers {
            for (method, path, class) in ROUTES {
                let about = format!("{name}: {method} {path}");
                let ask = server
                    .ask(method, &filled(path))
                    .header("authorization", format!("Bearer {name}"));
                let answer = ask.send().await;
                let makes_sessions = ["/api/create-session", "/api/sessions"].contains(path)
                    && *method == "POST"
                    && *name == "session";
                if opens(*class, name) && !makes_sessions {
                    let shut = shuts_out(&answer);
                    assert!(!shut || asks_for_a_cookie(path), "{about}");
                } else {
                    let scope = class.scope().unwrap();
                    let header = format!(
                        "Bearer realm=\"wharf\", error=\"insufficient_scope\", scope=\"{scope}\""
                    );
                    refused(&answer, 403, "insufficient_scope", &header, &about);
                }
            }
        }
    });
}

/// Answers by looking it up: `slow` never, others at once.
struct LookedUp;

impl Authenticator for LookedUp {
    fn authenticate(&self, token: Option<&str>, _from: &Peer) -> Authentication {
        let token = token.unwrap_or_default().to_owned();
        Authentication::Ask(Box::pin(async move {
            tokio::task::yield_now().await;
            match token.as_str() {
                "ada" => Ok(caller(Role::Member, "run", false)),
                "expired" => Err(Why::Expired),
                "throttled" => Err(Why::Throttled {
                    retry_after: Duration::from_millis(6500),
                }),
                "slow" => std::future::pending().await,
                "down" => Err(Why::Unavailable),
                _ => Err(Why::Wrong),
            }
        }))
    }
}

fn looked_up() -> ServerOptions {
    let local = Arc::new(Tokens::local(TOKEN));
    let mut options = ServerOptions {
        authenticator: Arc::new(InTurn::new(local, Arc::new(LookedUp))),
        ..options()
    };
    options.limits.ask_timeout = Duration::from_millis(20);
    options
}

#[test]
fn who_asks_may_have_to_be_looked_up() {
    with_server_of(looked_up(), async |server| {
        let ask = |token: &str, path: &str| {
            let ask = server.ask("GET", path);
            ask.header("authorization", format!("Bearer {token}"))
                .send()
        };
        assert_eq!(ask("ada", "/api/sessions").await.status, StatusCode::OK);
        assert_eq!(ask(TOKEN, "/api/audit").await.status, StatusCode::OK);
        assert_eq!(ask("ada", "/api/audit").await.problem().0, 403);
        let expired = ask("expired", "/api/sessions").await;
        let words = "Bearer realm=\"wharf\", error=\"invalid_token\", \
                     error_description=\"the token has expired\"";
        refused(&expired, 401, "unauthorized", words, "expired");
        let throttled = ask("throttled", "/api/sessions").await;
        assert_eq!(throttled.problem(), (429, "throttled".to_owned()));
        assert_eq!(throttled.header("retry-after"), "7");
        for token in ["slow", "down"] {
            let answer = ask(token, "/api/sessions").await;
            assert_eq!(answer.problem(), (503, "accounts_unavailable".to_owned()));
            assert_eq!(answer.header("retry-after"), "1");
        }
    });
}

#[test]
fn a_body_is_not_read_before_it_is_known_who_asks() {
    with_server_of(looked_up(), async |server| {
        let read = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&read);
        let body = futures_util::stream::poll_fn(move |_| {
            seen.store(true, Ordering::Relaxed);
            std::task::Poll::Ready(None::<Result<Bytes, std::io::Error>>)
        });
        let answer = server
            .ask("POST", "/api/run-command")
            .header("authorization", "Bearer nobody")
            .header("content-type", "application/json")
            .body(Body::from_stream(body))
            .send()
            .await;
        assert_eq!(answer.problem().0, 401);
        assert!(!read.load(Ordering::Relaxed));
    });
}

#[test]
fn what_is_used_up_is_said_with_whose_it_is_and_when_there_is_room() {
    let limits = Limits {
        runs_per_minute: Some(1),
        ..Limits::NONE
    };
    let limited = Caller::of_account(Grants {
        limits: Quotas {
            organization: limits,
            ..Quotas::NONE
        },
        ..caller(Role::Member, "run", false).grants().clone()
    });
    let mine = ServerOptions {
        authenticator: Arc::new(Tokens::of([("ada", limited)])),
        ..options()
    };
    with_server_of(mine, async |server| {
        let ask = |method: &str, path: &str| {
            let ask = server.ask(method, path);
            ask.header("authorization", "Bearer ada")
        };
        let run = || ask("POST", "/api/run-command").json(&serde_json::json!({"command": "true"}));
        assert_eq!(run().send().await.status, StatusCode::OK);
        let full = run().send().await;
        assert_eq!(full.problem(), (429, "quota_exceeded".to_owned()));
        assert_eq!(members(&full), MEMBERS);
        let wait: u64 = full.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        let body = full.json();
        let detail = body["detail"].as_str().unwrap();
        let begin = "The organization acme may begin 1 commands in a minute and has; there is room \
                     again at 2";
        assert!(detail.starts_with(begin), "{detail}");
        assert_eq!(body["retryable"], true);

        let usage = ask("GET", "/api/v1/usage").send().await.json();
        assert_eq!(usage["person"]["name"], "ada@example.com");
        assert_eq!(usage["person"]["runs_in_minute"], 1);
        assert_eq!(usage["person"]["runs_per_minute"], Value::Null);
        assert_eq!(usage["organization"]["name"], "acme");
        assert_eq!(usage["organization"]["runs_per_minute"], 1);
        assert_eq!(usage["agent"], Value::Null);
        assert!(
            usage["day_ends_at"]
                .as_str()
                .unwrap()
                .ends_with("T00:00:00.000Z")
        );
    });
}
