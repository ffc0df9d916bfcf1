//! The files of a log and their names.

use std::path::{Path, PathBuf};

use super::AuditError;

/// The file of segment `number`.
pub(super) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:06}.log"))
}

/// The numbers of the segments that exist, ascending. A directory that does not exist has none.
pub(super) fn list(dir: &Path) -> Result<Vec<u32>, AuditError> {
    let failed = |source| AuditError::Read {
        path: dir.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        numbers.extend(name.to_str().and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number in a segment's file name, when it is one.
fn number(name: &str) -> Option<u32> {
    let number: u32 = name.strip_suffix(".log")?.parse().ok()?;
    (number > 0 && format!("{number:06}.log") == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segments_are_listed_in_order_of_number() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "1000000.log",
            "000002.log",
            "000010.log",
            "2.log",
            "000000.log",
            "lock",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(list(dir.path()).unwrap(), [2, 10, 1_000_000]);
        assert_eq!(path(dir.path(), 1_000_000), dir.path().join("1000000.log"));
    }
}
