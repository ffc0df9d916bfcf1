//! Whose configuration is whose: what is somebody else's is not there, and what one only reads one
//! does not change.

use std::convert::Infallible;

use axum::body::Body;
use futures_util::stream;
use serde_json::{Value, json};
use wharf_model::Caller;

use crate::support::Answer;
use crate::support::accounts::{ADA, Login, PASSWORD, Team, logged_in, with_team};
use crate::support::trees::whole;

/// Everything that changes a profile that is called so.
async fn changes(team: &Team, token: &str, profile: &str) -> Vec<Answer> {
    let sha = "a".repeat(40);
    let form = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.md\"\r\n\r\n\
                x\r\n--edge--\r\n";
    let asks = [
        team.with(token, "PUT", &format!("/api/v1/configuration/{profile}"))
            .json(&json!({"content": "changed"})),
        team.with(
            token,
            "POST",
            &format!("/api/v1/configuration/{profile}/rollback/{sha}"),
        ),
        team.with(
            token,
            "POST",
            &format!("/api/v1/configuration/{profile}/import"),
        )
        .header("content-type", "multipart/form-data; boundary=edge")
        .body(form),
        team.with(
            token,
            "PUT",
            &format!("/api/v1/profile/tree?profile={profile}"),
        )
        .tree(whole(&[("CLAUDE.md", "changed")])),
        team.with(
            token,
            "POST",
            &format!("/api/v1/profile/rollback/{sha}?profile={profile}"),
        ),
    ];
    let mut answers = Vec::new();
    for ask in asks {
        answers.push(ask.send().await);
    }
    answers
}

/// Everything that shows a profile that is called so.
async fn looks(team: &Team, token: &str, profile: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for path in [
        format!("/api/v1/configuration/{profile}"),
        format!("/api/v1/configuration/{profile}/history"),
        format!("/api/v1/profile/tree?profile={profile}"),
        format!("/api/v1/profile/history?profile={profile}"),
        format!("/api/v1/profile/diff?profile={profile}"),
    ] {
        answers.push(team.with(token, "GET", &path).send().await);
    }
    let path = format!("/api/v1/profile/blobs?profile={profile}");
    let ask = team.with(token, "POST", &path).json(&json!({"sha256": []}));
    answers.push(ask.send().await);
    answers
}

async fn save(team: &Team, login: &Login, profile: &str, content: &str) -> Answer {
    let path = format!("/api/v1/configuration/{profile}");
    let ask = team.with(&login.access, "PUT", &path);
    ask.json(&json!({"content": content})).send().await
}

#[test]
fn there_is_no_way_to_what_is_somebody_elses() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        assert_eq!(save(&team, &ada, "me", "secret").await.status, 200);
        let me = team
            .with(&ada.access, "GET", "/api/v1/auth/me")
            .send()
            .await;
        let id = me.json()["id"].as_str().unwrap().to_owned();
        for profile in [
            "you",
            "",
            "team:",
            "team:none",
            "team:../org",
            "user:1",
            "ME",
            "org:1",
            &id,
            &format!("user%2f{id}"),
            &format!("team:{id}"),
            "%2e%2e",
        ] {
            let about = format!("{profile:?}");
            for answer in looks(&team, &bob.access, profile).await {
                assert_eq!(answer.problem().0, 404, "{about}: {}", answer.text());
                assert!(!answer.text().contains("secret"), "{about}");
            }
            for answer in changes(&team, &bob.access, profile).await {
                assert_eq!(answer.problem().0, 404, "{about}: {}", answer.text());
            }
        }
        let bobs = team.with(&bob.access, "GET", "/api/v1/configuration/me");
        assert_eq!(bobs.send().await.json()["content"], "");
    });
}

#[test]
fn an_organizations_is_read_by_all_and_changed_by_who_looks_after_it() {
    with_team(async |team| {
        let ada = team.first().await;
        assert_eq!(save(&team, &ada, "org", "ours").await.status, 200);
        for (email, role, may) in [
            ("admin@example.com", "admin", true),
            ("member@example.com", "member", false),
            ("viewer@example.com", "viewer", false),
        ] {
            let login = team.join(&ada, email, role).await;
            for answer in looks(&team, &login.access, "org").await {
                assert_eq!(answer.status, 200, "{role}: {}", answer.text());
            }
            for answer in changes(&team, &login.access, "org").await {
                // Whoever may is told that there is no such version.
                let status = answer.status.as_u16();
                assert_eq!(
                    may,
                    status == 200 || status == 404,
                    "{role}: {}",
                    answer.text()
                );
                if !may {
                    assert_eq!(answer.problem(), (403, "insufficient_scope".to_owned()));
                }
            }
            assert_eq!(
                save(&team, &login, "me", "mine").await.status,
                200,
                "{role}"
            );
        }
    });
}

