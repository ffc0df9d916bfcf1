//! Statements for databases, in arguments and on standard input.

use super::{Call, Options};
use crate::place::Class;
use crate::walk::arg::Arg;
use crate::walk::{Feed, Walker};

/// Parts of statements that cannot be taken back, or that end what others do.
const FATAL: &[&str] = &[
    "drop database",
    "drop table",
    "drop schema",
    "drop owned",
    "truncate table",
    "truncate ",
    "dropdatabase(",
    "flushall",
    "flushdb",
    "drop user",
    "drop role",
    "drop keyspace",
    "drop view",
    "drop column",
    ".drop(",
    "deletemany({})",
    "deletemany()",
    ".remove({})",
    "shutdown immediate",
    "drop function",
    "drop index",
    "drop materialized",
    "drop extension",
    "alter system",
    "into outfile",
    "load_file(",
    "pg_terminate_backend(",
    "pg_drop_replication_slot(",
    "pg_promote(",
    "pg_read_file(",
    "lo_export(",
    "reset master",
    "purge binary logs",
    "stop replica",
    "stop slave",
    "change master",
    "change replication",
    "set global ",
    " with superuser",
    " superuser;",
    "detach partition",
    "drop partition",
    "db.shutdownserver(",
    "dropindexes(",
    "dropuser(",
    "rs.remove(",
    "rs.reconfig(",
];

/// How a statement begins that only looks at data.
const LOOKS: &[&str] = &[
    "select",
    "show",
    "explain",
    "describe",
    "desc ",
    "with",
    "\\d",
    "\\l",
    "\\z",
    "\\conninfo",
    "values",
    "pragma",
    ".tables",
    ".schema",
    ".headers",
    ".mode",
    ".databases",
    ".indexes",
    "table ",
];

/// What it costs to look for a loss in a text.
const TEXT_COST: usize = 800;

/// Records what the statements of a database client do.
pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    if matches!(walker.feed, Feed::Network) {
        walker.found.note("code-from-network", call.span);
    }
    if !walker.charge(call.args.len() * TEXT_COST, call.span) {
        return;
    }
    let mut texts: Vec<String> = call
        .args
        .iter()
        .map(|arg| match arg.text.split_once('=') {
            // The value of `--command=…`, which would begin like a comment.
            Some((name, value)) if name.starts_with("--") => value.to_ascii_lowercase(),
            _ => arg.text.to_ascii_lowercase(),
        })
        .collect();
    if let Feed::Text(text) = walker.feed.clone()
        && walker.charge(text.text.len().saturating_mul(2), call.span)
    {
        texts.push(text.text.to_ascii_lowercase());
    }
    if texts.iter().any(|text| loses_lower(text)) && !is_scratch(walker, call, &texts) {
        walker.found.note("database-loss", call.span);
    }
}

/// Whether a text holds a statement that cannot be taken back.
pub(super) fn loses(text: &str) -> bool {
    loses_lower(&text.to_ascii_lowercase())
}

/// Whether a text in small letters is a statement, not one that only speaks of it.
pub(super) fn is_statement(text: &str) -> bool {
    let text = text
        .trim_start()
        .trim_start_matches("query=")
        .trim_start_matches("q=");
    [
        "drop", "truncate", "delete", "alter", "update", "begin", "with", "optimize",
    ]
    .iter()
    .any(|verb| text.starts_with(verb))
}

/// Whether a text in small letters that deletes rows says which.
pub(super) fn is_bounded(text: &str) -> bool {
    text.contains("delete from")
        && text.contains(" where ")
        && !["drop ", "truncate"].iter().any(|word| text.contains(word))
}

fn loses_lower(text: &str) -> bool {
    let bare = without_texts(text);
    let squeezed = bare.split_whitespace().collect::<Vec<_>>().join(" ");
    squeezed.split(';').any(loses_rows) || FATAL.iter().any(|fatal| squeezed.contains(fatal)) || {
        let close: String = squeezed.chars().filter(|c| *c != ' ').collect();
        close.contains("deletemany({}") || close.contains(".remove({})")
    }
}

/// Whether one statement takes all rows, or the whole thing.
fn loses_rows(statement: &str) -> bool {
    let statement = statement.trim();
    if statement.starts_with("explain") && !statement.contains("analyze") {
        return false;
    }
    let all = match statement.split_once(" where ") {
        None => true,
        Some((_, condition)) => matches!(
            condition.trim_end_matches(['"', '\'', ')', ' ']).trim(),
            "1" | "true" | "1=1" | "1 = 1" | "not false" | "''=''"
        ),
    };
    let deletes = statement.starts_with("delete from")
        || statement.contains("(delete from ")
        || statement.contains(") delete from ")
        || statement.contains("begin delete from ");
    let mutates = statement.starts_with("alter table") && statement.contains(" delete ");
    all && (deletes || statement.starts_with("update ") || mutates)
        || statement.starts_with("drop ")
        || statement.starts_with("alter table") && statement.contains(" drop ")
}

