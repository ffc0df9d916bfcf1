//! Every call of an apply fails, or is the last one before the program ends or the power goes.
//! Afterwards each file is old or new, all files are old or all are new after the next start, and
//! what was replaced is in the backup.

#![expect(
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "world/changes.rs"]
mod changes;
#[path = "world/disk.rs"]
mod disk;
#[path = "world/story.rs"]
mod story;
mod world;

use std::fs;

use changes::{change, content};
use disk::{Fault, Faulty};
use story::{Seen, dirs, each_file_is_old_or_new, seen, story};
use wharf_sync::apply::{Base, Error, Recovered, Workplace};
use wharf_sync::profile::Manifest;
use world::{files, ground, path, temp};

/// The home before, after, and how many calls lie between.
fn both_ends(no_swap: bool) -> (Seen, Seen, usize) {
    let (home, changes, base) = story();
    let home = home.path();
    let before = (seen(home), dirs(home));
    let mut disk = Faulty::new(None);
    disk.no_swap = no_swap;
    let mut place = Workplace::open_on(ground(home, 1), &disk).unwrap();
    place.apply(&changes, base, 0).unwrap();
    let after = (seen(home), dirs(home));
    assert_ne!(before, after);
    (before, after, disk.calls.get())
}

/// One apply with a fault, the look in between, and the next start.
fn once(at: usize, fault: Fault, no_swap: bool, before: &Seen, after: &Seen) -> bool {
    let (home, changes, base) = story();
    let home = home.path();
    let told = format!("{fault:?} at call {at}");
    let mut disk = Faulty::new(Some((at, fault)));
    disk.no_swap = no_swap;
    let applied = Workplace::open_on(ground(home, 1), &disk)
        .and_then(|mut place| place.apply(&changes, base, 0));
    each_file_is_old_or_new(home, before, after, &told);
    if let Err(error) = &applied
        && matches!(fault, Fault::Once | Fault::Full)
        && !matches!(error, Error::Unfinished { .. })
    {
        let now = (seen(home), dirs(home));
        assert_eq!(&now, before, "{told}: {error}");
    }

    let mut working = Faulty::new(None);
    working.no_swap = no_swap;
    let place = Workplace::open_on(ground(home, 2), working);
    let place = place.unwrap_or_else(|error| panic!("{told}: the next start: {error}"));
    let now = (seen(home), dirs(home));
    let new = now == *after;
    assert!(
        new || now == *before,
        "{told}: a mix after the next start: {now:#?}"
    );
    assert_eq!(
        place.base().version == "v2",
        new,
        "{told}: the base and the files"
    );
    if applied.is_ok() {
        assert!(new, "{told}: what was told to be done is gone");
    }
    let operations = place.operations().unwrap();
    assert_eq!(operations.len(), usize::from(new), "{told}");
    if new {
        let kept = place.before(1, &path("agents/edit.md")).unwrap().unwrap();
        assert_eq!(kept, b"old text", "{told}");
        let kept = place.before(1, &path("agents/gone.md")).unwrap().unwrap();
        assert_eq!(kept, b"goes", "{told}");
    }
    let state: Vec<_> = files(&home.join("state"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let left = state
        .iter()
        .any(|name| name.contains("journal") || name.contains("next"));
    assert!(!left, "{told}: {state:?}");
    new
}

fn every_call(fault: Fault, no_swap: bool) {
    let (before, after, calls) = both_ends(no_swap);
    assert!(calls > 60, "{calls}");
    let completed = (1..=calls)
        .filter(|at| once(*at, fault, no_swap, &before, &after))
        .count();
    println!("{fault:?}: {calls} calls, {completed} ended with the new files");
}

#[test]
fn each_call_fails_once() {
    every_call(Fault::Once, false);
}

#[test]
fn the_disk_is_full_from_each_call_on() {
    every_call(Fault::Full, false);
}

#[test]
fn the_program_ends_before_each_call() {
    every_call(Fault::Before, false);
}

#[test]
fn the_program_ends_in_each_call() {
    every_call(Fault::After, false);
}

#[test]
fn the_power_goes_at_each_call() {
    every_call(Fault::Power, false);
}

/// A file system that cannot exchange two files, such as some of networks.
#[test]
fn each_call_fails_or_is_the_last_where_nothing_can_be_exchanged() {
    for fault in [Fault::Once, Fault::Full, Fault::Before, Fault::After] {
        every_call(fault, true);
    }
}

/// The next start is ended, too, at each of its calls.
#[test]
fn the_completion_is_ended_as_well() {
    let (before, after, calls) = both_ends(false);
    for at in (1..=calls).step_by(3) {
        for again in (1..40).step_by(2) {
            let (home, changes, base) = story();
            let home = home.path();
            let first = Faulty::new(Some((at, Fault::Before)));
            let _ = Workplace::open_on(ground(home, 1), &first)
                .and_then(|mut place| place.apply(&changes, base, 0));
            let second = Faulty::new(Some((again, Fault::After)));
            let ended = Workplace::open_on(ground(home, 2), &second).map(drop);
            let told = format!("at {at}, again at {again}");
            each_file_is_old_or_new(home, &before, &after, &told);
            let place = Workplace::open_on(ground(home, 3), Faulty::new(None)).unwrap();
            let now = (seen(home), dirs(home));
            assert!(now == before || now == after, "{told}: {now:#?}");
            drop(place);
            if ended.is_ok() && second.calls.get() < again {
                break;
            }
        }
    }
}

/// Somebody writes to a file or makes one between any two calls: what they wrote is in its place.
#[test]
fn somebody_writes_between_any_two_calls() {
    let (_, _, calls) = both_ends(false);
    for name in [
        "agents/edit.md",
        "agents/gone.md",
        "skills/new/SKILL.md",
        "agents/run",
        "CLAUDE.md",
    ] {
        for at in 1..=calls {
            let (home, changes, base) = story();
            let home = home.path();
            let file = home.join(".claude").join(name);
            let mut disk = Faulty::new(None);
            let theirs = file.clone();
            let write = move || {
                let _ = fs::create_dir_all(theirs.parent().unwrap());
                fs::write(&theirs, "[theirs]").unwrap();
            };
            disk.meanwhile = Some((at, Box::new(write)));
            let mut place = Workplace::open_on(ground(home, 1), disk).unwrap();
            let outcome = place.apply(&changes, base, 0);
            let told = format!("{name} written before call {at}: {outcome:?}");
            let all = files(home);
            let here = fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(here, "[theirs]", "{told}");
            let outcome = outcome.unwrap();
            if outcome.skipped.contains(&path(name)) {
                assert_eq!(place.base().manifest.get(&path(name)), None, "{told}");
            }
            let staged = all.iter().any(|(name, _)| name.contains("/.wharf-"));
            assert!(!staged, "{told}: {all:?}");
        }
    }
}

/// An operation ended before its directory was made, and somebody has made a file there since.
#[test]
fn what_stands_in_the_way_of_a_completion_has_it_taken_back() {
    let changes = [change("agents/a/b", None, content("new"))];
    let mut met = 0;
    for at in 1..40 {
        let home = temp();
        let root = home.path().join(".claude");
        fs::create_dir_all(root.join("agents")).unwrap();
        let disk = Faulty::new(Some((at, Fault::Before)));
        let base = Base::default().next("v1", Manifest::default());
        let mut place = Workplace::open_on(ground(home.path(), 1), disk).unwrap();
        let _ = place.apply(&changes, base, 0);
        drop(place);
        let moving = home.path().join("state/journal.moving").exists();
        if !moving || root.join("agents/a").exists() {
            continue;
        }
        met += 1;
        fs::write(root.join("agents/a"), "mine").unwrap();

        let place = Workplace::open_on(ground(home.path(), 2), Faulty::new(None)).unwrap();
        assert_eq!(place.recovered(), Some(&Recovered::TakenBack));
        assert_eq!(files(&root), [("agents/a".into(), "mine".into())]);
        assert_eq!(place.base(), &Base::default());
    }
    assert!(met > 0);
}
