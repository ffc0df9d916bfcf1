//! A command with the parts that matter underlined, as a compiler shows an error.

use std::ops::Range;

use unicode_width::UnicodeWidthChar as _;

use super::neutral::{neutral_line, visible};

/// A part of the command and what is to be said about it.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// Bytes of the command.
    pub(crate) span: Range<usize>,
    /// Why.
    pub(crate) label: String,
}

/// Columns of the command shown of one line; the rest is cut around the first mark.
pub(crate) const COLUMNS_MAX: usize = 100;
/// Lines of the command shown.
pub(crate) const LINES_MAX: usize = 12;
/// Columns kept in front of the first mark of a line that is cut.
const LEAD: usize = 20;
const TAB: usize = 4;
const INDENT: &str = "  ";

/// The lines that the marks touch, each with its marks below. Without marks: the first lines.
pub(crate) fn underline(command: &str, marks: &[Mark]) -> String {
    let mut shown = String::new();
    let (mut offset, mut count, mut skipped) = (0, 0, 0);
    for line in command.split_inclusive('\n') {
        let bytes = offset..offset + line.len();
        offset = bytes.end;
        let on_line: Vec<&Mark> = marks.iter().filter(|mark| touches(mark, &bytes)).collect();
        if on_line.is_empty() && !marks.is_empty() {
            continue;
        }
        if count == LINES_MAX {
            skipped += 1;
            continue;
        }
        count += 1;
        show_line(
            &mut shown,
            line.trim_end_matches(['\n', '\r']),
            bytes,
            &on_line,
        );
    }
    if skipped > 0 {
        shown.push_str(&format!("{INDENT}… {skipped} more lines\n"));
    }
    shown
}

/// One character as it is shown.
struct Cell {
    at: usize,
    end: usize,
    text: String,
    width: usize,
}

fn show_line(shown: &mut String, line: &str, bytes: Range<usize>, marks: &[&Mark]) {
    let cells = cells(line, bytes.start);
    let (cells, cut_front, cut_back) = window(&cells, marks);
    shown.push_str(INDENT);
    shown.push_str(if cut_front { "…" } else { "" });
    shown.extend(cells.iter().map(|cell| cell.text.as_str()));
    shown.push_str(if cut_back { "…\n" } else { "\n" });
    for mark in marks {
        let pad = usize::from(cut_front);
        let below = markers(cells, mark, bytes.start + line.len());
        // The label stands where the marked part ends, once.
        let label = if mark.span.end <= bytes.end {
            neutral_line(&mark.label)
        } else {
            String::new()
        };
        let marked = format!("{}{}{below} {label}", INDENT, " ".repeat(pad));
        shown.push_str(marked.trim_end());
        shown.push('\n');
    }
}

fn cells(line: &str, start: usize) -> Vec<Cell> {
    let mut column = 0;
    let mut cells = Vec::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        let (text, width) = match c {
            '\t' => {
                let width = TAB - column % TAB;
                (" ".repeat(width), width)
            }
            c => match c.width() {
                Some(0) if !cells.is_empty() && !c.is_control() => (c.to_string(), 0),
                Some(width @ 1..)
                    if super::neutral::neutral(c.encode_utf8(&mut [0; 4])).starts_with(c) =>
                {
                    (c.to_string(), width)
                }
                _ => (visible(c).to_string(), 1),
            },
        };
        column += width;
        cells.push(Cell {
            at: start + at,
            end: start + at + c.len_utf8(),
            text,
            width,
        });
    }
    cells
}

/// The cells to show: all, or a window that begins a little before the first mark.
fn window<'a>(cells: &'a [Cell], marks: &[&Mark]) -> (&'a [Cell], bool, bool) {
    let total: usize = cells.iter().map(|cell| cell.width).sum();
    if total <= COLUMNS_MAX {
        return (cells, false, false);
    }
    let first = marks
        .iter()
        .map(|mark| mark.span.start)
        .min()
        .unwrap_or_default();
    let first = cells
        .iter()
        .position(|cell| cell.at >= first)
        .unwrap_or_default();
    let fits_from_start: usize = cells.iter().take(first).map(|cell| cell.width).sum();
    let start = if fits_from_start + LEAD < COLUMNS_MAX {
        0
    } else {
        first.saturating_sub(LEAD)
    };
    let (mut end, mut width) = (start, 0);
    for cell in cells.iter().skip(start) {
        if width + cell.width > COLUMNS_MAX {
            break;
        }
        width += cell.width;
        end += 1;
    }
    (
        cells.get(start..end).unwrap_or_default(),
        start > 0,
        end < cells.len(),
    )
}

