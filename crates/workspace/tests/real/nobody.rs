//! Far sides where whoever connects may not do everything, or whose tools fail.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use crate::place::{Place, set_mode};

const NOBODY: u32 = 65534;

/// An account without rights of its own.
fn nobody() -> Option<Place> {
    let mut place = Place::on("/bin/sh", "/usr/bin:/bin");
    if !rustix::process::geteuid().is_root() {
        return Some(place);
    }
    if !Path::new("/usr/bin/setpriv").exists() {
        eprintln!("skipped: setpriv is missing");
        return None;
    }
    let shell = place.temp.path().join("shell");
    program(
        &shell,
        "exec setpriv --reuid 65534 --regid 65534 --clear-groups /bin/sh \"$@\"",
    );
    fs::create_dir_all(place.there().parent().unwrap()).unwrap();
    for path in [place.temp.path(), place.there().parent().unwrap()] {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    place.run_by(shell.to_str().unwrap(), "/usr/bin:/bin");
    Some(place)
}

fn program(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn what_is_in_a_directory_that_may_not_be_entered_is_not_gone() {
    let Some(place) = nobody() else { return };
    place.write("closed/a", "1");
    place.write("closed/with\nbreak/b", "1");
    place.write("open/c", "1");
    place.push().await;
    set_mode(&place.there().join("closed"), 0o000);
    fs::remove_file(place.there().join("open/c")).unwrap();
    let far = place.ask().await;
    let changed: Vec<_> = far
        .view
        .changes()
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(changed, ["closed", "open/c"]);
    place.write("other", "1");
    place.push().await;
    set_mode(&place.there().join("closed"), 0o755);
    let incoming = place.fetch().await;
    let gone: Vec<_> = incoming
        .changes()
        .iter()
        .filter(|change| change.now.is_none())
        .map(|change| change.path.to_string())
        .collect();
    assert_eq!(gone, ["open/c"]);
}

#[tokio::test]
async fn a_large_file_that_may_only_be_read_is_put_together() {
    let Some(place) = nobody() else { return };
    let mut big = vec![b'x'; 9_000_000];
    let write = |big: &[u8]| {
        let path = place.root.join("big");
        let _none = fs::remove_file(&path);
        fs::write(&path, big).unwrap();
        set_mode(&path, 0o444);
    };
    write(&big);
    let sparse = fs::File::create(place.root.join("sparse")).unwrap();
    sparse.set_len(50_000_000).unwrap();
    set_mode(&place.root.join("sparse"), 0o444);
    place.push().await;
    place.assert_same();
    big[4_000_000] = b'y';
    write(&big);
    let (_, pushed) = place.push().await;
    assert!(
        pushed.progress.bytes_sent < 3_000_000,
        "{:?}",
        pushed.progress
    );
    place.assert_same();
    big.truncate(8_900_000);
    write(&big);
    place.push().await;
    place.assert_same();
}

/// A place of which one program is another.
pub(crate) fn with(name: &str, text: &str) -> (Place, tempfile::TempDir) {
    let tools = tempfile::tempdir().unwrap();
    program(&tools.path().join(name), text);
    let path = format!("{}:/usr/bin:/bin", tools.path().display());
    (Place::on("/bin/sh", &path), tools)
}

#[tokio::test]
async fn a_list_that_was_broken_off_is_none() {
    let (place, tools) = with("find", "exec /usr/bin/find \"$@\"");
    place.write("a", "1");
    place.write("b", "1");
    place.push().await;
    program(
        &tools.path().join("find"),
        "[ \"$2\" != -mindepth ] || exit 9\nexec /usr/bin/find \"$@\"",
    );
    let looked = wharf_workspace::far::ask(&*place.opener, &place.far, &place.agreement()).await;
    assert!(looked.is_err(), "{looked:?}");
}

#[tokio::test]
async fn where_links_are_not_made_directories_keep_what_they_are() {
    let (place, _tools) = with(
        "cp",
        "case \"$1\" in *l*) exit 1;; esac\nexec /bin/cp \"$@\"",
    );
    for at in 0..20 {
        place.write(&format!("d{at}/f"), "1");
    }
    place.push().await;
    for at in 0..20 {
        place.write(&format!("d{at}/f"), "changed");
        set_mode(&place.there().join(format!("d{at}")), 0o700);
    }
    symlink("d1", place.root.join("link")).unwrap();
    place.push().await;
    for at in 0..20 {
        let dir = place.there().join(format!("d{at}"));
        assert_eq!(fs::read(dir.join("f")).unwrap(), b"changed");
        let mode = fs::metadata(dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
    assert!(place.there().join("link").is_symlink());
}
