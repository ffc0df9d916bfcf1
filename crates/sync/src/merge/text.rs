//! Text merged by hunks, three-way.
//!
//! Lines keep their endings, and a missing last line break stays missing. Lines that differ in
//! their ending alone are the same for the comparison when the base has it otherwise throughout:
//! an editor that rewrote all endings has not edited every line.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{Choose, Conflict, Merged, Sides};
use crate::plan::Side;

/// The most lines that are compared one by one. The time grows with the square where everything
/// differs; a longer text is one piece.
pub const LINES_MAX: usize = 10_000;

/// A place where both sides changed the same lines differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The line of this side's text where it begins, from 1.
    pub line: usize,
    /// The lines as last agreed.
    pub base: String,
    /// The lines here.
    pub local: String,
    /// The lines there.
    pub remote: String,
}

/// Merges two texts.
#[must_use]
pub fn merge(sides: Sides<'_>, prefer: Option<Side>) -> Merged {
    merge_by(sides, &mut |_| prefer)
}

/// [`merge`], where each hunk is asked about.
pub fn merge_by(sides: Sides<'_>, choose: Choose<'_>) -> Merged {
    let (local, remote) = (lines(sides.local), lines(sides.remote));
    let base = lines(sides.base.unwrap_or_default());
    let ending = ending_of(sides.local);
    let mut merged = Merged {
        content: String::new(),
        conflicts: Vec::new(),
    };
    for piece in pieces(&base, &local, &remote) {
        let of = |lines: &[&str], range: &Range<usize>| {
            lines.get(range.clone()).unwrap_or_default().concat()
        };
        let (was, here, there) = (
            of(&base, &piece.base),
            of(&local, &piece.local),
            of(&remote, &piece.remote),
        );
        let agreed = sides.base.is_some();
        if same(&here, &there) || agreed && same(&there, &was) {
            merged.content.push_str(&here);
        } else if agreed && same(&here, &was) {
            merged.content.push_str(&in_ending(&there, ending));
        } else {
            let hunk = Hunk {
                line: piece.local.start + 1,
                base: was,
                local: here,
                remote: there,
            };
            let marked = marked(&hunk, ending);
            let (here, there) = (hunk.local.clone(), in_ending(&hunk.remote, ending));
            let conflict = Conflict::Hunk(hunk);
            match choose(&conflict) {
                Some(Side::Local) => merged.content.push_str(&here),
                Some(Side::Remote) => merged.content.push_str(&there),
                None => {
                    merged.content.push_str(&marked);
                    merged.conflicts.push(conflict);
                }
            }
        }
    }
    merged
}

/// A hunk with the marks that editors and git know.
fn marked(hunk: &Hunk, ending: &str) -> String {
    let mut text = String::new();
    for (mark, lines) in [
        ("<<<<<<< here", &hunk.local),
        ("||||||| as last agreed", &hunk.base),
        ("=======", &hunk.remote),
    ] {
        text.push_str(mark);
        text.push_str(ending);
        text.push_str(lines);
        // A mark has to begin its line.
        if !lines.is_empty() && !lines.ends_with('\n') {
            text.push_str(ending);
        }
    }
    text + ">>>>>>> there" + ending
}

/// Lines with their endings; the last may have none.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn ending_of(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn bare(line: &str) -> &str {
    line.trim_end_matches('\n').trim_end_matches('\r')
}

fn same(a: &str, b: &str) -> bool {
    a == b || a.contains('\r') != b.contains('\r') && a.lines().eq(b.lines())
}

/// Text of the other side with the endings of this one.
fn in_ending(text: &str, ending: &str) -> String {
    let plain = text.replace("\r\n", "\n");
    if ending == "\r\n" {
        plain.replace('\n', "\r\n")
    } else {
        text.to_owned()
    }
}

/// Lines that belong together in the three texts.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    base: Range<usize>,
    local: Range<usize>,
    remote: Range<usize>,
}

/// A change of some lines of the base.
#[derive(Debug, Clone)]
struct Edit {
    base: Range<usize>,
    to: Range<usize>,
}

