//! What differs between two texts, to be shown.

use similar::{ChangeTag, TextDiff};

use super::text::LINES_MAX;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// How many lines were added and removed from `old` to `new`: the `+12 -3` of a plan. Of a text of
/// more than [`LINES_MAX`] lines all count, and [`unified`] says so instead of showing it.
#[must_use]
pub fn count(old: &str, new: &str) -> (usize, usize) {
    let (before, after) = (old.lines().count(), new.lines().count());
    if before == 0 || after == 0 || before.max(after) > LINES_MAX {
        return if old == new { (0, 0) } else { (after, before) };
    }
    let diff = TextDiff::from_lines(old, new);
    let mut counts = (0, 0);
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => counts.0 += 1,
            ChangeTag::Delete => counts.1 += 1,
            ChangeTag::Equal => {}
        }
    }
    counts
}

/// The difference in the unified form, with these names for both sides. Empty when there is none.
#[must_use]
pub fn unified(old: &str, new: &str, old_name: &str, new_name: &str) -> String {
    if old != new && old.lines().count().max(new.lines().count()) > LINES_MAX {
        return format!(
            "--- {old_name}\n+++ {new_name}\nThey differ, and are too long to compare.\n"
        );
    }
    let diff = TextDiff::from_lines(old, new);
    let mut unified = diff.unified_diff();
    let unified = unified.context_radius(CONTEXT).header(old_name, new_name);
    unified.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_and_shown() {
        assert_eq!(count("a\nb\n", "a\nc\nd\n"), (2, 1));
        assert_eq!(count("a\n", "a\n"), (0, 0));
        assert_eq!(count("", "a\nb"), (2, 0));
        assert_eq!(count("a\nb\n", ""), (0, 2));
        assert_eq!(count("", ""), (0, 0));
        let shown = unified("a\nb\n", "a\nc\n", "here", "there");
        assert_eq!(shown, "--- here\n+++ there\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        assert_eq!(unified("a\n", "a\n", "here", "there"), "");
        let long = "a\n".repeat(LINES_MAX + 1);
        assert_eq!(count(&long, "b\n"), (1, LINES_MAX + 1));
        assert!(unified(&long, "b\n", "here", "there").ends_with("too long to compare.\n"));
    }
}
