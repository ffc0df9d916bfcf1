use super::*;

fn profile(files: &[(&str, &str)]) -> Files {
    let each = files.iter().map(|(path, text)| {
        let path = ProfilePath::parse(path).unwrap();
        (path, Arc::from(text.as_bytes()))
    });
    each.collect()
}

fn text(rendered: &Rendered, path: &str) -> String {
    let content = rendered.files.get(&ProfilePath::parse(path).unwrap());
    let content = content.unwrap_or_else(|| panic!("no {path} in {:?}", rendered.files.keys()));
    String::from_utf8(content.to_vec()).unwrap()
}

fn lost(rendered: &Rendered) -> Vec<String> {
    let lost = rendered.lost.iter();
    lost.map(|lost| format!("{}: {}", lost.path, lost.what))
        .collect()
}

const AGENT: &str = "---\nname: reviewer\ndescription: Looks: \"closely\"\ntools: Read, Grep, Bash(git diff:*)\nmodel: opus\n---\nReview.\n";
const COMMAND: &str = "---\ndescription: Ship it\nargument-hint: [branch]\nallowed-tools: Bash(git:*)\n---\nShip $ARGUMENTS after !`git status`, $0 first.\n";
const SKILL: &str = "---\nname: deploy\ndescription: Deploys\n---\n";
const SERVERS: &str = r#"{"mcpServers": {
  "docs": {"command": "npx", "args": ["-y", "docs"], "env": {"KEY": "${KEY}", "MODE": "fast"}},
  "web": {"type": "http", "url": "https://mcp.example.com", "headers": {"Authorization": "Bearer ${WEB_TOKEN}", "X-Team": "a"}},
  "old": {"type": "sse", "url": "https://old.example.com/${TEAM:-a}"},
  "odd": {"type": "carrier-pigeon"}
}}"#;

fn all() -> Files {
    profile(&[
        ("CLAUDE.md", "# Rules\n"),
        ("agents/team/r.md", AGENT),
        ("commands/git/ship.md", COMMAND),
        ("skills/deploy/SKILL.md", SKILL),
        ("skills/deploy/run.sh", "#!"),
        ("output-styles/terse.md", "x"),
        ("mcp.json", SERVERS),
        // Nobody misses it.
        (".wharfallow", "a.md:jwt:3f786850e387550f\n"),
    ])
}

#[test]
fn claude_code_gets_the_profile_as_it_is() {
    let rendered = render(Target::Claude, &all(), &Existing::default()).unwrap();
    assert_eq!((rendered.files, rendered.lost), (all(), vec![]));
}

#[test]
fn opencode_gets_its_shape_and_no_agent_may_do_more_than_before() {
    let existing = Existing {
        config: Some("{\n  // mine\n  \"theme\": \"dark\",\n  \"mcp\": {\n    \"web\": { \"type\": \"remote\", \"url\": \"mine\" },\n    \"gone\": {}\n  }\n}\n".into()),
        servers: ["gone".to_owned()].into(),
        ..Existing::default()
    };
    let rendered = render(Target::OpenCode, &all(), &existing).unwrap();
    assert_eq!(text(&rendered, "AGENTS.md"), "# Rules\n");
    assert_eq!(
        text(&rendered, "agents/reviewer.md"),
        "---\ndescription: \"Looks: \\\"closely\\\"\"\nmode: subagent\npermission:\n  edit: deny\n  glob: deny\n  list: deny\n  bash:\n    \"*\": deny\n    \"git diff *\": allow\n  task: deny\n  skill: deny\n  todowrite: deny\n  lsp: deny\n  webfetch: deny\n  websearch: deny\n  \"docs_*\": deny\n  \"odd_*\": deny\n  \"old_*\": deny\n  \"web_*\": deny\n---\nReview.\n"
    );
    assert_eq!(
        text(&rendered, "commands/git/ship.md"),
        "---\ndescription: \"Ship it\"\n---\nShip $ARGUMENTS after !`git status`, $1 first.\n"
    );
    assert_eq!(text(&rendered, "skills/deploy/run.sh"), "#!");
    let config = text(&rendered, "opencode.json");
    assert!(config.starts_with("{\n  // mine\n  \"theme\": \"dark\",\n  \"mcp\": {\n    \"web\": { \"type\": \"remote\", \"url\": \"mine\" }"), "{config}");
    let parsed = crate::json::parse(&config).unwrap();
    let docs = parsed.member("mcp").unwrap().member("docs").unwrap();
    let wanted = r#"{"type":"local","command":["npx","-y","docs"],"environment":{"KEY":"{env:KEY}","MODE":"fast"},"enabled":true}"#;
    assert!(docs.says(&crate::json::parse(wanted).unwrap()), "{config}");
    assert!(!config.contains("gone"));
    assert_eq!(rendered.servers, ["docs", "old"].map(str::to_owned).into());
    assert_eq!(
        lost(&rendered),
        [
            "agents/team/r.md: the field `model`",
            "commands/git/ship.md: the field `argument-hint`",
            "commands/git/ship.md: the field `allowed-tools`",
            "output-styles/terse.md: OpenCode has nothing like it",
            "mcp.json: the server `odd`: it is of an unknown kind",
            "mcp.json: defaults of variables of the server `old`",
            "mcp.json: the server `web`: another one has its name there",
        ]
    );
    // Rendered again, nothing changes.
    let again = Existing {
        config: Some(config.clone()),
        servers: rendered.servers,
        claude_too: true,
        ..Existing::default()
    };
    let again = render(Target::OpenCode, &all(), &again).unwrap();
    assert_eq!(text(&again, "opencode.json"), config);
    assert!(again.files.keys().all(|path| !path.is_under("skills")));
}

