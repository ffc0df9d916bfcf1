//! A good answer of each route of sandboxes, compared with what the document says.

use serde_json::{Value, json};

use crate::conformance::Seen;
use crate::support::{Answer, Ask};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const HASH: &str = "0123456789abcdef";

/// Tries every route once and well.
pub(crate) async fn walk(seen: &mut Seen<'_>) {
    let id = sessions(seen).await;
    procedures(seen, &id).await;
    let end = seen.server.ask("DELETE", &format!("/api/sandboxes/{id}"));
    good(seen, "DELETE", "/api/sandboxes/{id}", end).await;
}

async fn good(seen: &mut Seen<'_>, method: &str, template: &str, ask: Ask) -> Answer {
    let answer = seen.send(template, method, ask).await;
    assert!(
        answer.status.is_success(),
        "{method} {template}: {}",
        answer.text()
    );
    answer
}

async fn sessions(seen: &mut Seen<'_>) -> String {
    let server = seen.server.clone();
    let path = "/proliferate/sessions";
    let wanted = |kind: &str| {
        json!({"cliConfiguration": {"localPathHash": HASH}, "sessionType": kind,
            "clientType": "cli", "sshOptions": {"publicKeys": [KEY], "envVars": {"A": "b"}}})
    };
    let made = server.ask("POST", path).json(&wanted("cli"));
    let made = good(seen, "POST", path, made).await.json();
    let wrong = server.ask("POST", path).json(&wanted("x"));
    assert_eq!(seen.send(path, "POST", wrong).await.status, 400);
    let id = made["sessionId"].as_str().unwrap().to_owned();

    let of = |template: &str| template.replace("{id}", &id);
    for template in [
        "/proliferate/sessions/{id}/status",
        "/proliferate/{id}",
        "/api/sandboxes",
        "/api/sandboxes/{id}",
        "/api/v1/credits",
    ] {
        good(seen, "GET", template, server.ask("GET", &of(template))).await;
    }
    let deferred = json!({"localPathHash": HASH, "displayName": "shop"});
    let path = "/api/cli/sessions";
    let ask = server.ask("POST", path).json(&deferred);
    let pending = good(seen, "POST", path, ask).await.json();
    let end = format!("/api/sandboxes/{}", pending["sessionId"].as_str().unwrap());
    server.ask("DELETE", &end).send().await;
    let events = "/api/sandboxes/{id}/events";
    good(
        seen,
        "GET",
        events,
        server.ask("GET", &format!("{end}/events")),
    )
    .await;

    for template in [
        "/api/sandboxes/{id}/pause",
        "/api/sandboxes/{id}/resume",
        "/api/sandboxes/{id}/snapshot",
    ] {
        good(seen, "POST", template, server.ask("POST", &of(template))).await;
    }
    let extend = "/api/sandboxes/{id}/extend";
    let ask = server
        .ask("POST", &of(extend))
        .json(&json!({"seconds": 600}));
    good(seen, "POST", extend, ask).await;
    let keys = "/api/sandboxes/{id}/keys";
    let ask = server.ask("POST", &of(keys));
    let ask = ask.json(&json!({"public_keys": [KEY]}));
    good(seen, "POST", keys, ask).await;
    let grants = "/api/v1/credits/grants";
    let ask = server.ask("POST", grants).json(&json!({"seconds": 60}));
    good(seen, "POST", grants, ask).await;
    let tickets = "/api/sandboxes/{id}/tickets";
    let ticket = good(seen, "POST", tickets, server.ask("POST", &of(tickets))).await;
    let ticket = json!({"ticket": ticket.json()["ticket"]});
    let renew = "/api/sandboxes/{id}/tickets/renew";
    let ask = server.ask("POST", &of(renew)).json(&ticket);
    good(seen, "POST", renew, ask).await;
    id
}

async fn procedures(seen: &mut Seen<'_>, id: &str) {
    let path = json!({"localPathHash": HASH});
    let shown = format!("/api/sandboxes/{id}");
    let shown = seen.server.get(&shown).await.json();
    let save = json!({"localPathHash": HASH, "sessionId": id, "sandboxId": shown["sandbox_id"]});
    let calls = [
        ("repos/create", path.clone()),
        ("repos/get", path.clone()),
        ("repos/deleteAll", Value::Null),
        ("sessions/list", path.clone()),
        ("sessions/get", json!({"id": id})),
        ("sessions/checkSandboxes", json!({"sandboxIds": []})),
        ("configurations/create", save),
        ("configurations/get", path.clone()),
        ("configurations/delete", path),
        ("github/status", Value::Null),
        ("github/connect", Value::Null),
        ("github/select", json!({"connectionId": "conn_1"})),
        ("github/connectStatus", Value::Null),
        ("sessions/delete", json!({"id": id})),
        ("sessions/deleteAll", Value::Null),
    ];
    for (procedure, input) in calls {
        let path = format!("/api/rpc/cli/{procedure}");
        let ask = seen.server.ask("POST", &path).json(&json!({"json": input}));
        good(seen, "POST", &path, ask).await;
    }
}
