//! The versions on the server: listed, compared, gone back to.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use wharf_sync::profile::Digest;

use super::stub::frame;
use super::{World, filters};

/// The versions of somebody's own profile, newest first, as people see them.
fn versions(machine: &super::Machine) -> Vec<String> {
    let told = machine.syncs(&["history", "--server"]);
    let lines = told.lines().skip(1);
    let first = lines.map(|line| line.split(' ').next().unwrap().to_owned());
    first.collect()
}

#[test]
fn an_older_version_is_looked_at_and_gone_back_to() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.write(".claude/agents/old.md", "old\n");
    a.syncs(&["push", "-m", "first"]);
    b.syncs(&[]);
    a.write(".claude/CLAUDE.md", "two\n");
    a.remove(".claude/agents/old.md");
    a.syncs(&["push", "-m", "second"]);
    let [second, first] = versions(&a).try_into().unwrap();

    let diff = a.syncs(&["diff", "--from", &first]);
    assert!(
        diff.contains("-one\n+two\n") && diff.contains("-old\n"),
        "{diff}"
    );
    assert_eq!(a.syncs(&["diff", "--from", &first, "--to", &second]), diff);
    let back = a.syncs(&["diff", "--from", &second, "--to", &first]);
    assert!(back.contains("-two\n+one\n"), "{back}");
    assert_eq!(a.json(&["diff", "--from", &first]).0["files"], 2);

    let _filters = filters();
    let told = a.sync(&["rollback", &first]).replace(&first, "FIRST");
    insta::assert_snapshot!("gone_back", told);
    // Nothing is written before a sync does it, and no version is gone.
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "two\n");
    assert_eq!(versions(&a)[1..], [second, first]);
    a.syncs(&[]);
    b.syncs(&[]);
    for machine in [&a, &b] {
        assert_eq!(machine.read(".claude/CLAUDE.md").unwrap(), "one\n");
        assert!(machine.read(".claude/agents/old.md").is_some());
    }
    let (answer, code) = a.json(&["rollback", &versions(&a)[0]]);
    assert_eq!((answer["profile"].as_str(), code), (Some("me"), 0));
}

#[test]
fn a_version_that_is_none_is_said_to_be_none() {
    let world = World::new();
    let a = world.machine();
    let _filters = filters();
    insta::assert_snapshot!("nothing_saved", a.sync(&["rollback", "4f1c2ab"]));
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    for words in [
        &["rollback", "4f1c2ab"][..],
        &["rollback", "4f1c2a"],
        &["diff", "--from", "4f1c2ab"],
        &["diff", "--from", "main"],
    ] {
        let told = a.sync(words);
        assert!(told.ends_with("exit 5"), "{words:?}: {told}");
    }
    for words in [
        &["diff", "CLAUDE.md", "--from", "4f1c2ab"][..],
        &["diff", "--to", "4f1c2ab"],
        &["diff", "--of", "org"],
        &["history", "--of", "org"],
        &["rollback"],
        &["rollback", "4f1c2ab", "--of", "them"],
    ] {
        let told = a.sync(words);
        assert!(told.ends_with("exit 2"), "{words:?}: {told}");
    }
}

