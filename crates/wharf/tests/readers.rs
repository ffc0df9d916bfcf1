//! What Claude Code, OpenCode and Codex read after a sync, told by themselves.
//!
//! They are the published programs, offline, with a model that is none. `cargo xtask check`
//! installs them; where it could not, these tests are left out and say so.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "cli/home.rs"]
#[expect(dead_code, reason = "the tests of the CLI use all of it")]
mod home;
#[path = "readers/machine.rs"]
mod machine;
#[path = "readers/profile.rs"]
mod profile;

use std::collections::BTreeSet;

use machine::{Machine, Platform};
use serde_json::{Value, json};
use wharf_testkit::{Answer, FakeModel, Readers, Seat, told as told_by_codex};

/// What the variables that the profile's servers refer to are.
const VARIABLES: &[(&str, &str)] = &[("WEB_TOKEN", "sesame"), ("DOCS_KEY", "k1")];

/// What a person says so that the agent is asked.
const REVIEW: &str = "Let it be reviewed.";

fn readers() -> Option<Readers> {
    Readers::find(env!("CARGO_TARGET_TMPDIR"))
}

fn seat<'a>(machine: &'a Machine, model: &'a FakeModel) -> Seat<'a> {
    Seat {
        home: machine.home(),
        model,
        variables: VARIABLES,
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// All that a model was told, in one text.
fn told(request: &Value) -> String {
    let texts = |value: &Value| {
        let blocks = value.as_array().cloned().unwrap_or_default();
        let texts = blocks
            .iter()
            .filter_map(|block| block.get("text")?.as_str().map(str::to_owned));
        texts.collect::<Vec<_>>().join("\n")
    };
    let messages = request["messages"].as_array().unwrap().iter();
    let said = messages.map(|message| match &message["content"] {
        Value::String(text) => text.clone(),
        content => texts(content),
    });
    let said = said.collect::<Vec<_>>().join("\n");
    format!("{}\n{said}", texts(&request["system"]))
}

fn tools(request: &Value) -> BTreeSet<String> {
    let tools = request["tools"].as_array().into_iter().flatten();
    tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn claude_code_reads_the_same_on_two_machines() {
    let Some(Readers { claude, .. }) = readers() else {
        return;
    };
    let model = FakeModel::saying("hello");
    let platform = Platform::new();
    let (first, second, empty) = (platform.machine(), platform.machine(), platform.machine());
    profile::write(first.home(), &model);
    first.push();
    second.sync(&["claude"]);

    let ask = |machine: &Machine| claude.ask(seat(machine, &model), "hello", &[]);
    let (there, here, own) = (ask(&first), ask(&second), ask(&empty));
    let new = |all: BTreeSet<String>, own: BTreeSet<String>| -> BTreeSet<String> {
        all.difference(&own).cloned().collect()
    };
    assert_eq!(new(here.agents(), own.agents()), set(profile::AGENTS));
    assert_eq!(new(here.skills(), own.skills()), set(profile::SKILLS));
    let commands = profile::COMMANDS.iter().chain(profile::SKILLS).copied();
    let commands: Vec<&str> = commands.collect();
    assert_eq!(new(here.commands(), own.commands()), set(&commands));
    assert_eq!(here.servers(), set(profile::SERVERS));
    assert_eq!(here.0["output_style"], "terse");
    assert_eq!(there.agents(), here.agents());
    assert_eq!(there.commands(), here.commands());
    assert_eq!(there.skills(), here.skills());
    assert_eq!(there.servers(), here.servers());
    assert_eq!(there.0["tools"], here.0["tools"]);
}

#[test]
fn instructions_hooks_scripts_and_secrets_of_the_environment_arrive_in_claude_code() {
    let Some(Readers { claude, .. }) = readers() else {
        return;
    };
    let model = FakeModel::calling("Bash", json!({"command": profile::RUN_SCRIPT}));
    let platform = Platform::new();
    let (first, second) = (platform.machine(), platform.machine());
    profile::write(first.home(), &model);
    first.push();
    second.sync(&["claude"]);

    let _init = claude.ask(seat(&second, &model), "run it", &[]);
    let conversation = model.conversation();
    let told = told(&conversation[0]);
    let marks = [
        profile::RULE,
        profile::MORE_RULES,
        profile::STYLE,
        profile::DESCRIPTION,
    ];
    for mark in marks {
        assert!(told.contains(mark), "{mark} is not in {told}");
    }
    // By a hook, by a script of a skill that the settings allow, and by a server that was started.
    assert_eq!(second.read("hook-ran"), "startup\n");
    assert_eq!(second.read("script-ran"), "deployed\n");
    assert_eq!(
        second.read("docs-ran"),
        format!("{}/docs k1\n", second.home().display())
    );
    let asked = model.at_server("web");
    assert_eq!(asked[0].headers["authorization"], "Bearer sesame");
}

/// `CLAUDE_CONFIG_DIR` leads both to the same places, also where it names the usual directory: the
/// servers are in that directory then, and what is beside it is not read.
#[test]
fn a_directory_that_is_named_is_where_claude_code_looks() {
    let Some(Readers { claude, .. }) = readers() else {
        return;
    };
    let model = FakeModel::saying("hello");
    let platform = Platform::new();
    let first = platform.machine();
    profile::write(first.home(), &model);
    first.push();
    for name in ["elsewhere/agent", ".claude"] {
        let machine = platform.machine();
        // What is read where nothing is named.
        let beside = json!({"mcpServers": {"beside": {"type": "http", "url": model.server("b")}}});
        machine.write(".claude.json", &beside.to_string());
        let dir = machine.home().join(name).display().to_string();
        let named = [("CLAUDE_CONFIG_DIR", dir.as_str())];
        machine.sync_with(&["claude"], &named);
        let variables = [VARIABLES, &named].concat();
        let seat = Seat {
            variables: &variables,
            ..seat(&machine, &model)
        };
        let init = claude.ask(seat, "hello", &[]);
        assert_eq!(init.servers(), set(profile::SERVERS), "{name}");
        assert!(init.agents().is_superset(&set(profile::AGENTS)), "{name}");
        assert!(init.skills().is_superset(&set(profile::SKILLS)), "{name}");
        assert_eq!(init.0["output_style"], "terse", "{name}");
        assert_eq!(machine.read(".claude.json"), beside.to_string());
    }
}

#[test]
fn opencode_reads_what_the_table_says_with_claude_code_beside_it_and_without() {
    let Some(Readers { opencode, .. }) = readers() else {
        return;
    };
    let model = FakeModel::saying("hello");
    let platform = Platform::new();
    let (first, second) = (platform.machine(), platform.machine());
    profile::write(first.home(), &model);
    first.push();
    // One has a server of that name already, in the file that OpenCode makes at its first start.
    let own = json!({"mcp": {"docs": {"type": "remote", "url": model.server("own")}}});
    first.write(".config/opencode/opencode.jsonc", &own.to_string());
    let lost = second.sync(&["opencode"]);
    assert_eq!(lost, set(profile::LOST));
    let lost_too = first.sync(&["claude", "opencode"]);
    let more: Vec<&String> = lost_too.difference(&lost).collect();
    assert_eq!(
        more,
        ["mcp.json: the server `docs`: another one has its name there"]
    );

    for machine in [&first, &second] {
        let server = opencode.serve(seat(machine, &model));
        assert_eq!(server.agents(), set(profile::AGENTS));
        let commands = profile::COMMANDS.iter().map(|name| name.replace(':', "/"));
        assert_eq!(server.commands(), commands.collect());
        assert_eq!(server.skills(), set(profile::SKILLS));
        let servers = server.servers();
        let names: BTreeSet<String> = servers.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, set(profile::SERVERS));
        assert_eq!(servers["web"]["status"], "connected");
        let reviewer = server.agent("reviewer");
        assert_eq!(reviewer["description"], profile::DESCRIPTION);
        assert_eq!(reviewer["prompt"], "Review.");
        assert_eq!(reviewer["mode"], "subagent");
    }
    assert!(!model.at_server("own").is_empty());
    let home = second.home().display();
    assert_eq!(second.read("docs-ran"), format!("{home}/docs k1\n"));
    let asked = model.at_server("web");
    assert_eq!(asked[0].headers["authorization"], "Bearer sesame");
}

#[test]
fn commands_and_agents_mean_the_same_in_opencode() {
    let Some(Readers {
        claude, opencode, ..
    }) = readers()
    else {
        return;
    };
    // It hands a task to an agent when it is told to, and the agent only answers.
    let model = FakeModel::answering(|request| {
        let asked = request["messages"].as_array().map_or(0, Vec::len) == 1;
        if asked && told(request).ends_with(REVIEW) && tools(request).contains("task") {
            Answer::Call {
                tool: "task".to_owned(),
                input: json!({"subagent_type": "reviewer", "description": "x", "prompt": "look"}),
            }
        } else {
            Answer::Text("done".to_owned())
        }
    });
    let platform = Platform::new();
    let machine = platform.machine();
    profile::write(machine.home(), &model);
    machine.push();
    machine.sync(&["claude", "opencode"]);

    let wanted = "all: <a b>, first: <a>, second: <b>, again: <a>";
    let _init = claude.ask(seat(&machine, &model), "/arguments a b", &[]);
    let request = told(&model.conversation()[0]);
    assert!(request.contains(wanted), "{request}");

    model.forget();
    let server = opencode.serve(seat(&machine, &model));
    server.command("arguments", "a b");
    let request = told(&model.conversation()[0]);
    assert!(request.contains(wanted), "{request}");
    // The instructions are read once, though Claude Code's are there as well.
    assert_eq!(request.matches(profile::RULE).count(), 1);

    model.forget();
    server.say(REVIEW);
    let conversation = model.conversation();
    let is_agent = |request: &&Value| told(request).contains("Review.");
    let (agent, person): (Vec<&Value>, _) = conversation.iter().partition(is_agent);
    assert!(tools(person[0]).is_superset(&set(&["edit", "web_look_up"])));
    assert_eq!(tools(agent[0]), set(&["bash", "grep", "read"]));
}

#[test]
fn codex_reads_what_the_table_says() {
    let Some(Readers { codex, .. }) = readers() else {
        return;
    };
    let model = FakeModel::saying("hello");
    let platform = Platform::new();
    let (first, second, empty) = (platform.machine(), platform.machine(), platform.machine());
    profile::write(first.home(), &model);
    first.push();
    let lost = second.sync(&["codex"]);
    assert_eq!(lost, set(profile::LOST_IN_CODEX));
    assert_eq!(first.sync(&["claude", "codex"]), lost);

    // What it knows without us is not ours.
    let skills = |prompt: &str| -> BTreeSet<String> {
        let lines = prompt.lines().filter(|line| line.contains("/SKILL.md)"));
        let names = lines.filter_map(|line| line.strip_prefix("- ")?.split(':').next());
        names.map(str::to_owned).collect()
    };
    let own = skills(&codex.prompt(seat(&empty, &model)));
    for machine in [&first, &second] {
        let prompt = codex.prompt(seat(machine, &model));
        assert_eq!(prompt.matches(profile::RULE).count(), 1, "{prompt}");
        // The model is told of skills, and not of what a person calls.
        let new: BTreeSet<String> = skills(&prompt).difference(&own).cloned().collect();
        assert_eq!(new, set(profile::SKILLS));
        assert!(prompt.contains("- headless: Has a \"head\""), "{prompt}");
        assert_eq!(codex.servers(seat(machine, &model)), set(&["web"]));
    }

    model.forget();
    codex.ask(seat(&second, &model), "$arguments a b");
    let told = told_by_codex(&model.responses()[0]["input"]);
    assert!(told.contains("$arguments a b"), "{told}");
    assert!(
        told.contains("all: <$ARGUMENTS>, first: <$0>, second: <$1>"),
        "{told}"
    );
    assert!(
        told.contains("`$ARGUMENTS` stands for what was written behind the name"),
        "{told}"
    );
    let asked = model.at_server("web");
    assert_eq!(asked[0].headers["authorization"], "Bearer sesame");
}
