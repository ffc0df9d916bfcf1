//! What an output is made of: members of JSON, columns, files of a diff, paths of a listing.

use serde_json::value::RawValue;
use std::collections::HashMap;

use crate::digest::{clean, segments};

use super::Input;

/// Bytes of JSON that are read for a hint.
const MAX_JSON: usize = 4 << 20;

/// Names that one hint lists.
const MAX_NAMES: usize = 12;

/// Names that are counted.
const MAX_COUNTED: usize = 2_000;

/// Paths from which on a listing is worth counting.
const MANY_PATHS: u64 = 20;

/// The hints.
pub(super) fn hints(input: &Input<'_>) -> Vec<String> {
    let hint = match input.form.name {
        "json" => json(input.stdout),
        "ndjson" => ndjson(input.stdout),
        "tabular" | "csv" => table(input),
        "diff" => diff(input.stdout),
        _ => None,
    };
    let ran = |names: &[&str]| {
        let mut programs = input.analysis.programs.iter();
        programs.any(|program| names.contains(&program.name.as_str()))
    };
    let listing = if ran(&["grep", "rg", "ag", "egrep", "ack"]) {
        matches(input.stdout)
    } else if matches!(input.form.name, "list" | "text" | "tabular") {
        paths(input.stdout)
    } else {
        None
    };
    hint.into_iter().chain(listing).collect()
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = names.take(MAX_NAMES + 1).collect();
    let few = all
        .get(..MAX_NAMES.min(all.len()))
        .unwrap_or_default()
        .join(", ");
    if all.len() > MAX_NAMES {
        format!("{few}, \u{2026}")
    } else {
        few
    }
}

/// An object whose values are not looked at, in the order of its members.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(
                self,
                mut map: M,
            ) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Visitor).map(Members)
    }
}

fn keys(value: &RawValue) -> Option<String> {
    let members: Members<'_> = serde_json::from_str(value.get()).ok()?;
    Some(listed(members.0.iter().map(|(name, _)| name.as_str())))
}

fn json(stdout: &[u8]) -> Option<String> {
    if stdout.len() > MAX_JSON {
        return None;
    }
    let text = std::str::from_utf8(stdout).ok()?.trim();
    if let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text) {
        return Some(array("JSON array", &elements));
    }
    let members: Members<'_> = serde_json::from_str(text).ok()?;
    let mut hint = format!(
        "JSON object with keys {}",
        listed(members.0.iter().map(|(name, _)| name.as_str()))
    );
    // Many interfaces put the list that was asked for into a member.
    let lists = members.0.iter().filter_map(|(name, value)| {
        let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
        Some((name, elements)).filter(|(_, elements)| elements.len() > 1)
    });
    if let Some((name, elements)) = lists.max_by_key(|(_, elements)| elements.len()) {
        hint.push_str(&format!("; {name} is an {}", array("array", &elements)));
    }
    Some(hint)
}

fn array(what: &str, elements: &[&RawValue]) -> String {
    let count = elements.len();
    match elements.first().and_then(|first| keys(first)) {
        Some(keys) => format!("{what} of {count} objects with keys {keys}"),
        None => format!("{what} of {count} values"),
    }
}

fn ndjson(stdout: &[u8]) -> Option<String> {
    let mut lines = segments(stdout).filter(|line| !line.text.trim_ascii().is_empty());
    let first: Members<'_> = serde_json::from_slice(lines.next()?.text).ok()?;
    let keys = listed(first.0.iter().map(|(name, _)| name.as_str()));
    Some(format!(
        "{} lines of JSON with keys {keys}",
        lines.count() + 1
    ))
}

fn table(input: &Input<'_>) -> Option<String> {
    let columns = input.form.columns;
    let rows = input.form.rows.filter(|_| !columns.is_empty())?;
    Some(format!(
        "{rows} rows with columns {}",
        listed(columns.iter().map(String::as_str))
    ))
}

fn diff(stdout: &[u8]) -> Option<String> {
    let mut files: Vec<(String, u64, u64)> = Vec::new();
    for segment in segments(stdout) {
        let line = clean(segment.text);
        if let Some(path) = line.strip_prefix("+++ ") {
            let path = path.strip_prefix("b/").unwrap_or(path);
            files.push((path.split('\t').next().unwrap_or(path).to_owned(), 0, 0));
        } else if let Some((_, added, removed)) = files.last_mut() {
            match line.as_bytes().first() {
                Some(b'+') => *added += 1,
                Some(b'-') if !line.starts_with("--- ") => *removed += 1,
                _ => {}
            }
        }
    }
    let (added, removed) = files.iter().fold((0, 0), |(a, r), (_, added, removed)| {
        (a + added, r + removed)
    });
    let (most, ..) = files
        .iter()
        .max_by_key(|(_, added, removed)| added + removed)?;
    let in_files = if files.len() == 1 {
        "1 file".to_owned()
    } else {
        format!("{} files", files.len())
    };
    Some(format!(
        "{in_files} changed, +{added} -{removed}, most in {most}"
    ))
}

