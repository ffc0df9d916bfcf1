//! Whether what is there is what a writer expects.

use std::path::Path;

use super::{Digest, Expect, FilesError, Kind, Stat};

/// Looks at what was found. True where the content has to be looked at as well.
pub(super) fn judge(
    path: &Path,
    expect: &Expect,
    found: Option<&Stat>,
) -> Result<bool, FilesError> {
    if let Some(stat) = found
        && stat.kind != Kind::File
    {
        return Err(FilesError::unfit(path, stat.kind));
    }
    let path = path.to_owned();
    match (expect, found) {
        (Expect::Anything, _) | (Expect::Absent, None) => Ok(false),
        (Expect::Absent, Some(_)) => Err(FilesError::Exists { path }),
        (Expect::Content(_), Some(_)) => Ok(true),
        (Expect::Unchanged { size, modified }, Some(stat))
            if stat.size == *size && (modified.is_none() || stat.modified == *modified) =>
        {
            Ok(false)
        }
        (Expect::Content(_) | Expect::Unchanged { .. }, _) => Err(FilesError::Changed { path }),
    }
}

/// Looks at the content, where [`judge`] has asked for it.
pub(super) fn judge_content(
    path: &Path,
    expect: &Expect,
    digest: Digest,
) -> Result<(), FilesError> {
    match expect {
        Expect::Content(expected) if *expected != digest => Err(FilesError::Changed {
            path: path.to_owned(),
        }),
        _ => Ok(()),
    }
}
