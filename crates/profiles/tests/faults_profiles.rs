//! A writer is killed at any moment, at each of its system calls, and meets a full disk at each of
//! them: the repository stays sound, no acknowledged version is lost, and the next writer goes on.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "functions that the tests share are tests, too"
)]

#[path = "profiles/support.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Place, author, fsck, git};
use wharf_profiles::upstream::Access;
use wharf_profiles::{Condition, Owner};

const ROUNDS: u64 = 50;
/// The system calls that change something, or that make it last.
const CALLS: [&str; 8] = [
    "write", "fsync", "rename", "link", "linkat", "unlink", "mkdir", "flock",
];
/// More of one system call than a writer of two versions makes.
const MOST_CALLS: usize = 400;

#[tokio::test]
async fn a_killed_writer_leaves_a_sound_repository() {
    let rounds = number("WHARF_FAULT_ROUNDS", ROUNDS);
    let seed = number("WHARF_FAULT_SEED", 7);
    let place = Place::new();
    let owner = Owner::user("crash").unwrap();
    let repository = place.repository(&owner);
    let mut random = seed;
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..rounds {
        let mut command = Command::new(writer());
        command.arg(place.root()).arg(format!("{seed}-{round}"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (wait_for, then) = ((random >> 60) % 3, (random >> 33) % 20_000);
        let (enough, is_enough) = std::sync::mpsc::channel();
        let killer = std::thread::spawn(move || {
            for _ in 0..wait_for {
                let _ = is_enough.recv();
            }
            // Where it is then is as the machine has it: the wait only spreads the moments.
            std::thread::sleep(Duration::from_micros(then));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for line in lines.map_while(Result::ok) {
            // A last line that was cut off is no acknowledgement.
            acknowledged.extend((line.len() == 40).then_some(line));
            let _ = enough.send(());
        }
        drop(enough);
        killer.join().unwrap();
        if !repository.exists() {
            assert!(acknowledged.is_empty());
            continue;
        }
        fsck(&repository);
        let tree = place.again().tree(&owner, None).await;
        assert!(tree.is_ok(), "seed {seed}, round {round}: {tree:?}");
        if !acknowledged.is_empty() {
            let log = git(&repository, &["log", "--format=%H"]);
            let kept: HashSet<&str> = log.lines().collect();
            let lost = acknowledged.iter().find(|id| !kept.contains(id.as_str()));
            assert_eq!(lost, None, "seed {seed}, round {round}");
        }
    }
    assert!(!acknowledged.is_empty(), "no writer came to anything");
    let put = place
        .profiles
        .put(&owner, "after", "", author(), Condition::Any);
    put.await.unwrap();
    fsck(&repository);
    let left = std::fs::read_dir(repository.join("refs/heads")).unwrap();
    assert_eq!(left.count(), 1, "no lock is left");
    assert_eq!(drafts(&repository), 0);
}

#[tokio::test]
async fn a_writer_that_is_killed_at_any_system_call_leaves_the_version_before_or_after() {
    at_each_call("signal=KILL").await;
}

#[tokio::test]
async fn a_full_disk_at_any_system_call_leaves_the_version_before_or_after() {
    at_each_call("error=ENOSPC").await;
}

#[tokio::test]
async fn an_upstream_is_the_one_before_or_after_wherever_its_writer_ends() {
    if !has_strace() {
        return;
    }
    let owner = Owner::user("crash").unwrap();
    let mut hits = 0;
    for fault in ["signal=KILL", "error=ENOSPC"] {
        for call in CALLS {
            let most = calls_of(call, &["upstream"]);
            for number in (1..=most).step_by(stride()) {
                let place = Place::new();
                let said = faulty(&place, call, fault, number, &["upstream"]);
                let about = format!("{call} {number} {fault}: {said:?}");
                hits += usize::from(said.lines().count() < 3);
                let found = place.profiles.upstream(&owner).await;
                let found = found.unwrap_or_else(|error| panic!("{about}: {error}"));
                let host = found.as_ref().and_then(|it| it.address.host());
                let states = [None, Some("a.example"), Some("b.example"), None];
                let told = said.lines().count();
                let legal = states.get(told..).unwrap().iter().take(2);
                assert!(legal.clone().any(|it| *it == host), "{about}: {host:?}");
                if let Some(settings) = &found {
                    let Access::Key { key, known_hosts } = settings.upstream().access else {
                        panic!("{about}");
                    };
                    let key = std::fs::read_to_string(key).unwrap();
                    assert!(
                        key.ends_with("-----END OPENSSH PRIVATE KEY-----\n"),
                        "{about}"
                    );
                    let hosts = std::fs::read_to_string(known_hosts).unwrap();
                    assert!(hosts.starts_with(host.unwrap()), "{about}");
                }
                place.profiles.remove_upstream(&owner).await.unwrap();
                let Ok(left) = std::fs::read_dir(place.root().join("user")) else {
                    continue;
                };
                let names = left.map(|it| it.unwrap().file_name().into_string().unwrap());
                let left: Vec<String> = names.filter(|it| it.contains("upstream")).collect();
                assert_eq!(left, [""; 0], "{about}");
            }
        }
    }
    assert!(hits > 40 / stride(), "{hits} faults");
}

/// How many files are left half written.
fn drafts(repository: &Path) -> usize {
    let objects = repository.join("objects");
    let entries = [objects.join("pack"), objects]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with("tmp_"))
        .count()
}

/// The example beside this test's own program.
fn writer() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let target = this.parent().and_then(Path::parent).unwrap();
    target.join("examples/writer")
}

fn has_strace() -> bool {
    let mut command = Command::new("strace");
    let found = command.arg("-V").stdout(Stdio::null()).status();
    let has = found.is_ok_and(|it| it.success());
    if !has {
        eprintln!("skipped: there is no strace");
    }
    has
}

/// All calls when more than the usual rounds are asked for.
fn stride() -> usize {
    if number("WHARF_FAULT_ROUNDS", ROUNDS) > ROUNDS {
        1
    } else {
        3
    }
}

/// What the writer says when one of its calls meets a fault.
fn faulty(place: &Place, call: &str, fault: &str, number: usize, words: &[&str]) -> String {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    command.args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:{fault}:when={number}")]);
    command.arg(writer()).arg(place.root()).args(words);
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The most calls that one thread of the writer makes.
fn calls_of(call: &str, words: &[&str]) -> usize {
    let place = Place::new();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-o"]);
    command.arg(log.path()).arg(writer());
    let output = command.arg(place.root()).args(words).output();
    assert!(output.unwrap().status.success());
    let mut threads: HashMap<String, usize> = HashMap::new();
    for line in std::fs::read_to_string(log.path()).unwrap().lines() {
        let thread = line.split(' ').next().unwrap_or_default();
        *threads.entry(thread.to_owned()).or_default() += 1;
    }
    threads
        .into_values()
        .max()
        .unwrap_or_default()
        .min(MOST_CALLS)
}

/// Two versions (objects in files of their own, objects in a pack) are written into an empty
/// folder, once for each system call that they take; that one meets the fault.
async fn at_each_call(fault: &str) {
    if !has_strace() {
        return;
    }
    let owner = Owner::user("crash").unwrap();
    let words = ["seed", "2"];
    let (mut hits, mut whole) = (0, 0);
    for call in CALLS {
        let calls = calls_of(call, &words);
        for number in (1..=calls).step_by(stride()) {
            let place = Place::new();
            let said = faulty(&place, call, fault, number, &words);
            let acknowledged: Vec<&str> = said.lines().filter(|line| line.len() == 40).collect();
            let was_hit = acknowledged.len() < 2;
            let repository = place.repository(&owner);
            let about = format!("{call} {number}: {said:?}");
            if repository.exists() {
                fsck(&repository);
            }
            let history = place.profiles.history(&owner, 10).await;
            let history = history.unwrap_or_else(|error| panic!("{about}: {error}"));
            let kept: Vec<String> = history
                .versions
                .into_iter()
                .map(|it| it.commit_sha)
                .collect();
            let lost = acknowledged
                .iter()
                .find(|id| !kept.iter().any(|kept| kept == *id));
            assert_eq!(lost, None, "{about}");
            let tree = place.profiles.tree(&owner, None).await.unwrap();
            let full = [0, 2, 40].contains(&tree.files.len());
            assert!(full, "{about}: {} files", tree.files.len());

            let next = place.again();
            let put = next.put(&owner, "after", "", author(), Condition::Any);
            put.await.unwrap_or_else(|error| panic!("{about}: {error}"));
            fsck(&repository);
            assert_eq!(drafts(&repository), 0, "{about}");
            whole += acknowledged.len();
            hits += usize::from(was_hit);
        }
    }
    assert!(
        hits > 60 / stride() && whole > 0,
        "{hits} faults, {whole} versions"
    );
    eprintln!("{hits} faults of the kind {fault}");
}

#[expect(clippy::disallowed_methods, reason = "the fault tests' two settings")]
fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|it| it.parse().ok()).unwrap_or(default)
}
