//! Whole profiles: read, sent, compared, taken back.

use std::io::Write as _;
use std::process::{Command, Stdio};

use axum::body::Body;
use serde_json::{Value, json};

use crate::configuration::git;
use crate::support::Answer;
use crate::support::accounts::{Login, Team, with_team};
use crate::support::trees::{body, contents, framed, hash, manifest, whole};

pub(crate) const TREE: &str = "/api/v1/profile/tree";
pub(crate) const OWN: &str = "/api/v1/profile/tree?profile=me";

pub(crate) async fn send(team: &Team, login: &Login, path: &str, body: impl Into<Body>) -> Answer {
    team.with(&login.access, "PUT", path)
        .tree(body)
        .send()
        .await
}

pub(crate) async fn get(team: &Team, login: &Login, path: &str) -> Answer {
    team.with(&login.access, "GET", path).send().await
}

/// Saves these files as one's own; their version.
pub(crate) async fn saved(team: &Team, login: &Login, files: &[(&str, &str)]) -> String {
    let answer = send(team, login, OWN, whole(files)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["version"].as_str().unwrap().to_owned()
}

pub(crate) async fn blobs(team: &Team, login: &Login, query: &str, hashes: &[String]) -> Answer {
    let path = format!("/api/v1/profile/blobs{query}");
    let ask = team.with(&login.access, "POST", &path);
    ask.json(&json!({"sha256": hashes})).send().await
}

pub(crate) fn paths(tree: &Value) -> Vec<&str> {
    let files = tree["files"].as_array().unwrap();
    files
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect()
}

#[test]
fn a_tree_goes_there_and_comes_back() {
    with_team(async |team| {
        let ada = team.first().await;
        let nothing = get(&team, &ada, OWN).await;
        let me = get(&team, &ada, "/api/v1/auth/me").await.json();
        let owner = format!("user/{}", me["id"].as_str().unwrap());
        let empty = json!({"owner": owner, "version": "", "commit_sha": "", "updated_at": null,
            "layers": [], "files": []});
        assert_eq!(
            (nothing.json(), nothing.header("etag")),
            (empty.clone(), "\"\"")
        );
        let nothing = get(&team, &ada, TREE).await;
        assert_eq!((nothing.json(), nothing.header("etag")), (empty, "\"\""));

        let files = [
            ("CLAUDE.md", "# Hi\n"),
            ("hooks/lint.sh", "true\n"),
            ("settings.json", "{}"),
        ];
        let answer = send(&team, &ada, OWN, whole(&files)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let tree = answer.json();
        let sha = tree["version"].as_str().unwrap();
        assert_eq!(answer.header("etag"), format!("\"{sha}\""));
        assert_eq!(tree["author"], "Ada <ada@example.com>");
        assert_eq!(
            paths(&tree),
            ["CLAUDE.md", "hooks/lint.sh", "settings.json"]
        );
        let script = json!({"path": "hooks/lint.sh", "sha256": hash(b"true\n"), "size": 5,
            "executable": true});
        assert_eq!(tree["files"][1], script);
        let layer = json!([{"profile": "me", "name": "ada@example.com", "commit_sha": sha}]);
        assert_eq!(tree["layers"], layer);
        assert_eq!(get(&team, &ada, OWN).await.json(), tree);
        // Nothing but one's own applies: it is the same thing.
        assert_eq!(get(&team, &ada, TREE).await.json(), tree);
        assert_eq!(git(&team, &owner, &["rev-parse", "main"]), sha);
        let mode = git(&team, &owner, &["ls-tree", "main", "hooks/"]);
        assert!(mode.starts_with("100755 "), "{mode}");

        for path in [TREE, OWN] {
            let ask = team.with(&ada.access, "GET", path);
            let ask = ask.header("if-none-match", format!("\"{sha}\""));
            let answer = ask.send().await;
            assert_eq!(
                (answer.status.as_u16(), answer.body.len()),
                (304, 0),
                "{path}"
            );
        }
        let hashes: Vec<String> = files.iter().map(|(_, it)| hash(it.as_bytes())).collect();
        for query in ["", "?profile=me"] {
            let twice = [hashes.clone(), hashes.clone()].concat();
            let answer = blobs(&team, &ada, query, &twice).await;
            assert_eq!(contents(&answer), ["# Hi\n", "true\n", "{}"]);
        }
        // The single file is one of them.
        let single = get(&team, &ada, "/api/v1/configuration/me").await.json();
        assert_eq!(
            (&single["content"], &single["commit_sha"]),
            (&json!("# Hi\n"), &json!(sha))
        );
    });
}

#[test]
fn what_is_here_need_not_be_sent_and_what_is_not_is_named() {
    with_team(async |team| {
        let ada = team.first().await;
        let one = saved(&team, &ada, &[("a.md", "same"), ("b.md", "old")]).await;
        let files = [("a.md", "same"), ("b.md", "new"), ("c.md", "more")];
        let (new, more) = (hash(b"new"), hash(b"more"));
        let answer = send(&team, &ada, OWN, body(&manifest(&files), &framed(b"new"))).await;
        assert_eq!(answer.problem(), (422, "missing_contents".to_owned()));
        assert_eq!(answer.json()["missing"], json!([more]));
        let answer = send(&team, &ada, OWN, body(&manifest(&files), &[])).await;
        let mut missing = [new.clone(), more.clone()];
        missing.sort_unstable();
        assert_eq!(answer.json()["missing"], json!(missing));
        assert_eq!(get(&team, &ada, OWN).await.json()["version"], one);

        let all = [framed(b"new"), framed(b"more")].concat();
        let answer = send(&team, &ada, OWN, body(&manifest(&files), &all)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        // An older version's content is there still.
        let older = blobs(&team, &ada, "?profile=me", &[hash(b"old")]).await;
        assert_eq!(contents(&older), ["old"]);
        let none = blobs(&team, &ada, "?profile=me", &[hash(b"old"), hash(b"none")]).await;
        assert_eq!(none.problem(), (422, "missing_contents".to_owned()));
        assert_eq!(none.json()["missing"], json!([hash(b"none")]));
        let field = none.json()["errors"][0].clone();
        assert_eq!(field["field"], "sha256");
        assert!(
            !field["message"].as_str().unwrap().contains("send"),
            "{field}"
        );
        let then = get(&team, &ada, &format!("{OWN}&version={one}")).await;
        assert_eq!(paths(&then.json()), ["a.md", "b.md"]);
        assert_eq!(then.header("etag"), format!("\"{one}\""));
        let unknown = get(&team, &ada, &format!("{OWN}&version={}", "a".repeat(40))).await;
        assert_eq!(unknown.problem().0, 404);
        let of_all = get(&team, &ada, &format!("{TREE}?version={one}")).await;
        assert_eq!(of_all.problem().0, 422);
    });
}

#[test]
fn of_many_who_send_a_tree_for_one_version_one_does() {
    with_team(async |team| {
        let ada = team.first().await;
        let sha = saved(&team, &ada, &[("a.md", "first")]).await;
        for path in [OWN, TREE] {
            let version = get(&team, &ada, path).await.header("etag").to_owned();
            let asks = (0..8).map(|number| {
                let content = format!("{path} {number}");
                let ask = team
                    .with(&ada.access, "PUT", path)
                    .header("if-match", version.clone());
                tokio::spawn(ask.tree(whole(&[("a.md", &content)])).send())
            });
            let asks: Vec<_> = asks.collect();
            let mut statuses = Vec::new();
            for ask in asks {
                statuses.push(ask.await.unwrap().status.as_u16());
            }
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412], "{path}");
        }
        let ask = team
            .with(&ada.access, "PUT", OWN)
            .header("if-match", format!("\"{sha}\""));
        let stale = ask.tree(whole(&[("a.md", "x")])).send().await;
        assert_eq!(stale.problem(), (412, "precondition_failed".to_owned()));
        let now = get(&team, &ada, OWN).await;
        assert_eq!(stale.header("etag"), now.header("etag"));
    });
}

#[test]
fn files_that_may_not_be_there_are_all_named() {
    with_team(async |team| {
        let ada = team.first().await;
        let key = "x\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v\n";
        let files = [
            ("../up.md", "a"),
            ("/etc/passwd", "a"),
            (".git/config", "a"),
            ("ok.md", "a"),
            ("a\\b", "a"),
            ("keys/id", key),
        ];
        let answer = send(&team, &ada, OWN, whole(&files)).await;
        assert_eq!(answer.problem(), (422, "refused".to_owned()));
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        let named: Vec<&str> = errors
            .iter()
            .map(|it| it["field"].as_str().unwrap())
            .collect();
        assert_eq!(
            named,
            [
                "../up.md",
                "/etc/passwd",
                ".git/config",
                "a\\\\b",
                "keys/id"
            ]
        );
        assert_eq!(errors[4]["message"], "line 2: it has a private key in it");
        let two = [("Readme.md", "a"), ("README.md", "b")];
        assert_eq!(send(&team, &ada, OWN, whole(&two)).await.problem().0, 422);
        let no_text = json!({"files": [{"path": "CLAUDE.md", "sha256": hash(b"\xff")}]});
        let answer = send(&team, &ada, OWN, body(&no_text, &framed(b"\xff"))).await;
        assert_eq!(
            answer.json()["errors"][0]["message"],
            "line 1: it is not UTF-8"
        );
        assert_eq!(get(&team, &ada, OWN).await.json()["version"], "");
    });
}

#[test]
fn what_changed_is_told_as_git_tells_it() {
    with_team(async |team| {
        let ada = team.first().await;
        let before: &[(&str, &str)] = &[
            ("a.md", "one\ntwo\nthree\n"),
            ("b c/\"q\".md", "x"),
            ("gone.md", "bye\n"),
            ("run.sh", "true\n"),
            ("bin", "a\0b"),
            ("ä.md", "ö\n"),
        ];
        let after: &[(&str, &str)] = &[
            ("a.md", "one\n2\nthree\n"),
            ("b c/\"q\".md", "y"),
            ("empty.md", ""),
            ("new/file.md", "hello\n"),
            ("run.sh", "false\n"),
            ("bin", "a\0c"),
            ("ä.md", "ö\nü"),
        ];
        let one = saved(&team, &ada, before).await;
        let two = saved(&team, &ada, after).await;
        let answer = get(
            &team,
            &ada,
            &format!("/api/v1/profile/diff?from={one}&to={two}"),
        )
        .await;
        let told = answer.json();
        assert_eq!((&told["files"], &told["omitted"]), (&json!(8), &json!(1)));
        let diff = told["diff"].as_str().unwrap();
        assert!(diff.contains("-two\n+2\n"), "{diff}");
        assert!(
            diff.contains("Binary files a/bin and b/bin differ\n"),
            "{diff}"
        );

        // Stock git makes the one of the other with it, as far as it is text.
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in before {
            let place = folder.path().join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, content).unwrap();
        }
        let text: String = diff
            .split_inclusive("diff --git ")
            .filter(|part| !part.contains("Binary files"))
            .collect();
        let mut apply = Command::new("git")
            .args(["apply", "--unsafe-paths", "-"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        apply
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(apply.wait().unwrap().success(), "{text}");
        for (path, content) in after.iter().filter(|(path, _)| *path != "bin") {
            let found = std::fs::read_to_string(folder.path().join(path)).unwrap();
            assert_eq!(found, *content, "{path}");
        }
        assert!(!folder.path().join("gone.md").exists());

        let all = get(&team, &ada, "/api/v1/profile/diff").await.json();
        assert_eq!(all["files"], after.len());
        let same = get(&team, &ada, &format!("/api/v1/profile/diff?from={two}"))
            .await
            .json();
        assert_eq!(same, json!({"diff": "", "files": 0, "omitted": 0}));
        let unknown = get(&team, &ada, "/api/v1/profile/diff?from=main").await;
        assert_eq!(unknown.problem().0, 404);
    });
}

#[test]
fn a_large_difference_is_cut_and_says_so() {
    with_team(async |team| {
        let ada = team.first().await;
        let large = "0123456789\n".repeat(20_000);
        let files: Vec<(String, String)> = (0..6)
            .map(|it| (format!("{it}.md"), format!("{it}\n{large}")))
            .collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        saved(&team, &ada, &files).await;
        let told = get(&team, &ada, "/api/v1/profile/diff").await.json();
        assert_eq!((&told["files"], &told["omitted"]), (&json!(6), &json!(2)));
        assert!(told["diff"].as_str().unwrap().len() <= 1024 * 1024);
    });
}

#[test]
fn a_whole_profile_goes_back() {
    with_team(async |team| {
        let ada = team.first().await;
        let one = saved(&team, &ada, &[("CLAUDE.md", "one"), ("a.md", "a")]).await;
        let two = saved(&team, &ada, &[("CLAUDE.md", "two")]).await;
        let back = |sha: &str| {
            let path = format!("/api/v1/profile/rollback/{sha}?profile=me");
            team.with(&ada.access, "POST", &path)
        };
        let stale = back(&one)
            .header("if-match", format!("\"{one}\""))
            .send()
            .await;
        assert_eq!(stale.problem().0, 412);
        let bound = back(&one)
            .header("if-match", format!("\"{two}\""))
            .send()
            .await;
        assert_eq!(bound.status, 200, "{}", bound.text());
        assert_eq!(paths(&bound.json()), ["CLAUDE.md", "a.md"]);
        assert_ne!(bound.json()["version"], one);
        assert_eq!(back("main").send().await.problem().0, 404);
        let history = get(&team, &ada, "/api/v1/profile/history").await.json();
        assert_eq!(history["total"], 3);
        for wrong in ["limit=0", "limit=101"] {
            let answer = get(&team, &ada, &format!("/api/v1/profile/history?{wrong}")).await;
            assert_eq!(answer.problem().0, 422);
        }
    });
}
