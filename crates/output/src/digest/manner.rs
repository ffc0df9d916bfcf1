//! What kind of output a command was run for, which decides how much of a quiet output is shown.

use wharf_shell::{Analysis, Program};

/// Why the command was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// To do something: what matters is whether it went well.
    Work,
    /// To list: files, matches, rows. Words in a name tell of no failure.
    Listing,
    /// To show a content, which is what the caller wants to read.
    Content,
}

/// Judges by all programs, so that `ls && make` is work.
pub(super) fn of(analysis: &Analysis) -> Manner {
    let mut seen = None;
    for program in &analysis.programs {
        let manner = manner(program);
        match (seen, manner) {
            (_, None) => {}
            (_, Some(Manner::Work)) => return Manner::Work,
            (Some(Manner::Content), _) => {}
            (_, manner) => seen = manner,
        }
    }
    seen.unwrap_or(Manner::Work)
}

/// Programs that pass on or shape what another one prints.
const NEUTRAL: &[&str] = &[
    "cd", "sort", "uniq", "head", "tail", "wc", "cut", "tr", "tee", "xargs", "sudo", "env", "time",
    "echo", "printf", "true", "test", "[", "pushd", "popd", "column", "nl", "less", "more",
];

const LISTERS: &[&str] = &[
    "ls",
    "dir",
    "find",
    "fd",
    "fdfind",
    "tree",
    "du",
    "df",
    "grep",
    "egrep",
    "fgrep",
    "rg",
    "ag",
    "ack",
    "locate",
    "plocate",
    "ps",
    "lsof",
    "ss",
    "netstat",
    "tar",
    "unzip",
    "zip",
    "zipinfo",
    "stat",
    "file",
    "lsblk",
    "mount",
    "printenv",
    "rsync",
    "cp",
    "mv",
    "chmod",
    "chown",
    "rm",
    "compgen",
    "dpkg-query",
    "basename",
    "dirname",
    "realpath",
    "which",
    "type",
];

const SHOWERS: &[&str] = &[
    "cat", "bat", "sed", "awk", "gawk", "jq", "yq", "diff", "xxd", "hexdump", "od", "strings",
    "man", "base64", "zcat", "xmllint", "http", "fold", "tac",
];

/// Subcommands that list, and those that show.
const LISTING_SUBCOMMANDS: &[(&str, &[&str])] = &[
    (
        "git",
        &[
            "ls-files", "ls-tree", "log", "status", "branch", "tag", "grep", "shortlog", "reflog",
            "remote",
        ],
    ),
    ("docker", &["ps", "images"]),
    ("kubectl", &["get"]),
    ("apt", &["list", "search"]),
    ("apt-cache", &["search", "pkgnames"]),
    ("dpkg", &["-l", "-L"]),
    ("pip", &["list", "freeze"]),
    ("pip3", &["list", "freeze"]),
    ("npm", &["ls", "list"]),
    ("cargo", &["tree", "search"]),
    ("brew", &["list", "search"]),
    ("systemctl", &["list-units", "list-unit-files"]),
];
const SHOWING_SUBCOMMANDS: &[(&str, &[&str])] = &[
    ("git", &["diff", "show", "blame", "cat-file"]),
    ("kubectl", &["describe", "explain"]),
    ("apt", &["show"]),
    ("apt-cache", &["show"]),
    ("docker", &["inspect"]),
    ("npm", &["view"]),
];

fn manner(program: &Program) -> Option<Manner> {
    let name = program.name.as_str();
    if NEUTRAL.contains(&name) {
        return None;
    }
    if LISTERS.contains(&name) {
        return Some(Manner::Listing);
    }
    if SHOWERS.contains(&name) {
        return Some(Manner::Content);
    }
    let argv = program.argv.as_deref().unwrap_or_default();
    let has = |table: &[(&str, &[&str])]| {
        let subs = table
            .iter()
            .find(|(of, _)| *of == name)
            .map(|(_, subs)| *subs);
        subs.is_some_and(|subs| {
            let first = argv
                .iter()
                .skip(1)
                .find(|word| subs.contains(&word.as_str()));
            first.is_some()
        })
    };
    if has(LISTING_SUBCOMMANDS) {
        return Some(Manner::Listing);
    }
    if has(SHOWING_SUBCOMMANDS) {
        return Some(Manner::Content);
    }
    Some(Manner::Work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manner_of(command: &str) -> Manner {
        of(&wharf_shell::analyze(
            command,
            &wharf_shell::Context::default(),
        ))
    }

    #[test]
    fn one_program_that_works_makes_it_work() {
        assert_eq!(manner_of("ls -la /tmp"), Manner::Listing);
        assert_eq!(manner_of("find . -name x | sort | head"), Manner::Listing);
        assert_eq!(manner_of("cat a | grep b"), Manner::Content);
        assert_eq!(manner_of("git log --oneline"), Manner::Listing);
        assert_eq!(manner_of("git diff"), Manner::Content);
        assert_eq!(manner_of("ls && make"), Manner::Work);
        assert_eq!(manner_of("cargo test"), Manner::Work);
        assert_eq!(manner_of(""), Manner::Work);
    }
}
