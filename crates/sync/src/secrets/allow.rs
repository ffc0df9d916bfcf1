//! What a person has overruled: findings that are no secrets, each by a line of its own in a file of
//! the profile, where others see it and who wrote it, as with gitleaks' ignore file.
//!
//! A line names the file, the kind and a digest of the line that was found. So it holds for that
//! finding alone, wherever in the file it moves to, and no longer when anything in it changes. It
//! cannot be made for a secret that one does not know. A marker within the line was the alternative:
//! most findings are in JSON, which has no comments.

use wharf_secrets::SecretKind;

use crate::profile::{Digest, ProfilePath};

/// The file of a profile that overrules findings.
pub const ALLOW_FILE: &str = ".wharfallow";

/// Digits of a digest that are written down.
const DIGITS: usize = 16;

/// What is overruled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<String>);

impl Allowed {
    /// What the file says: a finding a line, and behind it what people say of it. Lines that begin
    /// with `#` say nothing; nor does any other that is no finding's.
    #[must_use]
    pub fn read(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(str::to_owned).collect())
    }

    /// Whether this finding is overruled.
    pub(super) fn covers(&self, mark: &str) -> bool {
        self.0.iter().any(|line| {
            let rest = line.strip_prefix(mark);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        })
    }
}

/// What overrules a finding. `text` is all of it, so that nothing else is overruled with it; `nth`
/// tells findings of one kind in one line apart.
pub(super) fn mark(path: &ProfilePath, kind: SecretKind, text: &str, nth: usize) -> String {
    let lines: Vec<&str> = text.lines().map(plain).collect();
    let name = kind.name();
    let whole = format!("{path}\0{name}\0{nth}\0{}", lines.join("\n"));
    let digest = Digest::of(whole.as_bytes()).to_string();
    let digest = digest.get(..DIGITS).unwrap_or(&digest);
    format!("{path}:{name}:{digest}")
}

/// A line without what a formatter changes in it: where it begins, and the comma behind the last
/// member but one.
fn plain(line: &str) -> &str {
    let line = line.trim();
    line.strip_suffix(',').unwrap_or(line)
}

/// What a line of the file says behind the finding that it overrules. The digest in it is no secret.
pub(super) fn behind_mark(line: &str) -> &str {
    let line = line.trim_start();
    let is_digest = |text: &str| {
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        text.len() == DIGITS && text.bytes().all(is_digit)
    };
    let mut places = line.match_indices(':').map(|(at, _)| at);
    let end = places.find_map(|at| {
        let (_, behind) = line.split_at_checked(at + 1)?;
        let (name, rest) = behind.split_once(':')?;
        let digest = rest.get(..DIGITS)?;
        let is_kind = SecretKind::ALL.iter().any(|kind| kind.name() == name);
        (is_kind && is_digest(digest)).then_some(at + 1 + name.len() + 1 + DIGITS)
    });
    match end {
        Some(end) => line.get(end..).unwrap_or_default(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_overrules_what_it_names_and_may_say_why() {
        let allowed = Allowed::read(b"# why\r\n\r\na.md:jwt:00ff a sample\r\nb.md:jwt:00ff");
        assert!(allowed.covers("a.md:jwt:00ff"));
        assert!(allowed.covers("b.md:jwt:00ff"));
        for no in ["a.md:jwt:00f", "a.md:jwt", "", "# why", "c.md:jwt:00ff"] {
            assert!(!allowed.covers(no), "{no:?}");
        }
    }

    #[test]
    fn a_mark_is_left_out_of_its_line() {
        for (line, behind) in [
            (
                "settings.json:github_token:3f786850e387550f # a sample",
                " # a sample",
            ),
            ("a:b.md:jwt:3f786850e387550f", ""),
            (
                "settings.json:github_token:3f786850e387550",
                "settings.json:github_token:3f786850e387550",
            ),
            (
                "a.md:password:3f786850e387550f",
                "a.md:password:3f786850e387550f",
            ),
            ("plain", "plain"),
            ("é:jwt:3f786850e38755é0f", "é:jwt:3f786850e38755é0f"),
        ] {
            assert_eq!(behind_mark(line), behind, "{line}");
        }
    }
}
