//! One content of two, for a file that changed on both sides.
//!
//! Markdown and other text is merged by hunks ([`text`]), JSON by keys ([`json`]), and of
//! `CLAUDE.md` the part between the platform's marks is the server's in any case ([`block`]). What
//! is not UTF-8 is not merged: one side has to be chosen. [`diff`] shows what differs.

pub mod block;
pub mod diff;
pub mod json;
pub mod text;

use crate::plan::Side;
use crate::profile::ProfilePath;

/// The three contents of one file. A file that one side does not have is empty.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// As last agreed. Without it everything that differs is a conflict.
    pub base: Option<&'a str>,
    /// As it is here.
    pub local: &'a str,
    /// As it is there.
    pub remote: &'a str,
}

/// How a merge came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The content; where there are conflicts, with their marks or with what is here.
    pub content: String,
    /// Where somebody has to choose.
    pub conflicts: Vec<Conflict>,
}

/// One place where both sides differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// A hunk of text.
    Hunk(text::Hunk),
    /// A value in JSON.
    Key(json::Key),
}

/// Says for one place which side it takes; nothing leaves it open.
pub type Choose<'a> = &'a mut dyn FnMut(&Conflict) -> Option<Side>;

/// Merges a file by what it is. Where both sides changed the same, `prefer` decides; without it the
/// place is a conflict.
#[must_use]
pub fn merge(path: &ProfilePath, sides: Sides<'_>, prefer: Option<Side>) -> Merged {
    merge_by(path, sides, &mut |_| prefer)
}

/// [`merge`], where each place that both changed is asked about.
pub fn merge_by(path: &ProfilePath, sides: Sides<'_>, choose: Choose<'_>) -> Merged {
    if path.name().ends_with(".json")
        && let Some(merged) = json::merge_by(sides, choose)
    {
        return merged;
    }
    if path.as_str() == "CLAUDE.md" {
        return block::merge_by(sides, choose);
    }
    text::merge_by(sides, choose)
}
