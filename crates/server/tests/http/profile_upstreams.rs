//! Another repository that a profile follows and is sent to: set, pulled from, pushed to, told of.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2_11::Sha256;

use crate::support::Answer;
use crate::support::accounts::{Login, Team, with_team};

const UPSTREAM: &str = "/api/v1/profile/upstream";
const ME: &str = "/api/v1/configuration/me";

/// Somebody's repository, and a clone to work in.
struct There {
    bare: PathBuf,
    clone: PathBuf,
    _folder: tempfile::TempDir,
}

fn git(directory: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Eve", "-c", "user.email=eve@example.com"])
        .args(["-c", "init.defaultBranch=main", "-c", "safe.directory=*"])
        .args(words)
        .current_dir(directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl There {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bare, clone) = (folder.path().join("up.git"), folder.path().join("clone"));
        git(folder.path(), &["init", "-q", "--bare", "up.git"]);
        git(folder.path(), &["clone", "-q", "up.git", "clone"]);
        Self {
            bare,
            clone,
            _folder: folder,
        }
    }

    fn url(&self) -> String {
        format!("file://{}", self.bare.display())
    }

    /// A new version there.
    fn write(&self, path: &str, content: &str) -> String {
        std::fs::write(self.clone.join(path), content).unwrap();
        git(&self.clone, &["add", "."]);
        git(&self.clone, &["commit", "-qm", path]);
        git(&self.clone, &["push", "-q", "origin", "HEAD:main"]);
        git(&self.clone, &["rev-parse", "HEAD"])
    }

    fn newest(&self) -> String {
        git(&self.bare, &["rev-parse", "main"])
    }
}

async fn ask(team: &Team, login: &Login, method: &str, path: &str, body: Option<Value>) -> Answer {
    let ask = team.with(&login.access, method, path);
    match &body {
        Some(body) => ask.json(body).send().await,
        None => ask.send().await,
    }
}

async fn set(team: &Team, login: &Login, body: Value) -> Answer {
    ask(team, login, "PUT", UPSTREAM, Some(body)).await
}

async fn save(team: &Team, login: &Login, content: &str) -> String {
    let body = json!({"content": content});
    let answer = ask(team, login, "PUT", ME, Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["commit_sha"].as_str().unwrap().to_owned()
}

async fn pull(team: &Team, login: &Login, body: Value) -> Answer {
    ask(team, login, "POST", &format!("{UPSTREAM}/pull"), Some(body)).await
}

/// What is done in the background, when it is done.
async fn last(team: &Team, login: &Login, outcome: &str) -> Value {
    until(&format!("it is {outcome}"), async || {
        let shown = ask(team, login, "GET", UPSTREAM, None).await.json();
        (shown["last"]["outcome"] == outcome).then_some(shown)
    })
    .await
}

/// Longest that what is done in the background takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
    }
}

