//! Every operation's answers, good and bad, are what the OpenAPI document says they are.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::account_conformance;
use crate::configuration_conformance;
use crate::gateway_conformance;
use crate::support::accounts::with_team_of;
use crate::support::schema::differences;
use crate::support::{Answer, Ask, Server};

/// The answers seen, by operation: good ones and bad ones.
pub(crate) struct Seen<'s> {
    pub(crate) server: &'s Server,
    document: Value,
    counts: BTreeMap<(String, String), (usize, usize)>,
}

impl Seen<'_> {
    /// Asks, and compares the answer with what is said of the operation at `template`.
    async fn ask(
        &mut self,
        template: &str,
        path: &str,
        method: &str,
        body: Option<Value>,
    ) -> Answer {
        let ask = self.server.ask(method, path);
        let ask = match &body {
            Some(body) => ask.json(body),
            None => ask,
        };
        self.send(template, method, ask).await
    }

    pub(crate) async fn send(&mut self, template: &str, method: &str, ask: Ask) -> Answer {
        let answer = ask.send().await;
        let found = differences(&self.document, method, template, &answer);
        assert!(
            found.is_empty(),
            "{method} {template}: {}: {found:#?}\n{}",
            answer.status,
            answer.text()
        );
        let key = (method.to_owned(), template.to_owned());
        let counts = self.counts.entry(key).or_default();
        if answer.status.is_success() {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
        answer
    }

    async fn get(&mut self, template: &str, path: &str) -> Answer {
        self.ask(template, path, "GET", None).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.ask(path, path, "POST", Some(body)).await
    }
}

#[test]
fn every_answer_is_as_the_document_says() {
    with_team_of(None, true, async |team| {
        let server = team.server.clone();
        let document = server.get("/openapi.json").await.json();
        let mut seen = Seen {
            server: &server,
            document,
            counts: BTreeMap::new(),
        };
        let run = commands(&mut seen).await;
        reading(&mut seen, &run).await;
        sessions(&mut seen).await;
        processes(&mut seen).await;
        files(&mut seen).await;
        approvals(&mut seen).await;
        policy(&mut seen).await;
        the_rest(&mut seen).await;
        configuration_conformance::walk(&mut seen).await;
        gateway_conformance::walk(&mut seen).await;
        account_conformance::walk(&mut seen, &team).await;
        refusals(&mut seen).await;

        let document = seen.document.clone();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                let key = (method.to_uppercase(), path.clone());
                let (good, bad) = seen.counts.get(&key).copied().unwrap_or_default();
                // This server reaches no hosts; `hosts.rs` has one that does.
                let can_succeed = (key.0 != "DELETE" || !path.contains("ssh-sessions"))
                    && (key.0 != "POST" || !path.contains("/api/hosts/"));
                assert!(good > 0 || !can_succeed, "{key:?} has no good answer here");
                assert!(
                    bad > 0 || path == "/health",
                    "{key:?} has no bad answer here"
                );
            }
        }
    });
}

