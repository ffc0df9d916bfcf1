//! A directory as Claude Code has it, and what a claude-sync makes of it. There are many tools of
//! that name; those whose files can be read keep them as they are, at the top, or one directory
//! below.

use std::fs;
use std::path::{Path, PathBuf};

use wharf_sync::member;
use wharf_sync::profile::{FILE_BYTES_MAX, ProfilePath};
use wharf_sync::select::{Cache, Source, select};

use super::super::sites::{SERVERS, is_part, parsed};
use super::{File, Found};
use crate::error::CommandError;

/// Where such tools put the files.
const BELOW: &[&str] = &[
    "",
    ".claude",
    "claude",
    "home/.claude",
    "global",
    "config",
    "files",
];
/// Files with the MCP servers, best first; the last two belong to Claude Code.
const SERVER_FILES: &[&str] = &[
    "mcp.json",
    ".mcp.json",
    "mcp-servers.json",
    ".claude.json",
    "../.claude.json",
];

/// Whether the files of a profile lie in it.
pub(super) fn is_profile(dir: &Path) -> bool {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.any(|name| ProfilePath::parse(&name).is_ok_and(|path| is_part(&path)))
}

pub(super) fn read(dir: &Path) -> Result<Found, CommandError> {
    let roots = BELOW.iter().map(|below| dir.join(below));
    let root = roots.into_iter().find(|root| is_profile(root));
    let mut found = Found {
        left: encrypted(dir),
        ..Found::default()
    };
    let Some(root) = root else {
        return Ok(found);
    };
    let within = [dir.to_owned()];
    let source = Source {
        root: &root,
        members: &[],
        within: &within,
        now_ns: 0,
    };
    let selection = select(source, &mut Cache::default())?;
    for left in selection.left_out.iter().filter(|it| it.why.is_trouble()) {
        found.left.push((left.path.clone(), left.why.to_string()));
    }
    for (path, entry) in selection.manifest.iter() {
        if path.as_str() == SERVERS {
            continue;
        }
        found.files.push(File {
            path: path.clone(),
            bytes: selection.content(path)?,
            executable: entry.executable,
        });
    }
    found.servers(&root)?;
    Ok(found)
}

impl Found {
    /// The MCP servers, out of the first file that has any.
    pub(super) fn servers(&mut self, root: &Path) -> Result<(), CommandError> {
        for name in SERVER_FILES {
            // The file beside a directory of another name is not this profile's.
            if name.starts_with("..") && root.file_name().is_none_or(|name| name != ".claude") {
                continue;
            }
            let file = root.join(name);
            let Some(text) = text(&file) else {
                continue;
            };
            match member::read(&text, "mcpServers") {
                Ok(Some(content)) => {
                    self.files.push(File {
                        path: parsed(SERVERS)?,
                        bytes: content.into_bytes(),
                        executable: false,
                    });
                    return Ok(());
                }
                Ok(None) => {}
                Err(error) => {
                    let why = format!("it is no JSON (line {})", error.line);
                    self.left.push(((*name).to_owned(), why));
                }
            }
        }
        Ok(())
    }
}

/// A text file that is not too large.
pub(super) fn text(file: &Path) -> Option<String> {
    let found = fs::metadata(file).ok()?;
    if !found.is_file() || found.len() > FILE_BYTES_MAX {
        return None;
    }
    fs::read_to_string(file).ok()
}

/// What only its own tool can read.
fn encrypted(dir: &Path) -> Vec<(String, String)> {
    let is_encrypted = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("age" | "enc" | "gpg" | "asc"))
    };
    let mut left = Vec::new();
    for below in BELOW {
        let entries = fs::read_dir(dir.join(below))
            .into_iter()
            .flatten()
            .flatten();
        let files = entries.map(|entry| entry.path()).filter(is_encrypted);
        left.extend(files.filter_map(|file| {
            let name = file.file_name()?.to_str()?.to_owned();
            let why = "it is encrypted; its own tool brings it to ~/.claude, and wharf sync push \
                       sends it";
            Some((name, why.to_owned()))
        }));
    }
    left
}
