//! The account routes, call by call, as clients of the platform's contract use them.

use serde_json::{Value, json};

use crate::support::accounts::{
    ADA, PASSWORD, Team, logged_in, set_cookie, with_team, with_team_of,
};

/// A refresh with this cookie.
async fn refresh(team: &Team, token: &str) -> crate::support::Answer {
    team.open("POST", "/api/v1/auth/refresh")
        .header("cookie", format!("theme=dark; refresh_token={token}"))
        .send()
        .await
}

#[test]
fn a_login_goes_on_and_ends_as_the_contract_says() {
    with_team(async |team| {
        let first = team.first().await;
        let answer = team.login(ADA, PASSWORD).await;
        let login = logged_in(&answer);
        assert_eq!(answer.json()["expires_in"], 1800);
        let cookie = answer.header("set-cookie");
        assert_eq!(
            cookie.split_once(';').unwrap().1,
            " HttpOnly; SameSite=Lax; Path=/api/v1/auth; Max-Age=604800"
        );
        assert_eq!(answer.header("cache-control"), "no-store");

        let me = team
            .with(&login.access, "GET", "/api/v1/auth/me")
            .send()
            .await;
        assert_eq!(me.status, 200, "{}", me.text());
        let me = me.json();
        assert_eq!(
            (&me["email"], &me["username"]),
            (&json!(ADA), &json!("Ada"))
        );
        assert_eq!(
            (&me["role"], &me["administrator"]),
            (&json!("owner"), &json!(true))
        );
        assert_eq!(me["id"].as_str().unwrap().len(), 36);
        assert!(me["created_at"].as_str().unwrap().ends_with('Z'));

        let next = logged_in(&refresh(&team, &login.refresh).await);
        assert_ne!(next.refresh, login.refresh);
        // Within the grace a client that retries gets another; after it the family is gone.
        logged_in(&refresh(&team, &login.refresh).await);
        team.clock.pass(11);
        assert_eq!(refresh(&team, &login.refresh).await.problem().0, 401);
        assert_eq!(refresh(&team, &next.refresh).await.problem().0, 401);

        // The other login is not concerned, and ends when it is told to.
        let out = team
            .with(&first.access, "POST", "/api/v1/auth/logout")
            .send();
        let out = out.await;
        assert_eq!(out.status, 200, "{}", out.text());
        assert!(out.json()["message"].is_string());
        assert_eq!(
            out.header("set-cookie"),
            "refresh_token=; HttpOnly; SameSite=Lax; Path=/api/v1/auth; Max-Age=0"
        );
        assert_eq!(refresh(&team, &first.refresh).await.problem().0, 401);
        team.clock.pass(1);
        let me = team
            .with(&first.access, "GET", "/api/v1/auth/me")
            .send()
            .await;
        assert_eq!(me.problem().0, 401);
    });
}

#[test]
fn what_is_wrong_is_said_as_the_contract_says() {
    with_team(async |team| {
        team.first().await;
        for (email, password) in [(ADA, "wrong"), ("nobody@example.com", PASSWORD)] {
            let answer = team.login(email, password).await;
            assert_eq!(answer.problem().0, 401);
            assert_eq!(answer.json()["detail"], "Incorrect email or password");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            assert!(!answer.headers.contains_key("set-cookie"));
        }
        // With and without what OAuth's form has.
        let form = [
            ("grant_type", "password"),
            ("username", ADA),
            ("password", PASSWORD),
            ("scope", ""),
            ("client_id", "x"),
        ];
        logged_in(&team.form("/api/v1/auth/login", &form).send().await);
        let form = [
            ("grant_type", "magic"),
            ("username", ADA),
            ("password", PASSWORD),
        ];
        let answer = team.form("/api/v1/auth/login", &form).send().await;
        assert_eq!(answer.problem().0, 422);
        let answer = team
            .form("/api/v1/auth/login", &[("username", ADA)])
            .send()
            .await;
        assert_eq!(answer.json()["errors"][0]["field"], "password");
        let json = json!({"username": ADA, "password": PASSWORD});
        let answer = team
            .open("POST", "/api/v1/auth/login")
            .json(&json)
            .send()
            .await;
        assert_eq!(answer.problem().0, 415);
        for token in ["", "whr_x", "eyJhbGciOiJub25lIn0.e30."] {
            assert_eq!(refresh(&team, token).await.problem().0, 401, "{token}");
        }
        let bare = team.open("POST", "/api/v1/auth/refresh").send().await;
        assert_eq!(bare.problem().0, 401);
    });
}

