//! Code for the objects of an application, given to the shell of its framework.

use super::{Call, Options, sql, verbs};
use crate::walk::{Feed, Walker};

/// Words behind which a framework takes code.
const SHELLS: &[&str] = &[
    "shell",
    "shell_plus",
    "runner",
    "r",
    "console",
    "c",
    "tinker",
    "run",
    "eval",
    "runscript",
    "dbshell",
    "dbconsole",
    "db",
];

/// What takes all rows or a whole store, without blanks and in small letters.
const ALL: &[&str] = &[
    ".delete_all",
    ".destroy_all",
    ".all().delete()",
    ".all.delete",
    ".all.each(&:destroy",
    ".all.each(&:delete",
    ".all.map(&:destroy",
    "::truncate(",
    "->truncate(",
    ".truncate()",
    "repo.delete_all(",
    "drop_all(",
    "drop_table(",
    ".drop()",
    "schema::drop",
    "dropalltables(",
    "::query()->delete()",
    ".deletemany({})",
    ".deletemany()",
    "flushall",
    "flushdb",
    "purge_all",
    "sidekiq::queue.new.clear",
    "sidekiq::queue.all",
    ".obliterate(",
    ".raw_delete(",
    ".query.delete()",
];

/// Programs whose tasks are named `group:task`.
const TASKS: &[&str] = &[
    "node",
    "symfony",
    "console",
    "php",
    "artisan",
    "ace",
    "sail",
    "sequelize",
    "sequelize-cli",
    "typeorm",
    "mikro-orm",
    "knex",
    "rails",
    "rake",
    "mix",
    "hanami",
    "craft",
    "drush",
    "occ",
    "adonis",
    "sidekiq",
    "lotus",
    "heroku",
    "ts-node",
    "tsx",
    "wp",
    "bun",
    "deno",
];

/// Whether a word is a task that deletes what a database holds: `schema:drop`, `ecto.reset`.
fn is_losing_task(word: &str) -> bool {
    const GROUPS: &[&str] = &[
        "db",
        "database",
        "schema",
        "migrate",
        "migration",
        "migrations",
        "ecto",
        "doctrine",
        "fixtures",
        "sql",
    ];
    const LOSES: &[&str] = &[
        "drop", "reset", "wipe", "fresh", "purge", "truncate", "rollback", "revert", "undo",
        "refresh", "destroy", "empty", "clear-db", "load",
    ];
    let mut parts = word.split([':', '.']);
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let loads = rest.contains(&"load") && !rest.contains(&"schema") && first != "schema";
    GROUPS.contains(&first) && rest.iter().any(|part| LOSES.contains(part)) && !loads
}

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let mut tasks = options.operands.iter().take(3);
    if TASKS.contains(&call.name)
        && tasks.any(|arg| is_losing_task(&arg.text))
        && !verbs::for_tests(walker, call)
    {
        walker.found.note("database-framework-reset", call.span);
    }
    let known = matches!(
        call.name,
        "python"
            | "python3"
            | "manage.py"
            | "django-admin"
            | "rails"
            | "php"
            | "artisan"
            | "flask"
            | "mix"
            | "iex"
            | "hanami"
            | "console"
    );
    if !known {
        return;
    }
    let first = options.operands.iter().take(2);
    let shell = call.name == "iex" || first.clone().any(|arg| SHELLS.contains(&arg.text.as_ref()));
    if !shell
        || call.name.starts_with("python")
            && !options
                .operand(0)
                .is_some_and(|arg| arg.text.ends_with(".py"))
    {
        return;
    }
    let feed = match walker.feed.clone() {
        Feed::Text(text) if walker.charge(text.text.len().saturating_mul(2), call.span) => {
            Some(text.text.clone())
        }
        _ => None,
    };
    let texts = call.args.iter().map(|arg| arg.text.as_ref());
    let loses = texts.chain(feed.as_deref()).any(|text| {
        let close: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect();
        let statement = [
            "drop table",
            "drop database",
            "drop schema",
            "truncate table",
            "delete from",
        ];
        let lower = text.to_ascii_lowercase();
        ALL.iter().any(|word| close.contains(word))
            || statement.iter().any(|word| lower.contains(word)) && !sql::is_bounded(&lower)
    });
    if loses && !verbs::for_tests(walker, call) {
        walker.found.note("database-loss", call.span);
    }
}
