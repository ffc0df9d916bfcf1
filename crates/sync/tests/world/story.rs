//! A home, changes that do everything an apply can do, and what a person sees of it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;
use wharf_sync::apply::{Base, Change, To};
use wharf_sync::profile::{Entry, Manifest};

use crate::changes::{change, content};
use crate::world::{files, path, temp};

/// A home with files of each kind, and changes that do everything an apply can do.
pub(crate) fn story() -> (TempDir, Vec<Change>, Base) {
    let home = temp();
    let root = home.path().join(".claude");
    fs::create_dir_all(root.join("agents/dir")).unwrap();
    fs::create_dir_all(home.path().join("dotfiles")).unwrap();
    for (name, text) in [
        ("agents/edit.md", "old text"),
        ("agents/gone.md", "goes"),
        ("agents/file", "becomes a directory"),
        ("agents/dir/x", "becomes a file"),
        ("agents/run", "#!"),
        ("agents/stays.md", "stays"),
    ] {
        fs::write(root.join(name), text).unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::write(home.path().join("dotfiles/CLAUDE.md"), "linked").unwrap();
    std::os::unix::fs::symlink("../dotfiles/CLAUDE.md", root.join("CLAUDE.md")).unwrap();
    fs::write(home.path().join(".claude.json"), "{\"login\":1}").unwrap();
    let changes = vec![
        change("CLAUDE.md", Some("linked"), content("linked and new")),
        change("agents/dir", None, content("a file now")),
        change("agents/dir/x", Some("becomes a file"), To::Nothing),
        change("agents/edit.md", Some("old text"), content("new text")),
        change("agents/file", Some("becomes a directory"), To::Nothing),
        change("agents/file/y", None, content("in a directory now")),
        change("agents/gone.md", Some("goes"), To::Nothing),
        change("agents/run", Some("#!"), To::Mode { executable: true }),
        change("mcp.json", None, content("{\"mcpServers\":{\"a\":{}}}")),
        change("skills/new/SKILL.md", None, content("new")),
    ];
    let agreed = Manifest::from_entries([(path("agents/edit.md"), Entry::of(b"new text", false))]);
    let base = Base::default().next("v2", agreed.unwrap());
    (home, changes, base)
}

/// Everything that a person would see: files, contents and whether they are programs.
pub(crate) fn seen(home: &Path) -> Vec<(String, String, bool)> {
    let mut all = Vec::new();
    for dir in [".claude", "dotfiles"] {
        for (name, text) in files(&home.join(dir)) {
            let mode = fs::metadata(home.join(dir).join(&name))
                .unwrap()
                .permissions()
                .mode();
            all.push((format!("{dir}/{name}"), text, mode & 0o100 != 0));
        }
    }
    let state = fs::read_to_string(home.join(".claude.json")).unwrap();
    all.push((".claude.json".into(), state, false));
    all
}

pub(crate) fn dirs(home: &Path) -> [bool; 3] {
    ["agents/dir", "agents/file", "skills"].map(|dir| home.join(".claude").join(dir).is_dir())
}

pub(crate) type Seen = (Vec<(String, String, bool)>, [bool; 3]);

pub(crate) fn each_file_is_old_or_new(home: &Path, before: &Seen, after: &Seen, told: &str) {
    for (name, text, _) in seen(home) {
        if name.contains("/.wharf-") {
            continue;
        }
        let known = before.0.iter().chain(&after.0);
        let known = known.filter(|(known, ..)| *known == name);
        let mut texts = known.map(|(_, text, _)| text);
        assert!(
            texts.any(|known| *known == text),
            "{told}: {name} holds {text:?}"
        );
    }
}
