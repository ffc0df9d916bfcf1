//! What the words between two commands would lose: `$?`, `$_`, `PIPESTATUS`, tracing.
//!
//! A command sees what the one before it left, as in a shell that somebody types into. Giving that
//! back costs something, so that only those get it who ask: whose text has the name in it.

use super::script::quote_into;

/// The longest pipeline whose codes are given back: that takes a process for each.
const MAX_PIPELINE: usize = 32;
/// Keeps what the shell's own words would overwrite. Behind the command, after a line feed, so
/// that a comment does not hide it.
const KEEP: &str = "\n__wp=\"$? ${PIPESTATUS[@]}\"";

/// What the last command left.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Before<'a> {
    /// The options that were on.
    pub(crate) flags: &'a str,
    /// Its code.
    pub(crate) status: i32,
    /// The codes of its pipeline.
    pub(crate) pipeline: &'a [i32],
    /// Its last word, where that is known.
    pub(crate) word: Option<&'a str>,
    /// Statements that set the traps that were lifted.
    pub(crate) traps: &'a str,
}

/// Appends what puts back what the command asks for, and the traps.
pub(super) fn before(text: &mut String, command: &str, before: &Before<'_>) {
    let failing = before.status & 0xff;
    // With `set -e` a code other than 0 would end the shell.
    let may_fail = failing == 0 || !before.flags.contains('e');
    let word = before
        .word
        .filter(|_| command.contains("$_") || command.contains("${_"));
    let codes = before.pipeline.len();
    if command.contains("PIPESTATUS") && (1..=MAX_PIPELINE).contains(&codes) && may_fail {
        text.push_str(before.traps);
        put_word(text, "builtin : ", word);
        put_pipeline(text, before);
    } else if failing != 0 && command.contains('?') && may_fail {
        // Only for those who ask: a comment alone has succeeded, whatever came before it.
        text.push_str("__w() { builtin unset -f __w;");
        text.push_str(before.traps);
        text.push_str(&format!("__w= builtin return {failing}; }};"));
        put_word(text, "__w ", Some(word.unwrap_or_default()));
    } else {
        text.push_str(before.traps);
        put_word(text, "builtin : ", word);
    }
}

/// Tracing was switched off for our own words.
pub(super) fn tracing(before: &Before<'_>) -> &'static str {
    match (before.flags.contains('x'), before.flags.contains('v')) {
        (true, true) => "set -xv;",
        (true, false) => "set -x;",
        (false, true) => "set -v;",
        (false, false) => "",
    }
}

/// What keeps a pipeline's codes for the next command, where that neither shows nor is taken for
/// a part of the text: not in a here-document, behind a backslash, before a tracing eye.
pub(super) fn keeping(command: &str, before: &Before<'_>) -> &'static str {
    let unfit = ["<<", "trap", "set -", "xtrace", "verbose"];
    let fit = command.contains('|')
        && !command.ends_with('\\')
        && !unfit.iter().any(|part| command.contains(part))
        && !before.flags.contains(['x', 'v']);
    if fit { KEEP } else { "" }
}

/// The last word of a text in which nothing can mean anything else.
pub(crate) fn last_word(command: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./ ,:+@%".contains(&byte);
    let command = command.trim_matches(' ');
    let fit = !command.is_empty() && command.bytes().all(plain);
    command.rsplit(' ').next().filter(|_| fit)
}

fn put_word(text: &mut String, statement: &str, word: Option<&str>) {
    if let Some(word) = word {
        text.push_str(statement);
        quote_into(text, word);
        text.push(';');
    }
}

/// A pipeline with the same codes. One that was negated, or is not answered by its last part for
/// another reason, tells by its own code.
fn put_pipeline(text: &mut String, before: &Before<'_>) {
    let last = before.pipeline.last().copied().unwrap_or(0);
    let failed = before.pipeline.iter().rev().find(|code| **code != 0);
    let as_is = before.status == last || Some(&before.status) == failed;
    if !as_is {
        text.push_str("! ");
    }
    for (index, code) in before.pipeline.iter().enumerate() {
        if index > 0 {
            text.push('|');
        }
        text.push_str(&format!("(exit {})", code & 0xff));
    }
    text.push(';');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_back(command: &str, left: &Before<'_>) -> String {
        let mut text = String::new();
        before(&mut text, command, left);
        text
    }

    #[test]
    fn only_those_who_ask_get_it() {
        let left = Before {
            status: 3,
            pipeline: &[1, 3],
            word: Some("foo"),
            ..Before::default()
        };
        assert_eq!(put_back("echo hi", &left), "");
        assert_eq!(
            put_back("echo $?", &left),
            "__w() { builtin unset -f __w;__w= builtin return 3; };__w '';"
        );
        assert_eq!(put_back("cd $_", &left), "builtin : 'foo';");
        assert_eq!(
            put_back("echo ${PIPESTATUS[@]}", &left),
            "(exit 1)|(exit 3);"
        );
        let negated = Before { status: 0, ..left };
        assert_eq!(
            put_back("echo ${PIPESTATUS[@]}", &negated),
            "! (exit 1)|(exit 3);"
        );
        let careful = Before {
            flags: "ehBc",
            ..left
        };
        assert_eq!(put_back("echo $?", &careful), "");
    }

    #[test]
    fn nothing_is_kept_where_it_would_show() {
        let plain = Before::default();
        assert_eq!(keeping("false | true", &plain), KEEP);
        for text in ["echo hi", "cat <<E | wc\nE", "a | b \\", "set -x; a | b"] {
            assert_eq!(keeping(text, &plain), "", "{text}");
        }
        let traced = Before {
            flags: "hxBc",
            ..plain
        };
        assert_eq!(keeping("false | true", &traced), "");
    }

    #[test]
    fn a_last_word_is_known_of_plain_texts_only() {
        assert_eq!(last_word("mkdir -p a/b "), Some("a/b"));
        for text in ["", "echo $x", "a; b", "x=1", "echo 'a b'", "ls *"] {
            assert_eq!(last_word(text), None, "{text}");
        }
    }
}
