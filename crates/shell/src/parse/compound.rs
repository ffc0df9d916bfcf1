//! Compound commands: groups, loops, conditionals, functions.

use super::{Parsed, Parser};
use crate::analysis::Span;
use crate::tree::{Arm, CommandKind, List, Word};

impl<'t> Parser<'t> {
    /// The compound command that starts here, without its redirections; `None` for a simple one.
    pub(super) fn compound(&mut self) -> Parsed<Option<CommandKind<'t>>> {
        let start = self.pos;
        match self.peek() {
            Some(b'(') => return self.parenthesis().map(Some),
            Some(b'{' | b'[' | b'i' | b'w' | b'u' | b'f' | b's' | b'c') => {}
            _ => return Ok(None),
        }
        let word = self.raw_word();
        let parse: fn(&mut Self) -> Parsed<CommandKind<'t>> = match word {
            "{" => Self::group,
            "[[" => Self::condition,
            "if" => Self::conditional,
            "while" | "until" => Self::while_loop,
            "for" => Self::for_loop,
            "select" => Self::for_words,
            "case" => Self::case,
            "coproc" => Self::coproc,
            "function" => {
                self.pos += word.len();
                let name = self.needed_word()?;
                self.blanks();
                if self.peek() == Some(b'(') {
                    self.pos += 1;
                    self.expect_byte(b')')?;
                }
                return self
                    .function_body(name, start)
                    .map(|command| Some(command.kind));
            }
            _ => return Ok(None),
        };
        self.pos += word.len();
        self.deeper(parse).map(Some)
    }

    fn parenthesis(&mut self) -> Parsed<CommandKind<'t>> {
        let start = self.pos;
        if self.peek_at(1) == Some(b'(')
            && let Some(end) = self.arith_end(start + 2)?
        {
            self.pos = start + 2;
            let parts = self.arith_parts(end, end + 2)?;
            let span = Span::new(start, self.pos);
            return Ok(CommandKind::Arith(Word { parts, span }));
        }
        self.pos += 1;
        let list = self.deeper(Self::body)?;
        self.newlines()?;
        self.expect_byte(b')')?;
        Ok(CommandKind::Subshell(list))
    }

    fn group(&mut self) -> Parsed<CommandKind<'t>> {
        let list = self.body()?;
        self.expect_word("}")?;
        Ok(CommandKind::Group(list))
    }

    fn conditional(&mut self) -> Parsed<CommandKind<'t>> {
        let mut lists = Vec::new();
        loop {
            lists.push(self.body()?);
            self.expect_word("then")?;
            lists.push(self.body()?);
            self.newlines()?;
            match self.raw_word() {
                "elif" => self.pos += 4,
                "else" => {
                    self.pos += 4;
                    lists.push(self.body()?);
                    break;
                }
                _ => break,
            }
        }
        self.expect_word("fi")?;
        Ok(CommandKind::If(lists))
    }

    fn while_loop(&mut self) -> Parsed<CommandKind<'t>> {
        let condition = self.body()?;
        let body = self.do_group()?;
        Ok(CommandKind::Loop(condition, body))
    }

    fn do_group(&mut self) -> Parsed<List<'t>> {
        self.expect_word("do")?;
        let body = self.body()?;
        self.expect_word("done")?;
        Ok(body)
    }

    /// The body of a `for`, which may also stand in braces.
    fn for_body(&mut self) -> Parsed<List<'t>> {
        self.newlines()?;
        if self.raw_word() == "{" {
            self.pos += 1;
            let body = self.body()?;
            self.expect_word("}")?;
            return Ok(body);
        }
        self.do_group()
    }

    fn for_loop(&mut self) -> Parsed<CommandKind<'t>> {
        self.blanks();
        if !self.looking_at(b"((") {
            return self.for_words();
        }
        let start = self.pos;
        let Some(end) = self.arith_end(start + 2)? else {
            return Err(self.unexpected());
        };
        self.pos = start + 2;
        let parts = self.arith_parts(end, end + 2)?;
        let head = Word {
            parts,
            span: Span::new(start, self.pos),
        };
        self.blanks();
        if self.peek() == Some(b';') {
            self.pos += 1;
        }
        let body = self.for_body()?;
        Ok(CommandKind::ForArith(head, body))
    }

    fn for_words(&mut self) -> Parsed<CommandKind<'t>> {
        let name = self.needed_word()?;
        let name = self.slice(name.span.start, name.span.end);
        self.blanks();
        if self.peek() == Some(b';') {
            self.pos += 1;
            let body = self.for_body()?;
            return Ok(CommandKind::For(name, None, body));
        }
        self.newlines()?;
        if self.raw_word() != "in" {
            let body = self.for_body()?;
            return Ok(CommandKind::For(name, None, body));
        }
        self.pos += 2;
        let mut words = Vec::new();
        while let Some(word) = self.word()? {
            words.push(word);
        }
        match self.peek() {
            Some(b';') => self.pos += 1,
            Some(b'\n') => {}
            _ => return Err(self.unexpected()),
        }
        let body = self.for_body()?;
        Ok(CommandKind::For(name, Some(words), body))
    }

    fn case(&mut self) -> Parsed<CommandKind<'t>> {
        let subject = self.needed_word()?;
        self.expect_word("in")?;
        let mut arms = Vec::new();
        loop {
            self.newlines()?;
            if self.raw_word() == "esac" {
                self.pos += 4;
                return Ok(CommandKind::Case(subject, arms));
            }
            let patterns = self.case_patterns()?;
            let body = self.list()?;
            arms.push(Arm { patterns, body });
            self.newlines()?;
            if self.looking_at(b";;&") {
                self.pos += 3;
            } else if self.looking_at(b";;") || self.looking_at(b";&") {
                self.pos += 2;
            } else {
                self.expect_word("esac")?;
                return Ok(CommandKind::Case(subject, arms));
            }
        }
    }

    fn case_patterns(&mut self) -> Parsed<Vec<Word<'t>>> {
        if self.peek() == Some(b'(') {
            self.pos += 1;
        }
        let mut patterns = vec![self.needed_word()?];
        loop {
            self.blanks();
            match self.peek() {
                Some(b'|') => {
                    self.pos += 1;
                    patterns.push(self.needed_word()?);
                }
                Some(b')') => {
                    self.pos += 1;
                    return Ok(patterns);
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn coproc(&mut self) -> Parsed<CommandKind<'t>> {
        self.blanks();
        let before = self.pos;
        // A name is one only when a compound command follows it.
        if self.compound_follows_name()? {
            let command = self.command()?;
            return Ok(CommandKind::Coproc(Box::new(command)));
        }
        self.pos = before;
        let command = self.command()?;
        Ok(CommandKind::Coproc(Box::new(command)))
    }

    /// Skips a name when a compound command stands behind it.
    fn compound_follows_name(&mut self) -> Parsed<bool> {
        let name = self.name();
        let reserved = matches!(
            name,
            "" | "if" | "while" | "until" | "for" | "case" | "select" | "function"
        );
        if reserved || !matches!(self.peek(), Some(b' ' | b'\t')) {
            return Ok(false);
        }
        self.blanks();
        Ok(self.peek() == Some(b'(')
            || matches!(
                self.raw_word(),
                "{" | "[[" | "if" | "while" | "until" | "for" | "case" | "select"
            ))
    }
}
