//! The names of files in a profile, which must mean the same on every machine.
//!
//! A profile is written onto file systems that fold case, that normalize Unicode, that take a
//! backslash for a separator or drop a dot at the end, and into git repositories, where a name like
//! `.git` would be read as configuration. What means something else on one of them is refused here,
//! so that no client has to know all of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Problem, Problems};
use crate::limits::{COMPONENT_MAX, DEPTH_MAX, PATH_MAX};

/// A legal path: relative, with `/` between its components, each of them plain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfilePath(Arc<str>);

impl ProfilePath {
    /// Reads a path.
    ///
    /// # Errors
    /// The reason why it is none.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("the path is empty");
        }
        if text.len() > PATH_MAX {
            return Err("the path is longer than 512 bytes");
        }
        if text.starts_with('/') {
            return Err("the path is absolute");
        }
        if text.split('/').count() > DEPTH_MAX {
            return Err("the path has more than 16 components");
        }
        text.split('/').try_for_each(judge)?;
        Ok(Self(Arc::from(text)))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it ends in `.json`.
    #[must_use]
    pub fn is_json(&self) -> bool {
        is_json(&self.0)
    }
}

/// Whether the path ends in `.json`.
pub(crate) fn is_json(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"))
}

impl fmt::Display for ProfilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn judge(component: &str) -> Result<(), &'static str> {
    if component.is_empty() {
        return Err("the path has an empty component");
    }
    if component == "." || component == ".." {
        return Err("the path leads elsewhere: it has a component '.' or '..'");
    }
    if component.len() > COMPONENT_MAX {
        return Err("the path has a component longer than 255 bytes");
    }
    if component.contains(['\\', ':']) {
        return Err("the path has a '\\' or ':', which some systems take for a separator");
    }
    if component.chars().any(char::is_control) {
        return Err("the path has a control character");
    }
    if component.chars().any(is_invisible) {
        return Err("the path has an invisible character");
    }
    if component.ends_with(['.', ' ']) || component.starts_with(' ') {
        return Err("the path has a component that begins with a space or ends with one or a dot");
    }
    if is_gits_own(component) {
        return Err("the path has a name that git reads: .git, .gitmodules or .gitattributes");
    }
    Ok(())
}

/// What HFS+ leaves out when it compares names, and what turns the direction of writing.
const fn is_invisible(it: char) -> bool {
    matches!(it,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Git's own names in any case, and the short names that NTFS makes of them (`git~1`, `gitmod~1`).
fn is_gits_own(component: &str) -> bool {
    let folded = fold(component);
    if matches!(folded.as_str(), ".git" | ".gitmodules" | ".gitattributes") {
        return true;
    }
    let Some((stem, number)) = folded.split_once('~') else {
        return false;
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    // The third: short names made of a hash of the long one begin with two letters of it.
    is_number && (stem == "git" || stem == "gitmod" || stem == "gitatt" || is_hashed(stem))
}

fn is_hashed(stem: &str) -> bool {
    stem.strip_prefix("gi")
        .is_some_and(|rest| rest.len() == 4 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The name as a file system that folds case and normalizes Unicode would compare it.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfkd().flat_map(char::to_lowercase).nfc().collect()
}

/// Paths of one profile, as they are seen on a file system that folds case.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// From a folded path to the path, and whether it is a file.
    seen: HashMap<String, (String, bool)>,
}

impl Names {
    /// Takes the path of one more file.
    pub(crate) fn take(&mut self, path: &ProfilePath, problems: &mut Problems) {
        let text = path.as_str();
        let ends = text.match_indices('/').map(|(at, _)| (at, false));
        for (end, is_file) in ends.chain([(text.len(), true)]) {
            let Some(prefix) = text.get(..end) else {
                continue;
            };
            let folded = fold(prefix);
            match self.seen.get(&folded) {
                None => {
                    let seen = (prefix.to_owned(), is_file);
                    self.seen.insert(folded, seen);
                }
                Some((other, _)) if other != prefix => {
                    return problems.add(Problem::new(
                        text,
                        "another path differs from it in case or in the form of its letters only",
                    ));
                }
                Some((_, was_file)) if is_file && *was_file => {
                    return problems.add(Problem::new(text, "the path is there twice"));
                }
                Some((_, was_file)) if is_file != *was_file => {
                    return problems.add(Problem::new(text, "it is a file and a directory"));
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collisions(paths: &[&str]) -> usize {
        let mut names = Names::default();
        let mut problems = Problems::default();
        for path in paths {
            names.take(&ProfilePath::parse(path).unwrap(), &mut problems);
        }
        match problems.refuse() {
            Err(crate::Error::Refused(found)) => found.len(),
            _ => 0,
        }
    }

    #[test]
    fn ordinary_names_are_taken() {
        for path in [
            "CLAUDE.md",
            "skills/pdf/scripts/run.sh",
            "commands/über.md",
            "agents/日本.md",
            ".gitignore",
            "a/.github/x",
            "digit~1",
            "hooks/pre commit.sh",
        ] {
            assert!(ProfilePath::parse(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn what_leads_elsewhere_or_means_something_else_is_refused() {
        for path in [
            "",
            "/etc/passwd",
            "..",
            "a/../b",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "C:x",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            ".git",
            ".GIT/config",
            "a/.Git/hooks/x",
            "git~1",
            "GIT~2/x",
            ".git.",
            ".git /x",
            ".g\u{200c}it",
            ".git\u{200b}",
            ".git::$INDEX_ALLOCATION",
            "x.",
            "x ",
            " x",
            ".gitmodules",
            ".GITATTRIBUTES",
            "gitmod~1",
            "gi7eba~1",
            "\u{202e}x",
            ".g\u{0131}t\u{feff}",
            "\u{ff0e}git",
        ] {
            assert!(ProfilePath::parse(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn lengths_have_bounds() {
        let deep = |count: usize| vec!["a"; count].join("/");
        assert!(ProfilePath::parse(&deep(DEPTH_MAX)).is_ok());
        assert!(ProfilePath::parse(&deep(DEPTH_MAX + 1)).is_err());
        assert!(ProfilePath::parse(&"a".repeat(COMPONENT_MAX)).is_ok());
        assert!(ProfilePath::parse(&"a".repeat(COMPONENT_MAX + 1)).is_err());
        let long = format!("{0}/{0}/{0}", "a".repeat(200));
        assert!(ProfilePath::parse(&long).is_err());
    }

    #[test]
    fn two_names_of_one_file_are_refused() {
        assert_eq!(collisions(&["a/b", "a/c", "b"]), 0);
        assert_eq!(collisions(&["CLAUDE.md", "claude.md"]), 1);
        assert_eq!(collisions(&["Commands/a", "commands/b"]), 1);
        assert_eq!(collisions(&["a", "a/b"]), 1);
        assert_eq!(collisions(&["a/b", "a"]), 1);
        assert_eq!(collisions(&["a", "a"]), 1);
        assert_eq!(collisions(&["\u{e9}", "e\u{301}"]), 1);
    }
}
