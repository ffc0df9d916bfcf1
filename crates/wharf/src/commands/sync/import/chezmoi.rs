//! A chezmoi source directory: the names say what becomes of a file. What has to be evaluated or
//! decrypted is chezmoi's own to do, and is told.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use wharf_sync::apply::Bounds;
use wharf_sync::member;
use wharf_sync::profile::{FILE_BYTES_MAX, FILES_MAX, PATH_DEPTH_MAX, ProfilePath, TREE_BYTES_MAX};
use wharf_sync::select::{LOOKED_AT_MAX, belongs, is_secret};

use super::super::sites::{SERVERS, parsed};
use super::plain::text;
use super::{File, Found};
use crate::error::CommandError;

/// Attributes before a file's name, in the order in which chezmoi writes them.
const OF_FILES: &[&str] = &[
    "create_",
    "encrypted_",
    "private_",
    "readonly_",
    "empty_",
    "executable_",
];
/// Attributes before a directory's name.
const OF_DIRECTORIES: &[&str] = &["external_", "exact_", "private_", "readonly_"];
/// What is done instead of a copy.
const ACTIONS: &[(&str, &str)] = &[
    ("modify_", "a script that changes a file"),
    ("remove_", "a file that is to be removed"),
    ("run_", "a script that is run"),
];

/// Why what a link leads to is not read.
const OUTSIDE: &str = "a link out of the directory, or to credentials";

/// What a name in a source directory says.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// The name at the target.
    target: String,
    executable: bool,
    is_link: bool,
    is_template: bool,
    /// Why it is not a file to be taken.
    trouble: Option<&'static str>,
}

/// Whether it is one: some directory in it becomes `.claude`.
pub(super) fn is_one(dir: &Path) -> bool {
    claude(&root(dir)).is_some() || dir.join(".chezmoiroot").exists()
}

pub(super) fn read(dir: &Path, home: Option<&Path>) -> Result<Found, CommandError> {
    let bounds = Bounds::of(dir, &[])?;
    let root = root(dir);
    let mut found = Found::default();
    if !is_inside(&bounds, &root) {
        return Ok(found);
    }
    if root.join(".chezmoiignore").exists() {
        let why = "patterns in it are not looked at: what they leave out is taken";
        found
            .left
            .push((".chezmoiignore".to_owned(), why.to_owned()));
    }
    if let Some(claude) = claude(&root) {
        let mut walk = Walk {
            found: &mut found,
            home,
            bounds: &bounds,
            visited: BTreeSet::new(),
            looked_at: 0,
            bytes: 0,
        };
        walk.directory(&claude, "", 0);
    }
    servers(&root, &bounds, &mut found)?;
    Ok(found)
}

/// The directory that holds the source state.
fn root(dir: &Path) -> PathBuf {
    match text(&dir.join(".chezmoiroot")) {
        Some(below) if !below.contains("..") => dir.join(below.trim()),
        _ => dir.to_owned(),
    }
}

/// The directory that becomes `~/.claude`.
fn claude(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root).ok()?.flatten();
    let mut dirs = entries.filter(|entry| entry.path().is_dir());
    let found = dirs.find(|entry| {
        let name = entry.file_name();
        name.to_str()
            .is_some_and(|name| directory(name) == ".claude")
    });
    found.map(|entry| entry.path())
}

/// The MCP servers out of what becomes `~/.claude.json`.
fn servers(root: &Path, bounds: &Bounds, found: &mut Found) -> Result<(), CommandError> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    for entry in entries {
        let Ok(source) = entry.file_name().into_string() else {
            continue;
        };
        let name = file(&source);
        if name.target != ".claude.json" || !entry.path().is_file() {
            continue;
        }
        if !is_inside(bounds, &entry.path()) {
            found.left.push((source, OUTSIDE.to_owned()));
            continue;
        }
        let content = text(&entry.path()).unwrap_or_default();
        if let Some(why) = name
            .trouble
            .or_else(|| not_evaluated(&name, content.as_bytes()))
        {
            found.left.push((source, why.to_owned()));
            continue;
        }
        match member::read(&content, "mcpServers") {
            Ok(None) => {}
            Ok(Some(content)) => found.files.push(File {
                path: parsed(SERVERS)?,
                bytes: content.into_bytes(),
                executable: false,
            }),
            Err(error) => {
                let why = format!("it is no JSON (line {})", error.line);
                found.left.push((source, why));
            }
        }
    }
    Ok(())
}

