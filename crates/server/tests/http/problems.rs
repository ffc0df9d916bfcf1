//! Refusals as clients see them: status and body.

use serde_json::{Value, json};

use crate::support::{Answer, with_server};

/// Status and document, without what differs from run to run.
fn shown(answer: &Answer) -> String {
    answer.problem();
    let mut document = answer.json();
    document["correlation_id"] = "…".into();
    if document["confirmation_token"].is_string() {
        document["confirmation_token"] = "…".into();
    }
    if document["decision"].is_object() {
        let verdict = document["decision"]["verdict"].clone();
        document["decision"] = json!({ "verdict": verdict });
    }
    if document["approval"].is_object() {
        document["approval"] = "…".into();
    }
    // Another crate of the same build may have the library keep the order of members.
    document.sort_all_objects();
    format!(
        "{}\n{}",
        answer.status,
        serde_json::to_string_pretty(&document).unwrap()
    )
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_malformed_request_names_every_member() {
    with_server(async |server| {
        let body = json!({"command": "", "timeout": 0, "cwd": "", "remote": true});
        let answer = server.post("/api/run-command", &body).await;
        insta::assert_snapshot!(shown(&answer));
    });
}

#[test]
fn a_password_for_sudo_is_one_line_and_is_not_repeated() {
    with_server(async |server| {
        for password in ["", "hunter2\nhunter3", &"hunter2".repeat(147)] {
            let body = json!({"command": "true", "sudo_password": password});
            let answer = server.post("/api/run-command", &body).await;
            assert_eq!(answer.status, 422);
            let field = &answer.json()["errors"][0]["field"];
            assert_eq!(field, "sudo_password");
            assert!(!answer.text().contains("hunter"));
        }
        let body = json!({"command": "true", "sudo_password": "hunter2"});
        let answer = server.post("/api/run-command", &body).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("hunter"));
    });
}

#[test]
fn wrong_types_are_named_without_their_values() {
    with_server(async |server| {
        let body = json!({"env": ["A=1"], "password": 1234567, "timeout": "soon"});
        let answer = server.post("/api/run-command", &body).await;
        assert!(!answer.text().contains("1234567"));
        insta::assert_snapshot!(shown(&answer));
    });
}

#[test]
fn a_denied_command() {
    with_server(async |server| {
        let answer = server
            .post("/api/run-command", &json!({"command": "rm -rf /"}))
            .await;
        insta::assert_snapshot!(shown(&answer));
    });
}

#[test]
fn a_command_that_needs_a_yes_gets_it_once() {
    with_server(async |server| {
        let body = json!({"command": "eval \"$NOTHING\""});
        let answer = server.post("/api/run-command", &body).await;
        insta::assert_snapshot!(shown(&answer));

        let token = text(&answer.json()["confirmation_token"]);
        let mut confirmed = body;
        confirmed["confirmation_token"] = token.into();
        assert_eq!(
            server.post("/api/run-command", &confirmed).await.status,
            200
        );
        let again = server.post("/api/run-command", &confirmed).await;
        assert_eq!(again.problem(), (428, "needs_confirmation".to_owned()));
    });
}

#[test]
fn what_is_not_there() {
    with_server(async |server| {
        let answer = server
            .get("/api/commands/run_00000000000000000000000000")
            .await;
        insta::assert_snapshot!("no_run", shown(&answer));
        let answer = server
            .post(
                "/api/run-command",
                &json!({"command": "true", "session_id": "x"}),
            )
            .await;
        insta::assert_snapshot!("no_session", shown(&answer));
        insta::assert_snapshot!("no_path", shown(&server.get("/api/x").await));
    });
}

#[test]
fn an_idempotency_key_with_another_body() {
    with_server(async |server| {
        let run = |command: &str| {
            let ask = server
                .ask("POST", "/api/run-command")
                .header("idempotency-key", "k");
            ask.json(&json!({ "command": command })).send()
        };
        let first = run("echo 1").await;
        let second = run("echo 1").await;
        assert_eq!(first.header("idempotency-replayed"), "");
        assert_eq!(second.header("idempotency-replayed"), "true");
        assert_eq!(second.json()["replayed"], true);
        assert_eq!(second.json()["command_id"], first.json()["command_id"]);
        insta::assert_snapshot!(shown(&run("echo 2").await));
    });
}

#[test]
fn bodies_have_a_bound() {
    with_server(async |server| {
        let most = wharf_server::options::DEFAULT_BODY_BYTES;
        let of = |length: usize| {
            let frame = r#"{"command":"true","x":""}"#.len();
            json!({"command": "true", "x": "y".repeat(length - frame)})
        };
        assert_eq!(server.post("/api/run-command", &of(most)).await.status, 200);
        let answer = server.post("/api/run-command", &of(most + 1)).await;
        insta::assert_snapshot!(shown(&answer));
    });
}

#[test]
fn a_command_has_a_bound() {
    with_server(async |server| {
        let most = wharf_model::MAX_COMMAND_BYTES;
        let of = |length: usize| json!({"command": format!(": {}", "x".repeat(length - 2))});
        assert_ne!(server.post("/api/analyze", &of(most)).await.status, 422);
        let answer = server.post("/api/analyze", &of(most + 1)).await;
        assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
    });
}

#[test]
fn a_compressed_body_is_not_unpacked() {
    with_server(async |server| {
        for (coding, status) in [("gzip", 415), ("br, gzip", 415), ("identity", 200)] {
            let ask = server
                .ask("POST", "/api/run-command")
                .json(&json!({"command": "true"}))
                .header("content-encoding", coding);
            assert_eq!(ask.send().await.status, status, "{coding}");
        }
    });
}