#[test]
fn what_opencode_cannot_start_with_or_would_take_for_more_is_not_written() {
    let agents = [
        ("agents/a.md", "---\nname: build\ndescription: mine\n---\n"),
        ("agents/b.md", "---\nname: up/../x\ndescription: d\n---\n"),
        ("agents/c.md", "---\ndescription: nameless\n---\n"),
        ("agents/d.md", "---\nname: twice\ndescription: one\n---\n"),
        (
            "agents/e.md",
            "---\nname: twice\ndescription: \"two\"\n---\n",
        ),
        (
            "agents/f.md",
            "---\nname: odd name\ndescription: [a\ntools: Read\n---\n",
        ),
        ("commands/empty.md", "---\ndescription:\n---\nx\n"),
        ("commands/list.md", "---\ndescription: [a]\n---\nx\n"),
    ];
    let rendered = render(Target::OpenCode, &profile(&agents), &Existing::default()).unwrap();
    let paths: Vec<_> = rendered.files.keys().map(ProfilePath::as_str).collect();
    let wanted = [
        "agents/odd name.md",
        "agents/twice.md",
        "commands/empty.md",
        "commands/list.md",
    ];
    assert_eq!(paths, wanted);
    assert!(text(&rendered, "agents/twice.md").contains("description: \"two\""));
    let odd = text(&rendered, "agents/odd name.md");
    let start = "---\ndescription: \"[a\"\nmode: subagent\npermission:\n  edit: deny\n";
    assert!(odd.starts_with(start), "{odd}");
    assert_eq!(text(&rendered, "commands/list.md"), "x\n");
    assert_eq!(
        lost(&rendered),
        [
            "agents/a.md: OpenCode has an agent `build` of its own",
            "agents/b.md: OpenCode can have no agent `up/../x`",
            "agents/c.md: Claude Code reads no agent without `name` and `description`",
            "agents/e.md: another agent `twice`, whose place it takes",
            "commands/empty.md: the field `description`",
            "commands/list.md: the field `description`",
        ]
    );
}

#[test]
fn an_agent_whose_tools_are_not_understood_is_not_written() {
    let agents = [
        (
            "agents/a.md",
            "---\nname: a\ndescription: d\n\"tools\" : [\"Read\", # one\n  'Grep']\n---\n",
        ),
        (
            "agents/b.md",
            "---\nname: b\ndescription: d\ntools: {Read: true}\n---\n",
        ),
        (
            "agents/c.md",
            "---\nname: c\ndescription: d\ndisallowedTools: Bash Write\n---\n",
        ),
    ];
    let rendered = render(Target::OpenCode, &profile(&agents), &Existing::default()).unwrap();
    let paths: Vec<_> = rendered.files.keys().map(ProfilePath::as_str).collect();
    assert_eq!(paths, ["agents/a.md"]);
    let read = text(&rendered, "agents/a.md");
    assert!(
        read.contains("bash: deny") && !read.contains("grep"),
        "{read}"
    );
    let why = "write it as `tools: Read, Grep`";
    assert_eq!(
        lost(&rendered),
        [
            format!("agents/b.md: what it may do is not understood (the field `tools`): {why}"),
            format!(
                "agents/c.md: what it may do is not understood (the field `disallowedTools`): {why}"
            ),
        ]
    );
}

