//! A host that is this machine.
#![expect(dead_code, reason = "each test file uses its part")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

pub(crate) mod bench;
pub(crate) mod opener;

pub(crate) use opener::LocalOpener;

/// The processes that have `word` in their environment or are below a home, apart from this one's.
pub(crate) fn processes_with(word: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if pid != std::process::id() && String::from_utf8_lossy(&environ).contains(word) {
            found.push(pid);
        }
    }
    found
}
