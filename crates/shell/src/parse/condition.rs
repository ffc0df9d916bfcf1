//! `[[ … ]]`: its own small grammar, in which `<`, `>` and parentheses mean something else.

use super::word::ends_word;
use super::{Parsed, Parser};
use crate::analysis::Span;
use crate::tree::{CommandKind, Part, Word};

impl<'t> Parser<'t> {
    /// Behind `[[`.
    pub(super) fn condition(&mut self) -> Parsed<CommandKind<'t>> {
        let mut words = Vec::new();
        self.alternatives(&mut words)?;
        self.expect_word("]]")?;
        Ok(CommandKind::Cond(words))
    }

    fn alternatives(&mut self, words: &mut Vec<Word<'t>>) -> Parsed<()> {
        loop {
            self.term(words)?;
            self.newlines()?;
            if self.looking_at(b"&&") || self.looking_at(b"||") {
                self.pos += 2;
            } else {
                return Ok(());
            }
        }
    }

    fn term(&mut self, words: &mut Vec<Word<'t>>) -> Parsed<()> {
        self.newlines()?;
        while self.raw_word() == "!" {
            self.pos += 1;
            self.newlines()?;
        }
        if self.peek() == Some(b'(') {
            self.pos += 1;
            self.deeper(|p| p.alternatives(words))?;
            self.newlines()?;
            return self.expect_byte(b')');
        }
        if self.raw_word() == "]]" {
            return Err(self.unexpected());
        }
        let first = self.needed_word()?;
        let unary = is_unary(self.slice(first.span.start, first.span.end));
        words.push(first);
        self.blanks();
        if self.operator() {
            let operator_at = words.len();
            self.binary(words)?;
            return if words.len() > operator_at {
                Ok(())
            } else {
                Err(self.unexpected())
            };
        }
        if unary && !self.at_term_end() {
            words.push(self.needed_word()?);
        }
        Ok(())
    }

    fn at_term_end(&self) -> bool {
        matches!(self.peek(), None | Some(b')' | b'&' | b'|' | b'\n')) || self.raw_word() == "]]"
    }

    /// Whether a binary operator stands here.
    fn operator(&self) -> bool {
        matches!(self.peek(), Some(b'<' | b'>')) && self.peek_at(1) != Some(b'(')
            || matches!(
                self.raw_word(),
                "=" | "=="
                    | "!="
                    | "=~"
                    | "-eq"
                    | "-ne"
                    | "-lt"
                    | "-le"
                    | "-gt"
                    | "-ge"
                    | "-nt"
                    | "-ot"
                    | "-ef"
            )
    }

    /// A binary operator and its right side.
    fn binary(&mut self, words: &mut Vec<Word<'t>>) -> Parsed<()> {
        let start = self.pos;
        let raw = self.raw_word();
        self.pos += raw.len().max(1);
        let span = Span::new(start, self.pos);
        words.push(Word {
            parts: vec![Part::Quoted(span)],
            span,
        });
        self.blanks();
        if self.at_term_end() {
            words.pop();
            return Ok(());
        }
        let word = if matches!(raw, "=~" | "=" | "==" | "!=") {
            self.pattern(raw == "=~")?
        } else {
            self.needed_word()?
        };
        words.push(word);
        Ok(())
    }

    /// A pattern or a regular expression, in which parentheses and, for the latter, bars are
    /// ordinary.
    fn pattern(&mut self, regex: bool) -> Parsed<Word<'t>> {
        let start = self.pos;
        let mut parts = Vec::new();
        let mut open = 0_usize;
        loop {
            let from = self.pos;
            let rest = self.bytes.get(from..).unwrap_or_default();
            let len = rest
                .iter()
                .position(|b| ends_word(*b) || matches!(b, b'\'' | b'"' | b'\\' | b'$' | b'`'))
                .unwrap_or(rest.len());
            self.pos += len;
            if len > 0 {
                parts.push(Part::Plain(Span::new(from, self.pos)));
            }
            match self.peek() {
                None => break,
                Some(b'(') if regex || open > 0 || self.extends_pattern() => {
                    open += 1;
                    self.pos += 1;
                }
                Some(b')') if open > 0 => {
                    open -= 1;
                    self.pos += 1;
                }
                Some(b'|') if open > 0 || (regex && self.peek_at(1) != Some(b'|')) => self.pos += 1,
                Some(b'<' | b'>') if open > 0 => self.pos += 1,
                Some(b' ' | b'\t' | b'&' | b';') if open > 0 => self.pos += 1,
                Some(b) if ends_word(b) => break,
                Some(_) => self.active(&mut parts)?,
            }
        }
        if open > 0 || self.pos == start {
            return Err(self.unexpected());
        }
        Ok(Word {
            parts,
            span: Span::new(start, self.pos),
        })
    }
}

impl Parser<'_> {
    /// Whether what stands before the parenthesis here makes it part of a pattern.
    fn extends_pattern(&self) -> bool {
        let before = self.pos.checked_sub(1).and_then(|at| self.bytes.get(at));
        before.is_some_and(|b| matches!(b, b'@' | b'?' | b'*' | b'+' | b'!'))
    }
}

fn is_unary(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next() == Some(b'-')
        && bytes
            .next()
            .is_some_and(|b| b"abcdefghknoprstuvwxzGLNORS".contains(&b))
        && bytes.next().is_none()
}
