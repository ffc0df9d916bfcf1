//! The name of a file in a profile. One that exists is safe to join to a directory.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The most bytes of a path.
pub const PATH_BYTES_MAX: usize = 512;
/// The most parts of a path.
pub const PATH_DEPTH_MAX: usize = 32;
/// How the files begin that an apply makes on its way; no profile has such a name.
pub const TEMP_PREFIX: &str = ".wharf-";

/// The most characters of a wrong path that a message shows.
const SHOWN_CHARS: usize = 120;

/// A file's name in a profile: relative, parts separated by `/`, in Unicode's composed form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfilePath(Arc<str>);

/// A path that a profile cannot have, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {reason}")]
pub struct InvalidPath {
    /// What was given, with control characters escaped and shortened.
    pub path: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No text at all, or nothing between two slashes.
    #[error("a part of the path is empty")]
    Empty,
    /// It begins with a slash.
    #[error("a path in a profile is relative")]
    Absolute,
    /// A part is `.` or `..`.
    #[error("a path in a profile has no `.` or `..`")]
    Dots,
    /// A backslash, which other systems take for a separator.
    #[error("a path in a profile has no backslash")]
    Backslash,
    /// A control character.
    #[error("a path in a profile has no control characters")]
    Control,
    /// Not UTF-8.
    #[error("a path in a profile is UTF-8")]
    NotUtf8,
    /// Decomposed characters, which some file systems compose.
    #[error("the name is not in Unicode's composed form (NFC); rename the file")]
    NotComposed,
    /// More than [`PATH_BYTES_MAX`].
    #[error("the path has more than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// More than [`PATH_DEPTH_MAX`].
    #[error("the path has more than {PATH_DEPTH_MAX} parts")]
    TooDeep,
    /// A part is `.git`, in any case.
    #[error("`.git` belongs to git, and its hooks would be run")]
    Git,
    /// A part begins like our own files.
    #[error("names that begin with `{TEMP_PREFIX}` are used while files are written")]
    Reserved,
}

/// What a path may meet on another system. It is told and not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// `CON`, `NUL`, `COM1` and the like.
    #[error("Windows keeps this name for a device")]
    DeviceName,
    /// One of `<>:"|?*`.
    #[error("Windows allows none of < > : \" | ? * in names")]
    Character,
    /// A part ends with a dot or a space.
    #[error("Windows drops a dot or space at the end of a name")]
    Ending,
}

impl ProfilePath {
    /// Checks a path.
    ///
    /// # Errors
    /// When a profile cannot have it, with the reason.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        match fault(text) {
            None => Ok(Self(text.into())),
            Some(reason) => Err(InvalidPath::new(text, reason)),
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts, at least one.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts().next_back().unwrap_or_default()
    }

    /// The directories that it is in, innermost first, without the profile itself.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(parent(&self.0), |path| parent(path))
    }

    /// Whether it is `directory` or below it.
    #[must_use]
    pub fn is_under(&self, directory: &str) -> bool {
        self.0
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What a file system that ignores case makes of it: two paths with one key are one file there.
    #[must_use]
    pub fn folded(&self) -> String {
        // Upper, then lower: `ß` and `ẞ`, `ſ` and `s` each become one.
        let folded = self.0.chars().flat_map(char::to_uppercase);
        folded.flat_map(char::to_lowercase).nfc().collect()
    }

    /// What it would meet on Windows.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.parts().find_map(trouble_of_part)
    }
}

impl InvalidPath {
    /// The refusal of `text`, which may be anything.
    #[must_use]
    pub fn new(text: &str, reason: Reason) -> Self {
        let mut path: String = text
            .chars()
            .take(SHOWN_CHARS)
            .flat_map(|c| {
                if c.is_control() {
                    c.escape_default().to_string()
                } else {
                    c.to_string()
                }
                .chars()
                .collect::<Vec<_>>()
            })
            .collect();
        if text.chars().nth(SHOWN_CHARS).is_some() {
            path.push('…');
        }
        Self { path, reason }
    }
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

fn fault(text: &str) -> Option<Reason> {
    if text.starts_with('/') {
        return Some(Reason::Absolute);
    }
    if text.len() > PATH_BYTES_MAX {
        return Some(Reason::TooLong);
    }
    if text.contains('\\') {
        return Some(Reason::Backslash);
    }
    if text.chars().any(char::is_control) {
        return Some(Reason::Control);
    }
    if text.split('/').count() > PATH_DEPTH_MAX {
        return Some(Reason::TooDeep);
    }
    if let Some(reason) = text.split('/').find_map(fault_of_part) {
        return Some(reason);
    }
    (!is_nfc(text)).then_some(Reason::NotComposed)
}

fn fault_of_part(part: &str) -> Option<Reason> {
    match part {
        "" => Some(Reason::Empty),
        "." | ".." => Some(Reason::Dots),
        _ if part.eq_ignore_ascii_case(".git") => Some(Reason::Git),
        _ if part.starts_with(TEMP_PREFIX) => Some(Reason::Reserved),
        _ => None,
    }
}

fn trouble_of_part(part: &str) -> Option<Trouble> {
    if part.contains(['<', '>', ':', '"', '|', '?', '*']) {
        return Some(Trouble::Character);
    }
    if part.ends_with(['.', ' ']) {
        return Some(Trouble::Ending);
    }
    let stem = part
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let numbered = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"))
        .is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']));
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered;
    device.then_some(Trouble::DeviceName)
}

impl fmt::Display for ProfilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProfilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for ProfilePath {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        Self::parse(&text)
    }
}

