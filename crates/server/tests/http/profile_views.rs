//! What applies to a person: all layers put together, and the way back.

use serde_json::{Value, json};

use crate::profile_trees::{OWN, TREE, blobs, get, paths, saved, send};
use crate::support::accounts::{Login, Team, with_team};
use crate::support::trees::{contents, whole};

#[test]
fn what_applies_has_the_organizations_files_too() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let org = "/api/v1/profile/tree?profile=org";
        let ours = [
            ("skills/pdf/SKILL.md", "ours"),
            ("settings.json", r#"{"a": 1, "b": 1}"#),
        ];
        let answer = send(&team, &ada, org, whole(&ours)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sha = saved(
            &team,
            &bob,
            &[("settings.json", r#"{"b": 2}"#), ("me.md", "mine")],
        )
        .await;
        let tree = get(&team, &bob, TREE).await.json();
        assert_eq!(
            paths(&tree),
            ["me.md", "settings.json", "skills/pdf/SKILL.md"]
        );
        assert_eq!(tree["commit_sha"], sha);
        assert_ne!(tree["version"], sha);
        let layers: Vec<&Value> = tree["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["profile"])
            .collect();
        assert_eq!(layers, ["org", "me"]);
        let of: Vec<&Value> = tree["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["layers"])
            .collect();
        assert_eq!(of, [&json!([1]), &json!([0, 1]), &json!([0])]);
        let merged = tree["files"][1]["sha256"].as_str().unwrap().to_owned();
        let answer = blobs(&team, &bob, "", std::slice::from_ref(&merged)).await;
        let merged_text: Value = serde_json::from_str(&contents(&answer)[0]).unwrap();
        assert_eq!(merged_text, json!({"a": 1, "b": 2}));
        let origins = "/api/v1/profile/origins?path=";
        let told = get(&team, &bob, &format!("{origins}settings.json")).await;
        let of = |pointer: &str, layer: usize| {
            let layer = &tree["layers"][layer];
            json!({"pointer": pointer, "profile": layer["profile"], "commit_sha": layer["commit_sha"]})
        };
        let values = json!([of("/a", 0), of("/b", 1)]);
        assert_eq!(
            told.json(),
            json!({"path": "settings.json", "values": values})
        );
        for one in ["me.md", "skills/pdf/SKILL.md", "none.json", "../x"] {
            let told = get(&team, &bob, &format!("{origins}{one}")).await;
            assert_eq!(told.json()["values"], json!([]), "{one}");
        }
        let unnamed = get(&team, &bob, origins.trim_end_matches("?path=")).await;
        assert_eq!(unnamed.problem().0, 422);
        assert_eq!(unnamed.json()["errors"][0]["field"], "path");
        // It is in no profile of its own.
        let answer = blobs(&team, &bob, "?profile=me", &[merged]).await;
        assert_eq!(answer.problem().0, 422);
        let own = get(&team, &bob, OWN).await.json();
        assert_eq!(paths(&own), ["me.md", "settings.json"]);
    });
}

/// The files of what applies, with their contents.
async fn view(team: &Team, login: &Login) -> (String, Vec<(String, String)>) {
    let answer = get(team, login, TREE).await;
    let tree = answer.json();
    let mut files = Vec::new();
    for file in tree["files"].as_array().unwrap() {
        let hash = file["sha256"].as_str().unwrap().to_owned();
        let found = contents(&blobs(team, login, "", &[hash]).await);
        files.push((file["path"].as_str().unwrap().to_owned(), found[0].clone()));
    }
    (answer.header("etag").to_owned(), files)
}

#[test]
fn what_applies_is_sent_back_and_only_what_was_changed_becomes_ones_own() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let org = "/api/v1/profile/tree?profile=org";
        let ours = [
            ("CLAUDE.md", "# Ours\n"),
            ("agents/a.md", "ours"),
            ("settings.json", r#"{"a": 1}"#),
        ];
        assert_eq!(send(&team, &ada, org, whole(&ours)).await.status, 200);
        saved(&team, &bob, &[("CLAUDE.md", "# Mine\n")]).await;
        let (tag, files) = view(&team, &bob).await;
        let claude = &files
            .iter()
            .find(|(path, _)| path == "CLAUDE.md")
            .unwrap()
            .1;
        assert!(claude.starts_with("<!-- wharf:begin"), "{claude}");
        assert!(
            claude.contains("# Ours\n") && claude.ends_with("# Mine\n"),
            "{claude}"
        );
        let sent = |files: &[(String, String)], tag: &str| {
            let files: Vec<(&str, &str)> = files
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .collect();
            let ask = team.with(&bob.access, "PUT", TREE).header("if-match", tag);
            ask.tree(whole(&files)).send()
        };
        let own = async || get(&team, &bob, OWN).await.json();

        // As it was: nothing is anybody's that was not before.
        let same = sent(&files, &tag).await;
        assert_eq!(same.status, 200, "{}", same.text());
        assert_eq!(same.header("etag"), tag);
        assert_eq!(paths(&own().await), ["CLAUDE.md"]);

        let mut changed = files.clone();
        for (path, content) in &mut changed {
            match path.as_str() {
                "CLAUDE.md" => content.push_str("More.\n"),
                "settings.json" => *content = r#"{"a": 1, "b": 2}"#.to_owned(),
                _ => {}
            }
        }
        changed.push(("commands/x.md".to_owned(), "mine".to_owned()));
        let answer = sent(&changed, &tag).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json().get("block_ignored"), None);
        let tree = own().await;
        assert_eq!(
            paths(&tree),
            ["CLAUDE.md", "commands/x.md", "settings.json"]
        );
        let hashes: Vec<String> = tree["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["sha256"].as_str().unwrap().to_owned())
            .collect();
        let own_files = contents(&blobs(&team, &bob, "?profile=me", &hashes).await);
        assert!(
            own_files.contains(&"# Mine\nMore.\n".to_owned()),
            "{own_files:?}"
        );
        assert!(
            !own_files.iter().any(|it| it.contains("\"a\"")),
            "{own_files:?}"
        );
        let stale = sent(&files, &tag).await;
        assert_eq!(stale.problem(), (412, "precondition_failed".to_owned()));
        assert_eq!(stale.header("etag"), answer.header("etag"));

        // What is the organization's is not changed there, and that is told.
        let (tag, mut files) = view(&team, &bob).await;
        let claude = files
            .iter_mut()
            .find(|(path, _)| path == "CLAUDE.md")
            .unwrap();
        claude.1 = claude.1.replace("# Ours", "# Theirs");
        let answer = sent(&files, &tag).await;
        assert_eq!(answer.json()["block_ignored"], true);
        let content = get(&team, &ada, "/api/v1/configuration/org").await.json();
        assert_eq!(content["content"], "# Ours\n");
        // Its next version arrives.
        let next = [("CLAUDE.md", "# New\n")];
        assert_eq!(send(&team, &ada, org, whole(&next)).await.status, 200);
        let (_, files) = view(&team, &bob).await;
        assert!(files[0].1.contains("# New\n") && files[0].1.ends_with("# Mine\nMore.\n"));
    });
}
