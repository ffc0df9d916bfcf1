//! Which paths are a profile.

use crate::profile::ProfilePath;

/// Files of a profile.
pub(super) const FILES: &[&str] = &["CLAUDE.md", "keybindings.json", "mcp.json", "settings.json"];
/// Directories of a profile, all that is in them.
pub(super) const DIRECTORIES: &[&str] = &["agents", "commands", "hooks", "output-styles", "skills"];

/// Whether a path can be part of a profile. What a server sends beside that is not written.
#[must_use]
pub fn belongs(path: &ProfilePath) -> bool {
    FILES.contains(&path.as_str())
        || DIRECTORIES
            .iter()
            .any(|dir| path.is_under(dir) && path.as_str() != *dir)
}