impl From<ProfilePath> for String {
    fn from(path: ProfilePath) -> Self {
        path.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> Option<Reason> {
        ProfilePath::parse(text).err().map(|invalid| invalid.reason)
    }

    #[test]
    fn what_a_profile_may_hold() {
        for good in [
            "CLAUDE.md",
            "skills/déploi/SKILL.md",
            "commands/a b.md",
            "hooks/..hidden",
            "agents/…",
            "commands/.gitignore",
        ] {
            assert_eq!(reason(good), None, "{good}");
        }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        for (bad, why) in [
            ("", Reason::Empty),
            ("/etc/passwd", Reason::Absolute),
            ("//a", Reason::Absolute),
            ("a//b", Reason::Empty),
            ("a/", Reason::Empty),
            ("../a", Reason::Dots),
            ("a/../b", Reason::Dots),
            ("a/.", Reason::Dots),
            ("..\\a", Reason::Backslash),
            ("a\nb", Reason::Control),
            ("a\0", Reason::Control),
            ("a\u{7f}", Reason::Control),
            ("e\u{301}.md", Reason::NotComposed),
            ("skills/x/.git/hooks/post-checkout", Reason::Git),
            ("skills/x/.GIT/config", Reason::Git),
            ("agents/.wharf-1", Reason::Reserved),
        ] {
            assert_eq!(reason(bad), Some(why), "{bad:?}");
        }
    }

    #[test]
    fn length_and_depth_at_their_bounds() {
        assert_eq!(reason(&"a".repeat(PATH_BYTES_MAX)), None);
        assert_eq!(
            reason(&"a".repeat(PATH_BYTES_MAX + 1)),
            Some(Reason::TooLong)
        );
        assert_eq!(reason(&vec!["a"; PATH_DEPTH_MAX].join("/")), None);
        assert_eq!(
            reason(&vec!["a"; PATH_DEPTH_MAX + 1].join("/")),
            Some(Reason::TooDeep)
        );
    }

    #[test]
    fn a_message_shows_the_path_harmlessly() {
        let shown = ProfilePath::parse("a\u{1b}[2Jb").unwrap_err().to_string();
        assert_eq!(
            shown,
            "`a\\u{1b}[2Jb`: a path in a profile has no control characters"
        );
        let long = ProfilePath::parse(&"/x".repeat(5000))
            .unwrap_err()
            .to_string();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn one_file_where_case_is_ignored() {
        let folded = |text: &str| ProfilePath::parse(text).unwrap().folded();
        assert_eq!(folded("commands/Ship.md"), folded("commands/ship.MD"));
        assert_eq!(folded("agents/STRASSE"), folded("agents/straße"));
        assert_ne!(folded("agents/a"), folded("agents/b"));
    }

    #[test]
    fn other_systems_are_warned_of() {
        let trouble = |text: &str| ProfilePath::parse(text).unwrap().trouble();
        assert_eq!(trouble("agents/nul.md"), Some(Trouble::DeviceName));
        assert_eq!(trouble("agents/com1"), Some(Trouble::DeviceName));
        assert_eq!(trouble("agents/company"), None);
        assert_eq!(trouble("commands/git:push.md"), Some(Trouble::Character));
        assert_eq!(trouble("commands/end."), Some(Trouble::Ending));
    }

    #[test]
    fn where_a_path_is() {
        let path = ProfilePath::parse("skills/deploy/SKILL.md").unwrap();
        assert_eq!(
            path.ancestors().collect::<Vec<_>>(),
            ["skills/deploy", "skills"]
        );
        assert!(path.is_under("skills") && path.is_under("skills/deploy/SKILL.md"));
        assert!(!path.is_under("skill") && !path.is_under("skills/dep"));
        assert_eq!(path.name(), "SKILL.md");
    }
}
