//! Running commands over HTTP.

use serde_json::{Value, json};
use wharf_api::{OutputPage, RunRecord, RunResponse};

use crate::support::{STRANGER, Server, with_server};

async fn run(server: &Server, body: Value) -> RunResponse {
    serde_json::from_value(server.run(body).await).unwrap()
}

#[test]
fn both_names_of_the_route_run_a_command() {
    with_server(async |server| {
        for path in ["/api/run-command", "/api/local-command-executor"] {
            let answer = server
                .post(path, &json!({"command": "echo out; echo err >&2; exit 3"}))
                .await;
            let answer: RunResponse = serde_json::from_value(answer.json()).unwrap();
            assert_eq!(
                (answer.stdout.as_str(), answer.stderr.as_str()),
                ("out\n", "err\n")
            );
            assert_eq!((answer.success, answer.exit_code), (false, Some(3)));
            assert_eq!(answer.command, "echo out; echo err >&2; exit 3");
            assert_eq!(answer.decision.unwrap()["verdict"], "allow");
        }
    });
}

/// What a client of the seed's time sends: all members, most of them null.
#[test]
fn an_old_clients_request_is_understood() {
    with_server(async |server| {
        let body = json!({
            "command": "echo hello", "remote": false, "host": null, "port": 22, "username": null,
            "password": null, "private_key_path": null, "session_id": null, "timeout": 30,
            "metadata_format": null, "client_version": "0.9", "unknown": {"deep": [1, 2]},
        });
        assert_eq!(run(&server, body).await.stdout, "hello\n");
    });
}

#[test]
fn the_answer_has_the_members_of_the_wire() {
    with_server(async |server| {
        let body = json!({"command": "printf 'a\\377b'", "stdout_base64": true, "metadata_format": "full"});
        let sent = server.run(body).await;
        let read: RunResponse = serde_json::from_value(sent.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), sent);
        assert_eq!(read.stdout, "a\u{fffd}b");
        assert_eq!(read.encoding.as_deref(), Some("lossy"));
        assert_eq!(read.stdout_base64.as_deref(), Some("Yf9i"));
        assert!(read.metadata.is_some() && read.model_hints.is_some());
    });
}

#[test]
fn metadata_is_made_only_when_asked_for() {
    with_server(async |server| {
        let answer = run(&server, json!({"command": "true"})).await;
        assert!(answer.metadata.is_none() && answer.model_hints.is_none());
        let answer = run(
            &server,
            json!({"command": "true", "metadata_format": "minimal"}),
        )
        .await;
        assert_eq!(answer.metadata.unwrap()["base_command"], "true");
    });
}

#[test]
fn long_output_is_cut_in_the_middle_and_kept_whole() {
    with_server(async |server| {
        let command = "for i in {1..20000}; do echo line $i; done";
        let answer = run(&server, json!({"command": command, "output_limit": 1000})).await;
        let cut = answer.truncated.unwrap();
        assert!(answer.stdout.starts_with("line 1\n") && answer.stdout.ends_with("line 20000\n"));
        let marker = format!(
            "GET /api/commands/{}/output?stream=stdout",
            answer.command_id
        );
        assert!(answer.stdout.contains(&marker), "{}", answer.stdout);

        let path = format!(
            "/api/commands/{}/output?stream=stdout&limit=99999999",
            answer.command_id
        );
        let whole = server.get(&path).await;
        assert_eq!(whole.header("content-type"), "application/octet-stream");
        let expected: String = (1..=20000).map(|i| format!("line {i}\n")).collect();
        assert_eq!(whole.text(), expected);
        assert_eq!(whole.header("x-output-total"), expected.len().to_string());
        assert_eq!(
            whole.header("x-output-next-offset"),
            expected.len().to_string()
        );
        assert_eq!(whole.header("x-output-running"), "false");
        let kept = answer
            .stdout
            .lines()
            .filter(|line| line.starts_with("line"))
            .count();
        assert!(kept > 50, "{kept}");
        assert_eq!(cut.stderr_bytes, 0);
        assert!(cut.stdout_bytes + 1000 >= expected.len() as u64);
    });
}

