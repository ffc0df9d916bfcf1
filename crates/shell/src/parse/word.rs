//! Words: plain text, quotes, expansions.

use super::dollar::UNCLOSED_BRACE;
use super::{MAX_EXPANSIONS, MAX_WORDS, Parsed, Parser};
use crate::analysis::Span;
use crate::tree::{Failure, FailureKind, Part, Word};

/// Where quoted text stands, which decides what `"` and `\` mean in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// In `"…"`.
    Double,
    /// In the body of a here-document.
    HereDoc,
    /// In `((…))` or a subscript.
    Arith,
}

/// Whether bash, too, only finds this out when it expands the text. In arithmetic it has looked
/// at substitutions before, but not at braces.
fn late(failure: &Failure, quoting: Quoting) -> bool {
    failure.kind == FailureKind::Syntax
        && (quoting == Quoting::HereDoc || failure.message == UNCLOSED_BRACE)
}

/// Whether a byte ends a word that is not quoted.
pub(super) const fn ends_word(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
    )
}

/// Whether a byte means something to the word that holds it.
const fn acts(byte: u8) -> bool {
    ends_word(byte) || matches!(byte, b'\'' | b'"' | b'\\' | b'$' | b'`')
}

impl<'t> Parser<'t> {
    /// The next word; `None` when none starts here.
    pub(super) fn word(&mut self) -> Parsed<Option<Word<'t>>> {
        self.blanks();
        let start = self.pos;
        let parts = self.word_parts()?;
        if self.pos == start {
            return Ok(None);
        }
        self.count_word()?;
        Ok(Some(Word {
            parts,
            span: Span::new(start, self.pos),
        }))
    }

    /// The next word, or a failure.
    pub(super) fn needed_word(&mut self) -> Parsed<Word<'t>> {
        match self.word()? {
            Some(word) => Ok(word),
            None => Err(self.unexpected()),
        }
    }

    /// The parts of a word from here to its end, without skipping anything before it.
    pub(super) fn word_parts(&mut self) -> Parsed<Vec<Part<'t>>> {
        let mut parts = Vec::new();
        loop {
            self.plain_run(&mut parts);
            let Some(byte) = self.peek() else {
                return Ok(parts);
            };
            match byte {
                b'<' | b'>' if self.peek_at(1) == Some(b'(') => parts.push(self.process()?),
                b'(' if self.extglob_before(&parts) => self.extglob(&mut parts)?,
                _ if ends_word(byte) => return Ok(parts),
                _ => self.active(&mut parts)?,
            }
        }
    }

    /// Takes the bytes up to the next one that means something.
    fn plain_run(&mut self, parts: &mut Vec<Part<'t>>) {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        let len = rest.iter().position(|b| acts(*b)).unwrap_or(rest.len());
        if len > 0 {
            parts.push(Part::Plain(Span::new(self.pos, self.pos + len)));
            self.pos += len;
        }
    }

    /// A quote, an escape or an expansion, outside of quotes.
    pub(super) fn active(&mut self, parts: &mut Vec<Part<'t>>) -> Parsed<()> {
        match self.peek() {
            Some(b'\'') => parts.push(self.single()?),
            Some(b'"') => parts.push(self.double()?),
            Some(b'\\') => self.escape(parts)?,
            Some(b'`') => parts.push(self.backquote()?),
            _ => parts.push(self.dollar(None)?),
        }
        Ok(())
    }

    fn single(&mut self) -> Parsed<Part<'t>> {
        let start = self.pos + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let Some(len) = memchr::memchr(b'\'', rest) else {
            return Err(self.syntax("a single quote is not closed"));
        };
        self.pos = start + len + 1;
        Ok(Part::Quoted(Span::new(start, start + len)))
    }

    /// From `"` to the `"` that closes it.
    pub(super) fn double(&mut self) -> Parsed<Part<'t>> {
        let opened = self.pos;
        self.expansion()?;
        self.pos += 1;
        let parts = self.deeper(|p| p.quoted_parts(Quoting::Double, Some(b'"')))?;
        if self.peek() != Some(b'"') {
            self.pos = opened;
            return Err(self.syntax("a double quote is not closed"));
        }
        self.pos += 1;
        Ok(Part::Double(parts))
    }

    /// A backslash outside of quotes.
    fn escape(&mut self, parts: &mut Vec<Part<'t>>) -> Parsed<()> {
        self.expansion()?;
        let start = self.pos + 1;
        let Some(len) = self
            .text
            .get(start..)
            .and_then(|s| s.chars().next())
            .map(char::len_utf8)
        else {
            // A backslash at the very end stands for itself.
            parts.push(Part::Quoted(Span::new(self.pos, start)));
            self.pos = start;
            return Ok(());
        };
        if self.peek_at(1) != Some(b'\n') {
            parts.push(Part::Quoted(Span::new(start, start + len)));
        }
        self.pos = start + len;
        Ok(())
    }

    /// Text up to `end` that bash parses only when it expands it: what is wrong in it does not
    /// make the command invalid, but it is not understood either.
    pub(super) fn postponed(
        &mut self,
        end: usize,
        after: usize,
        quoting: Quoting,
    ) -> Parsed<Vec<Part<'t>>> {
        let span = Span::new(self.pos, end);
        let parts = self.bounded(end, after, |p| p.deeper(|p| p.quoted_parts(quoting, None)));
        match parts {
            Err(failure) if late(&failure, quoting) => Ok(vec![Part::Broken(span)]),
            parts => parts,
        }
    }

    /// Text with expansions but without words, up to `close` or the end of the stretch.
    pub(super) fn quoted_parts(
        &mut self,
        quoting: Quoting,
        close: Option<u8>,
    ) -> Parsed<Vec<Part<'t>>> {
        let mut parts = Vec::new();
        let mut start = self.pos;
        loop {
            let rest = self.bytes.get(self.pos..).unwrap_or_default();
            let len = rest
                .iter()
                .position(|b| matches!(b, b'\\' | b'$' | b'`') || Some(*b) == close)
                .unwrap_or(rest.len());
            self.pos += len;
            let byte = self.peek();
            if byte == Some(b'\\') && !self.escapes_here(quoting) {
                self.pos += if self.peek_at(1).is_some() { 2 } else { 1 };
                // A backslash before another character is kept, and so is the character, which
                // may be longer than a byte.
                while !self.text.is_char_boundary(self.pos) {
                    self.pos += 1;
                }
                continue;
            }
            if self.pos > start {
                parts.push(Part::Quoted(Span::new(start, self.pos)));
            }
            match byte {
                Some(b'\\') => self.escape(&mut parts)?,
                Some(b'`') if byte != close => parts.push(self.backquote()?),
                Some(b'$') => parts.push(self.dollar(Some(quoting))?),
                _ => return Ok(parts),
            }
            start = self.pos;
        }
    }

    /// Whether the backslash here takes the meaning of what follows it.
    fn escapes_here(&self, quoting: Quoting) -> bool {
        match self.peek_at(1) {
            Some(b'$' | b'`' | b'\\' | b'\n') => true,
            Some(b'"') => quoting != Quoting::HereDoc,
            _ => false,
        }
    }

    /// From `` ` `` to the one that closes it. bash parses the inside when it expands it.
    pub(super) fn backquote(&mut self) -> Parsed<Part<'t>> {
        self.expansion()?;
        let start = self.pos + 1;
        let mut at = start;
        loop {
            match self.bytes.get(at) {
                None => return Err(self.syntax("a backquote is not closed")),
                Some(b'`') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        }
        self.pos = at + 1;
        Ok(Part::Backquote(Span::new(start, at)))
    }

    /// Counts a word, or an assignment.
    pub(super) fn count_word(&mut self) -> Parsed<()> {
        self.words += 1;
        if self.words > MAX_WORDS {
            return Err(self.long());
        }
        Ok(())
    }

    /// Counts an expansion, an escape, or a text in double quotes.
    pub(super) fn expansion(&mut self) -> Parsed<()> {
        self.expansions += 1;
        if self.expansions > MAX_EXPANSIONS {
            return Err(self.long());
        }
        Ok(())
    }

    /// `<(…)` or `>(…)`.
    pub(super) fn process(&mut self) -> Parsed<Part<'t>> {
        let start = self.pos;
        self.pos += 2;
        let list = self.deeper(Self::list)?;
        self.newlines()?;
        self.expect_byte(b')')?;
        Ok(Part::Process(list, start))
    }

    /// Whether the `(` here belongs to an extended pattern. They are off in a shell that was
    /// not told otherwise, so only a text that speaks of them can have them.
    fn extglob_before(&mut self, parts: &[Part<'t>]) -> bool {
        let Some(Part::Plain(span)) = parts.last() else {
            return false;
        };
        let opens = span
            .end
            .checked_sub(1)
            .and_then(|at| self.bytes.get(at))
            .is_some_and(|b| matches!(b, b'@' | b'?' | b'*' | b'+' | b'!'));
        opens
            && span.end == self.pos
            && *self
                .extglob
                .get_or_insert_with(|| self.text.contains("extglob"))
    }

    /// `(a|b)` of an extended pattern, up to and with its closing parenthesis.
    pub(super) fn extglob(&mut self, parts: &mut Vec<Part<'t>>) -> Parsed<()> {
        self.pos += 1;
        let mut inner = Vec::new();
        self.deeper(|p| {
            loop {
                p.plain_run(&mut inner);
                match p.peek() {
                    None => return Err(p.syntax("a parenthesis is not closed")),
                    Some(b')') => {
                        p.pos += 1;
                        return Ok(());
                    }
                    Some(b'(') => p.extglob(&mut inner)?,
                    Some(b) if ends_word(b) => p.pos += 1,
                    Some(_) => p.active(&mut inner)?,
                }
            }
        })?;
        parts.push(Part::ExtGlob(inner));
        Ok(())
    }
}
