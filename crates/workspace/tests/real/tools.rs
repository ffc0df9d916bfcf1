//! Far sides with other shells and tools than GNU's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::place::{Place, odd_names, path_of, set_mode};

const BUSYBOX: &str = "/bin/busybox";

/// A directory with all of busybox's programs and nothing else.
pub(crate) fn busybox() -> Option<(TempDir, String)> {
    let is_there = Path::new(BUSYBOX).exists();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "{BUSYBOX} is missing");
        eprintln!("skipped: {BUSYBOX} is missing");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let list = Command::new(BUSYBOX).arg("--list").output().unwrap();
    for name in String::from_utf8(list.stdout).unwrap().lines() {
        symlink(BUSYBOX, dir.path().join(name)).unwrap();
    }
    let path = dir.path().to_str().unwrap().to_owned();
    Some((dir, path))
}

async fn story(place: &mut Place) {
    for name in odd_names() {
        fs::write(path_of(&place.root, &name), &name).unwrap();
    }
    for at in 0..60 {
        place.write(&format!("dir{}/sub/f{at}", at % 20), vec![b'a'; at * 1000]);
    }
    symlink("dir1", place.root.join("link")).unwrap();
    symlink("/nowhere", place.root.join("dangling")).unwrap();
    set_mode(&place.root.join("dir1/sub/f1"), 0o750);
    place.write("big", vec![b'x'; 9_000_000]);
    place.compress = true;
    place.push().await;
    place.assert_same();
    let (_, plan) = place.plan().await;
    assert!(
        plan.is_empty() && plan.kept.is_empty(),
        "{:?}",
        plan.kept.first()
    );

    for (at, name) in odd_names().iter().enumerate() {
        match at % 3 {
            0 => fs::remove_file(path_of(&place.root, name)).unwrap(),
            1 => fs::write(path_of(&place.root, name), "other").unwrap(),
            _ => set_mode(&path_of(&place.root, name), 0o600),
        }
    }
    for at in 0..30 {
        place.write(&format!("dir{}/sub/f{at}", at % 20), "changed");
    }
    fs::remove_file(place.root.join("link")).unwrap();
    symlink("dir2", place.root.join("link")).unwrap();
    fs::remove_dir_all(place.root.join("dir3")).unwrap();
    let mut big = vec![b'x'; 9_000_000];
    big[4_000_000] = b'y';
    place.write("big", big);
    place.write_there("dir4/theirs", "theirs");
    let far = place.ask().await;
    assert!(far.view.change(b"dir4/theirs").is_some());
    place.push().await;
    assert_eq!(
        fs::read(place.there().join("dir4/theirs")).unwrap(),
        b"theirs"
    );
    fs::remove_file(place.there().join("dir4/theirs")).unwrap();
    place.assert_same();
    let (_, plan) = place.plan().await;
    assert!(plan.is_empty(), "{:?}", plan.sends.first());
    assert_eq!(plan.kept.first(), None);
}

#[tokio::test]
async fn a_far_side_of_busybox_alone() {
    let Some((_dir, path)) = busybox() else {
        return;
    };
    story(&mut Place::on(&format!("{path}/sh"), &path)).await;
}

#[tokio::test]
async fn a_far_side_of_dash_and_gnu() {
    story(&mut Place::on("/bin/dash", "/usr/bin:/bin")).await;
}

#[tokio::test]
async fn a_far_side_without_programs_that_compare() {
    let tools = tempfile::tempdir().unwrap();
    for name in [
        "sh", "find", "tar", "tr", "mkdir", "mv", "rm", "rmdir", "cat", "cp", "chmod", "touch",
        "dd", "tail", "head", "wc", "gzip",
    ] {
        let from = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(name));
        let from = from.iter().find(|path| path.exists()).unwrap();
        symlink(from, tools.path().join(name)).unwrap();
    }
    story(&mut Place::on("/bin/dash", tools.path().to_str().unwrap())).await;
}
