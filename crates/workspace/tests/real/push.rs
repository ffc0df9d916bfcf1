//! What a push does, and what it leaves alone.

use std::fs;
use std::os::unix::fs::symlink;

use wharf_workspace::plan::{KeptWhy, Provided};

use crate::place::{Place, odd_names, path_of, rel, set_mode};

fn kept(plan: &wharf_workspace::plan::Plan) -> Vec<(String, KeptWhy)> {
    plan.kept
        .iter()
        .map(|kept| (kept.path.to_string(), kept.why))
        .collect()
}

#[tokio::test]
async fn a_directory_arrives_as_it_is_and_a_second_push_does_nothing() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("src/main.rs", "fn main() {}\n");
    place.write("src/deep/er/x", "x");
    place.write("empty", "");
    place.write("run.sh", "#!/bin/sh\n");
    set_mode(&place.root.join("run.sh"), 0o755);
    fs::create_dir(place.root.join("hollow")).unwrap();
    symlink("src/main.rs", place.root.join("link")).unwrap();
    symlink("/nowhere/at/all", place.root.join("dangling")).unwrap();
    symlink("x".repeat(150), place.root.join("long")).unwrap();
    place.write(&format!("{0}/{0}/{0}", "d".repeat(90)), "deep");
    place.write("ignored.log", "no");
    place.write(".gitignore", "*.log\n");
    let (plan, pushed) = place.push().await;
    assert_eq!(pushed.missed, []);
    assert_eq!(kept(&plan), []);
    fs::remove_file(place.root.join("ignored.log")).unwrap();
    place.assert_same();

    let (_, plan) = place.plan().await;
    assert!(plan.is_empty(), "{:?}", plan.sends.first());
    assert_eq!(plan.kept.first(), None);
}

#[tokio::test]
async fn only_what_changed_is_sent_and_what_is_gone_here_goes_there() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    for name in 0..200 {
        place.write(&format!("d{}/f{name}", name % 40), format!("{name}"));
    }
    place.push().await;
    for name in (0..200).step_by(7) {
        place.write(
            &format!("d{}/f{name}", name % 40),
            format!("changed {name}"),
        );
    }
    place.write("d1/new/one", "1");
    place.write("other/two", "2");
    set_mode(&place.root.join("d2/f2"), 0o600);
    fs::remove_dir_all(place.root.join("d3")).unwrap();
    fs::remove_file(place.root.join("d4/f4")).unwrap();
    // A file becomes a directory, a directory a file, a file a link.
    fs::remove_file(place.root.join("d5/f5")).unwrap();
    place.write("d5/f5/inside", "i");
    fs::remove_dir_all(place.root.join("d6")).unwrap();
    place.write("d6", "a file now");
    fs::remove_file(place.root.join("d8/f8")).unwrap();
    symlink("f48", place.root.join("d8/f8")).unwrap();
    let (plan, pushed) = place.push().await;
    assert_eq!(kept(&plan), []);
    assert!(pushed.progress.bytes < 1000, "{:?}", pushed.progress);
    place.assert_same();
    let (_, plan) = place.plan().await;
    assert!(plan.is_empty(), "{:?}", plan.sends.first());
    assert_eq!(plan.kept.first(), None);
}

