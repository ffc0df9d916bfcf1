//! A recursive-descent parser for bash, without a separate token stage: what a byte means in
//! bash depends on where the grammar stands, so the grammar reads the bytes itself.
//!
//! It runs in linear time. `((`, which bash itself can only tell from `( (` by looking for its end,
//! and brackets are read ahead; that is counted, and a text that makes it read ahead over and over
//! is not read to its end. Aliases are not expanded, because the shells that run what is parsed
//! here do not expand them. Where bash postpones parsing to expansion (backquotes, `${…}`
//! operators), so does this parser.

mod compound;
mod condition;
mod dollar;
mod heredoc;
mod redirect;
mod simple;
mod word;

use std::collections::HashMap;

use crate::analysis::Span;
use crate::tree::{AndOr, Command, Failure, FailureKind, HereDoc, List, Pipeline, Script};

/// Nested constructs that are followed. More is not judged but reported as not understood; the
/// parser's own stack stays far below the 2 MiB that a thread has by default.
pub(crate) const MAX_DEPTH: usize = 48;

/// Bytes of text that are parsed. The wire allows 128 KiB; bodies of scripts may be longer.
pub(crate) const MAX_TEXT: usize = 4 << 20;

/// Commands that are parsed in one text. Beyond any script that a person would look through.
pub(crate) const MAX_COMMANDS: usize = 12_000;

/// Words that are parsed in one text, so that a single endless command has an end as well.
pub(crate) const MAX_WORDS: usize = 40_000;

/// Expansions that are parsed in one text; a single word can hold any number of them.
pub(crate) const MAX_EXPANSIONS: usize = 30_000;

pub(crate) type Parsed<T> = Result<T, Failure>;

/// Parses a whole text; `depth` is how deep in other texts it was found.
pub(crate) fn parse(text: &str, depth: usize) -> Script<'_> {
    let mut parser = Parser::new(text, depth);
    let mut list = Vec::new();
    let failure = if text.len() > MAX_TEXT {
        Some(parser.long())
    } else if memchr::memchr(0, text.as_bytes()).is_some() {
        Some(parser.syntax("a NUL byte cannot be part of a command"))
    } else {
        parser.program(&mut list).err()
    };
    Script {
        text,
        list,
        nodes: parser.nodes(),
        heredocs: parser.heredocs,
        failure,
    }
}

/// A text that is expanded a second time, as between double quotes.
pub(crate) struct QuotedText<'t> {
    /// `None` when it cannot be parsed.
    pub(crate) word: Option<crate::tree::Word<'t>>,
    pub(crate) heredocs: Vec<HereDoc<'t>>,
    /// As that of a [`Script`].
    pub(crate) nodes: usize,
}

/// Parses the expansions in a text that has no quotes of its own.
pub(crate) fn parse_quoted(text: &str, depth: usize) -> QuotedText<'_> {
    let mut parser = Parser::new(text, depth);
    let word = parser
        .deeper(|p| p.quoted_parts(word::Quoting::HereDoc, None))
        .ok()
        .map(|parts| crate::tree::Word {
            parts,
            span: Span::new(0, text.len()),
        });
    QuotedText {
        word,
        nodes: parser.nodes(),
        heredocs: parser.heredocs,
    }
}

