//! What is bounded, and what is tried again.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use wharf_model::{Clock, Entropy, Timestamp};
use wharf_profiles::upstream::{Branch, Draft};

use super::*;

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}

fn upstreams(root: &std::path::Path) -> Upstreams {
    let options = UpstreamOptions {
        git: GitProgram {
            program: program(root),
            search: "/usr/bin".into(),
            home: root.join("home"),
        },
        hosts: ["git.example.com", "other.example.com:2222"]
            .map(|host| Host::parse(host).unwrap())
            .to_vec(),
        folders: true,
    };
    Upstreams::new(
        Profiles::open(root.join("profiles"), Arc::new(Epoch)),
        options,
    )
}

#[tokio::test]
async fn what_waits_is_bounded_and_asked_for_once() {
    let root = tempfile::tempdir().unwrap();
    let upstreams = upstreams(root.path());
    let owner = |number: usize| Owner::user(&number.to_string()).unwrap();
    // None of the tasks runs before this one waits.
    for number in 0..=SOON_MAX {
        upstreams.push_soon(&owner(number));
        assert_eq!(upstreams.pull_soon(&owner(number)), number < SOON_MAX);
    }
    let waits = || upstreams.0.soon.lock().unwrap().len();
    // The version that is one too many is sent later.
    assert_eq!((waits(), upstreams.0.tasks.len()), (SOON_MAX, SOON_MAX + 1));
    assert!(
        upstreams
            .0
            .again
            .lock()
            .unwrap()
            .contains_key(&owner(SOON_MAX))
    );
    upstreams.0.again.lock().unwrap().clear();
    let first = upstreams.0.soon.lock().unwrap()[&owner(0)];
    assert!(first.pull && first.push);
    upstreams.0.tasks.close();
    upstreams.0.tasks.wait().await;
    assert_eq!(waits(), 0);
    upstreams.close().await;
    assert!(!upstreams.pull_soon(&owner(0)));
    assert_eq!(waits(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_cannot_be_sent_is_sent_again_a_few_times() {
    let root = tempfile::tempdir().unwrap();
    let upstreams = upstreams(root.path());
    let owner = Owner::user("1").unwrap();
    let failed = |owner: &Owner| {
        let again = upstreams.0.again.lock().unwrap();
        again.get(owner).map(|again| again.failed)
    };
    let begun = tokio::time::Instant::now();
    for (number, patience) in PUSH_AGAIN.into_iter().enumerate() {
        upstreams.later(&owner);
        assert_eq!(failed(&owner), Some(number + 1), "after {patience:?}");
    }
    // What waited before waits no more: one at a time.
    assert_eq!(begun.elapsed(), Duration::ZERO);
    upstreams.later(&owner);
    assert_eq!(failed(&owner), None, "it is given up");

    for number in 0..=AGAIN_MAX {
        upstreams.later(&Owner::user(&number.to_string()).unwrap());
    }
    assert_eq!(upstreams.0.again.lock().unwrap().len(), AGAIN_MAX);
    upstreams.close().await;
    assert!(upstreams.0.tasks.is_empty());
}

#[tokio::test]
async fn what_somebody_waits_for_is_one_for_each_profile_and_bounded() {
    let root = tempfile::tempdir().unwrap();
    let upstreams = upstreams(root.path());
    let owner = |number: usize| Owner::user(&number.to_string()).unwrap();
    let mut talks = Vec::new();
    for number in 0..TALKS_MAX {
        talks.push(upstreams.begin(&owner(number)).unwrap());
    }
    let begun = |number| upstreams.begin(&owner(number)).err();
    assert!(matches!(begun(0), Some(Unspoken::Going)));
    assert!(matches!(begun(TALKS_MAX), Some(Unspoken::Full)));
    talks.pop();
    assert!(begun(TALKS_MAX).is_none());
}

#[test]
fn hosts_are_named_by_those_who_look_after_the_server_or_are_on_the_list() {
    let root = tempfile::tempdir().unwrap();
    let upstreams = upstreams(root.path());
    let taken = |text: &str, administers| upstreams.address(text, administers).is_ok();
    for (address, anybody, administrator) in [
        ("https://git.example.com/x", true, true),
        ("https://GIT.example.com:8443/x", false, true),
        ("ssh://git@git.example.com:2222/x", false, true),
        ("ssh://git@other.example.com:2222/x", true, true),
        ("ssh://git@other.example.com/x", false, true),
        ("ssh://git@git.example.com/x", true, true),
        ("https://git.example.com.evil.example/x", false, true),
        ("https://127.0.0.1/x", false, true),
        ("file:///srv/x", false, true),
        ("ext::x", false, false),
    ] {
        assert_eq!(taken(address, false), anybody, "{address}");
        assert_eq!(taken(address, true), administrator, "{address}");
    }
}

struct Same;

impl Entropy for Same {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// A profile with a version, which is sent to `there`.
async fn sending(upstreams: &Upstreams, there: &Path) -> Owner {
    let owner = Owner::user("1").unwrap();
    let profiles = &upstreams.0.profiles;
    let draft = Draft {
        address: upstreams
            .address(&format!("file://{}", there.display()), true)
            .ok()
            .unwrap(),
        branch: Branch::parse("main").unwrap(),
        user: None,
        token: None,
        known_hosts: None,
        push: true,
    };
    let set = profiles.set_upstream(&owner, draft, &Same);
    set.await.unwrap();
    let author = nobody();
    let put = profiles.put(&owner, "ours", "", &author, Condition::Any);
    put.await.unwrap();
    owner
}

fn repository(there: &Path) {
    let made = Command::new("git")
        .args(["init", "-q", "--bare"])
        .arg(there)
        .status();
    assert!(made.unwrap().success());
}

async fn outcome(upstreams: &Upstreams, owner: &Owner) -> Option<Outcome> {
    let settings = upstreams.0.profiles.upstream(owner).await.unwrap();
    settings.unwrap().last.map(|last| last.outcome)
}

#[tokio::test]
async fn what_cannot_be_pulled_keeps_nothing_from_being_sent() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("home")).unwrap();
    let upstreams = upstreams(root.path());
    let there = root.path().join("up.git");
    // It has no branch that could be pulled from.
    repository(&there);
    let owner = sending(&upstreams, &there).await;
    assert!(upstreams.pull_soon(&owner));
    upstreams.push_soon(&owner);
    upstreams.0.tasks.close();
    upstreams.0.tasks.wait().await;
    assert_eq!(outcome(&upstreams, &owner).await, Some(Outcome::Pushed));
}

#[tokio::test(start_paused = true)]
async fn a_version_is_sent_when_the_upstream_is_there_again() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("home")).unwrap();
    let upstreams = upstreams(root.path());
    let there = root.path().join("up.git");
    let owner = sending(&upstreams, &there).await;
    upstreams.0.push_due(&owner).await.unwrap_err();
    upstreams.later(&owner);
    repository(&there);
    upstreams.0.tasks.close();
    upstreams.0.tasks.wait().await;
    assert_eq!(outcome(&upstreams, &owner).await, Some(Outcome::Pushed));
    assert!(upstreams.0.again.lock().unwrap().is_empty());
}

