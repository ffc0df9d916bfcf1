//! A machine for tests: a home with `~/.claude` and a state.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wharf_sync::apply::{Ground, MemberPlace};
use wharf_sync::profile::ProfilePath;

/// A directory in memory where there is one: no test here is about the speed of a disk.
pub(crate) fn temp() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap_or_else(|_| TempDir::new().unwrap())
}

pub(crate) fn path(text: &str) -> ProfilePath {
    ProfilePath::parse(text).unwrap()
}

/// The ground of a home directory.
pub(crate) fn ground(home: &Path, nonce: u64) -> Ground {
    Ground {
        root: home.join(".claude"),
        state: home.join("state"),
        lock: home.join("lock"),
        within: vec![home.to_owned()],
        members: vec![MemberPlace {
            path: path("mcp.json"),
            file: home.join(".claude.json"),
            member: "mcpServers".into(),
        }],
        nonce,
    }
}

/// All files below a directory with their contents, by relative name, in order.
pub(crate) fn files(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(dir, dir, &mut found);
    found.sort();
    found
}

fn collect(top: &Path, dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let file: PathBuf = entry.unwrap().path();
        if file.is_dir() {
            collect(top, &file, found);
        } else {
            let name = file.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            let bytes = fs::read(&file).unwrap_or_default();
            found.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}