/// The token of an agent of this person's, for what configuration needs.
async fn agent_of(team: &Team, login: &Login) -> String {
    let post = |path: &'static str, body: Value| {
        let ask = team.with(&login.access, "POST", path);
        ask.json(&body).send()
    };
    let agent = post("/api/v1/agents", json!({"name": "claude"})).await;
    let body = json!({"name": "box", "scopes": ["sync"], "agent": agent.json()["id"]});
    let made = post("/api/v1/keys", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["token"].as_str().unwrap().to_owned()
}

#[test]
fn no_agent_says_which_repository_a_profile_follows() {
    with_team(async |team| {
        let ada = team.first().await;
        let agent = agent_of(&team, &ada).await;
        let upstream = "/api/v1/profile/upstream";
        let url = json!({"url": "https://git.example.com/x.git"});
        let set = team.with(&ada.access, "PUT", upstream).json(&url);
        assert_eq!(set.send().await.status, 200);
        let other = json!({"url": "https://git.example.com/y.git"});
        let set = team.with(&agent, "PUT", upstream).json(&other);
        assert_eq!(set.send().await.problem().0, 403);
        let gone = team.with(&agent, "DELETE", upstream).send().await;
        assert_eq!(gone.problem().0, 403);
        let shown = team.with(&ada.access, "GET", upstream).send().await;
        assert_eq!(shown.json()["url"], url["url"]);
    });
}

#[test]
fn who_may_not_is_told_before_a_body_is_read() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let item = json!({"type": "skill", "name": "pdf", "scope": "org"});
        let items = "/api/v1/catalog/items";
        let made = team.with(&ada.access, "POST", items).json(&item);
        let item = format!(
            "{items}/{}",
            made.send().await.json()["id"].as_str().unwrap()
        );
        for (method, path) in [
            ("PUT", "/api/v1/profile/upstream?profile=org"),
            ("POST", "/api/v1/profile/upstream/pull?profile=org"),
            ("PUT", &item),
        ] {
            let ask = team.with(&bob.access, method, path);
            let answer = ask.body("no JSON").send().await;
            assert_eq!(answer.problem().0, 403, "{method} {path}");
        }
    });
}

