//! What flows through pipes, as far as it matters to what reads it as code or as names.

use super::arg::Value;
use crate::analysis::Span;

/// Stands for the names of all files in the working directory.
pub(crate) const EVERYTHING: &str = "*";

/// What a command reads on its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Whatever the caller gives; closed by default.
    #[default]
    None,
    /// This text.
    Text(String, Span),
    /// The body of the here-document with this index.
    HereDoc(usize),
    /// Names of files below this directory.
    Paths(String),
    /// A file.
    File(String),
    /// Something from another machine.
    Network,
    /// Something that was decoded or decrypted.
    Decoded,
    /// Something else.
    Opaque,
}

/// What a command writes to its standard output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// The text, or the choice of texts, when it is known.
    pub(crate) value: Option<Value>,
    pub(crate) span: Span,
    /// Names of files below this directory.
    pub(crate) paths: Option<String>,
    pub(crate) network: bool,
    pub(crate) decoded: bool,
    /// It hands on what it reads: a filter.
    pub(crate) filter: bool,
    /// It hands on exactly what it reads, as `cat` and `tee` do.
    pub(crate) same: bool,
}

impl Output {
    /// What the next command of the pipeline reads.
    pub(super) fn into_feed(self, read: Feed) -> Feed {
        if self.network {
            return Feed::Network;
        }
        if self.decoded {
            return if read == Feed::Network {
                Feed::Network
            } else {
                Feed::Decoded
            };
        }
        if let Some(value) = &self.value {
            if let ([(text, traits)], false) = (value.fields.as_slice(), value.either)
                && !traits.unknown
            {
                return Feed::Text(text.clone(), self.span);
            }
            return Feed::Opaque;
        }
        if let Some(paths) = self.paths {
            return Feed::Paths(paths);
        }
        match read {
            Feed::Network => Feed::Network,
            Feed::Decoded => Feed::Decoded,
            Feed::Paths(paths) if self.filter => Feed::Paths(paths),
            read @ (Feed::Text(..) | Feed::HereDoc(_) | Feed::File(_)) if self.same => read,
            _ => Feed::Opaque,
        }
    }

    /// What a whole pipeline writes.
    pub(super) fn piped(feed: &Feed) -> Self {
        let mut output = Self::default();
        match feed {
            Feed::Text(text, span) => {
                output.value = Some(Value::one(text.clone(), super::arg::Traits::default()));
                output.span = *span;
            }
            Feed::Paths(paths) => output.paths = Some(paths.clone()),
            Feed::Network => output.network = true,
            Feed::Decoded => output.decoded = true,
            _ => {}
        }
        output
    }
}
