//! Putting a host's new key in the place of an old one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use russh::keys::PublicKey;

use super::line::{Line, Marker};
use super::record::{FillSalt, Recorded, locked, text_of};
use super::{fingerprint, read_file};
use crate::refusal::HostKeyRefusal;

/// Takes the host's keys of the fingerprint `old` out of a file of known hosts and adds `key`, in
/// one step: whoever reads the file meanwhile sees the old one or the new one. Lines about other
/// hosts, other keys and comments stay as they are; a line that names further hosts keeps those.
///
/// # Errors
/// When the file cannot be read or written, or when a pattern covers the host: that line speaks
/// of others as well, so that a person has to change it.
pub fn replace(
    file: &Path,
    name: &str,
    old: &str,
    key: &PublicKey,
    salt: Option<FillSalt<'_>>,
) -> Result<Recorded, Box<HostKeyRefusal>> {
    let fail = |error: io::Error| {
        Box::new(HostKeyRefusal::File {
            file: file.to_owned(),
            what: error.to_string(),
        })
    };
    // The bound on its size is the one of reading.
    read_file(file)?;
    let real = fs::canonicalize(file).map_err(fail)?;
    let added = text_of(name, key, salt);
    exchange(&real, name, old, (key, &added)).map_err(fail)
}

fn exchange(
    path: &Path,
    name: &str,
    old: &str,
    (key, added): (&PublicKey, &str),
) -> io::Result<Recorded> {
    let mut file = locked(path, false)?;
    let mut before = Vec::new();
    file.read_to_end(&mut before)?;
    let mut after = Vec::with_capacity(before.len() + added.len());
    let mut is_there = false;
    for (index, bytes) in before.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let text = String::from_utf8_lossy(bytes);
        let is_ours = |line: &Line| line.marker == Marker::Host && line.is_about(name);
        let line = Line::parse(&text).filter(is_ours);
        is_there |= line
            .as_ref()
            .is_some_and(|line| line.key.key_data() == key.key_data());
        match line.filter(|line| fingerprint(&line.key) == old) {
            None => after.extend_from_slice(bytes),
            Some(line) => match line.without(&text, name) {
                Ok(None) => {}
                Ok(Some(rest)) => after.extend_from_slice(format!("{rest}\n").as_bytes()),
                Err(()) => {
                    return Err(io::Error::other(format!(
                        "line {} is about more hosts than this one; change it by hand",
                        index + 1
                    )));
                }
            },
        }
    }
    if after.last().is_some_and(|byte| *byte != b'\n') {
        after.push(b'\n');
    }
    if !is_there {
        after.extend_from_slice(format!("{added}\n").as_bytes());
    }
    let fresh = beside(path);
    let written = write_beside(&fresh, &file, &after).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // What is there of it is of no use to anybody.
        let _gone = fs::remove_file(&fresh);
    }
    written.map(|()| Recorded::Added)
}

/// Whoever holds the lock is the only one who writes there.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".wharf-new");
    path.with_file_name(name)
}

/// A new file with the mode and, where we may, the owner of the old one.
fn write_beside(fresh: &Path, old: &File, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(fresh)?;
    let about = old.metadata()?;
    // Only root can give a file away, and only root may have to.
    let _kept = std::os::unix::fs::fchown(&file, Some(about.uid()), Some(about.gid()));
    file.set_permissions(fs::Permissions::from_mode(about.mode() & 0o777))?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const NEW: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn key(text: &str) -> PublicKey {
        Line::parse(&format!("x {text}")).unwrap().key
    }

    fn replaced(before: &str) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        fs::write(&file, before).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let done = replace(&file, "web", &fingerprint(&key(OLD)), &key(NEW), None);
        let after = fs::read_to_string(&file).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        match done {
            Ok(_) => Ok(after),
            Err(refusal) => {
                assert_eq!(after, before);
                Err(refusal.to_string())
            }
        }
    }

    #[test]
    fn one_line_goes_and_everything_else_stays() {
        assert_eq!(
            replaced(&format!("# mine\nother {OLD}\nweb {OLD} me\nweb {NEW}")).unwrap(),
            format!("# mine\nother {OLD}\nweb {NEW}\n")
        );
        assert_eq!(
            replaced(&format!("web,10.0.0.1 {OLD} me\n@revoked web {OLD}\n")).unwrap(),
            format!("10.0.0.1 {OLD} me\n@revoked web {OLD}\nweb {NEW}\n")
        );
        let hashed = super::super::line::hashed("web", b"12345678901234567890");
        assert_eq!(
            replaced(&format!("{hashed} {OLD}\n")).unwrap(),
            format!("web {NEW}\n")
        );
    }

    #[test]
    fn what_is_said_of_many_is_not_taken_away() {
        for names in ["*", "w?b", "web,!other"] {
            let said = replaced(&format!("a {NEW}\n{names} {OLD}\n")).unwrap_err();
            assert!(said.contains("line 2 is about more hosts"), "{said}");
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, format!("web {OLD}\n")).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, "web", &fingerprint(&key(OLD)), &key(NEW), None).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), format!("web {NEW}\n"));
    }
}
