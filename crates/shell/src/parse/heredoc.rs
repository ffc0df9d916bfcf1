//! Here-documents: their bodies begin behind the next newline.

use super::word::Quoting;
use super::{Parsed, Parser};
use crate::analysis::Span;
use crate::tree::{HereDoc, Part, Word};

/// A here-document whose body was not read yet.
pub(super) struct Pending<'t> {
    /// Place of its body in the script's list.
    index: usize,
    delimiter: std::borrow::Cow<'t, str>,
    /// `<<-`: leading tabs are not part of the lines.
    strips_tabs: bool,
    expands: bool,
}

impl<'t> Parser<'t> {
    /// Notes a here-document with this delimiter; its body gets the returned index.
    pub(super) fn heredoc(&mut self, delimiter: &Word<'t>, strips_tabs: bool) -> usize {
        let index = self.heredocs.len();
        let here = Span::new(self.bytes.len(), self.bytes.len());
        self.heredocs.push(HereDoc {
            expands: false,
            at: delimiter.span.start,
            body: Word {
                parts: Vec::new(),
                span: here,
            },
        });
        let plain = delimiter
            .parts
            .iter()
            .all(|part| matches!(part, Part::Plain(_)));
        let raw = self.slice(delimiter.span.start, delimiter.span.end);
        let delimiter = if plain {
            raw.into()
        } else {
            unquoted(raw).into()
        };
        self.pending.push(Pending {
            index,
            delimiter,
            strips_tabs,
            expands: plain || !quotes(raw),
        });
        index
    }

    /// Reads the bodies of all noted here-documents, in order.
    pub(super) fn heredoc_bodies(&mut self) -> Parsed<()> {
        for pending in std::mem::take(&mut self.pending) {
            let start = self.pos;
            let (end, after) = self.heredoc_end(&pending);
            let parts = if pending.expands {
                self.postponed(end, after, Quoting::HereDoc)?
            } else {
                self.pos = after;
                vec![Part::Quoted(Span::new(start, end))]
            };
            if let Some(doc) = self.heredocs.get_mut(pending.index) {
                doc.expands = pending.expands;
                doc.body = Word {
                    parts,
                    span: Span::new(start, end),
                };
            }
        }
        Ok(())
    }

    /// Where the body ends, and where the line behind its delimiter starts. A body without a
    /// delimiter ends with the text, as bash has it (with a warning).
    fn heredoc_end(&self, pending: &Pending<'_>) -> (usize, usize) {
        let mut line_start = self.pos;
        let mut continued = false;
        while line_start < self.bytes.len() {
            let rest = self.bytes.get(line_start..).unwrap_or_default();
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest.get(..len).unwrap_or_default();
            let after = (line_start + len + 1).min(self.bytes.len());
            let tabs = line
                .iter()
                .take_while(|b| pending.strips_tabs && **b == b'\t')
                .count();
            if !continued && line.get(tabs..) == Some(pending.delimiter.as_bytes()) {
                return (line_start, after);
            }
            let slashes = line.iter().rev().take_while(|b| **b == b'\\').count();
            continued = pending.expands && slashes % 2 == 1;
            line_start = after;
        }
        (self.bytes.len(), self.bytes.len())
    }
}

fn quotes(raw: &str) -> bool {
    raw.bytes().any(|b| matches!(b, b'\'' | b'"' | b'\\'))
}

/// Quote removal as bash does it for a delimiter: nothing else in it acts.
fn unquoted(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut quote = None;
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            ('\\', None) => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}
