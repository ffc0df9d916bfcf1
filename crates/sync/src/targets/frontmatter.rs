//! The head of a Markdown file between two lines of `---`: flat fields, as agents use them.
//!
//! This is no YAML reader. A field keeps the text that it has; what is asked of it is a text or a
//! list of tools ([`super::list`]), and what is more is told as lost. What is written for others is written anew and
//! quoted: a head that another reader refuses makes it take the whole head for text, and with it
//! what an agent may not do.

use super::list::list;

/// A file in head and body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document<'a> {
    pub(super) fields: Vec<Field<'a>>,
    pub(super) body: &'a str,
    /// The first line of the head that belongs to no field as it is read here.
    pub(super) odd: Option<&'a str>,
}

/// One field, with the lines that belong to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    /// All its lines as they are, with the last line break.
    pub(super) lines: String,
}

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let whole = Self {
            fields: Vec::new(),
            body: text,
            odd: None,
        };
        let mut lines = text.split_inclusive('\n');
        if lines.next().is_none_or(|line| line.trim_end() != "---") {
            return whole;
        }
        let mut fields: Vec<Field<'a>> = Vec::new();
        let mut odd = None;
        for line in lines.by_ref() {
            if line.trim_end() == "---" {
                let body = lines.map(str::len).sum::<usize>();
                let body = text.get(text.len() - body..).unwrap_or_default();
                return Self { fields, body, odd };
            }
            let name = line.split_once(':').map(|(name, _)| name);
            let begins = |name: &&str| !name.is_empty() && !name.starts_with([' ', '\t', '#', '-']);
            let line_text = format!("{}\n", line.trim_end_matches(['\n', '\r']));
            let name = name.filter(begins).map(unquoted);
            if !is_plain(line, name, fields.is_empty()) {
                odd = odd.or(Some(line.trim_end()));
            }
            match (name, fields.last_mut()) {
                (Some(name), _) => fields.push(Field {
                    name,
                    lines: line_text,
                }),
                (None, Some(field)) => field.lines.push_str(&line_text),
                (None, None) => {}
            }
        }
        // Without an end there was no head.
        whole
    }

    pub(super) fn field(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// A field whose value is a text, with something in it.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = self.field(name)?.text()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The tools that a field lists, none without the field.
    ///
    /// # Errors
    /// What is not understood of it, in a few words. The head is looked at as a whole: a field that
    /// was written in another way would be missed.
    pub(super) fn list(&self, name: &str) -> Result<Vec<String>, String> {
        if let Some(line) = self.odd {
            return Err(format!("the line `{line}` of its head"));
        }
        let mut fields = self.fields.iter().filter(|field| field.name == name);
        let Some(field) = fields.next() else {
            return Ok(Vec::new());
        };
        let listed = list(&field.lines).filter(|_| fields.next().is_none());
        listed.ok_or_else(|| format!("the field `{name}`"))
    }
}

impl Field<'_> {
    fn value(&self) -> &str {
        let first = self.lines.lines().next().unwrap_or_default();
        first.split_once(':').map_or("", |(_, value)| value.trim())
    }

    /// The value as a text; nothing when it is a list, a number or nothing. What is no YAML at all is
    /// the text that stands there, since that is how agents read it.
    fn text(&self) -> Option<String> {
        let value = self.value();
        let below = || self.lines.lines().skip(1);
        if let Some(head) = value.strip_prefix(['|', '>']) {
            // `|`, `>-`, `>2`: how it ends and is indented, and nothing else.
            if head
                .chars()
                .all(|c| matches!(c, '+' | '-') || c.is_ascii_digit())
            {
                return Some(block(below(), value.starts_with('>')));
            }
        }
        let lines = std::iter::once(value).chain(below().map(str::trim));
        let folded = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>();
        let folded = folded.join(" ");
        let is_list = value.is_empty() && folded.starts_with("- ");
        let in_brackets = |open, close| folded.starts_with(open) && folded.ends_with(close);
        if is_list || in_brackets('[', ']') || in_brackets('{', '}') || is_word(&folded) {
            return None;
        }
        if in_brackets('"', '"') {
            let decoded = serde_json::from_str(&folded);
            return Some(decoded.unwrap_or_else(|_| unquoted(&folded).to_owned()));
        }
        if in_brackets('\'', '\'') {
            return Some(unquoted(&folded).replace("''", "'"));
        }
        let end = folded.find(" #").unwrap_or(folded.len());
        folded.get(..end).map(str::to_owned)
    }
}

/// Whether a line of a head begins a field with a usual name, goes on with one, or says nothing.
fn is_plain(line: &str, name: Option<&str>, is_first: bool) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let begins = line.trim_end();
    match name {
        Some(name) => name.chars().all(usual) && !name.is_empty(),
        None if begins.is_empty() || begins.starts_with('#') => true,
        None => !is_first && (begins.starts_with([' ', '\t', ']']) || begins.starts_with("- ")),
    }
}

