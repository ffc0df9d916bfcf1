//! Letting a device in: the gateway's contract, the standard's, and the page between them.

use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::accounts::{ADA, PASSWORD, Team, encoded, set_cookie, with_team, with_team_of};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A browser: it keeps its cookie, and knows what its last page has given it.
struct Browser<'t> {
    team: &'t Team,
    cookie: Option<String>,
    csrf: String,
}

impl<'t> Browser<'t> {
    fn new(team: &'t Team) -> Self {
        Self {
            team,
            cookie: None,
            csrf: String::new(),
        }
    }

    fn ask(&self, method: &str, path: &str) -> crate::support::Ask {
        let ask = self
            .team
            .open(method, path)
            .header("sec-fetch-site", "same-origin");
        match &self.cookie {
            Some(cookie) => ask.header("cookie", format!("wharf_page={cookie}")),
            None => ask,
        }
    }

    async fn look(&mut self, ask: crate::support::Ask) -> Answer {
        let answer = ask.send().await;
        if let Some(cookie) = set_cookie(&answer, "wharf_page") {
            self.cookie = Some(cookie);
        }
        if let Some(csrf) = member(&answer.text(), "csrf") {
            self.csrf = csrf;
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        let ask = self.ask("GET", path);
        self.look(ask).await
    }

    async fn post(&mut self, pairs: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(pairs);
        let ask = self
            .ask("POST", "/device")
            .header("origin", "http://localhost:7304")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(&all));
        self.look(ask).await
    }

    /// Signs in, and follows to the page that comes then.
    async fn sign_in(&mut self, code: &str) -> Answer {
        self.get("/device").await;
        let form = [
            ("step", "sign-in"),
            ("email", ADA),
            ("password", PASSWORD),
            ("code", code),
        ];
        let answer = self.post(&form).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let to = answer.header("location").to_owned();
        self.get(&to).await
    }
}

/// The value of a hidden member of a page's first form.
fn member(page: &str, name: &str) -> Option<String> {
    let after = page.split(&format!("name=\"{name}\" value=\"")).nth(1)?;
    Some(after.split('"').next()?.to_owned())
}

async fn begin(team: &Team) -> Value {
    let path = "/api/cli/auth/device";
    let answer = team.open("POST", path).json(&json!({})).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn poll(team: &Team, code: &Value) -> Answer {
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

#[test]
fn a_form_that_is_not_the_pages_own_does_nothing() {
    with_team(async |team| {
        team.first().await;
        let asked = begin(&team).await;
        let user_code = asked["userCode"].as_str().unwrap();
        let mut browser = Browser::new(&team);
        browser.sign_in("").await;
        let page = browser.post(&[("step", "look"), ("code", user_code)]).await;
        let organization = member(&page.text(), "organization").unwrap();
        let form = [
            ("step", "answer"),
            ("answer", "allow"),
            ("code", user_code),
            ("organization", organization.as_str()),
        ];
        let good = browser.csrf.clone();

        // Without the value, with another browser's, and without the cookie that it belongs to.
        let mut other = Browser::new(&team);
        other.get("/device").await;
        for csrf in [String::new(), "x".to_owned(), other.csrf.clone()] {
            browser.csrf = csrf;
            assert_eq!(browser.post(&form).await.status, 403);
        }
        let cookie = browser.cookie.take();
        browser.csrf.clone_from(&good);
        assert_eq!(browser.post(&form).await.status, 403);
        browser.cookie.clone_from(&cookie);
        let mut all = vec![("csrf", good.as_str())];
        all.extend_from_slice(&form);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", crate::support::FRIEND),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let ask = browser
                .ask("POST", "/device")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoded(&all))
                .header(name, value);
            assert_eq!(ask.send().await.status, 403, "{name}: {value}");
        }
        let pending = poll(&team, &asked["deviceCode"]).await.json();
        assert_eq!(pending, json!({"error": "authorization_pending"}));
        browser.csrf = good;
        browser.cookie = cookie;
        assert!(browser.post(&form).await.text().contains("connected"));
    });
}