#[test]
fn a_profile_follows_and_is_sent() {
    with_team(async |team| {
        let ada = team.first().await;
        let there = There::new();
        let first = there.write("CLAUDE.md", "theirs");
        for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/push")] {
            let answer = ask(&team, &ada, method, &format!("{UPSTREAM}{path}"), None).await;
            assert_eq!(
                answer.problem(),
                (404, "not_found".to_owned()),
                "{method} {path}"
            );
        }
        assert_eq!(pull(&team, &ada, json!({})).await.problem().0, 404);

        let made = set(&team, &ada, json!({"url": there.url()})).await;
        assert_eq!(made.status, 200, "{}", made.text());
        let made = made.json();
        assert!(made["webhook_secret"].as_str().unwrap().len() >= 32);
        let again = set(&team, &ada, json!({"url": there.url()})).await.json();
        assert_eq!(again["webhook_path"], made["webhook_path"]);
        assert_eq!(again.get("webhook_secret"), None, "it is told once");
        let shown = ask(&team, &ada, "GET", UPSTREAM, None).await.json();
        let expected = json!({"url": there.url(), "branch": "main", "access": "open",
            "push": false, "webhook_path": made["webhook_path"]});
        assert_eq!(shown, expected);

        let pulled = pull(&team, &ada, json!({})).await;
        assert_eq!(pulled.status, 200, "{}", pulled.text());
        let pulled = pulled.json();
        assert_eq!(
            (&pulled["outcome"], &pulled["commit_sha"]),
            (&json!("pulled"), &json!(first))
        );
        let content = ask(&team, &ada, "GET", ME, None).await.json();
        assert_eq!(
            (&content["content"], &content["commit_sha"]),
            (&json!("theirs"), &json!(first))
        );
        let again = pull(&team, &ada, json!({})).await.json();
        assert_eq!(again["outcome"], "unchanged");

        let ours = save(&team, &ada, "ours").await;
        assert_eq!(there.newest(), first, "nothing is sent unasked");
        let pushed = ask(&team, &ada, "POST", &format!("{UPSTREAM}/push"), None).await;
        let told = pushed.json();
        assert_eq!(
            (&told["outcome"], &told["commit_sha"]),
            (&json!("pushed"), &json!(ours))
        );
        assert_eq!(there.newest(), ours);
        let shown = ask(&team, &ada, "GET", UPSTREAM, None).await.json();
        assert_eq!(shown["last"], told);

        let gone = ask(&team, &ada, "DELETE", UPSTREAM, None).await;
        assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
        assert_eq!(
            ask(&team, &ada, "GET", UPSTREAM, None).await.problem().0,
            404
        );
    });
}

#[test]
fn two_histories_that_went_apart_are_told_of_and_put_together_when_asked() {
    with_team(async |team| {
        let ada = team.first().await;
        let there = There::new();
        there.write("CLAUDE.md", "both\n");
        set(&team, &ada, json!({"url": there.url()})).await;
        pull(&team, &ada, json!({})).await;
        let theirs = there.write("notes.md", "theirs");
        let ours = save(&team, &ada, "ours\n").await;
        let told = pull(&team, &ada, json!({})).await.json();
        assert_eq!(
            (&told["outcome"], &told["commit_sha"]),
            (&json!("diverged"), &json!(ours))
        );
        assert_eq!(told["detail"], "both sides have versions of their own");
        let push = format!("{UPSTREAM}/push");
        let told = ask(&team, &ada, "POST", &push, None).await.json();
        assert_eq!(told["outcome"], "diverged");
        assert_eq!(there.newest(), theirs);
        let merged = pull(&team, &ada, json!({"diverged": "merge"})).await.json();
        assert_eq!(merged["outcome"], "pulled");
        let tree = ask(&team, &ada, "GET", "/api/v1/profile/tree?profile=me", None)
            .await
            .json();
        assert_eq!(tree["files"].as_array().unwrap().len(), 2);
        assert_eq!(tree["author"], "Ada <ada@example.com>");
        let told = ask(&team, &ada, "POST", &push, None).await.json();
        assert_eq!(told["outcome"], "pushed");

        git(&there.clone, &["pull", "-q", "origin", "main"]);
        there.write("CLAUDE.md", "theirs\n");
        save(&team, &ada, "ours again\n").await;
        let told = pull(&team, &ada, json!({"diverged": "merge"})).await.json();
        assert_eq!(told["outcome"], "diverged");
        assert_eq!(told["detail"], "both sides changed CLAUDE.md");
        let told = pull(&team, &ada, json!({"diverged": "ours"})).await.json();
        assert_eq!(told["outcome"], "pulled");
        let shown = ask(&team, &ada, "GET", ME, None).await.json();
        assert_eq!(shown["content"], "ours again\n");

        there.write("CLAUDE.md", "theirs again\n");
        save(&team, &ada, "ours once more\n").await;
        let told = pull(&team, &ada, json!({})).await.json();
        assert_eq!(told["outcome"], "diverged");
        let told = pull(&team, &ada, json!({"diverged": "theirs"}))
            .await
            .json();
        assert_eq!(told["outcome"], "pulled");
        let shown = ask(&team, &ada, "GET", ME, None).await.json();
        assert_eq!(shown["content"], "theirs again\n");
        assert_eq!(
            pull(&team, &ada, json!({"diverged": "both"}))
                .await
                .problem()
                .0,
            422
        );
    });
}

