//! Sandbox sessions as their clients know them.

use axum::http::StatusCode;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use wharf_gateway::limits::PENDING_PER_ACCOUNT;
use wharf_testkit::{FAKE_HOST_KEY, Fault};

use crate::support::accounts::{ADA, Login, PASSWORD, Team, logged_in, with_team, with_team_of};
use crate::support::{Answer, Ask};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const HASH: &str = "0123456789abcdef";

fn wanted() -> Value {
    json!({"organizationId": "main", "cliConfiguration": {"localPathHash": HASH},
        "sessionType": "cli", "clientType": "cli", "sshOptions": {"publicKeys": [KEY]}})
}

fn ask(team: &Team, who: &Login, method: &str, path: &str) -> Ask {
    team.with(&who.access, method, path)
}

async fn create(team: &Team, who: &Login, body: &Value) -> Answer {
    let ask = ask(team, who, "POST", "/proliferate/sessions");
    ask.json(body).send().await
}

async fn call(team: &Team, who: &Login, procedure: &str, input: Value) -> Answer {
    let path = format!("/api/rpc/cli/{procedure}");
    let body = json!({"json": input, "meta": []});
    ask(team, who, "POST", &path).json(&body).send().await
}

/// What these clients look for in a refusal.
fn refusal(answer: &Answer) -> (u16, String, Value) {
    let body = answer.json();
    let error = body["error"].as_str().unwrap().to_owned();
    (answer.status.as_u16(), error, body["details"].clone())
}

