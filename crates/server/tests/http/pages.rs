//! The pages: what holds them, and what is done on them besides letting devices in.

use serde_json::json;

use crate::devices::{begin, poll};
use crate::support::accounts::{
    ADA, Login, PASSWORD, Team, encoded, logged_in, set_cookie, with_team,
};
use crate::support::browser::{Browser, member};

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
        for path in [
            "/device",
            "/device?code=%22%3E%3Cscript%3E",
            "/setup",
            "/invitation",
            "/invitation?code=%22%3E%3Cscript%3E",
            "/reset?code=%22%3E%3Cscript%3E",
        ] {
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
        let visit_to = |path: &str, mode: &str, dest: &str| {
            team.open("GET", path)
                .header("sec-fetch-site", "cross-site")
                .header("sec-fetch-mode", mode)
                .header("sec-fetch-dest", dest)
        };
        for path in ["/device", "/setup", "/invitation?code=X", "/reset?code=X"] {
            let visit = visit_to(path, "navigate", "document").send().await;
            assert_eq!(visit.status, 200, "{path}");
        }
        let visit = |mode: &str, dest: &str| visit_to("/reset", mode, dest);
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
        let over = browser.get("/setup").await.text();
        assert!(over.contains("is set up"), "{over}");
        assert!(
            over.contains("\"/invitation\"") && over.contains("\"/reset\""),
            "{over}"
        );
        assert_eq!(post(code.expose(), PASSWORD).await.status, 409);
        let login = team.login(ADA, PASSWORD).await;
        assert_eq!(login.status, 200, "{}", login.text());
    });
}

/// An invitation into the first organization; its code.
async fn invited(team: &Team, by: &Login, email: &str) -> String {
    let body = json!({"email": email, "role": "member"});
    let path = "/api/v1/orgs/main/invitations";
    let made = team.with(&by.access, "POST", path).json(&body).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["code"].as_str().unwrap().to_owned()
}

#[test]
fn an_invitation_is_followed_on_the_page() {
    with_team(async |team| {
        let ada = team.first().await;
        let code = invited(&team, &ada, "bob@example.com").await;
        let mut browser = Browser::new(&team);
        let page = browser.get(&format!("/invitation?code={code}")).await;
        assert!(page.text().contains(&format!("value=\"{code}\"")));
        let form = |code: &'static str, password: &'static str, again: &'static str| {
            [
                ("code", code),
                ("username", "Bob"),
                ("password", password),
                ("again", again),
            ]
        };
        let code: &'static str = code.leak();
        for (form, status) in [
            (form(code, PASSWORD, "another one"), 422),
            (form(code, "short", "short"), 422),
            (form("AAAAA-AAAAA-AAAAA-AAAAA", PASSWORD, PASSWORD), 400),
        ] {
            let wrong = browser.post_to("/invitation", &form).await;
            let text = wrong.text();
            assert_eq!(wrong.status, status, "{text}");
            assert!(text.contains("role=\"alert\"") && text.contains("value=\"Bob\""));
            assert!(!text.contains(PASSWORD), "{text}");
        }
        let stale = std::mem::take(&mut browser.csrf);
        let form = form(code, PASSWORD, PASSWORD);
        assert_eq!(browser.post_to("/invitation", &form).await.status, 403);
        browser.csrf = stale;
        let done = browser.post_to("/invitation", &form).await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(done.text().contains("bob@example.com"), "{}", done.text());
        assert!(done.text().contains("wharf auth login --api-url"));
        assert!(set_cookie(&done, "refresh_token").is_none());
        assert_eq!(browser.post_to("/invitation", &form).await.status, 400);
        logged_in(&team.login("bob@example.com", PASSWORD).await);
        // No login of the page's own is left.
        let bob = logged_in(&team.login("bob@example.com", PASSWORD).await);
        let path = "/api/v1/auth/sessions";
        let sessions = team.with(&bob.access, "GET", path).send().await;
        assert!(
            !sessions.text().contains("Browser, to"),
            "{}",
            sessions.text()
        );
    });
}

#[test]
fn a_password_is_set_on_the_page() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.add(&ada, "bob@example.com", "member").await;
        let path = format!("/api/v1/users/{}/reset-code", bob["id"].as_str().unwrap());
        let made = team.with(&ada.access, "POST", &path).send().await;
        assert_eq!(made.status.as_u16() / 100, 2, "{}", made.text());
        let code = made.json()["code"].as_str().unwrap().to_owned();
        let mut browser = Browser::new(&team);
        browser.get("/reset").await;
        let new = "a quite different one";
        let form = |code: &str, again: &str| {
            let pairs = [("code", code), ("password", new), ("again", again)];
            pairs.map(|(name, value)| (name, value.to_owned()))
        };
        let mut post = async |code: &str, again: &str| {
            let form = form(code, again);
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
            browser.post_to("/reset", &form).await
        };
        assert_eq!(post(&code, PASSWORD).await.status, 422);
        let wrong = post("AAAAA-AAAAA-AAAAA-AAAAA", new).await;
        assert_eq!(wrong.status, 400, "{}", wrong.text());
        let done = post(&code, new).await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(done.text().contains("bob@example.com") && !done.text().contains(new));
        assert_eq!(post(&code, new).await.status, 400);
        logged_in(&team.login("bob@example.com", new).await);
        assert_eq!(team.login("bob@example.com", PASSWORD).await.status, 401);
        // Guessing is held off.
        let mut last = done.status;
        for _ in 0..20 {
            last = post("AAAAA-AAAAA-AAAAA-AAAAB", new).await.status;
            if last == 429 {
                break;
            }
        }
        assert_eq!(last, 429);
    });
}
