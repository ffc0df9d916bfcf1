//! The single file of a profile, line by line as clients of the platform's contract use it.

use std::process::Command;

use serde_json::{Value, json};
use wharf_profiles::limits::CONTENT_MAX;

use crate::support::accounts::{ADA, Login, Team, with_team};
use crate::support::{Answer, Ask};

const ME: &str = "/api/v1/configuration/me";

fn put(team: &Team, login: &Login, path: &str, content: &str) -> Ask {
    let body = json!({"content": content});
    team.with(&login.access, "PUT", path).json(&body)
}

async fn saved(team: &Team, login: &Login, content: &str) -> String {
    let answer = put(team, login, ME, content).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["commit_sha"].as_str().unwrap().to_owned()
}

async fn get(team: &Team, login: &Login, path: &str) -> Answer {
    team.with(&login.access, "GET", path).send().await
}

/// What stock git says of somebody's repository.
pub(crate) fn git(team: &Team, owner: &str, words: &[&str]) -> String {
    let directory = team.profiles.join(format!("{owner}.git"));
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(directory)
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn id_of(team: &Team, login: &Login) -> String {
    let me = get(team, login, "/api/v1/auth/me").await.json();
    me["id"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_was_ever_saved() {
    with_team(async |team| {
        let ada = team.first().await;
        let answer = get(&team, &ada, ME).await;
        assert_eq!(answer.status, 200);
        let nothing = json!({"content": "", "commit_sha": "", "updated_at": null});
        assert_eq!(answer.json(), nothing);
        assert_eq!(answer.header("etag"), "\"\"");
        let history = get(&team, &ada, &format!("{ME}/history")).await.json();
        assert_eq!(history, json!({"versions": [], "total": 0}));
        let effective = get(&team, &ada, "/api/v1/profile/effective-configuration").await;
        let nothing = json!({"content": "", "org_applied": false, "team_applied": false,
            "user_applied": false, "parts": []});
        assert_eq!(effective.json(), nothing);
        let unknown = format!("{ME}/rollback/{}", "a".repeat(40));
        let unknown = team.with(&ada.access, "POST", &unknown).send().await;
        assert_eq!(unknown.problem(), (404, "not_found".to_owned()));
        assert!(!team.profiles.exists(), "looking makes nothing");
    });
}

#[test]
fn a_version_is_a_commit_of_the_person() {
    with_team(async |team| {
        let ada = team.first().await;
        let body = json!({"content": "# Be kind\n", "message": "Begin"});
        let ask = team.with(&ada.access, "PUT", ME).json(&body);
        let made = ask.send().await;
        assert_eq!(made.status, 200, "{}", made.text());
        let sha = made.json()["commit_sha"].as_str().unwrap().to_owned();
        assert_eq!(made.header("etag"), format!("\"{sha}\""));
        let shown = get(&team, &ada, ME).await;
        assert_eq!(shown.json(), made.json());
        assert_eq!(shown.header("etag"), made.header("etag"));
        assert!(made.json()["updated_at"].as_str().unwrap().ends_with('Z'));

        let owner = format!("user/{}", id_of(&team, &ada).await);
        assert_eq!(git(&team, &owner, &["rev-parse", "main"]), sha);
        let said = git(&team, &owner, &["log", "-1", "--format=%an|%ae|%s"]);
        assert_eq!(said, format!("Ada|{ADA}|Begin"));
        assert_eq!(git(&team, &owner, &["show", "main:CLAUDE.md"]), "# Be kind");

        // The same again is no version.
        assert_eq!(saved(&team, &ada, "# Be kind\n").await, sha);
        let history = get(&team, &ada, &format!("{ME}/history")).await.json();
        assert_eq!(history["total"], 1);
        let version = &history["versions"][0];
        assert_eq!(
            (
                &version["commit_sha"],
                &version["message"],
                &version["author"]
            ),
            (&json!(sha), &json!("Begin"), &json!(format!("Ada <{ADA}>")))
        );
        assert_eq!(version["timestamp"], made.json()["updated_at"]);
    });
}

#[test]
fn who_has_it_gets_it_once() {
    with_team(async |team| {
        let ada = team.first().await;
        let sha = saved(&team, &ada, "one").await;
        let ask = |path: &str, tag: &str| {
            let ask = team.with(&ada.access, "GET", path);
            ask.header("if-none-match", tag).send()
        };
        for tag in [
            format!("\"{sha}\""),
            format!("W/\"{sha}\""),
            sha.clone(),
            "*".into(),
        ] {
            let answer = ask(ME, &tag).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body.len()),
                (304, 0),
                "{tag}"
            );
            assert_eq!(answer.header("etag"), format!("\"{sha}\""));
        }
        assert_eq!(ask(ME, "\"other\"").await.status, 200);
        assert_eq!(ask(ME, "\"broken").await.problem().0, 422);
        let effective = "/api/v1/profile/effective-configuration";
        let tag = get(&team, &ada, effective).await.header("etag").to_owned();
        assert_eq!(ask(effective, &tag).await.status, 304);
        saved(&team, &ada, "two").await;
        assert_eq!(ask(effective, &tag).await.status, 200);
        assert_eq!(
            ask(ME, &format!("\"{sha}\"")).await.json()["content"],
            "two"
        );
    });
}

#[test]
fn a_change_of_what_was_changed_meanwhile_is_refused() {
    with_team(async |team| {
        let ada = team.first().await;
        let bound = |content: &'static str, name: &str, tag: &str| {
            let ask = put(&team, &ada, ME, content).header(name, tag);
            ask.send()
        };
        // There is nothing yet.
        assert_eq!(bound("x", "if-match", "*").await.problem().0, 412);
        assert_eq!(bound("x", "if-match", "\"a\"").await.problem().0, 412);
        let first = bound("one", "if-none-match", "*").await;
        assert_eq!(first.status, 200, "{}", first.text());
        let first = first.header("etag").to_owned();
        assert_eq!(bound("x", "if-none-match", "*").await.problem().0, 412);
        assert_eq!(bound("x", "if-match", "\"\"").await.problem().0, 412);
        let second = bound("two", "if-match", &first).await;
        assert_eq!(second.status, 200);
        let second = second.header("etag").to_owned();
        let stale = bound("three", "if-match", &first).await;
        assert_eq!(stale.problem(), (412, "precondition_failed".to_owned()));
        assert_eq!(stale.header("etag"), second);
        let weak = bound("three", "if-match", &format!("W/{second}")).await;
        assert_eq!(weak.problem().0, 412);
        let both = bound("three", "if-match", &format!("{first}, {second}")).await;
        assert_eq!(both.status, 200);
        assert_eq!(bound("four", "if-match", "*").await.status, 200);
        let plain = bound("five", "if-match", both.header("etag").trim_matches('"')).await;
        assert_eq!(plain.problem().0, 412, "four came between");
        assert_eq!(get(&team, &ada, ME).await.json()["content"], "four");
        let odd = bound("x", "if-none-match", &second).await;
        assert_eq!(odd.problem().0, 422);
    });
}