#[test]
fn a_session_is_made_shown_and_ended() {
    with_team_of(Some("https://wharf.example.com"), false, async |team| {
        let ada = team.first().await;
        let registered = json!({"publicKey": KEY.replace("AAB", "AEC")});
        let keys = ask(&team, &ada, "POST", "/api/cli/ssh-keys").json(&registered);
        assert_eq!(keys.send().await.status, 200);
        let made = create(&team, &ada, &wanted()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        let made = made.json();
        assert_eq!(made["status"], "running");
        assert_eq!(made["gatewayUrl"], "https://wharf.example.com");
        assert_eq!(made["isNewConfiguration"], true);
        assert_eq!(made["sandbox"]["sshHostKeys"], json!([FAKE_HOST_KEY]));
        let id = made["sessionId"].as_str().unwrap();
        assert_eq!(team.provider.spec(id).unwrap().public_keys.len(), 2);

        let path = format!("/proliferate/sessions/{id}/status");
        let status = ask(&team, &ada, "GET", &path).send().await.json();
        assert_eq!(
            (&status["state"], &status["status"], &status["sandboxAlive"]),
            (&json!("running"), &json!("running"), &json!(true))
        );
        let path = format!("/proliferate/{id}");
        let connection = ask(&team, &ada, "GET", &path).send().await.json();
        assert_eq!(connection["sshPort"], made["sandbox"]["sshPort"]);
        assert_eq!(connection["expiresAt"], made["expiresAt"]);

        let path = format!("/api/sandboxes?local_path_hash={HASH}");
        let list = ask(&team, &ada, "GET", &path).send().await.json();
        assert_eq!(list["sandboxes"][0]["id"], id);
        assert_eq!(list["support"][0]["provider"], "fake");
        let path = format!("/api/sandboxes/{id}");
        let ended = ask(&team, &ada, "DELETE", &path).send().await.json();
        assert_eq!(ended["status"], "stopped");
        let path = format!("/proliferate/{id}");
        let gone = refusal(&ask(&team, &ada, "GET", &path).send().await);
        assert_eq!((gone.0, gone.2.is_object()), (409, true), "{gone:?}");
    });
}

#[test]
fn what_a_client_keeps_and_what_could_not_be_had_are_shown() {
    with_team(async |team| {
        let ada = team.first().await;
        team.provider.note("it has no control group");
        let mut body = wanted();
        body["clientMetadata"] = json!({"ticket": [1, 2]});
        let made = create(&team, &ada, &body).await.json();
        assert_eq!(made["sandbox"]["notes"], json!(["it has no control group"]));
        let path = format!("/api/sandboxes/{}", made["sessionId"].as_str().unwrap());
        let shown = ask(&team, &ada, "GET", &path).send().await.json();
        assert_eq!(
            (&shown["client_metadata"], &shown["notes"]),
            (
                &json!({"ticket": [1, 2]}),
                &json!(["it has no control group"])
            )
        );
        let list = ask(&team, &ada, "GET", "/api/sandboxes")
            .send()
            .await
            .json();
        let listed = &list["sandboxes"][0];
        assert_eq!(listed["notes"], shown["notes"]);
        assert_eq!(listed.get("client_metadata"), None);
    });
}

#[test]
fn a_key_that_is_not_let_in_is_told_by_a_provider_that_cannot() {
    with_team(async |team| {
        let ada = team.first().await;
        let made = create(&team, &ada, &wanted()).await.json();
        let path = format!(
            "/api/sandboxes/{}/keys",
            made["sessionId"].as_str().unwrap()
        );
        let admit = async |keys: Value| {
            let ask = ask(&team, &ada, "POST", &path);
            ask.json(&json!({"public_keys": keys})).send().await
        };
        let known = admit(json!([KEY])).await;
        assert_eq!(known.json()["id"], made["sessionId"], "{}", known.text());
        let other = admit(json!([KEY.replace("AAB", "AEC")])).await;
        assert_eq!(other.problem(), (409, "unsupported".to_owned()));
        let none = admit(json!([])).await;
        assert!(
            none.text().contains("must have 1 to 32 keys"),
            "{}",
            none.text()
        );
    });
}

#[test]
fn refusals_are_in_the_familys_words_and_order() {
    with_team(async |team| {
        let ada = team.first().await;
        let mut body = json!({"organizationId": "other", "sessionType": "x", "clientType": "x",
            "sshOptions": {}});
        let mut said = Vec::new();
        let mut next = async |body: &Value| {
            let (status, error, _) = refusal(&create(&team, &ada, body).await);
            said.push(format!("{status} {error}"));
        };
        next(&body).await;
        body["organizationId"] = json!("main");
        next(&body).await;
        body["sessionType"] = json!("cli");
        next(&body).await;
        body["clientType"] = json!("cli");
        next(&body).await;
        body["cliConfiguration"] = json!({"localPathHash": HASH});
        next(&body).await;
        body["configurationId"] = json!("cfg_x");
        next(&body).await;
        body["sshOptions"]["publicKeys"] = json!("x");
        next(&body).await;
        insta::assert_snapshot!(said.join("\n"), @r"
        401 The token is not for this organization.
        400 sessionType: must be one of coding, setup, cli
        400 clientType: must be one of web, slack, cli, automation
        400 configuration: must be exactly one of cliConfiguration, configurationId and managedConfiguration
        400 sshOptions.publicKeys: must have 1 to 32 keys
        400 configuration: must be exactly one of cliConfiguration, configurationId and managedConfiguration
        400 sshOptions.publicKeys: must be a sequence
        ");
        let without = team.open("POST", "/proliferate/sessions").json(&wanted());
        let (status, _, _) = refusal(&without.send().await);
        assert_eq!(status, 401);
    });
}

#[test]
fn a_key_makes_one_session_and_another_body_is_told() {
    with_team(async |team| {
        let ada = team.first().await;
        let with_key = async |body: &Value| {
            let ask = ask(&team, &ada, "POST", "/proliferate/sessions").json(body);
            ask.header("idempotency-key", "k-1").send().await
        };
        let first = with_key(&wanted()).await;
        let again = with_key(&wanted()).await;
        assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
        assert_eq!(first.body, again.body);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(team.provider.there().len(), 1);
        let mut other = wanted();
        other["title"] = json!("another");
        let (status, _, _) = refusal(&with_key(&other).await);
        assert_eq!(status, 422);

        team.provider.fail("create", Fault::Hangs);
        let slow = {
            let (team, ada) = (team.clone(), ada.clone());
            tokio::spawn(async move {
                let ask = ask(&team, &ada, "POST", "/proliferate/sessions").json(&wanted());
                ask.header("idempotency-key", "k-2").send().await
            })
        };
        team.provider.hangs().await;
        let ask = ask(&team, &ada, "POST", "/proliferate/sessions").json(&wanted());
        let second = ask.header("idempotency-key", "k-2").send().await;
        assert_eq!(refusal(&second).0, 409);
        slow.abort();
    });
}

#[test]
fn without_credit_the_code_says_which() {
    with_team(async |team| {
        let ada = team.first().await;
        for _ in 0..4 {
            assert_eq!(create(&team, &ada, &wanted()).await.status, 201);
        }
        let (status, _, details) = refusal(&create(&team, &ada, &wanted()).await);
        assert_eq!(
            (status, details),
            (402, json!({"billingCode": "concurrent_limit"}))
        );
        let ended = call(&team, &ada, "sessions/deleteAll", Value::Null)
            .await
            .json();
        assert_eq!(ended["json"], json!({"success": true, "terminated": 4}));
        create(&team, &ada, &wanted()).await;
        team.clock.pass(60 * 60);
        team.gateway.tend().await;
        let ada = logged_in(&team.login(ADA, PASSWORD).await);
        let (status, _, details) = refusal(&create(&team, &ada, &wanted()).await);
        assert_eq!(
            (status, details),
            (402, json!({"billingCode": "credits_exhausted"}))
        );
        let credits = ask(&team, &ada, "GET", "/api/v1/credits")
            .send()
            .await
            .json();
        assert_eq!(
            (&credits["plan"], &credits["seconds_left"]),
            (&json!("small"), &json!(0))
        );
    });
}

#[test]
fn credit_is_given_and_seen_by_who_looks_after_the_server() {
    with_team(async |team| {
        let ada = team.first().await;
        let give = async |who: &Login, body: Value| {
            let ask = ask(&team, who, "POST", "/api/v1/credits/grants");
            ask.json(&body).send().await
        };
        let given = give(&ada, json!({"organization": "main", "seconds": 60})).await;
        assert_eq!(given.status, 200, "{}", given.text());
        assert_eq!(given.json()["seconds_left"], 3_660);
        let own = give(&ada, json!({"plan": "small"})).await;
        assert_eq!(own.json()["account"], given.json()["account"]);
        let seen = async |who: &Login, of: &str| {
            let path = format!("/api/v1/credits?organization={of}");
            ask(&team, who, "GET", &path).send().await
        };
        assert_eq!(seen(&ada, "main").await.json(), own.json());
        let nowhere = json!({"organization": "none", "seconds": 1});
        assert_eq!(give(&ada, nowhere).await.status, 404);
        assert_eq!(seen(&ada, "none").await.status, 404);
        let said = give(&ada, json!({"plan": "huge"})).await;
        assert!(
            said.text().contains("must be one of small"),
            "{}",
            said.text()
        );
        assert_eq!(give(&ada, json!({})).await.status, said.status);

        let bob = team.join(&ada, "bob@example.com", "member").await;
        let refused = give(&bob, json!({"seconds": 1})).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert_eq!(seen(&bob, "main").await.status, 200);
    });
}

#[test]
fn so_many_deferred_sessions_of_an_account_wait() {
    with_team(async |team| {
        let ada = team.first().await;
        let mut deferred = wanted();
        deferred.as_object_mut().unwrap().remove("sshOptions");
        for _ in 0..PENDING_PER_ACCOUNT {
            assert_eq!(create(&team, &ada, &deferred).await.status, 201);
        }
        let more = create(&team, &ada, &deferred).await;
        assert_eq!(more.headers["retry-after"], "60");
        let (status, words, _) = refusal(&more);
        assert_eq!(status, 429);
        assert!(
            words.contains("connect to one of them, or end one"),
            "{words}"
        );
        let body = json!({"localPathHash": HASH});
        let cli = ask(&team, &ada, "POST", "/api/cli/sessions").json(&body);
        assert_eq!(cli.send().await.status, 429);
        assert_eq!(create(&team, &ada, &wanted()).await.status, 201);
    });
}

#[test]
fn what_fails_at_the_provider_says_why() {
    with_team(async |team| {
        let ada = team.first().await;
        team.provider.fail("create", Fault::FailsHalfWay);
        let (status, error, details) = refusal(&create(&team, &ada, &wanted()).await);
        assert_eq!(
            (status, details),
            (502, json!({"reason": "the test said no"}))
        );
        assert!(error.contains("could not be started"), "{error}");
        assert!(team.provider.there().is_empty());
    });
}

#[test]
fn the_procedures_do_the_same() {
    with_team(async |team| {
        let ada = team.first().await;
        let body = json!({"localPathHash": HASH, "displayName": "shop"});
        let made = ask(&team, &ada, "POST", "/api/cli/sessions")
            .json(&body)
            .send()
            .await;
        assert_eq!(made.status, 200, "{}", made.text());
        let made = made.json();
        let id = made["sessionId"].as_str().unwrap();
        let list = call(&team, &ada, "sessions/list", json!({"localPathHash": HASH})).await;
        let list = list.json()["json"]["sessions"].clone();
        assert_eq!(
            (&list[0]["id"], &list[0]["status"]),
            (&json!(id), &json!("pending"))
        );
        assert_eq!(
            (&list[0]["origin"], &list[0]["session_type"]),
            (&json!("cli"), &json!("cli"))
        );
        let path = format!("/proliferate/{id}");
        let there = ask(&team, &ada, "GET", &path).send().await.json();
        let sandbox = there["sandboxId"].clone();

        let alive = json!({"sandboxIds": [sandbox, "sbx_none"]});
        let alive = call(&team, &ada, "sessions/checkSandboxes", alive)
            .await
            .json();
        assert_eq!(alive["json"], json!({"alive": [sandbox], "count": 1}));
        let save = json!({"localPathHash": HASH, "sessionId": id, "sandboxId": sandbox});
        let saved = call(&team, &ada, "configurations/create", save)
            .await
            .json();
        let of_path = json!({"localPathHash": HASH});
        let found = call(&team, &ada, "configurations/get", of_path.clone())
            .await
            .json();
        assert_eq!(
            found["json"]["configuration"],
            saved["json"]["configuration"]
        );
        assert_eq!(found["json"]["configuration"]["sandbox_provider"], "fake");
        assert!(saved["json"]["snapshotId"].is_string());
        call(&team, &ada, "configurations/delete", of_path.clone()).await;
        let found = call(&team, &ada, "configurations/get", of_path.clone())
            .await
            .json();
        assert_eq!(found["json"], json!({"configuration": null}));

        let repo = json!({"localPathHash": HASH, "integrationId": "conn_1"});
        let put = call(&team, &ada, "repos/create", repo).await.json();
        let found = call(&team, &ada, "repos/get", of_path).await.json();
        assert_eq!(found["json"]["repo"]["id"], put["json"]["repoId"]);
        assert_eq!(found["json"]["connection"]["integrationId"], "conn_1");
        let gone = call(&team, &ada, "repos/deleteAll", Value::Null)
            .await
            .json();
        assert_eq!(gone["json"], json!({"success": true, "deleted": 1}));

        let status = call(&team, &ada, "github/status", Value::Null).await.json();
        assert_eq!(
            status["json"],
            json!({"connected": true, "username": "ada"})
        );
        let chosen = json!({"connectionId": "conn_1"});
        let chosen = call(&team, &ada, "github/select", chosen).await;
        assert_eq!(chosen.json()["json"]["success"], true);
        let status = call(&team, &ada, "github/connectStatus", Value::Null)
            .await
            .json();
        assert_eq!(
            status["json"],
            json!({"connected": true, "connectionId": "conn_1"})
        );

        let end = async || {
            let ended = call(&team, &ada, "sessions/delete", json!({"id": id})).await;
            ended.json()["json"].clone()
        };
        assert_eq!(end().await, json!({"success": true}));
        assert!(end().await["message"].is_string());
        let shown = call(&team, &ada, "sessions/get", json!({"id": id}))
            .await
            .json();
        assert_eq!(shown["json"]["session"]["status"], "stopped");
    });
}

#[test]
fn a_colleagues_session_is_not_there() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let made = create(&team, &ada, &wanted()).await.json();
        let id = made["sessionId"].as_str().unwrap();
        let on = |path: &str| path.replace("ID", id);
        for (method, path, body) in [
            ("GET", "/proliferate/sessions/ID/status", None),
            ("GET", "/proliferate/ID", None),
            ("GET", "/api/sandboxes/ID", None),
            ("GET", "/api/sandboxes/ID/events", None),
            ("DELETE", "/api/sandboxes/ID", None),
            ("POST", "/api/sandboxes/ID/pause", None),
            ("POST", "/api/sandboxes/ID/resume", None),
            ("POST", "/api/sandboxes/ID/snapshot", None),
            ("POST", "/api/sandboxes/ID/tickets", None),
            (
                "POST",
                "/api/sandboxes/ID/extend",
                Some(json!({"seconds": 600})),
            ),
            (
                "POST",
                "/api/sandboxes/ID/tickets/renew",
                Some(json!({"ticket": "x"})),
            ),
            (
                "POST",
                "/api/rpc/cli/sessions/get",
                Some(json!({"json": {"id": id}})),
            ),
            (
                "POST",
                "/api/rpc/cli/sessions/delete",
                Some(json!({"json": {"id": id}})),
            ),
        ] {
            let ask = ask(&team, &bob, method, &on(path));
            let answer = match &body {
                Some(body) => ask.json(body).send().await,
                None => ask.send().await,
            };
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
        }
        let list = ask(&team, &bob, "GET", "/api/sandboxes")
            .send()
            .await
            .json();
        assert_eq!(list["sandboxes"], json!([]));
        let none = call(&team, &bob, "sessions/deleteAll", Value::Null)
            .await
            .json();
        assert_eq!(none["json"]["terminated"], 0);
        assert_eq!(team.provider.there().len(), 1);
    });
}