struct Walk<'a> {
    found: &'a mut Found,
    home: Option<&'a Path>,
    bounds: &'a Bounds,
    /// The directories that were looked at, by device and inode: none is looked at twice, whatever
    /// links lead to it.
    visited: BTreeSet<(u64, u64)>,
    looked_at: usize,
    /// How much was read.
    bytes: u64,
}

impl Walk<'_> {
    fn directory(&mut self, dir: &Path, target: &str, depth: usize) {
        let shown = dir.file_name().unwrap_or_default().to_string_lossy();
        if !is_inside(self.bounds, dir) {
            return self.leave(&shown, OUTSIDE);
        }
        let Ok(about) = fs::metadata(dir) else {
            return self.leave(&shown, "it cannot be read");
        };
        if !self.visited.insert((about.dev(), about.ino())) {
            return self.leave(&shown, "a link to a directory that is taken already");
        }
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name())
            .take(LOOKED_AT_MAX)
            .collect();
        names.sort();
        for name in names {
            self.looked_at += 1;
            let Some(source) = name.to_str() else {
                let shown = name.to_string_lossy().into_owned();
                self.leave(&shown, "the name is not UTF-8");
                continue;
            };
            if self.found.files.len() >= FILES_MAX
                || self.looked_at > LOOKED_AT_MAX
                || depth >= PATH_DEPTH_MAX
            {
                return self.leave(source, "there are too many files");
            }
            let path = dir.join(source);
            let below = |name: &str| match target {
                "" => name.to_owned(),
                target => format!("{target}/{name}"),
            };
            if path.is_dir() {
                // chezmoi's own directories, and a repository's.
                if !source.starts_with('.') {
                    self.directory(&path, &below(&directory(source)), depth + 1);
                }
            } else if !source.starts_with('.') {
                let name = file(source);
                self.file(&path, &below(&name.target), &name);
            }
        }
    }

    fn file(&mut self, source: &Path, target: &str, name: &Name) {
        let path = match ProfilePath::parse(target) {
            Ok(path) if belongs(&path) => path,
            Ok(_) => return,
            Err(error) => return self.leave(target, &error.reason.to_string()),
        };
        if let Some(why) = name.trouble {
            return self.leave(target, why);
        }
        if !is_inside(self.bounds, source) {
            return self.leave(target, OUTSIDE);
        }
        let Some(bytes) = self.bytes(source) else {
            return self.leave(target, "it cannot be read, or is too large");
        };
        if let Some(why) = not_evaluated(name, &bytes) {
            return self.leave(target, why);
        }
        if !name.is_link {
            return self.take(path, bytes, name.executable);
        }
        match self.behind(&bytes, target) {
            Some((bytes, executable)) => self.take(path, bytes, executable),
            None => self.leave(target, "a link to what is no file in your home"),
        }
    }

    /// The file that a link leads to, from its place below `~/.claude`.
    fn behind(&mut self, link: &[u8], target: &str) -> Option<(Vec<u8>, bool)> {
        let home = self.home?;
        let link = std::str::from_utf8(link).ok()?.trim_end();
        // From where it will be, which need not be there yet.
        let mut at = home.join(".claude").join(target);
        at.pop();
        for part in Path::new(link).components() {
            match part {
                Component::ParentDir => drop(at.pop()),
                Component::CurDir => {}
                part => at.push(part),
            }
        }
        let real = at.canonicalize().ok()?;
        let is_inside = home.canonicalize().is_ok_and(|home| real.starts_with(home));
        let found = fs::metadata(&real)
            .ok()
            .filter(|found| is_inside && found.is_file() && !is_secret(&real))?;
        Some((self.bytes(&real)?, found.mode() & 0o100 != 0))
    }

    /// A file's content, as long as all of them together are no more than a profile holds.
    fn bytes(&mut self, file: &Path) -> Option<Vec<u8>> {
        let found = fs::metadata(file).ok()?;
        let most = FILE_BYTES_MAX.min(TREE_BYTES_MAX.saturating_sub(self.bytes));
        if !found.is_file() || found.len() > most {
            return None;
        }
        let mut bytes = Vec::new();
        let mut file = fs::File::open(file).ok()?.take(most + 1);
        file.read_to_end(&mut bytes).ok()?;
        let read = bytes.len() as u64;
        self.bytes = self.bytes.saturating_add(read);
        (read <= most).then_some(bytes)
    }

    fn take(&mut self, path: ProfilePath, bytes: Vec<u8>, executable: bool) {
        self.found.files.push(File {
            path,
            bytes,
            executable,
        });
    }

    fn leave(&mut self, path: &str, why: &str) {
        self.found.left.push((path.to_owned(), why.to_owned()));
    }
}

