//! Letting a device in: the gateway's contract, the standard's, and the page between them.

use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::accounts::{ADA, Team, with_team, with_team_of};
use crate::support::browser::{Browser, member};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) async fn begin(team: &Team) -> Value {
    let path = "/api/cli/auth/device";
    let answer = team.open("POST", path).json(&json!({})).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub(crate) async fn poll(team: &Team, code: &Value) -> Answer {
    team.clock.pass(6);
    let body = json!({"deviceCode": code});
    team.open("POST", "/api/cli/auth/device/poll")
        .json(&body)
        .send()
        .await
}

#[test]
fn a_device_is_let_in_through_the_page() {
    with_team(async |team| {
        team.first().await;
        let body = json!({"deviceName": "kepler <b>", "scope": "run sync"});
        let asked = team
            .open("POST", "/api/cli/auth/device")
            .json(&body)
            .send()
            .await
            .json();
        assert_eq!(
            (&asked["expiresIn"], &asked["interval"]),
            (&json!(900), &json!(5))
        );
        let user_code = asked["userCode"].as_str().unwrap().to_owned();
        let (letters, digits) = user_code.split_once('-').unwrap();
        assert!(
            letters.len() == 4
                && letters
                    .chars()
                    .all(|c| c.is_ascii_uppercase() && !"IO".contains(c))
        );
        assert!(digits.len() == 4 && digits.chars().all(|c| c.is_ascii_digit()));
        let url = format!("http://localhost:7304/device?code={user_code}");
        assert_eq!(asked["verificationUrl"], url);
        let code = &asked["deviceCode"];
        assert_eq!(
            poll(&team, code).await.json(),
            json!({"error": "authorization_pending"})
        );

        let mut browser = Browser::new(&team);
        let page = browser.get(&format!("/device?code={user_code}")).await;
        assert!(page.text().contains("Sign in"), "{}", page.text());
        let page = browser.sign_in(&user_code).await;
        assert!(
            page.text().contains(&format!("value=\"{user_code}\"")),
            "{}",
            page.text()
        );
        assert!(
            !page.text().contains("kepler"),
            "nothing is looked up by itself"
        );
        let typed = user_code.to_lowercase().replace('-', " ");
        let page = browser.post(&[("step", "look"), ("code", &typed)]).await;
        assert_eq!(page.status, 200, "{}", page.text());
        for shown in [
            "kepler &lt;b&gt;",
            &user_code,
            "run",
            "sync",
            "Allow",
            "Deny",
        ] {
            assert!(page.text().contains(shown), "{shown}: {}", page.text());
        }
        let organization = member(&page.text(), "organization").unwrap();
        let form = [
            ("step", "answer"),
            ("answer", "allow"),
            ("code", &user_code),
            ("organization", &organization),
        ];
        let page = browser.post(&form).await;
        assert!(page.text().contains("connected"), "{}", page.text());

        let done = poll(&team, code).await;
        assert_eq!(done.status, 200);
        let done = done.json();
        let token = done["token"].as_str().unwrap();
        assert!(token.starts_with("whk_"), "{done}");
        assert_eq!(
            (&done["user"]["email"], &done["user"]["name"]),
            (&json!(ADA), &json!("Ada"))
        );
        assert!(done["org"]["id"].is_string() && done["org"]["name"].is_string());
        assert_eq!(done["hasGitHubConnection"], false);
        assert_eq!(done["scopes"], json!(["run", "sync"]));
        let again = poll(&team, code).await.json();
        assert_eq!(again, json!({"error": "invalid_device_code"}));
        let run = json!({"command": "echo in"});
        let ran = team
            .with(token, "POST", "/api/run-command")
            .json(&run)
            .send()
            .await;
        assert_eq!(ran.json()["stdout"], "in\n");
    });
}

#[test]
fn a_device_is_turned_away() {
    with_team(async |team| {
        team.first().await;
        let asked = begin(&team).await;
        let user_code = asked["userCode"].as_str().unwrap();
        let mut browser = Browser::new(&team);
        browser.sign_in("").await;
        browser.post(&[("step", "look"), ("code", user_code)]).await;
        let form = [("step", "answer"), ("answer", "deny"), ("code", user_code)];
        let page = browser.post(&form).await;
        assert!(page.text().contains("not let in"), "{}", page.text());
        let answer = poll(&team, &asked["deviceCode"]).await.json();
        assert_eq!(answer, json!({"error": "access_denied"}));
    });
}

#[test]
fn what_a_poll_is_told_is_exactly_this() {
    with_team(async |team| {
        team.first().await;
        let path = "/api/cli/auth/device/poll";
        for body in [
            json!({}),
            json!({"deviceCode": 7}),
            json!({"deviceCode": null}),
            json!([]),
        ] {
            let answer = team.open("POST", path).json(&body).send().await;
            assert_eq!(answer.status, 400, "{body}");
            assert_eq!(answer.json(), json!({"error": "invalid_device_code"}));
        }
        let answer = poll(&team, &json!("whd_none")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), json!({"error": "invalid_device_code"}));
        let asked = begin(&team).await;
        let code = &asked["deviceCode"];
        poll(&team, code).await;
        let body = json!({"deviceCode": code});
        let soon = team.open("POST", path).json(&body).send().await;
        assert_eq!(soon.json(), json!({"error": "slow_down"}));
        team.clock.pass(900);
        assert_eq!(
            poll(&team, code).await.json(),
            json!({"error": "expired_token"})
        );
    });
}

