//! What happens there between a look and what follows from it.

use std::fs;
use std::os::unix::fs::symlink;

use wharf_workspace::Error;
use wharf_workspace::plan::{Kept, KeptWhy};

use crate::place::Place;

fn told(kept: &[Kept]) -> Vec<(String, KeptWhy)> {
    kept.iter()
        .map(|kept| (kept.path.to_string(), kept.why))
        .collect()
}

async fn story(place: &Place) {
    for name in [
        "both", "deleted", "fine", "dir/x", "went/x", "mode", "turned/x",
    ] {
        place.write(name, "old");
    }
    let mut big = vec![b'x'; 9_000_000];
    place.write("big", &big);
    place.push().await;
    for name in ["both", "fine", "dir/x", "went/x"] {
        place.write(name, "mine");
    }
    big[5_000_000] = b'y';
    place.write("big", &big);
    place.write("new", "mine");
    place.write("tree/mine", "mine");
    fs::remove_file(place.root.join("deleted")).unwrap();
    fs::remove_dir_all(place.root.join("turned")).unwrap();
    place.write("turned", "a file now");
    crate::place::set_mode(&place.root.join("mode"), 0o755);

    let (far, plan) = place.plan().await;
    let there = place.there();
    for name in ["both", "deleted", "new", "tree/theirs", "mode", "turned/y"] {
        place.write_there(name, "theirs");
    }
    big.push(b'z');
    place.write_there("big", &big);
    let outside = place.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::rename(there.join("dir"), place.temp.path().join("away")).unwrap();
    symlink(&outside, there.join("dir")).unwrap();
    fs::remove_dir_all(there.join("went")).unwrap();
    place.write_there("beside", "theirs");
    let pushed = place.push_planned(&far, &plan).await.unwrap();
    let expected = [
        ("big", KeptWhy::BothChanged),
        ("both", KeptWhy::BothChanged),
        ("deleted", KeptWhy::GoneHere),
        ("dir/x", KeptWhy::Blocked),
        ("mode", KeptWhy::BothChanged),
        ("new", KeptWhy::BothChanged),
        ("tree", KeptWhy::BothChanged),
        ("tree/mine", KeptWhy::Blocked),
        ("turned", KeptWhy::BothChanged),
        ("went/x", KeptWhy::Blocked),
    ];
    let expected: Vec<_> = expected.map(|(path, why)| (path.to_owned(), why)).into();
    assert_eq!(told(&pushed.kept), expected);
    assert_eq!(fs::read(there.join("big")).unwrap(), big);
    let text = |name: &str| fs::read_to_string(there.join(name)).unwrap();
    for name in ["both", "deleted", "new", "tree/theirs", "mode", "turned/y"] {
        assert_eq!(text(name), "theirs", "{name}");
    }
    assert_eq!(text("fine"), "mine");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // All of it is still known as theirs.
    let (_, plan) = place.plan().await;
    let conflicts: Vec<_> = plan.conflicts().map(|kept| kept.path.to_string()).collect();
    for name in ["big", "both", "deleted", "new"] {
        assert!(conflicts.contains(&name.to_owned()), "{name}: {plan:?}");
    }
}

#[tokio::test]
async fn what_is_changed_there_while_a_push_comes_is_kept() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    story(&place).await;
}

#[tokio::test]
async fn it_is_kept_where_there_is_only_busybox() {
    let Some((_dir, path)) = crate::tools::busybox() else {
        return;
    };
    story(&Place::on(&format!("{path}/sh"), &path)).await;
}

/// How often the whole workspace was listed by a place made for that.
fn lists(tools: &std::path::Path) -> usize {
    let said = fs::read_to_string(tools.join("said")).unwrap_or_default();
    let _none = fs::remove_file(tools.join("said"));
    said.lines().filter(|line| *line == "-mindepth").count()
}