#[test]
fn of_many_who_change_one_version_one_does() {
    with_team(async |team| {
        let ada = team.first().await;
        let sha = saved(&team, &ada, "first").await;
        let asks = (0..16).map(|number| {
            let content = format!("by {number}");
            let ask = put(&team, &ada, ME, &content);
            tokio::spawn(ask.header("if-match", format!("\"{sha}\"")).send())
        });
        let asks: Vec<_> = asks.collect();
        let (mut done, mut stale) = (Vec::new(), 0);
        for ask in asks {
            let answer = ask.await.unwrap();
            match answer.status.as_u16() {
                200 => done.push(answer.json()),
                412 => stale += 1,
                other => panic!("{other}: {}", answer.text()),
            }
        }
        assert_eq!((done.len(), stale), (1, 15));
        assert_eq!(get(&team, &ada, ME).await.json(), done[0]);
        let history = get(&team, &ada, &format!("{ME}/history")).await.json();
        assert_eq!(history["total"], 2);
    });
}

#[test]
fn a_text_has_a_bound_and_no_keys() {
    with_team(async |team| {
        let ada = team.first().await;
        // The quotes take two bytes each on the way.
        let most = "\"".repeat(CONTENT_MAX);
        let answer = put(&team, &ada, ME, &most).send().await;
        assert_eq!(answer.status, 200);
        let more = format!("{most}x");
        let answer = put(&team, &ada, ME, &more).send().await;
        assert_eq!(answer.problem(), (413, "too_large".to_owned()));
        let key = "# Notes\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v\n";
        let answer = put(&team, &ada, ME, key).send().await;
        assert_eq!(answer.problem(), (422, "refused".to_owned()));
        let errors =
            json!([{"field": "CLAUDE.md", "message": "line 2: it has a private key in it"}]);
        assert_eq!(answer.json()["errors"], errors);
        let answer = team
            .with(&ada.access, "PUT", ME)
            .json(&json!({"message": "x"}));
        assert_eq!(
            answer.send().await.problem(),
            (422, "invalid_request".to_owned())
        );
    });
}

