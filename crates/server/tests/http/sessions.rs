//! Sessions over HTTP.

use serde_json::json;

use crate::support::{STRANGER, with_server};

#[test]
fn a_session_is_made_found_listed_and_ended() {
    with_server(async |server| {
        let new = json!({"session_id": "build", "timeout": 3600});
        assert_eq!(
            server.post("/api/create-session", &new).await.json(),
            json!({"session_id": "build", "created": true})
        );
        assert_eq!(
            server.post("/api/sessions", &new).await.json()["created"],
            false
        );

        let one = server.get("/api/session/build").await.json();
        let _: wharf_api::SessionDetail = serde_json::from_value(one).unwrap();
        assert_eq!(
            server.get("/api/sessions").await.json()["sessions"][0]["session_id"],
            "build"
        );
        assert_eq!(
            server
                .get("/api/session/build/history?limit=5")
                .await
                .json()["session_id"],
            "build"
        );
        assert_eq!(
            server.get("/api/session/build/suggestions").await.status,
            200
        );
        assert_eq!(
            server.get("/api/dev-server-logs/build").await.problem().0,
            404
        );

        let end = || server.ask("DELETE", "/api/session/build").send();
        assert_eq!(end().await.json(), json!({"success": true}));
        assert_eq!(end().await.problem().0, 404);
    });
}

#[test]
fn a_request_without_a_body_makes_one_too() {
    with_server(async |server| {
        let answer = server.ask("POST", "/api/create-session").send().await;
        assert_eq!(answer.json()["created"], true);
        let answer = server
            .ask("POST", "/api/create-session")
            .body("{}")
            .send()
            .await;
        assert_eq!(answer.problem().0, 415);
    });
}

#[test]
fn a_session_is_its_callers_alone() {
    with_server(async |server| {
        server
            .post("/api/create-session", &json!({"session_id": "mine"}))
            .await;
        let stranger = |method: &str, path: &str| {
            server
                .ask(method, path)
                .header("authorization", format!("Bearer {STRANGER}"))
        };
        for (method, path) in [
            ("GET", "/api/session/mine"),
            ("DELETE", "/api/session/mine"),
            ("GET", "/api/session/mine/history"),
            ("GET", "/api/session/mine/suggestions"),
            ("GET", "/api/dev-server-logs/mine"),
        ] {
            assert_eq!(
                stranger(method, path).send().await.problem().0,
                404,
                "{method} {path}"
            );
        }
        let run = stranger("POST", "/api/run-command")
            .json(&json!({"command": "true", "session_id": "mine"}));
        assert_eq!(run.send().await.problem().0, 404);
        // The same words for what is not there at all.
        let theirs = stranger("GET", "/api/session/mine").send().await.json()["detail"].clone();
        let nobodys = stranger("GET", "/api/session/mint").send().await.json()["detail"].clone();
        assert_eq!(theirs.as_str().unwrap().replace("mine", "mint"), nobodys);
    });
}

#[test]
fn numbers_in_the_query_have_a_range() {
    with_server(async |server| {
        server
            .post("/api/create-session", &json!({"session_id": "s"}))
            .await;
        for odd in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=1.5",
            "limit=",
            "limit=%00",
        ] {
            let answer = server.get(&format!("/api/session/s/history?{odd}")).await;
            assert_eq!(answer.problem().0, 422, "{odd}");
        }
        for odd in ["lines=0", "lines=10001", "pid=0", "pid=x", "follow=maybe"] {
            let answer = server.get(&format!("/api/dev-server-logs/s?{odd}")).await;
            assert_eq!(answer.problem().0, 422, "{odd}");
        }
        assert_eq!(
            server.get("/api/session/s/history?limit=1000").await.status,
            200
        );
    });
}
