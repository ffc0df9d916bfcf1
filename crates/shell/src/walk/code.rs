//! Code inside of arguments: for a shell, which is parsed like the command itself, or in another
//! language, which is looked into for the plain cases.

use super::arg::{Arg, UNKNOWN};
use super::budget::NODE_COST;
use super::source::{Origin, Source};
use super::{Feed, Walker};
use crate::analysis::Span;
use crate::effects::Call;
use crate::parse::{MAX_DEPTH, parse};
use crate::tree::{Part, Script, Word};

/// A variable that no text sets.
const NOT_KNOWN: &str = "${__}";

/// Shells by name.
pub(crate) fn is_shell(name: &str) -> bool {
    matches!(
        name,
        "bash" | "sh" | "zsh" | "dash" | "ksh" | "ash" | "mksh" | "rbash" | "fish" | "csh" | "tcsh"
    )
}

impl Walker<'_> {
    /// Code for a shell. `separate` says that it runs in a process of its own.
    pub(crate) fn shell_body(&mut self, text: &str, origin: Origin, separate: bool) {
        let span = origin.span(Span::new(0, text.len().max(1)));
        if self.depth >= MAX_DEPTH {
            self.found.note("too-deep", span);
            return;
        }
        if !self.can_read(text.len(), span) {
            return;
        }
        // What is not known becomes a variable that is not known, so that the rest can be judged.
        let (text, origin) = if text.contains(UNKNOWN) {
            let origin = spread(text, origin);
            (text.replace(UNKNOWN, NOT_KNOWN), origin)
        } else {
            (text.to_owned(), origin)
        };
        let Some(script) = self.read_code(&text, self.depth, span) else {
            return;
        };
        if script.failure.is_some() {
            self.found.note("hidden-code", span);
        }
        let source = Source {
            text: &text,
            heredocs: &script.heredocs,
            origin,
        };
        let computed = matches!(source.origin, Origin::Whole(_));
        let latest = self.latest;
        if computed {
            self.nest.push(latest);
        }
        self.inner(|w| {
            if separate {
                w.elsewhere(|w| w.scoped(|w| w.list(&source, &script.list)));
            } else {
                w.list(&source, &script.list);
            }
        });
        if computed {
            self.nest.pop();
            self.latest = latest;
        }
    }

    /// Parses code inside of an argument, if that can still be afforded.
    pub(super) fn read_code<'t>(
        &mut self,
        text: &'t str,
        depth: usize,
        span: Span,
    ) -> Option<Script<'t>> {
        if !self.charge_body(text.len(), span) {
            return None;
        }
        let script = parse(text, depth);
        self.charge(script.nodes * NODE_COST, span)
            .then_some(script)
    }

    /// What an interpreter reads as code on its standard input. Nothing is said for a closed one.
    pub(crate) fn code_from_feed(&mut self, call: &Call<'_, '_>) {
        let feed = std::mem::take(&mut self.feed);
        self.code_from(call, &feed);
        self.feed = feed;
    }

    /// The same for what is read from anywhere.
    pub(crate) fn code_from(&mut self, call: &Call<'_, '_>, feed: &Feed) {
        match feed {
            Feed::None => {}
            Feed::Endless => {}
            Feed::Text(text) if is_shell(call.name) => {
                self.shell_body(&text.text, text.origin.clone(), true);
            }
            Feed::Text(text) => self.foreign_code(call.name, &text.text, text.origin.clone()),
            Feed::File(file) => {
                let file = Arg::literal(file.clone(), call.span);
                self.check_content(call.name, &file);
                let containers = ["docker", "podman", "nerdctl", "docker-compose"];
                if let Some(via) = &self.via
                    && !containers.contains(&via.as_str())
                {
                    self.found.note("script-elsewhere", call.span);
                }
            }
            Feed::Network => self.found.note("code-from-network", call.span),
            Feed::Decoded => self.found.note("decoded-code", call.span),
            Feed::Paths(_) | Feed::Contents(_) | Feed::Secrets | Feed::Opaque | Feed::Processes => {
                self.found.note("hidden-code", call.span);
            }
        }
    }
}

/// Where the text of an argument stands in the command: piece by piece when it was only quoted,
/// as a whole when it was computed.
pub(super) fn origin(source: &Source<'_>, arg: &Arg<'_>) -> Origin {
    match arg.word {
        Some(word) => word_origin(source, word, &arg.text),
        None => Origin::Whole(arg.span),
    }
}

/// The same for the text that a word became.
pub(super) fn word_origin(source: &Source<'_>, word: &Word<'_>, text: &str) -> Origin {
    if matches!(source.origin, Origin::Shifted(_)) {
        let mut pieces = Vec::new();
        let mut at = 0;
        if place_parts(source, &word.parts, text, &mut at, &mut pieces) && at == text.len() {
            return Origin::Pieces(pieces);
        }
    }
    Origin::Whole(source.span(word.span))
}

fn place_parts(
    source: &Source<'_>,
    parts: &[Part<'_>],
    text: &str,
    at: &mut usize,
    pieces: &mut Vec<(usize, usize)>,
) -> bool {
    parts.iter().all(|part| {
        let (span, length) = match part {
            Part::Plain(span) | Part::Quoted(span) => (*span, span.end - span.start),
            Part::Double(parts) => return place_parts(source, parts, text, at, pieces),
            // An expansion whose value is not known stands in the text as one letter.
            Part::Param(param) => (param.span, UNKNOWN.len_utf8()),
            Part::Substitution(_, span) | Part::Backquote(span) | Part::Arith(_, span) => {
                (*span, UNKNOWN.len_utf8())
            }
            _ => return false,
        };
        let known = matches!(part, Part::Plain(_) | Part::Quoted(_));
        let here = text.get(*at..).unwrap_or_default();
        if !known && !here.starts_with(UNKNOWN) {
            return false;
        }
        pieces.push((*at, source.span(span).start));
        *at += length;
        true
    })
}

/// The way back from a text in which [`NOT_KNOWN`] stands for what is not known.
fn spread(text: &str, origin: Origin) -> Origin {
    let span = origin.span(Span::new(0, text.len().max(1)));
    let Origin::Pieces(pieces) = origin else {
        return Origin::Whole(span);
    };
    let more = NOT_KNOWN.len() - UNKNOWN.len_utf8();
    let mut unknown = text.match_indices(UNKNOWN).map(|(at, _)| at).peekable();
    let mut grown = 0;
    let pieces = pieces
        .into_iter()
        .map(|(at, command)| {
            while unknown.next_if(|unknown| *unknown < at).is_some() {
                grown += more;
            }
            (at + grown, command)
        })
        .collect();
    Origin::Pieces(pieces)
}