struct Parser<'t> {
    text: &'t str,
    /// The bytes up to where the innermost bounded stretch ends.
    bytes: &'t [u8],
    pos: usize,
    depth: usize,
    pending: Vec<heredoc::Pending<'t>>,
    heredocs: Vec<HereDoc<'t>>,
    /// Whether the text speaks of `extglob`, once asked.
    extglob: Option<bool>,
    commands: usize,
    words: usize,
    expansions: usize,
    /// Bytes that were read ahead.
    looked: usize,
    /// Where parentheses are closed, by where their insides start.
    ends: HashMap<usize, usize>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, depth: usize) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            pos: 0,
            depth,
            pending: Vec::new(),
            heredocs: Vec::new(),
            extglob: None,
            commands: 0,
            words: 0,
            expansions: 0,
            looked: 0,
            ends: HashMap::new(),
        }
    }

    fn nodes(&self) -> usize {
        self.commands + self.words + self.expansions
    }

    /// Everything up to the end of the text. Complete items stay in `list` on a failure.
    fn program(&mut self, list: &mut List<'t>) -> Parsed<()> {
        self.items(list)?;
        if self.pos < self.bytes.len() {
            Err(self.unexpected())
        } else {
            Ok(())
        }
    }

    /// A list, up to something that cannot start a command, which is left for the caller.
    fn list(&mut self) -> Parsed<List<'t>> {
        let mut list = Vec::new();
        self.items(&mut list)?;
        Ok(list)
    }

    /// A list with at least one command, as the branches of compound commands need.
    fn body(&mut self) -> Parsed<List<'t>> {
        let list = self.list()?;
        if list.is_empty() {
            Err(self.unexpected())
        } else {
            Ok(list)
        }
    }

    fn items(&mut self, list: &mut List<'t>) -> Parsed<()> {
        loop {
            self.newlines()?;
            if self.at_list_end() {
                return Ok(());
            }
            let mut item = self.and_or()?;
            self.blanks();
            match self.peek() {
                Some(b'&') if self.peek_at(1) != Some(b'&') => {
                    item.background = Some(self.pos);
                    self.pos += 1;
                }
                Some(b';') if !matches!(self.peek_at(1), Some(b';' | b'&')) => self.pos += 1,
                Some(b'\n') => {}
                _ => {
                    list.push(item);
                    return Ok(());
                }
            }
            list.push(item);
        }
    }

    fn and_or(&mut self) -> Parsed<AndOr<'t>> {
        let mut pipelines = vec![self.pipeline()?];
        loop {
            self.blanks();
            if self.looking_at(b"&&") || self.looking_at(b"||") {
                self.pos += 2;
                self.newlines()?;
                pipelines.push(self.pipeline()?);
            } else {
                return Ok(AndOr {
                    pipelines,
                    background: None,
                });
            }
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline<'t>> {
        let prefixed = self.pipeline_prefix();
        if prefixed && matches!(self.peek(), None | Some(b'\n' | b';' | b')')) {
            // `!` and `time` alone are commands that do nothing.
            return Ok(Pipeline {
                prefixed,
                commands: Vec::new(),
            });
        }
        let mut commands = vec![self.command()?];
        loop {
            self.blanks();
            if self.peek() != Some(b'|') || self.peek_at(1) == Some(b'|') {
                return Ok(Pipeline { prefixed, commands });
            }
            self.pos += if self.peek_at(1) == Some(b'&') { 2 } else { 1 };
            self.newlines()?;
            if self.raw_word() == "!" {
                // Only a whole pipeline can be negated.
                return Err(self.unexpected());
            }
            commands.push(self.command()?);
        }
    }

    /// Skips `!` and `time [-p] [--]`; whether there were any.
    fn pipeline_prefix(&mut self) -> bool {
        let mut seen = false;
        loop {
            self.blanks();
            match self.raw_word() {
                "!" => self.pos += 1,
                "time" => {
                    self.pos += 4;
                    self.blanks();
                    if self.raw_word() == "-p" {
                        self.pos += 2;
                        self.blanks();
                    }
                    if self.raw_word() == "--" {
                        self.pos += 2;
                    }
                }
                _ => break,
            }
            seen = true;
        }
        seen
    }

    fn command(&mut self) -> Parsed<Command<'t>> {
        self.commands += 1;
        if self.commands > MAX_COMMANDS {
            return Err(self.long());
        }
        self.blanks();
        let start = self.pos;
        let kind = match self.compound()? {
            Some(kind) => kind,
            None if self.at_closing_word() => return Err(self.unexpected()),
            None => return self.simple(start),
        };
        let redirects = self.redirects()?;
        Ok(Command {
            kind,
            redirects,
            span: Span::new(start, self.pos),
        })
    }

    /// Whether a list cannot go on here.
    fn at_list_end(&self) -> bool {
        match self.peek() {
            None | Some(b')') => true,
            Some(b';') => matches!(self.peek_at(1), Some(b';' | b'&')),
            _ => self.at_closing_word(),
        }
    }

    /// Whether a reserved word stands here that ends a part of a compound command.
    fn at_closing_word(&self) -> bool {
        matches!(
            self.peek(),
            Some(b'}' | b'd' | b't' | b'f' | b'e' | b'i' | b']')
        ) && matches!(
            self.raw_word(),
            "}" | "do" | "done" | "then" | "fi" | "else" | "elif" | "esac" | "in" | "]]"
        )
    }
}

