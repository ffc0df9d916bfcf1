//! Putting a key on record.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use russh::keys::{PublicKey, PublicKeyBase64 as _};

use super::line::{Line, Marker, hashed};
use crate::refusal::HostKeyRefusal;

/// OpenSSH's salt is as long as the hash.
const SALT_BYTES: usize = 20;

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
    salt: Option<&dyn Fn(&mut [u8])>,
) -> Result<Recorded, HostKeyRefusal> {
    let text = match salt {
        Some(fill) => {
            let mut salt = [0; SALT_BYTES];
            fill(&mut salt);
            line(&hashed(name, &salt), key)
        }
        None => line(name, key),
    };
    append(file, name, key, &text).map_err(|error| HostKeyRefusal::File {
        file: file.to_owned(),
        what: error.to_string(),
    })
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
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
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
