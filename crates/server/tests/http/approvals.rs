//! `/api/approvals`, `/api/grants` and `/api/policy`.

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use serde_json::{Value, json};
use wharf_engine::rules::File;
use wharf_server::{PolicyFiles, ServerOptions};

use crate::support::{SECOND, STRANGER, Server, options, with_server, with_server_of};

/// It asks, and does no harm: there is no such directory.
const RISKY: &str = "rm -rf /opt/wharf-no-such-dir";

/// Asks for the risky command; the approval's id.
async fn asked(server: &Server, body: Value) -> String {
    let answer = server.post("/api/run-command", &body).await;
    assert_eq!(answer.status, 428, "{}", answer.text());
    answer.json()["approval"]["id"].as_str().unwrap().to_owned()
}

async fn approve(server: &Server, id: &str, body: Value) -> (u16, Value) {
    let path = format!("/api/approvals/{id}/approve");
    let answer = server.post(&path, &body).await;
    (answer.status.as_u16(), answer.json())
}

#[test]
fn a_yes_over_http_lets_the_run_through_and_is_used_up() {
    with_server(async |server| {
        let id = asked(&server, json!({"command": RISKY})).await;
        let path = format!("/api/approvals/{id}");
        let pending = server.get(&path).await.json();
        assert_eq!(
            (&pending["state"], &pending["command"]),
            (&json!("pending"), &json!(RISKY))
        );

        let waits = tokio::spawn({
            let (server, path) = (server.clone(), format!("{path}?wait=60"));
            async move { server.get(&path).await.json() }
        });
        for (method, path) in [("GET", path.clone()), ("POST", format!("{path}/approve"))] {
            let strangers = server
                .ask(method, &path)
                .header("authorization", format!("Bearer {STRANGER}"))
                .json(&json!({}));
            assert_eq!(strangers.send().await.status, StatusCode::NOT_FOUND);
        }
        let by_another = server
            .ask("POST", &format!("{path}/approve"))
            .header("authorization", format!("Bearer {SECOND}"))
            .json(&json!({}));
        assert_eq!(by_another.send().await.status, StatusCode::OK);
        let heard = waits.await.unwrap();
        assert_eq!(
            (&heard["state"], &heard["answered_by"]),
            (&json!("approved"), &json!("second"))
        );

        let run = server
            .run(json!({"command": RISKY, "confirmation_token": id}))
            .await;
        let used = server.get(&path).await.json();
        assert_eq!(
            (&used["state"], &used["command_id"]),
            (&json!("used"), &run["command_id"])
        );
        assert_eq!(approve(&server, &id, json!({})).await.0, 409);
        assert_ne!(asked(&server, json!({"command": RISKY})).await, id);
    });
}

#[test]
fn a_scope_is_checked_before_it_is_granted() {
    with_server(async |server| {
        let id = asked(&server, json!({"command": RISKY})).await;
        for (body, field) in [
            (json!({"scope": "pattern"}), "pattern"),
            (
                json!({"scope": "pattern", "pattern": "rm <wrod>", "project": "/srv"}),
                "scope",
            ),
            (
                json!({"scope": "pattern", "pattern": "rm", "project": "srv"}),
                "project",
            ),
            (
                json!({"scope": "pattern", "pattern": "rm", "project": "/"}),
                "scope",
            ),
            (json!({"scope": "once", "pattern": "rm"}), "pattern"),
            (json!({"scope": "session"}), "scope"),
            (json!({"scope": "always"}), "scope"),
        ] {
            let (status, answer) = approve(&server, &id, body.clone()).await;
            assert_eq!(status, 422, "{body}: {answer}");
            assert_eq!(answer["errors"][0]["field"], field, "{body}");
        }
        assert_eq!(
            server.get(&format!("/api/approvals/{id}")).await.json()["state"],
            "pending"
        );
        assert_eq!(server.get("/api/approvals/apr_none").await.status, 404);
        assert_eq!(
            server
                .get(&format!("/api/approvals/{id}?wait=61"))
                .await
                .status,
            422
        );
    });
}

#[test]
fn a_pattern_holds_until_it_is_taken_back() {
    with_server(async |server| {
        let body = json!({"command": RISKY, "cwd": "/usr"});
        let id = asked(&server, body.clone()).await;
        let pattern = json!({"pattern": RISKY, "project": "/usr"});
        let preview = server.post("/api/approvals/preview", &pattern).await.json();
        assert_eq!(
            (&preview["matched"], &preview["spared"]),
            (&json!(1), &json!(1)),
            "{preview}"
        );
        assert_eq!(preview["commands"], json!([{"command": RISKY, "count": 1}]));

        let yes = json!({"scope": "pattern", "pattern": RISKY});
        assert_eq!(approve(&server, &id, yes).await.0, 200);
        server.run(body.clone()).await;
        server.run(body.clone()).await;
        let grants = server.get("/api/grants").await.json();
        assert_eq!(
            (&grants["grants"][0]["id"], &grants["grants"][0]["project"]),
            (&json!(id), &json!("/usr"))
        );

        let grant = format!("/api/grants/{id}");
        assert_eq!(
            server.ask("DELETE", &grant).send().await.status,
            StatusCode::OK
        );
        assert_eq!(
            server.ask("DELETE", &grant).send().await.status,
            StatusCode::NOT_FOUND
        );
        asked(&server, body).await;
    });
}

