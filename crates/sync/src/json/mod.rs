//! JSON whose text is kept: where each value stands, so that one of them can be replaced and every
//! other byte stays.
//!
//! A parser that builds values loses indentation, the order of keys and the form of numbers, and a
//! person's settings would come back rewritten. Comments and commas before a closing bracket are
//! read over, since other agents' configuration has them; nothing else that is not JSON is.

mod edit;
mod parse;

pub use edit::{remove, set, set_at};
pub use parse::{DEPTH_MAX, InvalidJson, parse};

use std::ops::Range;

/// A value and where it stands in the text.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// An object, its members in the order of the text.
    Object(Vec<Member>),
    /// An array.
    Array(Vec<Node>),
    /// A text, decoded.
    Text(String),
    /// A number, `true`, `false` or `null`, as written.
    Word(String),
}

/// One member of an object.
#[derive(Debug, Clone)]
pub struct Member {
    /// Where its name begins.
    pub start: usize,
    /// Its name, decoded.
    pub name: String,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The member with this name; of several the last, as other readers take it.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Node> {
        let member = self.members().iter().rfind(|member| member.name == name);
        member.map(|member| &member.value)
    }

    /// The members, if it is an object.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The items, if it is an array.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::Array(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self.kind, Kind::Object(_))
    }

    /// Whether both say the same: the order of members and all spacing do not count.
    #[must_use]
    pub fn says(&self, other: &Node) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Object(mine), Kind::Object(theirs)) => {
                // Each value is compared once: in both directions it would be 2^depth times.
                let same = |member: &Member| {
                    other
                        .member(&member.name)
                        .is_some_and(|value| member.value.says(value))
                };
                let known = |member: &Member| self.member(&member.name).is_some();
                mine.iter().all(same) && theirs.iter().all(known)
            }
            (Kind::Array(mine), Kind::Array(theirs)) => {
                mine.len() == theirs.len()
                    && mine
                        .iter()
                        .zip(theirs)
                        .all(|(mine, theirs)| mine.says(theirs))
            }
            (Kind::Text(mine), Kind::Text(theirs)) => mine == theirs,
            (Kind::Word(mine), Kind::Word(theirs)) => mine == theirs,
            _ => false,
        }
    }

    /// The value in one form: two spaces a level, members in their order, `base` levels in.
    #[must_use]
    pub fn pretty(&self, base: usize) -> String {
        self.printed("  ", base)
    }

    /// The value printed with `indent` for each level, from `level` levels in.
    #[must_use]
    pub fn printed(&self, indent: &str, level: usize) -> String {
        let mut text = String::new();
        self.print(indent, level, &mut text);
        text
    }

    fn print(&self, indent: &str, level: usize, out: &mut String) {
        let line = |out: &mut String, level: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n(indent, level));
        };
        match &self.kind {
            Kind::Object(members) if members.is_empty() => out.push_str("{}"),
            Kind::Array(items) if items.is_empty() => out.push_str("[]"),
            Kind::Object(members) => {
                out.push('{');
                for (at, member) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    line(out, level + 1);
                    out.push_str(&quoted(&member.name));
                    out.push_str(": ");
                    member.value.print(indent, level + 1, out);
                }
                line(out, level);
                out.push('}');
            }
            Kind::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    line(out, level + 1);
                    item.print(indent, level + 1, out);
                }
                line(out, level);
                out.push(']');
            }
            Kind::Text(text) => out.push_str(&quoted(text)),
            Kind::Word(word) => out.push_str(word),
        }
    }
}

/// A text as JSON.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_texts_that_say_the_same() {
        let says = |a: &str, b: &str| parse(a).unwrap().says(&parse(b).unwrap());
        assert!(says(
            r#"{"a":1,"b":[true,"x"]}"#,
            "{ \"b\": [true, \"\\u0078\"],\n\"a\":1 }"
        ));
        assert!(!says(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
        assert!(!says("[1,2]", "[2,1]"));
        assert!(!says("1", "\"1\""));
    }

    #[test]
    fn one_form_for_the_same_value() {
        let text = r#"{"b":[1.50,{}],"a":"ä\n"}"#;
        let pretty = parse(text).unwrap().pretty(0);
        assert_eq!(
            pretty,
            "{\n  \"b\": [\n    1.50,\n    {}\n  ],\n  \"a\": \"ä\\n\"\n}"
        );
        assert_eq!(parse(&pretty).unwrap().pretty(0), pretty);
    }
}
