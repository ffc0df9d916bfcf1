//! The plain part of YAML: blocks of maps and lists, quoted and plain values, block texts.
//!
//! Anchors, tags, complex keys and values that go on over lines are refused, not guessed.

use serde_json::Value;

use super::Row;
use super::cells::auto;

/// Levels of nesting that are read.
const DEPTH: usize = 64;

/// The documents of a text; each has to be a map, or a list of maps.
pub(super) fn documents(lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    for document in lines.split(|line| matches!(line.trim_end(), "---" | "...")) {
        let mut reader = Reader {
            lines: document,
            at: 0,
        };
        let Some(indent) = reader.peek().map(indent) else {
            continue;
        };
        let value = reader.block(indent, 0)?;
        if reader.peek().is_some() {
            return None;
        }
        match value {
            Value::Object(mut map) => match map.get_mut("items") {
                Some(Value::Array(items))
                    if !items.is_empty() && items.iter().all(Value::is_object) =>
                {
                    for item in std::mem::take(items) {
                        rows.extend(item.as_object().cloned());
                    }
                }
                _ => rows.push(map),
            },
            Value::Array(items) => {
                for item in items {
                    rows.push(item.as_object().cloned()?);
                }
            }
            _ => return None,
        }
    }
    Some(rows)
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next line that is not empty and no comment.
    fn peek(&mut self) -> Option<&'a str> {
        loop {
            let line = *self.lines.get(self.at)?;
            let text = line.trim();
            if !text.is_empty() && !text.starts_with('#') {
                return Some(line);
            }
            self.at += 1;
        }
    }

    fn block(&mut self, level: usize, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        let line = self.peek()?;
        if is_item(line.trim_start()) {
            self.list(level, depth)
        } else {
            self.map(level, None, depth)
        }
    }

    fn list(&mut self, level: usize, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        while let Some(line) = self
            .peek()
            .filter(|line| indent(line) == level && is_item(line.trim_start()))
        {
            let text = line.trim_start();
            let rest = text.get(1..)?.trim_start();
            let inner = level + (text.len() - rest.len());
            self.at += 1;
            items.push(if rest.is_empty() {
                self.nested(level, depth)?
            } else if split(rest).is_some() {
                self.map(inner, Some(rest), depth + 1)?
            } else if is_item(rest) {
                return None;
            } else {
                self.value(rest, level, depth)?
            });
        }
        Some(items.into())
    }

    /// A map whose first line may have been begun by the mark of a list.
    fn map(&mut self, level: usize, first: Option<&'a str>, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        let mut map = Row::new();
        let mut open = first;
        loop {
            let text = match open.take() {
                Some(text) => text,
                None => {
                    let Some(line) = self.peek().filter(|line| indent(line) == level) else {
                        break;
                    };
                    self.at += 1;
                    line.trim_start()
                }
            };
            let (name, rest) = split(text)?;
            let value = if rest.is_empty() {
                // A list may stand as deep as the name that it belongs to.
                match self.peek() {
                    Some(line) if indent(line) == level && is_item(line.trim_start()) => {
                        self.list(level, depth + 1)?
                    }
                    _ => self.nested(level, depth)?,
                }
            } else {
                self.value(rest, level, depth)?
            };
            map.insert(name, value).is_none().then_some(())?;
        }
        Some(map.into())
    }

    /// What stands deeper, or nothing.
    fn nested(&mut self, level: usize, depth: usize) -> Option<Value> {
        match self.peek().map(indent).filter(|deeper| *deeper > level) {
            Some(deeper) => self.block(deeper, depth + 1),
            None => Some(Value::Null),
        }
    }

    fn value(&mut self, text: &str, level: usize, _: usize) -> Option<Value> {
        if text.starts_with(['|', '>']) && text.len() <= 2 {
            return Some(self.text(text, level).into());
        }
        let value = scalar(text)?;
        // A deeper line would go on with this value.
        match self.peek() {
            Some(line) if indent(line) > level => None,
            _ => Some(value),
        }
    }

    fn text(&mut self, mark: &str, level: usize) -> String {
        let mut out: Vec<&str> = Vec::new();
        let mut base = None;
        while let Some(line) = self.lines.get(self.at) {
            if line.trim().is_empty() {
                out.push("");
            } else if indent(line) > level {
                let base = *base.get_or_insert(indent(line));
                out.push(line.get(base..).unwrap_or_else(|| line.trim_start()));
            } else {
                break;
            }
            self.at += 1;
        }
        while out.last().is_some_and(|line| line.is_empty()) {
            out.pop();
        }
        let joined = out.join(if mark.starts_with('>') { " " } else { "\n" });
        if mark.ends_with('-') {
            joined
        } else {
            joined + "\n"
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// `name: value` in its parts.
fn split(text: &str) -> Option<(String, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (name, rest) = text.get(1..)?.split_once(quote)?;
        let rest = rest.strip_prefix(':')?;
        return (rest.is_empty() || rest.starts_with(' '))
            .then(|| (name.to_owned(), uncommented(rest.trim())));
    }
    let (name, rest) = match text.split_once(": ") {
        Some((name, rest)) => (name, rest),
        None => (text.strip_suffix(':')?, ""),
    };
    let plain =
        !name.is_empty() && !name.starts_with(['{', '[', '&', '*', '!', '?', '%', '@', '`', '#']);
    plain.then(|| (name.trim().to_owned(), uncommented(rest.trim())))
}

fn uncommented(text: &str) -> &str {
    if text.starts_with(['"', '\'']) {
        return text;
    }
    if text.starts_with('#') {
        return "";
    }
    text.split(" #").next().unwrap_or(text).trim_end()
}

fn scalar(text: &str) -> Option<Value> {
    if let Some(inner) = text.strip_prefix('"') {
        return serde_json::from_str(&format!("\"{}", inner.trim_end())).ok();
    }
    if let Some(inner) = text.strip_prefix('\'') {
        return Some(
            inner
                .trim_end()
                .strip_suffix('\'')?
                .replace("''", "'")
                .into(),
        );
    }
    if text.starts_with(['[', '{']) {
        return flow(text);
    }
    if text.starts_with(['&', '*', '!', '@', '`', '%']) {
        return None;
    }
    Some(match text {
        "true" | "True" => true.into(),
        "false" | "False" => false.into(),
        "null" | "~" | "Null" => Value::Null,
        text => auto(text),
    })
}

/// Lists and maps on one line: as JSON, or a list of plain words.
fn flow(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    if inner.contains(['[', '{', '"', '\'']) {
        return None;
    }
    Some(inner.split(',').map(|item| auto(item.trim())).collect())
}
