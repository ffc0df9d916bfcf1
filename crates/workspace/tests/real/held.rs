//! What is left out here, and what is asked about.

use std::fs;

use wharf_workspace::look::{Reason, look};

use crate::place::Place;

#[tokio::test]
async fn what_is_left_out_is_never_deleted_there_however_much_it_is() {
    let place = Place::on("/bin/sh", "/usr/bin:/bin");
    place.write("z.log", "1");
    place.push().await;
    place.write(".gitignore", "*.log\n");
    for at in 0..10_001 {
        fs::write(place.root.join(format!("f{at}.log")), "").unwrap();
    }
    let (plan, _) = place.push().await;
    assert_eq!(plan.deletes, []);
    assert!(place.there().join("z.log").exists());
}

#[test]
fn a_yes_to_a_large_file_is_none_to_the_secret_in_it() {
    let place = Place::on("/bin/sh", "/usr/bin:/bin");
    let key = "key: ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n";
    place.write("both", key);
    place.write("large", "x".repeat(key.len()));
    let findings = look(&place.root, &place.scan(), key.len() as u64);
    assert!(matches!(findings[0].reason, Reason::Secret { line: 1, .. }));
    assert_eq!(findings[1].reason, Reason::Large(key.len() as u64));
}

#[test]
fn a_file_that_a_pull_was_writing_belongs_to_nothing() {
    let place = Place::on("/bin/sh", "/usr/bin:/bin");
    place.write("dir/.wharf-pull", "half of something");
    let scanned = place.scan();
    let paths: Vec<_> = scanned
        .manifest
        .entries()
        .iter()
        .map(|entry| entry.path.to_string())
        .collect();
    assert_eq!(paths, ["dir"]);
}