/// The lines of a text that is set off by its indentation.
pub(super) fn block<'a>(lines: impl Iterator<Item = &'a str>, folded: bool) -> String {
    let inside = |line: &&str| line.trim().is_empty() || line.starts_with([' ', '\t']);
    let lines: Vec<&str> = lines.take_while(inside).collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let margin = filled.map(|line| indent(line)).min().unwrap_or_default();
    let mut text = String::new();
    for line in lines {
        let line = line.get(margin..).unwrap_or_default().trim_end();
        let joins = folded && !line.is_empty() && !text.is_empty() && !text.ends_with('\n');
        match (joins, folded && line.is_empty()) {
            (true, _) => text.push(' '),
            (_, true) => text.push('\n'),
            _ => {}
        }
        text.push_str(line);
        if !folded {
            text.push('\n');
        }
    }
    text
}

/// Words that YAML takes for something else than a text.
pub(super) fn is_word(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    matches!(word.as_str(), "" | "~" | "null" | "true" | "false")
        || is_number && text.parse::<f64>().is_ok()
}

/// Commas in `Bash(a, b)` do not divide.
pub(super) fn split_outside_of_brackets(text: &str) -> Vec<String> {
    let (mut items, mut item, mut depth) = (Vec::new(), String::new(), 0_usize);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(std::mem::take(&mut item));
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    items.push(item);
    items
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

/// A text as YAML that every reader takes for this text and nothing else.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            // What YAML takes for the end of a line, or allows nowhere.
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_as_agents_read_them() {
        for (value, text) in [
            ("Looks: \"closely\"", Some("Looks: \"closely\"")),
            ("\"q \\\"d\\\" \\u00fc\"", Some("q \"d\" ü")),
            ("'it''s'", Some("it's")),
            ("a # b", Some("a")),
            ("first\n  second", Some("first second")),
            ("\n  below", Some("below")),
            (
                ">-\n  first\n  second\n\n  third",
                Some("first second\nthird"),
            ),
            ("|\n  first\n    in\n  second", Some("first\n  in\nsecond")),
            ("|\n  a\n# b", Some("a")),
            ("[a", Some("[a")),
            ("@x", Some("@x")),
            ("-1 is none", Some("-1 is none")),
            ("", None),
            ("~", None),
            ("null", None),
            ("True", None),
            ("12", None),
            ("-1.5", None),
            ("[a]", None),
            ("{a: b}", None),
            ("\n  - a\n  - b", None),
        ] {
            let head = format!("---\ndescription: {value}\nname: x\n---\n");
            let document = Document::parse(&head);
            assert_eq!(document.text("description").as_deref(), text, "{value}");
        }
    }

    #[test]
    fn what_is_quoted_is_one_line_of_what_yaml_allows() {
        let quoted = quoted("a \"b\" \\ c\r\n\t\u{7f}\u{85}\u{2028}\u{feff} ü 😀");
        let wanted = "\"a \\\"b\\\" \\\\ c\\u000d\\n\\u0009\\u007f\\u0085\\u2028\\ufeff ü 😀\"";
        assert_eq!(quoted, wanted);
    }

    #[test]
    fn fields_lists_and_body() {
        let text = "---\nname: \"reviewer\"\ndescription: >\n  looks at\n  changes: all\ntools: Read, Bash(git log:*, git diff:*)\nskills:\n  - a\n  - 'b'\n---\n\nBody\n---\n";
        let document = Document::parse(text);
        assert_eq!(document.text("name").unwrap(), "reviewer");
        assert_eq!(
            document.field("description").unwrap().lines,
            "description: >\n  looks at\n  changes: all\n"
        );
        assert_eq!(
            document.list("tools").unwrap(),
            ["Read", "Bash(git log:*, git diff:*)"]
        );
        assert_eq!(document.list("skills").unwrap(), ["a", "b"]);
        assert_eq!(document.list("none").unwrap(), [""; 0]);
        assert_eq!(document.body, "\nBody\n---\n");
    }

    #[test]
    fn a_head_with_a_line_that_is_not_understood_lists_nothing() {
        for line in [
            "? tools\n: Read",
            "<<: *all",
            "\"to\\u006fls\": Read",
            "{tools: Read}",
            "tools: Read\ntools: Bash",
            "...",
        ] {
            let text = format!("---\nname: x\n{line}\n---\n");
            assert!(Document::parse(&text).list("tools").is_err(), "{line}");
        }
        let text = "---\n name: x\ntools: Read\n---\n";
        assert!(Document::parse(text).list("tools").is_err());
        for text in ["tools : Read", "\"tools\": Read", "'tools' : [Read]"] {
            let text = format!("---\n# of x\n\n{text}\n---\n");
            assert_eq!(Document::parse(&text).list("tools").unwrap(), ["Read"]);
        }
    }

    #[test]
    fn without_a_head_everything_is_body() {
        for text in ["# Title\n", "", "---\nname: x\n", "----\n"] {
            let document = Document::parse(text);
            assert_eq!((document.fields.len(), document.body), (0, text));
        }
        let document = Document::parse("\u{feff}---\nname: x\n---\ny");
        assert_eq!((document.fields.len(), document.body), (1, "y"));
    }
}
