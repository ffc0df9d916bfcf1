//! The platform's part of `CLAUDE.md`: what is between its marks is the server's, the rest the
//! person's.
//!
//! ```text
//! <!-- wharf:begin org -->
//! ...
//! <!-- wharf:end -->
//! ```

use std::ops::Range;

use super::{Choose, Merged, Sides, text};
use crate::plan::Side;

/// How the line before the part begins.
pub const BEGIN: &str = "<!-- wharf:begin";
/// How the line after it begins.
pub const END: &str = "<!-- wharf:end";

/// The bytes of the platform's part, marks included, up to the end of the last line. A beginning
/// without an end is none: nobody's text is taken for the platform's because a mark is missing.
#[must_use]
pub fn find(text: &str) -> Option<Range<usize>> {
    let mut at = 0;
    let mut start = None;
    for line in text.split_inclusive('\n') {
        let mark = line.trim_start();
        if start.is_none() && mark.starts_with(BEGIN) {
            start = Some(at);
        }
        at += line.len();
        if let Some(start) = start.filter(|_| mark.starts_with(END)) {
            return Some(start..at);
        }
    }
    None
}

/// The platform's part, if there is one.
#[must_use]
pub fn of(text: &str) -> Option<&str> {
    find(text).and_then(|range| text.get(range))
}

/// The text without the platform's part.
#[must_use]
pub fn without(text: &str) -> String {
    replace(text, "")
}

/// The text with `block` as the platform's part: in the place of the old one, or first.
#[must_use]
pub fn replace(text: &str, block: &str) -> String {
    let range = find(text).unwrap_or(0..0);
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let needs_break = !block.is_empty() && !block.ends_with('\n') && !after.is_empty();
    [before, block, if needs_break { newline } else { "" }, after].concat()
}

/// Merges two `CLAUDE.md`: the platform's part is the one there, the rest is merged by hunks.
#[must_use]
pub fn merge(sides: Sides<'_>, prefer: Option<Side>) -> Merged {
    merge_by(sides, &mut |_| prefer)
}

/// [`merge`], where each hunk is asked about.
pub fn merge_by(sides: Sides<'_>, choose: Choose<'_>) -> Merged {
    let block = of(sides.remote);
    let known = block.is_some() || sides.base.is_some_and(|base| of(base).is_some());
    if !known {
        return text::merge_by(sides, choose);
    }
    // With the same part in all three, no hunk is in it.
    let block = block.unwrap_or_default();
    let base = sides.base.map(|base| replace(base, block));
    let (local, remote) = (replace(sides.local, block), replace(sides.remote, block));
    let sides = Sides {
        base: base.as_deref(),
        local: &local,
        remote: &remote,
    };
    text::merge_by(sides, choose)
}

/// The text here with the platform's part of the text there, where that part is all that changed
/// there since `base`. Nothing otherwise: then both have to be merged.
#[must_use]
pub fn follow(base: &str, local: &str, remote: &str) -> Option<String> {
    let only_the_part = of(base) != of(remote) && without(base) == without(remote);
    only_the_part.then(|| replace(local, of(remote).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "<!-- wharf:begin org -->\nold rule\n<!-- wharf:end -->\n";
    const NEW: &str = "<!-- wharf:begin org -->\nnew rule\nand more\n<!-- wharf:end -->\n";

    #[test]
    fn the_part_is_found_with_its_marks() {
        let text = format!("# Mine\n{OLD}tail\n");
        assert_eq!(of(&text), Some(OLD));
        assert_eq!(without(&text), "# Mine\ntail\n");
        assert_eq!(replace(&text, NEW), format!("# Mine\n{NEW}tail\n"));
        assert_eq!(replace("mine\n", OLD), format!("{OLD}mine\n"));
        assert_eq!(of("<!-- wharf:begin -->\nno end\n"), None);
        assert_eq!(of("<!-- wharf:end -->\n"), None);
    }

    #[test]
    fn the_part_is_the_servers_and_the_rest_is_merged() {
        let base = format!("{OLD}a\nb\nc\n");
        let local = format!("{}a\nb\nmine\n", OLD.replace("old", "edited here"));
        let remote = format!("{NEW}theirs\nb\nc\n");
        let sides = Sides {
            base: Some(&base),
            local: &local,
            remote: &remote,
        };
        let merged = merge(sides, None);
        assert_eq!(merged.content, format!("{NEW}theirs\nb\nmine\n"));
        assert_eq!(merged.conflicts, []);
    }

    #[test]
    fn a_part_that_alone_changed_is_followed() {
        let (base, remote) = (format!("{OLD}a\n"), format!("{NEW}a\n"));
        let followed = follow(&base, &format!("{OLD}a\nmine\n"), &remote);
        assert_eq!(followed.as_deref(), Some(&*format!("{NEW}a\nmine\n")));
        let gone = follow(&base, &format!("{OLD}mine\n"), "a\n");
        assert_eq!(gone.as_deref(), Some("mine\n"));
        for other in [format!("{NEW}b\n"), base.clone()] {
            assert_eq!(follow(&base, "mine\n", &other), None);
        }
    }

    #[test]
    fn a_part_that_went_there_goes_here() {
        let (base, local) = (format!("{OLD}a\n"), format!("{OLD}a\nmine\n"));
        let sides = Sides {
            base: Some(&base),
            local: &local,
            remote: "a\n",
        };
        assert_eq!(merge(sides, None).content, "a\nmine\n");
    }
}