#[test]
fn a_skill_has_the_name_of_its_directory_in_opencode_too() {
    let skills = profile(&[
        (
            "skills/a/SKILL.md",
            "---\nname: other\ndescription: A\nlicense: x\n---\nBody\n",
        ),
        ("skills/b/SKILL.md", "# First line\nmore\n"),
        ("skills/b/deep/SKILL.md", "template"),
        ("skills/c/SKILL.md", "---\nname: c\ndescription: C\n---\n"),
    ]);
    let rendered = render(Target::OpenCode, &skills, &Existing::default()).unwrap();
    assert_eq!(
        text(&rendered, "skills/a/SKILL.md"),
        "---\nname: \"a\"\ndescription: \"A\"\nlicense: x\n---\nBody\n"
    );
    assert_eq!(
        text(&rendered, "skills/b/SKILL.md"),
        "---\nname: \"b\"\ndescription: \"# First line\"\n---\n# First line\nmore\n"
    );
    assert_eq!(text(&rendered, "skills/b/deep/SKILL.md"), "template");
    assert_eq!(lost(&rendered), Vec::<String>::new());

    let claude_too = Existing {
        claude_too: true,
        ..Existing::default()
    };
    let rendered = render(Target::OpenCode, &skills, &claude_too).unwrap();
    assert!(rendered.files.is_empty());
    assert_eq!(
        lost(&rendered),
        [
            "skills/a/SKILL.md: its name: OpenCode calls it `other`",
            "skills/b/SKILL.md: OpenCode shows no skill without `name` and `description`",
        ]
    );
}

#[test]
fn a_server_says_in_opencode_what_it_says_here() {
    let servers = r#"{"mcpServers": {
      "braces": {"command": "x", "args": ["{env:HOME}", "{file:/etc/passwd}", "${a\"b}", "${A}"],
                 "env": {"{env:B}": "1"}, "timeout": 5},
      "own": {"command": "theirs"},
      "{env:C}": {"command": "y"}
    }}"#;
    let own = "{ // mine\n \"mcp\": {\"own\": {\"type\": \"local\", \"command\": [\"mine\"]}}}";
    let existing = Existing {
        config: Some("{\"mcp\": {\"own\": {\"type\": \"remote\"}}}".into()),
        beside: Some(own.into()),
        servers: ["own".to_owned()].into(),
        ..Existing::default()
    };
    let rendered = render(
        Target::OpenCode,
        &profile(&[("mcp.json", servers)]),
        &existing,
    )
    .unwrap();
    let config = text(&rendered, "opencode.json");
    // As OpenCode does before it reads it: nothing but our variable is replaced.
    let replaced = config.replace("{env:A}", "value");
    assert!(
        !replaced.contains("{env:") && !replaced.contains("{file:"),
        "{config}"
    );
    let parsed = crate::json::parse(&replaced).unwrap();
    let braces = parsed.member("mcp").unwrap().member("braces").unwrap();
    let wanted = r#"{"type":"local","command":["x","{env:HOME}","{file:/etc/passwd}","${a\"b}","value"],"environment":{"{env:B}":"1"},"enabled":true}"#;
    assert!(
        braces.says(&crate::json::parse(wanted).unwrap()),
        "{config}"
    );
    assert!(parsed.member("mcp").unwrap().member("own").is_none());
    assert_eq!(rendered.servers, ["braces".to_owned()].into());
    assert_eq!(
        lost(&rendered),
        [
            "mcp.json: the member `timeout` of the server `braces`",
            "mcp.json: the server `own`: another one has its name there",
            "mcp.json: the server `{env:C}`: OpenCode would replace a part of its name",
        ]
    );
    let again = Existing {
        config: Some(config.clone()),
        servers: rendered.servers,
        ..existing
    };
    let again = render(Target::OpenCode, &profile(&[("mcp.json", servers)]), &again).unwrap();
    assert_eq!(text(&again, "opencode.json"), config);
}

#[test]
fn codex_gets_tables_and_references_become_names_of_variables() {
    let existing = Existing {
        config: Some("# mine\nmodel = \"x\"\n\n[mcp_servers.own]\ncommand = \"own\"\n".into()),
        ..Existing::default()
    };
    let rendered = render(Target::Codex, &all(), &existing).unwrap();
    let config = text(&rendered, "config.toml");
    assert!(
        config.starts_with(existing.config.as_deref().unwrap()),
        "{config}"
    );
    let wanted = "[mcp_servers.docs]\ncommand = \"npx\"\nargs = [\"-y\", \"docs\"]\nenv = { MODE = \"fast\" }\nenv_vars = [\"KEY\"]\n";
    assert!(config.contains(wanted), "{config}");
    let wanted = "[mcp_servers.web]\nurl = \"https://mcp.example.com\"\nbearer_token_env_var = \"WEB_TOKEN\"\nhttp_headers = { X-Team = \"a\" }\n";
    assert!(config.contains(wanted), "{config}");
    assert_eq!(
        text(&rendered, "prompts/git-ship.md"),
        "---\ndescription: Ship it\nargument-hint: [branch]\n---\nShip $ARGUMENTS after !`git status`, $1 first.\n"
    );
    assert_eq!(
        lost(&rendered),
        [
            "agents/team/r.md: Codex has nothing like it",
            "commands/git/ship.md: the field `allowed-tools`",
            "commands/git/ship.md: commands between !` and `, which Codex does not run",
            "output-styles/terse.md: Codex has nothing like it",
            "mcp.json: the server `odd`: it is of an unknown kind",
            "mcp.json: the server `old`: Codex has no transport `sse`",
        ]
    );
    let without = profile(&[("CLAUDE.md", "")]);
    let later = Existing {
        config: Some(config),
        servers: rendered.servers,
        ..Existing::default()
    };
    let rendered = render(Target::Codex, &without, &later).unwrap();
    assert_eq!(text(&rendered, "config.toml"), existing.config.unwrap());
}