#[test]
fn new_versions_are_sent_at_once_where_that_is_wanted() {
    with_team(async |team| {
        let ada = team.first().await;
        let there = There::new();
        there.write("CLAUDE.md", "theirs");
        set(&team, &ada, json!({"url": there.url(), "push": true})).await;
        pull(&team, &ada, json!({})).await;
        let ours = save(&team, &ada, "ours").await;
        let shown = last(&team, &ada, "pushed").await;
        assert_eq!(shown["last"]["commit_sha"], ours);
        assert_eq!(there.newest(), ours);
    });
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_webhook_makes_it_pull_if_it_is_genuine() {
    with_team(async |team| {
        let ada = team.first().await;
        let there = There::new();
        let made = set(&team, &ada, json!({"url": there.url()})).await.json();
        let (path, secret) = (
            made["webhook_path"].as_str().unwrap(),
            made["webhook_secret"].as_str().unwrap(),
        );
        let body = br#"{"ref": "refs/heads/main"}"#.as_slice();
        let hook = |path: &str, name: &str, value: &str| {
            team.open("POST", path)
                .header(name, value)
                .body(body.to_vec())
                .send()
        };
        let right = signature(secret, body);
        for (name, value) in [
            (
                "x-hub-signature-256",
                format!("sha256={}", signature(secret, b"other")),
            ),
            (
                "x-hub-signature-256",
                format!("sha256={}", signature("other", body)),
            ),
            ("x-hub-signature", format!("sha1={right}")),
            ("x-gitlab-token", right.clone()),
            ("x-nothing", "x".to_owned()),
        ] {
            let answer = hook(path, name, &value).await;
            assert_eq!(
                answer.problem(),
                (403, "wrong_signature".to_owned()),
                "{name}"
            );
        }
        let long = format!("/api/v1/profile/webhook/{}", "x".repeat(201));
        let other = format!("{path}0");
        for path in [
            "/api/v1/profile/webhook/user.x.y",
            &long,
            &other,
            "/api/v1/profile/webhook/..%2fx",
        ] {
            let answer = hook(path, "x-hub-signature-256", &format!("sha256={right}")).await;
            assert_eq!(answer.problem().0, 404, "{path}");
        }
        let huge = vec![b'x'; 4 * 1024 * 1024 + 1];
        let answer = team.open("POST", path).body(huge).send().await;
        assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
        assert_eq!(
            ask(&team, &ada, "GET", UPSTREAM, None).await.json()["last"],
            Value::Null
        );

        for (number, (name, value)) in [
            ("x-hub-signature-256", format!("sha256={right}")),
            ("x-gitea-signature", right.clone()),
            ("x-gitlab-token", secret.to_owned()),
        ]
        .into_iter()
        .enumerate()
        {
            let sha = there.write("CLAUDE.md", &format!("{number}"));
            let answer = hook(path, name, &value).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body.len()),
                (204, 0),
                "{}",
                answer.text()
            );
            let shown = until("it is pulled", async || {
                let shown = ask(&team, &ada, "GET", ME, None).await.json();
                (shown["commit_sha"] == sha).then_some(shown)
            });
            assert_eq!(shown.await["content"], format!("{number}"));
        }
        ask(&team, &ada, "DELETE", UPSTREAM, None).await;
        let answer = hook(path, "x-gitlab-token", secret).await;
        assert_eq!(answer.problem().0, 404);
    });
}

