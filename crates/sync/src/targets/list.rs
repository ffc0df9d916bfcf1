//! A list of tools out of the head of an agent.
//!
//! What an agent may do hangs on it, so that it is read strictly: a list that is not understood as a
//! whole is none, and whoever asks refuses the agent. To take the items that are understood would
//! forget what an agent is denied.

use super::frontmatter::{block, is_word, split_outside_of_brackets};

/// Characters that make something else than a text of what they begin.
const NO_TEXT: &[char] = &[
    '&', '*', '!', '|', '>', '%', '@', '`', '{', '}', '[', ']', ',', '?', ':', '-', '"', '\'', '#',
];

/// `a, b`, `[a, "b"]`, a line `- a` for each, or a text of several lines: the tools that the lines
/// of a field name, which is none where nothing stands. Nothing when it is not fully understood.
pub(super) fn list(field: &str) -> Option<Vec<String>> {
    let (first, below) = field.split_once('\n').unwrap_or((field, ""));
    let value = first.split_once(':')?.1.trim();
    let is_filled = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
    let value = if is_filled(&value) { value } else { "" };
    let items = if value.starts_with(['|', '>']) {
        let head = bare(value).strip_prefix(['|', '>'])?;
        if !head.chars().all(|c| matches!(c, '+' | '-')) {
            return None;
        }
        words(&block(below.lines(), value.starts_with('>')))
    } else if value.starts_with('[') {
        flow(&format!("{value}\n{below}"))?
    } else {
        let below: Vec<&str> = below.lines().filter(is_filled).collect();
        let begins = below.first().map(|line| line.trim_start());
        if value.is_empty() && begins.is_some_and(|line| line.starts_with('-')) {
            lines(&below)?
        } else {
            words(&scalar(value, &below)?)
        }
    };
    items.iter().all(|item| is_tool(item)).then_some(items)
}

/// A line `- a` for each.
fn lines(lines: &[&str]) -> Option<Vec<String>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let margin = indent(lines.first()?);
    let item = |line: &&str| {
        let item = line.trim_start().strip_prefix("- ")?.trim();
        let text = scalar(item, &[])?;
        (indent(line) == margin && !text.is_empty()).then_some(text)
    };
    lines.iter().map(item).collect()
}

/// One text, which goes on in these lines.
fn scalar(value: &str, below: &[&str]) -> Option<String> {
    if value.starts_with(['"', '\'']) {
        let (text, rest) = quoted(value)?;
        return (below.is_empty() && bare(rest).is_empty()).then_some(text);
    }
    let mut text = String::new();
    let mut has_ended = false;
    for line in std::iter::once(value).chain(below.iter().map(|line| line.trim())) {
        let bare = bare(line);
        if has_ended && !line.is_empty() {
            return None;
        }
        has_ended = bare.len() < line.len();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(bare);
    }
    plain(text.trim())
}

/// A text without quotes. Nothing at all is an empty one.
fn plain(text: &str) -> Option<String> {
    if matches!(text, "" | "~" | "null") {
        return Some(String::new());
    }
    let is_text = !text.starts_with(NO_TEXT) && !text.contains(": ") && !text.ends_with(':');
    (is_text && !is_word(text)).then(|| text.to_owned())
}

/// `[a, "b"]`, over as many lines as it takes.
fn flow(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('[')?;
    let mut items = Vec::new();
    loop {
        rest = behind_comments(rest);
        if let Some(end) = rest.strip_prefix(']') {
            return behind_comments(end).is_empty().then_some(items);
        }
        let item = if rest.starts_with(['"', '\'']) {
            let (item, behind) = quoted(rest)?;
            rest = behind;
            item
        } else {
            let end = rest.find([',', ']', '\n'])?;
            let (item, behind) = rest.split_at_checked(end)?;
            let bare = bare(item);
            // Behind a comment the line has no more of it.
            rest = if bare.len() < item.trim_end().len() {
                behind.split_once('\n')?.1
            } else {
                behind
            };
            plain(bare)?
        };
        if item.is_empty() {
            return None;
        }
        items.push(item);
        rest = behind_comments(rest);
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.starts_with(']') => {}
            None => return None,
        }
    }
}

fn behind_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    while text.starts_with('#') {
        text = text
            .split_once('\n')
            .map_or("", |(_, rest)| rest.trim_start());
    }
    text
}

