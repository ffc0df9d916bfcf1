//! JSON merged by keys, three-way, in the text of this side: what does not change keeps its place
//! and its form.
//!
//! Objects are merged member by member. Arrays of texts, such as lists of permissions, are sets
//! with an order: what a side added is added, what a side removed is removed. Every other array is
//! one value.

use super::{Choose, Conflict, Merged, Sides};
use crate::json::{Kind, Node, parse, set_at};
use crate::plan::Side;

/// The most bytes of a text that is merged by keys, and the most changes: each change reads the text
/// once.
pub const BYTES_MAX: usize = 1024 * 1024;
/// See [`BYTES_MAX`].
pub const CHANGES_MAX: usize = 1_000;

/// A value that both sides changed differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it is, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// As last agreed, if it was there.
    pub base: Option<String>,
    /// As it is here.
    pub local: Option<String>,
    /// As it is there.
    pub remote: Option<String>,
}

/// A change of this side's text: the names that lead to a value, and what it becomes.
type Change = (Vec<String>, Option<String>);

/// Merges two JSON texts. Nothing when one of the three is none, or they are over [`BYTES_MAX`] or
/// [`CHANGES_MAX`]: text can still be merged by hunks.
/// Where there are conflicts the content holds what is here.
#[must_use]
pub fn merge(sides: Sides<'_>, prefer: Option<Side>) -> Option<Merged> {
    merge_by(sides, &mut |_| prefer)
}

/// [`merge`], where each value is asked about.
pub fn merge_by(sides: Sides<'_>, choose: Choose<'_>) -> Option<Merged> {
    let longest = sides.local.len().max(sides.remote.len());
    if longest.max(sides.base.map_or(0, str::len)) > BYTES_MAX {
        return None;
    }
    let local = parse(sides.local).ok()?;
    let remote = parse(sides.remote).ok()?;
    let base = match sides.base {
        Some(base) => Some(parse(base).ok()?),
        None => None,
    };
    let mut walk = Walk {
        choose,
        changes: Vec::new(),
        conflicts: Vec::new(),
    };
    if !(local.is_object() && remote.is_object()) {
        return None;
    }
    walk.objects(&mut Vec::new(), base.as_ref(), &local, &remote);
    if walk.changes.len() > CHANGES_MAX {
        return None;
    }
    let mut content = sides.local.to_owned();
    for (names, value) in walk.changes {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        content = set_at(&content, &names, value.as_deref()).ok()?;
    }
    let conflicts = walk.conflicts;
    Some(Merged { content, conflicts })
}

struct Walk<'a> {
    choose: Choose<'a>,
    changes: Vec<Change>,
    conflicts: Vec<Conflict>,
}

impl Walk<'_> {
    fn objects(&mut self, at: &mut Vec<String>, base: Option<&Node>, local: &Node, remote: &Node) {
        let mut names: Vec<&str> = Vec::new();
        for member in local.members().iter().chain(remote.members()) {
            if !names.contains(&member.name.as_str()) {
                names.push(&member.name);
            }
        }
        for name in names {
            at.push(name.to_owned());
            let base = base.and_then(|base| base.member(name));
            self.values(at, base, local.member(name), remote.member(name));
            at.pop();
        }
    }

    fn values(
        &mut self,
        at: &mut Vec<String>,
        base: Option<&Node>,
        local: Option<&Node>,
        remote: Option<&Node>,
    ) {
        if says(local, remote) || says(remote, base) {
            return;
        }
        if says(local, base) {
            self.changes
                .push((at.clone(), remote.map(|node| node.pretty(0))));
            return;
        }
        if let (Some(here), Some(there)) = (local, remote) {
            if here.is_object() && there.is_object() {
                self.objects(at, base.filter(|base| base.is_object()), here, there);
                return;
            }
            if let (Some(here), Some(there)) = (texts(here), texts(there)) {
                let was = base.and_then(texts).unwrap_or_default();
                let merged = sets(&was, &here, &there);
                if merged != here {
                    let value = serde_json::Value::from(merged).to_string();
                    self.changes.push((at.clone(), Some(value)));
                }
                return;
            }
        }
        let form = |node: Option<&Node>| node.map(|node| node.pretty(0));
        let conflict = Conflict::Key(Key {
            pointer: pointer(at),
            base: form(base),
            local: form(local),
            remote: form(remote),
        });
        match (self.choose)(&conflict) {
            Some(Side::Local) => {}
            Some(Side::Remote) => self.changes.push((at.clone(), form(remote))),
            None => self.conflicts.push(conflict),
        }
    }
}

fn says(a: Option<&Node>, b: Option<&Node>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.says(b),
        (None, None) => true,
        _ => false,
    }
}

/// The items of an array of texts.
fn texts(node: &Node) -> Option<Vec<&str>> {
    match &node.kind {
        Kind::Array(items) => items.iter().map(Node::text).collect(),
        _ => None,
    }
}

