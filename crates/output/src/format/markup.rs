//! Forms with a grammar: JSON, XML, HTML, YAML.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::Seen;
use super::lines::{Sample, share};

/// Bytes up to which members of objects are counted; beyond that only the grammar is looked at.
const COUNTED: usize = 4 * 1024 * 1024;

pub(super) fn json(sample: &Sample<'_>) -> Option<Seen> {
    let text = sample.whole?.trim();
    text.starts_with(['{', '[']).then_some(())?;
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return cut_json(text);
    }
    let mut seen = Seen {
        share: 1.0,
        ..Seen::default()
    };
    if text.len() <= COUNTED
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        let (rows, first) = match &value {
            Value::Array(items) => (items.len(), items.first()),
            object => (1, Some(object)),
        };
        seen.rows = Some(rows as u64);
        seen.columns = first.map(names).unwrap_or_default();
    }
    Some(seen)
}

fn names(value: &Value) -> Vec<String> {
    value
        .as_object()
        .map(|object| object.keys().cloned().collect())
        .unwrap_or_default()
}

/// Only the end may be missing: what is there has the shape of JSON of several lines.
fn cut_json(text: &str) -> Option<Seen> {
    let error = serde_json::from_str::<IgnoredAny>(text).err()?;
    let several = text.lines().count() > 2 && text.contains('"');
    (error.is_eof() && several).then(|| Seen {
        share: 0.95,
        ..Seen::default()
    })
}

pub(super) fn ndjson(sample: &Sample<'_>) -> Option<Seen> {
    let lines = sample.lines();
    let is_object = |line: &str| {
        let line = line.trim();
        line.starts_with('{') && serde_json::from_str::<IgnoredAny>(line).is_ok()
    };
    let share = share(&lines, is_object);
    let columns = lines
        .iter()
        .find_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|value| names(&value));
    (lines.len() > 1 && share >= 0.7).then(|| Seen {
        share: if share > 0.95 { 1.0 } else { share },
        columns: columns.unwrap_or_default(),
        rows: sample
            .is_whole()
            .then_some(sample.lines().len() as u64)
            .or(Some(sample.total)),
    })
}

pub(super) fn html(sample: &Sample<'_>) -> Option<Seen> {
    let start = sample
        .head()
        .trim_start()
        .get(..64)
        .unwrap_or(sample.head())
        .to_ascii_lowercase();
    let is = ["<!doctype html", "<html", "<head>", "<body"]
        .iter()
        .any(|tag| start.trim_start().starts_with(tag));
    is.then(|| Seen {
        share: 1.0,
        ..Seen::default()
    })
}

pub(super) fn xml(sample: &Sample<'_>) -> Option<Seen> {
    let text = sample.head().trim();
    if text.starts_with("<?xml") {
        return Some(Seen {
            share: 1.0,
            ..Seen::default()
        });
    }
    // An element that is opened, and something that is closed.
    let name = text.strip_prefix('<')?;
    let end =
        name.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.')))?;
    let (name, rest) = name.split_at_checked(end)?;
    let opened = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.starts_with([' ', '>', '/', '\n']);
    let closed = text.ends_with('>') && (text.contains("</") || text.ends_with("/>"));
    (opened && closed).then(|| Seen {
        share: 0.97,
        ..Seen::default()
    })
}

/// Names with values, lists, and something that stands deeper.
pub(super) fn yaml(sample: &Sample<'_>) -> Seen {
    let lines = sample.lines();
    let document = lines
        .first()
        .is_some_and(|line| line.trim_end() == "---" || line.starts_with("%YAML"));
    let is_line = |line: &str| {
        let text = line.trim();
        let item = text.strip_prefix("- ");
        let named = item.unwrap_or(text);
        let pair = named
            .split_once(": ")
            .map_or_else(|| named.strip_suffix(':'), |(name, _)| Some(name));
        let name = |name: &str| {
            !name.is_empty()
                && name.split(' ').count() <= 3
                && name
                    .chars()
                    .all(|c| c.is_alphanumeric() || "_-./ \"'$@<>*{}()".contains(c))
        };
        text.starts_with('#') || text == "---" || item.is_some() || pair.is_some_and(name)
    };
    let fits = share(&lines, is_line);
    let opens = lines
        .iter()
        .filter(|line| line.trim_end().ends_with(':'))
        .count();
    let deeper = lines.windows(2).any(|pair| match pair {
        [first, second] => {
            let indent = |line: &str| line.len() - line.trim_start().len();
            first.trim_end().ends_with(':')
                && (indent(second) > indent(first) || second.trim_start().starts_with("- "))
        }
        _ => false,
    });
    let tabs = lines.iter().any(|line| line.starts_with('\t'));
    let values = lines.iter().filter(|line| line.contains(": ")).count();
    let plain = lines
        .iter()
        .all(|line| !line.contains("  ") || line.starts_with(' ') || line.contains("  #"));
    let items = lines.iter().any(|line| line.trim_start().starts_with("- "));
    let enough = (document && lines.len() > 1) || opens > 0 && deeper && (values > 0 || items);
    let share = if enough && !tabs && (plain || document) {
        fits
    } else {
        0.0
    };
    Seen {
        share,
        ..Seen::default()
    }
}
