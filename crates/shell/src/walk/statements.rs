//! Statements of databases in arguments that reach past the database: files that they write,
//! programs that they start.

use super::Walker;
use crate::analysis::Span;
use crate::effects::Call;

/// Functions that start a program or load one.
const STARTS: &[&str] = &[
    "edit(",
    "load_extension(",
    "sys_exec(",
    "sys_eval(",
    "xp_cmdshell",
    "lo_export(",
    "shellfs",
    "dblink_exec(",
    "pg_execute_server_program",
    "readtext('|",
    "from program",
];

/// Words behind which, in a statement, a file stands that is written.
const WRITES: &[&str] = &[
    "writefile(",
    " to '",
    "outfile '",
    "dumpfile '",
    "attach '",
    "attach database '",
    "vacuum into '",
    "into outfile ",
    "export database '",
    "backup '",
];

/// Words behind which a file stands that is read.
const READS: &[&str] = &[
    "readfile(",
    "load_file(",
    "pg_read_file(",
    "read_text(",
    "read_blob(",
    "read_csv(",
    "read_csv_auto(",
    "infile '",
    " from '",
    "read_text('",
    "file(",
];

/// What it costs to look at a text, beside its length.
const STATEMENT_COST: usize = 1_500;

impl Walker<'_> {
    pub(super) fn statements_in_arguments(&mut self, call: &Call<'_, '_>) {
        for arg in call.args.iter().filter(|arg| arg.text.len() > 4) {
            let text = arg.text.as_ref();
            if !text.contains([' ', '(']) || !self.charge(text.len() + STATEMENT_COST, arg.span) {
                continue;
            }
            for line in text.lines() {
                self.command_line_of(call.name, line.trim(), arg.span);
            }
            self.statement(text, arg.span);
        }
    }

    pub(super) fn statement(&mut self, text: &str, span: Span) {
        let lower = text.to_ascii_lowercase();
        if STARTS.iter().any(|word| lower.contains(word)) {
            self.found.note("hidden-code", span);
        }
        for (words, writes) in [(WRITES, true), (READS, false)] {
            for word in words {
                for (at, _) in lower.match_indices(word).take(8) {
                    let rest = text.get(at + word.len()..).unwrap_or_default();
                    let rest = rest.trim_start_matches([' ', '\'', '"', '(']);
                    let path = rest.split(['\'', '"', ')', ',']).next().unwrap_or_default();
                    if path.contains('/') && !path.contains("://") {
                        self.stated_path(path, writes, span);
                    }
                }
            }
        }
    }

    fn stated_path(&mut self, path: &str, writes: bool, span: Span) {
        if writes {
            self.write_outside(path, span);
        } else if crate::place::holds_credentials(&self.place.resolve(&self.of_home(path))) {
            self.found.credentials_read = true;
            self.found.note("reads-credentials", span);
        }
    }
}
