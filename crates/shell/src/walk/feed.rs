//! What flows through pipes, as far as it matters to what reads it as code, as names or as data.

use std::rc::Rc;

use super::Walker;
use super::arg::{Traits, Value};
use super::source::Origin;
use crate::analysis::Span;

/// Stands for the names of all files in the working directory.
pub(crate) const EVERYTHING: &str = "*";

/// Bytes of a path; systems have it that none is longer.
const MAX_NAME: usize = 4_096;

/// What a command reads on its standard input.
#[derive(Clone, Debug, Default)]
pub(crate) enum Feed {
    /// Whatever the caller gives; closed by default.
    #[default]
    None,
    /// This text.
    Text(Rc<Text>),
    /// Names of files below this directory.
    Paths(String),
    /// A file that was opened for it.
    File(String),
    /// What is in this file, read by another program.
    Contents(String),
    /// Something from another machine.
    Network,
    /// Something that was decoded or decrypted.
    Decoded,
    /// Credentials, or what may hold them.
    Secrets,
    /// The numbers of processes that nothing was chosen among.
    Processes,
    /// Something without end.
    Endless,
    /// Something else.
    Opaque,
}

/// A text that is read, with its way back to the command.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) origin: Origin,
    /// Parts of it are not known: expansions in the body of a here-document.
    pub(crate) raw: bool,
}

impl Feed {
    pub(crate) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// What comes from a path. One that is longer than any path can be is not followed, because
    /// what is read is kept for each command that may read it.
    pub(crate) fn of_path(path: String, feed: impl FnOnce(String) -> Self) -> Self {
        if path.len() > MAX_NAME {
            Self::Opaque
        } else {
            feed(path)
        }
    }

    pub(crate) fn text(text: String, span: Span) -> Self {
        Self::Text(Rc::new(Text {
            text,
            origin: Origin::Whole(span),
            raw: false,
        }))
    }
}

/// What a command writes to its standard output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// The text, or the choice of texts, when it is known.
    pub(crate) value: Option<Value>,
    pub(crate) span: Span,
    /// Names of files below this directory.
    pub(crate) paths: Option<String>,
    /// What is in this file.
    pub(crate) file: Option<String>,
    pub(crate) network: bool,
    pub(crate) decoded: bool,
    pub(crate) secret: bool,
    /// Processes that nothing was chosen among, or those of the system.
    pub(crate) everyone: bool,
    /// It hands on only some of what it reads.
    pub(crate) selects: bool,
    /// It hands on what it reads: a filter.
    pub(crate) filter: bool,
    /// It hands on exactly what it reads, as `cat` and `tee` do.
    pub(crate) same: bool,
    /// It writes nothing.
    pub(crate) silent: bool,
    /// It writes without end.
    pub(crate) endless: bool,
}

impl Output {
    pub(super) fn silent() -> Self {
        Self {
            silent: true,
            ..Self::default()
        }
    }

    /// What the next command of the pipeline reads.
    pub(super) fn into_feed(self, read: Feed) -> Feed {
        if self.endless {
            return Feed::Endless;
        }
        if self.network {
            return Feed::Network;
        }
        if self.secret {
            return Feed::Secrets;
        }
        if self.everyone {
            return Feed::Processes;
        }
        if self.decoded {
            return match read {
                read @ (Feed::Network | Feed::Secrets | Feed::Endless) => read,
                _ => Feed::Decoded,
            };
        }
        if let Some(value) = self.value {
            if let ([(text, traits)], false) = (value.fields.as_slice(), value.either)
                && !traits.unknown
            {
                return Feed::text(text.clone(), self.span);
            }
            return if value.fields.iter().any(|(_, traits)| traits.secret) {
                Feed::Secrets
            } else {
                Feed::Opaque
            };
        }
        if let Some(paths) = self.paths {
            return Feed::of_path(paths, Feed::Paths);
        }
        if let Some(file) = self.file {
            return Feed::of_path(file, Feed::Contents);
        }
        match read {
            read @ (Feed::Network | Feed::Decoded | Feed::Secrets) => read,
            Feed::Endless if self.filter && !self.selects => Feed::Endless,
            Feed::Processes if self.filter && !self.selects => Feed::Processes,
            Feed::Paths(paths) if self.filter => Feed::Paths(paths),
            read @ (Feed::Text(_) | Feed::File(_) | Feed::Contents(_)) if self.same => read,
            _ => Feed::Opaque,
        }
    }

    /// What is written when all of a feed is.
    fn of_feed(feed: &Feed) -> Self {
        let mut output = Self::default();
        match feed {
            Feed::Text(text) if !text.raw => {
                output.value = Some(Value::one(text.text.clone(), Traits::default()));
                output.span = text.origin.span(Span::new(0, text.text.len()));
            }
            Feed::Paths(paths) => output.paths = Some(paths.clone()),
            Feed::Contents(file) => output.file = Some(file.clone()),
            Feed::Network => output.network = true,
            Feed::Decoded => output.decoded = true,
            Feed::Secrets => output.secret = true,
            Feed::Processes => output.everyone = true,
            Feed::Endless => output.endless = true,
            _ => {}
        }
        output
    }

    /// What this command and then another one write to the same place.
    pub(super) fn then(self, next: Self) -> Self {
        if self.silent {
            return next;
        }
        if next.silent {
            return self;
        }
        let value = match (self.value, &next.value) {
            (Some(first), Some(second)) => first.followed_by(second),
            _ => None,
        };
        Self {
            value,
            span: self.span,
            paths: self
                .paths
                .filter(|paths| next.paths.as_ref() == Some(paths)),
            file: None,
            network: self.network || next.network,
            decoded: self.decoded || next.decoded,
            secret: self.secret || next.secret,
            everyone: self.everyone || next.everyone,
            selects: self.selects || next.selects,
            filter: self.filter || next.filter,
            same: false,
            silent: false,
            endless: self.endless || next.endless,
        }
    }
}

impl Walker<'_> {
    /// What a whole pipeline writes, or a program that hands on all that it reads.
    pub(crate) fn output_of(&mut self, feed: &Feed) -> Output {
        let affordable = match feed {
            Feed::Text(text) => self.spend(text.text.len()),
            _ => true,
        };
        if affordable {
            Output::of_feed(feed)
        } else {
            Output::default()
        }
    }
}