#[tokio::test]
async fn where_few_are_touched_they_alone_are_listed_and_what_was_changed_is_kept() {
    let listing = "echo \"$2\" >> \"${0%/*}/said\"; exec /usr/bin/find \"$@\"";
    let (place, tools) = crate::nobody::with("find", listing);
    for name in [
        "both", "deleted", "fine", "dir/x", "went/x", "mode", "d/e/f",
    ] {
        place.write(name, "old");
    }
    for at in 0..30 {
        place.write(&format!("many{at}/x"), "old");
    }
    place.push().await;
    lists(tools.path());
    place.write("fine", "mine");
    place.write("d/e/f", "mine");
    place.write("d/new/g", "mine");
    for at in 0..30 {
        place.write(&format!("many{at}/x"), "mine");
    }
    place.push().await;
    assert_eq!(lists(tools.path()), 1, "the look and nothing else");
    place.assert_same();
    // The list that was put together is the one that the next look makes.
    let (far, plan) = place.plan().await;
    assert!(plan.is_empty() && plan.kept.is_empty() && far.view.is_empty());

    for name in ["both", "dir/x", "went/x", "fine"] {
        place.write(name, "mine again");
    }
    place.write("new", "mine");
    place.write("tree/mine", "mine");
    fs::remove_file(place.root.join("deleted")).unwrap();
    crate::place::set_mode(&place.root.join("mode"), 0o755);
    let (far, plan) = place.plan().await;
    let there = place.there();
    for name in ["both", "deleted", "new", "tree/theirs", "mode", "beside"] {
        place.write_there(name, "theirs");
    }
    let outside = place.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::rename(there.join("dir"), place.temp.path().join("away")).unwrap();
    symlink(&outside, there.join("dir")).unwrap();
    fs::remove_dir_all(there.join("went")).unwrap();
    let pushed = place.push_planned(&far, &plan).await.unwrap();
    let expected = [
        ("both", KeptWhy::BothChanged),
        ("deleted", KeptWhy::GoneHere),
        ("dir/x", KeptWhy::Blocked),
        ("mode", KeptWhy::BothChanged),
        ("new", KeptWhy::BothChanged),
        ("tree", KeptWhy::BothChanged),
        ("tree/mine", KeptWhy::Blocked),
        ("went/x", KeptWhy::Blocked),
    ];
    let expected: Vec<_> = expected.map(|(path, why)| (path.to_owned(), why)).into();
    assert_eq!(told(&pushed.kept), expected);
    assert_eq!(fs::read(there.join("fine")).unwrap(), b"mine again");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_changed_beside_what_is_touched_is_known_as_theirs() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    for name in ["a", "b", "c"] {
        place.write(name, "old");
    }
    place.push().await;
    place.write("a", "mine");
    let (far, plan) = place.plan().await;
    place.write_there("b", "theirs");
    place.write_there("new", "theirs");
    fs::remove_file(place.there().join("c")).unwrap();
    let pushed = place.push_planned(&far, &plan).await.unwrap();
    assert_eq!(told(&pushed.kept), []);
    let far = place.ask().await;
    let changed: Vec<_> = far
        .view
        .changes()
        .map(|(path, there)| (path.to_string(), there.is_some()))
        .collect();
    let expected = [("b", true), ("c", false), ("new", true)];
    assert_eq!(changed, expected.map(|(path, is)| (path.to_owned(), is)));
}

#[tokio::test]
async fn a_push_of_what_another_has_looked_at_since_is_none() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a", "1");
    place.push().await;
    place.write("a", "2");
    let (far, plan) = place.plan().await;
    place.write_there("a", "theirs");
    place.ask().await;
    let pushed = place.push_planned(&far, &plan).await;
    assert!(matches!(pushed, Err(Error::Busy)), "{pushed:?}");
    assert_eq!(fs::read(place.there().join("a")).unwrap(), b"theirs");
}

#[tokio::test]
async fn who_comes_while_another_is_at_work_is_told_and_a_dead_one_is_not_waited_for() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a", "1");
    place.push().await;
    place.write("a", "2");
    let lock = std::path::Path::new(&place.far.state).join("lock");
    fs::write(&lock, format!("{}\n", std::process::id())).unwrap();
    let pushed = place.try_push().await;
    assert!(matches!(pushed, Err(Error::Busy)), "{pushed:?}");
    assert_eq!(fs::read(place.there().join("a")).unwrap(), b"1");
    // No process has such a number.
    for dead in ["99999999\n", ""] {
        fs::write(&lock, dead).unwrap();
        place.write("a", format!("after {dead}"));
        place.push().await;
        place.assert_same();
        assert!(!lock.exists());
    }
}

#[tokio::test]
async fn what_is_saved_here_while_a_push_goes_is_not_sent_unasked() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a", "old");
    place.write("b", "old");
    place.push().await;
    place.write("a", "new");
    place.write("b", "new");
    let (far, plan) = place.plan().await;
    place.write("a", "key");
    let pushed = place.push_planned(&far, &plan).await.unwrap();
    let missed: Vec<_> = pushed.missed.iter().map(ToString::to_string).collect();
    assert_eq!(missed, ["a"]);
    assert_eq!(fs::read(place.there().join("a")).unwrap(), b"old");
    assert_eq!(fs::read(place.there().join("b")).unwrap(), b"new");
    place.push().await;
    place.assert_same();
}