#[test]
fn two_commands_of_one_name_in_codex_are_not_one() {
    let commands = [
        ("commands/a-b.md", "first\n"),
        ("commands/a/b.md", "second\n"),
    ];
    let rendered = render(Target::Codex, &profile(&commands), &Existing::default()).unwrap();
    assert_eq!(text(&rendered, "prompts/a-b.md"), "first\n");
    let told = ["commands/a/b.md: another command is `prompts/a-b.md` already"];
    assert_eq!(lost(&rendered), told);
}

#[test]
fn what_a_person_did_with_our_servers_stays() {
    let of = |docs: &str| {
        let servers = format!(
            r#"{{"mcpServers": {{"docs": {{"command": "{docs}"}}, "gone": {{"command": "gone"}}}}}}"#
        );
        profile(&[("mcp.json", &servers)])
    };
    for (target, file, from, to) in [
        (Target::OpenCode, "opencode.json", "\"one\"", "\"mine\""),
        (Target::Codex, "config.toml", "\"one\"", "\"mine\""),
    ] {
        let first = render(target, &of("one"), &Existing::default()).unwrap();
        let after = |rendered: &Rendered, config: String| Existing {
            config: Some(config),
            servers: rendered.servers.clone(),
            written: rendered.written.clone(),
            ..Existing::default()
        };
        // What is not edited follows, also in another layout.
        let untouched = text(&first, file).replace("command = ", "command  =  ");
        let followed = render(target, &of("two"), &after(&first, untouched)).unwrap();
        assert!(text(&followed, file).contains("\"two\""), "{followed:?}");

        let edited = after(&first, text(&first, file).replace(from, to));
        for wanted in ["one", "two"] {
            let kept = render(target, &of(wanted), &edited).unwrap();
            let config = text(&kept, file);
            assert!(
                config.contains(to) && !config.contains("\"two\""),
                "{config}"
            );
            let told = lost(&kept).join("\n");
            assert!(told.contains("`docs`: you have changed it there"), "{told}");
            assert!(kept.servers.contains("docs"));
        }
        // Both say the same now.
        let agreed = render(target, &of("mine"), &edited).unwrap();
        assert!(!lost(&agreed).join("\n").contains("`docs`"), "{agreed:?}");
        let next = render(target, &of("two"), &after(&agreed, text(&agreed, file))).unwrap();
        assert!(text(&next, file).contains("\"two\""));
        // It goes from the profile: it is the person's own.
        let empty = profile(&[("mcp.json", r#"{"mcpServers": {}}"#)]);
        let own = render(target, &empty, &edited).unwrap();
        assert!(text(&own, file).contains(to) && !text(&own, file).contains("gone"));
        assert!(own.servers.is_empty() && lost(&own).len() == 1, "{own:?}");
        // What was taken out stays out, and comes back when nothing is known of it.
        let none = match target {
            Target::OpenCode => "{\"mcp\": {}}\n",
            _ => "# mine\n",
        };
        let removed = after(&first, none.to_owned());
        let kept = render(target, &of("one"), &removed).unwrap();
        assert!(!text(&kept, file).contains("\"one\""), "{kept:?}");
        assert!(lost(&kept).join("\n").contains("you have removed it there"));
        let forced = Existing {
            written: BTreeMap::new(),
            ..removed
        };
        let forced = render(target, &of("one"), &forced).unwrap();
        assert!(text(&forced, file).contains("\"one\""));
    }
}

#[test]
fn what_cannot_be_read_stops_the_rendering() {
    let broken = Existing {
        config: Some("{".into()),
        ..Existing::default()
    };
    for target in [Target::OpenCode, Target::Codex] {
        assert!(matches!(
            render(target, &all(), &broken),
            Err(Error::Config { .. })
        ));
        let wrong = profile(&[("mcp.json", "[]")]);
        assert!(matches!(
            render(target, &wrong, &Existing::default()),
            Err(Error::Servers(_))
        ));
    }
}

#[test]
fn agents_md_is_the_instructions_alone() {
    let rendered = render(Target::AgentsMd, &all(), &Existing::default()).unwrap();
    assert_eq!(rendered.files.len(), 1);
    assert_eq!(text(&rendered, "AGENTS.md"), "# Rules\n");
    assert_eq!(rendered.lost.len(), 6);
}