#[test]
fn many_wrong_passwords_are_held_off() {
    with_team(async |team| {
        team.first().await;
        let mut last = team.login(ADA, "wrong").await;
        for _ in 0..30 {
            if last.status == 429 {
                break;
            }
            last = team.login(ADA, "wrong").await;
        }
        assert_eq!(last.problem(), (429, "throttled".to_owned()));
        let wait: i64 = last.header("retry-after").parse().unwrap();
        assert!((1..=900).contains(&wait), "{wait}");
        team.clock.pass(901);
        logged_in(&team.login(ADA, PASSWORD).await);
    });
}

#[test]
fn registration_is_closed_unless_it_was_opened() {
    let body = |email: &str, password: &str| json!({"email": email, "username": "Bob", "password": password});
    let register = async |team: &Team, body: &Value| {
        team.open("POST", "/api/v1/auth/register")
            .json(body)
            .send()
            .await
    };
    with_team(async |team| {
        team.first().await;
        let answer = register(&team, &body("bob@example.com", PASSWORD)).await;
        assert_eq!(answer.problem(), (403, "registration_closed".to_owned()));
    });
    with_team_of(None, true, async |team| {
        team.first().await;
        let answer = register(&team, &body("bob@example.com", PASSWORD)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert!(answer.json()["message"].is_string());
        assert_eq!(answer.json()["user_id"].as_str().unwrap().len(), 36);
        logged_in(&team.login("Bob@Example.com", PASSWORD).await);
        let short = register(&team, &body("eve@example.com", "short")).await;
        assert_eq!(short.problem().0, 422);
        assert_eq!(short.json()["errors"][0]["field"], "password");
        let taken = register(&team, &body("BOB@example.com", PASSWORD)).await;
        assert_eq!(taken.problem().0, 400, "{}", taken.text());
    });
}

#[test]
fn behind_tls_cookies_are_for_tls_alone() {
    with_team_of(Some("https://wharf.example.com"), false, async |team| {
        team.first().await;
        let answer = team.login(ADA, PASSWORD).await;
        assert!(answer.header("set-cookie").ends_with("; Secure"));
        let page = team.open("GET", "/device").send().await;
        assert!(page.header("set-cookie").ends_with("; Secure"));
    });
}

#[test]
fn keys_are_made_shown_once_used_and_revoked() {
    with_team(async |team| {
        let ada = team.first().await;
        let body = json!({"name": "laptop", "scopes": ["run"], "expires_in": 3600});
        let ask = team.with(&ada.access, "POST", "/api/v1/keys").json(&body);
        let made = ask.send().await;
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        let (key, id) = (
            made["token"].as_str().unwrap(),
            made["key"]["id"].as_str().unwrap(),
        );
        assert!(key.starts_with("whk_"), "{key}");
        let run = json!({"command": "echo hi"});
        let ran = team
            .with(key, "POST", "/api/run-command")
            .json(&run)
            .send()
            .await;
        assert_eq!(ran.status, 200, "{}", ran.text());
        let small = team.with(key, "GET", "/api/v1/keys").send().await;
        assert_eq!(small.problem(), (403, "insufficient_scope".to_owned()));
        let listed = team.with(&ada.access, "GET", "/api/v1/keys").send().await;
        assert!(!listed.text().contains(key));
        assert_eq!(listed.json()["keys"][0]["name"], "laptop");
        let path = format!("/api/v1/keys/{id}");
        let gone = team.with(&ada.access, "DELETE", &path).send().await;
        assert_eq!(gone.status, 200, "{}", gone.text());
        team.clock.pass(1);
        let after = team
            .with(key, "POST", "/api/run-command")
            .json(&run)
            .send()
            .await;
        assert_eq!(after.problem().0, 401);
        let wrong = json!({"name": "x", "scopes": ["everything"]});
        let ask = team.with(&ada.access, "POST", "/api/v1/keys").json(&wrong);
        assert_eq!(ask.send().await.json()["errors"][0]["field"], "scopes");
    });
}

#[test]
fn people_and_organizations_are_looked_after_by_those_who_may() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.add(&ada, "bob@example.com", "member").await;
        let bob_id = bob["id"].as_str().unwrap();
        let bobs = logged_in(&team.login("bob@example.com", PASSWORD).await);
        let listed = team.with(&ada.access, "GET", "/api/v1/users").send().await;
        assert_eq!(listed.json()["users"].as_array().unwrap().len(), 2);
        let path = format!("/api/v1/users/{bob_id}");
        let change = json!({"disabled": true});
        for (login, status) in [(&bobs, 403), (&ada, 200)] {
            let ask = team.with(&login.access, "PATCH", &path).json(&change);
            assert_eq!(ask.send().await.status, status);
        }
        team.clock.pass(1);
        let me = team
            .with(&bobs.access, "GET", "/api/v1/auth/me")
            .send()
            .await;
        assert_eq!(me.problem().0, 401);

        let body = json!({"name": "Babbage & Sons"});
        let made = team
            .with(&ada.access, "POST", "/api/v1/orgs")
            .json(&body)
            .send()
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.json()["slug"], "babbage-sons");
        let body = json!({"email": "carl@example.com", "role": "viewer"});
        let invite = "/api/v1/orgs/babbage-sons/invitations";
        let made = team
            .with(&ada.access, "POST", invite)
            .json(&body)
            .send()
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        let code = made.json()["code"].clone();
        let body = json!({"code": code, "username": "Carl", "password": PASSWORD});
        let accept = team.open("POST", "/api/v1/auth/invitation").json(&body);
        let carl = logged_in(&accept.send().await);
        let again = team.open("POST", "/api/v1/auth/invitation").json(&body);
        assert_eq!(again.send().await.problem(), (400, "wrong_code".to_owned()));
        // What Carl does not belong to is not there for him.
        let other = team
            .with(&carl.access, "GET", "/api/v1/orgs/main")
            .send()
            .await;
        assert_eq!(other.problem().0, 404);
        let run = json!({"command": "true"});
        let run = team
            .with(&carl.access, "POST", "/api/run-command")
            .json(&run);
        assert_eq!(
            run.send().await.problem(),
            (403, "insufficient_scope".to_owned())
        );
    });
}

