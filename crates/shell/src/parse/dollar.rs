//! What begins with `$`: parameters, substitutions, arithmetic, `$'…'`.

use super::word::Quoting;
use super::{Parsed, Parser};
use crate::analysis::Span;
use crate::tree::{FailureKind, Param, Part};

/// Why `${…` fails.
pub(super) const UNCLOSED_BRACE: &str = "a brace is not closed";

/// How often a text may be read ahead, on average, to find where something ends.
const MAX_LOOKS: usize = 4;

/// Bytes that may be read ahead in any text.
const LOOKS_ALLOWANCE: usize = 64 << 10;

const fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

pub(super) const fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const fn special(byte: u8) -> bool {
    matches!(byte, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') || byte.is_ascii_digit()
}

impl<'t> Parser<'t> {
    /// At `$`; `quoting` is where it stands, `None` outside of quotes.
    pub(super) fn dollar(&mut self, quoting: Option<Quoting>) -> Parsed<Part<'t>> {
        let start = self.pos;
        self.expansion()?;
        self.pos += 1;
        // bash joins continued lines before it looks at what follows the dollar.
        while self.looking_at(b"\\\n") {
            self.pos += 2;
        }
        match self.peek() {
            Some(b'(') if self.peek_at(1) == Some(b'(') => self.dollar_double_paren(start),
            Some(b'(') => self.substitution(start),
            Some(b'{') => self.deeper(|p| p.braced(start, quoting)),
            Some(b'[') => self.old_arith(start),
            Some(b'\'') if quoting.is_none() => self.ansi_c(),
            Some(b'"') if quoting.is_none() => self.double(),
            Some(byte) if starts_name(byte) => {
                let name = self.name();
                Ok(self.bare_param(name, start))
            }
            Some(byte) if special(byte) => {
                self.pos += 1;
                let name = self.slice(self.pos - 1, self.pos);
                Ok(self.bare_param(name, start))
            }
            // A dollar that starts nothing stands for itself.
            _ => Ok(Part::Quoted(Span::new(start, start + 1))),
        }
    }

    fn bare_param(&self, name: &'t str, start: usize) -> Part<'t> {
        Part::Param(Box::new(Param {
            name,
            indirect: false,
            length: false,
            subscript: None,
            op: "",
            arg: Vec::new(),
            span: Span::new(start, self.pos),
        }))
    }

    /// The name that starts here, possibly empty.
    pub(super) fn name(&mut self) -> &'t str {
        let start = self.pos;
        let rest = self.bytes.get(start..).unwrap_or_default();
        self.pos += rest.iter().position(|b| !in_name(*b)).unwrap_or(rest.len());
        self.slice(start, self.pos)
    }

    fn ansi_c(&mut self) -> Parsed<Part<'t>> {
        let start = self.pos + 1;
        let mut at = start;
        loop {
            match self.bytes.get(at) {
                None => return Err(self.syntax("a single quote is not closed")),
                Some(b'\'') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        }
        self.pos = at + 1;
        Ok(Part::AnsiC(Span::new(start, at)))
    }

    /// `$(…)`
    fn substitution(&mut self, start: usize) -> Parsed<Part<'t>> {
        self.pos += 1;
        let list = self.deeper(Self::list)?;
        self.newlines()?;
        self.expect_byte(b')')?;
        Ok(Part::Substitution(list, Span::new(start, self.pos)))
    }

    /// `$((…))`, or a substitution that starts with a subshell.
    fn dollar_double_paren(&mut self, start: usize) -> Parsed<Part<'t>> {
        let from = self.pos + 2;
        let Some(end) = self.arith_end(from)? else {
            let heredocs = self.pending.len();
            return match self.substitution(start) {
                Err(failure) if failure.kind == FailureKind::Syntax => {
                    // bash takes whatever the parentheses hold, and finds out when it expands it.
                    self.pending.truncate(heredocs);
                    let inner = self.parenthesis_end(from)?;
                    self.pos = self.parenthesis_end(inner + 1)? + 1;
                    Ok(Part::Broken(Span::new(start, self.pos)))
                }
                part => part,
            };
        };
        self.pos += 2;
        let parts = self.arith_parts(end, end + 2)?;
        Ok(Part::Arith(parts, Span::new(start, self.pos)))
    }

    /// `$[…]`
    fn old_arith(&mut self, start: usize) -> Parsed<Part<'t>> {
        self.pos += 1;
        let end = self.bracket_end()?;
        let parts = self.arith_parts(end, end + 1)?;
        Ok(Part::Arith(parts, Span::new(start, self.pos)))
    }

    /// The expansions in an arithmetic expression that ends at `end`.
    pub(super) fn arith_parts(&mut self, end: usize, after: usize) -> Parsed<Vec<Part<'t>>> {
        self.postponed(end, after, Quoting::Arith)
    }

    /// Where the `))` stands that closes the arithmetic whose inside starts at `from`; `None`
    /// when its parenthesis is closed by a lone `)`, which makes it a nested subshell.
    pub(super) fn arith_end(&mut self, from: usize) -> Parsed<Option<usize>> {
        let end = self.parenthesis_end(from)?;
        Ok((self.bytes.get(end + 1) == Some(&b')')).then_some(end))
    }

    /// Where the parenthesis is closed whose inside starts at `from`.
    ///
    /// The look-ahead of an outer `((` finds the ends of those inside of it as well; they are
    /// kept, so that nested ones are read once.
    fn parenthesis_end(&mut self, from: usize) -> Parsed<usize> {
        if let Some(end) = self.ends.get(&from).filter(|end| **end < self.bytes.len()) {
            return Ok(*end);
        }
        let mut at = from;
        let mut open: Vec<usize> = Vec::new();
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'\'' | b'"' | b'`' => at = self.skip_quotes(at, *byte)?,
                b'(' => open.push(at + 1),
                b')' => match open.pop() {
                    Some(start) => {
                        if self
                            .bytes
                            .get(..start)
                            .is_some_and(|text| text.ends_with(b"(("))
                        {
                            self.ends.insert(start, at);
                        }
                    }
                    None => {
                        self.looked_ahead(at - from)?;
                        return Ok(at);
                    }
                },
                _ => {}
            }
            at += 1;
        }
        Err(self.syntax("a parenthesis is not closed"))
    }

    /// Counts bytes that were read to find out what stands here, and that will be read again.
    /// Openings whose ends lie far behind could otherwise make each of them read the whole text.
    fn looked_ahead(&mut self, bytes: usize) -> Parsed<()> {
        self.looked += bytes;
        if self.looked > self.text.len().saturating_mul(MAX_LOOKS) + LOOKS_ALLOWANCE {
            return Err(self.long());
        }
        Ok(())
    }

    /// The place of the quote that closes the one at `at`.
    fn skip_quotes(&self, at: usize, quote: u8) -> Parsed<usize> {
        let mut at = at + 1;
        loop {
            match self.bytes.get(at) {
                None => return Err(self.syntax("a quote is not closed")),
                Some(b) if *b == quote => return Ok(at),
                Some(b'\\') if quote != b'\'' => at += 2,
                Some(_) => at += 1,
            }
        }
    }

    /// Where the `]` stands that closes the bracket whose inside starts here.
    pub(super) fn bracket_end(&mut self) -> Parsed<usize> {
        let from = self.pos;
        let mut at = from;
        let mut open = 0_usize;
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'\'' | b'"' | b'`' => at = self.skip_quotes(at, *byte)?,
                b'[' => open += 1,
                b']' if open > 0 => open -= 1,
                b']' => {
                    self.looked_ahead(at - from)?;
                    return Ok(at);
                }
                _ => {}
            }
            at += 1;
        }
        Err(self.syntax("a bracket is not closed"))
    }

    /// `${…}`
    fn braced(&mut self, start: usize, quoting: Option<Quoting>) -> Parsed<Part<'t>> {
        self.pos += 1;
        let length = self.peek() == Some(b'#') && self.peek_at(1) != Some(b'}');
        let indirect = self.peek() == Some(b'!') && self.peek_at(1) != Some(b'}');
        if length || indirect {
            self.pos += 1;
        }
        let mut name = self.braced_name();
        if name.is_empty() && length {
            // `${#-x}` and `${##x}` are operators on `$#`.
            name = "#";
        }
        let subscript = if !name.is_empty() && self.peek() == Some(b'[') {
            let subscript = self.braced_subscript()?;
            if subscript.is_none() {
                name = "";
            }
            subscript
        } else {
            None
        };
        let op = if name.is_empty() { "" } else { self.param_op() };
        let arg = self.braced_arg(op, quoting)?;
        let span = Span::new(start, self.pos);
        Ok(Part::Param(Box::new(Param {
            name,
            indirect,
            length,
            subscript,
            op,
            arg,
            span,
        })))
    }

    /// `[…]` in `${name[…]}`; `None` when the brace is closed before the bracket, which bash only
    /// notices when it expands it.
    fn braced_subscript(&mut self) -> Parsed<Option<Vec<Part<'t>>>> {
        let before = self.pos;
        self.pos += 1;
        match self.subscript_end()? {
            Some(end) => self.arith_parts(end, end + 1).map(Some),
            None => {
                self.pos = before;
                Ok(None)
            }
        }
    }

    /// Where the bracket is closed; nothing when the brace around it is closed before.
    fn subscript_end(&mut self) -> Parsed<Option<usize>> {
        let mut at = self.pos;
        let (mut brackets, mut braces) = (0_usize, 0_usize);
        let mut end = None;
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'\'' | b'"' | b'`' => {
                    at = self.skip_quotes(at, *byte).unwrap_or(self.bytes.len());
                }
                b'[' => brackets += 1,
                b']' if brackets == 0 => {
                    end = Some(at);
                    break;
                }
                b']' => brackets -= 1,
                b'{' => braces += 1,
                b'}' if braces == 0 => break,
                b'}' => braces -= 1,
                _ => {}
            }
            at += 1;
        }
        self.looked_ahead(at - self.pos)?;
        Ok(end)
    }

    fn braced_name(&mut self) -> &'t str {
        let start = self.pos;
        match self.peek() {
            Some(byte) if starts_name(byte) => self.name(),
            Some(byte) if byte.is_ascii_digit() => self.name(),
            // An expansion where a name belongs: bash counts its braces, and fails later.
            Some(b'$') if matches!(self.peek_at(1), Some(b'{' | b'(')) => "",
            Some(byte) if special(byte) => {
                self.pos += 1;
                self.slice(start, self.pos)
            }
            _ => "",
        }
    }

    fn param_op(&mut self) -> &'t str {
        let start = self.pos;
        let len = match (self.peek(), self.peek_at(1)) {
            (Some(b':'), Some(b'-' | b'=' | b'?' | b'+')) => 2,
            (Some(a @ (b'#' | b'%' | b'^' | b',' | b'/')), Some(b)) if a == b => 2,
            (Some(b'/'), Some(b'#' | b'%')) => 2,
            (
                Some(b'-' | b'=' | b'?' | b'+' | b':' | b'#' | b'%' | b'^' | b',' | b'/' | b'@'),
                _,
            ) => 1,
            _ => 0,
        };
        self.pos += len;
        self.slice(start, self.pos)
    }

    /// Everything up to the `}` that closes the expansion, and that.
    fn braced_arg(&mut self, op: &str, quoting: Option<Quoting>) -> Parsed<Vec<Part<'t>>> {
        // Inside double quotes a single quote is a quote only where a pattern is expected.
        let pattern = matches!(
            op.as_bytes().first(),
            Some(b'#' | b'%' | b'/' | b'^' | b',')
        );
        let quotes = quoting.is_none() || pattern;
        let mut parts = Vec::new();
        loop {
            let from = self.pos;
            let rest = self.bytes.get(from..).unwrap_or_default();
            let len = rest
                .iter()
                .position(|b| matches!(b, b'}' | b'\'' | b'"' | b'\\' | b'$' | b'`' | b'<' | b'>'))
                .unwrap_or(rest.len());
            self.pos += len;
            if len > 0 {
                parts.push(self.plain_or_quoted(from, quoting));
            }
            match self.peek() {
                None => return Err(self.syntax(UNCLOSED_BRACE)),
                Some(b'}') => {
                    self.pos += 1;
                    return Ok(parts);
                }
                Some(b'<' | b'>') if self.peek_at(1) == Some(b'(') && quoting.is_none() => {
                    parts.push(self.process()?);
                }
                Some(b'<' | b'>') => self.pos += 1,
                Some(b'\'') if !quotes => {
                    self.pos += 1;
                    parts.push(self.plain_or_quoted(self.pos - 1, quoting));
                }
                Some(b'$') if !quotes => parts.push(self.dollar(quoting)?),
                Some(_) => self.active(&mut parts)?,
            }
        }
    }

    fn plain_or_quoted(&self, from: usize, quoting: Option<Quoting>) -> Part<'t> {
        let span = Span::new(from, self.pos);
        if quoting.is_none() {
            Part::Plain(span)
        } else {
            Part::Quoted(span)
        }
    }
}