/// A statement without what stands in quotes and without comments.
fn without_texts(text: &str) -> String {
    if text.contains("eval(") {
        return text.to_owned();
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '-', '/']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        let end = if from.starts_with('\'') {
            kept.push_str("''");
            let Some(inside) = from.get(1..) else { break };
            match inside.find('\'') {
                Some(end) => end + 2,
                None => return text.to_owned(),
            }
        } else if from.starts_with("--") && !before.ends_with(|c: char| !c.is_whitespace()) {
            from.find('\n').unwrap_or(from.len())
        } else if from.starts_with("/*") && !from.starts_with("/*!") {
            kept.push(' ');
            from.find("*/").map_or(from.len(), |end| end + 2)
        } else {
            kept.push_str(from.get(..1).unwrap_or_default());
            1
        };
        rest = from.get(end..).unwrap_or_default();
    }
    kept.push_str(rest);
    kept
}

/// Whether the database is in memory, or a file among temporary ones.
fn is_scratch(walker: &Walker<'_>, call: &Call<'_, '_>, texts: &[String]) -> bool {
    if !matches!(call.name, "sqlite3" | "duckdb")
        || texts.iter().any(|text| text.contains("attach"))
    {
        return false;
    }
    let options = Options::read(call);
    let statement = |arg: &&Arg<'_>| arg.text.contains([' ', ';']);
    match options.operand(0) {
        None => true,
        Some(file) if statement(&file) => call.name == "duckdb",
        Some(file) => {
            matches!(file.text.as_ref(), "" | ":memory:")
                || !file.traits.unknown && walker.place.class(&file.text, false) == Class::Tmp
        }
    }
}

/// Whether all that a database client is given only looks.
pub(super) fn only_looks(walker: &Walker<'_>, call: &Call<'_, '_>) -> bool {
    if !matches!(call.name, "psql" | "mysql" | "mariadb" | "sqlite3") {
        return false;
    }
    let mut args = call.args.iter();
    let mut looked = false;
    while let Some(arg) = args.next() {
        let text = arg.text.as_ref();
        let statement = match text {
            "-f" | "--file" => return false,
            "--command" | "--execute" => args.next(),
            _ if text.starts_with("--") => match text.split_once('=') {
                Some(("--command" | "--execute", value)) => {
                    if !looks(value) {
                        return false;
                    }
                    looked = true;
                    continue;
                }
                _ => continue,
            },
            // A cluster such as `-Atc` or `-Nse`.
            _ if text.starts_with('-') && text.ends_with(['c', 'e']) && call.name != "sqlite3" => {
                args.next()
            }
            _ if call.name == "sqlite3" && !text.starts_with('-') && text.contains([' ', '.']) => {
                if text.starts_with('.') || text.contains(' ') {
                    Some(arg)
                } else {
                    continue;
                }
            }
            _ => continue,
        };
        if !statement.is_some_and(|statement| looks(&statement.text)) {
            return false;
        }
        looked = true;
    }
    match &walker.feed {
        Feed::Text(text) if !looked => looks(&text.text),
        _ => looked,
    }
}

fn looks(text: &str) -> bool {
    let text = without_texts(&text.to_ascii_lowercase());
    let statements = text.split(';').map(str::trim);
    let mut statements = statements.filter(|statement| !statement.is_empty());
    !text.contains("into ")
        && statements.all(|statement| LOOKS.iter().any(|look| statement.starts_with(look)))
}

#[cfg(test)]
mod tests {
    use super::{looks, loses};

    #[test]
    fn what_stands_in_texts_and_comments_does_nothing() {
        for text in [
            "select 1 -- drop table x",
            "-- drop table x\nselect 1",
            "select /* drop table x; */ 1",
            "select * from t where a = 'drop table x'",
            "explain delete from t",
            "delete from t where id = 1",
            "update t set a = 1 where b = 2",
        ] {
            assert!(!loses(text), "{text}");
        }
        for text in [
            "drop table x",
            "select 1; -- no\nDROP TABLE x",
            "delete from t where 1=1",
            "delete from t where true",
            "alter table t delete where 1",
            "/*!50000 drop table x */",
            "with d as (delete from t returning *) select * from d",
            "select 'a--b'; drop table x",
            "update t set a = 1",
            "select pg_terminate_backend(pid) from pg_stat_activity",
        ] {
            assert!(loses(text), "{text}");
        }
    }

    #[test]
    fn looking_is_told_from_changing() {
        assert!(looks("SELECT 1; SHOW tables;"));
        assert!(looks("\\dt"));
        assert!(!looks("select 1; insert into t values (1)"));
        assert!(!looks("select * into x from t"));
    }
}
