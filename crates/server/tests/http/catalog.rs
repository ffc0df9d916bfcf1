//! The catalog, call by call.

use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::accounts::{Login, Team, with_team};

const ITEMS: &str = "/api/v1/catalog/items";

async fn add(team: &Team, login: &Login, body: &Value) -> Answer {
    team.with(&login.access, "POST", ITEMS)
        .json(body)
        .send()
        .await
}

async fn get(team: &Team, login: &Login, path: &str) -> Answer {
    team.with(&login.access, "GET", path).send().await
}

fn draft(kind: &str, name: &str) -> Value {
    json!({"type": kind, "name": name, "description": "Reads documents", "tags": ["office"],
        "content": "# Content"})
}

fn of(mut draft: Value, scope: &str) -> Value {
    draft["scope"] = json!(scope);
    draft
}

#[test]
fn an_item_is_added_shown_changed_and_removed() {
    with_team(async |team| {
        let ada = team.first().await;
        let made = add(&team, &ada, &draft("skill", "pdf")).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let item = made.json();
        let id = item["id"].as_str().unwrap();
        assert!(id.starts_with("itm_"));
        let me = get(&team, &ada, "/api/v1/auth/me").await.json();
        let expected = json!({"id": id, "type": "skill", "name": "pdf",
            "description": "Reads documents", "tags": ["office"], "scope": "user",
            "scope_id": me["id"], "revision": 1, "updated_at": item["updated_at"]});
        assert_eq!(item, expected);
        assert_eq!(made.header("etag"), "\"1\"");
        let again = add(&team, &ada, &draft("skill", "pdf")).await;
        assert_eq!(again.problem(), (400, "already_exists".to_owned()));
        let detail = again.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail, "A skill named \"pdf\" already exists.");

        let one = format!("{ITEMS}/{id}");
        assert_eq!(get(&team, &ada, &one).await.json(), item);
        let raw = get(&team, &ada, &format!("{one}/raw")).await;
        let content = json!({"name": "pdf", "type": "skill", "description": "Reads documents",
            "tags": ["office"], "content": "# Content"});
        assert_eq!((raw.json(), raw.header("etag")), (content, "\"1\""));

        let put = |body: Value| team.with(&ada.access, "PUT", &one).json(&body);
        let changed = put(draft("skill", "pdf-2"))
            .header("if-match", "\"1\"")
            .send()
            .await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        assert_eq!(
            (&changed.json()["name"], &changed.json()["revision"]),
            (&json!("pdf-2"), &json!(2))
        );
        for tag in ["\"1\"", "\"x\"", "W/\"2\"", "\"\""] {
            let stale = put(draft("skill", "pdf-3"))
                .header("if-match", tag)
                .send()
                .await;
            assert_eq!(
                stale.problem(),
                (412, "precondition_failed".to_owned()),
                "{tag}"
            );
        }
        assert_eq!(put(draft("agent", "pdf-2")).send().await.problem().0, 422);
        let moved = put(of(draft("skill", "pdf-2"), "org")).send().await;
        assert_eq!(moved.json()["errors"][0]["field"], "scope");
        let unbound = put(draft("skill", "pdf-4")).send().await;
        assert_eq!(unbound.json()["revision"], 3);

        let remove = || team.with(&ada.access, "DELETE", &one);
        assert_eq!(
            remove()
                .header("if-match", "\"2\"")
                .send()
                .await
                .problem()
                .0,
            412
        );
        let gone = remove().header("if-match", "\"3\"").send().await;
        assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
        assert_eq!(remove().send().await.problem().0, 404);
        assert_eq!(get(&team, &ada, &one).await.problem().0, 404);
        let refreshed = team
            .with(&ada.access, "POST", "/api/v1/catalog/refresh")
            .send()
            .await;
        assert_eq!((refreshed.status.as_u16(), refreshed.body.len()), (204, 0));
    });
}