#[test]
fn the_profiles_of_others_have_versions_too() {
    let world = World::new();
    let a = world.machine();
    a.home
        .ok(&["org", "team", "add", "Web and mobile", "--slug", "web"]);
    let token = a.home.ok(&["auth", "token"]);
    let teams = a.home.ok(&["org", "team", "list", "--json"]);
    let teams: serde_json::Value = serde_json::from_str(&teams).unwrap();
    let id = teams["teams"][0]["id"].as_str().unwrap();
    let put = |profile: &str, text: &str| {
        let (status, body) = crate::identity::sent(
            "PUT",
            &world.url,
            &format!("/api/v1/configuration/{profile}"),
            token.trim(),
            &serde_json::json!({ "content": text, "message": text }),
        );
        assert_eq!(status, 200, "{body}");
    };
    for profile in ["org".to_owned(), format!("team:{id}")] {
        put(&profile, "one");
        put(&profile, "two");
    }
    for of in ["org", "team:web", &format!("team:{id}")] {
        let (told, _) = a.json(&["history", "--server", "--of", of]);
        let newest = told["versions"][0]["commit_sha"].as_str().unwrap();
        let versions = told["versions"].as_array().unwrap();
        let first = versions.last().unwrap()["commit_sha"].as_str().unwrap();
        let diff = a.syncs(&["diff", "--from", first, "--to", newest, "--of", of]);
        assert!(diff.contains("-one"), "{of}: {diff}");
        let told = a.sync(&["rollback", first, "--of", of]);
        assert!(
            told.contains("stays as it is") && told.ends_with("exit 8"),
            "{told}"
        );
        let told = a.syncs(&["rollback", first, "--of", of, "--yes"]);
        assert!(told.contains(" is as it was at "), "{told}");
        put(&of.replace("team:web", &format!("team:{id}")), "two");
    }
    let none = a.sync(&["history", "--server", "--of", "team:nobody"]);
    assert!(none.contains("there is no team nobody"), "{none}");
    assert!(none.ends_with("exit 5"), "{none}");

    // Who only reads it changes nothing.
    crate::identity::add(&world.server, "bob@example.com");
    let bob = super::Machine {
        home: crate::home::Home::new(),
    };
    crate::identity::login_as(&bob.home, &world.url, "bob@example.com");
    let (told, _) = bob.json(&["history", "--server", "--of", "org"]);
    let version = told["versions"][0]["commit_sha"]
        .as_str()
        .unwrap()
        .to_owned();
    let refused = bob.sync(&["rollback", &version, "--of", "org", "--yes"]);
    assert!(refused.ends_with("exit 7"), "{refused}");
}

/// Makes these the files of a profile.
fn put_tree(url: &str, token: &str, profile: &str, files: &[(&str, &[u8])]) {
    let listed = files
        .iter()
        .map(|(path, content)| serde_json::json!({ "path": path, "sha256": Digest::of(content) }));
    let listed: Vec<_> = listed.collect();
    let list = serde_json::json!({ "files": listed }).to_string();
    let mut body = u32::try_from(list.len()).unwrap().to_be_bytes().to_vec();
    body.extend(list.bytes());
    for (_, content) in files {
        body.extend(frame(content.len().try_into().unwrap(), content, content));
    }
    let address = url.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).unwrap();
    let head = format!(
        "PUT /api/v1/profile/tree?profile={profile} HTTP/1.1\r\nhost: {address}\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/x-wharf-tree\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&body).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_file_is_told_to_be_somebodys_and_settings_by_their_values() {
    let world = World::new();
    let a = world.machine();
    a.write(
        ".claude/settings.json",
        "{\"model\": \"a\", \"theme\": \"dark\"}\n",
    );
    a.write(".claude/CLAUDE.md", "mine\n");
    a.syncs(&["push"]);
    assert_eq!(
        a.syncs(&["origin", "settings.json"]),
        "settings.json is of me (ada@example.com)\n"
    );
    let token = a.home.ok(&["auth", "token"]);
    let settings = br#"{"model": "b", "env": {"X": "1"}}"#;
    let files = [("CLAUDE.md", &b"theirs"[..]), ("settings.json", settings)];
    put_tree(&world.url, token.trim(), "org", &files);
    let _filters = filters();
    insta::assert_snapshot!("a_text", a.sync(&["origin", "CLAUDE.md"]));
    let file = a.home.path(".claude/settings.json").display().to_string();
    insta::assert_snapshot!("settings", a.sync(&["origin", &file]));
    let (told, _) = a.json(&["origin", "CLAUDE.md"]);
    let layers = told["layers"].as_array().unwrap().iter();
    let layers: Vec<_> = layers.map(|it| it["profile"].as_str().unwrap()).collect();
    assert_eq!(layers, ["org", "me"]);
    assert!(a.sync(&["origin", "agents/none.md"]).ends_with("exit 5"));
    assert!(a.sync(&["origin", "notes.txt"]).ends_with("exit 2"));
}
