//! Whole profiles: read, sent, refused before they are too much, compared, taken back.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use serde_json::{Value, json};
use wharf_profiles::limits::{FILE_MAX, FILES_MAX, TREE_MAX};

use crate::configuration::git;
use crate::support::Answer;
use crate::support::accounts::{Login, Team, with_team};
use crate::support::trees::{body, contents, framed, hash, manifest, whole};

const TREE: &str = "/api/v1/profile/tree";
const OWN: &str = "/api/v1/profile/tree?profile=me";

async fn send(team: &Team, login: &Login, path: &str, body: impl Into<Body>) -> Answer {
    team.with(&login.access, "PUT", path)
        .tree(body)
        .send()
        .await
}

async fn get(team: &Team, login: &Login, path: &str) -> Answer {
    team.with(&login.access, "GET", path).send().await
}

/// Saves these files as one's own; their version.
async fn saved(team: &Team, login: &Login, files: &[(&str, &str)]) -> String {
    let answer = send(team, login, OWN, whole(files)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["version"].as_str().unwrap().to_owned()
}

async fn blobs(team: &Team, login: &Login, query: &str, hashes: &[String]) -> Answer {
    let path = format!("/api/v1/profile/blobs{query}");
    let ask = team.with(&login.access, "POST", &path);
    ask.json(&json!({"sha256": hashes})).send().await
}

fn paths(tree: &Value) -> Vec<&str> {
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
fn what_is_no_tree_is_refused_and_nothing_is_written() {
    with_team(async |team| {
        let ada = team.first().await;
        let good = whole(&[("a.md", "content")]);
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let html = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>".to_vec();
        let huge = [
            &body(&json!({"files": []}), &[]),
            &(1_u32 << 30).to_be_bytes()[..],
            &[0; 32],
        ];
        for (what, sent, status, code) in [
            ("nothing", Vec::new(), 422, "invalid_request"),
            ("half a size", vec![0, 0], 422, "invalid_request"),
            (
                "half a manifest",
                good[..20].to_vec(),
                422,
                "invalid_request",
            ),
            (
                "half a content",
                good[..good.len() - 1].to_vec(),
                422,
                "bad_stream",
            ),
            (
                "half a header",
                good[..good.len() - 30].to_vec(),
                422,
                "bad_stream",
            ),
            ("another content", damaged, 422, "damaged"),
            ("a page", html, 413, "body_too_large"),
            (
                "no manifest",
                body(&json!([1]), &[]),
                422,
                "invalid_request",
            ),
            ("no files", body(&json!({}), &[]), 422, "invalid_request"),
            (
                "a number",
                body(&json!({"files": [{"path": 1, "sha256": ""}]}), &[]),
                422,
                "invalid_request",
            ),
            (
                "no hash",
                body(&json!({"files": [{"path": "a", "sha256": "x"}]}), &[]),
                422,
                "refused",
            ),
            ("a gigabyte", huge.concat(), 413, "too_large"),
        ] {
            for path in [OWN, TREE] {
                let answer = send(&team, &ada, path, sent.clone()).await;
                assert_eq!(
                    answer.problem(),
                    (status, code.to_owned()),
                    "{what}: {}",
                    answer.text()
                );
            }
        }
        let ask = team.with(&ada.access, "PUT", OWN).body(good.clone());
        assert_eq!(ask.send().await.problem().0, 415);
        let ask = team
            .with(&ada.access, "PUT", OWN)
            .tree(good)
            .header("content-encoding", "gzip");
        assert_eq!(ask.send().await.problem().0, 415);
        assert!(!team.profiles.exists());
    });
}

/// A body of these pieces, and how many of them were read.
fn counted(pieces: Vec<Vec<u8>>) -> (Body, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&read);
    let pieces = pieces.into_iter().map(move |piece| {
        seen.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(piece))
    });
    (Body::from_stream(futures_util::stream::iter(pieces)), read)
}

