//! What is sent, and what is not.

use super::{World, filters};
use crate::terminal::on_terminal;

#[test]
fn a_secret_stops_a_push_with_file_and_line() {
    let world = World::new();
    let a = world.machine();
    // Put together here, so that nobody takes this file for a leak.
    let token = ["gh", "p_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
    a.write(
        ".claude/settings.json",
        &format!("{{\n  \"env\": {{\"T\": \"{token}\"}}\n}}\n"),
    );
    a.write(".claude/CLAUDE.md", "# Rules\n");
    a.write(".claude/commands/use.md", "Use ${GH_TOKEN}.\n");
    let _filters = filters();
    insta::assert_snapshot!("refused", a.sync(&["push"]));
    insta::assert_snapshot!("nothing_was_sent", a.sync(&["history", "--server", "-v"]));
    insta::assert_snapshot!(
        "the_rest_by_name",
        a.sync(&["push", "CLAUDE.md", "commands/"])
    );
    insta::assert_snapshot!("refused_as_json", a.sync(&["push", "--json"]));
    a.write(
        ".claude/settings.json",
        "{\"env\": {\"T\": \"${GH_TOKEN}\"}}\n",
    );
    a.syncs(&["push"]);
    assert_eq!(a.json(&["--check"]).1, 0);
}

#[test]
fn what_is_no_secret_is_overruled_by_the_line_that_the_refusal_tells() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    let token = ["gh", "p_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
    let text = format!("Tokens look like {token}.\n");
    a.write(".claude/CLAUDE.md", &text);
    let refused = a.sync(&["push"]);
    let mark = refused
        .split(['[', ']'])
        .find(|it| it.starts_with("CLAUDE.md:"));
    let mark = mark.unwrap().to_owned();
    assert!(
        refused.contains("as a line of ~/.claude/.wharfallow"),
        "{refused}"
    );
    assert!(!mark.contains(&token), "{mark}");
    // A line that is almost it overrules nothing.
    a.write(".claude/.wharfallow", &mark[..mark.len() - 1]);
    assert!(a.sync(&["push"]).ends_with("exit 7"));
    a.write(
        ".claude/.wharfallow",
        &format!("# samples\n{mark} the form of a token\n"),
    );
    // Also where the file that says so does not go along.
    let _filters = filters();
    insta::assert_snapshot!("overruled", a.sync(&["push", "CLAUDE.md"]));
    a.syncs(&["push"]);
    // The other machine has it with the rest, and need not say it again.
    b.syncs(&[]);
    b.write(".claude/CLAUDE.md", &format!("{text}More.\n"));
    b.syncs(&["push"]);
    let other = token.replace("a1B2", "a1B3");
    b.write(".claude/CLAUDE.md", &format!("{text}{other}\n"));
    let refused = b.sync(&["push"]);
    assert!(
        refused.contains("CLAUDE.md:2: a token of GitHub"),
        "{refused}"
    );
    assert!(!refused.contains("CLAUDE.md:1:"), "{refused}");
}

#[test]
fn two_machines_push_at_once_and_neither_loses() {
    let world = World::new();
    let machines: Vec<_> = (0..4).map(|_| world.machine()).collect();
    for (n, machine) in machines.iter().enumerate() {
        machine.write(&format!(".claude/commands/of{n}.md"), &format!("{n}\n"));
    }
    let running: Vec<_> = machines
        .iter()
        .map(|machine| {
            let mut command = machine.home.wharf(&["sync", "push"]);
            command.stdout(std::process::Stdio::piped());
            command.stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for (machine, child) in machines.iter().zip(running) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", machine.home.show(&output));
    }
    for machine in &machines {
        machine.syncs(&[]);
        assert_eq!(machine.files().len(), machines.len());
        assert_eq!(machine.json(&["--check"]).1, 0);
    }
}

/// The server takes one large tree of a person at a time.
#[test]
fn large_trees_of_two_machines_at_once_wait_for_each_other() {
    let world = World::new();
    let machines: Vec<_> = (0..3).map(|_| world.machine()).collect();
    for (n, machine) in machines.iter().enumerate() {
        for file in 0..4 {
            let text = format!("{n} {file} ").repeat(1024 * 1024) + "\n";
            machine.write(&format!(".claude/skills/of{n}/{file}.md"), &text);
        }
    }
    let running: Vec<_> = machines
        .iter()
        .map(|machine| {
            let mut command = machine.home.wharf(&["sync", "push"]);
            command.stdout(std::process::Stdio::piped());
            command.stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for (machine, child) in machines.iter().zip(running) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", machine.home.show(&output));
    }
    let (status, _) = machines[0].json(&["status"]);
    assert_eq!(status["pending"], 8);
}

#[test]
fn what_is_rehearsed_is_not_sent() {
    let world = World::new();
    let a = world.machine();
    a.write(".claude/CLAUDE.md", "# Rules\n");
    let _filters = filters();
    insta::assert_snapshot!("rehearsed", a.sync(&["push", "-n"]));
    insta::assert_snapshot!("misplaced", a.sync(&["-n", "push"]));
    let (status, _) = a.json(&["status"]);
    assert_eq!(
        (&status["kept"], &status["remote"]["version"]),
        (&1.into(), &"".into())
    );
    let unknown = a.sync(&["push", "notes.txt"]);
    assert!(unknown.contains("is no file of the profile"), "{unknown}");
}

#[test]
fn most_files_do_not_go_unasked() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    for n in 0..12 {
        a.write(&format!(".claude/commands/c{n}.md"), "c\n");
    }
    a.write(".claude/CLAUDE.md", "# Rules\n");
    a.syncs(&["push"]);
    b.syncs(&[]);
    std::fs::remove_dir_all(a.home.path(".claude/commands")).unwrap();
    let _filters = filters();
    insta::assert_snapshot!("not_there", a.sync(&["push"]));
    a.syncs(&["push", "--yes"]);
    insta::assert_snapshot!("not_here", b.sync(&[]));
    assert_eq!(b.files().len(), 13);
    let (shown, code) = on_terminal(b.home.wharf(&["sync"]), "n\n");
    assert_eq!((b.files().len(), code), (13, Some(8)), "{shown}");
    let (shown, code) = on_terminal(b.home.wharf(&["sync"]), "y\n");
    assert_eq!((b.files().len(), code), (1, Some(0)), "{shown}");
    b.syncs(&["undo"]);
    assert_eq!(b.files().len(), 13);
}

#[test]
fn an_emptied_side_is_nobodys_wish() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "# Rules\n");
    a.write(".claude/commands/ship.md", "Ship it.\n");
    a.write(".claude.json", r#"{"mcpServers":{"x":{"command":"x"}}}"#);
    a.syncs(&["push"]);
    b.syncs(&[]);
    let all = b.files();
    // Gone altogether, and made anew by Claude Code with nothing of the profile in it.
    for made in [false, true] {
        std::fs::remove_dir_all(b.home.path(".claude")).unwrap();
        if made {
            b.write(".claude/projects/p/log.jsonl", "planted");
        }
        b.syncs(&["push", "--yes"]);
        b.syncs(&["push"]);
        let (status, _) = a.json(&["status"]);
        assert_eq!(status["pending"], 0, "{made}: {status}");
        b.syncs(&[]);
        let mut files = b.files();
        files.retain(|(name, _)| !name.starts_with("projects"));
        assert_eq!(files, all, "{made}");
        assert_eq!(b.json(&["--check"]).1, 0, "{made}");
    }
}

#[test]
fn names_that_other_systems_cannot_have_are_told() {
    let world = World::new();
    let a = world.machine();
    for name in ["nul.md", "plain.md"] {
        a.write(&format!(".claude/commands/{name}"), "x\n");
    }
    for words in [&["push", "-n"][..], &["push"]] {
        let told = a.sync(words);
        assert!(
            told.contains("commands/nul.md cannot be on Windows"),
            "{told}"
        );
        assert!(!told.contains("plain.md cannot"), "{told}");
    }
}

#[test]
fn the_last_file_does_not_go_unasked() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    let servers = r#"{"mcpServers":{"x":{"command":"x"}}}"#;
    // The directories are there, so that nothing looks like an empty disk.
    a.write(".claude/notes.txt", "");
    b.write(".claude/notes.txt", "");
    a.write(".claude.json", servers);
    a.syncs(&["push"]);
    b.syncs(&[]);
    a.write(".claude.json", "{}");
    let asked = a.sync(&["push"]);
    assert!(asked.ends_with("exit 8"), "{asked}");
    a.syncs(&["push", "--yes"]);
    let asked = b.sync(&[]);
    assert!(asked.ends_with("exit 8"), "{asked}");
    assert!(b.read(".claude.json").unwrap().contains("command"));
    b.syncs(&["--yes"]);
    assert!(!b.read(".claude.json").unwrap().contains("command"));
}