#[test]
fn output_is_read_by_range_to_its_end() {
    with_server(async |server| {
        let command = "printf 'abcdefghij%.0s' {1..300000}";
        let id = run(&server, json!({"command": command, "output_limit": 10}))
            .await
            .command_id;
        let path = |rest: &str| format!("/api/commands/{id}/output?{rest}");

        // Longer than what is read at once.
        let whole = server.get(&path("limit=3000000")).await;
        assert_eq!(whole.body.len(), 3_000_000);
        assert_eq!(whole.header("content-length"), "3000000");
        let piece = server.get(&path("offset=2999995&limit=100")).await;
        assert_eq!(
            (piece.text().as_str(), piece.header("x-output-next-offset")),
            ("fghij", "3000000")
        );
        let behind = server.get(&path("offset=99999999999")).await;
        assert_eq!((behind.status.as_u16(), behind.body.len()), (200, 0));
        assert_eq!(server.get(&path("stream=stderr")).await.body, b"");

        let page = server
            .ask("GET", &path("offset=5&limit=3"))
            .header("accept", "application/json");
        let page: OutputPage = serde_json::from_value(page.send().await.json()).unwrap();
        assert_eq!(
            (page.text.as_deref(), page.offset, page.next_offset),
            (Some("fgh"), 5, 8)
        );

        for odd in [
            "stream=stdin",
            "offset=-1",
            "limit=0",
            "limit=x",
            "offset=99999999999999999999",
        ] {
            assert_eq!(server.get(&path(odd)).await.problem().0, 422, "{odd}");
        }
    });
}

#[test]
fn a_run_is_its_callers_alone() {
    with_server(async |server| {
        let id = run(&server, json!({"command": "echo private"}))
            .await
            .command_id;
        let record: RunRecord =
            serde_json::from_value(server.get(&format!("/api/commands/{id}")).await.json())
                .unwrap();
        assert_eq!((record.state.as_str(), record.exit_code), ("done", Some(0)));
        for (method, path) in [
            ("GET", format!("/api/commands/{id}")),
            ("DELETE", format!("/api/commands/{id}")),
            ("GET", format!("/api/commands/{id}/output")),
            ("GET", format!("/api/commands/{id}/events")),
        ] {
            let ask = server
                .ask(method, &path)
                .header("authorization", format!("Bearer {STRANGER}"));
            assert_eq!(ask.send().await.problem().0, 404, "{method} {path}");
        }
        let list = server
            .ask("GET", "/api/commands")
            .header("authorization", format!("Bearer {STRANGER}"));
        assert_eq!(list.send().await.json(), json!({"commands": []}));
        let audit = server
            .ask("GET", "/api/audit")
            .header("authorization", format!("Bearer {STRANGER}"));
        assert_eq!(
            audit.send().await.problem(),
            (403, "insufficient_scope".to_owned())
        );
    });
}

#[test]
fn a_background_command_is_looked_after() {
    with_server(async |server| {
        let answer = run(
            &server,
            json!({"command": "echo up; exec sleep 600", "background": true}),
        )
        .await;
        let pid = answer.pid.unwrap();
        assert_eq!((answer.success, answer.exit_code), (true, None));

        let act = async |action: &str| {
            let body = json!({"action": action, "pid": pid});
            server.post("/api/process-manager", &body).await.json()
        };
        assert_eq!(act("status").await["process"]["running"], true);
        assert_eq!(
            act("list").await["processes"][0]["command_id"],
            answer.command_id
        );
        let killed = act("kill").await;
        assert_eq!(
            (&killed["success"], &killed["process"]["running"]),
            (&true.into(), &false.into())
        );
        assert_eq!(act("logs").await["logs"]["stdout"], "up\n");
    });
}

#[test]
fn a_run_is_ended_on_request() {
    with_server(async |server| {
        let body = json!({"command": "exec sleep 600", "background": true});
        let id = run(&server, body).await.command_id;
        for _ in 0..2 {
            let answer = server
                .ask("DELETE", &format!("/api/commands/{id}"))
                .send()
                .await;
            let answer = answer.json();
            assert_eq!(
                (&answer["success"], &answer["state"]),
                (&true.into(), &"done".into())
            );
        }
    });
}

