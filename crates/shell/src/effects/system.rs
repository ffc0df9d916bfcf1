//! Processes, services and databases, where a table does not suffice.

use super::{Call, Options, raise_timeout, sql};
use crate::analysis::{EffectKind, TimeoutClass};
use crate::rules;
use crate::walk::Walker;
use crate::walk::arg::Arg;

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
        "pkill" | "killall" => {
            let any = |arg: &&&Arg<'_>| matches!(arg.text.as_ref(), "" | "." | ".*" | "^" | "*");
            if options.operands.iter().any(|arg| any(&arg)) {
                walker.found.note("kill-any-name", call.span);
            }
        }
        "psql" | "mysql" | "mariadb" | "sqlite3" | "mongosh" | "mongo" | "cqlsh"
        | "clickhouse-client" | "clickhouse" | "duckdb" | "sqlcmd" | "mysqlsh" | "pgcli"
        | "mycli" | "usql" | "litecli" | "cockroach" | "isql" | "sqlplus" | "snowsql"
        | "beeline" | "hive" | "trino" | "presto" | "spark-sql" | "wrangler" | "turso"
        | "influx" | "ysqlsh" | "bq" | "impala-shell" | "rqlite" => sql::run(walker, call),
        "redis-cli" | "valkey-cli" => {
            sql::run(walker, call);
            redis(walker, call, options);
        }
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

pub(super) fn servers(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
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
    let built = call.name == "vite" && options.starts_with("build")
        || call.name == "nginx" && options.has_any(&["-t", "-T", "-v", "-V"]);
    let python = call.name.starts_with("python")
        && (module("http.server") || module("uvicorn") || module("flask"));
    let php = call.name == "php" && options.has("-S");
    if (listed && !built) || python || php {
        walker.found.effect(EffectKind::Server, None, call.span);
        raise_timeout(walker, TimeoutClass::ServerStart);
    }
}

/// `redis-cli` has no statements, but commands.
fn redis(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    const CHANGES: &[&str] = &[
        "shutdown",
        "config set *",
        "config rewrite",
        "debug *",
        "slaveof *",
        "replicaof *",
        "flushall",
        "flushdb",
        "script flush",
        "acl *",
        "module *",
        "eval *",
        "migrate *",
        "swapdb *",
        "evalsha *",
        "fcall *",
        "function flush",
        "function delete",
        "client kill",
        "cluster reset",
        "cluster forget",
        "cluster failover",
        "failover",
        "restore *",
        "xgroup destroy",
    ];
    // Keys that another program found; a single one of the text is its author's own.
    let deletes_found = ["del", "unlink", "hdel", "xtrim", "ltrim"]
        .iter()
        .any(|verb| options.starts_with(verb))
        && options
            .operands
            .iter()
            .skip(1)
            .any(|arg| arg.traits.unknown && arg.text.starts_with('\0') || arg.traits.listing);
    if deletes_found
        || CHANGES
            .iter()
            .any(|words| options.starts_with(words.trim_end_matches(" *")))
    {
        walker.found.note("database-loss", call.span);
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
    let everyone = call.args.iter().any(|arg| arg.traits.everyone);
    let all = everyone
        || call.args.iter().skip(1).any(|arg| arg.is("-1"))
        || options
            .operands
            .iter()
            .any(|arg| arg.is("1") || arg.is("-1"));
    if all {
        walker.found.note("kill-everything", call.span);
    }
}

/// Whether the numbers that `ps`, `pgrep` or `pidof` prints are those of all processes, of all
/// that a user has, or of what keeps the system up.
pub(super) fn shows_everyone(call: &Call<'_, '_>) -> bool {
    let options = Options::read(call);
    if call.name == "ps" {
        let chosen = ["-p", "-C", "--pid", "--ppid", "-t", "--tty", "-q", "--sid"];
        let all = options.has_any(&["-e", "-A", "-u", "-U", "--user", "-x", "-a"]);
        let bsd = |arg: &Arg<'_>| {
            let letters = arg.text.bytes().all(|b| b.is_ascii_lowercase());
            letters && arg.text.len() <= 4 && arg.text.contains(['a', 'x'])
        };
        let exactly = |flag: &str| call.args.iter().any(|arg| arg.text.starts_with(flag));
        return !chosen.iter().any(|flag| exactly(flag))
            && (all || options.operands.iter().any(|arg| bsd(arg)));
    }
    let system = rules::named("kill-system-process").map_or(&[][..], |rule| &rule.operands);
    let any = |arg: &Arg<'_>| matches!(arg.text.as_ref(), "" | "." | ".*" | "^");
    let kept = |arg: &&Arg<'_>| {
        system
            .iter()
            .any(|name| super::matching::like(name, &arg.text))
    };
    call.args.iter().any(any)
        || options.operands.iter().any(kept)
        || call.name == "pgrep" && options.operands.is_empty() && options.has_any(&["-u", "-U"])
}

/// Whether a filter hands on only some of the lines that it reads.
pub(super) fn chooses(call: &Call<'_, '_>, options: &Options<'_, '_>) -> bool {
    match call.name {
        "grep" | "egrep" | "fgrep" | "rg" => {
            let numbers = |arg: &Arg<'_>| !arg.text.contains(|c: char| c.is_ascii_alphabetic());
            !options.has_any(&["-v", "--invert-match"]) && !options.operand(0).is_some_and(numbers)
        }
        "head" => true,
        "tail" => !call.args.iter().any(|arg| arg.text.starts_with('+')),
        "awk" => options.operand(0).is_some_and(|script| {
            let rest = script.text.replace("NR>1", "").replace("NR > 1", "");
            rest.contains(['/', '~', '=', '<', '>'])
        }),
        "sed" => call
            .args
            .iter()
            .any(|arg| arg.text.contains("/p") || arg.text.contains("!d")),
        _ => false,
    }
}
