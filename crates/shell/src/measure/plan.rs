//! The words of a plan.

use serde::Serialize;

use crate::analysis::Span;

/// What a command would touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MeasurePlan {
    /// What can be counted.
    pub items: Vec<MeasureItem>,
    /// What cannot, and why.
    pub unmeasured: Vec<Unmeasured>,
}

impl MeasurePlan {
    /// Whether the command touches nothing that such a plan speaks of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.unmeasured.is_empty()
    }
}

/// One path, or a pattern for paths, and what would happen to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeasureItem {
    /// What happens to it.
    pub action: Action,
    /// Basename of the program.
    pub program: String,
    /// The word in the text.
    pub span: Span,
    /// Absolute. A last `/` is kept, because it makes a link stand for where it leads.
    pub path: String,
    /// Whether `*`, `?` and `[` in the path are patterns.
    pub glob: bool,
    /// How far it reaches below the path.
    pub reach: Reach,
    /// Which of what is reached is meant; all of these must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
}

/// What happens to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is gone.
    Delete,
    /// It is elsewhere.
    Move,
    /// Another file takes its place.
    Overwrite,
    /// Its mode, owner or group is another.
    Mode,
}

/// How far a command reaches below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reach {
    /// Files only; a directory is refused.
    File,
    /// A directory only if it is empty.
    EmptyDirectory,
    /// The path itself and nothing below.
    Itself,
    /// Everything below as well.
    Tree {
        /// Not into other file systems.
        one_device: bool,
    },
    /// What a search finds below the path.
    Found {
        /// Levels below the path at which finding begins.
        min_depth: u32,
        /// Levels below the path at which it ends.
        max_depth: Option<u32>,
        /// Not into other file systems.
        one_device: bool,
        /// What happens to a directory that is found.
        directories: OnDirectory,
    },
}

/// What happens to a directory that a search finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDirectory {
    /// Nothing, as with `rm` without `-r`.
    Nothing,
    /// It alone, if it is empty by then, as with `-delete`.
    IfEmpty,
    /// It alone, as with `chmod`.
    Itself,
    /// Everything in it, as with `rm -r`.
    Tree,
}

/// A test on what a search finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The name is like a pattern, or is not.
    Name {
        /// The pattern.
        pattern: String,
        /// Letters match in either case.
        any_case: bool,
        /// What is not like it.
        negated: bool,
    },
    /// The path as `find` prints it is like a pattern, or is not; `*` matches `/` too.
    Path {
        /// The pattern.
        pattern: String,
        /// The starting point as it was written, with which those paths begin.
        root: String,
        /// What is not like it.
        negated: bool,
    },
    /// It is one of these kinds.
    Type {
        /// Regular files.
        file: bool,
        /// Directories.
        directory: bool,
        /// Symbolic links.
        link: bool,
    },
    /// It is an empty file or directory.
    Empty,
}

/// Something that a command does and that cannot be counted from its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmeasured {
    /// Basename of the program.
    pub program: String,
    /// The word in the text.
    pub span: Span,
    /// Why.
    pub why: &'static str,
    /// A command that shows it without doing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}