#[tokio::test]
async fn what_changed_there_is_neither_overwritten_nor_deleted_unless_told() {
    let Some(mut place) = Place::behind_sshd() else {
        return;
    };
    for name in [
        "both",
        "theirs",
        "gone-here",
        "gone-there",
        "gone-there-changed-here",
        "same",
    ] {
        place.write(name, "old");
    }
    place.write("dir/x", "old");
    place.push().await;
    place.write("both", "mine");
    place.write_there("both", "theirs");
    place.write_there("theirs", "theirs");
    fs::remove_file(place.root.join("gone-here")).unwrap();
    place.write_there("gone-here", "theirs");
    fs::remove_file(place.there().join("gone-there")).unwrap();
    fs::remove_file(place.there().join("gone-there-changed-here")).unwrap();
    place.write("gone-there-changed-here", "mine");
    place.write_there("new", "theirs");
    place.write("new", "mine, longer");
    place.write_there("untracked/of/theirs", "1");
    fs::remove_dir_all(place.root.join("dir")).unwrap();
    place.write_there("dir/theirs", "1");
    let expected = [
        ("both", KeptWhy::BothChanged),
        ("dir", KeptWhy::GoneHere),
        ("gone-here", KeptWhy::GoneHere),
        ("gone-there", KeptWhy::GoneThere),
        ("new", KeptWhy::BothNew),
        ("theirs", KeptWhy::ChangedThere),
    ];
    let expected: Vec<_> = expected.map(|(path, why)| (path.to_owned(), why)).into();
    for round in 0..3 {
        let (plan, _) = place.push().await;
        assert_eq!(kept(&plan), expected, "round {round}");
        let there = |name: &str| fs::read_to_string(place.there().join(name)).unwrap();
        assert_eq!(there("both"), "theirs");
        assert_eq!(there("theirs"), "theirs");
        assert_eq!(there("gone-here"), "theirs");
        assert_eq!(there("gone-there-changed-here"), "mine");
        assert_eq!(there("new"), "theirs");
        assert_eq!(there("untracked/of/theirs"), "1");
        assert_eq!(there("dir/theirs"), "1");
        assert!(!place.there().join("dir/x").exists());
        // What a push does not take stays known over others.
        place.write("same", format!("{round}"));
    }
    place.options.force = true;
    place.push().await;
    assert_eq!(
        fs::read_to_string(place.there().join("both")).unwrap(),
        "mine"
    );
    assert_eq!(
        fs::read_to_string(place.there().join("new")).unwrap(),
        "mine, longer"
    );
    assert!(!place.there().join("gone-here").exists());
    assert!(
        place.there().join("untracked/of/theirs").exists(),
        "it was never ours"
    );
}

