//! Which attributes a policy looks at, and what it compares them with.
//!
//! Read from Cedar's JSON form of a policy, so that an answer can point at the parts of the
//! command that made the policy apply. Only explanations depend on this; verdicts do not.

use serde_json::Value;

use crate::attribute::Attribute;
use crate::opinion::Mention;

/// The mentions in the conditions of a policy, in order.
pub(crate) fn of(policy: &Value) -> Vec<Mention> {
    let mut mentions = Vec::new();
    let conditions = policy.get("conditions").and_then(Value::as_array);
    for condition in conditions.into_iter().flatten() {
        let unless = condition.get("kind").and_then(Value::as_str) == Some("unless");
        if let Some(body) = condition.get("body") {
            visit(body, unless, &mut mentions);
        }
    }
    mentions
}

fn visit(expression: &Value, inverted: bool, out: &mut Vec<Mention>) {
    if let Some(attribute) = attribute(expression) {
        push(attribute, Vec::new(), inverted, out);
        return;
    }
    match expression {
        Value::Object(map) => {
            for (operator, body) in map {
                let inverted = inverted != matches!(operator.as_str(), "!" | "!=");
                let sides = body.get("left").zip(body.get("right"));
                match sides {
                    Some((left, right)) if !joins(operator) => {
                        compared(left, right, inverted, out);
                    }
                    _ => visit(body, inverted, out),
                }
            }
        }
        Value::Array(list) => {
            for item in list {
                visit(item, inverted, out);
            }
        }
        _ => {}
    }
}

fn joins(operator: &str) -> bool {
    matches!(operator, "&&" | "||")
}

fn compared(left: &Value, right: &Value, inverted: bool, out: &mut Vec<Mention>) {
    let mut found = false;
    for (side, other) in [(left, right), (right, left)] {
        if let Some(attribute) = attribute(side) {
            let mut names = Vec::new();
            literals(other, &mut names);
            push(attribute, names, inverted, out);
            found = true;
        }
    }
    if !found {
        visit(left, inverted, out);
        visit(right, inverted, out);
    }
}

fn push(attribute: Attribute, names: Vec<String>, inverted: bool, out: &mut Vec<Mention>) {
    let mention = Mention {
        attribute,
        names,
        inverted,
    };
    if !out.contains(&mention) {
        out.push(mention);
    }
}

/// `context.NAME`
fn attribute(expression: &Value) -> Option<Attribute> {
    let access = expression.get(".")?;
    let variable = access.get("left")?.get("Var")?.as_str()?;
    if variable != "context" {
        return None;
    }
    Attribute::named(access.get("attr")?.as_str()?)
}

/// The texts, and the ids of entities, in an expression of literals.
fn literals(expression: &Value, out: &mut Vec<String>) {
    match expression {
        Value::Object(map) => {
            if let Some(id) = map.get("__entity").and_then(|entity| entity.get("id")) {
                out.extend(id.as_str().map(str::to_owned));
                return;
            }
            match map.get("Value") {
                Some(Value::String(text)) => out.push(text.clone()),
                Some(other) => literals(other, out),
                None => map.values().for_each(|value| literals(value, out)),
            }
        }
        Value::Array(list) => list.iter().for_each(|item| literals(item, out)),
        _ => {}
    }
}
