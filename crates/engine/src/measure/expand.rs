//! The paths that an item of a plan stands for.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use wharf_shell::measure::{Action, MeasureItem, Reach, has_pattern, matches_pattern};

use super::MAX_MATCHES;
use super::walk::Walk;

/// What a pattern stands for.
#[derive(Default)]
pub(super) struct Found {
    /// Each path in the directory that it is really in, so that two ways to it are one.
    pub(super) paths: Vec<PathBuf>,
    /// There may be more.
    pub(super) cut: bool,
}

impl Found {
    /// `link/` stands for the directory behind the link. Changing and searching begin there;
    /// `rm -r` empties it and then cannot delete it; all else refuses.
    fn through_link(&mut self, path: &Path, item: &MeasureItem) {
        let Ok(behind) = fs::canonicalize(path) else {
            return;
        };
        match (item.action, item.reach) {
            (Action::Mode, _) | (_, Reach::Found { .. }) => self.paths.push(behind),
            (Action::Delete, Reach::Tree { .. }) => match fs::read_dir(&behind) {
                Ok(entries) => {
                    let paths = entries.flatten().map(|entry| entry.path());
                    self.paths.extend(paths.take(MAX_MATCHES));
                    self.cut |= self.paths.len() >= MAX_MATCHES;
                }
                Err(_) => self.cut = true,
            },
            _ => {}
        }
    }
}

/// Finds the paths of an item; none when nothing is there.
pub(super) fn expand(item: &MeasureItem, walk: &mut Walk) -> Found {
    let mut found = Found::default();
    let mut paths = vec![PathBuf::from("/")];
    for part in item.path.split('/').filter(|part| !part.is_empty()) {
        if !(item.glob && has_pattern(part)) {
            for path in &mut paths {
                path.push(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for path in &paths {
            let Ok(names) = matching(path, part, walk) else {
                found.cut = true;
                continue;
            };
            next.extend(names.into_iter().map(|name| path.join(name)));
            if next.len() > MAX_MATCHES || walk.is_over() {
                found.cut = true;
                next.truncate(MAX_MATCHES);
                break;
            }
        }
        paths = next;
    }
    let wants_directory = item.path.len() > 1 && item.path.ends_with('/');
    for path in paths {
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        if wants_directory && meta.is_symlink() && path.is_dir() {
            found.through_link(&path, item);
            continue;
        }
        if wants_directory && !meta.is_dir() {
            continue;
        }
        found.paths.extend(really(&path));
    }
    found
}

/// The names in a directory that are like the pattern; hidden ones only when it begins with a dot.
fn matching(dir: &Path, pattern: &str, walk: &mut Walk) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // What is not a directory holds nothing.
        Err(_) if !dir.is_dir() => return Ok(names),
        Err(error) => return Err(error),
    };
    for entry in entries.flatten() {
        if !walk.may_look() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let hidden = text.starts_with('.') && !pattern.starts_with('.');
        if !hidden && matches_pattern(pattern, &text) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The path in its real directory; a link that it is itself stays one.
fn really(path: &Path) -> Option<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Some(fs::canonicalize(parent).ok()?.join(name)),
        // `/`, and what ends with `..`.
        _ => fs::canonicalize(path).ok(),
    }
}
