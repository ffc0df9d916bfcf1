//! A profile with all that a profile can have, and with names and heads as people write them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use wharf_testkit::FakeModel;

/// In `CLAUDE.md`.
pub(crate) const RULE: &str = "Say ahoy.";
/// In a file of rules.
pub(crate) const MORE_RULES: &str = "Spaces, not tabs.";
/// In the output style that the settings choose.
pub(crate) const STYLE: &str = "Few words.";
/// Of the agent `reviewer`.
pub(crate) const DESCRIPTION: &str = r#"Looks: "closely" {at} it"#;

pub(crate) const AGENTS: &[&str] = &["bracket", "odd name ü", "plain", "reviewer", "team/lead"];
pub(crate) const COMMANDS: &[&str] = &[
    "arguments",
    "empty",
    "git:deep:push",
    "git:ship",
    "many",
    "über uns",
];
pub(crate) const SKILLS: &[&str] = &["deploy", "headless"];
pub(crate) const SERVERS: &[&str] = &["docs", "my web.ü", "web"];

/// Runs the script of the skill `deploy`, which the settings allow.
pub(crate) const RUN_SCRIPT: &str = "~/.claude/skills/deploy/run.sh";

/// What OpenCode cannot have of it.
pub(crate) const LOST: &[&str] = &[
    "agents/nameless.md: Claude Code reads no agent without `name` and `description`",
    "agents/team/review.md: the field `model`",
    "commands/empty.md: the field `description`",
    "commands/git/ship.md: the field `argument-hint`",
    "commands/git/ship.md: the field `allowed-tools`",
    "commands/many.md: the field `description`",
    "hooks/start.sh: OpenCode has nothing like it",
    "output-styles/terse.md: OpenCode has nothing like it",
    "rules/style.md: OpenCode has nothing like it",
    "settings.json: OpenCode has nothing like it",
    "mcp.json: defaults of variables of the server `docs`",
];

/// What Codex cannot have of it.
pub(crate) const LOST_IN_CODEX: &[&str] = &[
    "agents/bracket.md: Codex has nothing like it",
    "agents/lead.md: Codex has nothing like it",
    "agents/nameless.md: Codex has nothing like it",
    "agents/odd.md: Codex has nothing like it",
    "agents/plain.md: Codex has nothing like it",
    "agents/team/review.md: Codex has nothing like it",
    "commands/arguments.md: places of arguments, which Codex tells and does not fill",
    "commands/empty.md: the field `description`",
    "commands/git/ship.md: the field `argument-hint`",
    "commands/git/ship.md: the field `allowed-tools`",
    "commands/many.md: the field `description`",
    "hooks/start.sh: Codex has nothing like it",
    "output-styles/terse.md: Codex has nothing like it",
    "rules/style.md: Codex has nothing like it",
    "settings.json: Codex has nothing like it",
    "mcp.json: the server `docs`: it refers to a variable where Codex replaces none",
    "mcp.json: the server `my web.ü`: Codex takes no such name",
];

const TEXTS: &[(&str, &str)] = &[
    ("CLAUDE.md", "# Rules\n\nSay ahoy.\n"),
    (
        "agents/team/review.md",
        "---\nname: reviewer\ndescription: Looks: \"closely\" {at} it\n\
         tools: Read, Grep, Bash(git diff:*)\nmodel: opus\n---\nReview.\n",
    ),
    (
        "agents/odd.md",
        "---\nname: odd name ü\ndescription: >-\n  folded\n  text\n---\nOdd.\n",
    ),
    (
        "agents/plain.md",
        "---\nname: plain\ndescription: 'it''s plain'\ndisallowedTools: Write\n---\nPlain.\n",
    ),
    (
        "agents/lead.md",
        "---\nname: team/lead\ndescription: Leads\n---\nLead.\n",
    ),
    // As YAML these two are no text, and a head that is none at all.
    (
        "agents/bracket.md",
        "---\nname: bracket\ndescription: [not closed\ntools: Read\n---\nBracket.\n",
    ),
    (
        "commands/many.md",
        "---\ndescription:\n  - a\n  - b\n---\nMany.\n",
    ),
    // No agent for Claude Code.
    (
        "agents/nameless.md",
        "---\ndescription: nameless\n---\nNo name.\n",
    ),
    (
        "commands/arguments.md",
        "all: <$ARGUMENTS>, first: <$0>, second: <$1>, again: <$ARGUMENTS[0]>\n",
    ),
    ("commands/empty.md", "---\ndescription:\n---\nEmpty.\n"),
    ("commands/git/deep/push.md", "Push.\n"),
    (
        "commands/git/ship.md",
        "---\ndescription: Ship it\nargument-hint: [branch]\nallowed-tools: Bash(git:*)\n---\nShip.\n",
    ),
    ("commands/über uns.md", "Who we are.\n"),
    (
        "skills/deploy/SKILL.md",
        "---\nname: deploy\ndescription: Deploys things\n---\nRun ./run.sh\n",
    ),
    (
        "skills/deploy/run.sh",
        "#!/bin/sh\necho deployed >~/script-ran\n",
    ),
    (
        "skills/headless/SKILL.md",
        "---\nname: headless\ndescription: \"Has a \\\"head\\\"\"\n---\nBody.\n",
    ),
    ("rules/style.md", "Spaces, not tabs.\n"),
    (
        "output-styles/terse.md",
        "---\nname: terse\ndescription: Terse\n---\nFew words.\n",
    ),
    (
        "hooks/start.sh",
        "#!/bin/sh\nsed 's/.*\"source\":\"\\([a-z]*\\)\".*/\\1/' >~/hook-ran\n",
    ),
];

/// Writes it to `~/.claude` and `~/.claude.json` of this home, as a person has it there.
pub(crate) fn write(home: &Path, model: &FakeModel) {
    let root = home.join(".claude");
    for (path, text) in TEXTS {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if path.extension().is_some_and(|kind| kind == "sh") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let hook = json!({"type": "command", "command": "~/.claude/hooks/start.sh"});
    let settings = json!({
        "hooks": {"SessionStart": [{"hooks": [hook]}]},
        "outputStyle": "terse",
        "permissions": {"allow": [format!("Bash({RUN_SCRIPT})")]},
    });
    fs::write(root.join("settings.json"), settings.to_string()).unwrap();
    let token = json!({"Authorization": "Bearer ${WEB_TOKEN}"});
    let script = "echo \"$0 $KEY\" >~/docs-ran; exec cat";
    let state = json!({
        "numStartups": 3,
        "mcpServers": {
            "docs": {
                "command": "sh",
                "args": ["-c", script, "${HOME}/docs"],
                "env": {"KEY": "${DOCS_KEY:-none}", "BRACES": "{env:HOME} {file:/no/such/file}"},
            },
            "web": {"type": "http", "url": model.server("web"), "headers": token},
            "my web.ü": {"type": "http", "url": model.server("other")},
        },
    });
    fs::write(home.join(".claude.json"), state.to_string()).unwrap();
}