const CEDAR: &str = r#"@id("no-touching")
@reason("nothing is touched here")
forbid (principal, action in Action::"run", resource)
when { context.programs.contains("touch") };"#;

fn own(text: &str) -> Vec<File> {
    vec![File {
        name: "own.cedar".to_owned(),
        text: text.to_owned(),
    }]
}

#[test]
fn reloaded_files_hold_and_those_that_do_not_load_change_nothing() {
    let files = Arc::new(Mutex::new(Ok(Some(own(CEDAR)))));
    let read = Arc::clone(&files);
    let options = ServerOptions {
        policy_files: PolicyFiles::from_fn(move || read.lock().unwrap().clone()),
        ..options()
    };
    with_server_of(options, async move |server| {
        let reload = async || server.ask("POST", "/api/policy/reload").send().await.json();
        let touch = async || {
            let body = json!({"command": "touch /dev/null"});
            server.post("/api/run-command", &body).await.status.as_u16()
        };
        assert_eq!(touch().await, 200);
        let held = reload().await;
        assert_eq!(
            (&held["reloaded"], &held["changed"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(touch().await, 403);
        for broken in [
            Ok(Some(own("forbid (;"))),
            Err("no right to read it".to_owned()),
        ] {
            *files.lock().unwrap() = broken;
            let refused = reload().await;
            assert_eq!(refused["reloaded"], false);
            assert_eq!(refused["fingerprint"], held["fingerprint"]);
            assert!(
                !refused["problems"][0]["message"]
                    .as_str()
                    .unwrap()
                    .is_empty()
            );
            assert_eq!(touch().await, 403, "the policy before stays");
        }
        *files.lock().unwrap() = Ok(None);
        assert_eq!(reload().await["reloaded"], true);
        assert_eq!(touch().await, 200);

        let stranger = server
            .ask("POST", "/api/policy/reload")
            .header("authorization", format!("Bearer {STRANGER}"));
        assert_eq!(stranger.send().await.status, StatusCode::FORBIDDEN);
        let record = server.get("/api/audit?limit=1000").await.json();
        let kinds = record["entries"].as_array().unwrap().iter();
        let kinds: Vec<&Value> = kinds.map(|entry| &entry["kind"]).collect();
        let count = |kind: &str| kinds.iter().filter(|known| ***known == kind).count();
        assert_eq!((count("policy.reloaded"), count("policy.refused")), (2, 2));
    });
}

#[test]
fn a_changed_policy_is_tried_and_replayed_without_holding() {
    with_server(async |server| {
        for command in ["touch /dev/null", "touch /dev/null", "true"] {
            server.run(json!({"command": command})).await;
        }
        let file = json!({"files": [{"name": "own.cedar", "text": CEDAR}]});
        let tested = server.post("/api/policy/test", &file).await.json();
        assert_eq!(tested["ok"], true, "{tested}");
        let replayed = server.post("/api/policy/replay", &file).await.json();
        assert_eq!(
            (&replayed["read"], &replayed["changed"]),
            (&json!(3), &json!(2)),
            "{replayed}"
        );
        assert_eq!(
            replayed["moves"],
            json!([{"from": "allow", "to": "deny", "count": 2}])
        );
        assert_eq!(replayed["changes"][0]["policies"], json!(["no-touching"]));
        server.run(json!({"command": "touch /dev/null"})).await;

        let broken = json!({"files": [{"name": "own.cedar", "text": "\nforbid (;"}]});
        let tested = server.post("/api/policy/test", &broken).await.json();
        assert_eq!(
            (&tested["ok"], &tested["problems"][0]["line"]),
            (&json!(false), &json!(2)),
            "{tested}"
        );
        assert_eq!(server.post("/api/policy/replay", &broken).await.status, 422);
        for name in ["../policy.toml", "x.toml", ""] {
            let file = json!({"files": [{"name": name, "text": ""}]});
            assert_eq!(
                server.post("/api/policy/test", &file).await.status,
                422,
                "{name}"
            );
        }
    });
}

#[test]
fn what_holds_is_laid_open() {
    with_server(async |server| {
        let policy = server.get("/api/policy").await.json();
        assert_eq!(policy["approvals"]["requester_may_approve"], true);
        let ids = policy["policies"].as_array().unwrap();
        assert!(
            ids.iter().any(|policy| policy["id"] == "high-asks"),
            "{policy}"
        );
    });
}
