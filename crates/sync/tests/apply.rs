//! Changes to real files: what a person would find afterwards.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "world/changes.rs"]
mod changes;
mod world;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use changes::{change, content};
use tempfile::TempDir;
use wharf_sync::apply::{Base, Error, To, TouchedKind, Workplace};
use wharf_sync::profile::{Entry, Manifest};
use world::{files, ground, path, temp};

fn home() -> TempDir {
    let home = temp();
    fs::create_dir(home.path().join(".claude")).unwrap();
    home
}

fn open(home: &TempDir) -> Workplace {
    Workplace::open(ground(home.path(), 1)).unwrap()
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().mode() & 0o777
}

fn manifest(files: &[(&str, &str)]) -> Manifest {
    let entries = files
        .iter()
        .map(|(name, text)| (path(name), Entry::of(text.as_bytes(), false)));
    Manifest::from_entries(entries).unwrap()
}

#[test]
fn files_are_made_replaced_and_deleted_and_all_of_it_is_undone() {
    let home = home();
    let root = home.path().join(".claude");
    fs::create_dir(root.join("agents")).unwrap();
    fs::write(root.join("CLAUDE.md"), "old").unwrap();
    fs::set_permissions(root.join("CLAUDE.md"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(root.join("agents/gone.md"), "gone").unwrap();
    fs::write(root.join("settings.json"), "{}").unwrap();
    let untouched = fs::metadata(root.join("settings.json")).unwrap();
    let before = files(&root);

    let mut place = open(&home);
    let base = place.base().next("v1", manifest(&[("CLAUDE.md", "new")]));
    let program = To::Content {
        bytes: (*b"#!").into(),
        executable: true,
        mode: None,
    };
    let outcome = place.apply(
        &[
            change("CLAUDE.md", Some("old"), content("new")),
            change("agents/gone.md", Some("gone"), To::Nothing),
            change("hooks/deep/run.sh", None, program),
        ],
        base.clone(),
        77,
    );
    let outcome = outcome.unwrap();
    assert_eq!(
        outcome.written,
        [path("CLAUDE.md"), path("hooks/deep/run.sh")]
    );
    assert_eq!(outcome.deleted, [path("agents/gone.md")]);
    let after = [
        ("CLAUDE.md", "new"),
        ("hooks/deep/run.sh", "#!"),
        ("settings.json", "{}"),
    ];
    assert_eq!(
        files(&root),
        after.map(|(name, text)| (name.into(), text.into()))
    );
    assert_eq!(mode(&root.join("CLAUDE.md")), 0o640);
    assert_eq!(mode(&root.join("hooks/deep/run.sh")), 0o700);
    assert_eq!(mode(&root.join("hooks/deep")), 0o700);
    assert!(
        root.join("agents").is_dir(),
        "the person's own directory stays"
    );
    let now = fs::metadata(root.join("settings.json")).unwrap();
    assert_eq!(
        (now.ino(), now.mtime_nsec()),
        (untouched.ino(), untouched.mtime_nsec())
    );
    assert_eq!(
        (place.base().version.as_str(), &place.base().manifest),
        ("v1", &base.manifest)
    );

    let operations = place.operations().unwrap();
    let touched: Vec<_> = operations[0].touched.iter().map(|one| one.kind).collect();
    assert_eq!(operations[0].at, 77);
    assert_eq!(
        touched,
        [
            TouchedKind::Changed,
            TouchedKind::Deleted,
            TouchedKind::Created
        ]
    );
    assert_eq!(
        place.before(1, &path("CLAUDE.md")).unwrap().unwrap(),
        b"old"
    );

    let undone = place.undo(1, false, 78).unwrap();
    assert_eq!(undone.operation, Some(2));
    assert_eq!(files(&root), before);
    assert_eq!(mode(&root.join("CLAUDE.md")), 0o640);
    assert!(
        !root.join("hooks").exists(),
        "directories of ours go when they are empty"
    );
    assert_eq!(
        place.base().manifest,
        base.manifest,
        "what was agreed stays"
    );

    place.undo(2, false, 79).unwrap();
    assert_eq!(fs::read_to_string(root.join("CLAUDE.md")).unwrap(), "new");
    assert_eq!(place.operations().unwrap()[0].undoes, Some(2));
    assert!(matches!(
        place.undo(9, false, 0),
        Err(Error::NoOperation(9))
    ));
}

#[test]
fn a_file_that_changed_since_the_plan_stops_everything() {
    let home = home();
    let root = home.path().join(".claude");
    fs::write(root.join("CLAUDE.md"), "edited meanwhile").unwrap();
    let mut place = open(&home);
    let changes = [
        change("agents/new.md", None, content("new")),
        change("CLAUDE.md", Some("old"), content("new")),
    ];
    let refused = place.apply(&changes, Base::default(), 0).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "changed since it was looked at: CLAUDE.md"
    );
    assert_eq!(
        files(&root),
        [("CLAUDE.md".into(), "edited meanwhile".into())]
    );
    assert_eq!(files(&home.path().join("state")), []);
}

#[test]
fn an_undo_leaves_alone_what_was_edited_since() {
    let home = home();
    let root = home.path().join(".claude");
    let mut place = open(&home);
    let changes = [
        change("agents/a", None, content("1")),
        change("agents/b", None, content("1")),
    ];
    place.apply(&changes, Base::default(), 0).unwrap();
    fs::write(root.join("agents/a"), "mine").unwrap();
    let outcome = place.undo(1, false, 0).unwrap();
    assert_eq!(
        (outcome.skipped, outcome.deleted),
        (vec![path("agents/a")], vec![path("agents/b")])
    );
    assert_eq!(files(&root), [("agents/a".into(), "mine".into())]);

    place.undo(1, true, 0).unwrap();
    assert_eq!(files(&root), []);
    assert_eq!(
        place.before(3, &path("agents/a")).unwrap().unwrap(),
        b"mine"
    );
}

#[test]
fn links_are_written_through_and_not_out_of_bounds() {
    let home = home();
    let (root, dotfiles) = (home.path().join(".claude"), home.path().join("dotfiles"));
    let outside = temp();
    fs::create_dir_all(dotfiles.join("agents")).unwrap();
    fs::write(dotfiles.join("CLAUDE.md"), "old").unwrap();
    symlink("../dotfiles/CLAUDE.md", root.join("CLAUDE.md")).unwrap();
    symlink("../dotfiles/agents", root.join("agents")).unwrap();
    symlink("../dotfiles/settings.json", root.join("settings.json")).unwrap();
    symlink(outside.path(), root.join("hooks")).unwrap();
    let mut place = open(&home);
    let changes = [
        change("CLAUDE.md", Some("old"), content("new")),
        change("agents/a.md", None, content("a")),
        change("settings.json", None, content("{}")),
    ];
    place.apply(&changes, Base::default(), 0).unwrap();
    for link in ["CLAUDE.md", "agents", "settings.json"] {
        assert!(
            fs::symlink_metadata(root.join(link)).unwrap().is_symlink(),
            "{link}"
        );
    }
    let expected = [
        ("CLAUDE.md", "new"),
        ("agents/a.md", "a"),
        ("settings.json", "{}"),
    ];
    assert_eq!(
        files(&dotfiles),
        expected.map(|(name, text)| (name.into(), text.into()))
    );

    let changes = [change("hooks/run.sh", None, content("x"))];
    let refused = place.apply(&changes, Base::default(), 0).unwrap_err();
    assert!(matches!(refused, Error::Outside { .. }), "{refused}");
    assert_eq!(files(outside.path()), []);
}

#[test]
fn a_file_becomes_a_directory_and_back() {
    let home = home();
    let root = home.path().join(".claude");
    let mut place = open(&home);
    let first = [change("agents/a", None, content("file"))];
    place.apply(&first, Base::default(), 0).unwrap();
    let there = [
        change("agents/a", Some("file"), To::Nothing),
        change("agents/a/b/c", None, content("deep")),
    ];
    let base = place.base().clone();
    place.apply(&there, base, 0).unwrap();
    assert_eq!(files(&root), [("agents/a/b/c".into(), "deep".into())]);
    let base = place.base().clone();
    let back = [
        change("agents/a", None, content("file")),
        change("agents/a/b/c", Some("deep"), To::Nothing),
    ];
    fs::write(root.join("agents/a/b/note"), "a file that is nobody's").unwrap();
    let refused = place.apply(&back, base.clone(), 0).unwrap_err();
    assert!(matches!(refused, Error::NotAFile { .. }), "{refused}");
    fs::remove_file(root.join("agents/a/b/note")).unwrap();
    place.apply(&back, base, 0).unwrap();
    assert_eq!(files(&root), [("agents/a".into(), "file".into())]);
    place.undo(3, false, 0).unwrap();
    assert_eq!(files(&root), [("agents/a/b/c".into(), "deep".into())]);
    let undone = place.undo(2, false, 0).unwrap();
    assert_eq!(undone.skipped, []);
    assert_eq!(files(&root), [("agents/a".into(), "file".into())]);
}

#[test]
fn only_the_servers_of_an_agents_state_file_change() {
    let home = home();
    let file = home.path().join(".claude.json");
    let before = "{\n\t\"oauthAccount\": {\"id\": 1.0},\n\t\"mcpServers\": {\n\t\t\"a\": {\"command\": \"a\"}\n\t},\n\t\"numStartups\": 7\n}";
    fs::write(&file, before).unwrap();
    let here = "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"a\"\n    }\n  }\n}\n";
    let there = r#"{"mcpServers":{"a":{"command":"b"}}}"#;
    let mut place = open(&home);
    let base = place.base().next("v1", manifest(&[("mcp.json", there)]));
    let changes = [change("mcp.json", Some(here), content(there))];
    place.apply(&changes, base, 0).unwrap();
    let after = before.replace("{\"command\": \"a\"}", "{\n\t\t\t\"command\": \"b\"\n\t\t}");
    assert_eq!(fs::read_to_string(&file).unwrap(), after);

    // Its form here is another one than there, and counts as agreed all the same.
    let form = here.replace("\"a\"\n", "\"b\"\n");
    let local = manifest(&[("mcp.json", &form)]);
    assert_eq!(place.base().seen(&local), manifest(&[("mcp.json", there)]));

    // The agent goes on writing to the file; an undo changes the servers alone.
    fs::write(&file, after.replace('7', "8")).unwrap();
    let outcome = place.undo(1, false, 0).unwrap();
    assert_eq!(outcome.written, [path("mcp.json")]);
    let undone = fs::read_to_string(&file).unwrap();
    assert!(
        undone.contains("\"numStartups\": 8") && undone.contains("\"command\": \"a\""),
        "{undone}"
    );

    let kept: String = files(&home.path().join("state"))
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert!(
        !kept.contains("oauthAccount"),
        "logins are not copied: {kept}"
    );

    let wrong = [change(
        "mcp.json",
        Some(here),
        content("{\"oauthAccount\":1}"),
    )];
    let refused = place.apply(&wrong, Base::default(), 0).unwrap_err();
    assert!(matches!(refused, Error::MemberContent { .. }), "{refused}");
}

#[test]
fn one_sync_at_a_time() {
    let home = home();
    let place = open(&home);
    let second = Workplace::open(ground(home.path(), 2)).unwrap_err();
    assert!(matches!(second, Error::Busy));
    drop(place);
    open(&home);
}

#[test]
fn nothing_to_do_writes_nothing() {
    let home = home();
    let root = home.path().join(".claude");
    fs::write(root.join("CLAUDE.md"), "same").unwrap();
    let mut place = open(&home);
    let changes = [change("CLAUDE.md", Some("same"), content("same"))];
    let outcome = place.apply(&changes, Base::default(), 0).unwrap();
    assert_eq!(outcome.operation, None);
    assert_eq!(place.operations().unwrap(), []);
    assert_eq!(files(&home.path().join("state")), []);
}

#[test]
fn a_mode_alone_is_set_and_undone() {
    let home = home();
    let file = home.path().join(".claude/agents");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let inode = fs::metadata(&file).unwrap().ino();
    let mut place = open(&home);
    let changes = [change("agents", Some("x"), To::Mode { executable: true })];
    place.apply(&changes, Base::default(), 0).unwrap();
    assert_eq!(
        (mode(&file), fs::metadata(&file).unwrap().ino()),
        (0o755, inode)
    );
    place.undo(1, false, 0).unwrap();
    assert_eq!(mode(&file), 0o644);
}

#[test]
fn two_paths_that_are_one_file_are_written_once_or_left_alone() {
    let home = home();
    let root = home.path().join(".claude");
    fs::create_dir_all(root.join("skills/one")).unwrap();
    fs::create_dir(root.join("agents")).unwrap();
    symlink("one", root.join("skills/two")).unwrap();
    fs::write(root.join("agents/a.md"), "old").unwrap();
    symlink("a.md", root.join("agents/b.md")).unwrap();
    let mut place = open(&home);
    let was = manifest(&[("agents/a.md", "old"), ("agents/b.md", "old")]);
    let base = place.base().next("v1", was.clone());
    place.agree(base).unwrap();
    let next = [
        ("agents/a.md", "of a"),
        ("agents/b.md", "of b"),
        ("skills/one/x", "both"),
        ("skills/two/x", "both"),
        ("CLAUDE.md", "rest"),
    ];
    let next = place.base().next("v2", manifest(&next));
    let changes = [
        change("agents/a.md", Some("old"), content("of a")),
        change("agents/b.md", Some("old"), content("of b")),
        change("skills/one/x", None, content("both")),
        change("skills/two/x", None, content("both")),
        change("CLAUDE.md", None, content("rest")),
    ];
    let outcome = place.apply(&changes, next, 1).unwrap();
    assert_eq!(outcome.written, [path("skills/one/x"), path("CLAUDE.md")]);
    let pair = (path("agents/b.md"), path("agents/a.md"));
    assert_eq!(outcome.doubled, [pair]);
    assert!(outcome.is_partial());
    let text = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    assert_eq!(text("agents/a.md"), "old");
    assert_eq!(text("skills/two/x"), "both");
    let agreed = &place.base().manifest;
    for name in ["agents/a.md", "agents/b.md"] {
        assert_eq!(agreed.get(&path(name)), was.get(&path(name)), "{name}");
    }
    assert!(agreed.get(&path("skills/two/x")).is_some());
    // Alone it is told as well, and agrees on nothing.
    let next = place
        .base()
        .next("v3", manifest(&[("agents/a.md", "of a")]));
    let outcome = place.apply(&changes[..2], next, 2).unwrap();
    assert_eq!((outcome.operation, outcome.doubled.len()), (None, 1));
}