fn markers(cells: &[Cell], mark: &Mark, line_end: usize) -> String {
    let mut below = String::new();
    for cell in cells {
        let marked = cell.at < mark.span.end && cell.end > mark.span.start;
        below.extend(std::iter::repeat_n(
            if marked { '^' } else { ' ' },
            cell.width,
        ));
    }
    let length = below.trim_end().len();
    below.truncate(length);
    if below.is_empty() {
        // An empty part, such as the place where a quote is missing.
        let before = cells
            .iter()
            .filter(|cell| cell.at < mark.span.start.min(line_end));
        let column: usize = before.map(|cell| cell.width).sum();
        below = format!("{}^", " ".repeat(column));
    }
    below
}

fn touches(mark: &Mark, line: &Range<usize>) -> bool {
    let span = &mark.span;
    if span.is_empty() {
        return line.contains(&span.start) || span.start == line.end;
    }
    span.start < line.end && span.end > line.start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(command: &str, part: &str, label: &str) -> Mark {
        let start = command.find(part).unwrap();
        Mark {
            span: start..start + part.len(),
            label: label.into(),
        }
    }

    #[track_caller]
    fn check(command: &str, marks: &[Mark], expected: &str) {
        assert_eq!(
            underline(command, marks),
            expected,
            "\n{}",
            underline(command, marks)
        );
    }

    #[test]
    fn one_part_of_one_line() {
        let command = "cd / && rm -rf * && ls";
        check(
            command,
            &[mark(command, "rm -rf *", "deletes all")],
            "  cd / && rm -rf * && ls\n          ^^^^^^^^ deletes all\n",
        );
    }

    #[test]
    fn wide_characters_and_tabs_keep_the_columns() {
        check(
            "漢字\trm é",
            &[mark("漢字\trm é", "rm é", "x")],
            "  漢字    rm é\n          ^^^^ x\n",
        );
        check(
            "漢字 x",
            &[mark("漢字 x", "字", "two wide")],
            "  漢字 x\n    ^^ two wide\n",
        );
        let combining = "e\u{301}x";
        check(
            combining,
            &[mark(combining, "x", "l")],
            "  e\u{301}x\n   ^ l\n",
        );
    }

    #[test]
    fn a_part_over_several_lines_is_labelled_where_it_ends() {
        let command = "echo a\nfor i in 1 2\ndo rm $i\ndone\n";
        check(
            command,
            &[mark(command, "for i in 1 2\ndo rm $i", "removes")],
            "  for i in 1 2\n  ^^^^^^^^^^^^\n  do rm $i\n  ^^^^^^^^ removes\n",
        );
    }

    #[test]
    fn several_parts_of_one_line_stand_below_each_other() {
        let command = "sudo rm x";
        check(
            command,
            &[mark(command, "sudo", "a"), mark(command, "rm x", "b")],
            "  sudo rm x\n  ^^^^ a\n       ^^^^ b\n",
        );
    }

    #[test]
    fn an_empty_part_and_one_beyond_the_end_are_shown() {
        let at_end = Mark {
            span: 6..6,
            label: "missing quote".into(),
        };
        check("echo \"", &[at_end], "  echo \"\n        ^ missing quote\n");
        let beyond = Mark {
            span: 3..99,
            label: "x".into(),
        };
        check("echo", &[beyond], "  echo\n     ^\n");
        let inside_a_character = Mark {
            span: 1..3,
            label: "x".into(),
        };
        check("漢a", &[inside_a_character], "  漢a\n  ^^ x\n");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let command = format!("{}rm{}", "a".repeat(500), "b".repeat(500));
        let shown = underline(&command, &[mark(&command, "rm", "here")]);
        let mut lines = shown.lines();
        let (line, below) = (lines.next().unwrap(), lines.next().unwrap());
        assert!(line.starts_with("  …a") && line.ends_with("b…"), "{line}");
        assert_eq!(line.chars().count(), 2 + 1 + COLUMNS_MAX + 1);
        let column = |text: &str, what: &str| {
            text.chars().count() - text.split_once(what).unwrap().1.chars().count()
        };
        assert_eq!(column(line, "rm"), column(below, "^^"));
    }

    #[test]
    fn control_characters_are_made_visible() {
        let command = "rm \u{1b}[2J x";
        check(
            command,
            &[mark(command, "x", "!")],
            "  rm ␛[2J x\n          ^ !\n",
        );
    }

    #[test]
    fn many_lines_are_counted() {
        let command = "a\n".repeat(LINES_MAX);
        assert_eq!(underline(&command, &[]).lines().count(), LINES_MAX);
        let command = "a\n".repeat(LINES_MAX + 3);
        assert!(underline(&command, &[]).ends_with("… 3 more lines\n"));
    }
}