#[test]
fn whoever_may_change_a_profile_may_name_the_hosts_that_are_allowed() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let url = |url: &str| json!({"url": url});
        let answer = set(&team, &bob, url("https://10.0.0.1/x.git")).await;
        assert_eq!(answer.problem(), (403, "host_not_allowed".to_owned()));
        let folder = set(&team, &bob, url("file:///srv/x.git")).await;
        assert_eq!(folder.json()["errors"][0]["field"], "url");
        assert_eq!(
            set(&team, &bob, url("https://GIT.example.com/x.git"))
                .await
                .status,
            200
        );
        assert_eq!(
            set(&team, &ada, url("https://10.0.0.1/x.git")).await.status,
            200
        );
        assert_eq!(set(&team, &ada, url("file:///srv/x.git")).await.status, 200);

        for (wrong, field) in [
            (json!({"url": "ext::sh -c x"}), "url"),
            (json!({"url": "https://u:p@git.example.com/x"}), "url"),
            (
                json!({"url": "https://git.example.com/x", "branch": "-x"}),
                "branch",
            ),
            (
                json!({"url": "ssh://git@git.example.com/x", "token": "t"}),
                "token",
            ),
            (
                json!({"url": "https://git.example.com/x", "user": "a:b", "token": "t"}),
                "user",
            ),
            (json!({"url": "ssh://git@git.example.com/x"}), "known_hosts"),
            (json!({}), "url"),
        ] {
            let answer = set(&team, &bob, wrong.clone()).await;
            assert_eq!(answer.problem().0, 422, "{wrong}: {}", answer.text());
            assert_eq!(answer.json()["errors"][0]["field"], field, "{wrong}");
        }
        let token = json!({"url": "https://git.example.com/x", "user": "bob", "token": "hunter2"});
        let made = set(&team, &bob, token).await;
        assert_eq!(made.json()["access"], "token");
        let shown = ask(&team, &bob, "GET", UPSTREAM, None).await;
        assert!(!made.text().contains("hunter2") && !shown.text().contains("hunter2"));

        let org = format!("{UPSTREAM}?profile=org");
        for (method, path, body) in [
            ("GET", org.clone(), None),
            (
                "PUT",
                org.clone(),
                Some(url("https://git.example.com/x.git")),
            ),
            ("DELETE", org.clone(), None),
            (
                "POST",
                format!("{UPSTREAM}/pull?profile=org"),
                Some(json!({})),
            ),
            ("POST", format!("{UPSTREAM}/push?profile=org"), None),
        ] {
            let answer = ask(&team, &bob, method, &path, body.clone()).await;
            assert_eq!(answer.problem().0, 403, "{method} {path}");
            let none = path.replace("=org", "=team:none");
            let answer = ask(&team, &bob, method, &none, body).await;
            assert_eq!(answer.problem().0, 404, "{method} {none}");
        }
    });
}

/// Whoever only reads in the organization changes their own profile; the hosts that it can follow are
/// the ones on the list, so that this reaches nothing else.
#[test]
fn a_viewer_names_hosts_of_the_list_for_their_own_profile_and_none_for_others() {
    with_team(async |team| {
        let ada = team.first().await;
        let eve = team.join(&ada, "eve@example.com", "viewer").await;
        let put = |profile: &str, url: &str| {
            let (path, url) = (format!("{UPSTREAM}?profile={profile}"), json!({"url": url}));
            let (team, eve) = (&team, &eve);
            async move { ask(team, eve, "PUT", &path, Some(url)).await }
        };
        let listed = "https://git.example.com/x.git";
        assert_eq!(put("me", listed).await.status, 200);
        for other in [
            "https://git.example.com:8443/x.git",
            "https://10.0.0.1/x.git",
        ] {
            let answer = put("me", other).await;
            assert_eq!(answer.problem(), (403, "host_not_allowed".to_owned()));
        }
        assert_eq!(put("me", "file:///srv/x.git").await.problem().0, 422);
        let answer = put("org", listed).await;
        assert_eq!(answer.problem().0, 403);
        let shown = ask(&team, &eve, "GET", UPSTREAM, None).await.json();
        assert_eq!(shown["url"], listed);
    });
}

