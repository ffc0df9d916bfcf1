//! A real process that really ends, and real system calls that fail: with strace, at each call that
//! changes a disk; without it, by `kill -9` while it works.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking, as tests do, and say what was done or skipped"
)]

#[path = "world/changes.rs"]
mod changes;
#[path = "world/story.rs"]
mod story;
mod world;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use story::{Seen, dirs, each_file_is_old_or_new, seen, story};
use wharf_sync::apply::Workplace;
use world::ground;

/// The calls that change a disk, each with those that do the same on other architectures.
const CALLS: [&str; 9] = [
    "openat",
    "write",
    "fsync",
    "rename,renameat",
    "renameat2",
    "unlink,unlinkat",
    "mkdir,mkdirat",
    "rmdir",
    "chmod,fchmod,fchmodat",
];

/// The program under test: one apply of the story, in the directory that is read from stdin.
#[test]
#[ignore = "the child of the tests of this file"]
fn child() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    if line.is_empty() {
        return;
    }
    let (_other, changes, base) = story();
    let mut place = Workplace::open(ground(Path::new(line.trim()), 1)).unwrap();
    place.apply(&changes, base, 0).unwrap();
}

/// Applies and undoes until it is killed, with a byte for each.
#[test]
#[ignore = "the child of the tests of this file"]
fn endless_child() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    if line.is_empty() {
        return;
    }
    let (_other, changes, base) = story();
    let home = Path::new(line.trim());
    let mut place = Workplace::open(ground(home, 1)).unwrap();
    for _ in 0..10_000 {
        let outcome = place.apply(&changes, base.clone(), 0).unwrap();
        place.undo(outcome.operation.unwrap(), false, 0).unwrap();
        let done = fs::File::options().append(true).open(home.join("done"));
        done.unwrap().write_all(b".").unwrap();
        println!(".");
    }
}

fn both_ends() -> (Seen, Seen) {
    let (home, changes, base) = story();
    let home = home.path();
    let before = (seen(home), dirs(home));
    let mut place = Workplace::open(ground(home, 1)).unwrap();
    place.apply(&changes, base, 0).unwrap();
    (before, (seen(home), dirs(home)))
}

fn run(mut command: Command, child: &str, home: &Path) -> Output {
    let exe = std::env::current_exe().unwrap();
    let command = command
        .arg(exe)
        .args(["--exact", child, "--ignored", "--test-threads=1"]);
    let mut running = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever was ended at its first call does not read any more.
    let _ = writeln!(running.stdin.take().unwrap(), "{}", home.display());
    running.wait_with_output().unwrap()
}

/// Runs the child with what strace does to its calls. True while there was a call to do it to.
fn injected(calls: &str, what: &str, before: &Seen, after: &Seen) -> bool {
    let (home, ..) = story();
    let home = home.path();
    let log = home.join("strace");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-e"])
        .arg(format!("trace={calls}"));
    command
        .arg("-e")
        .arg(format!("inject={calls}:{what}"))
        .arg("-o")
        .arg(&log);
    let output = run(command, "child", home);
    let log = fs::read_to_string(&log).unwrap();
    each_file_is_old_or_new(home, before, after, what);
    drop(Workplace::open(ground(home, 2)).unwrap());
    let now = (seen(home), dirs(home));
    assert!(
        now == *before || now == *after,
        "{what}: a mix after the next start: {now:#?}"
    );
    if output.status.success() {
        assert_eq!(&now, after, "{what}: what was told to be done is gone");
    }
    log.contains("INJECTED") || log.contains("killed by SIGKILL")
}

/// Each of `first, first + step, ...` until there is no such call any more.
fn each(first: usize, step: usize) {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no strace here");
        return;
    }
    let (before, after) = both_ends();
    let once = ["signal=KILL", "error=ENOSPC", "error=EIO"].map(|what| (what, ""));
    for (what, on) in once.into_iter().chain([("error=ENOSPC", "+")]) {
        let mut done = 0;
        for calls in CALLS {
            let mut at = first;
            while injected(calls, &format!("{what}:when={at}{on}"), &before, &after) {
                at += step;
                done += 1;
            }
        }
        assert!(done * step > 100, "{what}: only {done} calls were seen");
        println!("{what}{on}: at {done} calls");
    }
}

#[test]
fn real_calls_fail_or_are_the_last() {
    each(2, 13);
}

#[test]
#[ignore = "minutes; run before a release"]
fn every_real_call_fails_or_is_the_last() {
    each(1, 1);
}

#[test]
fn a_process_is_killed_while_it_works() {
    let (before, after) = both_ends();
    for operations in [1, 2, 3, 5, 8] {
        let (home, ..) = story();
        let home = home.path();
        fs::write(home.join("done"), "").unwrap();
        let exe = std::env::current_exe().unwrap();
        let mut running = Command::new(exe)
            .args(["--exact", "endless_child", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(running.stdin.take().unwrap(), "{}", home.display()).unwrap();
        let mut seen_done = 0;
        let mut byte = [0];
        let out = running.stdout.as_mut().unwrap();
        while seen_done < operations && out.read(&mut byte).unwrap() == 1 {
            seen_done += usize::from(byte == *b".");
        }
        running.kill().unwrap();
        running.wait().unwrap();
        let told = format!("killed after {operations}");
        assert_eq!(seen_done, operations, "{told}");
        each_file_is_old_or_new(home, &before, &after, &told);
        drop(Workplace::open(ground(home, 2)).unwrap());
        let now = (seen(home), dirs(home));
        assert!(now == before || now == after, "{told}: {now:#?}");
    }
}
