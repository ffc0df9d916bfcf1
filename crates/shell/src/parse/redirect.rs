//! Redirections.

use super::dollar::in_name;
use super::{Parsed, Parser};
use crate::tree::{Redirect, RedirectOp};

/// The operators, longer ones before their beginnings.
const OPERATORS: &[(&[u8], RedirectOp)] = &[
    (b"<<<", RedirectOp::HereString),
    (b"<<-", RedirectOp::HereDoc),
    (b"&>>", RedirectOp::BothAppend),
    (b"<<", RedirectOp::HereDoc),
    (b"<&", RedirectOp::DupIn),
    (b"<>", RedirectOp::ReadWrite),
    (b">>", RedirectOp::Append),
    (b">&", RedirectOp::DupOut),
    (b">|", RedirectOp::Write),
    (b"&>", RedirectOp::BothWrite),
    (b"<", RedirectOp::Read),
    (b">", RedirectOp::Write),
];

impl<'t> Parser<'t> {
    /// All redirections that stand here.
    pub(super) fn redirects(&mut self) -> Parsed<Vec<Redirect<'t>>> {
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(redirects)
    }

    /// The redirection that starts here, if one does.
    pub(super) fn redirect(&mut self) -> Parsed<Option<Redirect<'t>>> {
        self.blanks();
        let start = self.pos;
        let fd = match self.peek() {
            Some(b'<' | b'>' | b'&') => 0,
            Some(byte) if byte.is_ascii_digit() => self.number_len(),
            Some(b'{') => self.variable_len(),
            _ => return Ok(None),
        };
        let rest = self.bytes.get(start + fd..).unwrap_or_default();
        let Some((text, op)) = OPERATORS.iter().find(|(text, _)| rest.starts_with(text)) else {
            return Ok(None);
        };
        // `<(…)` is a word, and a number before `&>` is an argument.
        let process = text.len() == 1 && rest.get(1) == Some(&b'(');
        if process || (fd > 0 && text.starts_with(b"&")) {
            return Ok(None);
        }
        self.pos = start + fd + text.len();
        let name = (fd > 0).then(|| self.slice(start, start + fd));
        let target = self.needed_word()?;
        let number = self
            .slice(target.span.start, target.span.end)
            .bytes()
            .all(|b| b.is_ascii_digit());
        let duplicates = matches!(op, RedirectOp::DupIn | RedirectOp::DupOut);
        if number && !duplicates && matches!(self.peek(), Some(b'<' | b'>')) {
            // The number belongs to the redirection that follows, so this one has no target.
            return Err(self.unexpected());
        }
        let heredoc = (*op == RedirectOp::HereDoc).then(|| self.heredoc(&target, *text == b"<<-"));
        Ok(Some(Redirect {
            op: *op,
            fd: name,
            target,
            heredoc,
        }))
    }

    fn number_len(&self) -> usize {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        rest.iter().take_while(|b| b.is_ascii_digit()).count()
    }

    /// The length of `{name}`, or zero.
    fn variable_len(&self) -> usize {
        let rest = self.bytes.get(self.pos + 1..).unwrap_or_default();
        let name = rest.iter().take_while(|b| in_name(**b)).count();
        if name > 0 && rest.get(name) == Some(&b'}') {
            name + 2
        } else {
            0
        }
    }
}
