//! Files that are on the disk before they have their name.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::FILE_MODE;

/// Flushes the names in a directory.
pub(crate) fn flush_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Writes a file that is not there, and flushes its content; its name is the caller's to flush.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Writes a file in place of what is there, in one step: flushed, renamed, its name flushed.
///
/// There must be one writer at a time: what an earlier one left half done is written over.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("tmp");
    remove(&new)?;
    write_new(&new, content)?;
    std::fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), flush_directory)
}

/// Shortest name of a draft of ours: it has an id in it. Git's own have a few random letters, and
/// are left alone.
const DRAFT_NAME_MIN: usize = 40;

/// Removes what crashes have left half written in a folder of objects. The caller holds the lock.
pub(crate) fn sweep_drafts(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.len() >= DRAFT_NAME_MIN && name.as_encoded_bytes().starts_with(b"tmp_") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