#[test]
fn the_same_by_procedure_calls() {
    with_team(async |team| {
        let ada = team.first().await;
        let call = async |token: Option<&str>, procedure: &str, input: Value| {
            let path = format!("/api/rpc/cli/auth/{procedure}");
            let ask = match token {
                Some(token) => team.with(token, "POST", &path),
                None => team.open("POST", &path),
            };
            ask.json(&json!({"json": input, "meta": []})).send().await
        };
        let asked = call(None, "createDeviceCode", json!({})).await.json()["json"].clone();
        let input = json!({"userCode": asked["userCode"]});
        let bare = call(None, "authorizeDevice", input.clone()).await;
        assert_eq!(bare.status, 401);
        assert_eq!(bare.json()["json"]["code"], "UNAUTHORIZED");
        let allowed = call(Some(&ada.access), "authorizeDevice", input).await;
        assert_eq!(
            allowed.json(),
            json!({"json": {"success": true}, "meta": []})
        );
        team.clock.pass(6);
        let input = json!({"deviceCode": asked["deviceCode"]});
        let done = call(None, "pollDevice", input).await.json();
        assert!(
            done["json"]["token"].as_str().unwrap().starts_with("whk_"),
            "{done}"
        );
        let wrong = call(None, "pollDevice", json!({})).await;
        assert_eq!(
            (wrong.status.as_u16(), &wrong.json()["json"]["defined"]),
            (400, &json!(false))
        );
    });
}

#[test]
fn the_same_as_the_standards_have_it() {
    with_team_of(Some("https://wharf.example.com/"), false, async |team| {
        let ada = team.first().await;
        let found = team
            .open("GET", "/.well-known/oauth-authorization-server")
            .send()
            .await
            .json();
        assert_eq!(found["issuer"], "https://wharf.example.com");
        assert_eq!(
            found["token_endpoint"],
            "https://wharf.example.com/oauth/token"
        );
        let keys = team
            .open("GET", "/.well-known/jwks.json")
            .send()
            .await
            .json();
        let key = &keys["keys"][0];
        assert_eq!(
            (&key["kty"], &key["alg"], &key["use"]),
            (&json!("RSA"), &json!("RS256"), &json!("sig"))
        );
        assert!(
            key["n"].as_str().unwrap().len() > 300 && key["e"] == "AQAB",
            "{key}"
        );

        let form = [("client_id", "kepler"), ("scope", "run")];
        let asked = team.form("/oauth/device_authorization", &form).send().await;
        assert_eq!(asked.status, 200, "{}", asked.text());
        let asked = asked.json();
        assert_eq!(
            asked["verification_uri"],
            "https://wharf.example.com/device"
        );
        let complete = asked["verification_uri_complete"].as_str().unwrap();
        assert!(complete.ends_with(asked["user_code"].as_str().unwrap()));
        let device_code = asked["device_code"].as_str().unwrap();
        let token = async |pairs: &[(&str, &str)]| {
            team.clock.pass(6);
            team.form("/oauth/token", pairs).send().await
        };
        let ask = [
            ("grant_type", GRANT),
            ("device_code", device_code),
            ("client_id", "kepler"),
        ];
        let pending = token(&ask).await;
        assert_eq!(pending.status, 400);
        assert_eq!(pending.json()["error"], "authorization_pending");
        assert_eq!(
            (pending.header("cache-control"), pending.header("pragma")),
            ("no-store", "no-cache")
        );
        let body = json!({"json": {"userCode": asked["user_code"]}, "meta": []});
        let path = "/api/rpc/cli/auth/authorizeDevice";
        let allowed = team
            .with(&ada.access, "POST", path)
            .json(&body)
            .send()
            .await;
        assert_eq!(allowed.status, 200, "{}", allowed.text());
        let done = token(&ask).await;
        assert_eq!(done.status, 200, "{}", done.text());
        let done = done.json();
        assert_eq!(
            (&done["token_type"], &done["scope"]),
            (&json!("Bearer"), &json!("run"))
        );
        assert!(done["expires_in"].as_u64().unwrap() > 89 * 86_400);
        for (pairs, error) in [
            (
                vec![("grant_type", GRANT), ("device_code", device_code)],
                "invalid_grant",
            ),
            (vec![("grant_type", GRANT)], "invalid_request"),
            (vec![("grant_type", "password")], "unsupported_grant_type"),
            (vec![], "invalid_request"),
            (
                vec![("grant_type", "refresh_token"), ("refresh_token", "whr_x")],
                "invalid_grant",
            ),
            (
                vec![("grant_type", GRANT), ("grant_type", GRANT)],
                "invalid_request",
            ),
        ] {
            let answer = token(&pairs).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["error"].clone()),
                (400, json!(error)),
                "{pairs:?}"
            );
        }
        let wrong = team
            .form("/oauth/device_authorization", &[("scope", "all")])
            .send()
            .await;
        assert_eq!(wrong.json()["error"], "invalid_scope");
        let go_on = [
            ("grant_type", "refresh_token"),
            ("refresh_token", ada.refresh.as_str()),
        ];
        let next = token(&go_on).await.json();
        assert!(
            next["refresh_token"].as_str().unwrap().starts_with("whr_"),
            "{next}"
        );
    });
}
