//! Names of options and programs that say whether a command may stand in an argument.

use crate::rules::{self, Group};

/// Words in the name of an option or a setting whose value is run.
const RUNS: &[&str] = &[
    "exec",
    "execute",
    "executable",
    "eval",
    "run",
    "runs",
    "under",
    "command",
    "commands",
    "cmd",
    "cmds",
    "program",
    "prog",
    "pager",
    "wrapper",
    "toolexec",
    "prepare",
    "setup",
    "cleanup",
    "conclude",
    "teardown",
    "hook",
    "hooks",
    "shell",
    "editor",
    "runner",
    "launcher",
    "browser",
    "askpass",
    "rsh",
    "call",
    "filter",
    "preprocessor",
    "postprocessor",
    "postrotate",
    "prerotate",
    "notify",
    "handler",
    "checkpoint",
    "trigger",
    "callback",
    "if",
    "on",
    "pre",
    "post",
    "proxy",
    "compress",
    "decompress",
    "interpreter",
    "start",
    "startup",
    "stop",
    "reload",
    "daemon",
    "script",
    "action",
    "init",
    "lowlevel",
    "shutdown",
    "dial",
    "generator",
    "helper",
];

/// Letters of options whose value is run by some program.
const RUN_LETTERS: &str = "exXcECIPSzBR";

/// Words in the name of an option whose value is code that is loaded, or names a file of it.
const LOADS: &[&str] = &[
    "plugin",
    "plugins",
    "load",
    "preload",
    "require",
    "import",
    "loader",
    "module",
    "extension",
    "init",
    "rcfile",
    "script",
    "filter",
    "eval",
    "file",
    "prelude",
    "library",
    "provider",
    "agent",
];

/// Letters of such options.
const LOAD_LETTERS: &str = "rlDL";

/// Words in the name of an option whose value is a text for a person, a pattern, or data.
const TEXTS: &[&str] = &[
    "message",
    "msg",
    "body",
    "title",
    "subject",
    "description",
    "desc",
    "comment",
    "comments",
    "note",
    "notes",
    "summary",
    "reason",
    "text",
    "label",
    "annotation",
    "grep",
    "pattern",
    "regex",
    "regexp",
    "search",
    "query",
    "name",
    "author",
    "agent",
    "header",
    "data",
    "json",
    "prompt",
    "expected",
    "expect",
    "contains",
    "match",
    "content",
    "about",
    "caption",
    "tests",
    "test",
    "matching",
    "tag",
    "format",
    "template",
    "pretty",
    "exclude",
    "include",
    "ignore",
    "arg",
    "argjson",
    "jsonargs",
    "field",
    "changelog",
    "context",
    "keyword",
    "statement",
    "sql",
    "goal",
    "instructions",
    "string",
    "question",
    "mention",
    "banner",
    "log",
    "example",
    "password",
    "raw",
];

/// Letters of such options.
const TEXT_LETTERS: &str = "mtkbHdnNqTgGjMwWfFaAo";

/// Whether the program prints, searches, compares or keeps texts, or is looked into elsewhere.
pub(super) fn only_handles_text(name: &str) -> bool {
    rules::is_in(name, Group::Texts)
}

/// Whether the arguments of the program are statements of another language.
pub(super) fn takes_statements(name: &str) -> bool {
    rules::is_in(name, Group::Statements)
}

/// Programs that lose something when they run, as the words of a call name them.
pub(super) fn is_destructive(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    matches!(
        name,
        "rm" | "rmdir"
            | "shred"
            | "dd"
            | "wipefs"
            | "sh"
            | "bash"
            | "zsh"
            | "dash"
            | "chmod"
            | "chown"
            | "reboot"
            | "poweroff"
            | "shutdown"
            | "sudo"
            | "doas"
            | "mkswap"
            | "sfdisk"
            | "blkdiscard"
    ) || name.starts_with("mkfs.")
}