#[test]
fn bounds_are_looked_at_before_what_would_break_them_is_read() {
    with_team(async |team| {
        let ada = team.first().await;
        let one = body(&json!({"files": []}), &[]);
        let gigabyte = [(1_u32 << 30).to_be_bytes().as_slice(), &[0; 32]].concat();
        let (sent, read) = counted(vec![one.clone(), gigabyte, vec![0; 1000], vec![0; 1000]]);
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (413, "too_large".into())
        );
        assert_eq!(read.load(Ordering::Relaxed), 2);

        let manifest_size = (8 * 1024 * 1024 + 1_u32).to_be_bytes().to_vec();
        let (sent, read) = counted(vec![manifest_size, vec![b' '; 1000]]);
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (413, "body_too_large".into())
        );
        assert_eq!(read.load(Ordering::Relaxed), 1);

        // Of what nobody may change nothing is read.
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let (sent, read) = counted(vec![one.clone()]);
        let org = "/api/v1/profile/tree?profile=org";
        assert_eq!(send(&team, &bob, org, sent).await.problem().0, 403);
        assert_eq!(read.load(Ordering::Relaxed), 0);

        let files = |count: usize| {
            let files =
                (0..count).map(|it| json!({"path": format!("f/{it}"), "sha256": hash(b"")}));
            json!({"files": files.collect::<Vec<_>>()})
        };
        let (sent, read) = counted(vec![body(&files(FILES_MAX + 1), &[]), framed(b"")]);
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (422, "too_many".into())
        );
        assert_eq!(read.load(Ordering::Relaxed), 1);
        let most = send(&team, &ada, OWN, body(&files(FILES_MAX), &framed(b""))).await;
        assert_eq!(most.status, 200, "{}", most.text());
        assert_eq!(most.json()["files"].as_array().unwrap().len(), FILES_MAX);
    });
}

#[test]
fn a_file_and_all_files_together_have_a_size() {
    with_team(async |team| {
        let ada = team.first().await;
        let content = |first: u8, size: usize| {
            let mut content = vec![b'x'; size];
            content[0] = first;
            content
        };
        let file = |name: &str, content: &[u8]| json!({"path": name, "sha256": hash(content)});
        let most = content(b'a', FILE_MAX);
        let sent = body(&json!({"files": [file("a", &most)]}), &framed(&most));
        assert_eq!(send(&team, &ada, OWN, sent).await.status, 200);
        let more = content(b'a', FILE_MAX + 1);
        let sent = body(&json!({"files": [file("a", &more)]}), &framed(&more));
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (413, "too_large".into())
        );

        let count = u8::try_from(TREE_MAX / FILE_MAX).unwrap();
        let all: Vec<Vec<u8>> = (0..count).map(|it| content(b'a' + it, FILE_MAX)).collect();
        let named: Vec<Value> = all
            .iter()
            .enumerate()
            .map(|(n, it)| file(&n.to_string(), it))
            .collect();
        let mut pieces = vec![body(&json!({"files": named}), &[])];
        pieces.extend(all.iter().map(|it| framed(it)));
        let (sent, read) = counted([pieces.clone(), vec![framed(b"y"), framed(b"z")]].concat());
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (413, "too_large".into())
        );
        assert_eq!(read.load(Ordering::Relaxed), usize::from(count) + 2);
        let (sent, _) = counted(pieces);
        let answer = send(&team, &ada, OWN, sent).await;
        assert_eq!(answer.status, 200, "{}", answer.text());

        let hashes: Vec<String> = all.iter().map(|it| hash(it)).collect();
        let answer = blobs(&team, &ada, "?profile=me", &hashes).await;
        assert_eq!(
            answer.header("content-length"),
            (TREE_MAX + 8 * 36).to_string()
        );
        assert_eq!(answer.body.len(), TREE_MAX + 8 * 36);
    });
}

#[test]
fn contents_are_asked_for_by_hashes_within_a_bound() {
    with_team(async |team| {
        let ada = team.first().await;
        let many: Vec<String> = (0..=FILES_MAX)
            .map(|it| hash(it.to_string().as_bytes()))
            .collect();
        let answer = blobs(&team, &ada, "", &many).await;
        assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
        let answer = blobs(&team, &ada, "", &many[1..]).await;
        assert_eq!(answer.problem(), (422, "missing_contents".to_owned()));
        assert_eq!(
            answer.json()["missing"].as_array().unwrap().len(),
            FILES_MAX
        );
        let answer = blobs(&team, &ada, "", &["x".into(), hash(b""), "y".into()]).await;
        let errors = answer.json()["errors"].clone();
        assert_eq!(
            (&errors[0]["field"], &errors[1]["field"]),
            (&json!("sha256[0]"), &json!("sha256[2]"))
        );
        let nothing = blobs(&team, &ada, "", &[]).await;
        assert!(contents(&nothing).is_empty());
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
        let answer = blobs(&team, &bob, "", &[merged.clone()]).await;
        let merged_text: Value = serde_json::from_str(&contents(&answer)[0]).unwrap();
        assert_eq!(merged_text, json!({"a": 1, "b": 2}));
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