#[test]
fn what_cannot_be_spoken_with_is_said_and_noted() {
    with_team(async |team| {
        let ada = team.first().await;
        set(&team, &ada, json!({"url": "file:///no/such.git"})).await;
        let answer = pull(&team, &ada, json!({})).await;
        assert_eq!(answer.problem(), (502, "upstream_failed".to_owned()));
        let shown = ask(&team, &ada, "GET", UPSTREAM, None).await.json();
        assert_eq!(shown["last"]["outcome"], "failed");
        let push = format!("{UPSTREAM}/push");
        let nothing = ask(&team, &ada, "POST", &push, None).await;
        assert_eq!(nothing.problem(), (409, "conflict".to_owned()));

        let there = There::new();
        there.write("CLAUDE.md", "x");
        set(&team, &ada, json!({"url": there.url(), "branch": "none"})).await;
        let answer = pull(&team, &ada, json!({})).await;
        assert_eq!(answer.problem(), (502, "no_branch".to_owned()));
        std::os::unix::fs::symlink("/etc/passwd", there.clone.join("link")).unwrap();
        there.write("a.md", "x");
        set(&team, &ada, json!({"url": there.url()})).await;
        let answer = pull(&team, &ada, json!({})).await;
        assert_eq!(answer.problem(), (502, "upstream_unfit".to_owned()));
        assert_eq!(
            ask(&team, &ada, "GET", ME, None).await.json()["commit_sha"],
            ""
        );
    });
}

#[test]
fn at_the_end_nothing_is_begun_any_more() {
    with_team(async |team| {
        let ada = team.first().await;
        let there = There::new();
        let first = there.write("CLAUDE.md", "theirs");
        set(&team, &ada, json!({"url": there.url(), "push": true})).await;
        pull(&team, &ada, json!({})).await;
        team.upstreams.close().await;
        save(&team, &ada, "ours").await;
        team.upstreams.close().await;
        assert_eq!(there.newest(), first);
    });
}

#[test]
fn an_upstream_ends_with_its_owner() {
    with_team(async |team| {
        let ada = team.first().await;
        let ask = async |method: &str, path: &str, body: Value| {
            let answer = ask(&team, &ada, method, path, Some(body)).await;
            assert!(
                answer.status.is_success(),
                "{method} {path}: {}",
                answer.text()
            );
            answer
        };
        let core = ask("POST", "/api/v1/teams", json!({"name": "Core"})).await;
        let core = core.json()["id"].as_str().unwrap().to_owned();
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let url = json!({"url": "https://git.example.com/x.git", "token": "hunter2"});
        let path = format!("{UPSTREAM}?profile=team:{core}");
        let of_team = ask("PUT", &path, url.clone());
        let made = [of_team.await.json(), set(&team, &bob, url).await.json()];
        let kept = || {
            let layers = ["team", "user"].map(|layer| team.profiles.join(layer));
            let files = layers.iter().flat_map(|it| std::fs::read_dir(it).unwrap());
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.contains(".upstream")).count()
        };
        assert_eq!(kept(), 2);
        ask("DELETE", &format!("/api/v1/teams/{core}"), json!({})).await;
        ask("DELETE", "/api/v1/users/bob@example.com", json!({})).await;
        assert_eq!(kept(), 0);
        for made in made {
            let path = made["webhook_path"].as_str().unwrap();
            let secret = made["webhook_secret"].as_str().unwrap();
            let hook = team.open("POST", path).header("x-gitlab-token", secret);
            assert_eq!(hook.body("{}").send().await.problem().0, 404);
        }
    });
}

#[test]
fn no_webhook_of_who_has_ended_is_heard() {
    with_team(async |team| {
        let ada = team.first().await;
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let url = json!({"url": "https://git.example.com/x.git"});
        let made = set(&team, &bob, url).await.json();
        // As a server does that ends them without the folder of the profiles.
        let caller = wharf_model::Caller::local();
        let gone = team.identity.remove_user(&caller, "bob@example.com").await;
        gone.unwrap();
        let path = made["webhook_path"].as_str().unwrap();
        let secret = made["webhook_secret"].as_str().unwrap();
        let hook = team.open("POST", path).header("x-gitlab-token", secret);
        assert_eq!(hook.body("{}").send().await.problem().0, 404);
    });
}