#[test]
fn the_catalog_has_pages_and_is_searched() {
    with_team(async |team| {
        let ada = team.first().await;
        for (kind, name) in [
            ("skill", "a"),
            ("command", "b"),
            ("mcp_server", "c"),
            ("hook", "d"),
            ("tool", "e"),
        ] {
            assert_eq!(add(&team, &ada, &draft(kind, name)).await.status, 201);
        }
        let org = of(draft("agent", "Reviewer"), "org");
        assert_eq!(add(&team, &ada, &org).await.status, 201);
        let list = async |query: &str| get(&team, &ada, &format!("/api/v1/catalog{query}")).await;
        let names = |page: &Value| {
            let items = page["items"].as_array().unwrap();
            items
                .iter()
                .map(|it| it["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let page = list("?page=2&size=4").await.json();
        let counts = [&page["total"], &page["page"], &page["size"], &page["pages"]];
        assert_eq!(counts, [&json!(6), &json!(2), &json!(4), &json!(2)]);
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
        for (query, expected) in [
            ("?type=mcp_server", vec!["c"]),
            ("?q=REVIEW", vec!["Reviewer"]),
            ("?q=office+documents&type=hook", vec!["d"]),
            ("?q=nothing", vec![]),
            ("?scope=org", vec!["Reviewer"]),
            ("?scope=team", vec![]),
            ("?scope=user&type=skill", vec!["a"]),
            ("?page=9", vec![]),
        ] {
            assert_eq!(names(&list(query).await.json()), expected, "{query}");
        }
        for (query, field) in [
            ("?page=0", "page"),
            ("?size=0", "size"),
            ("?size=101", "size"),
            ("?type=x", "type"),
            ("?scope=all", "scope"),
            ("?page=4294967296", "page"),
        ] {
            let answer = list(query).await;
            assert_eq!(answer.problem().0, 422, "{query}");
            assert_eq!(answer.json()["errors"][0]["field"], field);
        }
        assert_eq!(list("?size=100&page=4294967295").await.status, 200);
        assert_eq!(list("?scope=team:none").await.problem().0, 404);
    });
}

#[test]
fn an_item_is_seen_and_changed_by_those_it_is_for() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let org = add(&team, &ada, &of(draft("skill", "shared"), "org")).await;
        assert_eq!(org.status, 201, "{}", org.text());
        let own = add(&team, &ada, &draft("skill", "own")).await.json();
        let path = |item: &Value| format!("{ITEMS}/{}", item["id"].as_str().unwrap());
        let (org, own) = (path(&org.json()), path(&own));

        let listed = get(&team, &bob, "/api/v1/catalog").await.json();
        assert_eq!(
            (&listed["total"], &listed["items"][0]["name"]),
            (&json!(1), &json!("shared"))
        );
        assert_eq!(get(&team, &bob, &format!("{org}/raw")).await.status, 200);
        for path in [own.clone(), format!("{own}/raw")] {
            assert_eq!(get(&team, &bob, &path).await.problem().0, 404);
        }
        for (path, status) in [(&own, 404), (&org, 403)] {
            let put = team
                .with(&bob.access, "PUT", path)
                .json(&draft("skill", "x"));
            assert_eq!(put.send().await.problem().0, status);
            let gone = team.with(&bob.access, "DELETE", path).send().await;
            assert_eq!(gone.problem().0, status);
        }
        for (body, status) in [
            (of(draft("skill", "x"), "org"), 403),
            (of(draft("skill", "x"), "team"), 422),
            (
                json!({"type": "skill", "name": "x", "scope": "team", "scope_id": "none"}),
                404,
            ),
            (
                json!({"type": "skill", "name": "x", "scope": "user", "scope_id": "none"}),
                404,
            ),
            (json!({"type": "potion", "name": "x"}), 422),
            (
                json!({"type": "skill", "name": "a/b", "tags": ["", "x"]}),
                422,
            ),
            (json!({"type": "skill"}), 422),
        ] {
            let answer = add(&team, &bob, &body).await;
            assert_eq!(answer.problem().0, status, "{body}: {}", answer.text());
        }
        // Two may call theirs alike.
        assert_eq!(add(&team, &bob, &draft("skill", "own")).await.status, 201);
        let put = team
            .with(&ada.access, "PUT", &org)
            .json(&draft("skill", "renamed"));
        assert_eq!(put.send().await.status, 200);
    });
}

#[test]
fn what_a_change_leaves_out_stays() {
    with_team(async |team| {
        let ada = team.first().await;
        let made = add(&team, &ada, &draft("skill", "pdf")).await.json();
        let one = format!("{ITEMS}/{}", made["id"].as_str().unwrap());
        let put = async |body: Value| {
            let ask = team.with(&ada.access, "PUT", &one).json(&body);
            let answer = ask.send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            get(&team, &ada, &format!("{one}/raw")).await.json()
        };
        let renamed = put(json!({"name": "docx"})).await;
        let expected = json!({"name": "docx", "type": "skill", "description": "Reads documents",
            "tags": ["office"], "content": "# Content"});
        assert_eq!(renamed, expected);
        let emptied = put(json!({"description": "", "tags": [], "content": "# New"})).await;
        let expected = json!({"name": "docx", "type": "skill", "description": "",
            "tags": [], "content": "# New"});
        assert_eq!(emptied, expected);
        assert_eq!(put(json!({})).await, expected);
    });
}
