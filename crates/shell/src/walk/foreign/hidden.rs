//! Code that reaches for other code, or for what others share, by means that no single word shows.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::MAX_PLACES;
use super::literals::Code;
use super::words::Language;

/// Libraries that reach databases, clouds and clusters.
const CLIENTS: &[&str] = &[
    "boto3",
    "botocore",
    "google.cloud",
    "azure.",
    "kubernetes",
    "psycopg",
    "psycopg2",
    "asyncpg",
    "objects",
    "destroy_all",
    "delete_all",
    "sqlite3",
    "sqlalchemy",
    "pymysql",
    "MySQLdb",
    "mysql",
    "mysql2",
    "pymongo",
    "mongodb",
    "mongoose",
    "redis",
    "ioredis",
    "@aws-sdk",
    "aws-sdk",
    "@google-cloud",
    "@azure",
    "@kubernetes",
    "PG.connect",
    "PG::",
    "DBI",
    "ActiveRecord",
    "Sequel",
    "elasticsearch",
    "kafka",
    "digitalocean",
    "stripe",
    "hvac",
    "cassandra",
    "docker",
    "dockerode",
    "knex",
    "prisma",
    "PDO",
    "mysqli",
    "pg",
    "pyspark",
    "spark.sql",
    "huggingface_hub",
    "googleapiclient",
    "github",
    "gitlab",
    "octokit",
    "slack_sdk",
    "snowflake",
    "bigquery",
    "pulumi",
    "cloudflare",
    "wandb",
    "mlflow",
    "openstack",
    "novaclient",
    "proxmoxer",
    "consul",
    "etcd3",
    "neo4j",
    "influxdb_client",
];

/// What they are told to lose.
const LOSES: &[&str] = &[
    "delete",
    "drop table",
    "drop database",
    "drop schema",
    "drop_database",
    "drop_collection",
    "dropdatabase",
    "truncate table",
    "truncate ",
    "terminate",
    "flushall",
    "flushdb",
    "purge",
    "destroy",
    "drop_all",
    ".drop(",
    "remove(",
    "prune",
    "dropcollection",
    "empty_bucket",
    "delete_many",
    "deletemany",
];

/// Functions of Python's `subprocess` that start a program.
pub(super) const STARTERS: &[&str] = &[
    "run",
    "call",
    "check_call",
    "check_output",
    "Popen",
    "getoutput",
    "getstatusoutput",
];

static CLIENT_NAMES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| super::search::of(CLIENTS));

/// Whether one of the libraries is named, as a word of its own.
fn names_client(text: &str) -> bool {
    let Some(names) = CLIENT_NAMES.as_ref() else {
        return true;
    };
    let in_name = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = text.as_bytes();
    names.find_overlapping_iter(text).any(|found| {
        let before = found.start().checked_sub(1).and_then(|at| bytes.get(at));
        !in_name(before) && !in_name(bytes.get(found.end()))
    })
}

/// Whether the code makes a client of a shared service lose something. A database in memory, or
/// in a file of its own beside the code, is nobody else's.
pub(super) fn loses_shared(code: &Code<'_>) -> bool {
    let text = code.text();
    let own = |text: &str| {
        [":memory:", "sqlite3.connect('", "sqlite3.connect(\""]
            .iter()
            .any(|sign| {
                text.split(*sign)
                    .nth(1)
                    .is_some_and(|rest| *sign == ":memory:" || !rest.starts_with(['/', '~', '.']))
            })
    };
    if !names_client(text) || own(text) {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    LOSES.iter().any(|word| lower.contains(word))
}

/// Whether the code reaches for other code by means that no single word shows.
pub(super) fn is_hidden(language: Language, code: &Code<'_>) -> bool {
    let bare = code.bare();
    let text = code.text();
    match language {
        Language::Python => {
            let from_os = [
                "from os import",
                "from subprocess import",
                "from shutil import",
            ];
            let dangerous = [
                "system", "popen", "exec", "spawn", "remove", "unlink", "rm", "kill", "fork",
                "run", "call", "check", "Popen", "move", "rename", "*",
            ];
            // Functions of `subprocess` are followed under their own names.
            let followed = |line: &str| {
                line.split(',').all(|name| {
                    STARTERS.contains(&name.trim())
                        || matches!(
                            name.trim(),
                            "PIPE" | "DEVNULL" | "STDOUT" | "CalledProcessError"
                        )
                })
            };
            let imported = from_os.iter().any(|from| {
                bare.split(from).skip(1).any(|rest| {
                    let line = rest.split(['\n', ';']).next().unwrap_or_default();
                    !(*from == "from subprocess import" && followed(line))
                        && dangerous.iter().any(|word| line.contains(word))
                })
            });
            let renamed = [
                "import os as",
                "import subprocess as",
                "import shutil as",
                "= os\n",
                "=os;",
            ]
            .iter()
            .any(|sign| bare.contains(sign));
            let large = bare.split("10**").skip(1).any(|rest| {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse::<u32>().is_ok_and(|n| n >= 9)
            });
            imported || renamed || large && bare.contains('*')
        }
        Language::Node => {
            let processes = text.matches("child_process").count();
            let places: Vec<usize> = [
                "execSync",
                "exec",
                "spawn",
                "spawnSync",
                "execFile",
                "execFileSync",
            ]
            .iter()
            .flat_map(|word| code.places(word))
            .take(MAX_PLACES + 1)
            .collect();
            let resolved = places.iter().filter(|at| {
                let word = code.word_at(**at).map_or(0, str::len);
                !code.arguments(*at + word).texts.is_empty()
            });
            let unresolved = places.len() > MAX_PLACES || processes > resolved.count();
            const DOES: &[&str] = &[
                "writeFile",
                "appendFile",
                "rm",
                "rmdir",
                "unlink",
                "exec",
                "spawn",
                "execFile",
                "fork",
                "rename",
                "cp",
                "copyFile",
                "chmod",
                "symlink",
                "truncate",
                "createWriteStream",
            ];
            // `import {rmSync as r}`, `const {rmSync: r} = …`: what is called has another name.
            let renames = ["as ", "}=", "} ="].iter().any(|sign| bare.contains(sign));
            let renamed = DOES
                .iter()
                .filter(|_| renames)
                .flat_map(|word| [(*word).to_owned(), format!("{word}Sync")])
                .any(|word| {
                    code.places(&word).into_iter().any(|at| {
                        let rest = code.rest(at + word.len()).trim_start();
                        rest.starts_with("as ")
                            || rest.starts_with(':') && bare.contains("}=") | bare.contains("} =")
                    })
                });
            renamed
                || unresolved
                || bare
                    .split("require(")
                    .skip(1)
                    .any(|rest| !rest.trim_start().starts_with(['"', '\'', '`']))
        }
        Language::Perl => bare
            .split("eval")
            .skip(1)
            .any(|rest| !rest.trim_start().starts_with('{')),
        Language::Php => {
            let names = [
                "unlink",
                "system",
                "exec",
                "passthru",
                "shell_exec",
                "rmdir",
                "popen",
            ];
            code.literals()
                .any(|literal| names.contains(&literal.as_str()))
        }
        Language::PowerShell => {
            let looks = [
                "Get-",
                "Write-",
                "Test-",
                "Select-",
                "Measure-",
                "$PSVersion",
                "echo ",
            ];
            !looks
                .iter()
                .any(|start| text.trim_start().starts_with(start))
        }
        _ => false,
    }
}
