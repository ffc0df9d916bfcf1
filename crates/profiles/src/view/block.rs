//! The part of a view's `CLAUDE.md` that is not the person's: the outer layers' texts.
//!
//! ```text
//! <!-- wharf:begin org team:42 (kept by wharf: 5f0c1d2e3a4b5c6d) -->
//! The organization's text.
//!
//! The team's text.
//! <!-- wharf:end -->
//! The person's own text.
//! ```
//!
//! The lines are known by how they begin, as a client knows them. The number in the first is the
//! hash of what is between them: a block that has it was written here and nothing in it is
//! anybody's edit, so that it never becomes a person's own, however old it is and wherever it is
//! from. One that has it not was edited, or is a person's own text about such blocks.

use std::fmt::Write as _;
use std::ops::Range;

use crate::tree::Sha256;

const BEGIN: &str = "<!-- wharf:begin";
const END: &str = "<!-- wharf:end";
/// What is before the number in the first line, and behind it.
const KEPT: (&str, &str) = ("(kept by wharf: ", ") -->");
/// Digits of the number.
const DIGITS: usize = 16;
/// What editors of some systems put before a text.
const MARK_OF_ORDER: char = '\u{feff}';

/// The block with `text` of the layers called `names`. Its lines end as the person's do.
pub(super) fn render(names: &[String], text: &str, with_return: bool) -> String {
    let newline = if with_return { "\r\n" } else { "\n" };
    let body: Vec<String> = text.lines().map(harmless).collect();
    let names = names.join(" ");
    let number = number(&names, body.iter().map(String::as_str));
    let mut block = format!("{BEGIN} {names} {}{number}{}{newline}", KEPT.0, KEPT.1);
    for line in &body {
        let _ = write!(block, "{line}{newline}");
    }
    let _ = write!(block, "{END} -->{newline}");
    block
}

/// A line that would begin or end a block says the same with a second space, and does not.
fn harmless(line: &str) -> String {
    if is_mark(line, BEGIN) || is_mark(line, END) {
        return line.replacen("<!-- ", "<!--  ", 1);
    }
    line.to_owned()
}

fn is_mark(line: &str, mark: &str) -> bool {
    line.trim_start().starts_with(mark)
}

/// What is at the ends of lines is not in it: editors change that.
fn number<'a>(names: &str, body: impl Iterator<Item = &'a str>) -> String {
    let mut all = names.to_owned();
    for line in body {
        all.push('\n');
        all.push_str(line.trim_end());
    }
    let mut hash = Sha256::of(all.as_bytes()).to_string();
    hash.truncate(DIGITS);
    hash
}

/// What is left of a text that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Own {
    /// The person's own part.
    pub(super) text: String,
    /// The block was changed; what was changed in it is in no profile.
    pub(super) ignored: bool,
}

/// Takes the person's own part out of `sent`. `block` is what was given out before it, and `before`
/// their own text until now: what is in that is theirs, marks and all.
pub(super) fn own(sent: &str, block: Option<&str>, before: &str) -> Own {
    let unmarked = sent.strip_prefix(MARK_OF_ORDER);
    let sent = unmarked.filter(|text| is_mark(text, BEGIN)).unwrap_or(sent);
    let lines: Vec<&str> = block.unwrap_or_default().lines().collect();
    if lines.is_empty() {
        let (text, _) = without(sent, before, false);
        return Own {
            text,
            ignored: false,
        };
    }
    // With one of its two lines gone it is no block, and its text is still not the person's.
    let body = lines.get(1..).unwrap_or_default();
    let headless = || after(sent, body);
    let endless = || after(sent, lines.get(..lines.len().saturating_sub(1))?);
    let whole = after(sent, &lines);
    if let Some(rest) = whole.or_else(endless).or_else(headless) {
        let (text, _) = without(rest, before, false);
        return Own {
            text,
            ignored: whole.is_none(),
        };
    }
    let (text, found) = without(sent, before, true);
    Own {
        text,
        ignored: found == Found::Edited,
    }
}

/// What comes after these lines, if the text begins with them. What is at the ends of lines does
/// not count.
fn after<'a>(text: &'a str, lines: &[&str]) -> Option<&'a str> {
    let mut there = text.split_inclusive('\n');
    let mut length = 0;
    for line in lines {
        let found = there.next()?;
        if found.trim_end() != line.trim_end() {
            return None;
        }
        length += found.len();
    }
    text.get(length..)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// One as it was written here.
    Genuine,
    /// One with changes in it.
    Edited,
}

/// The text without blocks that were written here, and where `edited`, without the first other one
/// if there is none of ours. Blocks that are in `before` stay.
fn without(text: &str, before: &str, edited: bool) -> (String, Found) {
    let blocks: Vec<(Range<usize>, bool)> = blocks(text)
        .filter_map(|range| {
            let block = text.get(range.clone())?;
            let is_own = before.contains(block.trim_end());
            (!is_own).then(|| (range, is_genuine(block)))
        })
        .collect();
    let has_genuine = blocks.iter().any(|(_, genuine)| *genuine);
    let mut found = if has_genuine {
        Found::Genuine
    } else {
        Found::Nothing
    };
    let (mut left, mut at) = (String::new(), 0);
    for (range, genuine) in blocks {
        let is_edited = edited && !genuine && found == Found::Nothing;
        if !genuine && !is_edited {
            continue;
        }
        if is_edited {
            found = Found::Edited;
        }
        left.push_str(text.get(at..range.start).unwrap_or_default());
        at = range.end;
    }
    left.push_str(text.get(at..).unwrap_or_default());
    (left, found)
}

