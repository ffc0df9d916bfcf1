//! The same profile for other agents.

use super::{World, filters};

const AGENT: &str =
    "---\nname: review\ndescription: reviews\ntools: Read, Grep\nmodel: opus\n---\nReview.\n";
const SERVERS: &str = r#"{"mcpServers":{"docs":{"command":"docs-mcp","args":["--stdio"]}}}"#;

#[test]
fn each_agent_gets_what_it_reads() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "# Rules\n");
    a.write(".claude/agents/review.md", AGENT);
    a.write(".claude/commands/git/push.md", "Push it.\n");
    a.write(".claude/skills/x/SKILL.md", "x\n");
    a.write(".claude/settings.json", "{}\n");
    a.write(".claude.json", SERVERS);
    a.syncs(&["push"]);
    b.home.ok(&[
        "config",
        "set",
        "sync.targets",
        "claude,opencode,codex,agents-md",
    ]);
    let own = "{\n  // mine\n  \"theme\": \"dark\",\n  \"mcp\": { \"own\": { \"type\": \"local\" } }\n}\n";
    let own = own.replace("  // mine\n", "");
    b.write(".config/opencode/opencode.json", &own);
    b.write(".codex/config.toml", "# mine\nmodel = \"x\"\n");
    let _filters = filters();
    insta::assert_snapshot!("all_at_once", b.sync(&["-v"]));
    let config = b.read(".config/opencode/opencode.json").unwrap();
    assert!(
        config.contains("\"own\"") && config.contains("\"docs-mcp\""),
        "{config}"
    );
    let config = b.read(".codex/config.toml").unwrap();
    assert!(config.starts_with("# mine\nmodel = \"x\"\n"), "{config}");
    assert!(config.contains("[mcp_servers.docs]"), "{config}");
    assert_eq!(b.read(".config/AGENTS.md").unwrap(), "# Rules\n");
    let skill = b.read(".codex/skills/git-push/SKILL.md").unwrap();
    assert!(skill.ends_with("---\nPush it.\n"), "{skill}");
    // OpenCode finds the skills of Claude Code itself.
    assert_eq!(b.read(".config/opencode/skills/x/SKILL.md"), None);
    insta::assert_snapshot!("nothing_to_do", b.sync(&[]));

    // What goes there goes here, and what is the person's own stays.
    a.write(".claude.json", "{}");
    a.remove(".claude/commands/git/push.md");
    a.syncs(&["push"]);
    b.write(".config/opencode/AGENTS.md", "# Mine\n");
    a.write(".claude/CLAUDE.md", "# Rules of a\n");
    a.syncs(&["push"]);
    insta::assert_snapshot!("an_edit_there_is_a_conflict", b.sync(&[]));
    let config = b.read(".config/opencode/opencode.json").unwrap();
    assert!(
        config.contains("\"own\"") && !config.contains("\"docs\""),
        "{config}"
    );
    assert!(!b.read(".codex/config.toml").unwrap().contains("docs"));
    assert_eq!(b.read(".config/opencode/AGENTS.md").unwrap(), "# Mine\n");
    assert_eq!(b.read(".codex/AGENTS.md").unwrap(), "# Rules of a\n");
    b.syncs(&["--target", "opencode", "--prefer", "remote"]);
    assert_eq!(
        b.read(".config/opencode/AGENTS.md").unwrap(),
        "# Rules of a\n"
    );
    insta::assert_snapshot!("status", b.sync(&["status"]));
}

#[test]
fn one_sync_is_undone_everywhere() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "# Rules\n");
    a.syncs(&["push"]);
    let targets = ["--target", "claude", "--target", "opencode"];
    b.syncs(&targets);
    let _filters = filters();
    insta::assert_snapshot!("history", b.sync(&["history"]));
    insta::assert_snapshot!("undone", b.sync(&["undo"]));
    assert_eq!(b.read(".claude/CLAUDE.md"), None);
    assert_eq!(b.read(".config/opencode/AGENTS.md"), None);
}

#[test]
fn a_file_that_cannot_be_edited_stops_its_agent_alone() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "# Rules\n");
    a.write(".claude.json", SERVERS);
    a.syncs(&["push"]);
    b.write(".config/opencode/opencode.json", "{ \"mcp\": \n");
    let _filters = filters();
    let seen = b.sync(&[
        "--target", "claude", "--target", "opencode", "--target", "codex",
    ]);
    insta::assert_snapshot!("told", seen);
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "# Rules\n");
    assert_eq!(b.read(".codex/AGENTS.md").unwrap(), "# Rules\n");
    assert_eq!(b.read(".config/opencode/AGENTS.md"), None);
    let unknown = b.home.output(&["config", "set", "sync.targets", "emacs"]);
    assert!(unknown.status.success());
    let told = b.sync(&[]);
    assert!(told.contains("there is no target emacs"), "{told}");
}

#[test]
fn two_targets_in_one_directory_are_refused() {
    let world = World::new();
    let a = world.machine();
    let dir = a.home.path("shared");
    let sync = |targets: &[&str]| {
        let mut command = a.home.wharf(&[&["sync"], targets].concat());
        command.env("CODEX_HOME", &dir);
        let output = command.env("WHARF_AGENTS_MD_DIR", &dir).output().unwrap();
        a.home.show(&output)
    };
    let both = sync(&["--target", "codex", "--target", "agents-md"]);
    assert!(
        both.contains("codex and agents-md are to be written to one directory"),
        "{both}"
    );
    assert!(both.ends_with("exit 2"), "{both}");
    assert!(!dir.exists());
    assert!(!sync(&["--target", "codex"]).contains("exit 2"));
}

#[test]
fn a_server_that_is_added_there_is_denied_although_nothing_is_new_here() {
    let world = World::new();
    let a = world.machine();
    a.write(".claude/agents/review.md", AGENT);
    a.write(".claude.json", SERVERS);
    a.syncs(&["push"]);
    let sync = |more: &[&str]| a.syncs(&[&["--target", "opencode"], more].concat());
    sync(&[]);
    let agent = || a.read(".config/opencode/agents/review.md").unwrap();
    assert!(agent().contains("\"docs_*\": deny") && !agent().contains("own"));
    sync(&["--check"]);
    let config = a.read(".config/opencode/opencode.json").unwrap();
    let own = "\"mcp\": {\n    \"own\": { \"type\": \"local\", \"command\": [\"own\"] },";
    a.write(
        ".config/opencode/opencode.json",
        &config.replace("\"mcp\": {", own),
    );
    let (_, code) = a.json(&["--target", "opencode", "--check"]);
    assert_eq!(code, 3);
    sync(&[]);
    assert!(agent().contains("\"own_*\": deny"), "{}", agent());
    // In the file beside it, too.
    a.write(
        ".config/opencode/opencode.jsonc",
        "{\"mcp\": {\"far\": {}}} // mine\n",
    );
    sync(&[]);
    assert!(agent().contains("\"far_*\": deny"), "{}", agent());
    // What cannot be read keeps what is there, and is told when something else is new.
    a.write(".config/opencode/opencode.jsonc", "{");
    sync(&[]);
    assert!(agent().contains("\"far_*\": deny"), "{}", agent());
    a.write(".config/opencode/opencode.jsonc", "{}");
    sync(&[]);
    assert!(!agent().contains("far"), "{}", agent());
    sync(&["--check"]);
}