/// The texts in pieces: those that both sides left alone, and those that a side changed. Changes
/// of both sides that overlap or touch are one piece.
fn pieces(base: &[&str], local: &[&str], remote: &[&str]) -> Vec<Piece> {
    let (mine, theirs) = (edits(base, local), edits(base, remote));
    let mut pieces = Vec::new();
    let (mut a, mut b) = (mine.iter().peekable(), theirs.iter().peekable());
    // Where we are in the three texts.
    let (mut at, mut at_local, mut at_remote) = (0, 0, 0);
    loop {
        let start = match (a.peek(), b.peek()) {
            (Some(a), Some(b)) => a.base.start.min(b.base.start),
            (Some(edit), None) | (None, Some(edit)) => edit.base.start,
            (None, None) => base.len(),
        };
        let kept = start.saturating_sub(at);
        if kept > 0 {
            pieces.push(Piece {
                base: at..start,
                local: at_local..at_local + kept,
                remote: at_remote..at_remote + kept,
            });
            (at_local, at_remote) = (at_local + kept, at_remote + kept);
        }
        if a.peek().is_none() && b.peek().is_none() {
            return pieces;
        }
        let mut end = start;
        let (mut grown_local, mut grown_remote) = (0_isize, 0_isize);
        loop {
            if let Some(edit) = a.next_if(|edit| edit.base.start <= end) {
                end = end.max(edit.base.end);
                grown_local += growth(edit);
            } else if let Some(edit) = b.next_if(|edit| edit.base.start <= end) {
                end = end.max(edit.base.end);
                grown_remote += growth(edit);
            } else {
                break;
            }
        }
        let taken = end - start;
        let piece = Piece {
            base: start..end,
            local: at_local..at_local + taken.saturating_add_signed(grown_local),
            remote: at_remote..at_remote + taken.saturating_add_signed(grown_remote),
        };
        (at, at_local, at_remote) = (end, piece.local.end, piece.remote.end);
        pieces.push(piece);
    }
}

fn growth(edit: &Edit) -> isize {
    // A slice has no more elements than an isize counts.
    edit.to.len().cast_signed() - edit.base.len().cast_signed()
}

