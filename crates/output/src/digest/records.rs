//! What is known about each line, or run of lines, once it was read.

use super::Stream;

/// What the statement of one missing part may take, at most.
pub(super) const MARKER_BYTES: usize = 128;

/// How much a line matters, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Says that something went as it should, or again what was said.
    Noise,
    /// Nothing is known about it.
    Plain,
    /// Warns.
    Warning,
    /// Stands near a failure, or says what it was that failed.
    Near,
    /// Belongs to a failure: a frame, an excerpt, a captured line.
    Excerpt,
    /// Tells of a failure, or sums up.
    Failure,
}

/// How much a line that tells of a failure says, when not all of them fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Weight {
    /// That something failed.
    #[default]
    Headline,
    /// What the failure was: the message under the headline.
    Message,
    /// Again what others of its shape said.
    Again,
    /// More of it: what was expected, where it stands.
    Detail,
}

/// What a line is, for the statement of what was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Other,
    Blank,
    Failure,
    Excerpt,
    Warning,
    WarningDetail,
    Passed,
    Skipped,
    Build,
    Download,
    Install,
    Progress,
    Repeat,
    Trace,
    Note,
}

impl Kind {
    /// So many of it, in words.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Other => ("other line", "other lines"),
            Self::Blank => ("blank line", "blank lines"),
            Self::Failure => ("more failure line", "more failure lines"),
            Self::Excerpt => ("line around failures", "lines around failures"),
            Self::Warning => ("warning", "warnings"),
            Self::WarningDetail => ("line of warnings", "lines of warnings"),
            Self::Passed => ("passed test", "passed tests"),
            Self::Skipped => ("skipped test", "skipped tests"),
            Self::Build => ("step", "steps"),
            Self::Download => ("download line", "download lines"),
            Self::Install => ("install step", "install steps"),
            Self::Progress => ("state of progress", "states of progress"),
            Self::Repeat => ("line like those above", "lines like those above"),
            Self::Trace => ("line of libraries' frames", "lines of libraries' frames"),
            Self::Note => ("line of notes", "lines of notes"),
        }
    }
}

/// A line, or neighbours that were joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) stream: Stream,
    /// Where it begins in its stream.
    pub(super) start: usize,
    /// Where the text of its first line ends.
    pub(super) text_end: usize,
    /// Where the next record begins.
    pub(super) end: usize,
    /// Its first line, from 1.
    pub(super) line: u64,
    /// Its last line.
    pub(super) to_line: u64,
    /// How many were joined.
    pub(super) lines: u64,
    /// Bytes of all its lines, cleaned, with their line breaks; without states that were written
    /// over.
    pub(super) bytes: usize,
    /// Bytes of its first line, cleaned.
    pub(super) len: usize,
    /// Hash of its first line, cleaned.
    pub(super) hash: u64,
    pub(super) rank: Rank,
    pub(super) kind: Kind,
    /// How deep it stands in its block; the deepest go first when room is short.
    pub(super) depth: u8,
    /// It has a word that tells of a failure, if this run is one.
    pub(super) worded: bool,
    /// How much it says of the failure that it tells of.
    pub(super) weight: Weight,
}

impl Record {
    pub(super) fn is_failure(&self) -> bool {
        self.rank == Rank::Failure && self.kind == Kind::Failure
    }

    /// Whether lines were joined that are all the same, and so many that it is shorter to say so.
    pub(super) fn is_repeated(&self) -> bool {
        self.is_joined() && self.rank != Rank::Noise && self.bytes > self.len + MARKER_BYTES
    }

    /// Whether it stands for more than one line.
    pub(super) fn is_joined(&self) -> bool {
        self.lines > 1 && self.kind != Kind::Blank
    }
}
