//! Real directories, and for what deletes also the real command: what was counted is what went.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use wharf_shell::Context;
use wharf_shell::measure::measure_plan;

use super::walk::Walk;
use super::{MAX_MATCHES, Measured, measure, measure_with};

/// More than any of these takes.
const ENOUGH: Duration = Duration::from_secs(60);

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path();
    for path in ["src/deep/er", "empty/inner", "outside/kept", ".hidden"] {
        fs::create_dir_all(at.join(path)).expect("made");
    }
    for (path, len) in [
        ("src/a.rs", 10),
        ("src/b.tmp", 20),
        ("src/deep/c.tmp", 30),
        ("src/deep/er/d.rs", 40),
        ("src/.dot", 5),
        ("outside/kept/x", 1000),
        ("top.tmp", 7),
        ("zero", 0),
    ] {
        fs::write(at.join(path), vec![b'x'; len]).expect("written");
    }
    symlink("../outside", at.join("src/link")).expect("linked");
    dir
}

fn within(dir: &Path, command: &str, time: Duration) -> Measured {
    let cwd = dir.to_str().expect("a path of text");
    let ctx = Context {
        cwd: Some(cwd),
        home: Some(cwd),
        ..Context::default()
    };
    measure(&measure_plan(command, &ctx), time)
}

/// Files, directories and bytes.
fn counted(dir: &Path, command: &str) -> (u64, u64, u64) {
    let measured = within(dir, command, ENOUGH);
    assert!(!measured.at_least, "{command}: {measured:?}");
    (measured.files, measured.directories, measured.bytes)
}

fn entries(dir: &Path) -> (u64, u64) {
    let mut all = (0, 0);
    for entry in fs::read_dir(dir).expect("listed").flatten() {
        if entry.file_type().expect("a type").is_dir() {
            let inner = entries(&entry.path());
            all = (all.0 + inner.0, all.1 + inner.1 + 1);
        } else {
            all.0 += 1;
        }
    }
    all
}

#[test]
fn what_is_counted_is_what_goes() {
    for command in [
        "rm -rf src",
        "rm -rf src/",
        "rm -rf src/*",
        "rm -rf src/.dot src/*.rs",
        "rm -f src/*",
        "rm -f zero zero top.tmp",
        "rm -rf src src/deep/../deep",
        "rm -rf src/link",
        "rm -rf src/link/",
        "rm -rf *",
        "rm -rf nothing",
        "rmdir empty empty/inner src",
        "rm -df empty/inner zero",
        "cd src && rm -rf deep; cd .. && rm -f top.tmp",
        "d=src; rm -rf \"$d\"/deep",
        "for f in src/*.tmp; do rm \"$f\"; done",
        "find . -delete",
        "find src -delete",
        "find . -name '*.tmp' -delete",
        "find . -type d -empty -delete",
        "find . -empty -delete",
        "find . -name '*.tmp' -type f -exec rm {} +",
        "find src -mindepth 1 -maxdepth 1 -exec rm -rf {} +",
        "find . -maxdepth 1 -name 's*' -exec rm -rf {} \\;",
        "find . ! -name '*.rs' -type f -delete",
        "find . -path './src/*' -type f -delete",
        "find . -iname 'TOP*' -delete",
        "find . -type f,l -delete",
    ] {
        let dir = tree();
        let (files, directories, _) = counted(dir.path(), command);
        let before = entries(dir.path());
        let status = std::process::Command::new("bash")
            .args(["-c", command])
            .current_dir(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        status.expect("bash runs");
        let after = entries(dir.path());
        let gone = (before.0 - after.0, before.1 - after.1);
        assert_eq!((files, directories), gone, "{command}");
    }
}

#[test]
fn bytes_are_lengths_and_links_are_not_followed() {
    let dir = tree();
    assert_eq!(counted(dir.path(), "rm -rf src"), (6, 3, 105));
    assert_eq!(counted(dir.path(), "chmod -R u+w src"), (5, 3, 105));
    assert_eq!(counted(dir.path(), "chown -R me src"), (6, 3, 105));
    assert_eq!(counted(dir.path(), "mv src elsewhere"), (6, 3, 105));
    assert_eq!(counted(dir.path(), "mv zero top.tmp"), (2, 0, 7));
    assert_eq!(counted(dir.path(), "chmod 700 src src/deep"), (0, 2, 0));
}

#[test]
fn nothing_is_changed_by_counting() {
    let dir = tree();
    let before = entries(dir.path());
    let _ = within(dir.path(), "rm -rf * .hidden; find . -delete", ENOUGH);
    assert_eq!(entries(dir.path()), before);
}

#[test]
fn without_time_it_says_at_least() {
    let dir = tree();
    let measured = within(dir.path(), "rm -rf src", Duration::ZERO);
    assert!(measured.at_least);
    assert_eq!(measured.items.len(), 1);
    assert!(measured.items[0].at_least);
    // There is no latest moment so far away; it is not an error to ask for it.
    assert!(!within(dir.path(), "rm -rf src", Duration::MAX).at_least);
}

#[test]
fn entries_are_bounded_in_all_and_in_one_directory() {
    let dir = tree();
    let cwd = dir.path().to_str().expect("a path of text");
    let ctx = Context {
        cwd: Some(cwd),
        ..Context::default()
    };
    let plan = measure_plan("rm -rf src", &ctx);
    let with = |entries, listed| measure_with(&plan, Walk::new(None, entries, listed));
    // The directory itself and eight entries below it, five of them right below.
    assert!(!with(9, 5).at_least);
    assert!(with(8, 5).at_least);
    assert!(with(9, 4).at_least);
    assert_eq!(with(9, 5).files, 6);
}

#[test]
fn what_cannot_be_measured_makes_it_at_least() {
    let dir = tree();
    let measured = within(dir.path(), "rm -rf src \"$X\"", ENOUGH);
    assert!(measured.at_least);
    assert_eq!(measured.files, 6);
    assert_eq!(measured.unmeasured.len(), 1);
    assert!(within(dir.path(), "git clean -fdx", ENOUGH).at_least);
    assert_eq!(within(dir.path(), "ls", ENOUGH), Measured::default());
}

#[test]
fn a_directory_that_cannot_be_read_makes_it_at_least() {
    let dir = tree();
    let locked = dir.path().join("src/deep");
    let mode = |mode| fs::set_permissions(&locked, fs::Permissions::from_mode(mode));
    mode(0o000).expect("locked");
    let privileged = fs::read_dir(&locked).is_ok();
    let measured = within(dir.path(), "rm -rf src", ENOUGH);
    mode(0o700).expect("opened");
    // Somebody who may read everything finds nothing locked.
    assert_eq!(measured.at_least, !privileged);
    assert_eq!(measured.unreadable, u64::from(!privileged));
}

#[test]
fn deep_trees_take_no_stack() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut path = dir.path().to_owned();
    for _ in 0..300 {
        path.push("d");
    }
    fs::create_dir_all(&path).expect("made");
    assert_eq!(counted(dir.path(), "rm -rf d"), (0, 300, 0));
}

#[test]
fn a_pattern_stands_for_so_many_paths_and_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in 0..=MAX_MATCHES {
        fs::write(dir.path().join(format!("f{name}")), "").expect("written");
    }
    let measured = within(dir.path(), "rm -f *", ENOUGH);
    assert!(measured.at_least);
    assert_eq!(measured.files, MAX_MATCHES as u64);
    fs::remove_file(dir.path().join("f0")).expect("removed");
    assert_eq!(counted(dir.path(), "rm -f *").0, MAX_MATCHES as u64);
}