fn edits(base: &[&str], other: &[&str]) -> Vec<Edit> {
    if base.len().max(other.len()) > LINES_MAX {
        let whole = Edit {
            base: 0..base.len(),
            to: 0..other.len(),
        };
        return if base == other {
            Vec::new()
        } else {
            vec![whole]
        };
    }
    let bare_of = |lines: &[&str]| -> Vec<String> {
        // The last line without its ending is another line than one with it.
        let marked = |line: &&str| {
            let end = if line.ends_with('\n') { "" } else { "\u{0}" };
            bare(line).to_owned() + end
        };
        lines.iter().map(marked).collect()
    };
    let ops = capture_diff_slices(Algorithm::Patience, &bare_of(base), &bare_of(other));
    let changed = ops
        .into_iter()
        .filter(|op| !matches!(op, DiffOp::Equal { .. }));
    changed
        .map(|op| Edit {
            base: op.old_range(),
            to: op.new_range(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, local: &str, remote: &str) -> Merged {
        let sides = Sides {
            base: Some(base),
            local,
            remote,
        };
        merge(sides, None)
    }

    #[test]
    fn changes_in_different_places_go_together() {
        let base = "a\nb\nc\nd\ne\n";
        let out = merged(base, "a\nB\nc\nd\ne\n", "a\nb\nc\nd\nE\nf\n");
        assert_eq!(out.content, "a\nB\nc\nd\nE\nf\n");
        assert!(out.conflicts.is_empty());
        let out = merged(base, "a\nb\nc\nd\n", "0\na\nb\nc\nd\ne\n");
        assert_eq!(out.content, "0\na\nb\nc\nd\n");
        let out = merged(base, base, "");
        assert_eq!(out.content, "");
        let out = merged(base, "x\n", "x\n");
        assert_eq!(out.content, "x\n");
    }

    #[test]
    fn the_same_place_is_a_conflict_with_marks() {
        let out = merged("a\nb\nc\n", "a\nmine\nc\n", "a\ntheirs\nc\n");
        assert_eq!(
            out.content,
            "a\n<<<<<<< here\nmine\n||||||| as last agreed\nb\n=======\ntheirs\n>>>>>>> there\nc\n"
        );
        let Conflict::Hunk(hunk) = &out.conflicts[0] else {
            panic!("{out:?}")
        };
        assert_eq!((hunk.line, hunk.remote.as_str()), (2, "theirs\n"));
        let sides = Sides {
            base: Some("a\nb\n"),
            local: "a\nmine\n",
            remote: "a\ntheirs\n",
        };
        assert_eq!(merge(sides, Some(Side::Local)).content, "a\nmine\n");
        assert_eq!(merge(sides, Some(Side::Remote)).content, "a\ntheirs\n");
    }

    #[test]
    fn a_missing_last_line_break_stays_missing() {
        let out = merged("a\nx\nb\nc", "a\nx\nB\nc", "A\nx\nb\nc");
        assert_eq!(out.conflicts, []);
        assert_eq!(merged("a\nx\nb", "a\nx\nb", "A\nx\nb").content, "A\nx\nb");
        let out = merged("a\nx\nb", "a\nx\nmine", "a\nx\ntheirs");
        assert!(out.content.contains("mine\n|||||||") && out.content.contains("theirs\n>>>>>>>"));
    }

    #[test]
    fn line_endings_are_those_of_this_side() {
        let out = merged("a\nb\nc\n", "a\r\nb\r\nc\r\n", "a\nb\nC\n");
        assert_eq!(out.content, "a\r\nb\r\nC\r\n");
        assert!(out.conflicts.is_empty());
        let out = merged("a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\nb\nC\nd\n");
        assert_eq!(out.content, "A\r\nb\r\nC\r\nd\r\n");
    }

    #[test]
    fn a_text_of_too_many_lines_is_one_piece() {
        let base = "a\n".repeat(LINES_MAX);
        let local = format!("{base}mine\n");
        let out = merged(&base, &local, &format!("theirs\n{base}"));
        assert_eq!(out.conflicts.len(), 1);
        assert_eq!(merged(&base, &local, &base).content, local);
        let base = "a\n".repeat(LINES_MAX - 1);
        let out = merged(&base, &format!("{base}mine\n"), &format!("theirs\n{base}"));
        assert_eq!(out.conflicts, []);
    }

    #[test]
    fn without_a_base_everything_that_differs_is_a_conflict() {
        let sides = Sides {
            base: None,
            local: "mine\n",
            remote: "theirs\n",
        };
        assert_eq!(merge(sides, None).conflicts.len(), 1);
        let sides = Sides {
            base: None,
            local: "same\n",
            remote: "same\n",
        };
        assert_eq!(merge(sides, None).content, "same\n");
    }

    proptest::proptest! {
        #[test]
        fn a_side_that_did_not_change_gives_way(
            base in "([a-d]\n){0,8}[a-d]?", other in "([a-d]\n){0,8}[a-d]?",
        ) {
            proptest::prop_assert_eq!(merged(&base, &base, &other).content, &*other);
            proptest::prop_assert_eq!(merged(&base, &other, &base).content, &*other);
            proptest::prop_assert_eq!(merged(&base, &other, &other).content, &*other);
        }

        #[test]
        fn no_line_of_either_side_is_lost(
            base in "([a-d]\n){0,6}", local in "([a-dx]\n){0,6}", remote in "([a-dy]\n){0,6}",
        ) {
            let out = merged(&base, &local, &remote).content;
            let count = |text: &str, c: char| text.matches(c).count();
            proptest::prop_assert!(count(&out, 'x') >= count(&local, 'x'), "{}", out);
            proptest::prop_assert!(count(&out, 'y') >= count(&remote, 'y'), "{}", out);
        }
    }
}
