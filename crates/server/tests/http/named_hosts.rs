//! Hosts over HTTP, with a real SSH server behind them.

use serde_json::{Value, json};

use crate::support::schema::differences;
use crate::support::{STRANGER, Server, with_server, with_server_and_host};

async fn asked(server: &Server, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let ask = server.ask(method, path);
    let answer = match body {
        Some(body) => ask.json(&body).send().await,
        None => ask.send().await,
    };
    let document = server.get("/openapi.json").await.json();
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() > 3 {
        parts[3] = "{name}";
    }
    let template = parts.join("/");
    let template = template.split('?').next().unwrap();
    let found = differences(&document, method, template, &answer);
    assert!(
        found.is_empty(),
        "{method} {path}: {found:#?}\n{}",
        answer.text()
    );
    (answer.status.as_u16(), answer.json())
}

#[test]
fn a_host_is_added_found_tried_trusted_and_forgotten() {
    with_server_and_host("", async |server, host| {
        let path = "/api/hosts/web-1";
        let body = json!({"address": "127.0.0.1", "port": host.port(), "user": host.user(),
            "identity": host.key().display().to_string(), "groups": ["web"], "note": "the first"});
        let (status, put) = asked(&server, "PUT", path, Some(body.clone())).await;
        assert_eq!((status, &put["created"]), (200, &json!(true)));
        let (_, put) = asked(&server, "PUT", path, Some(body)).await;
        assert_eq!(put["created"], false);

        let known = std::fs::read(host.known_hosts()).unwrap();
        std::fs::write(host.known_hosts(), "").unwrap();
        let (status, tried) = asked(&server, "POST", "/api/hosts/web-1/test", None).await;
        assert_eq!(
            (status, &tried["ok"], &tried["step"]),
            (200, &json!(false), &json!("host_key"))
        );
        assert_eq!(tried["key"]["standing"], "unknown");
        let trust = "/api/hosts/web-1/trust";
        let (_, shown) = asked(&server, "POST", trust, Some(json!({}))).await;
        assert_eq!(
            (&shown["trusted"], &shown["key"]),
            (&json!(false), &tried["key"])
        );
        let wrong = Some(json!({"fingerprint": "SHA256:x"}));
        let (status, _) = asked(&server, "POST", trust, wrong).await;
        assert_eq!(status, 409);
        let print = shown["key"]["fingerprint"].as_str().unwrap();
        let (status, trusted) =
            asked(&server, "POST", trust, Some(json!({"fingerprint": print}))).await;
        assert_eq!((status, &trusted["trusted"]), (200, &json!(true)));
        assert!(trusted["recorded_in"].is_string(), "{trusted}");

        let (_, tried) = asked(&server, "POST", "/api/hosts/web-1/test", None).await;
        assert_eq!(tried["ok"], true, "{tried}");
        assert!(tried["round_trip_ms"].as_f64().unwrap() > 0.0, "{tried}");
        let (_, shown) = asked(&server, "GET", path, None).await;
        assert_eq!(shown["facts"]["user"], host.user());
        assert_eq!(
            (&shown["note"], &shown["added_by"]),
            (&json!("the first"), &json!("local"))
        );
        let body = json!({"command": "echo $SSH_CONNECTION", "remote": true, "host": "web-1"});
        let ran = server.run(body).await;
        assert!(
            ran["stdout"]
                .as_str()
                .unwrap()
                .contains(&host.port().to_string()),
            "{ran}"
        );

        for (query, count) in [
            ("", 1),
            ("?group=web", 1),
            ("?group=db", 0),
            ("?q=FIRST", 1),
        ] {
            let (_, list) = asked(&server, "GET", &format!("/api/hosts{query}"), None).await;
            assert_eq!(list["hosts"].as_array().unwrap().len(), count, "{query}");
        }
        let nowhere = "/api/hosts/no-such-host.invalid/trust";
        let (status, _) = asked(&server, "POST", nowhere, Some(json!({}))).await;
        assert_eq!(status, 502);
        assert_eq!(asked(&server, "DELETE", path, None).await.0, 200);
        std::fs::write(host.known_hosts(), known).unwrap();
    });
}

#[test]
fn what_is_not_there_or_wrong_or_not_theirs_is_said() {
    with_server(async |server| {
        let path = "/api/hosts/none";
        for (method, path, body, status) in [
            ("GET", path, None, 404),
            ("DELETE", path, None, 404),
            ("POST", "/api/hosts/a%20b/test", None, 404),
            ("POST", "/api/hosts/a%20b/trust", Some(json!({})), 404),
            ("PUT", path, Some(json!({})), 422),
            ("PUT", "/api/hosts/-x", Some(json!({"address": "a"})), 422),
            (
                "POST",
                "/api/hosts/web/trust",
                Some(json!({"fingerprint": "a b"})),
                422,
            ),
            ("POST", "/api/hosts/web/test", None, 422),
        ] {
            let (found, answer) = asked(&server, method, path, body).await;
            assert_eq!(found, status, "{method} {path}: {answer}");
        }
        let body = json!({"address": "a b", "port": 0, "jump": ",", "identity": "x", "note": "a\nb",
            "groups": ["-"]});
        let (status, answer) = asked(&server, "PUT", path, Some(body)).await;
        let errors = answer["errors"].as_array().unwrap().iter();
        let fields: Vec<_> = errors
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        assert_eq!(status, 422);
        assert_eq!(fields, ["address", "identity", "jump", "note", "groups"]);
        let long = format!("/api/hosts?q={}", "x".repeat(257));
        assert_eq!(asked(&server, "GET", &long, None).await.0, 422);

        for (method, path) in [
            ("PUT", path),
            ("DELETE", path),
            ("POST", "/api/hosts/web/test"),
            ("POST", "/api/hosts/web/trust"),
        ] {
            let ask = || server.ask(method, path).json(&json!({"address": "a"}));
            let stranger = ask().header("authorization", format!("Bearer {STRANGER}"));
            assert_eq!(stranger.send().await.problem().0, 403, "{method} {path}");
            let nobody = ask().without("authorization").send().await;
            assert_eq!(nobody.problem().0, 401, "{method} {path}");
        }
    });
}
