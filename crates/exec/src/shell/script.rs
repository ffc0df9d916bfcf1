//! What a living shell is told to do, as text.
//!
//! The shell runs [`program`] for as long as it lives: it reports how the last command ended, reads
//! the next, and evaluates it. Commands arrive on a descriptor and reports leave on another; both
//! are closed while a command runs, so that no command writes a report by accident.
//!
//! Points that are easy to break:
//! - One line: bash counts lines from the start of the program, and errors shall say «line 1».
//! - The report stands in the loop's condition and the loop in another, so that a stray `continue`
//!   or `break` of a command cannot leave the report out.
//! - The loop runs with stdout and stderr closed, so that neither `set -x` nor a `DEBUG` trap of
//!   the user's shows our own words.
//! - A text that bash cannot parse is not evaluated at all, not even our own first assignment in
//!   it, so that the report looks at the text as well.
//! - Words of ours go through `builtin`, so that a user's function called `read` or `printf` does
//!   not stand in.

use crate::zygote::{CONTROL_FD, INPUT_FD};

/// The most bytes of a command that are handed to a shell byte by byte, as `read` does it.
pub(crate) const MAX_FORKED_TEXT: usize = 4 * 1024;

/// The first field of a report that a shell makes as it ends.
pub(crate) const LAST_WORDS: &str = "exit";

/// The program of a shell. `control` is a path to the report channel, for the moment of exit, at
/// which the descriptor is closed.
pub(crate) fn program(control: Option<&str>) -> String {
    let report = r#"__wharf() { case $- in *[xv]*) builtin set +xv;; esac; builtin printf '%s\0' "$1" "$PWD" "$2" "${!-}"; case ${__w-} in e|__w=e*) builtin export -p; builtin printf '\0';; esac; }; __wharf_status() { builtin return "$1"; }; "#;
    let session = control.map_or_else(String::new, |path| {
        format!(
            "shopt -s expand_aliases; builtin trap '[[ $BASHPID != $$ ]] || __wharf {LAST_WORDS} \"$-\" >{path}' EXIT; "
        )
    });
    format!(
        "{report}{session}while :; do while {{ __wharf \"$?\" \"$-\" >&{CONTROL_FD}; \
         IFS= builtin read -r -d '' -u {INPUT_FD} __w || builtin exit 0; }} >&- 2>&-; do \
         builtin eval \"$__w\" {INPUT_FD}<&- {CONTROL_FD}>&-; done; done"
    )
}

/// What surrounds a command in a living shell.
#[derive(Default)]
pub(crate) struct Around<'a> {
    /// Report the exported environment afterwards.
    pub(crate) report_env: bool,
    /// The options that were on after the last command.
    pub(crate) flags: &'a str,
    /// The code of the last command, so that `$?` is what the user expects.
    pub(crate) last_status: i32,
    /// A directory to change to first.
    pub(crate) cwd: Option<&'a str>,
    /// Variables for this command alone.
    pub(crate) env: &'a [(String, String)],
    /// Redirections of the whole command, such as `</proc/1/fd/9`.
    pub(crate) redirections: &'a str,
}

/// The text for one command in a living shell.
pub(crate) fn living(command: &str, around: &Around<'_>) -> String {
    let mut text = String::with_capacity(command.len() + 64);
    text.push_str(if around.report_env { "__w=e;" } else { "__w=;" });
    if let Some(cwd) = around.cwd {
        text.push_str("builtin cd -- ");
        quote_into(&mut text, cwd);
        text.push(';');
    }
    // Tracing was switched off for our own words.
    let tracing = match (around.flags.contains('x'), around.flags.contains('v')) {
        (true, true) => "set -xv;",
        (true, false) => "set -x;",
        (false, true) => "set -v;",
        (false, false) => "",
    };
    // Only for those who ask: a comment alone has succeeded, whatever came before it.
    let asks = command.contains('?');
    if around.last_status != 0 && asks && !around.flags.contains('e') {
        text.push_str(&format!("__wharf_status {};", around.last_status & 0xff));
    }
    if around.env.is_empty() && around.redirections.is_empty() {
        text.push_str(tracing);
        text.push_str(command);
        return text;
    }
    for (name, value) in around.env {
        text.push_str(name);
        text.push('=');
        quote_into(&mut text, value);
        text.push(' ');
    }
    text.push_str(if around.env.is_empty() {
        "builtin eval "
    } else {
        "eval "
    });
    quote_into(&mut text, &[tracing, command].concat());
    text.push(' ');
    text.push_str(around.redirections);
    text
}

/// The text for a command of its own in a fork of a shell that is there already.
pub(crate) fn forked(command: &str, cwd: Option<&str>, env: &[(String, String)]) -> String {
    let mut text = String::with_capacity(command.len() + 96);
    text.push_str("__w=;(");
    if let Some(cwd) = cwd {
        text.push_str("builtin cd -- ");
        quote_into(&mut text, cwd);
        text.push_str("||builtin exit 1;unset -v OLDPWD;");
    }
    for (name, value) in env {
        text.push_str("export ");
        text.push_str(name);
        text.push('=');
        quote_into(&mut text, value);
        text.push(';');
    }
    text.push_str("unset -v __w;unset -f __wharf __wharf_status;builtin eval ");
    quote_into(&mut text, command);
    text.push(')');
    text
}

/// Appends `word` in single quotes, in which nothing means anything.
fn quote_into(text: &mut String, word: &str) {
    text.push('\'');
    for (index, part) in word.split('\'').enumerate() {
        if index > 0 {
            text.push_str("'\\''");
        }
        text.push_str(part);
    }
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_one_line() {
        assert!(!program(Some("/proc/1/fd/2")).contains('\n'));
    }

    #[test]
    fn quotes_hold_anything() {
        let mut text = String::new();
        quote_into(&mut text, "a'b$(x)\n");
        assert_eq!(text, "'a'\\''b$(x)\n'");
    }

    #[test]
    fn a_plain_command_travels_plainly() {
        assert_eq!(living("echo hi", &Around::default()), "__w=;echo hi");
        let around = Around {
            last_status: 3,
            flags: "hBcx",
            ..Around::default()
        };
        assert_eq!(
            living("echo $?", &around),
            "__w=;__wharf_status 3;set -x;echo $?"
        );
    }
}
