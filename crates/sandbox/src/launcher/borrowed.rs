//! What of the machine's `/etc` its `/usr` cannot do without: which program a common name means
//! (`awk`, `which`, `cc`), and whom to believe about certificates. Nothing of it is secret.
//!
//! Read while the machine's root is still there, and written into the sandbox's own.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is taken.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Directories of links.
const LINKS: [&str; 2] = ["/etc/alternatives", "/etc/ssl/certs"];

/// Files, where the distributions have them.
const FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// What is taken over.
pub(super) struct Borrowed {
    /// Names with what they lead to.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// Names with what is in them.
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
}

/// Reads it. What is not there is not needed.
pub(super) fn read() -> Borrowed {
    let entries = LINKS.into_iter().filter_map(|path| fs::read_dir(path).ok());
    let links = entries.flatten().flatten().filter_map(|entry| {
        let to = fs::read_link(entry.path()).ok()?;
        leads_to_programs(&to).then(|| (entry.path(), to))
    });
    let files = FILES.into_iter().filter_map(|path| {
        let mut bytes = Vec::new();
        let file = fs::File::open(path).ok()?;
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some((PathBuf::from(path), bytes))
    });
    Borrowed {
        links: links.collect(),
        files: files.collect(),
    }
}

/// Into `/usr`, which the sandbox has, or to a neighbour.
fn leads_to_programs(to: &Path) -> bool {
    to.starts_with("/usr") || to.components().count() == 1
}