#[test]
fn a_password_is_set_anew_by_a_code_that_is_read_out() {
    with_team(async |team| {
        let ada = team.first().await;
        let body = json!({"email": "bob@example.com"});
        let made = team
            .with(&ada.access, "POST", "/api/v1/users")
            .json(&body)
            .send()
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        let code = made.json()["reset"]["code"].clone();
        let body = json!({"code": code, "new_password": PASSWORD});
        let ask = || team.open("POST", "/api/v1/auth/reset").json(&body);
        logged_in(&ask().send().await);
        assert_eq!(ask().send().await.problem(), (400, "wrong_code".to_owned()));
        logged_in(&team.login("bob@example.com", PASSWORD).await);
        for email in ["bob@example.com", "nobody@example.com"] {
            let body = json!({"email": email});
            let ask = team.open("POST", "/api/v1/auth/reset/request").json(&body);
            let answer = ask.send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    });
}

#[test]
fn ssh_keys_are_as_the_gateway_has_them() {
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me";
    with_team(async |team| {
        let ada = team.first().await;
        let path = "/api/cli/ssh-keys";
        let post = |body: Value| team.with(&ada.access, "POST", path).json(&body);
        let made = post(json!({"publicKey": KEY, "name": "kepler"}))
            .send()
            .await;
        assert_eq!(made.status, 200, "{}", made.text());
        let key = made.json()["key"].clone();
        assert!(key["fingerprint"].as_str().unwrap().starts_with("SHA256:"));
        assert_eq!(key["name"], "kepler");
        assert!(key["id"].is_string() && key["created_at"].is_string());
        let again = post(json!({"publicKey": KEY})).send().await;
        assert_eq!(again.status, 409);
        let words = again.json()["error"].as_str().unwrap().to_owned();
        assert!(words.contains("already registered"), "{words}");
        for wrong in [
            json!({"publicKey": "x"}),
            json!({"publicKey": 7}),
            json!({}),
        ] {
            let answer = post(wrong).send().await;
            assert_eq!(answer.status, 400, "{}", answer.text());
            assert!(answer.json()["error"].is_string());
        }
        let bare = team
            .open("POST", path)
            .json(&json!({"publicKey": KEY}))
            .send()
            .await;
        assert_eq!(bare.problem().0, 401);

        let call = async |procedure: &str, input: Value| {
            let path = format!("/api/rpc/cli/sshKeys/{procedure}");
            let body = json!({"json": input, "meta": []});
            team.with(&ada.access, "POST", &path)
                .json(&body)
                .send()
                .await
        };
        let listed = call("list", json!({})).await.json();
        assert_eq!(listed["json"]["keys"][0]["fingerprint"], key["fingerprint"]);
        assert_eq!(listed["meta"], json!([]));
        let again = call("create", json!({"publicKey": KEY})).await;
        assert_eq!(again.status, 409);
        let error = again.json()["json"].clone();
        assert_eq!(
            (&error["defined"], &error["code"], &error["status"]),
            (&json!(false), &json!("CONFLICT"), &json!(409))
        );
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("already registered")
        );
        let gone = call("delete", json!({"id": key["id"]})).await.json();
        assert_eq!(gone["json"]["success"], true, "{gone}");
        let missing = call("delete", json!({"id": "sky_none"})).await.json();
        assert_eq!(missing["json"]["code"], "NOT_FOUND");
        let wrong = call("delete", json!({})).await;
        assert_eq!(
            (wrong.status.as_u16(), wrong.json()["json"]["code"].clone()),
            (400, json!("BAD_REQUEST"))
        );
        assert_eq!(
            call("deleteAll", Value::Null).await.json()["json"]["deleted"],
            0
        );
    });
}