/// Whether the name is that of an option which is run even by a program that handles texts.
pub(super) fn surely_runs(name: &str) -> bool {
    named(
        name,
        &["pre", "exec", "pager", "askpass", "hook", "rsh"],
        "",
    )
}

/// Whether the option overrides settings of its program.
pub(super) fn sets(name: &str) -> bool {
    named(
        name,
        &[
            "config", "option", "setting", "settings", "override", "property",
        ],
        "",
    )
}

/// Whether marks in arguments of the program may start a shell.
pub(super) fn takes_marks(name: &str) -> bool {
    !matches!(
        name,
        "tmux"
            | "aws"
            | "gcloud"
            | "az"
            | "python"
            | "python3"
            | "python2"
            | "node"
            | "ruby"
            | "php"
            | "lua"
            | "perl"
            | "bun"
            | "deno"
    )
}

/// Whether an operand of the program may be a command line.
pub(super) fn runs_operands(name: &str) -> bool {
    !rules::is_in(name, Group::OwnCode)
}

/// Whether a command could stand in the text at all: a plain word is only a word.
pub(super) fn may_carry(text: &str) -> bool {
    text.bytes().any(|byte| {
        matches!(
            byte,
            b' ' | b'\t' | b'\n' | b'!' | b'|' | b'`' | b'(' | b'[' | b'/' | b':'
        )
    }) || text.ends_with("sh")
}

/// A long name before `=`, as settings have.
pub(super) fn is_key(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]:".contains(&byte))
}

/// The letter of an option and the value that stands right behind it.
pub(super) fn attached(text: &str) -> Option<(&str, &str)> {
    if text.starts_with("--") {
        return text.split_once(':');
    }
    let second = text.as_bytes().get(1)?;
    let third = text.as_bytes().get(2)?;
    let letter = second.is_ascii_alphabetic() && *third != b'-';
    if !letter || !text.is_char_boundary(2) {
        return None;
    }
    Some(text.split_at(2))
}

/// Whether the name is that of an option whose value is run.
pub(super) fn runs(name: &str) -> bool {
    named(name, RUNS, RUN_LETTERS)
}

/// Whether the name is that of an option whose value is loaded.
pub(super) fn loads(name: &str) -> bool {
    named(name, LOADS, LOAD_LETTERS)
}

/// Whether the value of the option is a text, a pattern or data.
pub(super) fn holds_text(program: &str, name: &str) -> bool {
    if !name.starts_with('-') || runs(name) {
        return false;
    }
    let test = name == "-run" && program == "go";
    test || named(name, TEXTS, TEXT_LETTERS)
}

/// Whether the file holds code that a program would load.
pub(super) fn is_code_file(path: &str) -> bool {
    const ENDS: &[&str] = &[
        ".so", ".dylib", ".dll", ".js", ".mjs", ".cjs", ".ts", ".py", ".rb", ".lua", ".pl", ".pm",
        ".sh", ".jar", ".awk", ".el", ".vim", ".php", ".tcl", ".nse", ".r", ".R", ".jl", ".exs",
        ".wasm",
    ];
    ENDS.iter().any(|end| path.ends_with(end))
        || path
            .rsplit_once('/')
            .is_some_and(|(_, name)| !name.contains('.') && !name.is_empty())
}

fn named(name: &str, words: &[&str], letters: &str) -> bool {
    let bare = name.trim_start_matches('-');
    if name.starts_with('-') && bare.len() == 1 {
        return letters.contains(bare);
    }
    parts(bare).any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
}

/// The words of a name: `--pre-command`, `exec.args`, `onExit`.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(['-', '_', '.', '[', ']', ':']).flat_map(|part| {
        let at = part
            .bytes()
            .zip(part.bytes().skip(1))
            .position(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
        let (first, rest) = part.split_at(at.map_or(part.len(), |at| at + 1));
        [first, rest]
    })
}