#[test]
fn events_are_followed_and_taken_up_where_they_broke_off() {
    with_team(async |team| {
        let ada = team.first().await;
        let made = create(&team, &ada, &wanted()).await.json();
        let id = made["sessionId"].as_str().unwrap();
        let path = format!("/api/sandboxes/{id}/events");
        let stream = ask(&team, &ada, "GET", &path).open().await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        let mut body = stream.into_body().into_data_stream();
        let first = body.next().await.unwrap().unwrap();
        let first = String::from_utf8(first.to_vec()).unwrap();
        assert!(
            first.starts_with("event: created\nid: 1\ndata: {"),
            "{first}"
        );
        assert!(first.contains("event: running\nid: 2\n"), "{first}");
        let pause = format!("/api/sandboxes/{id}/pause");
        assert_eq!(ask(&team, &ada, "POST", &pause).send().await.status, 200);
        let second = body.next().await.unwrap().unwrap();
        assert!(second.starts_with(b"event: paused\nid: 3\n"));
        let end = format!("/api/sandboxes/{id}");
        assert_eq!(ask(&team, &ada, "DELETE", &end).send().await.status, 200);
        let third = body.next().await.unwrap().unwrap();
        assert!(third.starts_with(b"event: ended\nid: 4\n"));
        assert!(body.next().await.is_none(), "it ends with the session");

        // Afterwards, from the middle, and behind the end.
        let behind = async |number: &str| {
            let ask = ask(&team, &ada, "GET", &path).header("last-event-id", number);
            ask.send().await
        };
        let rest = behind("3").await.text();
        assert!(rest.starts_with("event: ended\nid: 4\n"), "{rest}");
        assert_eq!(behind("4").await.text(), "");
        assert_eq!(behind("x").await.status, 422);
    });
}

