//! Both sides have changed.

use super::{Machine, World, filters};
use crate::terminal::on_terminal;

/// Two machines that agree on these files.
fn agreed(world: &World, files: &[(&str, &str)]) -> (Machine, Machine) {
    let (a, b) = (world.machine(), world.machine());
    for (name, content) in files {
        a.write(&format!(".claude/{name}"), content);
    }
    a.syncs(&["push"]);
    b.syncs(&[]);
    (a, b)
}

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

#[test]
fn each_side_is_followed_and_both_are_a_conflict() {
    let world = World::new();
    let files = [
        ("CLAUDE.md", TEXT),
        ("settings.json", "{\n  \"model\": \"a\"\n}\n"),
        ("agents/old.md", "old\n"),
        ("commands/ship.md", "ship\n"),
        ("keybindings.json", "{}\n"),
    ];
    let (a, b) = agreed(&world, &files);
    a.write(".claude/CLAUDE.md", &TEXT.replace("two", "TWO"));
    a.write(".claude/settings.json", "{\n  \"model\": \"b\"\n}\n");
    a.remove(".claude/agents/old.md");
    a.write(".claude/skills/x/SKILL.md", "x\n");
    a.syncs(&["push"]);
    b.write(".claude/settings.json", "{\n  \"model\": \"c\"\n}\n");
    b.write(".claude/commands/ship.md", "ship\nnow\n");
    b.remove(".claude/keybindings.json");

    let _filters = filters();
    insta::assert_snapshot!("rehearsed", b.sync(&["-n"]));
    insta::assert_snapshot!("written_but_for_the_conflict", b.sync(&[]));
    assert_eq!(
        b.read(".claude/CLAUDE.md").unwrap(),
        TEXT.replace("two", "TWO")
    );
    assert_eq!(b.read(".claude/agents/old.md"), None);
    assert_eq!(b.read(".claude/commands/ship.md").unwrap(), "ship\nnow\n");
    assert!(b.read(".claude/settings.json").unwrap().contains("\"c\""));
    // It stays one, also when nothing is new on the server.
    insta::assert_snapshot!("still_there", b.sync(&[]));
    insta::assert_snapshot!("differences", b.sync(&["diff"]));
    insta::assert_snapshot!("the_rest_is_sent", b.sync(&["push"]));
    insta::assert_snapshot!("keys_are_open", b.sync(&["merge", "settings.json"]));
    insta::assert_snapshot!(
        "one_side_wins",
        b.sync(&["merge", "settings.json", "--prefer", "remote"])
    );
    assert!(b.read(".claude/settings.json").unwrap().contains("\"b\""));
    assert_eq!(b.json(&["--check"]).1, 0);
    a.syncs(&[]);
    assert_eq!(a.files(), b.files());
}

#[test]
fn texts_are_merged_by_hunks() {
    let world = World::new();
    let (a, b) = agreed(&world, &[("CLAUDE.md", TEXT)]);
    a.write(".claude/CLAUDE.md", &TEXT.replace("two", "TWO"));
    a.syncs(&["push"]);
    b.write(".claude/CLAUDE.md", &TEXT.replace("six", "SIX"));
    assert_eq!(b.json(&[]).1, 6);
    b.syncs(&["merge", "CLAUDE.md"]);
    let both = TEXT.replace("two", "TWO").replace("six", "SIX");
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), both);
    b.syncs(&["push"]);
    a.syncs(&[]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), both);

    // The same line: the text with its marks comes out, and what was made of it goes in.
    a.write(".claude/CLAUDE.md", &both.replace("four", "a"));
    a.syncs(&["push"]);
    b.write(".claude/CLAUDE.md", &both.replace("four", "b"));
    let file = b.home.path(".claude/CLAUDE.md").display().to_string();
    let output = b.home.output(&["sync", "merge", &file]);
    assert_eq!(output.status.code(), Some(6), "{}", b.home.show(&output));
    let marked = String::from_utf8(output.stdout).unwrap();
    assert!(
        marked.contains("<<<<<<< here\nb\n||||||| as last agreed\nfour\n=======\na\n"),
        "{marked}"
    );
    let open = b.home.fed(
        &["sync", "merge", "CLAUDE.md", "--with", "-"],
        marked.as_bytes(),
    );
    assert_eq!(open.status.code(), Some(6), "{}", b.home.show(&open));
    let closed = both.replace("four", "a and b");
    let done = b.home.fed(
        &["sync", "merge", "CLAUDE.md", "--with", "-"],
        closed.as_bytes(),
    );
    assert!(done.status.success(), "{}", b.home.show(&done));
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), closed);
    b.syncs(&["push"]);
    a.syncs(&[]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), closed);
    let none = b.sync(&["merge", "CLAUDE.md"]);
    assert!(
        none.contains("is the same on both sides") && none.ends_with("exit 2"),
        "{none}"
    );
}

#[test]
fn an_editor_closes_what_is_open() {
    let world = World::new();
    let (a, b) = agreed(&world, &[("CLAUDE.md", TEXT)]);
    a.write(".claude/CLAUDE.md", &TEXT.replace("four", "a"));
    a.syncs(&["push"]);
    b.write(".claude/CLAUDE.md", &TEXT.replace("four", "b"));
    let mut command = b.home.wharf(&["sync", "merge", "CLAUDE.md", "--editor"]);
    let script = "sed -i -e '/^[<|=>]\\{7\\}/d' -e '/^four$/d'";
    let output = command.env("EDITOR", script).output().unwrap();
    assert!(output.status.success(), "{}", b.home.show(&output));
    assert_eq!(
        b.read(".claude/CLAUDE.md").unwrap(),
        TEXT.replace("four", "b\na")
    );
    assert_eq!(super::listed(&b.home.path("state/private")), []);
}

