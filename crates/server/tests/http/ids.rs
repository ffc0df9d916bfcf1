//! Ids that want to be paths, or to forge a header or a log line.

use axum::http::StatusCode;
use serde_json::json;
use wharf_model::SessionId;

use crate::support::with_server;

/// Percent-encodes every byte that could not stand in a path.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

fn odd_ids() -> Vec<String> {
    let mut ids: Vec<String> = [
        "..",
        ".",
        "...",
        "../",
        "../../etc/passwd",
        "..\\..\\windows",
        "/etc/passwd",
        "//etc/passwd",
        "%2e%2e",
        "%2e%2e%2f",
        "..%2f..%2fetc",
        "%252e%252e%252f",
        "..%c0%af..",
        "..;/",
        "a/../b",
        "a/b",
        "a\\b",
        "~",
        "~root",
        "$HOME",
        "${HOME}",
        "$(id)",
        "`id`",
        ";id",
        "|id",
        "&id",
        "a b",
        " a",
        "a ",
        "\t",
        "\n",
        "\r\n",
        "a\r\nX-Evil: 1",
        "a\nforged log line",
        "\0",
        "a\0b",
        "\u{7f}",
        "\u{1b}[2J",
        "é",
        "ﬁ",
        "\u{202e}gnp",
        "\u{2024}\u{2024}/",
        "．．／",
        "\u{feff}",
        "💥",
        "-",
        "-rf",
        "--help",
        "_",
        "CON:",
        "*",
        "?",
        "#",
        "[a]",
        "{a}",
        "'",
        "\"",
        "<script>",
        "' OR 1=1 --",
        "run_",
        "run_..",
        "run_/",
        "run_0000000000000000000000000",
        "run_000000000000000000000000000",
        "run_0000000000000000000000000O",
        "run_00000000000000000000000000\0",
        "RUN_00000000000000000000000000",
        "ses_00000000000000000000000000/",
        "file:///etc/passwd",
        "http://evil",
        "\\\\server\\share",
        "....//....//",
        "..%00/",
        "%00",
    ]
    .map(str::to_owned)
    .to_vec();
    for length in [129, 255, 256, 1000, 4096, 8000] {
        ids.push("a".repeat(length));
        ids.push("../".repeat(length / 3));
    }
    ids
}

const PATHS: [(&str, &str); 9] = [
    ("GET", "/api/commands/{}"),
    ("DELETE", "/api/commands/{}"),
    ("GET", "/api/commands/{}/output"),
    ("GET", "/api/commands/{}/events"),
    ("GET", "/api/session/{}"),
    ("DELETE", "/api/session/{}"),
    ("GET", "/api/session/{}/history"),
    ("GET", "/api/dev-server-logs/{}"),
    ("GET", "/api/registry/{}"),
];

#[test]
fn no_id_in_a_path_leads_anywhere() {
    with_server(async |server| {
        let mut tried = 0;
        for odd in odd_ids() {
            for (method, pattern) in PATHS {
                for id in [encoded(&odd), odd.clone()] {
                    let ask = server.ask(method, &pattern.replace("{}", &id));
                    let Some(answer) = ask.try_send().await else {
                        continue;
                    };
                    tried += 1;
                    // `.` is a command, and the registry tells of that.
                    if pattern.contains("registry") && answer.status == StatusCode::OK {
                        assert_eq!(answer.json()["name"], odd.as_str());
                        continue;
                    }
                    let plain_miss = answer.status == StatusCode::NOT_FOUND
                        // `..` and the empty id make another path of it, with other methods.
                        || answer.status == StatusCode::METHOD_NOT_ALLOWED;
                    assert!(plain_miss, "{method} {pattern} {id:?}: {}", answer.text());
                    assert!(!answer.headers.contains_key("x-evil"));
                    assert!(!answer.text().contains("root:"));
                    answer.problem();
                }
            }
        }
        assert!(tried >= 200, "{tried}");
    });
}

#[test]
fn no_id_in_a_body_leads_anywhere() {
    with_server(async |server| {
        // A few are legal names for a session that nobody has made.
        for id in odd_ids()
            .into_iter()
            .filter(|id| SessionId::parse(id).is_err())
        {
            for (path, body) in [
                (
                    "/api/run-command",
                    json!({"command": "true", "session_id": id}),
                ),
                ("/api/create-session", json!({"session_id": id})),
                ("/api/analyze", json!({"command": "true", "session_id": id})),
                (
                    "/api/process-manager",
                    json!({"action": "list", "session_key": id}),
                ),
                (
                    "/api/process-manager",
                    json!({"action": "status", "command_id": id}),
                ),
                (
                    "/api/process-manager",
                    json!({"action": "kill", "pid": 1, "session_key": id}),
                ),
            ] {
                let answer = server.post(path, &body).await;
                assert_eq!(answer.problem().0, 422, "{path} {id:?}: {}", answer.text());
            }
        }
    });
}

#[test]
fn no_event_id_leads_anywhere() {
    with_server(async |server| {
        for id in odd_ids() {
            let ask = server
                .ask("POST", "/api/run-command")
                .json(&json!({"command": "true"}));
            let ask = ask
                .header("accept", "text/event-stream")
                .header("last-event-id", id.clone());
            if let Some(answer) = ask.try_send().await {
                assert_eq!(answer.problem().0, 422, "{id:?}");
            }
        }
    });
}

#[test]
fn a_pid_that_is_not_the_callers_is_not_there() {
    with_server(async |server| {
        for pid in [1, 2, std::process::id(), u32::MAX] {
            for action in ["status", "logs", "signal", "kill"] {
                let body = json!({"action": action, "pid": pid, "signal": "CONT"});
                let answer = server.post("/api/process-manager", &body).await;
                assert_eq!(answer.problem().0, 404, "{action} {pid}");
            }
        }
    });
}
