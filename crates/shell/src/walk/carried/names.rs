//! Names of options and programs that say whether a command may stand in an argument.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::rules::{self, Group};

/// What the name of an option or of a setting says about its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name(u8);

impl Name {
    const RUNS: u8 = 1;
    const LOADS: u8 = 2;
    const TEXT: u8 = 4;
    const SURE: u8 = 8;
    const SETS: u8 = 16;

    /// Reads a name with its dashes; several words say all that each of them says.
    pub(super) fn read(name: &str) -> Self {
        let bare = name.trim_start_matches('-');
        if bare.is_empty() {
            return Self::default();
        }
        if name.starts_with('-') && bare.len() == 1 {
            let bit = |letters: &str, bit| if letters.contains(bare) { bit } else { 0 };
            return Self(
                bit(RUN_LETTERS, Self::RUNS)
                    | bit(LOAD_LETTERS, Self::LOADS)
                    | bit(TEXT_LETTERS, Self::TEXT),
            );
        }
        Self(parts(bare).fold(0, |all, part| all | word(part)))
    }

    /// The value is run.
    pub(super) const fn runs(self) -> bool {
        self.0 & Self::RUNS != 0
    }

    /// The value is run even by a program that handles texts.
    pub(super) const fn surely_runs(self) -> bool {
        self.0 & Self::SURE != 0
    }

    /// The value is code that is loaded, or names a file of it.
    pub(super) const fn loads(self) -> bool {
        self.0 & Self::LOADS != 0
    }

    /// The value is a text for a person, a pattern, or data.
    pub(super) const fn holds_text(self) -> bool {
        self.0 & Self::TEXT != 0 && !self.runs()
    }

    /// The value overrides settings of its program.
    pub(super) const fn sets(self) -> bool {
        self.0 & Self::SETS != 0
    }
}

/// Bytes of the longest word that says something.
const LONGEST: usize = 16;

/// What one word says, in either case.
fn word(part: &str) -> u8 {
    let mut lower = [0_u8; LONGEST];
    let Some(lower) = lower.get_mut(..part.len()) else {
        return 0;
    };
    lower.copy_from_slice(part.as_bytes());
    lower.make_ascii_lowercase();
    let lower = std::str::from_utf8(lower).unwrap_or_default();
    WORDS.get(lower).copied().unwrap_or_default()
}

static WORDS: LazyLock<HashMap<&'static str, u8>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    let lists = [
        (RUNS, Name::RUNS),
        (LOADS, Name::LOADS),
        (TEXTS, Name::TEXT),
        (SURELY, Name::SURE),
        (SETS, Name::SETS),
    ];
    for (list, bit) in lists {
        for word in list {
            *words.entry(*word).or_default() |= bit;
        }
    }
    words
});

/// Words of options that are run even by a program that handles texts.
const SURELY: &[&str] = &["pre", "exec", "pager", "askpass", "hook", "rsh"];

/// Words of options that override settings.
const SETS: &[&str] = &[
    "config", "option", "setting", "settings", "override", "property",
];

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

/// Whether a command could stand in the text by itself: a plain word or a path is only that.
pub(super) fn has_marks(text: &str) -> bool {
    text.bytes().any(|byte| {
        matches!(
            byte,
            b' ' | b'\t' | b'\n' | b'!' | b'|' | b'`' | b'(' | b'['
        )
    })
}

/// Whether a command could stand in the text where its option says so.
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
