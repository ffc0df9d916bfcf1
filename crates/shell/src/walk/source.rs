//! Where a text that is being walked came from, so that spans point into the command.

use crate::analysis::Span;
use crate::tree::HereDoc;

/// A text with its way back to the command.
pub(crate) struct Source<'t> {
    pub(crate) text: &'t str,
    pub(crate) heredocs: &'t [HereDoc<'t>],
    pub(crate) origin: Origin,
}

/// How offsets in a text relate to offsets in the command.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The same, shifted.
    Shifted(usize),
    /// Stretches of (offset in the text, offset in the command), ascending.
    Pieces(Vec<(usize, usize)>),
    /// The text was computed; all of it stands for this part of the command.
    Whole(Span),
}

impl Origin {
    /// The part of the command that a part of the text stands for.
    pub(crate) fn span(&self, local: Span) -> Span {
        match self {
            Self::Shifted(by) => Span::new(local.start + by, local.end + by),
            Self::Whole(span) => *span,
            Self::Pieces(pieces) => {
                let start = place(pieces, local.start);
                let last = local.end.max(local.start + 1) - 1;
                Span::new(start, (place(pieces, last) + 1).max(start))
            }
        }
    }
}

fn place(pieces: &[(usize, usize)], at: usize) -> usize {
    let index = pieces
        .partition_point(|(text, _)| *text <= at)
        .saturating_sub(1);
    pieces
        .get(index)
        .map_or(0, |(text, command)| command + at.saturating_sub(*text))
}

impl<'t> Source<'t> {
    /// The origin of a stretch of the text, as a text of its own.
    pub(crate) fn origin_at(&self, local: Span) -> Origin {
        match &self.origin {
            Origin::Shifted(by) => Origin::Shifted(by + local.start),
            _ => Origin::Whole(self.span(local)),
        }
    }

    pub(crate) fn span(&self, local: Span) -> Span {
        self.origin.span(local)
    }

    pub(crate) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }
}
