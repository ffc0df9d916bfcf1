//! The first sync of a machine, and the second machine.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use super::{World, filters};

const SERVERS: &str = r#"{"oauthAccount":{"id":"planted"},"mcpServers":{"gh":{"command":"gh-mcp","env":{"T":"${GH_TOKEN}"}}}}"#;

#[test]
fn what_one_machine_sends_another_one_gets() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    let _filters = filters();
    insta::assert_snapshot!("nothing_anywhere", a.sync(&[]));
    a.write(".claude/CLAUDE.md", "# Rules\n");
    a.write(".claude/settings.json", "{\"model\":\"opus\"}\n");
    a.write(
        ".claude/skills/deploy/SKILL.md",
        "---\nname: deploy\n---\nDeploy.\n",
    );
    a.write(".claude/hooks/check.sh", "#!/bin/sh\n");
    let program = a.home.path(".claude/hooks/check.sh");
    std::fs::set_permissions(program, Permissions::from_mode(0o755)).unwrap();
    a.write(".claude/.credentials.json", "planted");
    a.write(".claude/projects/p/log.jsonl", "planted");
    a.write(".claude.json", SERVERS);

    insta::assert_snapshot!("all_of_it_is_yours", a.sync(&[]));
    insta::assert_snapshot!("sent", a.sync(&["push", "-m", "all that I have"]));
    insta::assert_snapshot!("nothing_to_do", a.sync(&[]));
    insta::assert_snapshot!("status", a.sync(&["status"]));

    b.write(".claude.json", "{\n  \"numStartups\": 3\n}\n");
    insta::assert_snapshot!("rehearsed", b.sync(&["-n"]));
    assert_eq!(b.files(), []);
    let (checked, code) = b.json(&["--check"]);
    assert_eq!((&checked["targets"][0]["pending"], code), (&5.into(), 3));
    insta::assert_snapshot!("brought", b.sync(&[]));
    let mut wanted = a.files();
    wanted.retain(|(name, _)| !name.starts_with('.') && !name.starts_with("projects"));
    assert_eq!(b.files(), wanted);
    let mode = std::fs::metadata(b.home.path(".claude/hooks/check.sh")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o700);
    // One member of that file travels, and the rest stays as it is.
    let json = b.read(".claude.json").unwrap();
    assert!(
        json.starts_with("{\n  \"numStartups\": 3,\n  \"mcpServers\""),
        "{json}"
    );
    assert!(
        json.contains("${GH_TOKEN}") && !json.contains("planted"),
        "{json}"
    );
    assert_eq!(b.json(&["--check"]).1, 0);

    // Nothing is written, so that nothing has other times.
    let before = std::fs::metadata(b.home.path(".claude/CLAUDE.md")).unwrap();
    b.syncs(&[]);
    let after = std::fs::metadata(b.home.path(".claude/CLAUDE.md")).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    insta::assert_snapshot!("versions", b.sync(&["history", "--server"]));
}

#[test]
fn what_was_here_before_is_never_overwritten_unasked() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "# of a\n");
    a.write(".claude/commands/ship.md", "Ship it.\n");
    a.write(".claude/keybindings.json", "{}\n");
    a.syncs(&["push"]);
    b.write(".claude/CLAUDE.md", "# of b\n");
    b.write(".claude/keybindings.json", "{}\n");
    b.write(".claude/agents/mine.md", "mine\n");

    let _filters = filters();
    insta::assert_snapshot!("conflicts_are_listed", b.sync(&[]));
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "# of b\n");
    assert_eq!(b.read(".claude/commands/ship.md").unwrap(), "Ship it.\n");
    insta::assert_snapshot!("forced", b.sync(&["--force"]));
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "# of a\n");
    // What the server never had is not taken away by force.
    assert_eq!(b.read(".claude/agents/mine.md").unwrap(), "mine\n");
    b.syncs(&["undo"]);
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "# of b\n");
}