#[test]
fn analyzing_runs_nothing() {
    with_server(async |server| {
        let body = json!({"command": "touch /tmp/never | cat", "metadata_format": "full"});
        let answer = server.post("/api/analyze", &body).await;
        let read: wharf_api::AnalyzeResponse = serde_json::from_value(answer.json()).unwrap();
        assert_eq!(read.base_command, "touch");
        assert!(read.metadata.unwrap().get("result").is_none());
        assert_eq!(
            server.get("/api/commands").await.json(),
            json!({"commands": []})
        );
    });
}

#[test]
fn the_registry_is_read_whole_by_category_by_text_and_by_name() {
    with_server(async |server| {
        let names = async |query: &str| {
            let list = server.get(&format!("/api/registry{query}")).await.json();
            let list = list["commands"].as_array().unwrap().clone();
            list.iter()
                .map(|entry| entry["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let all = names("").await;
        assert!(all.len() >= 40 && all.contains(&"ls".to_owned()), "{all:?}");
        let ls = server.get("/api/registry/ls").await.json();
        let category = ls["category"].as_str().unwrap();
        let below = names(&format!("?category={category}")).await;
        assert!(
            below.contains(&"ls".to_owned()) && below.len() < all.len(),
            "{below:?}"
        );
        assert_eq!(names("?q=LS").await[0], "ls");
        assert_eq!(names("?q=no-such-thing-anywhere").await, [""; 0]);
        assert_eq!(
            server.get("/api/registry/no-such-thing").await.problem().0,
            404
        );
        let nested = server.get("/api/registry/git%20remote%20add").await.json();
        assert_eq!(nested["name"], "remote add");
        assert_eq!(nested["origin"], "built_in");
    });
}

#[test]
fn the_owner_adds_an_entry_and_takes_it_away() {
    with_server(async |server| {
        let path = "/api/registry/frob";
        let entry = json!({"name": "frob", "description": "Frobs.", "output_format": "json",
            "category": "development/build", "risk": "low",
            "examples": [{"command": "frob -x", "description": "frobs x"}]});
        let stranger = format!("Bearer {STRANGER}");
        let asked = server.ask("PUT", path).json(&entry);
        let asked = asked.header("authorization", stranger.clone());
        assert_eq!(asked.send().await.problem().0, 403);
        assert_eq!(
            server.ask("PUT", path).json(&entry).send().await.status,
            200
        );

        let shown = server.get(path).await.json();
        assert_eq!(shown["output_format"], "json");
        assert_eq!(shown["origin"]["user"]["file"], "frob.toml");
        let found = server.get("/api/registry?q=frobs").await.json();
        assert_eq!(found["commands"][0]["name"], "frob");

        let asked = server.ask("DELETE", path).header("authorization", stranger);
        assert_eq!(asked.send().await.problem().0, 403);
        assert_eq!(server.ask("DELETE", path).send().await.status, 200);
        assert_eq!(server.get(path).await.problem().0, 404);
        let built_in = server.ask("DELETE", "/api/registry/ls").send().await;
        assert_eq!(built_in.problem().0, 404);
    });
}

#[test]
fn an_entry_that_is_wrong_is_refused_with_reasons() {
    with_server(async |server| {
        for (name, entry, reason) in [
            (
                "rm",
                json!({"name": "rm", "description": "Is safe.", "output_format": "none",
                    "category": "filesystem/file_operations", "risk": "low"}),
                "may not lower that to low",
            ),
            (
                "frob",
                json!({"name": "frob", "description": "Frobs.", "output_format": "jsn",
                    "category": "development/build", "risk": "low"}),
                "did you mean `json`?",
            ),
            (
                "frob",
                json!({"name": "grob", "description": "Frobs.", "output_format": "json",
                    "category": "development/build", "risk": "low"}),
                "must be that in the path",
            ),
            ("frob", json!({"name": "frob", "colour": 1}), "colour"),
        ] {
            let path = format!("/api/registry/{name}");
            let answer = server.ask("PUT", &path).json(&entry).send().await;
            let text = answer.text();
            assert_eq!(answer.status, 422, "{text}");
            assert!(text.contains(reason), "{text}");
        }
    });
}
