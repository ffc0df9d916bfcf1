//! What answers say of an output: with real commands.

use serde_json::{Value, json};

use crate::support::with_server;

#[test]
fn rows_of_real_commands() {
    with_server(async |server| {
        let made = server.run(json!({"command": "git init -q t && touch t/a"}));
        made.await;
        for (command, parser) in [
            ("ls -l /usr", "ls"),
            ("df", "df"),
            ("ps aux", "ps"),
            ("git -C t status --porcelain", "git_status"),
        ] {
            let body = json!({"command": command, "include": ["data"]});
            let answer = server.post("/api/run-command", &body).await.json();
            let rows = answer["data"].as_array().map_or(0, Vec::len);
            assert!(rows > 0, "{command}: {answer}");
            let about = &answer["data_about"];
            assert!(
                about["parser"].as_str().unwrap().starts_with(parser),
                "{command}: {about}"
            );
            assert_eq!(about["rows"], rows);
        }
    });
}

#[test]
fn an_answer_has_nothing_that_was_not_asked_for() {
    with_server(async |server| {
        let body = json!({"command": "ls -l /usr"});
        let answer = server.post("/api/run-command", &body).await.json();
        for name in [
            "data",
            "data_about",
            "text",
            "text_about",
            "metadata",
            "model_hints",
        ] {
            assert!(answer.get(name).is_none(), "{name}: {answer}");
        }
        assert!(answer["decision"].is_object());
    });
}

#[test]
fn a_long_output_is_shortened_and_the_handle_reads_what_is_missing() {
    with_server(async |server| {
        let body = json!({"command": "seq 1 50000; echo 'error: it broke' >&2; exit 1",
            "token_budget": 300, "output_limit": 10});
        let answer = server.post("/api/run-command", &body).await.json();
        let text = answer["text"].as_str().unwrap();
        assert!(text.contains("error: it broke"), "{text}");
        let about = &answer["text_about"];
        let missing = about["left_out"][0].clone();
        let path = about["handle"]
            .as_str()
            .unwrap()
            .strip_prefix("GET ")
            .unwrap();
        let value = |name: &str| match &missing[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let path = path
            .replace("{stream}", &value("stream"))
            .replace("{offset}", &value("offset"))
            .replace("{limit}", &value("bytes"));
        let read = server.get(&path).await;
        assert_eq!(read.status, 200);
        let lines = read.text().lines().count() as u64;
        assert_eq!(lines, missing["lines"].as_u64().unwrap());
        assert!(read.text().starts_with(&value("from_line")));
    });
}

#[test]
fn what_to_do_next_comes_from_what_came_out() {
    with_server(async |server| {
        for (command, says) in [
            ("nosuchprogramhere", "nosuchprogramhere"),
            ("python3 -c 'import nosuchmodulehere'", "nosuchmodulehere"),
        ] {
            let body = json!({"command": command, "metadata_format": "full"});
            let answer = server.post("/api/run-command", &body).await.json();
            let steps = answer["metadata"]["next_steps"].to_string();
            assert!(steps.contains(says), "{command}: {steps}");
        }
    });
}

#[test]
fn the_exit_event_carries_the_same() {
    with_server(async |server| {
        let answer = server
            .ask("POST", "/api/run-command")
            .json(
                &json!({"command": "df", "include": ["data"], "token_budget": 500,
                "metadata_format": "summary"}),
            )
            .header("accept", "text/event-stream")
            .send()
            .await
            .text();
        let data = answer.split("event: exit").nth(1).unwrap();
        let data = data
            .lines()
            .find_map(|line| line.strip_prefix("data: "))
            .unwrap();
        let exit: Value = serde_json::from_str(data).unwrap();
        assert!(!exit["data"].as_array().unwrap().is_empty(), "{exit}");
        assert!(
            exit["text"].as_str().unwrap().contains("Filesystem"),
            "{exit}"
        );
        assert!(exit["metadata"]["output_analysis"]["format_type"].is_string());
    });
}

#[test]
fn a_command_becomes_familiar() {
    with_server(async |server| {
        let ask = async || {
            let body = json!({"command": "frobnicate --all"});
            let answer = server.post("/api/analyze", &body).await.json();
            answer["decision"]["decision_factors"]["command_familiarity"]
                .as_f64()
                .unwrap()
        };
        let before = ask().await;
        for _ in 0..3 {
            let body = json!({"command": "frobnicate() { true; }; frobnicate"});
            server.post("/api/run-command", &body).await;
        }
        server.get("/api/commands").await;
        let after = ask().await;
        assert!(before < 0.1 && after >= before, "{before} {after}");
    });
}

#[test]
fn what_a_question_is_about_is_counted() {
    with_server(async |server| {
        let body = json!({"command": "mkdir -p /tmp/wharf-measured-$$/a && cd /tmp/wharf-measured-$$ && touch a/1 a/2 && pwd"});
        let made = server.post("/api/run-command", &body).await.json();
        let directory = made["stdout"].as_str().unwrap().trim().to_owned();
        let command = format!("rm -r {directory}");
        let (measure, run) = (
            json!({"command": command, "measure": true}),
            json!({"command": command}),
        );
        let asked = server.post("/api/analyze", &measure);
        let asked = asked.await.json();
        assert_eq!(asked["measured"]["files"], 2, "{asked}");
        let refused = server.post("/api/run-command", &run).await;
        let problem = refused.json();
        if refused.status == 428 {
            assert_eq!(problem["measured"]["files"], 2, "{problem}");
        }
        std::fs::remove_dir_all(&directory).ok();
    });
}
