//! From the text of a cell to its value.

use serde_json::Value;

use super::Row;

/// A row from names and values.
macro_rules! row {
    ($($name:literal => $value:expr),* $(,)?) => {{
        let mut row = $crate::rows::Row::new();
        $(row.insert($name.to_owned(), serde_json::Value::from($value));)*
        row
    }};
}
pub(super) use row;

/// A whole number as programs print it; grouping is not undone.
pub(super) fn int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A number with a point, or a whole one.
pub(super) fn float(text: &str) -> Option<f64> {
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    (digits && plain)
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number: &f64| number.is_finite())
}

/// The value of a cell whose type is not known: a number where nothing is lost by saying so.
pub(super) fn auto(text: &str) -> Value {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let canonical = unsigned == "0"
        || (!unsigned.starts_with('0') || unsigned.starts_with("0."))
            && unsigned.starts_with(|c: char| c.is_ascii_digit());
    if canonical && text.len() < 16 {
        if let Some(number) = int(text) {
            return Value::from(number);
        }
        if text
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
            && let Some(number) = float(text)
        {
            return Value::from(number);
        }
    }
    Value::from(text)
}

/// Nothing for an empty cell or one that says there is nothing.
pub(super) fn given(text: &str) -> Option<&str> {
    (!matches!(text, "" | "-" | "--" | "?" | "??" | "n/a" | "(none)")).then_some(text)
}

/// `12%` and `0.5%`.
pub(super) fn percent(text: &str) -> Option<f64> {
    float(text.strip_suffix('%').unwrap_or(text))
}

/// `12%` as a whole number.
pub(super) fn percent_int(text: &str) -> Option<i64> {
    int(text.strip_suffix('%').unwrap_or(text))
}

/// Bytes of `1.5K`, `20G`, `3.2Gi`, `512B`, `1MiB`; a bare number is bytes. Units are powers
/// of 1024, as coreutils, procps and util-linux print them.
pub(super) fn size(text: &str) -> Option<i64> {
    scaled(text, |_| 1024.0)
}

/// Bytes of `1.5kB`, `20MB` in powers of 1000 and `20MiB` in powers of 1024, as docker prints.
pub(super) fn size_si(text: &str) -> Option<i64> {
    scaled(
        text,
        |unit| if unit.contains('i') { 1024.0 } else { 1000.0 },
    )
}

fn scaled(text: &str, base: impl Fn(&str) -> f64) -> Option<i64> {
    if let Some(number) = int(text) {
        return Some(number);
    }
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number = number.replace(',', ".");
    let number = float(&number).filter(|_| !number.starts_with('.'))?;
    let unit = unit.trim();
    let power = match unit.chars().next() {
        None => 0,
        Some('B' | 'b') if matches!(unit, "B" | "b" | "Bi") => 0,
        Some('K' | 'k') => 1,
        Some('M' | 'm') => 2,
        Some('G' | 'g') => 3,
        Some('T' | 't') => 4,
        Some('P' | 'p') => 5,
        Some('E' | 'e') => 6,
        Some(_) => return None,
    };
    if !matches!(
        unit.get(1..).unwrap_or_default(),
        "" | "B" | "b" | "i" | "iB"
    ) {
        return None;
    }
    let bytes = number * base(unit).powi(power);
    (bytes < 9e18).then_some(bytes as i64)
}

/// A name in snake case: `%CPU` is `percent_cpu`, `Mounted on` is `mounted_on`.
pub(super) fn key(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.trim().replace("(s)", "s").chars() {
        match c {
            '%' => out.push_str(if out.is_empty() {
                "percent_"
            } else {
                "_percent"
            }),
            _ if c.is_alphanumeric() => out.extend(c.to_lowercase()),
            _ => out.push('_'),
        }
    }
    while out.contains("__") {
        out = out.replace("__", "_");
    }
    let trimmed = out.trim_matches('_');
    if trimmed.is_empty() {
        "column".to_owned()
    } else {
        trimmed.to_owned()
    }
}

/// The fields of a line, the last of `count` with its blanks; fewer when there are fewer.
pub(super) fn fields(line: &str, count: usize) -> Vec<&str> {
    let mut out = Vec::with_capacity(count);
    let mut rest = line.trim();
    while out.len() + 1 < count && !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (field, tail) = rest.split_at(end);
        out.push(field);
        rest = tail.trim_start();
    }
    if !rest.is_empty() {
        out.push(rest);
    }
    out
}

/// All fields of a line.
pub(super) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Puts a value under a name.
pub(super) fn put(row: &mut Row, name: &str, value: impl Into<Value>) {
    row.insert(name.to_owned(), value.into());
}

/// Goes on with a text on a new line, in place, so that many lines take time in proportion.
pub(super) fn go_on(row: &mut Row, name: &str, line: &str) {
    match row.get_mut(name) {
        Some(Value::String(text)) => {
            text.push('\n');
            text.push_str(line);
        }
        Some(Value::Null) | None => put(row, name, line),
        Some(other) => *other = Value::from(format!("{other}\n{line}")),
    }
}

/// What stands between two texts, the first occurrences of each.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

/// What stands behind a text, up to the next blank.
pub(super) fn word_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes() {
        assert_eq!(size("0"), Some(0));
        assert_eq!(size("1.5K"), Some(1536));
        assert_eq!(size("20G"), Some(20 << 30));
        assert_eq!(size("3Gi"), Some(3 << 30));
        assert_eq!(size("12B"), Some(12));
        assert_eq!(size_si("1.5kB"), Some(1500));
        assert_eq!(size_si("1MiB"), Some(1 << 20));
        assert_eq!(size("abc"), None);
        assert_eq!(size("5 apples"), None);
        assert_eq!(size("9999999E"), None);
    }

    #[test]
    fn names_are_snake_case() {
        assert_eq!(key("%CPU"), "percent_cpu");
        assert_eq!(key("Use%"), "use_percent");
        assert_eq!(key("Mounted on"), "mounted_on");
        assert_eq!(key("MAJ:MIN"), "maj_min");
        assert_eq!(key("kB_read/s"), "kb_read_s");
        assert_eq!(key("#"), "column");
    }

    #[test]
    fn numbers_lose_nothing() {
        assert_eq!(auto("12"), Value::from(12));
        assert_eq!(auto("0.5"), Value::from(0.5));
        assert_eq!(auto("007"), Value::from("007"));
        assert_eq!(auto("1.2.3"), Value::from("1.2.3"));
        assert_eq!(auto("-3"), Value::from(-3));
        assert_eq!(auto("nan"), Value::from("nan"));
    }

    #[test]
    fn the_last_field_keeps_its_blanks() {
        assert_eq!(fields(" a  b c  d ", 3), ["a", "b", "c  d"]);
        assert_eq!(fields("a", 3), ["a"]);
    }
}
