//! The server is away, or nobody is logged in.

use super::{Machine, World, filters};
use crate::home::Home;

#[test]
fn what_is_known_is_told() {
    let world = World::new();
    let a = world.machine();
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    world.server.ok(&["serve", "--stop"]);
    let _filters = filters();
    insta::assert_snapshot!("nothing_edited", a.sync(&[]));
    a.write(".claude/CLAUDE.md", "two\n");
    insta::assert_snapshot!("one_edit", a.sync(&["status"]));
    let (known, code) = a.json(&["push"]);
    assert_eq!((&known["offline"], code), (&true.into(), 9));
    assert_eq!(known["steps"][0]["action"], "keep");
    let never = Machine { home: Home::new() };
    let output = never.home.output(&["sync", "--api-url", &world.url]);
    assert_eq!(
        output.status.code(),
        Some(9),
        "{}",
        never.home.show(&output)
    );
    // What needs no server is there all the same.
    insta::assert_snapshot!("history", a.sync(&["history", "-v"]));

    let port = world.url.rsplit(':').next().unwrap();
    world.server.ok(&["serve", "--background", "--port", port]);
    a.syncs(&["push"]);
    assert_eq!(a.json(&["--check"]).1, 0);
}

#[test]
fn nobody_is_logged_in() {
    let a = Machine { home: Home::new() };
    insta::assert_snapshot!("no_login", a.sync(&[]));
    let world = World::new();
    let wrong = a.home.path("token");
    std::fs::write(&wrong, "whk_wrong\n").unwrap();
    let wrong = wrong.display().to_string();
    for verb in [&["sync"][..], &["sync", "push"], &["sync", "status"]] {
        let args = [verb, &["--api-url", &world.url, "--token-file", &wrong]].concat();
        let output = a.home.output(&args);
        assert_eq!(output.status.code(), Some(4), "{}", a.home.show(&output));
    }
}

#[test]
fn a_token_alone_is_enough() {
    let world = World::new();
    let a = world.machine();
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    let key = a
        .home
        .ok(&["key", "create", "ci", "--scope", "sync", "--expires", "1d"]);
    let b = Machine { home: Home::new() };
    let mut by_variable = b.home.wharf(&["sync", "--api-url", &world.url]);
    let output = by_variable.env("WHARF_TOKEN", key.trim()).output().unwrap();
    assert!(output.status.success(), "{}", b.home.show(&output));
    assert_eq!(b.files(), a.files());
    let file = b.home.path("key");
    std::fs::write(&file, &key).unwrap();
    let file = file.display().to_string();
    b.syncs(&["--check", "--api-url", &world.url, "--token-file", &file]);
    // A token for something else opens nothing.
    let other = a.home.ok(&[
        "key",
        "create",
        "run",
        "--scope",
        "run:low",
        "--expires",
        "1d",
    ]);
    let mut by_other = b.home.wharf(&["sync", "--api-url", &world.url]);
    let output = by_other.env("WHARF_TOKEN", other.trim()).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", b.home.show(&output));
    // The token itself is nowhere.
    for (name, content) in super::listed(&b.home.path("state")) {
        assert!(!content.contains(key.trim()), "{name}");
    }
}

#[test]
fn the_server_of_this_machine_keeps_versions_too() {
    let a = Machine { home: Home::new() };
    a.home.ok(&["serve", "--background"]);
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    a.write(".claude/CLAUDE.md", "two\n");
    a.syncs(&["push"]);
    let (history, _) = a.json(&["history", "--server"]);
    assert_eq!(history["total"], 2);
}

#[test]
fn doctor_tells_what_was_synced_whoever_is_at_hand_now() {
    let line = |home: &Home, words: &[&str]| {
        let told = home.output(&[&["doctor", "--offline"], words].concat());
        let told = String::from_utf8(told.stdout).unwrap();
        let line = told.lines().find(|line| line.contains(" sync "));
        line.unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    let never = Home::new();
    assert!(line(&never, &[]).contains("nothing was synced here"));
    let world = World::new();
    let a = world.machine();
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    world.server.ok(&["serve", "--stop"]);
    a.write(".claude/CLAUDE.md", "two\n");
    let told = line(&a.home, &[]);
    assert!(
        told.contains("~/.claude, ") && told.contains("1 of yours not sent"),
        "{told}"
    );
    // Another address.
    let told = line(&a.home, &["--api-url", "http://127.0.0.1:1"]);
    let server = world.url.trim_start_matches("http://");
    assert!(
        told.contains("agreed on just now, asked just now"),
        "{told}"
    );
    assert!(
        told.contains("; for ada@example.com at ") && told.contains(server),
        "{told}"
    );
    assert!(told.ends_with(", not for the login at hand"), "{told}");
    // The server of this machine is not there.
    let b = Machine { home: Home::new() };
    b.home.ok(&["serve", "--background"]);
    b.write(".claude/CLAUDE.md", "one\n");
    b.syncs(&["push"]);
    b.home.ok(&["serve", "--stop"]);
    b.write(".claude/CLAUDE.md", "two\n");
    let told = line(&b.home, &[]);
    assert!(told.contains("1 of yours not sent"), "{told}");
}