#[test]
fn events_end_with_what_they_were_asked_for_with() {
    with_team(async |team| {
        let ada = team.first().await;
        let made = create(&team, &ada, &wanted()).await.json();
        let at = format!("/api/sandboxes/{}", made["sessionId"].as_str().unwrap());
        let key = json!({"name": "looks", "scopes": ["run"], "expires_in": 3600});
        let key = ask(&team, &ada, "POST", "/api/v1/keys").json(&key);
        let key = key.send().await.json();
        let events = format!("{at}/events");
        let stream = team.with(key["token"].as_str().unwrap(), "GET", &events);
        let stream = stream.open().await.unwrap();
        let mut body = stream.into_body().into_data_stream();
        let first = body.next().await.unwrap().unwrap();
        assert!(first.starts_with(b"event: created\n"));

        let path = format!("/api/v1/keys/{}", key["key"]["id"].as_str().unwrap());
        let gone = ask(&team, &ada, "DELETE", &path).send().await;
        assert_eq!(gone.status, 200, "{}", gone.text());
        let pause = ask(&team, &ada, "POST", &format!("{at}/pause"));
        assert_eq!(pause.send().await.status, 200);
        let last = body.next().await.unwrap().unwrap();
        let last = String::from_utf8(last.to_vec()).unwrap();
        assert!(last.starts_with("event: error\n"), "{last}");
        assert!(
            last.contains("unauthorized") && !last.contains("paused"),
            "{last}"
        );
        assert!(body.next().await.is_none());
    });
}

#[test]
fn a_ticket_is_in_its_answer_and_in_no_record() {
    with_team(async |team| {
        let ada = team.first().await;
        let made = create(&team, &ada, &wanted()).await.json();
        let id = made["sessionId"].as_str().unwrap();
        let path = format!("/api/sandboxes/{id}/tickets");
        let made = ask(&team, &ada, "POST", &path).send().await.json();
        let ticket = made["ticket"].as_str().unwrap();
        let url = made["url"].as_str().unwrap();
        assert!(
            url.ends_with(&format!("/proxy/{id}/{ticket}/opencode")),
            "{url}"
        );
        let renew = format!("{path}/renew");
        let body = json!({"ticket": ticket});
        let renewed = ask(&team, &ada, "POST", &renew)
            .json(&body)
            .send()
            .await
            .json();
        assert_eq!(renewed["ticket"], ticket);
        let wrong = json!({"ticket": "wht_x"});
        let wrong = ask(&team, &ada, "POST", &renew).json(&wrong).send().await;
        assert_eq!(wrong.status, 404);
        let audit = team.server.get("/api/audit?limit=100").await.text();
        assert!(audit.contains("sandbox.ticket") && !audit.contains(ticket));
    });
}