#[test]
fn the_cookie_of_the_pages_opens_nothing_else() {
    with_team(async |team| {
        team.first().await;
        let mut browser = Browser::new(&team);
        let page = browser.get("/device").await;
        let cookie = page.header("set-cookie");
        assert_eq!(
            cookie.split_once(';').unwrap().1,
            " HttpOnly; SameSite=Lax; Path=/; Max-Age=900"
        );
        let before = browser.cookie.clone();
        browser.sign_in("").await;
        assert_ne!(
            before, browser.cookie,
            "a cookie from before signing in is worth nothing"
        );
        for (method, path) in [
            ("GET", "/api/v1/auth/me"),
            ("GET", "/api/sessions"),
            ("GET", "/api/v1/keys"),
        ] {
            assert_eq!(
                browser.ask(method, path).send().await.problem().0,
                401,
                "{path}"
            );
        }
        let cookie = browser.cookie.clone().unwrap();
        let bearer = team.with(&cookie, "GET", "/api/v1/auth/me").send().await;
        assert_eq!(bearer.problem().0, 401);
        // Signed out, the old cookie is worth nothing.
        let old = browser.cookie.clone();
        assert_eq!(browser.post(&[("step", "sign-out")]).await.status, 303);
        browser.cookie = old;
        assert!(
            browser
                .get("/device")
                .await
                .text()
                .contains("Sign in to connect")
        );
    });
}

#[test]
fn pages_are_held_by_their_headers_and_reached_by_links() {
    with_team(async |team| {
        team.first().await;
        for path in ["/device", "/device?code=%22%3E%3Cscript%3E", "/setup"] {
            let page = team.open("GET", path).send().await;
            assert_eq!(page.status, 200, "{path}");
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
            assert_eq!(page.header("cache-control"), "no-store");
            assert_eq!(page.header("referrer-policy"), "same-origin");
            assert_eq!(page.header("x-frame-options"), "DENY");
            let policy = page.header("content-security-policy");
            for part in [
                "default-src 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            ] {
                assert!(policy.contains(part), "{policy}");
            }
            assert!(!policy.contains("unsafe"), "{policy}");
            let text = page.text();
            assert!(!text.contains("<script") && !text.contains("://"), "{text}");
        }
        // A link in a mail leads here; a frame, an image or a fetch of another site does not.
        let visit = |mode: &str, dest: &str| {
            team.open("GET", "/device")
                .header("sec-fetch-site", "cross-site")
                .header("sec-fetch-mode", mode)
                .header("sec-fetch-dest", dest)
        };
        assert_eq!(visit("navigate", "document").send().await.status, 200);
        for (mode, dest) in [
            ("navigate", "iframe"),
            ("no-cors", "image"),
            ("cors", "empty"),
        ] {
            assert_eq!(visit(mode, dest).send().await.status, 403, "{mode} {dest}");
        }
    });
}

#[test]
fn wrong_codes_are_told_and_bounded() {
    with_team(async |team| {
        team.first().await;
        let mut browser = Browser::new(&team);
        browser.sign_in("").await;
        let page = browser
            .post(&[("step", "look"), ("code", "ABCD-0000")])
            .await;
        assert_eq!(page.status, 404, "{}", page.text());
        assert!(page.text().contains("No device waits with this code"));
        let mut last = page.status;
        for number in 0..20 {
            let code = format!("ABCD-{number:04}");
            last = browser
                .post(&[("step", "look"), ("code", &code)])
                .await
                .status;
            if last == 429 {
                break;
            }
        }
        assert_eq!(last, 429);
    });
}

#[test]
fn the_first_account_is_made_on_the_page() {
    with_team(async |team| {
        let code = team.identity.first_run_code().await.unwrap().unwrap();
        let mut browser = Browser::new(&team);
        let page = browser.get("/setup").await;
        assert!(page.text().contains("First-run code"), "{}", page.text());
        let csrf = browser.csrf.clone();
        let cookie = browser.cookie.clone().unwrap();
        let post = async |code: &str, password: &str| {
            let pairs = [
                ("csrf", csrf.as_str()),
                ("code", code),
                ("email", ADA),
                ("username", "Ada"),
                ("password", password),
            ];
            let ask = team
                .open("POST", "/setup")
                .header("cookie", format!("wharf_page={cookie}"))
                .header("origin", "http://localhost:7304")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoded(&pairs));
            ask.send().await
        };
        let wrong = post("AAAAA-AAAAA-AAAAA-AAAAA", PASSWORD).await;
        assert_eq!(wrong.status, 400, "{}", wrong.text());
        assert!(wrong.text().contains(ADA) && !wrong.text().contains(PASSWORD));
        let short = post(code.expose(), "short").await;
        assert_eq!(short.status, 422, "{}", short.text());
        let made = post(code.expose(), PASSWORD).await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert!(
            made.text()
                .contains("wharf auth login --api-url http://localhost:7304")
        );
        assert!(browser.get("/setup").await.text().contains("is set up"));
        assert_eq!(post(code.expose(), PASSWORD).await.status, 409);
        let login = team.login(ADA, PASSWORD).await;
        assert_eq!(login.status, 200, "{}", login.text());
    });
}