#[test]
fn the_history_is_bounded_and_goes_back() {
    with_team(async |team| {
        let ada = team.first().await;
        let mut shas = Vec::new();
        for content in ["one", "two", "three"] {
            shas.push(saved(&team, &ada, content).await);
        }
        let history = async |query: &str| get(&team, &ada, &format!("{ME}/history{query}")).await;
        for wrong in ["?limit=0", "?limit=101", "?limit=-1", "?limit=x"] {
            let answer = history(wrong).await;
            assert_eq!(answer.problem().0, 422, "{wrong}");
            assert_eq!(answer.json()["errors"][0]["field"], "limit");
        }
        for right in ["?limit=1", "?limit=100", ""] {
            assert_eq!(history(right).await.status, 200, "{right}");
        }
        let two = history("?limit=2").await.json();
        let listed: Vec<&Value> = two["versions"].as_array().unwrap().iter().collect();
        assert_eq!((listed.len(), &two["total"]), (2, &json!(3)));
        assert_eq!(listed[0]["commit_sha"], shas[2]);
        assert_eq!(listed[1]["commit_sha"], shas[1]);

        let back = |sha: &str| {
            let path = format!("{ME}/rollback/{sha}");
            team.with(&ada.access, "POST", &path)
        };
        let stale = back(&shas[0]).header("if-match", format!("\"{}\"", shas[1]));
        assert_eq!(stale.send().await.problem().0, 412);
        let answer = back(&shas[0]).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        assert_eq!(body["content"], "one");
        let sha = body["commit_sha"].as_str().unwrap();
        assert!(!shas.iter().any(|known| known == sha));
        assert_eq!(answer.header("etag"), format!("\"{sha}\""));
        assert_eq!(history("").await.json()["total"], 4);
        for unknown in [
            "main",
            &"b".repeat(40),
            shas[0].get(..6).unwrap(),
            "..%2f..%2fx",
        ] {
            let answer = back(unknown).send().await;
            assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{unknown}");
        }
    });
}

/// A form with one file.
fn form(name: &str, file: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--edge\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nx\r\n--edge\r\n\
         content-disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
         content-type: text/markdown\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n--edge--\r\n"].concat()
}