fn git(words: &[&str]) {
    let status = Command::new("git").args(words).status().unwrap();
    assert!(status.success(), "{words:?}");
}

/// `git`, after whatever a test has written to `first` is done.
fn program(root: &Path) -> std::path::PathBuf {
    let (first, program) = (root.join("first"), root.join("git"));
    std::fs::write(&first, "").unwrap();
    let script = format!("#!/bin/sh\n. {}\nexec git \"$@\"\n", first.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    program
}

#[tokio::test]
async fn a_side_is_never_chosen_against_what_was_saved_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let at = root.path();
    std::fs::create_dir(at.join("home")).unwrap();
    let upstreams = upstreams(at);
    let profiles = &upstreams.0.profiles;
    let others = Profiles::open(at.join("others"), Arc::new(Epoch));
    let ours = Owner::user("ada").unwrap();
    let save = async |profiles: &Profiles, text: &str| {
        let author = nobody();
        let put = profiles.put(&ours, text, "", &author, Condition::Any);
        put.await.unwrap().commit_sha
    };
    let (here, there) = (
        at.join("profiles/user/ada.git"),
        at.join("others/user/ada.git"),
    );
    save(&others, "theirs").await;
    let seen = save(profiles, "ours").await;
    let later = save(profiles, "saved meanwhile").await;
    let reset = |id: &str| {
        let here = here.to_str().unwrap();
        git(&["--git-dir", here, "update-ref", "refs/heads/main", id]);
    };
    let draft = Draft {
        address: Address::parse(
            &format!("file://{}", there.display()),
            Protocols { file: true },
        )
        .unwrap(),
        branch: Branch::parse("main").unwrap(),
        user: None,
        token: None,
        known_hosts: None,
        push: false,
    };
    let set = profiles.set_upstream(&ours, draft, &Same).await;
    let settings = set.unwrap().settings;
    let meanwhile = format!("echo {later} > {}/refs/heads/main", here.display());
    std::fs::write(at.join("first"), meanwhile).unwrap();
    for divergence in [Divergence::Theirs, Divergence::Ours] {
        reset(&seen);
        let pulled = upstreams.pull(settings.clone(), nobody(), divergence, None);
        let error = pulled.await.err().unwrap();
        assert!(matches!(error, Unspoken::Failed(Error::Stale { current }) if current == later));
        assert_eq!(profiles.version(&ours).await.unwrap(), later);
    }
    // Where no side is chosen it is done again with what is there now.
    reset(&seen);
    let pulled = upstreams.pull(settings.clone(), nobody(), Divergence::Merge, None);
    assert_eq!(pulled.await.ok().unwrap().outcome, Outcome::Diverged);
    reset(&seen);
    let pulled = upstreams.pull(settings, nobody(), Divergence::Merge, Some(seen));
    let error = pulled.await.err().unwrap();
    assert!(matches!(error, Unspoken::Failed(Error::Stale { .. })));
}
