//! The routes of teams, as those who lead them and those who are only in them use them.

use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::accounts::{ADA, Login, PASSWORD, Team, logged_in, with_team};

const BOB: &str = "bob@example.com";

async fn ask(team: &Team, who: &Login, (method, path): (&str, &str), body: Value) -> Answer {
    let ask = team.with(&who.access, method, path);
    let ask = if body.is_null() { ask } else { ask.json(&body) };
    ask.send().await
}

#[test]
fn a_team_is_led_by_a_member_and_made_by_an_admin() {
    with_team(async |team| {
        let ada = team.first().await;
        team.add(&ada, BOB, "member").await;
        team.add(&ada, "cy@example.com", "member").await;
        let bob = logged_in(&team.login(BOB, PASSWORD).await);
        let core = ("POST", "/api/v1/teams");
        let body = json!({"name": "The Core"});
        let refused = ask(&team, &bob, core, body.clone()).await;
        assert_eq!(refused.problem(), (403, "insufficient_scope".to_owned()));

        let made = ask(&team, &ada, core, body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let mut made = made.json();
        let id = made["id"].as_str().unwrap().to_owned();
        for (member, prefix) in [("id", "team_"), ("organization_id", "org_")] {
            assert!(made[member].as_str().unwrap().starts_with(prefix), "{made}");
            made[member] = json!(prefix);
        }
        assert!(
            made["created_at"].as_str().unwrap().ends_with('Z'),
            "{made}"
        );
        made["created_at"] = json!("");
        let expected = json!({
            "id": "team_", "organization_id": "org_", "slug": "the-core", "name": "The Core",
            "members": 0, "is_member": false, "may_edit": true, "created_at": "",
        });
        assert_eq!(made, expected);
        assert_eq!(ask(&team, &ada, core, body).await.problem().0, 409);
        let nameless = ask(&team, &ada, core, json!({"name": "", "slug": "x"})).await;
        assert_eq!(nameless.problem().0, 422);
        assert_eq!(nameless.json()["errors"][0]["field"], "name");
        let shapeless = ask(&team, &ada, core, json!({"name": "x", "slug": "X"})).await;
        assert_eq!(shapeless.json()["errors"][0]["field"], "slug");

        // Ada makes Bob a lead, and Bob brings in Cy.
        let bobs = format!("/api/v1/teams/{id}/members/{BOB}");
        let refused = ask(&team, &bob, ("PUT", &bobs), json!({"leads": true})).await;
        assert_eq!(refused.problem().0, 403);
        let leads = ask(&team, &ada, ("PUT", &bobs), json!({"leads": true})).await;
        assert_eq!(leads.status, 200, "{}", leads.text());
        let cys = "/api/v1/teams/the-core/members/cy@example.com";
        let cy = ask(&team, &bob, ("PUT", cys), json!({})).await.json();
        assert_eq!(
            (&cy["email"], &cy["leads"]),
            (&json!("cy@example.com"), &json!(false))
        );
        let members = "/api/v1/teams/the-core/members";
        let members = ask(&team, &bob, ("GET", members), Value::Null).await.json();
        let members = members["members"].as_array().unwrap();
        let emails: Vec<_> = members.iter().map(|it| it["email"].clone()).collect();
        assert_eq!(emails, [BOB, "cy@example.com"]);
        let seen = ask(&team, &bob, ("GET", "/api/v1/teams"), Value::Null)
            .await
            .json();
        let seen = &seen["teams"][0];
        let seen = (&seen["members"], &seen["is_member"], &seen["may_edit"]);
        assert_eq!(seen, (&json!(2), &json!(true), &json!(true)));

        let one = format!("/api/v1/teams/{id}");
        assert_eq!(
            ask(&team, &bob, ("DELETE", &one), Value::Null)
                .await
                .problem()
                .0,
            403
        );
        assert_eq!(
            ask(&team, &bob, ("DELETE", &bobs), Value::Null)
                .await
                .status,
            200
        );
        assert_eq!(
            ask(&team, &ada, ("DELETE", &bobs), Value::Null)
                .await
                .problem()
                .0,
            404
        );
        assert_eq!(
            ask(&team, &ada, ("DELETE", &one), Value::Null).await.status,
            200
        );
        assert_eq!(
            ask(&team, &bob, ("GET", &one), Value::Null)
                .await
                .problem()
                .0,
            404
        );
    });
}

#[test]
fn another_organizations_team_is_not_there() {
    with_team(async |team| {
        let ada = team.first().await;
        let made = ask(
            &team,
            &ada,
            ("POST", "/api/v1/teams"),
            json!({"name": "Core"}),
        )
        .await;
        let one = format!("/api/v1/teams/{}", made.json()["id"].as_str().unwrap());
        ask(
            &team,
            &ada,
            ("POST", "/api/v1/orgs"),
            json!({"name": "Side"}),
        )
        .await;
        let bob = json!({"email": BOB, "role": "owner"});
        let invited = ask(&team, &ada, ("POST", "/api/v1/orgs/side/invitations"), bob).await;
        let accept = json!({"code": invited.json()["code"], "password": PASSWORD});
        let accept = team.open("POST", "/api/v1/auth/invitation").json(&accept);
        let bob = logged_in(&accept.send().await);
        let teams = ask(&team, &bob, ("GET", "/api/v1/teams"), Value::Null).await;
        assert_eq!(teams.json(), json!({"teams": []}));
        let member = format!("{one}/members/{ADA}");
        let members = format!("{one}/members");
        for (method, path, body) in [
            ("GET", &one, Value::Null),
            ("DELETE", &one, Value::Null),
            ("GET", &members, Value::Null),
            ("PUT", &member, json!({"leads": true})),
            ("DELETE", &member, Value::Null),
        ] {
            let answer = ask(&team, &bob, (method, path), body).await;
            assert_eq!(
                answer.problem(),
                (404, "not_found".to_owned()),
                "{method} {path}"
            );
        }
    });
}
