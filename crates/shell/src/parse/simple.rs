//! Simple commands, assignments and function definitions.

use super::dollar::in_name;
use super::{Parsed, Parser};
use crate::analysis::Span;
use crate::tree::{Assign, AssignValue, Command, CommandKind, Part, Simple, Word};

/// Builtins whose arguments may be assignments, with arrays.
const DECLARING: &[&str] = &[
    "declare", "typeset", "local", "export", "readonly", "alias", "eval", "let",
];

impl<'t> Parser<'t> {
    /// A simple command, or the definition of a function that begins like one.
    pub(super) fn simple(&mut self, start: usize) -> Parsed<Command<'t>> {
        let mut simple = Simple::default();
        let mut redirects = Vec::new();
        let mut declaring = false;
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if simple.words.is_empty()
                && let Some(assign) = self.assignment()?
            {
                simple.assigns.push(assign);
                continue;
            }
            let Some(mut word) = self.word()? else { break };
            if simple.words.is_empty() {
                if self.pos == self.text.len() && self.slice(word.span.start, self.pos) == "\\" {
                    // A line that goes on beyond the end of the text; `bash -c` and a script
                    // differ in what they make of it.
                    return Err(self.unexpected());
                }
                declaring = DECLARING.contains(&self.slice(word.span.start, word.span.end));
            } else if declaring && self.peek() == Some(b'(') {
                self.declared_array(&mut word)?;
            }
            let first =
                simple.words.is_empty() && simple.assigns.is_empty() && redirects.is_empty();
            if first && self.at_function_parens() {
                return self.function_body(word, start);
            }
            simple.words.push(word);
        }
        let empty = simple.words.is_empty() && simple.assigns.is_empty() && redirects.is_empty();
        if empty || self.peek() == Some(b'(') {
            return Err(self.unexpected());
        }
        let span = Span::new(start, self.pos);
        Ok(Command {
            kind: CommandKind::Simple(simple),
            redirects,
            span,
        })
    }

    /// `name=…`, `name+=…`, `name[…]=…`, when one starts here.
    fn assignment(&mut self) -> Parsed<Option<Assign<'t>>> {
        let start = self.pos;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let len = rest.iter().take_while(|b| in_name(**b)).count();
        if len == 0 || rest.first().is_some_and(u8::is_ascii_digit) {
            return Ok(None);
        }
        self.pos += len;
        let name = self.slice(start, self.pos);
        let subscript = match self.peek() {
            Some(b'[') => self.subscript()?,
            _ => None,
        };
        let append = self.peek() == Some(b'+');
        if append {
            self.pos += 1;
        }
        if self.peek() != Some(b'=') {
            self.pos = start;
            return Ok(None);
        }
        self.pos += 1;
        self.count_word()?;
        let value = if self.peek() == Some(b'(') {
            AssignValue::Array(self.array()?)
        } else {
            let from = self.pos;
            let parts = self.word_parts()?;
            AssignValue::Word(Word {
                parts,
                span: Span::new(from, self.pos),
            })
        };
        let span = Span::new(start, self.pos);
        Ok(Some(Assign {
            name,
            append,
            subscript,
            value,
            span,
        }))
    }

    /// `[…]` behind the name in an assignment; left alone when nothing is assigned, for then it
    /// is a pattern.
    fn subscript(&mut self) -> Parsed<Option<Vec<Part<'t>>>> {
        self.pos += 1;
        let from = self.pos;
        let end = self.bracket_end()?;
        let assigned = matches!(self.bytes.get(end + 1), Some(b'=' | b'+'));
        if !assigned {
            return Ok(None);
        }
        self.pos = from;
        self.arith_parts(end, end + 1).map(Some)
    }

    /// `( word … )` of an array, on as many lines as it takes.
    fn array(&mut self) -> Parsed<Vec<Word<'t>>> {
        self.pos += 1;
        self.deeper(|p| {
            let mut words = Vec::new();
            loop {
                p.newlines()?;
                if p.peek() == Some(b')') {
                    p.pos += 1;
                    return Ok(words);
                }
                words.push(p.needed_word()?);
            }
        })
    }

    /// An array behind `name=` in an argument of a declaring builtin.
    fn declared_array(&mut self, word: &mut Word<'t>) -> Parsed<()> {
        let raw = self.slice(word.span.start, word.span.end);
        let name = raw
            .strip_suffix('=')
            .map(|name| name.strip_suffix('+').unwrap_or(name));
        if !name.is_some_and(crate::env::valid_env_name) {
            return Err(self.unexpected());
        }
        let words = self.array()?;
        word.parts.push(Part::Array(words));
        word.span.end = self.pos;
        Ok(())
    }

    fn at_function_parens(&mut self) -> bool {
        let before = self.pos;
        self.blanks();
        if self.peek() == Some(b'(') {
            self.pos += 1;
            self.blanks();
            if self.peek() == Some(b')') {
                self.pos += 1;
                return true;
            }
        }
        self.pos = before;
        false
    }

    /// What follows `name ()` or `function name`.
    pub(super) fn function_body(&mut self, name: Word<'t>, start: usize) -> Parsed<Command<'t>> {
        self.newlines()?;
        let from = self.pos;
        let Some(kind) = self.deeper(Self::compound)? else {
            return Err(self.unexpected());
        };
        if matches!(kind, CommandKind::Function(..) | CommandKind::Coproc(_)) {
            return Err(self.unexpected());
        }
        let redirects = self.redirects()?;
        let body = Command {
            kind,
            redirects,
            span: Span::new(from, self.pos),
        };
        let span = Span::new(start, self.pos);
        Ok(Command {
            kind: CommandKind::Function(name, Box::new(body)),
            redirects: Vec::new(),
            span,
        })
    }
}