/// A line without a comment at its end.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let end = line
        .match_indices('#')
        .map(|(at, _)| line.split_at(at).0)
        .find(|before| before.is_empty() || before.ends_with([' ', '\t']));
    end.unwrap_or(line).trim_end()
}

/// A text in quotes at the beginning, on one line, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.char_indices();
    let (_, quote) = chars.next()?;
    let mut chars = chars.peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => return None,
            '\\' if quote == '"' => drop(chars.next()),
            _ if c != quote => {}
            '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            _ => {
                let (whole, rest) = text.split_at_checked(at + 1)?;
                let inside = whole.get(1..at)?;
                let decoded = match quote {
                    '"' => serde_json::from_str(whole).ok()?,
                    _ => inside.replace("''", "'"),
                };
                return Some((decoded, rest));
            }
        }
    }
    None
}

/// The items of a text, which are divided by commas.
fn words(text: &str) -> Vec<String> {
    let items = split_outside_of_brackets(text).into_iter();
    let items = items.map(|item| item.trim().to_owned());
    items.filter(|item| !item.is_empty()).collect()
}

/// `Read`, `Bash(git log:*)`, `mcp__docs__*`: what no tool can be called would be denied to nobody.
fn is_tool(item: &str) -> bool {
    let (name, inside) = match item.split_once('(') {
        Some((name, inside)) => (name.trim_end(), inside.strip_suffix(')')),
        None => (item, Some("")),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*' | '.');
    let is_line = |inside: &str| !inside.contains(char::is_control);
    !name.is_empty() && name.chars().all(is_name) && inside.is_some_and(is_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_list_says_the_same() {
        for text in [
            "tools: Read, Bash(git log:*)",
            "tools: Read, Bash(git log:*)   # no more",
            "tools: Read,\n  Bash(git log:*)",
            "tools: \"Read, Bash(git log:*)\" # no more",
            "tools: 'Read, Bash(git log:*)'",
            "tools: [Read, Bash(git log:*)]",
            "tools: [\"Read\", 'Bash(git log:*)'] # no more",
            "tools: [ # all\n  Read, # one\n  \"Bash(git log:*)\",\n]",
            "tools:\n  - Read\n  - Bash(git log:*)",
            "tools: # all\n- \"Read\"\n# between\n- 'Bash(git log:*)' # two",
            "tools: >-\n  Read,\n  Bash(git log:*)",
            "tools: |\n  Read, Bash(git log:*)",
            "\"tools\" : Read, Bash(git log:*)",
        ] {
            let wanted = ["Read", "Bash(git log:*)"].map(str::to_owned).to_vec();
            assert_eq!(list(text), Some(wanted), "{text}");
        }
        for text in [
            "tools:",
            "tools: # none",
            "tools: []",
            "tools: ~",
            "tools: \"\"",
        ] {
            assert_eq!(list(text), Some(vec![]), "{text}");
        }
        let all = Some(vec!["*".to_owned()]);
        assert_eq!(list("tools: \"*\""), all);
        assert_eq!(list("tools: ['*']"), all);
    }

    #[test]
    fn what_is_not_fully_understood_is_no_list() {
        for text in [
            "tools: *all",
            "tools: &all [Read]",
            "tools: !!str Read",
            "tools: {Read: true}",
            "tools:\n  Read: true",
            "tools: true",
            "tools: 12",
            "tools: [Read",
            "tools: [Read]]",
            "tools: [Read] Bash",
            "tools: [Read, [Bash]]",
            "tools: [Read,, Bash]",
            "tools: [Bash(a, b)]",
            "tools: [\"Re\n  ad\"]",
            "tools: \"Read\", \"Bash\"",
            "tools: \"\\x52ead\"",
            "tools: \"Read",
            "tools: Read, \"Bash\"",
            "tools: Read Bash",
            "tools: Read # and\n  Bash",
            "tools: Read\n  - Bash",
            "tools:\n  - Read\n    - Bash",
            "tools:\n  - Read\n    Bash",
            "tools:\n  - Read\n  -",
            "tools:\n  - Read, Bash",
            "tools:\n  - a: b",
            "tools:\n  - [Read]",
            "tools: |\n  Read\n  Bash",
            "tools: >2x\n  Read",
            "tools: Bash(git",
            "tools: Read\n?",
        ] {
            assert_eq!(list(text), None, "{text}");
        }
    }
}