#[test]
fn an_agent_changes_what_is_its_persons_own_and_says_so() {
    with_team(async |team| {
        let ada = team.first().await;
        let key = agent_of(&team, &ada).await;
        for answer in looks(&team, &key, "org").await {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        for answer in changes(&team, &key, "org").await {
            assert_eq!(answer.problem().0, 403, "{}", answer.text());
        }
        for answer in changes(&team, &key, "me").await {
            let status = answer.status.as_u16();
            assert!(status == 200 || status == 404, "{}", answer.text());
        }
        let history = team.with(&ada.access, "GET", "/api/v1/configuration/me/history");
        let history = history.send().await.json();
        let by = format!("claude for Ada <{ADA}>");
        assert_eq!(history["versions"][0]["author"], by);
    });
}

#[test]
fn two_organizations_have_nothing_of_each_other() {
    with_team(async |team| {
        let ada = team.first().await;
        assert_eq!(save(&team, &ada, "org", "of the first").await.status, 200);
        let body = json!({"name": "Side"});
        let made = team.with(&ada.access, "POST", "/api/v1/orgs").json(&body);
        assert_eq!(made.send().await.status, 201);
        // The login goes along; another one stays where it is.
        let stays = logged_in(&team.login(ADA, PASSWORD).await);
        let body = json!({"organization": "side"});
        let path = "/api/v1/auth/organization";
        let moved = team
            .with(&ada.access, "POST", path)
            .json(&body)
            .send()
            .await;
        let access = moved.json()["access_token"].as_str().unwrap().to_owned();
        let read = async |token: &str| {
            let ask = team.with(token, "GET", "/api/v1/configuration/org");
            ask.send().await.json()["content"].clone()
        };
        assert_eq!(read(&access).await, "");
        let there = Login {
            access: access.clone(),
            refresh: String::new(),
        };
        assert_eq!(
            save(&team, &there, "org", "of the second").await.status,
            200
        );
        assert_eq!(read(&stays.access).await, "of the first");
        // One's own is one's own in both.
        assert_eq!(save(&team, &there, "me", "mine").await.status, 200);
        let ask = team.with(&stays.access, "GET", "/api/v1/configuration/me");
        assert_eq!(ask.send().await.json()["content"], "mine");
    });
}

#[test]
fn a_teams_is_read_by_its_members_and_changed_by_its_leads() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let cy = team.join(&ada, "cy@example.com", "member").await;
        let dan = team.join(&ada, "dan@example.com", "member").await;
        let made = team.with(&ada.access, "POST", "/api/v1/teams");
        let made = made.json(&json!({"name": "Core"})).send().await;
        let id = made.json()["id"].as_str().unwrap().to_owned();
        for (email, leads) in [("bob@example.com", true), ("cy@example.com", false)] {
            let path = format!("/api/v1/teams/{id}/members/{email}");
            let put = team.with(&ada.access, "PUT", &path);
            assert_eq!(put.json(&json!({"leads": leads})).send().await.status, 200);
        }
        let core = format!("team:{id}");
        assert_eq!(save(&team, &ada, "org", "all").await.status, 200);
        assert_eq!(save(&team, &bob, &core, "core").await.status, 200);
        assert_eq!(save(&team, &cy, "me", "cy").await.status, 200);
        // Who looks after the organization is in none of its teams by that.
        for (login, read, change) in [
            (&ada, true, true),
            (&bob, true, true),
            (&cy, true, false),
            (&dan, false, false),
        ] {
            for answer in looks(&team, &login.access, &core).await {
                assert_eq!(answer.status == 200, read, "{}", answer.text());
            }
            for answer in changes(&team, &login.access, &core).await {
                let refused = if read { 403 } else { 404 };
                let status = answer.status.as_u16();
                let done = status == 200 || answer.text().contains("no version");
                assert_eq!(done, change, "{}", answer.text());
                assert!(done || status == refused, "{}", answer.text());
            }
        }
        assert_eq!(save(&team, &bob, &core, "core").await.status, 200);
        let path = "/api/v1/profile/effective-configuration";
        let effective =
            async |login: &Login| team.with(&login.access, "GET", path).send().await.json();
        let cys = effective(&cy).await;
        assert_eq!(cys["content"], "all\n\ncore\n\ncy");
        let applied = [
            &cys["org_applied"],
            &cys["team_applied"],
            &cys["user_applied"],
        ];
        assert_eq!(applied, [&json!(true), &json!(true), &json!(true)]);
        assert_eq!(cys["parts"][1]["profile"], core);
        assert_eq!(effective(&dan).await["content"], "all");
        assert_eq!(effective(&ada).await["team_applied"], false);

        let items = "/api/v1/catalog/items";
        let item = json!({"type": "hook", "name": "lint", "scope": "team", "scope_id": id});
        let add = |login: &Login| team.with(&login.access, "POST", items).json(&item);
        assert_eq!(add(&cy).send().await.problem().0, 403);
        assert_eq!(add(&dan).send().await.problem().0, 404);
        let made = add(&bob).send().await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.json()["scope_id"], id);
        let one = format!("{items}/{}", made.json()["id"].as_str().unwrap());
        let count = async |login: &Login, query: &str| {
            let path = format!("/api/v1/catalog{query}");
            team.with(&login.access, "GET", &path).send().await.json()["total"].clone()
        };
        let ones = format!("?scope=team:{id}");
        for (login, listed, of_team, shown) in [
            (&bob, json!(1), json!(1), 200),
            (&cy, json!(1), json!(1), 200),
            (&ada, json!(0), json!(1), 200),
            (&dan, json!(0), Value::Null, 404),
        ] {
            assert_eq!(count(login, "").await, listed);
            assert_eq!(count(login, &ones).await, of_team);
            let answer = team.with(&login.access, "GET", &one).send().await;
            assert_eq!(answer.status, shown);
        }
        let gone = team.with(&cy.access, "DELETE", &one).send().await;
        assert_eq!(gone.problem().0, 403);
        let gone = team.with(&ada.access, "DELETE", &one).send().await;
        assert_eq!(gone.status, 204);
    });
}

