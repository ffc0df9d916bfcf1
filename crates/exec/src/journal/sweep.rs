//! Keeping the journal within its bounds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::segment::{self, Segments};
use super::{JournalOptions, RUNS};

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Files removed.
    pub files: u64,
    /// Bytes removed.
    pub bytes: u64,
    /// Bytes that are left.
    pub left: u64,
}

struct Item {
    path: PathBuf,
    modified_ms: i64,
    bytes: u64,
    in_use: bool,
}

/// Bytes of all files of the journal.
pub(super) fn measure(directory: &Path) -> u64 {
    [directory.to_owned(), directory.join(RUNS)]
        .iter()
        .filter_map(|path| fs::read_dir(path).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}

pub(super) fn sweep(
    directory: &Path,
    options: &JournalOptions,
    now_ms: i64,
    segments: &Segments,
    in_use: &dyn Fn(&str) -> bool,
) -> io::Result<Swept> {
    let current = segments.current();
    let mut items = Vec::new();
    for entry in fs::read_dir(directory)?.chain(fs::read_dir(directory.join(RUNS))?) {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let used = match segment::number_of(&name) {
            Some(number) => number >= current,
            None => in_use(name.rsplit_once('.').map_or(&name, |(run, _)| run)),
        };
        items.push(Item {
            path: entry.path(),
            modified_ms: modified_ms(&metadata),
            bytes: metadata.len(),
            in_use: used,
        });
    }
    items.sort_by_key(|item| item.modified_ms);
    let keep_ms = i64::try_from(options.keep.as_millis()).unwrap_or(i64::MAX);
    let oldest = now_ms.saturating_sub(keep_ms);
    let mut swept = Swept {
        left: items.iter().map(|item| item.bytes).sum(),
        ..Swept::default()
    };
    for item in &items {
        let unwanted = item.modified_ms < oldest || swept.left > options.total_cap;
        if unwanted && !item.in_use && fs::remove_file(&item.path).is_ok() {
            swept.files += 1;
            swept.bytes += item.bytes;
            swept.left -= item.bytes;
        }
    }
    Ok(swept)
}

fn modified_ms(metadata: &fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    metadata
        .mtime()
        .saturating_mul(1000)
        .saturating_add(metadata.mtime_nsec() / 1_000_000)
}
