//! A far side whose disk is full.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use wharf_workspace::Error;

use crate::place::{Place, set_mode, tree};

/// A disk of eight megabytes, which goes with the process that has it.
struct Disk {
    holder: Child,
}

impl Disk {
    /// None where nobody may mount anything.
    fn mount(at: &str) -> Option<Self> {
        let script = "mount --make-rprivate / && mount -t tmpfs -o size=8m none \"$0\" && echo on && read -r _";
        let mut holder = Command::new("unshare")
            .args(["-m", "sh", "-c", script, at])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take()?)
            .read_line(&mut said)
            .ok()?;
        let disk = Self { holder };
        if said != "on\n" {
            eprintln!("skipped: nothing may be mounted here");
            return None;
        }
        Some(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone = self.holder.kill();
        let _ended = self.holder.wait();
    }
}

fn small() -> Option<(Place, Disk)> {
    let mut place = Place::on("/bin/sh", "/usr/bin:/bin");
    let above = place.there().parent().unwrap().to_owned();
    fs::create_dir_all(&above).unwrap();
    let disk = Disk::mount(above.to_str().unwrap())?;
    let id = disk.holder.id();
    place.seen_at = PathBuf::from(format!("/proc/{id}/root"));
    let shell = place.temp.path().join("shell");
    fs::write(
        &shell,
        format!("#!/bin/sh\nexec nsenter -m -t {id} /bin/sh \"$@\"\n"),
    )
    .unwrap();
    set_mode(&shell, 0o755);
    place.run_by(shell.to_str().unwrap(), "/usr/bin:/bin");
    Some((place, disk))
}

#[tokio::test]
async fn what_has_no_room_changes_nothing_and_what_has_goes_on() {
    let Some((place, _disk)) = small() else {
        return;
    };
    for at in 0..20 {
        place.write(&format!("d{at}/f"), vec![b'x'; 50_000]);
    }
    place.push().await;
    let before = tree(&place.there());
    place.write("d0/f", "changed");
    fs::remove_file(place.root.join("d1/f")).unwrap();
    for at in 0..100 {
        place.write(&format!("more/f{at}"), vec![b'y'; 100_000]);
    }
    for _ in 0..2 {
        let failed = place.refused().await;
        let Error::Far { step, said, .. } = &failed else {
            panic!("{failed:?}");
        };
        assert_eq!(*step, "receiving");
        assert!(said.contains("No space left"), "{said}");
        assert!(tree(&place.there()) == before);
    }
    fs::remove_dir_all(place.root.join("more")).unwrap();
    place.push().await;
    place.assert_same();
}

#[tokio::test]
async fn a_disk_that_somebody_else_fills_is_said_and_nothing_is_lost() {
    let Some((place, _disk)) = small() else {
        return;
    };
    place.write("a", "1");
    place.write("b", "1");
    place.push().await;
    // To the last byte.
    let fill = place.there().join("fill");
    let _full = fs::write(&fill, vec![b'z'; 9_000_000]);
    place.write("a", "2");
    fs::remove_file(place.root.join("b")).unwrap();
    let before = tree(&place.there());
    let failed = place.refused().await;
    assert!(failed.to_string().contains("No space left"), "{failed}");
    assert!(tree(&place.there()) == before);
    assert_eq!(fs::read(place.root.join("a")).unwrap(), b"2");
    fs::remove_file(fill).unwrap();
    place.push().await;
    place.assert_same();
}
