//! JSON files of several layers, put together by key.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::limits::{FILE_MAX, MERGE_DEPTH_MAX, ORIGINS_MAX};
use crate::numbers;

/// A merged file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merged {
    pub(crate) value: Map<String, Value>,
    pub(crate) text: String,
}

/// Puts `layers` together, the outermost first: objects by key, and of anything else the innermost
/// as it is, lists too. None where one of them is no JSON object or has a number that would not
/// stay as it is, or all of them together are too large for a file; then the innermost file counts.
pub(crate) fn merge(layers: &[impl AsRef<[u8]>]) -> Option<Merged> {
    let Value::Object(value) = whole(layers)?.value() else {
        return None;
    };
    let text = printed(&value)?;
    Some(Merged { value, text })
}

/// For each value that one layer alone gives in what they are merged into: where it is (a JSON
/// pointer, RFC 6901), and which of the layers that is. [`ORIGINS_MAX`] of them.
pub(crate) fn origins(layers: &[impl AsRef<[u8]>]) -> Option<Vec<(String, usize)>> {
    let mut origins = Vec::new();
    whole(layers)?.tell(&mut String::new(), &mut origins);
    Some(origins)
}

fn whole(layers: &[impl AsRef<[u8]>]) -> Option<Node> {
    let mut whole = Node::Object(Members::default());
    for (layer, text) in layers.iter().enumerate() {
        whole.overlay(Value::Object(object(text.as_ref())?), layer, 0);
    }
    Some(whole)
}

/// The JSON object that a text is. None also where a number in it [would not stay](numbers).
pub(crate) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) if numbers::all_stay(text) => Some(object),
        _ => None,
    }
}

/// The form in which merged files are written.
pub(crate) fn printed(object: &Map<String, Value>) -> Option<String> {
    let mut text = serde_json::to_string_pretty(object).ok()?;
    text.push('\n');
    (text.len() <= FILE_MAX).then_some(text)
}

/// A value on its way: who gave it is known until it is whole.
enum Node {
    /// Given by one layer.
    Leaf(Value, usize),
    /// An object whose members come from several.
    Object(Members),
}

/// Members in the order in which they came. A list alone would be looked through for each member
/// of each layer: minutes, for a file of the largest size.
#[derive(Default)]
struct Members {
    list: Vec<(String, Node)>,
    places: HashMap<String, usize>,
}

impl Members {
    fn at(&mut self, key: String, layer: usize) -> Option<&mut Node> {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                let place = self.list.len();
                self.places.insert(key.clone(), place);
                self.list.push((key, Node::Leaf(Value::Null, layer)));
                place
            }
        };
        self.list.get_mut(place).map(|(_, node)| node)
    }
}

impl Node {
    fn overlay(&mut self, value: Value, layer: usize, depth: usize) {
        let object = match value {
            Value::Object(object) if depth < MERGE_DEPTH_MAX => object,
            other => {
                *self = Self::Leaf(other, layer);
                return;
            }
        };
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Members::default());
        }
        let Self::Object(members) = self else {
            return;
        };
        for (key, value) in object {
            if let Some(member) = members.at(key, layer) {
                member.overlay(value, layer, depth + 1);
            }
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Leaf(value, _) => value,
            Self::Object(members) => {
                let members = members.list.into_iter();
                let values = members.map(|(key, member)| (key, member.value()));
                Value::Object(values.collect())
            }
        }
    }

    fn tell(&self, pointer: &mut String, origins: &mut Vec<(String, usize)>) {
        let members = match self {
            Self::Object(members) => &members.list,
            Self::Leaf(_, layer) => {
                origins.push((pointer.clone(), *layer));
                return;
            }
        };
        for (key, member) in members {
            if origins.len() >= ORIGINS_MAX {
                return;
            }
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            member.tell(pointer, origins);
            pointer.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_merged_and_the_innermost_value_counts() {
        let org = br#"{"model": "opus", "permissions": {"deny": ["a"], "allow": ["x"]}}"#;
        let user = br#"{"permissions": {"deny": ["b"]}, "theme": "dark", "a/b": {}}"#;
        let merged = merge(&[&org[..], user]).unwrap();
        let value: Value = serde_json::from_str(&merged.text).unwrap();
        let wanted = serde_json::json!({
            "model": "opus",
            "permissions": {"deny": ["b"], "allow": ["x"]},
            "theme": "dark",
            "a/b": {},
        });
        assert_eq!(value, wanted);
        let origins = origins(&[&org[..], user]).unwrap();
        let origin = |pointer: &str| {
            let mut found = origins.iter().filter(|(at, _)| at == pointer);
            found.next().map(|(_, layer)| *layer)
        };
        assert_eq!(origin("/model"), Some(0));
        assert_eq!(origin("/permissions/deny"), Some(1));
        assert_eq!(origin("/permissions/allow"), Some(0));
    }

    #[test]
    fn an_object_replaces_a_value_and_the_other_way_round() {
        let merged = merge(&[
            r#"{"a": 1, "b": {"c": 1}}"#,
            r#"{"a": {"x": 2}, "b": null}"#,
        ]);
        let value: Value = serde_json::from_str(&merged.unwrap().text).unwrap();
        assert_eq!(value, serde_json::json!({"a": {"x": 2}, "b": null}));
    }

    #[test]
    fn what_is_no_object_is_not_merged() {
        assert_eq!(merge(&["{}", "[]"]), None);
        assert_eq!(merge(&["{}", "{"]), None);
        let large = r#"{"id": 12345678901234567890123}"#;
        assert_eq!(merge(&["{}", large]), None);
        assert_eq!(merge(&[large, "{}"]), None);
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        assert_eq!(merge(&["{}", &deep]), None);
    }
}
