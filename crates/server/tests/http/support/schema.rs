//! Whether an answer is what the OpenAPI document says of it. Small and strict: a member that the
//! document does not name is an error, and so is a keyword that is not known here.

use serde_json::{Map, Value};

use super::Answer;

/// Keywords that say nothing about the shape, or bound what the server is asked, not what it says.
const SILENT: [&str; 12] = [
    "description",
    "title",
    "example",
    "examples",
    "default",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "contentEncoding",
    "contentMediaType",
];
const MAX_DEPTH: usize = 32;

/// Everything in which `answer` differs from what the document says about this operation.
pub(crate) fn differences(
    document: &Value,
    method: &str,
    path: &str,
    answer: &Answer,
) -> Vec<String> {
    let operation = &document["paths"][path][method.to_lowercase()];
    let responses = &operation["responses"];
    let described = [answer.status.as_str(), "default"]
        .iter()
        .find_map(|status| responses.get(status));
    let Some(described) = described else {
        return vec![format!("status {} is not described", answer.status)];
    };
    if answer.body.is_empty() && described.get("content").is_none() {
        return Vec::new();
    }
    let kind = answer.header("content-type");
    let kind = kind.split(';').next().unwrap_or_default();
    let Some(content) = described["content"].get(kind) else {
        return vec![format!("{kind:?} is not described for {}", answer.status)];
    };
    if !kind.ends_with("json") {
        return Vec::new();
    }
    let check = Check { document };
    let mut found = Vec::new();
    check.value(&content["schema"], &answer.json(), "", 0, &mut found);
    found
}

struct Check<'d> {
    document: &'d Value,
}

impl Check<'_> {
    fn value(
        &self,
        schema: &Value,
        value: &Value,
        at: &str,
        depth: usize,
        found: &mut Vec<String>,
    ) {
        assert!(depth < MAX_DEPTH, "the schemas go round at {at}");
        let schema = self.resolved(schema);
        for (keyword, rule) in schema {
            match keyword.as_str() {
                "type" => {
                    if !self.types(rule).any(|name| is_of(name, value)) {
                        found.push(format!("{at}: {value} is not {rule}"));
                    }
                }
                "enum" => {
                    if !rule.as_array().unwrap().contains(value) {
                        found.push(format!("{at}: {value} is not one of {rule}"));
                    }
                }
                "oneOf" | "anyOf" => {
                    let fits = |schema: &Value| {
                        let mut inner = Vec::new();
                        self.value(schema, value, at, depth + 1, &mut inner);
                        inner.is_empty()
                    };
                    if !rule.as_array().unwrap().iter().any(fits) {
                        found.push(format!("{at}: {value} fits none of {rule}"));
                    }
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        let at = format!("{at}[{index}]");
                        self.value(rule, item, &at, depth + 1, found);
                    }
                }
                "minItems" | "maxItems" | "prefixItems" => {}
                "properties" | "required" | "allOf" | "additionalProperties" | "propertyNames" => {}
                silent if SILENT.contains(&silent) => {}
                unknown => panic!("the keyword {unknown} is not known to this check"),
            }
        }
        if let Some(members) = value.as_object() {
            self.members(schema, members, at, depth, found);
        }
    }

    fn types<'a>(&self, rule: &'a Value) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        match rule {
            Value::Array(names) => Box::new(names.iter().filter_map(Value::as_str)),
            name => Box::new(name.as_str().into_iter()),
        }
    }

    /// Every member is described, and every one that must be is there.
    fn members(
        &self,
        schema: &Map<String, Value>,
        members: &Map<String, Value>,
        at: &str,
        depth: usize,
        found: &mut Vec<String>,
    ) {
        let mut parts = Vec::new();
        self.parts(schema, depth, &mut parts);
        let described = |name: &str| {
            parts
                .iter()
                .find_map(|part| part.get("properties")?.get(name))
        };
        let open = parts
            .iter()
            .find_map(|part| part.get("additionalProperties"));
        // An object of which nothing is said may hold anything.
        let anything = parts.iter().all(|part| !part.contains_key("properties"));
        for (name, member) in members {
            let at = format!("{at}.{name}");
            match (described(name), open) {
                (Some(schema), _) => self.value(schema, member, &at, depth + 1, found),
                (None, Some(Value::Object(schema))) => {
                    let schema = Value::Object(schema.clone());
                    self.value(&schema, member, &at, depth + 1, found);
                }
                (None, None) if anything => {}
                (None, Some(Value::Bool(true))) => {}
                (None, _) => found.push(format!("{at} is not described")),
            }
        }
        for name in parts
            .iter()
            .filter_map(|part| part.get("required")?.as_array())
            .flatten()
        {
            if !members.contains_key(name.as_str().unwrap()) {
                found.push(format!("{at}: {name} is missing"));
            }
        }
    }

    /// The schema and all that it is put together from.
    fn parts<'a>(
        &'a self,
        schema: &'a Map<String, Value>,
        depth: usize,
        parts: &mut Vec<&'a Map<String, Value>>,
    ) {
        assert!(depth < MAX_DEPTH, "the schemas go round");
        parts.push(schema);
        for part in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.parts(self.resolved(part), depth + 1, parts);
        }
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Map<String, Value> {
        let Some(name) = schema["$ref"].as_str() else {
            return schema.as_object().expect("a schema");
        };
        let name = name.strip_prefix("#/components/schemas/").unwrap();
        self.document["components"]["schemas"][name]
            .as_object()
            .unwrap_or_else(|| panic!("there is no schema {name}"))
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other} is not known to this check"),
    }
}

#[test]
fn what_differs_is_found() {
    let document = serde_json::json!({
        "components": {"schemas": {
            "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
            "Thing": {"allOf": [{"$ref": "#/components/schemas/Base"}, {
                "type": "object",
                "properties": {
                    "count": {"type": ["integer", "null"], "minimum": 0},
                    "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                    "other": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Base"}]},
                    "free": {"type": "object"},
                },
            }]},
        }},
    });
    let check = Check {
        document: &document,
    };
    let schema = serde_json::json!({"$ref": "#/components/schemas/Thing"});
    let odd = |value: Value| {
        let mut found = Vec::new();
        check.value(&schema, &value, "", 0, &mut found);
        found.len()
    };
    let good = serde_json::json!({"id": "x", "count": null, "tags": ["a"], "other": {"id": "y"},
        "free": {"x": [1]}});
    assert_eq!(odd(good.clone()), 0);
    for (member, value) in [
        ("id", serde_json::json!(7)),
        ("count", serde_json::json!(1.5)),
        ("tags", serde_json::json!(["a", "c"])),
        ("other", serde_json::json!({})),
        ("more", serde_json::json!(null)),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert_eq!(odd(bad), 1, "{member}");
    }
    assert_eq!(odd(serde_json::json!({"count": 1})), 1);
}
