//! Putting a key on record.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use russh::keys::{PublicKey, PublicKeyBase64 as _};

use super::line::{Line, Marker, hashed};
use crate::refusal::HostKeyRefusal;

/// OpenSSH's salt is as long as the hash.
const SALT_BYTES: usize = 20;

/// What fills the salt of a hashed name.
pub type FillSalt<'a> = &'a dyn Fn(&mut [u8]);

/// What became of a key that was to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is on record now.
    Added,
    /// It was there already.
    Already,
}

/// Adds a host's key to a file of known hosts, which keeps its mode and owner. `salt` fills the
/// salt of a hashed name; without it the name is written as it is.
///
/// The line is appended by one write under a lock, so that neither a second process of ours nor
/// an `ssh` that appends at the same moment loses one; a write that was cut short (a full disk) is
/// taken back. Writing a new file and renaming it over the old one would lose what others append
/// meanwhile, and the link where the file is one.
///
/// # Errors
/// When the file cannot be read or written.
pub fn record(
    file: &Path,
    name: &str,
    key: &PublicKey,
    salt: Option<FillSalt<'_>>,
) -> Result<Recorded, Box<HostKeyRefusal>> {
    append(file, name, key, &text_of(name, key, salt)).map_err(|error| {
        Box::new(HostKeyRefusal::File {
            file: file.to_owned(),
            what: error.to_string(),
        })
    })
}

/// Adds the line of a [`HostKeyRefusal::Unknown`], once a person has compared the fingerprint.
///
/// # Errors
/// When the text is no such line, or the file cannot be read or written.
pub fn record_line(file: &Path, text: &str) -> Result<Recorded, Box<HostKeyRefusal>> {
    let fail = |what: String| {
        Box::new(HostKeyRefusal::File {
            file: file.to_owned(),
            what,
        })
    };
    let name = text.split_ascii_whitespace().next().unwrap_or_default();
    let parsed = Line::parse(text).filter(|parsed| {
        // One line for one host: a marker or a pattern would say more than was asked about.
        parsed.marker == Marker::Host && !name.contains(['*', '?', '!', ',', '|'])
    });
    let Some(parsed) = parsed.filter(|_| !text.trim().contains('\n')) else {
        return Err(fail("that is not the line of one host's key".to_owned()));
    };
    let text = line(name, &parsed.key);
    append(file, name, &parsed.key, &text).map_err(|error| fail(error.to_string()))
}

/// The line for a host's key, with its name hashed where there is a salt.
pub(super) fn text_of(name: &str, key: &PublicKey, salt: Option<FillSalt<'_>>) -> String {
    match salt {
        Some(fill) => {
            let mut salt = [0; SALT_BYTES];
            fill(&mut salt);
            line(&hashed(name, &salt), key)
        }
        None => line(name, key),
    }
}

/// The line for a host's key, without its end.
pub(super) fn line(name: &str, key: &PublicKey) -> String {
    format!(
        "{name} {} {}",
        key.algorithm().as_str(),
        key.public_key_base64()
    )
}

fn append(path: &Path, name: &str, key: &PublicKey, text: &str) -> io::Result<Recorded> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut file = locked(path, true)?;
    let mut before = Vec::new();
    file.read_to_end(&mut before)?;
    let is_there = String::from_utf8_lossy(&before)
        .lines()
        .filter_map(Line::parse)
        .any(|line| {
            line.marker == Marker::Host
                && line.is_about(name)
                && line.key.key_data() == key.key_data()
        });
    if is_there {
        return Ok(Recorded::Already);
    }
    let start = if before.last().is_none_or(|byte| *byte == b'\n') {
        ""
    } else {
        "\n"
    };
    write_whole(&mut file, format!("{start}{text}\n").as_bytes())?;
    Ok(Recorded::Added)
}

/// How often a file that another has taken the place of is opened again.
const MAX_TRIES: u32 = 10;

/// The file under a lock that is held while it is open. Another process of ours may have put a new
/// file in its place while we waited: that one is opened then.
pub(super) fn locked(path: &Path, create: bool) -> io::Result<File> {
    for _ in 0..MAX_TRIES {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(create)
            .mode(0o600)
            .open(path)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        let (ours, there) = (file.metadata()?, std::fs::metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
    Err(io::Error::other("it is replaced again and again"))
}

fn write_whole(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    let written = file.write(bytes);
    if matches!(written, Ok(count) if count == bytes.len()) {
        return file.sync_data();
    }
    file.set_len(end)?;
    Err(written
        .err()
        .unwrap_or_else(|| io::ErrorKind::StorageFull.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn a_line_is_added_once_and_says_no_more_than_one_host() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/known_hosts");
        let text = format!("[web]:2222 {KEY}");
        assert_eq!(record_line(&file, &text), Ok(Recorded::Added));
        assert_eq!(record_line(&file, &text), Ok(Recorded::Already));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{text}\n"));
        for text in [
            format!("* {KEY}"),
            format!("a,b {KEY}"),
            format!("@cert-authority web {KEY}"),
            format!("web {KEY}\nother {KEY}"),
            "web".to_owned(),
            String::new(),
        ] {
            assert!(record_line(&file, &text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        std::fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        record_line(&link, &format!("web {KEY}")).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            std::fs::read_to_string(&real).unwrap(),
            format!("web {KEY}\n")
        );
    }
}
