//! One member of an object changed, and no byte beside it.

use std::ops::Range;

use super::{InvalidJson, Node, parse, quoted};

/// The text with member `name` of the outermost object set to `value`, itself a JSON text. A
/// member that is there keeps its place; a new one becomes the last. `value` is indented as the
/// text is, unless it is there already and says the same: then nothing changes.
///
/// # Errors
/// When either text is no JSON, or the first is no object.
pub fn set(text: &str, name: &str, value: &str) -> Result<String, InvalidJson> {
    let root = object(text)?;
    let wanted = parse(value)?;
    let style = Style::of(text, &root);
    let printed = style.adapt(&wanted);
    if let Some(old) = root.member(name) {
        if old.says(&wanted) {
            return Ok(text.to_owned());
        }
        return Ok(replaced(text, old.span.clone(), &printed));
    }
    let member = format!("{}: {printed}", quoted(name));
    let end = root.span.end.saturating_sub(1);
    let Some(last) = root.members().last() else {
        let inner = style.line(1) + &member + &style.line(0);
        return Ok(replaced(text, root.span.start + 1..end, &inner));
    };
    let after = last.value.span.end;
    let inserted = format!(",{}{member}", style.line(1));
    Ok(replaced(text, after..after, &inserted))
}

/// The text without member `name` of the outermost object.
///
/// # Errors
/// When the text is no JSON, or no object.
pub fn remove(text: &str, name: &str) -> Result<String, InvalidJson> {
    let root = object(text)?;
    let members = root.members();
    let Some(at) = members.iter().rposition(|member| member.name == name) else {
        return Ok(text.to_owned());
    };
    let before = at.checked_sub(1).and_then(|at| members.get(at));
    let (member, after) = (members.get(at), members.get(at + 1));
    let range = match (before, member, after) {
        (_, Some(member), Some(after)) => member.start..after.start,
        (Some(before), Some(member), None) => before.value.span.end..member.value.span.end,
        _ => root.span.start + 1..root.span.end.saturating_sub(1),
    };
    let text = replaced(text, range, "");
    // The name may be there more than once.
    remove(&text, name)
}

/// The text with the value that `names` lead to, from the outermost object inwards, set to `value`
/// or removed. Objects on the way that are not there are made.
///
/// # Errors
/// When the text or the value is no JSON, or a value on the way is no object.
pub fn set_at(text: &str, names: &[&str], value: Option<&str>) -> Result<String, InvalidJson> {
    let Some((name, inner)) = names.split_first() else {
        return Ok(value.unwrap_or_default().to_owned());
    };
    if inner.is_empty() {
        return match value {
            Some(value) => set(text, name, value),
            None => remove(text, name),
        };
    }
    let root = object(text)?;
    let Some(old) = root.member(name) else {
        return match value {
            Some(value) => set(text, name, &set_at("{}", inner, Some(value))?),
            None => Ok(text.to_owned()),
        };
    };
    let part = text.get(old.span.clone()).unwrap_or_default();
    // What is inside is laid out by its own lines.
    let new = set_at(part, inner, value)?;
    Ok(replaced(text, old.span.clone(), &new))
}

fn object(text: &str) -> Result<Node, InvalidJson> {
    let root = parse(text)?;
    if root.is_object() {
        return Ok(root);
    }
    let what = "it is no object";
    Err(InvalidJson { line: 1, what })
}

fn replaced(text: &str, range: Range<usize>, by: &str) -> String {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    [before, by, after].concat()
}

/// How a text is laid out.
struct Style {
    /// One level; nothing for an object on one line.
    indent: Option<String>,
    /// The margin of the object itself.
    outer: String,
    newline: &'static str,
}