#[tokio::test]
async fn the_providers_files_and_what_is_held_back_are_left_alone() {
    let Some(mut place) = Place::behind_sshd() else {
        return;
    };
    place.options.provided = Provided::new([".opencode/", "/AGENT.md"]);
    place.write_there(".opencode/config", "the provider's");
    place.write_there("AGENT.md", "the provider's");
    place.write(".opencode/config", "mine");
    place.write("AGENT.md", "mine");
    place.write(".env", "KEY=1");
    place.write("a", "1");
    let findings = wharf_workspace::look::look(&place.root, &place.scan(), u64::MAX);
    place.held = wharf_workspace::look::Held::all(&findings);
    let (plan, _) = place.push().await;
    let whys = kept(&plan);
    assert!(
        whys.contains(&(".env".to_owned(), KeptWhy::Held)),
        "{whys:?}"
    );
    assert_eq!(
        fs::read_to_string(place.there().join("AGENT.md")).unwrap(),
        "the provider's"
    );
    assert!(!place.there().join(".env").exists());
    // A yes sends it; a no later does not take it away, nor do rules that come later.
    place.held.release(b".env");
    place.push().await;
    assert!(place.there().join(".env").exists());
    place.held = wharf_workspace::look::Held::all(&findings);
    place.write(".gitignore", "/a\n");
    fs::remove_dir_all(place.root.join(".opencode")).unwrap();
    fs::remove_file(place.root.join("AGENT.md")).unwrap();
    place.push().await;
    for name in [".env", "a", ".opencode/config", "AGENT.md"] {
        assert!(place.there().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn a_directory_that_became_a_link_there_is_not_written_through() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("dir/x", "1");
    place.push().await;
    let outside = place.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir_all(place.there().join("dir")).unwrap();
    symlink(&outside, place.there().join("dir")).unwrap();
    place.write("dir/x", "2");
    place.write("dir/y", "3");
    let (plan, _) = place.push().await;
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(
        kept(&plan).contains(&("dir/y".to_owned(), KeptWhy::Blocked)),
        "{plan:?}"
    );
}

#[tokio::test]
async fn names_of_all_kinds_arrive_change_and_go() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    let names = odd_names();
    for name in &names {
        fs::write(path_of(&place.root, name), name).unwrap();
        fs::create_dir(path_of(
            &place.root,
            &[b"D", &name[..name.len().min(200)]].concat(),
        ))
        .unwrap_or_default();
    }
    place.push().await;
    place.assert_same();
    let (_, plan) = place.plan().await;
    assert!(
        plan.is_empty() && plan.kept.is_empty(),
        "{:?}",
        plan.kept.first()
    );
    for (at, name) in names.iter().enumerate() {
        match at % 3 {
            0 => fs::remove_file(path_of(&place.root, name)).unwrap(),
            1 => fs::write(path_of(&place.root, name), "other").unwrap(),
            _ => set_mode(&path_of(&place.root, name), 0o600),
        }
    }
    place.push().await;
    place.assert_same();
    let (_, plan) = place.plan().await;
    assert!(plan.is_empty() && plan.kept.is_empty());
}

#[tokio::test]
async fn large_files_travel_in_pieces_and_holes_stay_holes() {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    let mut noise: Vec<u8> = (0..12_000_000_u64)
        .map(|at| {
            (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).to_le_bytes()[0] ^ (at >> 13) as u8
        })
        .collect();
    place.write("big", &noise);
    let sparse = fs::File::create(place.root.join("sparse")).unwrap();
    sparse.set_len(200_000_003).unwrap();
    sparse.write_all_at(b"data", 70_000_001).unwrap();
    sparse.write_all_at(b"end", 200_000_000).unwrap();
    place.push().await;
    let blocks = |name: &str| fs::metadata(place.there().join(name)).unwrap().blocks();
    assert!(blocks("sparse") < 1000, "{}", blocks("sparse"));
    place.assert_same();
    // Bytes change in place, then some are put in between, then it gets shorter.
    noise[5_000_000..5_000_100].fill(7);
    place.write("big", &noise);
    let (_, pushed) = place.push().await;
    assert!(
        pushed.progress.bytes_sent < 1_500_000,
        "{:?}",
        pushed.progress
    );
    place.assert_same();
    noise.splice(3_000_000..3_000_000, [1, 2, 3]);
    place.write("big", &noise);
    let (_, pushed) = place.push().await;
    assert!(
        pushed.progress.bytes_sent < 1_500_000,
        "{:?}",
        pushed.progress
    );
    place.assert_same();
    noise.truncate(9_000_000);
    place.write("big", &noise);
    sparse.write_all_at(b"more", 100_000_000).unwrap();
    place.push().await;
    place.assert_same();
    let (_, plan) = place.plan().await;
    assert!(plan.is_empty(), "{:?}", plan.sends.first());
    assert_eq!(plan.kept.first(), None);
}

#[tokio::test]
async fn who_lost_what_was_agreed_loses_nothing_else() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a/same", "1");
    place.write("a/changed", "1");
    place.push().await;
    fs::remove_file(place.shelf.agreement("box")).unwrap();
    place.write("a/changed", "other");
    place.write("b", "new");
    let (plan, _) = place.push().await;
    assert_eq!(plan.adopted.len(), 1 + 1, "{plan:?}");
    assert_eq!(kept(&plan), [("a/changed".to_owned(), KeptWhy::BothNew)]);
    assert!(place.there().join("b").exists());
    let (_, plan) = place.plan().await;
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(kept(&plan), [("a/changed".to_owned(), KeptWhy::BothNew)]);
    assert!(
        place
            .agreement()
            .manifest()
            .get(rel("a/same").as_bytes())
            .is_some()
    );
}

#[tokio::test]
async fn what_arrives_belongs_to_the_owner_at_once() {
    use std::os::unix::fs::MetadataExt as _;
    use wharf_workspace::far::Owner;
    let Some(mut place) = Place::behind_sshd() else {
        return;
    };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let owner = |user: &str| Owner {
        user: user.to_owned(),
        group: user.to_owned(),
        uid: 4711,
        gid: 4712,
    };
    place.far.owner = Some(owner("nobody-of-that-name"));
    place.write("a/b", "1");
    symlink("b", place.root.join("a/l")).unwrap();
    place.push().await;
    for name in ["a", "a/b", "a/l"] {
        let found = place.there().join(name).symlink_metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (4711, 4712), "{name}");
    }
}
