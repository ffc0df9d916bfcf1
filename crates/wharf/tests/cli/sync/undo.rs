//! What was written is taken back.

use super::{Machine, World, filters};
use crate::home::Home;
use crate::identity;

#[test]
fn undone_and_done_again() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.write(".claude/agents/old.md", "old\n");
    a.syncs(&["push"]);
    b.syncs(&[]);
    a.write(".claude/CLAUDE.md", "two\n");
    a.remove(".claude/agents/old.md");
    a.write(".claude/skills/new/SKILL.md", "new\n");
    a.syncs(&["push"]);
    b.syncs(&[]);

    let _filters = filters();
    insta::assert_snapshot!("history", b.sync(&["history"]));
    insta::assert_snapshot!("undone", b.sync(&["undo"]));
    let files = [("CLAUDE.md", "one\n"), ("agents/old.md", "old\n")];
    let files = files.map(|(name, content)| (name.to_owned(), content.to_owned()));
    assert_eq!(b.files(), files);
    // It is an edit of this side now, which the next sync does not take back.
    insta::assert_snapshot!("kept", b.sync(&[]));
    assert_eq!(b.files(), files);
    insta::assert_snapshot!("further_back", b.sync(&["undo"]));
    assert_eq!(b.files(), []);
    insta::assert_snapshot!("nothing_left", b.sync(&["undo"]));
    b.syncs(&["undo", "4"]);
    assert_eq!(b.files(), files);
    // A file that the server no longer has is nobody's to take away.
    b.syncs(&["--force"]);
    let mut all = a.files();
    all.insert(1, files[1].clone());
    assert_eq!(b.files(), all);
    insta::assert_snapshot!("unknown", b.sync(&["undo", "99"]));
}

#[test]
fn an_edit_since_is_not_undone_away() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.write(".claude/settings.json", "{}\n");
    a.syncs(&["push"]);
    b.syncs(&[]);
    b.write(".claude/CLAUDE.md", "edited\n");
    let _filters = filters();
    insta::assert_snapshot!("left_alone", b.sync(&["undo"]));
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "edited\n");
    assert_eq!(b.read(".claude/settings.json"), None);
}

#[test]
fn what_was_imported_before_a_login_can_be_undone_after_it() {
    let m = Machine { home: Home::new() };
    m.write(".claude/CLAUDE.md", "mine\n");
    m.write("copy/CLAUDE.md", "imported\n");
    let copy = m.home.path("copy").display().to_string();
    m.syncs(&["import", "--force", "--from", "claude", &copy]);
    assert_eq!(m.read(".claude/CLAUDE.md").unwrap(), "imported\n");
    let world = World::new();
    identity::login(&m.home, &world.url);
    // Who only looks is not at work here.
    m.syncs(&["status"]);
    m.sync(&["-n"]);
    let (history, _) = m.json(&["history"]);
    assert_eq!(history["operations"][0]["operation"], "1");
    m.syncs(&["push"]);
    let (history, _) = m.json(&["history"]);
    assert_eq!(history["operations"][0]["operation"], "1~1");
    m.syncs(&["undo"]);
    assert_eq!(m.read(".claude/CLAUDE.md").unwrap(), "mine\n");
    let (history, _) = m.json(&["history"]);
    assert_eq!(history["operations"][0]["undoes"], "1~1");
    m.syncs(&["undo", "2~1"]);
    assert_eq!(m.read(".claude/CLAUDE.md").unwrap(), "imported\n");
}