/// What is here, without what was removed there, and with what was added there.
fn sets<'a>(was: &[&str], here: &[&'a str], there: &[&'a str]) -> Vec<&'a str> {
    let stays = |item: &&&str| there.contains(*item) || !was.contains(*item);
    let mut merged: Vec<&str> = here.iter().filter(stays).copied().collect();
    for item in there {
        if !was.contains(item) && !merged.contains(item) {
            merged.push(item);
        }
    }
    merged
}

fn pointer(names: &[String]) -> String {
    let escaped = names
        .iter()
        .map(|name| name.replace('~', "~0").replace('/', "~1"));
    escaped.fold(String::new(), |pointer, name| pointer + "/" + &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, local: &str, remote: &str) -> Merged {
        let sides = Sides {
            base: Some(base),
            local,
            remote,
        };
        merge(sides, None).unwrap()
    }

    #[test]
    fn keys_of_both_sides_in_the_form_of_this_side() {
        let base = r#"{"model":"a","env":{"A":"1"},"permissions":{"allow":["Read","Bash(ls:*)"]}}"#;
        let local = "{\n    \"model\": \"a\",\n    \"env\": { \"A\": \"1\",   \"L\": \"2\" },\n    \"permissions\": {\n        \"allow\": [\"Read\", \"Bash(ls:*)\", \"Edit\"]\n    }\n}\n";
        let remote = r#"{"model":"b","env":{"A":"1","R":"3"},"permissions":{"allow":["Read","Bash(git:*)"]}}"#;
        let out = merged(base, local, remote);
        assert_eq!(out.conflicts, []);
        let same = parse(
            r#"{"model":"b","env":{"A":"1","L":"2","R":"3"},"permissions":{"allow":["Read","Edit","Bash(git:*)"]}}"#,
        );
        assert!(
            parse(&out.content).unwrap().says(&same.unwrap()),
            "{}",
            out.content
        );
        assert!(
            out.content.starts_with(
                "{\n    \"model\": \"b\",\n    \"env\": { \"A\": \"1\",   \"L\": \"2\""
            ),
            "{}",
            out.content
        );
        assert!(out.content.ends_with("}\n"));
    }

    #[test]
    fn the_same_key_is_a_conflict_with_its_pointer() {
        let out = merged(
            r#"{"a":{"x/y":1,"z":1}}"#,
            r#"{"a":{"x/y":2}}"#,
            r#"{"a":{"x/y":3,"z":2}}"#,
        );
        let pointers: Vec<_> = out
            .conflicts
            .iter()
            .map(|conflict| match conflict {
                Conflict::Key(key) => (
                    key.pointer.as_str(),
                    key.local.as_deref(),
                    key.remote.as_deref(),
                ),
                Conflict::Hunk(_) => panic!("{conflict:?}"),
            })
            .collect();
        assert_eq!(
            pointers,
            [("/a/x~1y", Some("2"), Some("3")), ("/a/z", None, Some("2"))]
        );
        assert_eq!(out.content, r#"{"a":{"x/y":2}}"#);
        let sides = Sides {
            base: Some(r#"{"a":1}"#),
            local: r#"{"a":2}"#,
            remote: r#"{"a":3}"#,
        };
        assert_eq!(
            merge(sides, Some(Side::Remote)).unwrap().content,
            r#"{"a":3}"#
        );
    }

    #[test]
    fn removed_there_and_untouched_here_goes() {
        let out = merged(
            r#"{"a":1,"b":{"c":1}}"#,
            r#"{"a":1, "b":{"c":1}}"#,
            r#"{"b":{}}"#,
        );
        assert_eq!(out.content, r#"{"b":{}}"#);
    }

    #[test]
    fn without_a_base_what_one_side_lacks_is_taken() {
        let sides = Sides {
            base: None,
            local: r#"{"a":1}"#,
            remote: r#"{"b":2,"a":1}"#,
        };
        let out = merge(sides, None).unwrap();
        assert_eq!(out.content, r#"{"a":1,"b": 2}"#);
    }

    #[test]
    fn too_many_changes_are_left_to_the_merge_of_text() {
        let object = |count: usize, value: usize| {
            let members = (0..count).map(|n| format!("\"{n}\":{value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        let is_merged = |count| {
            let (old, new) = (object(count, 1), object(count, 2));
            let sides = Sides {
                base: Some(&old),
                local: &old,
                remote: &new,
            };
            merge(sides, None).is_some()
        };
        assert!(is_merged(10) && !is_merged(CHANGES_MAX + 1));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(BYTES_MAX));
        let sides = Sides {
            base: None,
            local: &long,
            remote: "{}",
        };
        assert!(merge(sides, None).is_none());
    }

    #[test]
    fn what_is_no_json_is_left_to_the_merge_of_text() {
        let sides = Sides {
            base: Some("{}"),
            local: "{",
            remote: "{}",
        };
        assert!(merge(sides, None).is_none());
    }
}
