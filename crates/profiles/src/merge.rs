//! JSON files of several layers, put together by key.

use serde_json::{Map, Value};

use crate::limits::{MERGE_DEPTH_MAX, ORIGINS_MAX};

/// A merged file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merged {
    pub(crate) text: String,
    /// For each value that one layer alone has given: where it is (a JSON pointer, RFC 6901), and
    /// which of the layers that was. [`ORIGINS_MAX`] of them.
    pub(crate) origins: Vec<(String, usize)>,
}

/// Puts `layers` together, the outermost first: objects by key, and of anything else the innermost
/// as it is, lists too. None where one of them is no JSON object; then the innermost file counts.
pub(crate) fn merge(layers: &[&[u8]]) -> Option<Merged> {
    let mut whole = Node::Object(Map::new(), Vec::new());
    for (layer, text) in layers.iter().enumerate() {
        let Ok(Value::Object(object)) = serde_json::from_slice(text) else {
            return None;
        };
        whole.overlay(Value::Object(object), layer, 0);
    }
    let mut origins = Vec::new();
    let value = whole.finish(&mut String::new(), &mut origins);
    let text = serde_json::to_string_pretty(&value).ok()?;
    Some(Merged {
        text: format!("{text}\n"),
        origins,
    })
}

/// A value on its way: who gave it is known until it is whole.
enum Node {
    /// Given by one layer.
    Leaf(Value, usize),
    /// An object whose members come from several. The map keeps the order of the members.
    Object(Map<String, Value>, Vec<(String, Self)>),
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
        if !matches!(self, Self::Object(..)) {
            *self = Self::Object(Map::new(), Vec::new());
        }
        let Self::Object(_, members) = self else {
            return;
        };
        for (key, value) in object {
            match members.iter_mut().find(|(name, _)| *name == key) {
                Some((_, member)) => member.overlay(value, layer, depth + 1),
                None => {
                    let mut member = Self::Leaf(Value::Null, layer);
                    member.overlay(value, layer, depth + 1);
                    members.push((key, member));
                }
            }
        }
    }

    fn finish(self, pointer: &mut String, origins: &mut Vec<(String, usize)>) -> Value {
        match self {
            Self::Leaf(value, layer) => {
                if origins.len() < ORIGINS_MAX {
                    origins.push((pointer.clone(), layer));
                }
                value
            }
            Self::Object(mut map, members) => {
                for (key, member) in members {
                    let length = pointer.len();
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    let value = member.finish(pointer, origins);
                    pointer.truncate(length);
                    map.insert(key, value);
                }
                Value::Object(map)
            }
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
        let merged = merge(&[org, user]).unwrap();
        let value: Value = serde_json::from_str(&merged.text).unwrap();
        let wanted = serde_json::json!({
            "model": "opus",
            "permissions": {"deny": ["b"], "allow": ["x"]},
            "theme": "dark",
            "a/b": {},
        });
        assert_eq!(value, wanted);
        let origin = |pointer: &str| {
            let mut found = merged.origins.iter().filter(|(at, _)| at == pointer);
            found.next().map(|(_, layer)| *layer)
        };
        assert_eq!(origin("/model"), Some(0));
        assert_eq!(origin("/permissions/deny"), Some(1));
        assert_eq!(origin("/permissions/allow"), Some(0));
    }

    #[test]
    fn an_object_replaces_a_value_and_the_other_way_round() {
        let merged = merge(&[
            br#"{"a": 1, "b": {"c": 1}}"#,
            br#"{"a": {"x": 2}, "b": null}"#,
        ]);
        let value: Value = serde_json::from_str(&merged.unwrap().text).unwrap();
        assert_eq!(value, serde_json::json!({"a": {"x": 2}, "b": null}));
    }

    #[test]
    fn what_is_no_object_is_not_merged() {
        assert_eq!(merge(&[b"{}", b"[]"]), None);
        assert_eq!(merge(&[b"{}", b"{"]), None);
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        assert_eq!(merge(&[b"{}", deep.as_bytes()]), None);
    }
}
