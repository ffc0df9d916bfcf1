//! What a word may become when bash expands it.

use std::borrow::Cow;

use crate::analysis::Span;
use crate::tree::Word;

/// Stands in a text for a stretch that is not known. A command cannot hold this byte.
pub(crate) const UNKNOWN: char = '\0';

/// Bytes of outputs that are joined to one text.
pub(crate) const MAX_JOINED: usize = 64 << 10;

/// What a copy of a field costs beside its text.
const FIELD_WEIGHT: usize = 48;

/// One argument, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Arg<'t> {
    /// The text behind quotes and expansions; [`UNKNOWN`] stands for what is not known.
    pub(crate) text: Cow<'t, str>,
    /// Its word in the command.
    pub(crate) span: Span,
    pub(crate) traits: Traits,
    /// The word it was made of, when it was made of one.
    pub(crate) word: Option<&'t Word<'t>>,
}

/// How an argument came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// A part is not known.
    pub(crate) unknown: bool,
    /// Holds an active `*`, `?` or `[`.
    pub(crate) glob: bool,
    /// Something was expanded, so that the text is not what is written.
    pub(crate) expanded: bool,
    /// Stands for names that a program printed: where they lie is known, what they are is not.
    pub(crate) listing: bool,
    /// May hold credentials.
    pub(crate) secret: bool,
    /// Was decoded from a text that hides it.
    pub(crate) decoded: bool,
    /// Stands for processes that nothing was chosen among.
    pub(crate) everyone: bool,
}

impl Traits {
    pub(crate) const fn join(self, other: Self) -> Self {
        Self {
            unknown: self.unknown || other.unknown,
            glob: self.glob || other.glob,
            expanded: self.expanded || other.expanded,
            listing: self.listing || other.listing,
            secret: self.secret || other.secret,
            decoded: self.decoded || other.decoded,
            everyone: self.everyone || other.everyone,
        }
    }
}

impl<'t> Arg<'t> {
    /// An argument that is known as it stands.
    pub(crate) fn literal(text: impl Into<Cow<'t, str>>, span: Span) -> Self {
        Self {
            text: text.into(),
            span,
            traits: Traits::default(),
            word: None,
        }
    }

    /// An argument of which only a beginning is known.
    pub(crate) fn unknown(prefix: &str, span: Span) -> Self {
        let mut text = prefix.to_owned();
        text.push(UNKNOWN);
        let traits = Traits {
            unknown: true,
            expanded: true,
            ..Traits::default()
        };
        Self {
            text: text.into(),
            span,
            traits,
            word: None,
        }
    }

    /// An argument with stretches in it that are not known.
    pub(crate) fn unknown_as(text: String, span: Span) -> Self {
        let traits = Traits {
            unknown: true,
            expanded: true,
            ..Traits::default()
        };
        Self {
            text: text.into(),
            span,
            traits,
            word: None,
        }
    }

    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(crate) fn known(&self) -> Option<&str> {
        (!self.traits.unknown).then_some(self.text.as_ref())
    }

    /// Whether it is taken for an option.
    pub(crate) fn is_option(&self) -> bool {
        self.text.len() > 1 && self.text.starts_with('-')
    }
}

/// What a variable may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// Elements of an array, or the value; with `either`, one of these.
    pub(crate) fields: Vec<(String, Traits)>,
    /// Only one of the fields is the value.
    pub(crate) either: bool,
}

impl Value {
    pub(crate) fn one(text: String, traits: Traits) -> Self {
        Self {
            fields: vec![(text, traits)],
            either: false,
        }
    }

    pub(crate) fn unknown() -> Self {
        let traits = Traits {
            unknown: true,
            expanded: true,
            ..Traits::default()
        };
        Self::one(UNKNOWN.to_string(), traits)
    }

    /// No value at all, as of a parameter that is known not to be set.
    pub(crate) const fn nothing() -> Self {
        Self {
            fields: Vec::new(),
            either: false,
        }
    }

    /// The text that is this one and then another, when both are single texts.
    pub(crate) fn followed_by(mut self, next: &Self) -> Option<Self> {
        let ([(first, traits)], [(second, others)]) =
            (self.fields.as_mut_slice(), next.fields.as_slice())
        else {
            return None;
        };
        if first.len() + second.len() > MAX_JOINED {
            return None;
        }
        first.push_str(second);
        *traits = traits.join(*others);
        Some(self)
    }

    /// What a copy of it costs.
    pub(crate) fn weight(&self) -> usize {
        let of = |(text, _): &(String, Traits)| text.len() + FIELD_WEIGHT;
        self.fields.iter().map(of).sum()
    }
}
