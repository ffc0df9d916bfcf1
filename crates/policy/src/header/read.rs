//! Values of the TOML with their lines.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Problem, Problems, line_at};
use crate::suggest::nearest;

/// Reads values, and collects what is wrong with them.
pub(super) struct Reader<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
    pub(super) problems: Problems,
}

/// A value with its place.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Reader<'t> {
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        line_at(self.text, span.start)
    }

    pub(super) fn complain(&mut self, span: &Range<usize>, message: String) {
        self.suggest(span, message, None);
    }

    /// Complains about a word that is none of `names`.
    pub(super) fn not_one_of<'n>(
        &mut self,
        span: &Range<usize>,
        what: &str,
        word: &str,
        names: impl IntoIterator<Item = &'n str> + Clone,
    ) {
        let near = nearest(word, names.clone()).map(|near| format!("`{near}`"));
        let mut message = format!("there is no {what} `{word}`");
        if near.is_none() {
            let names: Vec<&str> = names.into_iter().take(SHOWN_NAMES).collect();
            message.push_str(&format!(" (there is {})", names.join(", ")));
        }
        self.suggest(span, message, near);
    }

    fn suggest(&mut self, span: &Range<usize>, message: String, suggestion: Option<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: self.line(span),
            message,
            suggestion,
        });
    }

    pub(super) fn document(&mut self) -> Option<DeTable<'t>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table.into_inner()),
            Err(error) => {
                let span = error.span().unwrap_or_default();
                self.complain(&span, error.message().to_owned());
                None
            }
        }
    }

    pub(super) fn table<'v, 'd>(
        &mut self,
        what: &str,
        value: &'v Value<'d>,
    ) -> Option<&'v DeTable<'d>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.expected(what, "a table", value);
        }
        table
    }

    pub(super) fn string<'v>(&mut self, what: &str, value: &'v Value<'_>) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.expected(what, "text in quotes", value);
        }
        text
    }

    pub(super) fn boolean(&mut self, what: &str, value: &Value<'_>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.expected(what, "true or false", value);
        }
        flag
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self, what: &str, value: &Value<'_>) -> Option<u64> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| number.as_str().parse().ok());
        if number.is_none() {
            self.expected(what, "a whole number", value);
        }
        number
    }

    /// A list, at most `most` long.
    pub(super) fn list<'v, 'd>(
        &mut self,
        what: &str,
        value: &'v Value<'d>,
        most: usize,
    ) -> Vec<&'v Value<'d>> {
        let list = value.get_ref().as_array();
        match list {
            None => self.expected(what, "a list", value),
            Some(list) if list.len() > most => {
                self.complain(
                    &value.span(),
                    format!("{what} has more than {most} entries"),
                );
            }
            Some(_) => {}
        }
        let entries = list.into_iter().flat_map(|list| list.iter());
        entries.take(most).collect()
    }

    /// A list of texts with their places.
    pub(super) fn strings<'v>(
        &mut self,
        what: &str,
        value: &'v Value<'_>,
        most: usize,
    ) -> Vec<(&'v str, Range<usize>)> {
        self.list(what, value, most)
            .into_iter()
            .filter_map(|item| Some((self.string(what, item)?, item.span())))
            .collect()
    }

    fn expected(&mut self, what: &str, wanted: &str, value: &Value<'_>) {
        self.complain(&value.span(), format!("{what} must be {wanted}"));
    }
}

/// Names that are listed when none of them is near.
const SHOWN_NAMES: usize = 30;
