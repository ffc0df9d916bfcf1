//! Which paths are a profile, and why the others are not.

use std::path::Path;

use super::Why;
use crate::profile::ProfilePath;
use crate::secrets::ALLOW_FILE;

/// Files of a profile. The last is ours and no agent's: what a push lets through.
const FILES: &[&str] = &[
    "CLAUDE.md",
    "keybindings.json",
    "mcp.json",
    "settings.json",
    ALLOW_FILE,
];
/// Directories of a profile, with all that is in them but [`INSIDE`].
const DIRECTORIES: &[&str] = &[
    "agents",
    "commands",
    "hooks",
    "output-styles",
    "rules",
    "skills",
];

/// What agents keep beside the profile, as its name begins.
const BESIDE: &[(&str, Why)] = &[
    (".credentials", Why::Credentials),
    (".env", Why::Credentials),
    ("history", Why::History),
    ("projects", Why::History),
    ("sessions", Why::History),
    ("session-env", Why::History),
    ("todos", Why::History),
    ("tasks", Why::History),
    ("plans", Why::History),
    ("file-history", Why::History),
    ("backups", Why::History),
    ("cache", Why::Cache),
    ("paste-cache", Why::Cache),
    ("image-cache", Why::Cache),
    ("shell-snapshots", Why::Cache),
    ("statsig", Why::Cache),
    ("stats-cache", Why::Cache),
    ("plugins", Why::Installed),
    ("downloads", Why::Cache),
    ("debug", Why::Log),
    ("logs", Why::Log),
    ("telemetry", Why::Log),
    ("ide", Why::ThisMachine),
    ("settings.local.json", Why::ThisMachine),
];

/// Names inside of a profile's directories that do not travel.
const INSIDE: &[(&str, Why)] = &[
    (".git", Why::Repository),
    (".hg", Why::Repository),
    (".svn", Why::Repository),
    (".credentials.json", Why::Credentials),
    (".netrc", Why::Credentials),
    (".npmrc", Why::Credentials),
    (".pypirc", Why::Credentials),
    ("node_modules", Why::Installed),
    (".venv", Why::Installed),
    ("__pycache__", Why::Cache),
    (".pytest_cache", Why::Cache),
    (".mypy_cache", Why::Cache),
    (".ruff_cache", Why::Cache),
    (".DS_Store", Why::Cache),
    ("Thumbs.db", Why::Cache),
];

/// Directories of a home whose files are not read, wherever a link in a profile leads.
const SECRET_PLACES: &[&str] = &[
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", "gcloud", "keyrings",
];

/// What a name at the top of an agent's directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Top {
    File,
    Directory,
    Not(Why),
}

/// Whether a path can be part of a profile. What a server sends beside that is not written.
#[must_use]
pub fn belongs(path: &ProfilePath) -> bool {
    let below = |dir: &str| path.is_under(dir) && path.as_str() != dir;
    FILES.contains(&path.as_str())
        || DIRECTORIES.iter().any(|dir| below(dir))
            && path.parts().all(|part| inside(part).is_none())
}

/// Whether a file behind all links holds credentials, by its place or its name: it is not read,
/// whatever leads to it.
#[must_use]
pub fn is_secret(real: &Path) -> bool {
    let is_named =
        |name: &str| name.starts_with(".credentials") || inside(name) == Some(Why::Credentials);
    let mut parts = real.iter().filter_map(|part| part.to_str());
    parts.any(|part| SECRET_PLACES.contains(&part))
        || real
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(is_named)
}

pub(super) fn top(name: &str) -> Top {
    if FILES.contains(&name) {
        return Top::File;
    }
    if DIRECTORIES.contains(&name) {
        return Top::Directory;
    }
    let known = BESIDE.iter().find(|(start, _)| name.starts_with(start));
    Top::Not(known.map_or(Why::Foreign, |(_, why)| *why))
}

/// Why a name inside of a profile's directory does not travel.
pub(super) fn inside(name: &str) -> Option<Why> {
    let known = INSIDE.iter().find(|(known, _)| *known == name);
    if let Some((_, why)) = known {
        return Some(*why);
    }
    let is_env = name == ".env" || name.starts_with(".env.");
    let is_example = [".example", ".sample", ".template"]
        .iter()
        .any(|end| name.ends_with(end));
    if is_env && !is_example {
        return Some(Why::Credentials);
    }
    let swap = [".swp", ".swo", "~"].iter().any(|end| name.ends_with(end));
    if swap || name.starts_with(".#") || (name.starts_with('#') && name.ends_with('#')) {
        return Some(Why::Editor);
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    match ending {
        Some("log") => Some(Why::Log),
        Some("pyc") => Some(Why::Cache),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_and_what_is_beside_it() {
        for (name, wanted) in [
            ("CLAUDE.md", Top::File),
            ("settings.json", Top::File),
            (".wharfallow", Top::File),
            ("skills", Top::Directory),
            ("settings.local.json", Top::Not(Why::ThisMachine)),
            (".credentials.json", Top::Not(Why::Credentials)),
            ("history.jsonl", Top::Not(Why::History)),
            ("projects", Top::Not(Why::History)),
            ("statsig", Top::Not(Why::Cache)),
            ("notes.md", Top::Not(Why::Foreign)),
        ] {
            assert_eq!(top(name), wanted, "{name}");
        }
    }

    #[test]
    fn what_belongs() {
        let belongs = |text: &str| belongs(&ProfilePath::parse(text).unwrap());
        for yes in [
            "CLAUDE.md",
            "mcp.json",
            "agents/a.md",
            "skills/x/.env.example",
            "hooks/a/b.sh",
            "rules/rust/style.md",
        ] {
            assert!(belongs(yes), "{yes}");
        }
        for no in [
            "agents",
            "claude.md",
            ".credentials.json",
            "projects/x/y.jsonl",
            "skills/x/.env",
            "skills/x/node_modules/y/z.js",
            "hooks/out.log",
            "commands/a.md~",
            "../x",
        ]
        .iter()
        .filter(|text| !text.starts_with(".."))
        {
            assert!(!belongs(no), "{no}");
        }
    }
}
