//! Writing many runs at once: a statement costs more than a row, so rows go in by 64, 8 and 1.

use std::sync::LazyLock;

use sqlx::AnyConnection;
use sqlx::any::AnyArguments;

use super::RunRow;
use super::runs::run_columns;

type Query = sqlx::query::Query<'static, sqlx::Any, AnyArguments>;

/// How a run ended, for a row that is already there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunEnd {
    pub(super) id: String,
    pub(super) seq_closed: i64,
    pub(super) state: String,
    pub(super) exit_code: Option<i64>,
    pub(super) ended_ms: i64,
    pub(super) duration_ms: i64,
    pub(super) stdout_bytes: i64,
    pub(super) stderr_bytes: i64,
    pub(super) output_location: Option<String>,
    pub(super) output_digest: Option<String>,
    pub(super) error_kind: Option<String>,
    pub(super) cwd_after: Option<String>,
}

impl RunEnd {
    /// Puts the end into a row that is not written yet.
    pub(super) fn close(self, row: &mut RunRow) {
        row.seq_closed = Some(self.seq_closed);
        row.state = self.state;
        row.exit_code = self.exit_code;
        row.ended_ms = Some(self.ended_ms);
        row.duration_ms = Some(self.duration_ms);
        row.stdout_bytes = self.stdout_bytes;
        row.stderr_bytes = self.stderr_bytes;
        row.output_location = self.output_location;
        row.output_digest = self.output_digest;
        row.error_kind = self.error_kind;
        row.cwd_after = self.cwd_after;
    }
}

/// Inserts runs. One that is there already only takes the end that it did not have.
pub(super) async fn insert_runs(
    connection: &mut AnyConnection,
    rows: Vec<RunRow>,
) -> Result<(), sqlx::Error> {
    static UNNAMED: Statements = LazyLock::new(|| statements(insert_sql, Parameters::Unnamed));
    static NUMBERED: Statements = LazyLock::new(|| statements(insert_sql, Parameters::Numbered));
    let statements = match Parameters::of(connection) {
        Parameters::Unnamed => &UNNAMED,
        Parameters::Numbered => &NUMBERED,
    };
    write_chunks(connection, statements, rows, bind_run).await
}

/// Closes runs that are there already.
pub(super) async fn close_runs(
    connection: &mut AnyConnection,
    ends: Vec<RunEnd>,
) -> Result<(), sqlx::Error> {
    static UNNAMED: Statements = LazyLock::new(|| statements(close_sql, Parameters::Unnamed));
    static NUMBERED: Statements = LazyLock::new(|| statements(close_sql, Parameters::Numbered));
    let statements = match Parameters::of(connection) {
        Parameters::Unnamed => &UNNAMED,
        Parameters::Numbered => &NUMBERED,
    };
    write_chunks(connection, statements, ends, bind_end).await
}

/// How a parameter is written. The numbered way is understood by both databases, but the SQLite
/// driver looks up each one's name, in a list as long as all of them: with 1,728 parameters that
/// took three quarters of the time. Statements with few parameters are numbered for both.
#[derive(Clone, Copy)]
pub(super) enum Parameters {
    /// `?`
    Unnamed,
    /// `$1`
    Numbered,
}

impl Parameters {
    pub(super) fn of(connection: &AnyConnection) -> Self {
        if connection.backend_name() == "SQLite" {
            Self::Unnamed
        } else {
            Self::Numbered
        }
    }
}

/// Rows a statement. Few sizes, so that each is prepared once.
const CHUNKS: [usize; 3] = [64, 8, 1];
type Statements = LazyLock<[(usize, String); CHUNKS.len()]>;

fn statements(
    sql: fn(usize, Parameters) -> String,
    parameters: Parameters,
) -> [(usize, String); CHUNKS.len()] {
    CHUNKS.map(|count| (count, sql(count, parameters)))
}

