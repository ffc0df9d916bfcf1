//! The patterns of one file, read as git reads them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use gix_glob::pattern::{Case, Mode};
use gix_glob::{Pattern, wildmatch};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{CWD, OFlags};

/// The largest file of patterns that is read. Git's own bound is 100 MiB; what is longer than this
/// is no list that somebody wrote.
pub(crate) const LIST_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Patterns in the order of their file.
#[derive(Debug, Clone, Default)]
pub(crate) struct List {
    patterns: Vec<Pattern>,
}

impl List {
    /// Of a file in a work tree. Git does not follow links there, since a repository that somebody
    /// else made could lead it anywhere.
    pub(crate) fn read(file: &Path) -> Self {
        Self::open(CWD, file, OFlags::NOFOLLOW)
    }

    /// Of such a file in an open directory.
    pub(crate) fn read_at(directory: BorrowedFd<'_>, name: &str) -> Self {
        Self::open(directory, name, OFlags::NOFOLLOW)
    }

    /// Of a file of the person's, which may be a link.
    pub(crate) fn read_any(file: &Path) -> Self {
        Self::open(CWD, file, OFlags::empty())
    }

    /// What cannot be read has no patterns.
    fn open(at: BorrowedFd<'_>, file: impl rustix::path::Arg, flags: OFlags) -> Self {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let read = || -> io::Result<Vec<u8>> {
            let fd = rustix::fs::openat(at, file, flags, rustix::fs::Mode::empty())?;
            let found = rustix::fs::fstat(fd.as_fd())?;
            if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
                return Ok(Vec::new());
            }
            let mut bytes = Vec::new();
            File::from(fd)
                .take(LIST_BYTES_MAX)
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        Self::parse(&read().unwrap_or_default())
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let patterns = bytes
            .split(|byte| *byte == b'\n')
            .filter_map(line)
            .collect();
        Self { patterns }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// What the last pattern that matches says: left out, or not; none if none matches. The path is
    /// relative to the directory of the file.
    pub(crate) fn ask(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        if self.patterns.is_empty() {
            return None;
        }
        let start = path.iter().rposition(|byte| *byte == b'/').map(|at| at + 1);
        let mode = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
        let matching = self.patterns.iter().rev().find(|pattern| {
            pattern.matches_repo_relative_path(
                path.into(),
                start,
                Some(is_dir),
                Case::Sensitive,
                mode,
            )
        })?;
        Some(!matching.mode.contains(Mode::NEGATIVE))
    }
}

fn line(line: &[u8]) -> Option<Pattern> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // C's strings end there.
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    if line.first() == Some(&b'#') {
        return None;
    }
    Pattern::from_bytes(without_spaces(line))
}

/// Without spaces at the end, save those behind a backslash.
fn without_spaces(line: &[u8]) -> &[u8] {
    let mut end = None;
    let mut bytes = line.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b' ' => {
                end.get_or_insert(at);
            }
            b'\\' => {
                if bytes.next().is_none() {
                    return line;
                }
                end = None;
            }
            _ => end = None,
        }
    }
    end.and_then(|end| line.get(..end)).unwrap_or(line)
}
