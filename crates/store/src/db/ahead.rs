//! What the log knows and the tables do not: for questions while the tables cannot follow.

use std::collections::HashMap;

use super::run_writes::RunEnd;
use super::runs::state;
use super::{Page, RunRow};

/// The end of the log, read and not written. Empty when the tables have followed.
#[derive(Debug, Default)]
pub struct Ahead {
    /// Oldest first.
    opened: Vec<RunRow>,
    /// Ends of runs that were opened before these, by id.
    closed: HashMap<String, RunEnd>,
}

impl Ahead {
    /// The next stretch of the log.
    pub(super) fn add(&mut self, opened: Vec<RunRow>, closed: Vec<RunEnd>) {
        self.closed
            .extend(closed.into_iter().map(|end| (end.id.clone(), end)));
        for mut row in opened {
            self.end(&mut row);
            self.opened.push(row);
        }
    }

    /// Puts ends into rows opened in an earlier stretch.
    pub(super) fn finish(mut self) -> Self {
        let mut opened = std::mem::take(&mut self.opened);
        opened.iter_mut().for_each(|row| self.end(row));
        Self { opened, ..self }
    }

    /// A caller's run: as the table has it (`row`) or as the log has it, with its end.
    #[must_use]
    pub fn run(&self, caller: &str, id: &str, row: Option<RunRow>) -> Option<RunRow> {
        let of_it = |row: &&RunRow| row.id == id && row.caller == caller;
        let mut row = row.or_else(|| self.opened.iter().find(of_it).cloned())?;
        self.end(&mut row);
        Some(row)
    }

    /// A page of a caller's runs, newest first, to which `rows` is what the tables say; of one
    /// session's runs that were started when that is given.
    #[must_use]
    pub fn page(
        &self,
        caller: &str,
        session: Option<&str>,
        page: &Page,
        mut rows: Vec<RunRow>,
    ) -> Vec<RunRow> {
        if self.opened.is_empty() && self.closed.is_empty() {
            return rows;
        }
        rows.iter_mut().for_each(|row| self.end(row));
        let before = page.before();
        let wanted = |row: &&RunRow| {
            row.caller == caller
                && row.cursor() < before
                && session.is_none_or(|session| {
                    row.session_id.as_deref() == Some(session) && row.state != state::REFUSED
                })
        };
        let newer = self.opened.iter().rev().filter(wanted).cloned();
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        // Other servers may have written newer ones.
        let mut rows: Vec<RunRow> = newer.chain(rows).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.cursor()));
        rows.truncate(limit);
        rows
    }

    fn end(&self, row: &mut RunRow) {
        let later = |end: &&RunEnd| row.seq_closed.is_none_or(|seq| seq < end.seq_closed);
        if let Some(end) = self.closed.get(&row.id).filter(later) {
            end.clone().close(row);
        }
    }
}