/// The ground: bytes, blanks, words as they are written.
impl<'t> Parser<'t> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.pos + ahead).copied()
    }

    fn looking_at(&self, what: &[u8]) -> bool {
        self.bytes
            .get(self.pos..)
            .is_some_and(|rest| rest.starts_with(what))
    }

    fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Skips blanks, continued lines and a comment.
    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.pos += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.pos += 2,
                Some(b'#') => {
                    let rest = self.bytes.get(self.pos..).unwrap_or_default();
                    self.pos += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                    return;
                }
                _ => return,
            }
        }
    }

    /// Skips blanks and newlines, reading the here-documents that begin behind a newline.
    fn newlines(&mut self) -> Parsed<()> {
        loop {
            self.blanks();
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.pos += 1;
            if !self.pending.is_empty() {
                self.heredoc_bodies()?;
            }
        }
    }

    /// The bytes up to the next metacharacter, as written; reserved words are told by it.
    fn raw_word(&self) -> &'t str {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        // No reserved word is longer than `function`; a longer word need not be read to its end.
        let len = rest
            .iter()
            .take(9)
            .position(|b| word::ends_word(*b))
            .unwrap_or_else(|| rest.len().min(9));
        self.text.get(self.pos..self.pos + len).unwrap_or_default()
    }

    /// Takes the reserved word, or fails.
    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        self.newlines()?;
        if self.raw_word() == word {
            self.pos += word.len();
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Takes the byte, or fails.
    fn expect_byte(&mut self, byte: u8) -> Parsed<()> {
        self.blanks();
        if self.peek() == Some(byte) {
            self.pos += 1;
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            let message = "nested deeper than what is analysed";
            return Err(Failure {
                kind: FailureKind::Deep,
                message,
                at: self.pos,
            });
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Runs `inner` on the stretch up to `end`, and continues at `after`.
    fn bounded<T>(
        &mut self,
        end: usize,
        after: usize,
        inner: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let outer = self.bytes;
        self.bytes = outer.get(..end).unwrap_or(outer);
        let result = inner(self);
        self.bytes = outer;
        self.pos = after;
        result
    }

    fn long(&self) -> Failure {
        let message = "longer than what is analysed";
        Failure {
            kind: FailureKind::Long,
            message,
            at: self.pos,
        }
    }

    fn syntax(&self, message: &'static str) -> Failure {
        Failure {
            kind: FailureKind::Syntax,
            message,
            at: self.pos,
        }
    }

    fn unexpected(&self) -> Failure {
        self.syntax(match self.peek() {
            None => "the text ends where more is needed",
            Some(b'\n') => "a newline stands where it cannot",
            Some(b'(' | b')') => "a parenthesis stands where it cannot",
            Some(b';') => "a `;` stands where it cannot",
            Some(b'&' | b'|') => "an operator stands where a command is needed",
            Some(b'<' | b'>') => "a redirection stands where it cannot",
            Some(_) => "a word stands where it cannot",
        })
    }
}
