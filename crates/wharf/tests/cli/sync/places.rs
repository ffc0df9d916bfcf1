//! Where the agent's directory is.

use std::fs;
use std::os::unix::fs::symlink;

use super::{World, filters, listed};

#[test]
fn links_are_written_through() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.write(".claude/skills/x/SKILL.md", "x\n");
    a.syncs(&["push"]);
    // The directory is a link, and the file in it, too.
    fs::create_dir_all(b.home.path("dotfiles/claude")).unwrap();
    symlink(b.home.path("dotfiles/claude"), b.home.path(".claude")).unwrap();
    fs::write(b.home.path("dotfiles/rules.md"), "one\n").unwrap();
    symlink("../rules.md", b.home.path("dotfiles/claude/CLAUDE.md")).unwrap();
    b.syncs(&[]);
    a.write(".claude/CLAUDE.md", "two\n");
    a.syncs(&["push"]);
    b.syncs(&[]);
    assert_eq!(b.read("dotfiles/rules.md").unwrap(), "two\n");
    let link = fs::symlink_metadata(b.home.path("dotfiles/claude/CLAUDE.md")).unwrap();
    assert!(link.is_symlink());
    assert!(
        fs::symlink_metadata(b.home.path(".claude"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(b.read("dotfiles/claude/skills/x/SKILL.md").unwrap(), "x\n");
}

#[test]
fn the_directory_is_named_by_variable_or_setting() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.write(".claude.json", r#"{"mcpServers":{"x":{"command":"x"}}}"#);
    a.syncs(&["push"]);
    let other = b.home.path("other");
    let mut command = b.home.wharf(&["sync"]);
    let output = command.env("CLAUDE_CONFIG_DIR", &other).output().unwrap();
    assert!(output.status.success(), "{}", b.home.show(&output));
    assert_eq!(
        fs::read_to_string(other.join("CLAUDE.md")).unwrap(),
        "one\n"
    );
    // Told of a directory, Claude Code has that file in it.
    assert!(
        fs::read_to_string(other.join(".claude.json"))
            .unwrap()
            .contains("\"x\"")
    );
    assert_eq!(b.files(), []);
    // Also where it is told of the usual one.
    let c = world.machine();
    let mut command = c.home.wharf(&["sync"]);
    let usual = c.home.path(".claude");
    let output = command.env("CLAUDE_CONFIG_DIR", usual).output().unwrap();
    assert!(output.status.success(), "{}", c.home.show(&output));
    assert!(c.read(".claude/.claude.json").unwrap().contains("\"x\""));
    assert_eq!(c.read(".claude.json"), None);
    // The base of one directory is not that of another.
    b.syncs(&[]);
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "one\n");
    b.home.ok(&["config", "set", "sync.claude_dir", "~/third"]);
    b.syncs(&[]);
    assert_eq!(b.read("third/CLAUDE.md").unwrap(), "one\n");
    b.home.ok(&["config", "set", "sync.claude_dir", "relative"]);
    let refused = b.sync(&[]);
    assert!(refused.contains("has to be an absolute path"), "{refused}");
}

#[test]
fn what_cannot_be_read_is_told_and_not_taken_for_gone() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.write(".claude/skills/x/SKILL.md", "x\n");
    a.syncs(&["push"]);
    b.syncs(&[]);
    // A pipe where a file was; nobody ever writes to it.
    fs::remove_file(b.home.path(".claude/CLAUDE.md")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(b.home.path(".claude/CLAUDE.md"))
        .status();
    assert!(made.unwrap().success());
    symlink("/etc/hostname", b.home.path(".claude/skills/x/out.md")).unwrap();
    fs::write(b.home.path(".claude.json"), "{ not json").unwrap();
    let _filters = filters();
    insta::assert_snapshot!("told", b.sync(&["status"]));
    insta::assert_snapshot!("not_sent_as_gone", b.sync(&["push"]));
    let (status, _) = a.json(&["status"]);
    assert_eq!(status["pending"], 0);
    fs::remove_dir_all(b.home.path(".claude")).unwrap();
    fs::write(b.home.path(".claude"), "a file").unwrap();
    let refused = b.sync(&[]);
    assert!(refused.contains("is no directory"), "{refused}");
}

#[test]
fn a_link_to_nothing_deletes_nothing() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.write(".claude/skills/x/SKILL.md", "x\n");
    a.write(".claude/agents/r.md", "r\n");
    a.syncs(&["push"]);
    fs::create_dir_all(b.home.path("dotfiles/skills")).unwrap();
    fs::create_dir(b.home.path(".claude")).unwrap();
    symlink("../dotfiles/skills", b.home.path(".claude/skills")).unwrap();
    b.syncs(&[]);
    // The dotfiles are away for a moment, and a directory has become a file.
    fs::rename(b.home.path("dotfiles"), b.home.path("away")).unwrap();
    fs::remove_dir_all(b.home.path(".claude/agents")).unwrap();
    b.write(".claude/agents", "a file\n");
    b.write(".claude/CLAUDE.md", "two\n");
    let sent = b.sync(&["push"]);
    assert!(sent.ends_with("exit 6"), "{sent}");
    a.syncs(&[]);
    assert_eq!(a.read(".claude/skills/x/SKILL.md").unwrap(), "x\n");
    assert_eq!(a.read(".claude/agents/r.md").unwrap(), "r\n");
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "two\n");
    // And nothing is made where the link leads to.
    let told = b.sync(&[]);
    assert!(told.contains("cannot be read here"), "{told}");
    assert!(!b.home.path("dotfiles").exists());
    fs::rename(b.home.path("away"), b.home.path("dotfiles")).unwrap();
    b.remove(".claude/agents");
    fs::create_dir(b.home.path(".claude/agents")).unwrap();
    b.syncs(&["--force"]);
    assert_eq!(b.json(&["--check"]).1, 0);
}

#[test]
fn nothing_but_what_is_ours_is_in_the_state() {
    let world = World::new();
    let a = world.machine();
    a.write(".claude/CLAUDE.md", "one\n");
    a.write(".claude/.credentials.json", "canary of a credential\n");
    a.write(
        ".claude.json",
        r#"{"oauthAccount":"canary of a login","mcpServers":{}}"#,
    );
    a.syncs(&["push"]);
    for (name, content) in listed(&a.home.path("state/sync")) {
        assert!(!content.contains("canary"), "{name}");
    }
    for dir in [
        "state/sync",
        "state/sync/states",
        "state/sync/roots",
        "state/sync/trees",
    ] {
        let mode = fs::metadata(a.home.path(dir)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
        assert_eq!(mode & 0o077, 0, "{dir} {mode:o}");
    }
}
