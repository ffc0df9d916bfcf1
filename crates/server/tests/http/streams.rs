//! Following a run.

use std::time::{Duration, Instant};

use axum::body::BodyDataStream;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::{Ask, Server, options, with_server, with_server_of};

/// A bound for what should come at once; far above it, so that a busy machine does not matter.
const SOON: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

/// The events of an answer, one by one.
struct Events {
    body: BodyDataStream,
    text: Vec<u8>,
}

impl Events {
    async fn open(ask: Ask) -> Self {
        let response = ask
            .header("accept", "text/event-stream")
            .open()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self {
            body: response.into_body().into_data_stream(),
            text: Vec::new(),
        }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                let block = String::from_utf8(block).unwrap();
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .to_owned()
                };
                if block.starts_with(':') {
                    continue;
                }
                let data = serde_json::from_str(&field("data: ")).unwrap();
                return Some(Event {
                    name: field("event: "),
                    id: field("id: "),
                    data,
                });
            }
            let piece = tokio::time::timeout(SOON, self.body.next())
                .await
                .expect("an event soon");
            self.text.extend_from_slice(&piece?.unwrap());
        }
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

fn run(server: &Server, command: &str) -> Ask {
    server
        .ask("POST", "/api/run-command")
        .json(&json!({ "command": command }))
}

fn text_of(events: &[Event], name: &str) -> String {
    events
        .iter()
        .filter(|event| event.name == name)
        .map(|event| event.data["text"].as_str().unwrap())
        .collect()
}

#[test]
fn a_run_is_told_from_start_to_exit() {
    with_server(async |server| {
        let ask = run(&server, "echo out; echo err >&2; exit 3");
        let events = Events::open(ask).await.rest().await;
        let (first, last) = (&events[0], events.last().unwrap());
        assert_eq!(first.name, "started");
        let id = first.data["command_id"].as_str().unwrap();
        assert_eq!(first.id, format!("{id}:0:0"));
        assert_eq!(
            (text_of(&events, "stdout"), text_of(&events, "stderr")),
            ("out\n".into(), "err\n".into())
        );
        assert_eq!(
            (last.name.as_str(), &last.data["exit_code"]),
            ("exit", &json!(3))
        );
        assert_eq!(last.id, format!("{id}:4:4"));
        assert!(last.data.get("stdout").is_none() && last.data.get("stderr").is_none());
        let _: wharf_api::RunResponse = serde_json::from_value(last.data.clone()).unwrap();
    });
}

#[test]
fn output_comes_while_the_command_runs() {
    with_server(async |server| {
        let fifo = tempfile::tempdir().unwrap();
        let path = fifo.path().join("go");
        let command = format!(
            "mkfifo {0}; echo one; read x < {0}; echo two",
            path.display()
        );
        let mut events = Events::open(run(&server, &command)).await;
        assert_eq!(events.next().await.unwrap().name, "started");
        // The command waits until this has been seen, so it can only have come while it ran.
        assert_eq!(events.next().await.unwrap().data["text"], "one\n");
        let write = tokio::task::spawn_blocking(move || std::fs::write(path, "go\n"));
        assert_eq!(events.next().await.unwrap().data["text"], "two\n");
        assert_eq!(events.next().await.unwrap().name, "exit");
        write.await.unwrap().unwrap();
        assert!(events.next().await.is_none());
    });
}

#[test]
fn a_broken_stream_goes_on_where_it_broke() {
    with_server(async |server| {
        let ask = || run(&server, "printf 'abcdefghij%.0s' {1..30000}");
        let mut events = Events::open(ask()).await;
        let (mut text, mut last) = (String::new(), String::new());
        for _ in 0..2 {
            let event = events.next().await.unwrap();
            text += event.data["text"].as_str().unwrap_or_default();
            last = event.id;
        }
        drop(events);

        let again = ask().header("last-event-id", last.clone());
        let rest = Events::open(again).await.rest().await;
        assert_ne!(rest[0].name, "started");
        assert_eq!(
            text.clone() + &text_of(&rest, "stdout"),
            "abcdefghij".repeat(30000)
        );
        assert_eq!(rest.last().unwrap().data["exit_code"], 0);
        assert_eq!(
            server.get("/api/commands").await.json()["commands"]
                .as_array()
                .unwrap()
                .len(),
            1
        );

        let id = last.split(':').next().unwrap();
        let ask = server.ask("GET", &format!("/api/commands/{id}/events"));
        let all = Events::open(ask).await.rest().await;
        assert_eq!(all[0].name, "started");
        assert_eq!(text_of(&all, "stdout"), "abcdefghij".repeat(30000));
        let ask = server.ask("GET", &format!("/api/commands/{id}/events"));
        let ask = ask.header("last-event-id", rest.last().unwrap().id.clone());
        let end = Events::open(ask).await.rest().await;
        assert_eq!(
            end.iter()
                .map(|event| event.name.as_str())
                .collect::<Vec<_>>(),
            ["exit"]
        );
    });
}

