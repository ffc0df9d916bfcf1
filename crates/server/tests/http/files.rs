//! Files over HTTP: whole and in part, atomically, under the policy, here and on a host.

use std::path::Path;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wharf_testkit::HOST;

use crate::support::{Answer, Server, with_server, with_server_and_host};

async fn put(server: &Server, query: &str, body: &[u8]) -> Answer {
    let ask = server.ask("PUT", &format!("/api/files?{query}"));
    ask.body(body.to_vec()).send().await
}

async fn get(server: &Server, query: &str) -> Answer {
    server.get(&format!("/api/files?{query}")).await
}

async fn info(server: &Server, query: &str) -> Value {
    let ask = server.ask("GET", &format!("/api/files?{query}"));
    ask.header("accept", "application/json").send().await.json()
}

/// What holds in every place; `query` names it.
async fn works(server: &Server, query: &str, directory: &Path) {
    let file = format!("{query}&path={}/a%20file", directory.display());
    let made = put(server, &format!("{file}&mode=0640"), b"0123456789").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let written = made.json();
    assert_eq!(
        (&written["size"], &written["mode"]),
        (&json!(10), &json!("0640"))
    );
    assert_eq!(written["created"], true);
    let digest: String = Sha256::digest(b"0123456789")
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(written["sha256"], json!(digest));

    let whole = get(server, &file).await;
    assert_eq!(
        (whole.status, whole.body.as_slice()),
        (StatusCode::OK, b"0123456789".as_slice())
    );
    assert_eq!(whole.header("content-length"), "10");
    assert_eq!(whole.header("x-file-mode"), "0640");
    for (range, part, said) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
    ] {
        let ask = server
            .ask("GET", &format!("/api/files?{file}"))
            .header("range", range);
        let answer = ask.send().await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(
            (answer.text().as_str(), answer.header("content-range")),
            (part, said)
        );
    }
    let behind = server
        .ask("GET", &format!("/api/files?{file}"))
        .header("range", "bytes=10-");
    assert_eq!(
        behind.send().await.status,
        StatusCode::RANGE_NOT_SATISFIABLE
    );

    // Replaced: what was there gives the mode.
    let again = put(server, &file, b"new").await;
    assert_eq!(
        (again.status, &again.json()["mode"]),
        (StatusCode::OK, &json!("0640"))
    );
    let known = info(server, &format!("{file}&digest=true")).await;
    assert_eq!(known["size"], 3, "{known}");
    let tag = known["etag"].as_str().unwrap().to_owned();

    // Only over what is expected.
    let url = format!("/api/files?{file}");
    let absent = server
        .ask("PUT", &url)
        .header("if-none-match", "*")
        .body("x")
        .send()
        .await;
    assert_eq!(
        absent.status,
        StatusCode::PRECONDITION_FAILED,
        "{}",
        absent.text()
    );
    let other = server
        .ask("PUT", &url)
        .header("if-match", "\"1-1\"")
        .body("x")
        .send()
        .await;
    assert_eq!(
        other.status,
        StatusCode::PRECONDITION_FAILED,
        "{}",
        other.text()
    );
    let same = server
        .ask("PUT", &url)
        .header("if-match", tag)
        .body("newer")
        .send()
        .await;
    assert_eq!(same.status, StatusCode::OK, "{}", same.text());

    // What arrives damaged gets no name.
    let wrong = format!("sha-256=:{}:", BASE64_STANDARD.encode([7; 32]));
    let damaged = server
        .ask("PUT", &url)
        .header("repr-digest", wrong)
        .body("x")
        .send()
        .await;
    assert_eq!(
        damaged.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        damaged.text()
    );
    assert_eq!(get(server, &file).await.text(), "newer");

    // A transfer that broke off goes on where it was.
    let content = vec![b'z'; 100_000];
    let digest = Sha256::digest(&content);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let big = format!("{query}&path={}/big", directory.display());
    let repr = format!("sha-256=:{}:", BASE64_STANDARD.encode(digest));
    let half = server.ask("PUT", &format!("/api/files?{big}&resume=true"));
    let broken = half
        .header("repr-digest", repr.clone())
        .body(breaks_off(&content[..40_000]));
    let broken = broken.send().await;
    assert_eq!(
        broken.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        broken.text()
    );
    let nothing = get(server, &big).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    let arrived = info(server, &format!("{big}&partial={hex}")).await;
    let size = usize::try_from(arrived["size"].as_u64().unwrap()).unwrap();
    assert!(size > 0 && size <= 40_000, "{arrived}");
    let rest = server.ask("PUT", &format!("/api/files?{big}&resume=true"));
    let rest = rest
        .header("repr-digest", repr)
        .header("content-range", format!("bytes {size}-99999/100000"))
        .body(content[size..].to_vec());
    let rest = rest.send().await;
    assert_eq!(rest.status, StatusCode::CREATED, "{}", rest.text());
    assert_eq!(rest.json()["sha256"], json!(hex));
    assert_eq!(get(server, &big).await.body, content);

    let list = format!("/api/files/list?{query}&path={}", directory.display());
    let list = server.get(&list).await;
    let names: Vec<Value> = list.json()["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].clone())
        .collect();
    assert_eq!(
        names,
        [json!("a file"), json!("big")],
        "nothing else is left"
    );
    let deep = format!("{query}&path={}/deep/er/x", directory.display());
    assert_eq!(put(server, &deep, b"x").await.status, StatusCode::NOT_FOUND);
    let made = put(server, &format!("{deep}&directories=true"), b"x").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let not_one = get(server, &format!("{query}&path={}", directory.display())).await;
    assert_eq!(
        not_one.status,
        StatusCode::CONFLICT,
        "a directory has no bytes"
    );
}

