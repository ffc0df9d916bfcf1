//! Another repository that a profile follows, spoken with by the server.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Machine, World, filters};
use crate::home::Home;
use crate::identity;

/// `git ARGS` in a folder, as somebody.
fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(args);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Somebody");
        command.env(format!("GIT_{who}_EMAIL"), "somebody@example.com");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A server that may look into folders, one of which is a repository, and who looks after it.
fn world() -> (World, Machine, String) {
    let server = Home::new();
    let config = "[serve]\nport = 0\nupstream_hosts = [\"file://\"]\n";
    fs::write(server.path("config.toml"), config).unwrap();
    identity::add(&server, identity::EMAIL);
    server.ok(&["serve", "--background"]);
    let url = server.url();
    let there = server.path("upstream.git");
    git(
        server.path(".").as_path(),
        &["init", "-q", "--bare", "-b", "main", "upstream.git"],
    );
    let address = format!("file://{}", there.display());
    let world = World { server, url };
    let machine = world.machine();
    (world, machine, address)
}

/// A version more in the upstream.
fn write_there(world: &World, name: &str, text: &str) {
    let (there, work) = (
        world.server.path("upstream.git"),
        world.server.path("clone"),
    );
    let _none = fs::remove_dir_all(&work);
    git(
        world.server.path(".").as_path(),
        &["clone", "-q", there.to_str().unwrap(), "clone"],
    );
    fs::write(work.join(name), text).unwrap();
    git(&work, &["add", "."]);
    git(&work, &["commit", "-q", "-m", "there"]);
    git(&work, &["push", "-q", "origin", "HEAD:main"]);
}

#[test]
fn a_profile_is_sent_to_its_upstream_and_follows_it() {
    let (world, a, address) = world();
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    let _filters = filters();
    insta::assert_snapshot!("none_yet", a.sync(&["upstream"]));
    let told = a.sync(&["upstream", "set", &address, "-v"]);
    assert!(told.contains("\nsecret     "), "{told}");
    assert!(told.contains("it is not shown again"), "{told}");
    let again = a.sync(&["upstream", "set", &address]);
    assert!(!again.contains("secret"), "{again}");

    let pushed = a.syncs(&["upstream", "push"]);
    assert!(
        pushed.starts_with("server -> upstream  it has "),
        "{pushed}"
    );
    let there = world.server.path("upstream.git");
    assert_eq!(git(&there, &["show", "main:CLAUDE.md"]), "one\n");
    assert_eq!(
        a.syncs(&["upstream", "pull"]),
        "server = upstream  the same on both sides\n"
    );
    write_there(&world, "CLAUDE.md", "two\n");
    let pulled = a.syncs(&["upstream", "pull"]);
    assert!(
        pulled.starts_with("upstream -> server  your profile is "),
        "{pulled}"
    );
    a.syncs(&[]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "two\n");

    let shown = a.syncs(&["upstream", "show"]);
    for line in [
        format!("upstream   {address}"),
        "branch     main".to_owned(),
        "opened by  nothing is needed".to_owned(),
        "is sent    when asked: wharf sync upstream push".to_owned(),
        "last       pulled, just now".to_owned(),
    ] {
        assert!(shown.lines().any(|it| it == line), "{line}: {shown}");
    }
    assert_eq!(
        a.json(&["upstream"]).0["url"].as_str(),
        Some(address.as_str())
    );
    let gone = a.sync(&["upstream", "rm"]);
    assert!(
        gone.contains("your profile has no upstream any more"),
        "{gone}"
    );
    assert!(a.sync(&["upstream", "pull"]).ends_with("exit 5"));
}

#[test]
fn two_histories_that_went_apart_are_told_of_and_put_together() {
    let (world, a, address) = world();
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    a.syncs(&["upstream", "set", &address]);
    a.syncs(&["upstream", "push"]);
    write_there(&world, "settings.json", "{}\n");
    a.write(".claude/CLAUDE.md", "mine\n");
    a.syncs(&["push"]);
    let _filters = filters();
    insta::assert_snapshot!("apart", a.sync(&["upstream", "pull"]));
    let pushed = a.sync(&["upstream", "push"]);
    assert!(pushed.ends_with("exit 6"), "{pushed}");
    let merged = a.syncs(&["upstream", "pull", "--diverged", "merge"]);
    assert!(merged.starts_with("upstream -> server"), "{merged}");
    a.syncs(&[]);
    assert_eq!(a.read(".claude/settings.json").unwrap(), "{}\n");
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "mine\n");
}

#[test]
fn what_goes_wrong_with_an_upstream_is_not_taken_for_the_server() {
    let (world, a, address) = world();
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    a.syncs(&["upstream", "set", &address, "--branch", "other"]);
    fs::remove_dir_all(world.server.path("upstream.git")).unwrap();
    let failed = a.sync(&["upstream", "pull"]);
    assert!(failed.contains("error[upstream_failed]"), "{failed}");
    assert!(failed.ends_with("exit 1"), "{failed}");
    let shown = a.syncs(&["upstream"]);
    assert!(shown.contains("last       failed, just now: "), "{shown}");

    // What opens one comes from a file, and what is wrong is said of what is wrong.
    a.write("empty", "\n");
    let https = "https://git.example.com/x.git";
    let ssh = "ssh://git@git.example.com/x.git";
    let file = |name: &str| a.home.path(name).display().to_string();
    a.write("token", "two words\n");
    a.write("hosts", "git.example.com\n");
    for (words, code, says) in [
        (
            &["set", https, "--with-token", &file("empty")][..],
            2,
            "there is nothing in",
        ),
        (
            &["set", https, "--with-token", &file("none")],
            1,
            "cannot read",
        ),
        (
            &["set", https, "--with-token", &file("token")],
            2,
            "token: ",
        ),
        (&["set", https, "--user", "a:b"], 2, "user: "),
        (
            &["set", https, "--known-hosts", &file("hosts")],
            2,
            "known_hosts: ",
        ),
        (&["set", ssh], 2, "known_hosts: "),
        (
            &["set", ssh, "--known-hosts", &file("hosts")],
            2,
            "known_hosts: ",
        ),
        (&["set", ssh, "--with-token", &file("token")], 2, "token: "),
        (&["set", ssh, "--user", "ada"], 2, "user: "),
        (&["set", &address, "--user", "ada"], 2, "user: "),
        (&["set", "ftp://x/y"], 2, "url: "),
        (&["set", &address, "--branch", ".."], 2, "branch: "),
        (
            &["set", &address, "--of", "them"],
            2,
            "must be me, org or team:NAME",
        ),
    ] {
        let told = a.sync(&[&["upstream"], words].concat());
        assert!(told.contains(says), "{words:?}: {told}");
        assert!(told.ends_with(&format!("exit {code}")), "{words:?}: {told}");
    }
}