/// A template with nothing in it to be evaluated is a file like any other.
fn not_evaluated(name: &Name, bytes: &[u8]) -> Option<&'static str> {
    let has_actions = bytes.windows(2).any(|pair| pair == b"{{");
    (name.is_template && has_actions).then_some(
        "a template, which chezmoi evaluates: after chezmoi apply, wharf sync push sends the result",
    )
}

/// Whether a file of the source is in it behind all links, and in no place of secrets.
fn is_inside(bounds: &Bounds, file: &Path) -> bool {
    let real = file.canonicalize();
    real.is_ok_and(|real| bounds.hold(&real) && !is_secret(&real))
}

/// A directory's name at the target.
fn directory(source: &str) -> String {
    let mut name = source;
    for attribute in OF_DIRECTORIES {
        name = name.strip_prefix(attribute).unwrap_or(name);
    }
    dotted(name)
}

/// What a file's name says.
fn file(source: &str) -> Name {
    let mut name = source;
    let mut said = Name {
        target: String::new(),
        executable: false,
        is_link: false,
        is_template: false,
        trouble: None,
    };
    if let Some((start, why)) = ACTIONS.iter().find(|(start, _)| name.starts_with(start)) {
        name = name.strip_prefix(start).unwrap_or(name);
        said.trouble = Some(why);
    } else if let Some(rest) = name.strip_prefix("symlink_") {
        name = rest;
        said.is_link = true;
    }
    for attribute in OF_FILES {
        let Some(rest) = name.strip_prefix(attribute) else {
            continue;
        };
        name = rest;
        match *attribute {
            "executable_" => said.executable = true,
            "encrypted_" => {
                said.trouble = Some("it is encrypted, which chezmoi alone undoes");
                let ends = [".age", ".asc"].iter();
                name = ends.fold(name, |name, end| name.strip_suffix(*end).unwrap_or(name));
            }
            _ => {}
        }
    }
    if let Some(rest) = name.strip_suffix(".literal") {
        name = rest;
    } else if let Some(rest) = name.strip_suffix(".tmpl") {
        name = rest;
        said.is_template = true;
    }
    said.target = dotted(name);
    said
}

fn dotted(name: &str) -> String {
    match (name.strip_prefix("literal_"), name.strip_prefix("dot_")) {
        (Some(rest), _) => rest.to_owned(),
        (_, Some(rest)) => format!(".{rest}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_becomes_of_a_file() {
        assert_eq!(file("CLAUDE.md").target, "CLAUDE.md");
        let program = file("private_executable_check.sh");
        assert_eq!(
            (program.target.as_str(), program.executable),
            ("check.sh", true)
        );
        let link = file("symlink_dot_env.tmpl");
        assert!(link.is_link && link.is_template);
        assert_eq!(link.target, ".env");
        let encrypted = file("encrypted_private_settings.json.age");
        assert!(encrypted.trouble.is_some() && encrypted.target == "settings.json");
        assert!(file("modify_settings.json").trouble.is_some());
        assert_eq!(file("literal_dot_x").target, "dot_x");
        assert_eq!(file("a.tmpl.literal").target, "a.tmpl");
        assert_eq!(directory("exact_private_dot_claude"), ".claude");
        assert_eq!(directory("private_skills"), "skills");
    }
}
