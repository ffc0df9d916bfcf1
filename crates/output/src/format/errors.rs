//! Whose errors an output holds.

use serde::Serialize;

/// The language or tool that wrote an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Tracebacks and exceptions of Python.
    Python,
    /// Panics of Rust and messages of its compiler.
    Rust,
    /// Panics of Go and messages of its compiler.
    Go,
    /// Exceptions of Node and messages of npm.
    Node,
    /// Messages of the TypeScript compiler.
    Typescript,
    /// Exceptions of Java and its kin, messages of its compiler.
    Java,
    /// Messages of C and C++ compilers and linkers.
    Gcc,
    /// Messages of shells.
    Shell,
    /// Exceptions of Ruby.
    Ruby,
    /// Errors of PHP.
    Php,
    /// Errors of Perl.
    Perl,
    /// Exceptions of .NET and messages of its compilers.
    Dotnet,
    /// Errors of make and its kin.
    Make,
    /// Errors of databases.
    Sql,
    /// Errors of git.
    Git,
}

/// The languages of the errors in a stream.
pub(super) fn languages(bytes: &[u8]) -> Vec<Language> {
    // Most outputs hold none of the words that begin an error, and need not be read by lines.
    if !GATE
        .iter()
        .any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
    {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(bytes);
    let mut found: Vec<Language> = Vec::new();
    for line in text.lines() {
        for language in languages_at(line) {
            if !found.contains(&language) {
                found.push(language);
            }
        }
    }
    found.sort_unstable();
    found
}

/// Each message that tells a language holds one of these.
const GATE: &[&str] = &[
    "rror",
    "ERR",
    "xception",
    "Traceback",
    "File \"",
    "panic",
    "goroutine ",
    ".go:",
    "    at ",
    "\tat ",
    "node:internal",
    "Unhandled",
    "Caused by: ",
    "undefined reference",
    "ld returned",
    "sh: ",
    "not found",
    "unbound variable",
    "cannot find",
    "no required module",
    ".rb:",
    "PHP ",
    " line ",
    ":line ",
    "]: *** ",
    "make: ***",
    "build stopped",
    "fatal: ",
    "CONFLICT (",
    "Interrupt",
    ": e: ",
];

/// The same of some lines.
pub(super) fn languages_of(lines: &[&str]) -> Vec<Language> {
    let mut found: Vec<Language> = lines.iter().flat_map(|line| languages_at(line)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Characters of a line that are looked at; messages are told by their beginning.
const LOOKED_AT: usize = 400;

fn languages_at(line: &str) -> impl Iterator<Item = Language> {
    let end = (0..=LOOKED_AT.min(line.len()))
        .rev()
        .find(|at| line.is_char_boundary(*at))
        .unwrap_or(0);
    let line = line.get(..end).unwrap_or_default();
    let plain = line.trim_start();
    TELLS
        .iter()
        .filter(move |(_, tell)| tell(line, plain))
        .map(|(language, _)| *language)
}

type Tell = fn(&str, &str) -> bool;

/// What tells each language: the line, and the line without blanks before it.
const TELLS: &[(Language, Tell)] = &[
    (Language::Python, |_, text| {
        text.starts_with("Traceback (most recent call last)")
            || text.starts_with("File \"") && text.contains("\", line ")
            || python_exception(text)
    }),
    (Language::Rust, |_, text| {
        text.starts_with("error[E") && text.contains("]: ")
            || text.starts_with("thread '") && text.contains("panicked at")
            || text.starts_with("error: could not compile `")
            || text.starts_with("error: aborting due to")
    }),
    (Language::Go, |line, text| {
        line.starts_with("goroutine ") && line.ends_with("]:")
            || line.starts_with("panic: ") && !line.contains("kernel")
            || place(text, &[".go"]) && !line.starts_with(' ')
            || line.starts_with("fatal error: all goroutines")
            || line.starts_with("go: ")
                && (text.contains("cannot find")
                    || text.contains("no required module")
                    || text.contains("not found"))
    }),
    (Language::Node, |line, text| {
        line.starts_with("    at ")
            && (text.contains(".js:")
                || text.contains(".mjs:")
                || text.contains(".cjs:")
                || text.contains(".ts:")
                || text.contains("node:internal")
                || text.contains("<anonymous>"))
            || text.starts_with("Error: Cannot find module")
            || line.starts_with("npm ERR!")
            || line.starts_with("npm error ")
            || text.starts_with("node:internal/")
            || text.contains("UnhandledPromiseRejection")
    }),
    (Language::Typescript, |_, text| {
        text.contains("error TS")
            && text
                .split_once("error TS")
                .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
    }),
    (Language::Java, |line, text| {
        text.starts_with("Exception in thread \"")
            || text.starts_with("Caused by: ") && text.contains('.')
            || line.starts_with("\tat ")
                && text.contains('(')
                && (text.contains(".java:")
                    || text.contains(".kt:")
                    || text.contains(".scala:")
                    || text.contains("Native Method"))
            || place(text, &[".java", ".kt", ".scala"])
            || text.starts_with("java.") && text.contains("Exception")
    }),
    (Language::Gcc, |_, text| {
        place(
            text,
            &[
                ".c", ".h", ".cc", ".cpp", ".hpp", ".cxx", ".m", ".mm", ".cu",
            ],
        ) || text.contains(": undefined reference to `")
            || text.contains("ld returned ") && text.contains(" exit status")
            || text.starts_with("collect2: error")
            || text.contains(": fatal error: ") && text.contains("No such file")
    }),
    (Language::Shell, |line, text| {
        let from_shell = [
            "bash: ",
            "sh: ",
            "zsh: ",
            "dash: ",
            "/bin/sh: ",
            "-bash: ",
            "/bin/bash: ",
            "ksh: ",
            "fish: ",
        ]
        .iter()
        .any(|start| line.starts_with(start));
        from_shell && text.len() > 8
            || text.ends_with(": command not found")
            || text.contains(": syntax error near unexpected token")
            || text.contains(": unbound variable") && text.contains(": line ")
            || text.contains(": line ") && text.contains(": not found")
    }),
    (Language::Ruby, |_, text| {
        text.contains(".rb:")
            && (text.contains(":in `") || text.contains(":in '") || text.contains("Error)"))
    }),
    (Language::Php, |line, _| {
        [
            "PHP Fatal error:",
            "PHP Parse error:",
            "PHP Warning:",
            "Fatal error: Uncaught",
            "Parse error: syntax error",
            "PHP Notice:",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    }),
    (Language::Perl, |_, text| {
        text.split_once(" line ").is_some_and(|(before, after)| {
            (before.ends_with(".pl") || before.ends_with(".pm") || before.ends_with("-e"))
                && before.contains(" at ")
                && after.starts_with(|c: char| c.is_ascii_digit())
        })
    }),
    (Language::Dotnet, |line, text| {
        line.starts_with("   at ") && text.contains(":line ")
            || text.starts_with("Unhandled exception. System.")
            || text.contains("error CS")
                && text
                    .split_once("error CS")
                    .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
            || text.contains("error MSB")
    }),
    (Language::Make, |line, _| {
        line.starts_with("make: *** ")
            || line.starts_with("make[") && line.contains("]: *** ")
            || line.starts_with("ninja: build stopped")
            || line.starts_with("CMake Error")
    }),
    (Language::Sql, |line, text| {
        line.starts_with("ERROR:  ")
            || line.starts_with("ERROR ")
                && text.contains(" (")
                && text.contains("): ")
                && text
                    .get(6..)
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            || text.contains("psql:") && text.contains("ERROR:")
            || text.starts_with("Error: near ")
            || text.starts_with("Parse error near line")
    }),
    (Language::Git, |line, _| {
        line.starts_with("fatal: ")
            || line.starts_with("error: failed to push")
            || line.starts_with("error: Your local changes")
            || line.starts_with("CONFLICT (")
            || line.starts_with("error: pathspec ")
    }),
];

/// `ValueError: text`, `requests.exceptions.HTTPError: text`.
fn python_exception(text: &str) -> bool {
    let (name, rest) = text.split_once(": ").unwrap_or((text, ""));
    let last = name.rsplit('.').next().unwrap_or(name);
    let named = ["Error", "Exception", "Interrupt", "Warning"]
        .iter()
        .any(|end| last.ends_with(end) && last.len() > end.len());
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
    let of_python = name.contains("Error")
        && !name.contains("java")
        && matches!(
            last,
            "ValueError"
                | "KeyError"
                | "IndexError"
                | "AttributeError"
                | "ImportError"
                | "ModuleNotFoundError"
                | "NameError"
                | "OSError"
                | "FileNotFoundError"
                | "PermissionError"
                | "ZeroDivisionError"
                | "AssertionError"
                | "IndentationError"
                | "UnicodeDecodeError"
                | "RecursionError"
                | "NotImplementedError"
                | "RuntimeError"
                | "ConnectionRefusedError"
                | "TimeoutError"
                | "JSONDecodeError"
        );
    named && plain && of_python && (!rest.is_empty() || name == text)
}

/// `file.c:12:3: error: …`, `file.go:12:3: …`.
fn place(text: &str, ends: &[&str]) -> bool {
    let mut parts = text.splitn(4, ':');
    let Some(path) = parts.next() else {
        return false;
    };
    let number = parts
        .next()
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    if !number || path.contains(' ') || !ends.iter().any(|end| path.ends_with(end)) {
        return false;
    }
    // Go names no level; the others do.
    if ends == [".go"] {
        let column = parts
            .next()
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
        return column
            && parts
                .next()
                .is_some_and(|rest| rest.starts_with(' ') && rest.len() > 3);
    }
    text.contains(": error") || text.contains(": fatal error") || text.contains(": e: ")
}

/// Whether a line is a frame of a trace or begins one.
pub(super) fn is_trace_line(line: &str) -> bool {
    let text = line.trim_start();
    let indented = line.starts_with([' ', '\t']);
    text.starts_with("Traceback (most recent call last)")
        || indented && text.starts_with("File \"") && text.contains("\", line ")
        || indented && text.starts_with("at ") && (text.contains('(') || text.contains(':'))
        || text.starts_with("Caused by: ")
        || text.starts_with("Exception in thread")
        || line.starts_with("goroutine ") && line.ends_with("]:")
        || line.starts_with("panic: ")
        || line.starts_with('\t') && text.contains(".go:")
        || line.ends_with(')') && !indented && line.contains("(0x")
        || line.starts_with("main.") && line.ends_with(')')
        || text.starts_with("thread '") && text.contains("panicked at")
        || text.starts_with("stack backtrace:")
        || text.split_once(": ").is_some_and(|(number, rest)| {
            number.trim().bytes().all(|b| b.is_ascii_digit())
                && !number.is_empty()
                && (rest.contains("::") || rest.starts_with("0x"))
        })
        || indented && text.starts_with("from ") && text.contains(".rb:")
        || text.contains(".rb:") && (text.contains(":in `") || text.contains(":in '"))
        || text.starts_with('#')
            && text
                .get(1..2)
                .is_some_and(|digit| digit.starts_with(|c: char| c.is_ascii_digit()))
            && (text.contains(" in ") || text.contains(".php("))
        || text.starts_with("... ") && text.ends_with(" more")
        || python_exception(text)
        || !indented
            && text.split_once(": ").is_some_and(|(name, _)| {
                (name.ends_with("Error") || name.ends_with("Exception")) && !name.contains(' ')
            })
}

/// Whether an output speaks of an error, at the beginning of a line or behind a program's name.
pub(super) fn speaks(bytes: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "error",
        "fatal",
        "panic",
        "traceback",
        "failed",
        "failure",
        "exception",
        "cannot",
        "denied",
        "unable to",
        "could not",
        "invalid",
        "abort",
    ];
    let text = String::from_utf8_lossy(bytes);
    text.lines().any(|line| {
        let line = line.trim_start().to_ascii_lowercase();
        let begins = |text: &str| {
            WORDS
                .iter()
                .any(|word| text.trim_start_matches(['[', '*', ' ']).starts_with(word))
        };
        begins(&line)
            || line.split(": ").skip(1).take(3).any(begins)
            || [
                "no such file or directory",
                "command not found",
                "permission denied",
                "not permitted",
                ": not found",
                "connection refused",
            ]
            .iter()
            .any(|words| line.contains(words))
    })
}
