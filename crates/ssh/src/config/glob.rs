//! The files that a pattern of `Include` names.

use std::path::{Component, Path, PathBuf};

/// All of them, in the order of their names. A path without wildcards names itself, whether or not
/// it is there.
pub(super) fn expand(pattern: &Path, is_met: impl Fn(&str, &str) -> bool) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let text = match component {
            Component::Normal(text) => text.to_string_lossy().into_owned(),
            other => {
                for path in &mut found {
                    path.push(other);
                }
                continue;
            }
        };
        if text.contains(['*', '?']) {
            found = found
                .iter()
                .flat_map(|path| inside(path, &text, &is_met))
                .collect();
        } else {
            for path in &mut found {
                path.push(&text);
            }
        }
    }
    found
}

fn inside(folder: &Path, pattern: &str, is_met: &impl Fn(&str, &str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        // As in a shell, a star does not find what is hidden.
        .filter(|name| !name.starts_with('.') || pattern.starts_with('.'))
        .filter(|name| is_met(pattern, name))
        .collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}