#[test]
fn what_others_get_is_recorded_before_it_is_so() {
    with_team(async |team| {
        let ada = team.first().await;
        let ask = async |method: &'static str, path: &str, body: Value| {
            let ask = team.with(&ada.access, method, path).json(&body);
            let answer = ask.send().await;
            assert!(
                answer.status.is_success(),
                "{method} {path}: {}",
                answer.text()
            );
            answer
        };
        let upstream = "/api/v1/profile/upstream";
        let url = json!({"url": "https://git.example.com/x.git", "token": "hunter2"});
        ask("PUT", upstream, url).await;
        ask("DELETE", upstream, json!({})).await;
        let items = "/api/v1/catalog/items";
        for scope in ["org", "user"] {
            let item = json!({"type": "skill", "name": "pdf", "scope": scope});
            let made = ask("POST", items, item).await.json();
            let one = format!("{items}/{}", made["id"].as_str().unwrap());
            ask("PUT", &one, json!({"type": "skill", "name": "docx"})).await;
            ask("DELETE", &one, json!({})).await;
        }
        let log = team.server.engine.audit_tail(1000).await.unwrap();
        let log: Vec<String> = log.into_iter().map(|line| line.json).collect();
        let log = log.join("\n");
        for (kind, said) in [
            ("upstream.set", "git.example.com"),
            ("upstream.removed", "user/"),
            ("catalog.added", "pdf"),
            ("catalog.changed", "docx"),
            ("catalog.removed", "docx"),
        ] {
            let of = format!("\"kind\":\"{kind}\"");
            let lines: Vec<&str> = log.lines().filter(|it| it.contains(&of)).collect();
            assert_eq!(lines.len(), 1, "{kind}: {log}");
            assert!(lines[0].contains(said), "{kind}: {lines:?}");
        }
        assert!(!log.contains("hunter2"));
    });
}

#[test]
fn who_may_is_asked_again_when_a_tree_has_arrived() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let caller = Caller::local();
        let core = team.identity.add_team(&caller, "core", "Core").await;
        let core = core.unwrap().id;
        let of_core = format!("/api/v1/profile/tree?profile=team:{core}");
        for path in [of_core.as_str(), "/api/v1/profile/tree"] {
            let identity = &team.identity;
            let joined = identity.set_team_member(&caller, &core, "bob@example.com", true);
            joined.await.unwrap();
            let (identity, core) = (team.identity.clone(), core.clone());
            // They leave the team between the beginning of the body and its end.
            let late = stream::once(async move {
                let caller = Caller::local();
                let gone = identity.remove_team_member(&caller, &core, "bob@example.com");
                gone.await.unwrap();
                Ok::<_, Infallible>(whole(&[("CLAUDE.md", "late")]))
            });
            let sent = team.with(&bob.access, "PUT", path);
            let answer = sent.tree(Body::from_stream(late)).send().await;
            let status = if path == of_core { 404 } else { 412 };
            assert_eq!(answer.problem().0, status, "{path}: {}", answer.text());
        }
    });
}

#[test]
fn what_has_ended_is_put_aside() {
    with_team(async |team| {
        let ada = team.first().await;
        let ask = async |method: &str, path: &str, body: Value| {
            let ask = team.with(&ada.access, method, path).json(&body);
            let answer = ask.send().await;
            assert!(
                answer.status.is_success(),
                "{method} {path}: {}",
                answer.text()
            );
            answer.json()
        };
        let core = ask("POST", "/api/v1/teams", json!({"name": "Core"})).await;
        let core = core["id"].as_str().unwrap();
        let text = |text: &str| json!({"content": text});
        ask(
            "PUT",
            &format!("/api/v1/configuration/team:{core}"),
            text("core"),
        )
        .await;
        for email in ["bob@example.com", "carl@example.com"] {
            let login = team.join(&ada, email, "member").await;
            let put = team.with(&login.access, "PUT", "/api/v1/configuration/me");
            assert_eq!(put.json(&text(email)).send().await.status, 200);
        }
        let names = |layer: &str| {
            let entries = std::fs::read_dir(team.profiles.join(layer));
            let entries = entries.into_iter().flatten().flatten();
            let names = entries.map(|it| it.file_name().into_string().unwrap());
            let mut names: Vec<String> = names.filter(|it| it.ends_with(".git")).collect();
            names.sort_unstable();
            names
        };
        ask("DELETE", &format!("/api/v1/teams/{core}"), json!({})).await;
        ask("DELETE", "/api/v1/users/bob@example.com", json!({})).await;
        let disabled = |disabled: bool| json!({ "disabled": disabled });
        let carl = "/api/v1/users/carl@example.com";
        ask("PATCH", carl, disabled(true)).await;
        assert_eq!(names("team"), [""; 0]);
        assert_eq!(names("user").len(), 1, "who is kept out for now keeps it");
        let aside = names("ended");
        assert!(aside[0].starts_with(&format!("team.{core}.")), "{aside:?}");
        assert!(aside[1].starts_with("user."), "{aside:?}");
        assert_eq!(aside.len(), 2);
        for email in ["bob@example.com", "carl@example.com"] {
            ask("PATCH", &format!("/api/v1/users/{email}"), disabled(false)).await;
            let login = logged_in(&team.login(email, PASSWORD).await);
            let me = team.with(&login.access, "GET", "/api/v1/configuration/me");
            assert_eq!(me.send().await.json()["content"], email);
        }
        assert_eq!(names("ended").len(), 1);
    });
}