impl Style {
    fn of(text: &str, root: &Node) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let end = root.span.end.saturating_sub(1);
        // What is between the last line break and a place, if that is nothing but space.
        let margin = |from: usize, to: usize| {
            let before = text.get(from..to).unwrap_or_default();
            let (_, margin) = before.rsplit_once('\n')?;
            let space = margin.chars().all(char::is_whitespace);
            space.then(|| margin.to_owned())
        };
        let ends = root.members().first().zip(root.members().last());
        let Some((first, last)) = ends else {
            return Self {
                indent: Some("  ".to_owned()),
                outer: String::new(),
                newline,
            };
        };
        // An object inside of another is laid out from the margin of its closing bracket.
        let outer = margin(last.value.span.end, end).unwrap_or_default();
        let inner = margin(root.span.start + 1, first.start);
        let indent = inner.map(|inner| match inner.strip_prefix(&outer) {
            Some(indent) => indent.to_owned(),
            None => inner,
        });
        Self {
            indent,
            outer,
            newline,
        }
    }

    fn line(&self, level: usize) -> String {
        match &self.indent {
            Some(indent) => [self.newline, &self.outer, &indent.repeat(level)].concat(),
            None => String::new(),
        }
    }

    fn adapt(&self, value: &Node) -> String {
        match &self.indent {
            Some(indent) => {
                let margin = [self.newline, &self.outer].concat();
                value.printed(indent, 1).replace('\n', &margin)
            }
            None => one_line(value),
        }
    }
}

/// A text has no line break of its own in JSON, so those of the printed form can all go.
fn one_line(value: &Node) -> String {
    value.printed("", 0).split('\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_member_changes() {
        let text = "{\n    \"numStartups\": 1.0e2,\n    \"mcpServers\": {},\n    \"z\": [1,2]\n}";
        let set = set(text, "mcpServers", r#"{"a":{"command":"x"}}"#).unwrap();
        let wanted = "{\n    \"numStartups\": 1.0e2,\n    \"mcpServers\": {\n        \"a\": {\n            \"command\": \"x\"\n        }\n    },\n    \"z\": [1,2]\n}";
        assert_eq!(set, wanted);
        assert_eq!(
            remove(&set, "mcpServers").unwrap(),
            "{\n    \"numStartups\": 1.0e2,\n    \"z\": [1,2]\n}"
        );
    }

    #[test]
    fn a_new_member_is_the_last() {
        for (text, wanted) in [
            ("{}", "{\n  \"m\": 1\n}"),
            ("{}\n", "{\n  \"m\": 1\n}\n"),
            ("{\"a\":2}", "{\"a\":2,\"m\": 1}"),
            (
                "{\r\n\t\"a\": 2\r\n}\r\n",
                "{\r\n\t\"a\": 2,\r\n\t\"m\": 1\r\n}\r\n",
            ),
        ] {
            assert_eq!(set(text, "m", "1").unwrap(), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_says_the_same_is_not_rewritten() {
        let text = "{\"m\":   {\"b\":1,  \"a\":2}}";
        assert_eq!(set(text, "m", r#"{"a":2,"b":1}"#).unwrap(), text);
    }

    #[test]
    fn a_member_goes_with_its_comma() {
        for (text, wanted) in [
            ("{\"m\":1}", "{}"),
            ("{\"m\":1,\"a\":2}", "{\"a\":2}"),
            ("{\"a\":2,\"m\":1}", "{\"a\":2}"),
            ("{\"a\":2}", "{\"a\":2}"),
            ("{\"m\":1,\"a\":2,\"m\":3}", "{\"a\":2}"),
        ] {
            assert_eq!(remove(text, "m").unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn a_value_inside_keeps_the_layout_around_it() {
        let text = "{\n    \"a\": {\n        \"b\": 1\n    },\n    \"c\": { \"d\": 1 }\n}\n";
        let set = |names: &[&str], value| set_at(text, names, value).unwrap();
        assert_eq!(
            set(&["a", "e"], Some("{\"f\":[1]}")),
            text.replace(
                "\"b\": 1",
                "\"b\": 1,\n        \"e\": {\n            \"f\": [\n                1\n            ]\n        }"
            )
        );
        assert_eq!(
            set(&["c", "d"], Some("2")),
            text.replace("\"d\": 1", "\"d\": 2")
        );
        assert_eq!(set(&["x", "y"], None), text);
        assert!(set(&["x", "y"], Some("1")).ends_with("\"x\": {\n        \"y\": 1\n    }\n}\n"));
        assert!(set_at(text, &["a", "b", "c"], Some("1")).is_err());
    }

    #[test]
    fn what_is_no_object_is_left_alone() {
        assert!(set("[]", "m", "1").is_err());
        assert!(set("{}", "m", "<html>").is_err());
    }
}
