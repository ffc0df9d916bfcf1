//! The owner's policy, from the files in the configuration directory.

use std::path::Path;

use wharf_policy::{File, HEADER_FILE, MAX_BYTES, Policy};

use crate::error::CommandError;

/// Reads the policy files of a directory, by name. None: there is no such directory.
pub(crate) fn files(directory: &Path) -> Result<Option<Vec<File>>, CommandError> {
    let unreadable = |path: &Path, error: std::io::Error| {
        CommandError::failed(format!("cannot read the policy in {}", path.display())).because(error)
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(directory, error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(directory, error))?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if name != HEADER_FILE && !name.ends_with(".cedar") {
            continue;
        }
        let bytes = std::fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if bytes.len() > u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) {
            return Err(CommandError::failed(format!(
                "{} has more than {MAX_BYTES} bytes, which is too much for a policy",
                path.display()
            )));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        files.push(File { name, text });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(files))
}

/// The policy that holds: the owner's, or the built-in one where there are no files.
pub(crate) fn load(directory: &Path) -> Result<Policy, CommandError> {
    let Some(files) = files(directory)? else {
        return Ok(Policy::builtin());
    };
    Policy::load(&files).map_err(|error| {
        CommandError::failed(format!("the policy in {} does not hold", directory.display()))
            .because(error)
            .hint("wharf policy test says what is wrong; nothing runs under a policy that may mean something else")
    })
}