/// A body that ends before its end.
fn breaks_off(first: &[u8]) -> axum::body::Body {
    let pieces = [Ok(bytes::Bytes::copy_from_slice(first)), Err("gone")];
    axum::body::Body::from_stream(futures_util::stream::iter(pieces))
}

#[test]
fn files_are_read_and_written_here() {
    with_server(async |server| {
        let pwd = server
            .run(json!({"command": "mkdir files && cd files && pwd"}))
            .await;
        let directory = pwd["stdout"].as_str().unwrap().trim().to_owned();
        works(&server, "target=local", Path::new(&directory)).await;
    });
}

#[test]
fn files_are_read_and_written_on_a_host_and_in_a_session_there() {
    with_server_and_host("", async |server, host| {
        let Some(account) = host.account() else {
            return;
        };
        let target = format!("ssh://{HOST}");
        std::fs::create_dir(account.join("files")).unwrap();
        works(&server, &format!("target={target}"), &account.join("files")).await;
        let new = json!({"session_id": "s", "target": target});
        let made = server.post("/api/create-session", &new).await;
        assert_eq!(made.status, StatusCode::OK);
        let moved = server
            .run(json!({"command": "mkdir work && cd work", "session_id": "s"}))
            .await;
        assert_eq!(moved["success"], true, "{moved}");
        let made = put(&server, "session_id=s&path=note", b"in the session").await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        let read = std::fs::read_to_string(account.join("work/note")).unwrap();
        assert_eq!(read, "in the session");
        assert_eq!(
            get(&server, "session_id=s&path=note").await.text(),
            "in the session"
        );
    });
}

#[test]
fn a_file_is_judged_and_recorded_as_the_command_that_would_touch_it() {
    with_server(async |server| {
        let blind = put(&server, "path=/etc/wharf-test-file", b"x").await;
        assert_eq!(
            blind.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            blind.text()
        );
        let of = |content: &str| {
            format!(
                "sha-256=:{}:",
                BASE64_STANDARD.encode(Sha256::digest(content))
            )
        };
        let ask = || {
            server
                .ask("PUT", "/api/files?path=/etc/wharf-test-file")
                .header("repr-digest", of("x"))
        };
        let asked = ask().body("x").send().await;
        assert_eq!(
            asked.status,
            StatusCode::PRECONDITION_REQUIRED,
            "{}",
            asked.text()
        );
        let problem = asked.json();
        assert_eq!(problem["decision"]["command"], "cat > /etc/wharf-test-file");
        assert!(problem["confirmation_token"].is_string());
        assert!(!Path::new("/etc/wharf-test-file").exists());
        // A yes to one is none to another.
        let token = problem["confirmation_token"].as_str().unwrap().to_owned();
        let others = [
            ("path=/etc/wharf-test-other", "x"),
            ("path=/etc/wharf-test-file", "y"),
            ("path=/etc/wharf-test-file&mode=4755", "x"),
        ];
        for (query, content) in others {
            let other = server.ask("PUT", &format!("/api/files?{query}"));
            let other = other
                .header("x-confirmation-token", token.clone())
                .header("repr-digest", of(content))
                .body(content)
                .send()
                .await;
            assert_eq!(other.status, StatusCode::PRECONDITION_REQUIRED, "{query}");
        }

        let made = put(&server, "path=note", b"0123").await.json();
        let id = made["command_id"].as_str().unwrap();
        let lines = server.engine.audit_tail(50).await.unwrap();
        let of = |kind: &str| {
            let kind = format!("\"kind\":\"{kind}\"");
            let found = lines
                .iter()
                .find(|line| line.json.contains(&kind) && line.json.contains(id));
            found
                .unwrap_or_else(|| panic!("{kind} of {id}"))
                .json
                .clone()
        };
        assert!(of("run.opened").contains("\"file\":\"write\""));
        assert!(of("run.closed").contains("\"exit_code\":0"));
        assert!(of("file.written").contains("\"bytes\":4"));
        let shown = server.get(&format!("/api/commands/{id}")).await.json();
        assert!(
            shown["command"].as_str().unwrap().starts_with("cat > "),
            "{shown}"
        );
        assert_eq!(shown["exit_code"], 0);
        let missing = get(&server, "path=none").await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND, "{}", missing.text());
    });
}
