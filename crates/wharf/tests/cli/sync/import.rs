//! What other tools keep.

use std::fs;
use std::os::unix::fs::symlink;

use super::{World, filters};

#[test]
fn a_chezmoi_source_is_read_by_its_names() {
    let world = World::new();
    let a = world.machine();
    let source = ".local/share/chezmoi";
    let put = |name: &str, content: &str| a.write(&format!("{source}/{name}"), content);
    put("dot_bashrc", "not of a profile\n");
    put("private_dot_claude/CLAUDE.md", "# Rules\n");
    put(
        "private_dot_claude/private_settings.json",
        "{\"model\": \"opus\"}\n",
    );
    put(
        "private_dot_claude/hooks/executable_check.sh",
        "#!/bin/sh\n",
    );
    put(
        "private_dot_claude/commands/ship.md.tmpl",
        "Ship {{ .name }}.\n",
    );
    put("private_dot_claude/commands/plain.md.tmpl", "Plain.\n");
    put(
        "private_dot_claude/agents/symlink_review.md",
        "../../notes/review.md\n",
    );
    put(
        "private_dot_claude/agents/symlink_lost.md",
        "/etc/hostname\n",
    );
    put("private_dot_claude/skills/exact_x/SKILL.md", "x\n");
    put(
        "private_dot_claude/encrypted_private_keybindings.json.age",
        "…\n",
    );
    put(
        "private_dot_claude/modify_private_dot_credentials.json",
        "#!/bin/sh\n",
    );
    put(
        "private_dot_claude.json",
        r#"{"mcpServers":{"gh":{"command":"gh-mcp"}}}"#,
    );
    a.write("notes/review.md", "Review.\n");
    a.write(".claude/settings.json", "{\n  \"theme\": \"dark\"\n}\n");
    a.write(".claude/CLAUDE.md", "# Mine\n");

    let _filters = filters();
    insta::assert_snapshot!("rehearsed", a.sync(&["import", "-n", "--from", "chezmoi"]));
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "# Mine\n");
    insta::assert_snapshot!(
        "taken",
        a.sync(&["import", &a.home.path(source).display().to_string()])
    );
    let settings = a.read(".claude/settings.json").unwrap();
    assert!(
        settings.contains("dark") && settings.contains("opus"),
        "{settings}"
    );
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "# Mine\n");
    assert_eq!(a.read(".claude/agents/review.md").unwrap(), "Review.\n");
    assert!(a.read(".claude.json").unwrap().contains("gh-mcp"));
    a.syncs(&["import", "--force", "--from", "chezmoi"]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "# Rules\n");
    a.syncs(&["undo"]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "# Mine\n");
    insta::assert_snapshot!("then_it_is_sent", a.sync(&["push"]));
}

#[test]
fn a_foreign_source_is_not_followed_out_of_itself() {
    let world = World::new();
    let a = world.machine();
    let source = ".local/share/chezmoi";
    let at = |name: &str| a.home.path(&format!("{source}/dot_claude/{name}"));
    let put = |name: &str, content: &str| {
        a.write(&format!("{source}/dot_claude/{name}"), content);
    };
    a.write(".ssh/id", "canary of a key\n");
    a.write("notes/private.md", "canary of notes\n");
    put("CLAUDE.md", "# Rules\n");
    // Links as chezmoi writes them, and real ones.
    put("agents/symlink_key.md", "../../.ssh/id\n");
    symlink(a.home.path("notes/private.md"), at("agents/out.md")).unwrap();
    symlink(a.home.path("notes"), at("commands")).unwrap();
    put("skills/x/SKILL.md", "x\n");
    symlink("..", at("skills/x/up")).unwrap();
    // Two that become one.
    put("hooks/check.sh", "one\n");
    put("hooks/executable_check.sh", "two\n");
    a.write(
        ".secret.json",
        r#"{"mcpServers":{"canary":{"command":"x"}}}"#,
    );
    let json = a.home.path(&format!("{source}/dot_claude.json"));
    symlink(a.home.path(".secret.json"), json).unwrap();
    let told = a.sync(&["import", "--from", "chezmoi"]);
    for left in [
        "agents/key.md: a link to what is no file",
        "agents/out.md: a link out of the directory",
        "commands: a link out of the directory",
        "up: a link to a directory that is taken already",
        "hooks/check.sh: another file there becomes it already",
        "dot_claude.json: a link out of the directory",
    ] {
        assert!(told.contains(left), "{left}\n{told}");
    }
    let names: Vec<String> = a.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["CLAUDE.md", "hooks/check.sh", "skills/x/SKILL.md"]);
    assert_eq!(a.read(".claude/hooks/check.sh").unwrap(), "one\n");
    assert_eq!(a.read(".claude.json"), None);
}

#[test]
fn a_copy_of_the_directory_and_one_of_a_claude_sync() {
    let world = World::new();
    let a = world.machine();
    a.write("backup/.claude/CLAUDE.md", "# Rules\n");
    a.write("backup/.claude/.credentials.json", "planted");
    a.write("backup/.claude/projects/x.jsonl", "planted");
    a.write(
        "backup/.claude.json",
        r#"{"oauth":"planted","mcpServers":{"gh":{"command":"gh-mcp"}}}"#,
    );
    a.write("synced/settings.json.age", "…");
    a.write("synced/claude/skills/x/SKILL.md", "x\n");
    symlink("/etc/hostname", a.home.path("synced/claude/CLAUDE.md")).unwrap();
    let _filters = filters();
    let dir = |name: &str| a.home.path(name).display().to_string();
    insta::assert_snapshot!("a_copy", a.sync(&["import", &dir("backup/.claude")]));
    insta::assert_snapshot!("a_claude_sync", a.sync(&["import", &dir("synced")]));
    let names: Vec<String> = a.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["CLAUDE.md", "skills/x/SKILL.md"]);
    assert!(!a.read(".claude.json").unwrap().contains("planted"));

    insta::assert_snapshot!("its_own", a.sync(&["import"]));
    insta::assert_snapshot!("nowhere", a.sync(&["import", "no/such"]));
    fs::create_dir(a.home.path("empty")).unwrap();
    insta::assert_snapshot!("nothing", a.sync(&["import", &dir("empty")]));
}