/// Counts names, a bounded number of them.
#[derive(Default)]
struct Counts(HashMap<String, u64>);

impl Counts {
    fn add(&mut self, name: &str) {
        let full = self.0.len() >= MAX_COUNTED;
        match self.0.get_mut(name) {
            Some(count) => *count += 1,
            None if full => {}
            None => {
                self.0.insert(name.to_owned(), 1);
            }
        }
    }

    fn most(&self) -> Option<(&str, u64)> {
        // Of equals the first in order, so that the answer is always the same.
        let most = self
            .0
            .iter()
            .max_by_key(|(name, count)| (**count, std::cmp::Reverse(*name)));
        most.map(|(name, count)| (name.as_str(), *count))
    }
}

/// Matches by file, when they say which.
fn matches(stdout: &[u8]) -> Option<String> {
    let (mut files, mut lines, mut with_file) = (Counts::default(), 0u64, 0u64);
    for segment in segments(stdout) {
        let line = clean(segment.text);
        lines += 1;
        let path = line.split(':').next().unwrap_or_default();
        if path.contains(['.', '/']) && path.len() < line.len() && !path.contains(' ') {
            with_file += 1;
            files.add(path);
        }
    }
    let (most, count) = files.most()?;
    let told = with_file * 10 >= lines * 9 && files.0.len() > 1 && files.0.len() < MAX_COUNTED;
    told.then(|| {
        format!(
            "{lines} matches in {} files, most in {most} ({count})",
            files.0.len()
        )
    })
}

/// Paths by folder and by ending, when nearly all lines are one.
fn paths(stdout: &[u8]) -> Option<String> {
    let (mut folders, mut endings) = (Counts::default(), Counts::default());
    let (mut lines, mut paths) = (0u64, 0u64);
    for segment in segments(stdout) {
        let line = clean(segment.text);
        if line.is_empty() {
            continue;
        }
        lines += 1;
        if line.contains(char::is_whitespace) || !line.contains('/') {
            continue;
        }
        paths += 1;
        let (folder, name) = line.rsplit_once('/').unwrap_or(("", &line));
        folders.add(folder);
        if let Some((stem, ending)) = name.rsplit_once('.')
            && !stem.is_empty()
        {
            endings.add(ending);
        }
    }
    if paths < MANY_PATHS || paths * 10 < lines * 9 {
        return None;
    }
    let mut hint = format!("{paths} paths in {} folders", folders.0.len());
    if let Some((folder, count)) = folders.most().filter(|(_, count)| *count > 1) {
        hint.push_str(&format!(", most in {folder}/ ({count})"));
    }
    if let Some((ending, count)) = endings.most() {
        hint.push_str(&format!("; {count} end in .{ending}"));
    }
    Some(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_json() {
        assert_eq!(
            json(br#"[{"id":1,"name":"a"},{"id":2}]"#).unwrap(),
            "JSON array of 2 objects with keys id, name"
        );
        assert_eq!(json(b"[1,2,3]").unwrap(), "JSON array of 3 values");
        let object = br#"{"kind":"List","items":[{"a":1},{"a":2}]}"#;
        assert_eq!(
            json(object).unwrap(),
            "JSON object with keys kind, items; items is an array of 2 objects with keys a"
        );
        assert_eq!(
            ndjson(b"{\"t\":1,\"m\":2}\n{\"t\":3}\n").unwrap(),
            "2 lines of JSON with keys t, m"
        );
        assert_eq!(json(b"{"), None);
    }

    #[test]
    fn files_of_a_diff() {
        let diff_text = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+b\n+c\n--- a/y\n+++ b/y\n+z\n";
        assert_eq!(
            diff(diff_text).unwrap(),
            "2 files changed, +3 -1, most in x"
        );
    }

    #[test]
    fn matches_and_paths() {
        assert_eq!(
            matches(b"a.c:1:x\na.c:2:x\nb.c:1:x\n").unwrap(),
            "3 matches in 2 files, most in a.c (2)"
        );
        assert_eq!(matches(b"no file here\n"), None);
        let many: String = (0..30)
            .map(|n| format!("src/{}/f{n}.rs\n", n % 2))
            .collect();
        assert_eq!(
            paths(many.as_bytes()).unwrap(),
            "30 paths in 2 folders, most in src/0/ (15); 30 end in .rs"
        );
    }
}