#[test]
fn a_person_is_asked_about_each_place() {
    let world = World::new();
    let (a, b) = agreed(&world, &[("CLAUDE.md", TEXT)]);
    a.write(
        ".claude/CLAUDE.md",
        &TEXT.replace("two", "TWO").replace("six", "a"),
    );
    a.syncs(&["push"]);
    let mine = TEXT.replace("six", "b");
    b.write(".claude/CLAUDE.md", &mine);
    let merge = || b.home.wharf(&["sync", "merge", "CLAUDE.md"]);
    let (shown, code) = on_terminal(merge(), "q\n");
    assert_eq!(code, Some(6), "{shown}");
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), mine);
    let (shown, code) = on_terminal(merge(), "t\n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("1 of 1 in CLAUDE.md\n  h b\n  t a\n"),
        "{shown}"
    );
    let merged = TEXT.replace("two", "TWO").replace("six", "a");
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), merged);
}

#[test]
fn what_was_made_in_an_editor_is_kept_until_it_is_written() {
    let world = World::new();
    let (a, b) = agreed(&world, &[("CLAUDE.md", TEXT)]);
    a.write(".claude/CLAUDE.md", &TEXT.replace("four", "a"));
    a.syncs(&["push"]);
    b.write(".claude/CLAUDE.md", &TEXT.replace("four", "b"));
    let edit = |script: &str| {
        let mut command = b.home.wharf(&["sync", "merge", "CLAUDE.md", "--editor"]);
        let output = command.env("EDITOR", script).output().unwrap();
        assert!(!output.status.success(), "{script}");
        b.home.show(&output)
    };
    let kept = |number: usize| super::listed(&b.home.path("state/private")).len() == number;
    // Nothing was made of it.
    assert!(!edit("true").contains("--with") && kept(0));
    // One kind of mark is left, whichever it is.
    for mark in ["<<<<<<< here", ">>>>>>> there", "======="] {
        let script = format!("sed -i -e '/^[<|=>]\\{{7\\}}/d' -e '1i {mark}'");
        let told = edit(&script);
        assert!(
            told.contains(&format!("line 1 still has a mark {mark}")),
            "{told}"
        );
        assert!(told.contains("merge CLAUDE.md --with "), "{told}");
    }
    assert!(kept(3));
    // The file changes while it is merged.
    let claude = b.home.path(".claude/CLAUDE.md").display().to_string();
    let told = edit(&format!(
        "echo more >> {claude}; sed -i -e '/^[<|=>]\\{{7\\}}/d' -e '1i mine'"
    ));
    assert!(told.contains("merge-3-CLAUDE.md"), "{told}");
    let file = b.home.path("state/private/merge-3-CLAUDE.md");
    let file = file.to_str().unwrap();
    assert!(std::fs::read_to_string(file).unwrap().starts_with("mine\n"));
    b.syncs(&["merge", "CLAUDE.md", "--with", file]);
    assert!(b.read(".claude/CLAUDE.md").unwrap().starts_with("mine\n"));
}

#[test]
fn a_side_that_does_not_fit_is_not_agreed_on() {
    let world = World::new();
    let (a, b) = agreed(&world, &[("CLAUDE.md", "one\n"), ("agents/x", "x\n")]);
    a.write(".claude/agents/x", "changed\n");
    a.syncs(&["push"]);
    // A directory has the name of the file that was changed there.
    b.remove(".claude/agents/x");
    b.write(".claude/agents/x/mine.md", "mine\n");
    let told = b.sync(&["merge", "agents/x", "--prefer", "remote"]);
    assert!(told.contains("it is a directory here"), "{told}");
    // It is a conflict as before: agreed on, it would count as deleted here.
    assert_eq!(b.json(&[]).1, 6);
}

#[test]
fn one_side_is_gone() {
    let world = World::new();
    let files = [
        ("CLAUDE.md", "one\n"),
        ("agents/a.md", "a\n"),
        ("agents/b.md", "b\n"),
    ];
    let (a, b) = agreed(&world, &files);
    a.write(".claude/agents/a.md", "changed\n");
    a.remove(".claude/agents/b.md");
    a.syncs(&["push"]);
    b.remove(".claude/agents/a.md");
    b.write(".claude/agents/b.md", "changed\n");
    let _filters = filters();
    insta::assert_snapshot!("told", b.sync(&[]));
    insta::assert_snapshot!("asked", b.sync(&["merge", "agents/a.md"]));
    b.syncs(&["merge", "agents/a.md", "--prefer", "remote"]);
    b.syncs(&["merge", "agents/b.md", "--prefer", "local"]);
    assert_eq!(b.read(".claude/agents/a.md").unwrap(), "changed\n");
    insta::assert_snapshot!("sent", b.sync(&["push"]));
    a.syncs(&[]);
    assert_eq!(a.files(), b.files());
}

#[test]
fn a_side_is_preferred() {
    let world = World::new();
    let (a, b) = agreed(&world, &[("CLAUDE.md", "one\n"), ("settings.json", "{}\n")]);
    a.write(".claude/CLAUDE.md", "of a\n");
    a.syncs(&["push"]);
    b.write(".claude/CLAUDE.md", "of b\n");
    b.syncs(&["--prefer", "local"]);
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "of b\n");
    b.syncs(&["push"]);
    a.write(".claude/CLAUDE.md", "of a again\n");
    assert_eq!(a.json(&[]).1, 6);
    a.syncs(&["--prefer", "remote"]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "of b\n");
    a.syncs(&["undo"]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "of a again\n");
}