#[test]
fn what_is_the_organizations_stays_theirs() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    let token = a.home.ok(&["auth", "token"]);
    let (status, body) = crate::identity::sent(
        "PUT",
        &world.url,
        "/api/v1/configuration/org",
        token.trim(),
        &serde_json::json!({ "content": "Rule of the house.\n" }),
    );
    assert_eq!(status, 200, "{body}");
    a.syncs(&[]);
    let text = a.read(".claude/CLAUDE.md").unwrap();
    assert!(text.starts_with("<!-- wharf:begin"), "{text}");
    a.write(".claude/CLAUDE.md", &format!("{text}\nMine.\n"));
    a.syncs(&["push"]);
    b.syncs(&[]);
    assert_eq!(b.read(".claude/CLAUDE.md"), a.read(".claude/CLAUDE.md"));

    // The house changes its part while there is an edit here: that is no conflict.
    let (status, body) = crate::identity::sent(
        "PUT",
        &world.url,
        "/api/v1/configuration/org",
        token.trim(),
        &serde_json::json!({ "content": "Another rule.\n" }),
    );
    assert_eq!(status, 200, "{body}");
    let before = b.read(".claude/CLAUDE.md").unwrap();
    b.write(".claude/CLAUDE.md", &format!("{before}And more.\n"));
    let _filters = filters();
    insta::assert_snapshot!("the_part_is_followed", b.sync(&[]));
    let after = b.read(".claude/CLAUDE.md").unwrap();
    // The mark tells the part's state.
    let part: Vec<&str> = after.lines().skip(1).collect();
    let wanted = [
        "Another rule.",
        "<!-- wharf:end -->",
        "",
        "Mine.",
        "And more.",
    ];
    assert_eq!(part, wanted);
    b.syncs(&["push"]);
    a.syncs(&[]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), after);
    let own = a.home.ok(&["sync", "history", "--server"]);
    assert!(!own.contains("Another rule"), "{own}");
}

#[test]
fn rules_that_the_server_would_not_take_are_named_before_they_are_sent() {
    let world = World::new();
    let a = world.machine();
    a.write(".claude/CLAUDE.md", &"a".repeat(1024 * 1024));
    a.syncs(&["push"]);
    a.write(".claude/CLAUDE.md", &"a".repeat(1024 * 1024 + 1));
    a.write(".claude/commands/ship.md", "ship\n");
    let long = a.sync(&["push"]);
    assert!(long.contains("CLAUDE.md is longer than 1 MiB"), "{long}");
    assert!(long.ends_with("exit 1"), "{long}");
    std::fs::write(a.home.path(".claude/CLAUDE.md"), [b'a', 0xff]).unwrap();
    let bytes = a.sync(&["push"]);
    assert!(bytes.contains("CLAUDE.md is no text: byte 1"), "{bytes}");
    let rest = a.syncs(&["push", "commands/ship.md"]);
    assert!(rest.contains("1 file sent"), "{rest}");
}
