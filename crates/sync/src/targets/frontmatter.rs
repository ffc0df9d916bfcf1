//! The head of a Markdown file between two lines of `---`: flat fields, as agents use them.
//!
//! This is no YAML reader. A field keeps the text that it has; what is asked of it is a scalar or a
//! list of words, and what is more is carried over untouched or told as lost.

/// A file in head and body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document<'a> {
    pub(super) fields: Vec<Field<'a>>,
    pub(super) body: &'a str,
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
        let whole = Self {
            fields: Vec::new(),
            body: text,
        };
        let mut lines = text.split_inclusive('\n');
        if lines.next().is_none_or(|line| line.trim_end() != "---") {
            return whole;
        }
        let mut fields: Vec<Field<'a>> = Vec::new();
        for line in lines.by_ref() {
            if line.trim_end() == "---" {
                let body = lines.map(str::len).sum::<usize>();
                let body = text.get(text.len() - body..).unwrap_or_default();
                return Self { fields, body };
            }
            let name = line.split_once(':').map(|(name, _)| name);
            let begins = |name: &&str| !name.is_empty() && !name.starts_with([' ', '\t', '#', '-']);
            let line_text = format!("{}\n", line.trim_end_matches(['\n', '\r']));
            match (name.filter(begins), fields.last_mut()) {
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

    /// A value on one line, without its quotes.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.field(name)?.value();
        Some(unquoted(value).to_owned()).filter(|value| !value.is_empty())
    }

    /// `a, b`, `[a, b]`, or a line `- a` for each.
    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        let field = self.field(name)?;
        let inline = field.value().trim_start_matches('[').trim_end_matches(']');
        let words = |text: &str| split_outside_of_brackets(text);
        let mut items = words(inline);
        for line in field.lines.lines().skip(1) {
            if let Some(item) = line.trim().strip_prefix("- ") {
                items.push(item.to_owned());
            }
        }
        let items = items.iter().map(|item| unquoted(item).to_owned());
        Some(items.filter(|item| !item.is_empty()).collect())
    }
}

impl Field<'_> {
    fn value(&self) -> &str {
        let first = self.lines.lines().next().unwrap_or_default();
        first.split_once(':').map_or("", |(_, value)| value.trim())
    }
}

/// Commas in `Bash(a, b)` do not divide.
fn split_outside_of_brackets(text: &str) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(document.body, "\nBody\n---\n");
    }

    #[test]
    fn without_a_head_everything_is_body() {
        for text in ["# Title\n", "", "---\nname: x\n", "----\n"] {
            let document = Document::parse(text);
            assert_eq!((document.fields.len(), document.body), (0, text));
        }
    }
}
