//! Processes, services and databases, where a table does not suffice.

use super::{Call, Options, raise_timeout};
use crate::analysis::{EffectKind, TimeoutClass};
use crate::walk::arg::Arg;
use crate::walk::{Feed, Walker};

/// Servers by their command line: name, then the words that must lead its operands.
const SERVERS: &[(&str, &str)] = &[
    ("npm", "start"),
    ("npm", "run dev"),
    ("npm", "run start"),
    ("npm", "run serve"),
    ("npm", "run preview"),
    ("yarn", "dev"),
    ("yarn", "start"),
    ("yarn", "serve"),
    ("yarn", "run dev"),
    ("pnpm", "dev"),
    ("pnpm", "start"),
    ("pnpm", "run dev"),
    ("bun", "dev"),
    ("bun", "run dev"),
    ("flask", "run"),
    ("uvicorn", ""),
    ("gunicorn", ""),
    ("hypercorn", ""),
    ("daphne", ""),
    ("rails", "server"),
    ("rails", "s"),
    ("next", "dev"),
    ("next", "start"),
    ("ng", "serve"),
    ("hugo", "server"),
    ("jekyll", "serve"),
    ("http-server", ""),
    ("nodemon", ""),
    ("caddy", "run"),
    ("redis-server", ""),
    ("mongod", ""),
    ("webpack", "serve"),
    ("webpack-dev-server", ""),
    ("live-server", ""),
    ("vite", ""),
    ("mkdocs", "serve"),
    ("php", "artisan serve"),
    ("python", "manage.py runserver"),
    ("python3", "manage.py runserver"),
    ("wharf", "serve"),
    ("streamlit", "run"),
    ("jupyter", "notebook"),
    ("jupyter", "lab"),
    ("nginx", ""),
    ("fastapi", "dev"),
    ("fastapi", "run"),
    ("celery", "-"),
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    servers(walker, call, options);
    match call.name {
        "kill" => kill(walker, call, options),
        "psql" | "mysql" | "mariadb" | "sqlite3" | "mongosh" | "mongo" | "cqlsh"
        | "clickhouse-client" | "redis-cli" | "duckdb" | "sqlcmd" => statements(walker, call),
        "setsid" | "nohup" | "disown" | "daemonize" | "start-stop-daemon" | "at" | "batch" => {
            walker.found.shell.backgrounds = true;
        }
        "crontab" => {
            let changes = !options.has("-l");
            if changes {
                walker.found.note("schedules-code", call.span);
            }
        }
        _ => {}
    }
}

fn servers(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let module = |name: &str| {
        call.args
            .iter()
            .zip(call.args.iter().skip(1))
            .any(|(flag, value)| flag.is("-m") && value.is(name))
    };
    let listed = SERVERS.iter().any(|(name, words)| {
        *name == call.name
            && (words.is_empty() && !options.has("build")
                || !words.is_empty() && options.starts_with(words))
    });
    let built = call.name == "vite" && options.starts_with("build");
    let python = call.name.starts_with("python")
        && (module("http.server") || module("uvicorn") || module("flask"));
    let php = call.name == "php" && options.has("-S");
    if (listed && !built) || python || php {
        walker.found.effect(EffectKind::Server, None, call.span);
        raise_timeout(walker, TimeoutClass::ServerStart);
    }
}

/// `kill 1`, `kill -9 -1`: everything.
fn kill(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let asks = |arg: &Arg<'_>| matches!(arg.text.as_ref(), "-l" | "-L" | "--list" | "-0");
    if call.args.first().is_some_and(asks) {
        return;
    }
    walker
        .found
        .effect(EffectKind::ProcessControl, None, call.span);
    let all = call.args.iter().skip(1).any(|arg| arg.is("-1"))
        || options
            .operands
            .iter()
            .any(|arg| arg.is("1") || arg.is("-1"));
    if all {
        walker.found.note("kill-everything", call.span);
    }
}

/// Statements that cannot be taken back.
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
];

fn statements(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    let mut texts: Vec<String> = call
        .args
        .iter()
        .map(|arg| arg.text.to_ascii_lowercase())
        .collect();
    match &walker.feed {
        Feed::Text(text, _) => texts.push(text.to_ascii_lowercase()),
        Feed::HereDoc(index) => {
            if let Some(doc) = call.source.heredocs.get(*index) {
                texts.push(call.source.slice(doc.body.span).to_ascii_lowercase());
            }
        }
        _ => {}
    }
    for text in texts {
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let unbounded = squeezed.split(';').any(|statement| {
            let statement = statement.trim();
            (statement.starts_with("delete from") || statement.starts_with("update "))
                && !statement.contains(" where ")
        });
        if unbounded || FATAL.iter().any(|fatal| squeezed.contains(fatal)) {
            walker.found.note("database-loss", call.span);
            return;
        }
    }
}