async fn write_chunks<T>(
    connection: &mut AnyConnection,
    statements: &'static Statements,
    rows: Vec<T>,
    bind: fn(Query, T) -> Query,
) -> Result<(), sqlx::Error> {
    let mut rows = rows.into_iter();
    for (count, sql) in statements.iter() {
        while rows.len() >= *count {
            let query = rows
                .by_ref()
                .take(*count)
                .fold(sqlx::query(sql.as_str()), bind);
            query.execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// The columns that a closing entry brings, with their types.
const END_COLUMNS: [(&str, &str); 11] = [
    ("seq_closed", "BIGINT"),
    ("state", "TEXT"),
    ("exit_code", "BIGINT"),
    ("ended_ms", "BIGINT"),
    ("duration_ms", "BIGINT"),
    ("stdout_bytes", "BIGINT"),
    ("stderr_bytes", "BIGINT"),
    ("output_location", "TEXT"),
    ("output_digest", "TEXT"),
    ("error_kind", "TEXT"),
    ("cwd_after", "TEXT"),
];

fn insert_sql(count: usize, parameters: Parameters) -> String {
    let columns = run_columns!();
    let width = columns.split(',').count();
    let casts = vec![None; width];
    let values = values(count, &casts, parameters);
    let ends = assignments("excluded");
    format!(
        "INSERT INTO runs ({columns}) VALUES {values} ON CONFLICT (id) DO UPDATE SET {ends} \
         WHERE excluded.seq_closed IS NOT NULL"
    )
}

fn close_sql(count: usize, parameters: Parameters) -> String {
    let names = END_COLUMNS.map(|column| column.0).join(", ");
    // In a bare list of values the parameters' types are not known to PostgreSQL.
    let types = END_COLUMNS.iter().map(|column| Some(column.1));
    let casts: Vec<_> = std::iter::once(Some("TEXT")).chain(types).collect();
    let values = values(count, &casts, parameters);
    let ends = assignments("ends");
    format!(
        "WITH ends (id, {names}) AS (VALUES {values}) \
         UPDATE runs SET {ends} FROM ends WHERE runs.id = ends.id"
    )
}

fn assignments(from: &str) -> String {
    END_COLUMNS
        .map(|(name, _)| format!("{name} = {from}.{name}"))
        .join(", ")
}

/// `($1, CAST($2 AS BIGINT)), ($3, …` for `count` rows.
pub(super) fn values(count: usize, casts: &[Option<&str>], parameters: Parameters) -> String {
    let mut number = 0;
    let mut parameter = |cast: &Option<&str>| {
        number += 1;
        let parameter = match parameters {
            Parameters::Unnamed => "?".to_owned(),
            Parameters::Numbered => format!("${number}"),
        };
        cast.map_or(parameter.clone(), |cast| {
            format!("CAST({parameter} AS {cast})")
        })
    };
    let mut row = |_| {
        let columns: Vec<String> = casts.iter().map(&mut parameter).collect();
        format!("({})", columns.join(", "))
    };
    (0..count).map(&mut row).collect::<Vec<_>>().join(", ")
}

fn bind_run(query: Query, row: RunRow) -> Query {
    query
        .bind(row.id)
        .bind(row.seq_opened)
        .bind(row.seq_closed)
        .bind(row.caller)
        .bind(row.session_id)
        .bind(row.target)
        .bind(row.command)
        .bind(row.cwd)
        .bind(row.kind)
        .bind(row.risk)
        .bind(row.verdict)
        .bind(i64::from(row.background))
        .bind(row.state)
        .bind(row.exit_code)
        .bind(row.started_ms)
        .bind(row.ended_ms)
        .bind(row.duration_ms)
        .bind(row.stdout_bytes)
        .bind(row.stderr_bytes)
        .bind(row.output_location)
        .bind(row.output_digest)
        .bind(row.error_kind)
        .bind(row.cwd_after)
        .bind(row.idempotency_key)
        .bind(row.idempotency_fingerprint)
        .bind(row.extra)
        .bind(row.server)
}

fn bind_end(query: Query, end: RunEnd) -> Query {
    query
        .bind(end.id)
        .bind(end.seq_closed)
        .bind(end.state)
        .bind(end.exit_code)
        .bind(end.ended_ms)
        .bind(end.duration_ms)
        .bind(end.stdout_bytes)
        .bind(end.stderr_bytes)
        .bind(end.output_location)
        .bind(end.output_digest)
        .bind(end.error_kind)
        .bind(end.cwd_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_across_rows() {
        let casts = [None, Some("BIGINT")];
        let numbered = values(2, &casts, Parameters::Numbered);
        assert_eq!(
            numbered,
            "($1, CAST($2 AS BIGINT)), ($3, CAST($4 AS BIGINT))"
        );
        assert_eq!(
            values(1, &casts, Parameters::Unnamed),
            "(?, CAST(? AS BIGINT))"
        );
    }

    /// As happens when projecting was cancelled after the commit and before it was known.
    #[tokio::test]
    async fn a_row_that_comes_again_brings_its_end_and_never_takes_it_away() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::db::Database::open_sqlite(&dir.path().join("wharf.db"))
            .await
            .unwrap();
        let mut writer = db.writer.acquire().await.unwrap();
        let (id, caller) = ("r".to_owned(), "ann".to_owned());
        let running = RunRow {
            id,
            caller,
            state: "running".to_owned(),
            ..RunRow::default()
        };
        let state = "done".to_owned();
        let done = RunRow {
            state,
            seq_closed: Some(2),
            exit_code: Some(1),
            ..running.clone()
        };

        for row in [&running, &done, &running] {
            insert_runs(&mut writer, vec![row.clone()]).await.unwrap();
        }

        assert_eq!(db.run("ann", "r").await.unwrap(), Some(done));
    }

    /// PostgreSQL counts the parameters of a statement in 16 bits; SQLite takes 32,766.
    #[test]
    fn the_largest_statement_is_one_that_both_databases_take() {
        let sql = insert_sql(CHUNKS[0], Parameters::Unnamed);
        assert_eq!(sql.matches('?').count(), 27 * 64);
        assert!(sql.matches('?').count() < 32_766);
    }
}