#[test]
fn the_local_token_has_no_account_and_says_so() {
    with_team(async |team| {
        let me = team.server.get("/api/v1/auth/me").await.json();
        assert_eq!(me["id"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(
            (&me["username"], &me["administrator"]),
            (&json!("local"), &json!(true))
        );
        // It makes the first account without a code.
        let body = json!({"email": ADA, "username": "Ada", "password": PASSWORD});
        let made = team.server.post("/api/v1/users", &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let login = logged_in(&team.login(ADA, PASSWORD).await);
        let me = team
            .with(&login.access, "GET", "/api/v1/auth/me")
            .send()
            .await;
        assert_eq!(me.json()["administrator"], true);
        assert!(team.identity.first_run_code().await.unwrap().is_none());
    });
}

#[test]
fn a_page_of_another_origin_cannot_refresh() {
    with_team(async |team| {
        let ada = team.first().await;
        let foreign = team
            .open("POST", "/api/v1/auth/refresh")
            .header("cookie", format!("refresh_token={}", ada.refresh))
            .header("origin", "https://evil.example");
        let answer = foreign.send().await;
        assert_eq!(answer.problem(), (403, "origin_refused".to_owned()));
        assert!(set_cookie(&answer, "refresh_token").is_none());
        logged_in(&refresh(&team, &ada.refresh).await);
    });
}

#[test]
fn another_organization_leaves_the_cookie_as_it_is() {
    with_team(async |team| {
        let ada = team.first().await;
        let body = json!({"name": "Babbage"});
        let made = team.with(&ada.access, "POST", "/api/v1/orgs").json(&body);
        assert_eq!(made.send().await.status, 201);
        let body = json!({"organization": "babbage"});
        let path = "/api/v1/auth/organization";
        let moved = team
            .with(&ada.access, "POST", path)
            .json(&body)
            .send()
            .await;
        assert_eq!(moved.status, 200, "{}", moved.text());
        assert!(!moved.headers.contains_key("set-cookie"));
        logged_in(&refresh(&team, &ada.refresh).await);
    });
}

#[test]
fn a_person_changes_an_agent_of_their_own() {
    with_team(async |team| {
        let ada = team.first().await;
        team.add(&ada, "bob@example.com", "member").await;
        let bob = logged_in(&team.login("bob@example.com", PASSWORD).await);
        let body = json!({"name": "builder"});
        let made = team.with(&bob.access, "POST", "/api/v1/agents").json(&body);
        let made = made.send().await.json();
        let path = format!("/api/v1/agents/{}", made["id"].as_str().unwrap());
        let body = json!({"limits": {"runs_per_minute": 7}});
        let changed = team
            .with(&bob.access, "PATCH", &path)
            .json(&body)
            .send()
            .await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let changed = changed.json();
        assert_eq!(
            (&changed["id"], &changed["limits"]["runs_per_minute"]),
            (&made["id"], &json!(7))
        );
    });
}
