//! Arithmetic: it evaluates the values of variables again, and the subscripts in them may hold code.

use super::Walker;
use super::arg::Value;
use super::source::{Origin, Source};
use crate::analysis::Span;
use crate::tree::{Part, Word};

/// Variables whose values one arithmetic expression is followed through.
const MAX_ARITHMETIC: usize = 16;

impl Walker<'_> {
    /// An arithmetic expression: its expansions, and the code that its subscripts may hold.
    pub(super) fn arith_word<'t>(&mut self, source: &Source<'t>, word: &'t Word<'t>) {
        let value = self.cook_value(source, word);
        self.note_arith_code(source.span(word.span), &value);
        let text = source.slice(word.span);
        self.note_arith_variables(text, source.span(word.span));
        if text.contains(['=', '+', '-']) {
            self.found.shell.mutates_state |= self.subshells == 0;
            self.forget_arith_targets(text);
        }
    }

    pub(super) fn arith_text<'t>(&mut self, source: &Source<'t>, part: &'t Part<'t>) {
        if let Part::Arith(_, span) = part {
            let text = source.slice(*span);
            self.note_arith_variables(text, source.span(*span));
            if text.contains('=') || text.contains("++") || text.contains("--") {
                self.found.shell.mutates_state |= self.subshells == 0;
                self.forget_arith_targets(text);
            }
        }
    }

    /// Arithmetic evaluates the value of a variable as an expression again, subscripts included.
    pub(crate) fn note_arith_variables(&mut self, text: &str, span: Span) {
        if self.vars.is_empty() {
            return;
        }
        let mut values: Vec<Value> = Vec::new();
        let mut all = self.arith_values(text, &mut values);
        // A value that is a name is looked up in its turn.
        let mut at = 0;
        while let Some(value) = values.get(at) {
            at += 1;
            let names: Vec<String> = value.fields.iter().map(|(text, _)| text.clone()).collect();
            for name in names {
                all &= self.arith_values(&name, &mut values);
            }
        }
        if !all {
            self.found.note("too-long", span);
        }
        for value in values {
            self.note_arith_code(span, &value);
        }
    }

    /// Values of the variables in an expression that may hold code or other names; whether all of
    /// them are there.
    fn arith_values(&mut self, text: &str, values: &mut Vec<Value>) -> bool {
        let matters = |(text, _): &(String, _)| {
            text.contains('[') || text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        };
        for name in self.names_in(text) {
            let known = self.vars.get(name).map(|variable| &variable.value);
            let Some(value) = known.filter(|value| value.fields.iter().any(matters)) else {
                continue;
            };
            if values.contains(value) {
                continue;
            }
            if values.len() >= MAX_ARITHMETIC {
                return false;
            }
            values.extend(self.copy_of(name).map(|variable| variable.value));
        }
        true
    }

    /// Every name in an expression that assigns is no longer known.
    fn forget_arith_targets(&mut self, text: &str) {
        for name in self.names_in(text) {
            self.set(name, Value::unknown());
        }
    }

    /// The value of arithmetic may hold a subscript that holds a substitution.
    pub(super) fn note_arith_code(&mut self, span: Span, value: &Value) {
        for (text, _) in &value.fields {
            if text.contains('[') && (text.contains("$(") || text.contains('`')) {
                self.quoted_body(text, Origin::Whole(span));
            }
        }
    }
}