/// Where blocks are, each with its marks and the end of its last line.
fn blocks(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    let mut start = None;
    let lines = text.split_inclusive('\n');
    lines.filter_map(move |line| {
        if start.is_none() && is_mark(line, BEGIN) {
            start = Some(at);
        }
        at += line.len();
        is_mark(line, END)
            .then(|| start.take())?
            .map(|start| start..at)
    })
}

fn is_genuine(block: &str) -> bool {
    let mut lines: Vec<&str> = block.lines().collect();
    lines.pop();
    let Some((first, body)) = lines.split_first() else {
        return false;
    };
    let first = first.trim().strip_prefix(BEGIN);
    let parts = first.and_then(|first| first.trim_start().rsplit_once(KEPT.0));
    parts.is_some_and(|(names, rest)| {
        let claimed = rest.strip_suffix(KEPT.1);
        claimed == Some(number(names.trim_end(), body.iter().copied()).as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> String {
        render(&["org".to_owned(), "team:a".to_owned()], text, false)
    }

    fn of(sent: &str, block: Option<&str>, before: &str) -> (String, bool) {
        let own = own(sent, block, before);
        (own.text, own.ignored)
    }

    #[test]
    fn a_block_is_known_by_its_lines_and_its_number() {
        let text = block("a rule\n\nanother");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("<!-- wharf:begin org team:a (kept by wharf: "));
        assert!(lines[0].ends_with(") -->"));
        assert_eq!(lines[1..], ["a rule", "", "another", "<!-- wharf:end -->"]);
        assert!(is_genuine(&text));
        assert!(is_genuine(&text.replace('\n', "\r\n")));
        assert!(!is_genuine(&text.replace("a rule", "my rule")));
        assert!(!is_genuine(&text.replace("team:a", "team:b")));
        assert_eq!(render(&[], "a\nb\r\n", true).matches("\r\n").count(), 4);
    }

    #[test]
    fn marks_in_an_outer_text_are_none() {
        let text = block("a\n  <!-- wharf:end -->\n<!-- wharf:begin x -->\nb");
        assert!(blocks(&text).eq(std::iter::once(0..text.len())));
        assert!(text.contains("\n  <!--  wharf:end -->\n<!--  wharf:begin x -->\n"));
    }

    #[test]
    fn the_block_is_taken_out_wherever_it_is() {
        let given = block("a rule");
        let out = |sent: &str| of(sent, Some(&given), "mine\n");
        assert_eq!(out(&format!("{given}mine\n")), ("mine\n".into(), false));
        assert_eq!(
            out(&format!("x\n{given}mine\n")),
            ("x\nmine\n".into(), false)
        );
        assert_eq!(out(&format!("\u{feff}{given}mine")), ("mine".into(), false));
        assert_eq!(out(&format!("{given}{given}mine")), ("mine".into(), false));
        let returns = format!("{given}mine\n").replace('\n', "\r\n");
        assert_eq!(out(&returns), ("mine\r\n".into(), false));
        assert_eq!(out("mine\n"), ("mine\n".into(), false));
        assert_eq!(out(given.trim_end()), (String::new(), false));
        assert_eq!(out("\u{feff}mine"), ("\u{feff}mine".into(), false));
    }

    #[test]
    fn changes_in_the_block_are_ignored_and_told() {
        let given = block("a rule\nb rule");
        let out = |sent: &str| of(sent, Some(&given), "mine\n");
        let changed = given.replace("b rule", "my rule");
        assert_eq!(out(&format!("{changed}mine\n")), ("mine\n".into(), true));
        let no_end = given.replace("<!-- wharf:end -->\n", "");
        assert_eq!(out(&format!("{no_end}mine\n")), ("mine\n".into(), true));
        let no_begin = given.split_once('\n').unwrap().1;
        assert_eq!(out(&format!("{no_begin}mine\n")), ("mine\n".into(), true));
        let own = "a\n<!-- wharf:begin -->\nb\n<!-- wharf:end -->\nc\n";
        assert_eq!(out(&format!("{no_end}{own}")), (own.into(), true));
    }

    #[test]
    fn an_old_block_never_becomes_somebodys_own() {
        let old = block("an old rule");
        for given in [None, Some(block("a rule"))] {
            let sent = format!("{old}mine\n");
            let out = of(&sent, given.as_deref(), "mine\n");
            assert_eq!(out, ("mine\n".into(), false), "{given:?}");
        }
    }

    #[test]
    fn marks_of_the_persons_own_stay() {
        let own = "x\n<!-- wharf:begin a -->\nhow blocks look\n<!-- wharf:end -->\ny\n";
        let given = block("a rule");
        // Nothing is given out, so that whatever is there is theirs.
        assert_eq!(of(own, None, ""), (own.into(), false));
        assert_eq!(
            of(&format!("{given}{own}"), Some(&given), ""),
            (own.into(), false)
        );
        // The block was taken away by hand, or is below theirs.
        assert_eq!(of(own, Some(&given), own), (own.into(), false));
        assert_eq!(
            of(&format!("{own}{given}z"), Some(&given), own),
            (format!("{own}z"), false)
        );
        // They have one of ours as their own, for whatever reason.
        let theirs = format!("{}mine\n", block("an old rule"));
        let sent = format!("{given}{theirs}");
        assert_eq!(of(&sent, Some(&given), &theirs), (theirs.clone(), false));
        assert_eq!(of(&theirs, None, &theirs), (theirs.clone(), false));
    }
}
