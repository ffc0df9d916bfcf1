//! What is decided about one line.

use super::blocks::Block;
use super::records::{Kind, Rank, Weight};

/// What was decided about one line.
pub(super) struct Judged {
    pub(super) rank: Rank,
    pub(super) kind: Kind,
    pub(super) depth: u8,
    pub(super) worded: bool,
    pub(super) head: bool,
    pub(super) weight: Weight,
}

impl Judged {
    pub(super) const fn new(rank: Rank, kind: Kind) -> Self {
        Self {
            rank,
            kind,
            depth: 0,
            worded: false,
            head: false,
            weight: Weight::Headline,
        }
    }

    pub(super) const fn failure() -> Self {
        Self::new(Rank::Failure, Kind::Failure)
    }

    /// A line that opens a block of a failure. What opens a traceback says nothing of it.
    pub(super) fn opens(block: Block) -> Self {
        let weight = match block {
            Block::Traceback => Weight::Detail,
            _ => Weight::Headline,
        };
        Self {
            weight,
            ..Self::failure()
        }
    }

    pub(super) const fn noise(kind: Kind) -> Self {
        Self::new(Rank::Noise, kind)
    }
}
