//! A writer is killed at any moment: the repository stays sound, and no acknowledged version is
//! lost.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wharf_profiles::{Condition, Owner};

use crate::support::{Place, author, fsck, git};

const ROUNDS: u64 = 50;

/// The example beside this test's own program.
fn writer() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let target = this.parent().and_then(Path::parent).unwrap();
    target.join("examples/writer")
}

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
        // Where it is then is as the machine has it: the wait only spreads the moments.
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros((random >> 33) % 60_000));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        // A last line that was cut off is no acknowledgement.
        acknowledged.extend(lines.map_while(Result::ok).filter(|line| line.len() == 40));
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
}

#[expect(clippy::disallowed_methods, reason = "the fault tests' two settings")]
fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|it| it.parse().ok()).unwrap_or(default)
}