#[test]
fn letters_are_not_torn_and_bytes_are_not_lost() {
    with_server(async |server| {
        let fifo = tempfile::tempdir().unwrap();
        let path = fifo.path().join("go");
        let shown = path.display();
        let command =
            format!("mkfifo {shown}; printf 'a\\342\\202'; read x < {shown}; printf '\\254b'");
        let mut events = Events::open(run(&server, &command)).await;
        events.next().await.unwrap();
        assert_eq!(events.next().await.unwrap().data["text"], "a");
        let write = tokio::task::spawn_blocking(move || std::fs::write(path, "go\n"));
        assert_eq!(events.next().await.unwrap().data["text"], "€b");
        write.await.unwrap().unwrap();

        let binary = Events::open(run(&server, "printf 'x\\377\\000'"))
            .await
            .rest()
            .await;
        assert_eq!(binary[1].data, json!({"base64": "eP8A"}));
        let torn = Events::open(run(&server, "printf '\\342\\202'"))
            .await
            .rest()
            .await;
        assert_eq!(torn[1].data, json!({"base64": "4oI="}));
    });
}

#[test]
fn a_client_that_goes_away_ends_nothing() {
    with_server(async |server| {
        let fifo = tempfile::tempdir().unwrap();
        let path = fifo.path().join("go");
        let command = format!(
            "mkfifo {0}; echo up; read x < {0}; echo done",
            path.display()
        );
        let mut events = Events::open(run(&server, &command)).await;
        let started = events.next().await.unwrap();
        events.next().await.unwrap();
        drop(events);
        tokio::task::spawn_blocking(move || std::fs::write(path, "go\n"))
            .await
            .unwrap()
            .unwrap();

        let ask = run(&server, &command).header("last-event-id", started.id);
        let rest = Events::open(ask).await.rest().await;
        assert_eq!(text_of(&rest, "stdout"), "up\ndone\n");
    });
}

#[test]
fn a_refusal_is_a_plain_answer_also_when_a_stream_was_asked_for() {
    with_server(async |server| {
        let ask = run(&server, "rm -rf /").header("accept", "text/event-stream");
        assert_eq!(
            ask.send().await.problem(),
            (403, "denied_by_policy".to_owned())
        );
        let stranger = run(&server, "true").header("accept", "text/event-stream");
        let stranger = stranger.header("last-event-id", "run_00000000000000000000000000:0:0");
        assert_eq!(stranger.send().await.problem().0, 404);
    });
}

#[test]
fn logs_are_followed_from_their_last_lines() {
    with_server(async |server| {
        server
            .post("/api/create-session", &json!({"session_id": "web"}))
            .await;
        let body = json!({"command": "printf '1\\n2\\n3\\n'; exec sleep 600", "background": true, "session_id": "web"});
        let id = server.run(body).await["command_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let begun = Instant::now();
        while server.get("/api/dev-server-logs/web?lines=2").await.json()["stdout"] != "2\n3\n" {
            assert!(begun.elapsed() < SOON);
            tokio::task::yield_now().await;
        }
        let mut events =
            Events::open(server.ask("GET", "/api/dev-server-logs/web?lines=1&follow=true")).await;
        assert_eq!(events.next().await.unwrap().data["command_id"], id);
        assert_eq!(events.next().await.unwrap().data["text"], "3\n");
        server
            .ask("DELETE", &format!("/api/commands/{id}"))
            .send()
            .await;
        assert_eq!(events.next().await.unwrap().name, "exit");
    });
}

#[test]
fn silence_is_broken_by_signs_of_life() {
    let mut options = options();
    options.limits.heartbeat = Duration::from_millis(10);
    with_server_of(options, async |server| {
        let fifo = tempfile::tempdir().unwrap();
        let path = fifo.path().join("go");
        let command = format!("mkfifo {0}; echo up; read x < {0}", path.display());
        let ask = run(&server, &command).header("accept", "text/event-stream");
        let mut body = ask.open().await.unwrap().into_body().into_data_stream();
        let mut text = String::new();
        while text.matches(": still running\n\n").count() < 3 {
            let piece = tokio::time::timeout(SOON, body.next()).await.unwrap();
            text += std::str::from_utf8(&piece.unwrap().unwrap()).unwrap();
        }
        assert!(!text.contains("exit"), "{text}");
        let write = tokio::task::spawn_blocking(move || std::fs::write(path, "go\n"));
        write.await.unwrap().unwrap();
    });
}

/// The id of an event belongs to the request that got it, and to no other.
#[test]
fn another_commands_stream_is_not_taken_up() {
    with_server(async |server| {
        let one = "echo one --password=hunter2";
        let ask = || run(&server, one);
        let last = Events::open(ask()).await.rest().await.pop().unwrap().id;
        let refused = async |body: Value| {
            let ask = server.ask("POST", "/api/run-command").json(&body);
            let ask = ask
                .header("accept", "text/event-stream")
                .header("last-event-id", last.as_bytes());
            let answer = ask.send().await;
            assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
            answer.json()
        };
        let problem = refused(json!({"command": "echo two"})).await;
        assert_eq!(problem["errors"][0]["field"], "Last-Event-ID");
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("another command"), "{message}");
        refused(json!({"command": one, "session_id": "s"})).await;
        refused(json!({"command": 7})).await;

        // The same request is: only its end is left.
        let again = ask().header("last-event-id", last.as_bytes());
        let events = Events::open(again).await.rest().await;
        let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["exit"]);
        // Nothing ran but the one command.
        let list = server.get("/api/commands").await.json();
        assert_eq!(list["commands"].as_array().unwrap().len(), 1);
    });
}
