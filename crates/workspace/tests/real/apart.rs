//! A workspace and its state on two file systems.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use wharf_workspace::Error;

use crate::place::Place;

/// Its state in memory; none where that is where everything is.
fn apart(mut place: Place) -> Option<(Place, tempfile::TempDir)> {
    let memory = tempfile::tempdir_in("/dev/shm").ok()?;
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(memory.path()) == device(place.temp.path()) {
        eprintln!("skipped: there is one file system only");
        return None;
    }
    place.far.state = memory.path().join("state").to_str().unwrap().to_owned();
    Some((place, memory))
}

async fn story(place: &Place) {
    place.write("a", "1");
    // The first push makes the directory and sees it then, a look sees one that is there.
    for _ in 0..2 {
        let pushed = place.refused().await;
        assert!(matches!(pushed, Error::Apart), "{pushed:?}");
        assert_eq!(fs::read_dir(place.there()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn nothing_is_put_into_place_from_another_file_system() {
    if let Some((place, _memory)) = apart(Place::on("/bin/sh", "/usr/bin:/bin")) {
        story(&place).await;
    }
}

#[tokio::test]
async fn neither_is_it_with_busybox() {
    let Some((_dir, path)) = crate::tools::busybox() else {
        return;
    };
    if let Some((place, _memory)) = apart(Place::on(&format!("{path}/sh"), &path)) {
        story(&place).await;
    }
}
