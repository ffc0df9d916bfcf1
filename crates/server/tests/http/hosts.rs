//! Commands on hosts, in the words of clients that were written for an older server.

use axum::http::StatusCode;
use serde_json::{Value, json};
use wharf_testkit::{HOST, TestHost};

use crate::support::with_server_and_host;

/// Members that name the host and the account, with its password.
fn there(host: &TestHost, more: &Value) -> Value {
    let mut body = json!({
        "remote": true,
        "host": "127.0.0.1",
        "port": host.port(),
        "username": host.user(),
        "password": TestHost::password(),
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn an_older_clients_session_moves_to_its_host_with_a_password() {
    with_server_and_host("PasswordAuthentication yes", async |server, host| {
        let Some(account) = host.account() else {
            return;
        };
        host.write_config(&format!(
            "Host 127.0.0.1\n  PubkeyAuthentication no\n  UserKnownHostsFile {}",
            host.known_hosts().display()
        ));
        let path = "/api/local-command-executor";
        let own = json!({"client_info": {"tool": "agent"}});
        let made = server.post("/api/create-session", &own).await;
        let id = made.json()["session_id"].clone();
        let first = there(&host, &json!({"command": "pwd", "session_id": id}));
        let answer = server.post(path, &first).await.json();
        let said = format!("{}\n", account.display());
        assert_eq!(
            (&answer["success"], &answer["stdout"]),
            (&json!(true), &json!(said)),
            "{answer}"
        );
        let moved = json!({"command": "mkdir -p app && cd app", "session_id": id});
        let answer = server.post(path, &moved).await.json();
        assert_eq!(
            answer["cwd"],
            json!(format!("{}/app", account.display())),
            "{answer}"
        );
        let server_up = json!({"command": "sleep 300", "session_id": id, "background": true});
        let answer = server.post(path, &server_up).await.json();
        assert!(answer["pid"].is_u64(), "{answer}");
        let detail = server
            .get(&format!("/api/session/{}", id.as_str().unwrap()))
            .await
            .json();
        let target = format!("ssh://{}@127.0.0.1:{}", host.user(), host.port());
        assert_eq!(detail["target"], json!(target));
        assert_eq!(detail["processes"].as_array().unwrap().len(), 1, "{detail}");
        let wrong = json!({"command": "true", "password": "wrong"});
        let answer = server.run(there(&host, &wrong)).await;
        assert_eq!(
            (&answer["success"], &answer["exit_code"]),
            (&json!(false), &json!(255))
        );
        assert_eq!(answer["error"]["kind"], "authentication_failed");
        let text = answer["error"]["message"].as_str().unwrap();
        assert!(
            text.contains("password") && !text.contains("wrong"),
            "{text}"
        );

        // The record has neither password.
        let log = server.engine.audit_tail(1000).await.unwrap();
        for line in log {
            assert!(!line.json.contains(TestHost::password()), "{}", line.json);
            assert!(!line.json.contains("wrong"), "{}", line.json);
        }
    });
}

#[test]
fn connections_are_listed_and_closed() {
    with_server_and_host("", async |server, _host| {
        assert_eq!(server.get("/api/ssh-sessions").await.json(), json!([]));
        let body = json!({"command": "cd /usr; pwd", "remote": true, "host": HOST, "cwd": "/"});
        let answer = server.run(body).await;
        assert_eq!(answer["stdout"], "/usr\n", "{answer}");
        let list = server.get("/api/ssh-sessions").await.json();
        let one = &list[0];
        assert_eq!(
            (&one["host"], &one["commands"]),
            (&json!(HOST), &json!(1)),
            "{list}"
        );
        assert_eq!(one["current_directory"], "/");
        assert!(
            one["connected_at"].as_str().unwrap().contains('T'),
            "{list}"
        );
        let path = format!("/api/ssh-sessions/{}", one["session_key"].as_str().unwrap());
        let closed = server.ask("DELETE", &path).send().await;
        assert_eq!(
            (closed.status, closed.json()),
            (StatusCode::OK, json!({"success": true}))
        );
        let again = server.ask("DELETE", &path).send().await;
        assert_eq!(again.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_session_on_a_host_that_is_not_there_is_a_bad_gateway() {
    with_server_and_host("", async |server, _host| {
        let body = json!({"target": "ssh://no-such-host.invalid"});
        let answer = server.post("/api/create-session", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["code"], "connection_failed");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("no-such-host.invalid")
        );
        for target in ["ftp://x", "ssh://", "ssh://-x", "ssh://a b", "web-1"] {
            let answer = server
                .post("/api/create-session", &json!({"target": target}))
                .await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{target}");
        }
    });
}