#[test]
fn a_file_is_imported() {
    with_team(async |team| {
        let ada = team.first().await;
        let path = format!("{ME}/import");
        let import = |body: Vec<u8>| {
            let ask = team.with(&ada.access, "POST", &path);
            ask.header("content-type", "multipart/form-data; boundary=edge")
                .body(body)
        };
        let answer = import(form("file", "CLAUDE.md", "# Ä\r\n".as_bytes()))
            .send()
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["content"], "# Ä\r\n");
        assert_eq!(get(&team, &ada, ME).await.json(), answer.json());
        let most = vec![b'x'; CONTENT_MAX];
        let answer = import(form("file", "notes.MD", &most)).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let tag = answer.header("etag").to_owned();

        let more = [most.as_slice(), b"x"].concat();
        let far_more = vec![b'x'; 2 * CONTENT_MAX];
        for (what, body) in [
            ("one byte more", form("file", "CLAUDE.md", &more)),
            ("far more", form("file", "CLAUDE.md", &far_more)),
            ("no text", form("file", "CLAUDE.md", b"ab\xff")),
            ("another name", form("file", "CLAUDE.txt", b"x")),
            ("no name", form("file", "", b"x")),
            ("another member", form("data", "CLAUDE.md", b"x")),
            (
                "no end",
                b"--edge\r\ncontent-disposition: form-data; name=\"file\"".to_vec(),
            ),
            ("nothing", Vec::new()),
        ] {
            let answer = import(body).send().await;
            assert_eq!(answer.problem().0, 400, "{what}: {}", answer.text());
        }
        let many = "--edge\r\ncontent-disposition: form-data; name=\"x\"\r\n\r\n\r\n".repeat(17);
        let answer = import(format!("{many}--edge--\r\n").into_bytes())
            .send()
            .await;
        assert_eq!(answer.problem().0, 400);
        let stale = import(form("file", "a.md", b"x")).header("if-match", "\"a\"");
        assert_eq!(stale.send().await.problem().0, 412);
        let plain = import(Vec::new()).header("content-type", "text/markdown");
        let refused = (400, "not_importable".to_owned());
        assert_eq!(plain.send().await.problem(), refused);
        let key = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v\n";
        let answer = import(form("file", "a.md", key)).send().await;
        assert_eq!(answer.problem(), refused);
        let packed = import(form("file", "a.md", b"x")).header("content-encoding", "gzip");
        assert_eq!(packed.send().await.problem(), refused);
        assert_eq!(get(&team, &ada, ME).await.header("etag"), tag);
        let plain = import(form("file", "a.md", b"x")).header("content-encoding", "identity");
        assert_eq!(plain.send().await.status, 200);
    });
}

#[test]
fn what_applies_is_the_organizations_and_then_ones_own() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let org = "/api/v1/configuration/org";
        let answer = put(&team, &ada, org, "Ours.\nAll.\n").send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let org_sha = answer.json()["commit_sha"].clone();
        let sha = saved(&team, &bob, "Mine.").await;
        let effective = get(&team, &bob, "/api/v1/profile/effective-configuration").await;
        let expected = json!({"content": "Ours.\nAll.\n\nMine.", "org_applied": true,
        "team_applied": false, "user_applied": true, "parts": [
            {"profile": "org", "commit_sha": org_sha, "first_line": 1, "last_line": 2},
            {"profile": "me", "commit_sha": sha, "first_line": 4, "last_line": 4},
        ]});
        assert_eq!(effective.json(), expected);
        let ours = get(&team, &ada, "/api/v1/profile/effective-configuration")
            .await
            .json();
        assert_eq!(
            (&ours["content"], &ours["user_applied"]),
            (&json!("Ours.\nAll.\n"), &json!(false))
        );
    });
}

#[test]
fn the_local_token_has_a_profile_of_its_own() {
    with_team(async |team| {
        let body = json!({"content": "local"});
        let ask = || team.server.ask("PUT", ME).json(&body);
        let made = ask().send().await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert_eq!(
            git(&team, "user/local", &["show", "main:CLAUDE.md"]),
            "local"
        );
        // Without an account there is no organization.
        let org = "/api/v1/configuration/org";
        assert_eq!(team.server.get(org).await.problem().0, 404);
        let ada = team.first().await;
        let made = team.server.ask("PUT", org).json(&body).send().await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert_eq!(get(&team, &ada, org).await.json()["content"], "local");
        assert_eq!(get(&team, &ada, ME).await.json()["content"], "");
    });
}
