//! `wharf config list`

use serde_json::{Map, Value, json};

use crate::commands::{DONE, Outcome};
use crate::config::keys::{KEYS, Key};
use crate::context::Context;
use crate::ui::{self, table::table};

pub(crate) fn list(cx: &Context, origin: bool) -> Outcome {
    if cx.ui.json {
        let all: Map<String, Value> = KEYS
            .iter()
            .map(|key| (key.name.to_owned(), describe(cx, key, origin)))
            .collect();
        ui::data(&format!("{}\n", Value::Object(all)))?;
        return Ok(DONE);
    }
    let value = |key: &Key| {
        cx.settings
            .get(key.name)
            .map_or("-".to_owned(), ToString::to_string)
    };
    let text = if origin {
        let rows: Vec<_> = KEYS
            .iter()
            .map(|key| {
                [
                    key.name.to_owned(),
                    value(key),
                    from(cx, key),
                    shadowed(cx, key),
                ]
            })
            .collect();
        table(["SETTING", "VALUE", "FROM", "SHADOWS"], &rows)
    } else {
        let rows: Vec<_> = KEYS
            .iter()
            .map(|key| [key.name.to_owned(), value(key), key.help.to_owned()])
            .collect();
        table(["SETTING", "VALUE", "MEANING"], &rows)
    };
    ui::data(&text)?;
    Ok(DONE)
}

/// A setting for programs.
pub(super) fn describe(cx: &Context, key: &Key, origin: bool) -> Value {
    let value = cx
        .settings
        .get(key.name)
        .map_or(Value::Null, |value| value.to_json());
    if !origin {
        return value;
    }
    let layers = cx.settings.layers(key.name).iter().rev();
    let layers: Vec<Value> = layers
        .map(|set| json!({ "value": set.value.to_json(), "origin": set.origin.to_string() }))
        .collect();
    json!({ "value": value, "layers": layers })
}

/// Where the value that counts comes from.
pub(super) fn from(cx: &Context, key: &Key) -> String {
    cx.settings
        .set_by(key.name)
        .map_or("-".to_owned(), |set| set.origin.to_string())
}

/// The values that do not count, nearest first.
pub(super) fn shadowed(cx: &Context, key: &Key) -> String {
    let layers = cx.settings.layers(key.name).iter().rev().skip(1);
    let texts: Vec<_> = layers
        .map(|set| format!("{} ({})", set.value, set.origin))
        .collect();
    texts.join(", ")
}