async fn commands(seen: &mut Seen<'_>) -> String {
    for path in ["/api/run-command", "/api/local-command-executor"] {
        for body in [
            json!({"command": "echo out; echo err >&2; exit 3"}),
            json!({"command": "printf '\\377'", "stdout_base64": true}),
            json!({"command": "head -c 3000000 /dev/zero", "output_limit": 100}),
            json!({"command": "ls -l /", "metadata_format": "full"}),
            json!({"command": "ls -l /", "metadata_format": "summary"}),
            json!({"command": "ls -l /", "metadata_format": "minimal"}),
            json!({"command": "seq 9000", "token_budget": 100, "include": ["data"]}),
            json!({"command": "df", "include": ["data"], "metadata_format": "full"}),
            json!({"command": "(sleep 5 & sleep 5 &); true"}),
            json!({"command": "sleep 5", "background": true}),
            json!({"command": "sleep 5", "timeout": 1}),
            json!({"command": "/no/such/program"}),
            json!({"command": "echo 'unbalanced"}),
            json!({"command": "vi notes.txt"}),
            json!({"command": "cat", "stdin_base64": "/w=="}),
            json!({"command": "echo once", "idempotency_key": "once"}),
            json!({"command": "echo once", "idempotency_key": "once"}),
        ] {
            let answer = seen.post(path, body).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        }
        for (body, status) in [
            (json!({"command": "rm -rf /"}), 403),
            (json!({"command": "eval \"$NOTHING\""}), 428),
            (
                json!({"command": "echo twice", "idempotency_key": "once"}),
                422,
            ),
            (json!({"command": "true", "session_id": "none"}), 404),
            (json!({"command": "true", "token_budget": 99}), 422),
            (json!({"command": "true", "token_budget": 1_000_001}), 422),
            (json!({}), 422),
        ] {
            assert_eq!(seen.post(path, body).await.status, status);
        }
        let streamed = seen
            .server
            .ask("POST", path)
            .json(&json!({"command": "echo streamed"}))
            .header("accept", "text/event-stream");
        assert_eq!(seen.send(path, "POST", streamed).await.status, 200);
    }
    for body in [
        json!({"command": "sudo -u me cat /etc/shadow | tee x"}),
        json!({"command": "echo 'unbalanced", "metadata_format": "full"}),
        json!({"command": "ls", "cwd": "/usr", "metadata_format": "full"}),
        json!({"command": "ls", "context": {"home": "/home/u"}, "metadata_format": "full"}),
    ] {
        assert_eq!(seen.post("/api/analyze", body).await.status, 200);
    }
    let body = json!({"command": "rm -r build", "cwd": "/usr", "measure": true});
    let answer = seen.post("/api/analyze", body).await.json();
    assert_eq!(answer["measured"]["files"], 0, "{answer}");
    let body = json!({"command": "rm -r x", "measure": true, "context": {"home": "/home/u"}});
    assert_eq!(seen.post("/api/analyze", body).await.status, 422);
    for body in [
        json!({"command": "make"}),
        json!({"command": "df", "stdout": "a b\n1 2\n", "include": ["data"]}),
        json!({"command": "cargo test", "exit_code": 101, "stderr": "error: no\n",
            "metadata_format": "summary", "token_budget": 100}),
    ] {
        let answer = seen.post("/api/tool-result", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let body = json!({"command": "echo kept; echo err >&2; exit 7"});
    let answer = seen.post("/api/run-command", body).await.json();
    answer["command_id"].as_str().unwrap().to_owned()
}

async fn reading(seen: &mut Seen<'_>, run: &str) {
    seen.get("/api/commands", "/api/commands?limit=1000").await;
    let id = "/api/commands/{id}";
    seen.get(id, &format!("/api/commands/{run}")).await;
    let asked = "metadata_format=full&token_budget=100&include=data";
    let answer = seen.get(id, &format!("/api/commands/{run}?{asked}")).await;
    assert!(answer.json()["text"].as_str().unwrap().contains("kept"));
    for odd in ["token_budget=99", "include=all", "metadata_format=most"] {
        let answer = seen.get(id, &format!("/api/commands/{run}?{odd}")).await;
        assert_eq!(answer.status, 422, "{odd}");
    }
    let output = format!("/api/commands/{run}/output");
    let template = "/api/commands/{id}/output";
    seen.get(template, &output).await;
    for ask in [
        output.clone(),
        format!("{output}?stream=stderr&offset=1&limit=2"),
    ] {
        let ask = seen
            .server
            .ask("GET", &ask)
            .header("accept", "application/json");
        assert_eq!(seen.send(template, "GET", ask).await.status, 200);
    }
    let template = "/api/commands/{id}/events";
    seen.get(template, &format!("/api/commands/{run}/events"))
        .await;
    let body = json!({"command": "sleep 60", "background": true});
    let going = seen.post("/api/run-command", body).await.json();
    let path = format!("/api/commands/{}", going["command_id"].as_str().unwrap());
    seen.get(id, &path).await;
    seen.ask(id, &path, "DELETE", None).await;
    let listed = seen.get("/api/commands", "/api/commands?limit=1").await;
    assert_eq!(listed.json()["commands"].as_array().unwrap().len(), 1);
}

async fn sessions(seen: &mut Seen<'_>) {
    for path in ["/api/create-session", "/api/sessions"] {
        let body = json!({"client_info": {"name": "x", "n": [1]}, "timeout": 60, "cwd": "/usr",
            "env": {"A": "b"}});
        assert_eq!(seen.post(path, body).await.status, 200);
    }
    let body = json!({"session_id": "s", "client_info": "text"});
    seen.post("/api/create-session", body).await;
    for text in [
        "cd /usr; export A=b",
        "(sleep 60 &) ; true",
        "sleep 60 &",
        "false",
    ] {
        let body = json!({"command": text, "session_id": "s", "metadata_format": "full"});
        assert_eq!(seen.post("/api/run-command", body).await.status, 200);
    }
    let show = "/api/session/{id}";
    seen.post("/api/sessions", json!({"session_id": "plain"}))
        .await;
    seen.get(show, "/api/session/plain").await;
    seen.get("/api/sessions", "/api/sessions").await;
    seen.get(show, "/api/session/s").await;
    seen.get(
        "/api/session/{id}/history",
        "/api/session/s/history?limit=2",
    )
    .await;
    seen.get(
        "/api/session/{id}/suggestions",
        "/api/session/s/suggestions",
    )
    .await;
    let logs = "/api/dev-server-logs/{session_id}";
    seen.get(logs, "/api/dev-server-logs/s?lines=2").await;
    let list = json!({"action": "list", "session_key": "s"});
    seen.post("/api/process-manager", list).await;
    seen.ask(show, "/api/session/s", "DELETE", None).await;
}

async fn processes(seen: &mut Seen<'_>) {
    let body = json!({"command": "echo up; exec sleep 60", "background": true});
    let pid = seen.post("/api/run-command", body).await.json()["pid"].clone();
    for body in [
        json!({"action": "list"}),
        json!({"action": "status", "pid": pid}),
        json!({"action": "logs", "pid": pid}),
        json!({"action": "signal", "pid": pid, "signal": "CONT"}),
        json!({"action": "kill", "pid": pid}),
    ] {
        let answer = seen.post("/api/process-manager", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    seen.get("/api/ssh-sessions", "/api/ssh-sessions").await;
}

async fn files(seen: &mut Seen<'_>) {
    let template = "/api/files";
    let put = |path: &str| seen.server.ask("PUT", path).body("content");
    let asks = [
        put("/api/files?path=note"),
        put("/api/files?path=no/such/note"),
    ];
    for ask in asks {
        seen.send(template, "PUT", ask).await;
    }
    for query in [
        "path=note",
        "path=note&digest=true",
        "path=note&partial=00",
        "path=none",
        "path=.",
        "path=/etc/shadow",
        "path=note&target=ssh://-x",
    ] {
        seen.get(template, &format!("{template}?{query}")).await;
    }
    for query in ["path=.", "path=note", "path=none"] {
        let list = "/api/files/list";
        seen.get(list, &format!("{list}?{query}")).await;
    }
    for range in ["bytes=1-2", "bytes=100-", "bytes=2-1"] {
        let ask = seen
            .server
            .ask("GET", "/api/files?path=note")
            .header("range", range);
        seen.send(template, "GET", ask).await;
    }
}

async fn approvals(seen: &mut Seen<'_>) {
    let (list, one) = ("/api/approvals", "/api/approvals/{id}");
    let (approve, deny) = ("/api/approvals/{id}/approve", "/api/approvals/{id}/deny");
    seen.post("/api/sessions", json!({"session_id": "asks"}))
        .await;
    for (number, (action, body)) in [
        (approve, json!({})),
        (approve, json!({"scope": "session"})),
        (
            approve,
            json!({"scope": "pattern", "pattern": "rm -rf .git...", "project": "/srv"}),
        ),
        (
            approve,
            json!({"scope": "pattern", "pattern": "rm -rf <path>"}),
        ),
        (deny, json!({"reason": "no"})),
        (deny, json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        let command = format!("rm -rf .git /opt/no-such-dir-{number}");
        let asks = json!({"command": command, "session_id": "asks"});
        let refused = seen.post("/api/run-command", asks).await;
        assert_eq!(refused.status, 428, "{}", refused.text());
        let id = refused.json()["approval"]["id"].clone();
        let path = |template: &str| template.replace("{id}", id.as_str().unwrap());
        seen.get(one, &path(one)).await;
        seen.ask(action, &path(action), "POST", Some(body)).await;
        seen.get(one, &path(one)).await;
    }
    for state in ["approved", "denied", "pending", "used", "expired"] {
        seen.get(list, &format!("{list}?state={state}&limit=3"))
            .await;
    }
    assert_eq!(seen.get(list, "/api/approvals?state=x").await.status, 422);
    let body = json!({"pattern": "rm -rf ...", "project": "/"});
    seen.post("/api/approvals/preview", body).await;
    let body = json!({"pattern": "true", "project": "/usr"});
    let answer = seen.post("/api/approvals/preview", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let grants = seen.get("/api/grants", "/api/grants").await.json();
    let id = grants["grants"][0]["id"].as_str().unwrap().to_owned();
    let grant = "/api/grants/{id}";
    seen.ask(grant, &grant.replace("{id}", &id), "DELETE", None)
        .await;
}

async fn policy(seen: &mut Seen<'_>) {
    seen.get("/api/policy", "/api/policy").await;
    let own = |text: &str| json!({"files": [{"name": "own.cedar", "text": text}]});
    let strict = r#"@id("x") @reason("y")
        forbid (principal, action in Action::"run", resource) when { context.risk == Risk::"low" };"#;
    for text in [strict, "forbid (;", ""] {
        seen.post("/api/policy/test", own(text)).await;
        seen.post("/api/policy/replay", own(text)).await;
    }
    seen.post("/api/policy/test", json!({"files": []})).await;
    seen.ask("/api/policy/reload", "/api/policy/reload", "POST", None)
        .await;
}

async fn the_rest(seen: &mut Seen<'_>) {
    for path in [
        "/api/registry",
        "/api/hosts",
        "/api/audit?limit=1000",
        "/health",
        "/metrics",
        "/openapi.json",
    ] {
        let template = path.split('?').next().unwrap_or_default();
        assert_eq!(seen.get(template, path).await.status, 200, "{path}");
    }
    let (template, path) = ("/api/hosts/{name}", "/api/hosts/web-1");
    let host = json!({"address": "192.0.2.1", "groups": ["web"], "note": "x"});
    seen.ask(template, path, "PUT", Some(host)).await;
    seen.get(template, path).await;
    seen.ask(template, path, "DELETE", None).await;
    let (template, path) = ("/api/registry/{command}", "/api/registry/frob");
    let entry = json!({"name": "frob", "description": "Frobs.", "output_format": "text",
        "category": "development/build", "risk": "low"});
    seen.ask(template, path, "PUT", Some(entry)).await;
    seen.get(template, path).await;
    seen.ask(template, path, "DELETE", None).await;
}

/// Whatever an operation may refuse, in the form that is described.
async fn refusals(seen: &mut Seen<'_>) {
    let document = seen.document.clone();
    for (template, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let path = template
                .replace("{id}", "run_00000000000000000000000000")
                .replace("{session_id}", "none")
                .replace("{session_key}", "none")
                .replace("{command}", "no-such-command")
                .replace("{name}", "no-such-host")
                .replace("{user}", "nobody@example.com")
                .replace("{invitation}", "none")
                .replace("{profile}", "team:none")
                .replace("{commit_sha}", "none");
            let ask = || seen.server.ask(&method, &path);
            let asks = [
                ask().without("authorization"),
                ask().header("host", "evil.example"),
                ask().header("origin", "https://evil.example"),
                ask(),
                ask().header("content-type", "text/plain").body("{}"),
                ask().json(&json!([])),
                ask().json(&json!({"command": 1, "action": 1, "session_id": ""})),
            ];
            for ask in asks {
                seen.send(template, &method, ask).await;
            }
        }
    }
}
