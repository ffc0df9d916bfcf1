//! Text to nodes.

use super::{Kind, Member, Node};

/// The most levels of objects and arrays.
pub const DEPTH_MAX: usize = 128;

/// A text that is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct InvalidJson {
    /// The line, from 1.
    pub line: usize,
    /// What was found or missed.
    pub what: &'static str,
}

/// Reads a text as one value.
///
/// # Errors
/// When it is no JSON, or is deeper than [`DEPTH_MAX`].
pub fn parse(text: &str) -> Result<Node, InvalidJson> {
    // Some editors on Windows begin a file with a mark of byte order.
    let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut parser = Parser { text, at };
    parser.space()?;
    let node = parser.value(0)?;
    parser.space()?;
    if parser.at < text.len() {
        return Err(parser.wrong("there is more after the value"));
    }
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn wrong(&self, what: &'static str) -> InvalidJson {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        InvalidJson { line, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Spaces and comments.
    fn space(&mut self) -> Result<(), InvalidJson> {
        loop {
            while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
                self.at += 1;
            }
            let rest = self.rest();
            let end = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").map(|end| end + 2);
                end.ok_or_else(|| self.wrong("a comment has no end"))?
            } else {
                return Ok(());
            };
            self.at += end;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, InvalidJson> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("it is nested too deeply"));
        }
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(b'-' | b'0'..=b'9' | b'a'..=b'z') => self.word()?,
            _ => return Err(self.wrong("a value is missing")),
        };
        let span = start..self.at;
        Ok(Node { span, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, InvalidJson> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.space()?;
            if self.take(b'}') {
                return Ok(Kind::Object(members));
            }
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a name in quotes is missing"));
            }
            let name = self.string()?;
            self.space()?;
            if !self.take(b':') {
                return Err(self.wrong("a colon is missing"));
            }
            self.space()?;
            let value = self.value(depth + 1)?;
            members.push(Member { start, name, value });
            self.space()?;
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(self.wrong("a comma or `}` is missing"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Kind, InvalidJson> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.take(b']') {
                return Ok(Kind::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.space()?;
            if !self.take(b',') && self.peek() != Some(b']') {
                return Err(self.wrong("a comma or `]` is missing"));
            }
        }
    }

    fn string(&mut self) -> Result<String, InvalidJson> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(self.wrong("a text has no end")),
            }
        }
        self.at += 1;
        let text = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(text).map_err(|_| self.wrong("a text is not written as JSON"))
    }

    fn word(&mut self) -> Result<Kind, InvalidJson> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().to_owned();
        let number = || serde_json::from_str::<&serde_json::value::RawValue>(&word).is_ok();
        if !matches!(word.as_str(), "true" | "false" | "null") && !number() {
            return Err(self.wrong("this is neither a number nor true, false or null"));
        }
        self.at += end;
        Ok(Kind::Word(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_knows_where_it_stands() {
        let text = "{\n \"a\" : [ 1e3, \"}\" ] }";
        let node = parse(text).unwrap();
        let array = node.member("a").unwrap();
        assert_eq!(text.get(array.span.clone()).unwrap(), "[ 1e3, \"}\" ]");
        let item = &array.items()[1];
        assert_eq!(text.get(item.span.clone()).unwrap(), "\"}\"");
    }

    #[test]
    fn comments_and_last_commas_are_read_over() {
        let node = parse("// c\n{ /* } */ \"a\": 1, // x\n }\n").unwrap();
        assert_eq!(node.members().len(), 1);
        assert_eq!(parse("[1,]").unwrap().items().len(), 1);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("{", 1),
            ("{\n\"a\" 1}", 2),
            ("{\"a\":1 \"b\":2}", 1),
            ("{a:1}", 1),
            ("[1 2]", 1),
            ("\"a", 1),
            ("\"a\\", 1),
            ("\"\\x\"", 1),
            ("01", 1),
            ("tru", 1),
            ("1 2", 1),
            ("/* ", 1),
            ("[,]", 1),
            ("<!doctype html>", 1),
        ] {
            assert_eq!(
                parse(text).map_err(|error| error.line).unwrap_err(),
                line,
                "{text}"
            );
        }
    }

    #[test]
    fn depth_at_its_bound() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(DEPTH_MAX + 1)).is_ok());
        assert!(parse(&nested(DEPTH_MAX + 2)).is_err());
        assert!(parse(&"[".repeat(1_000_000)).is_err());
    }
}
