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
//! - Our own words run with stdout and stderr closed and with the user's `DEBUG`, `ERR` and
//!   `RETURN` traps lifted; each command puts them back for itself ([`living`]). What fires before
//!   they are lifted finds `__w` in `BASH_COMMAND`, which [`super::traps`] looks for.
//! - The shell goes on only while each of our words does what it is there for. `__w` is emptied,
//!   and unless `read` has filled it again the loops end, and the shell with them: a user's
//!   function called `builtin`, `enable -n read`, a closed descriptor cost a new shell, not a time
//!   limit. `until` rather than `while`, because after `set -n` every condition is true.
//! - There is no function of ours that could be unset, traced or returned from.
//! - A text that bash cannot parse is not evaluated at all, so that nothing that a report needs may
//!   stand in it: the number of the command follows the text, and is read when that has ended.
//! - `TMOUT` is a time limit of `read`, also of ours.

use crate::zygote::{CONTROL_FD, INPUT_FD};

use super::restore::{self, Before};

/// What stands for the number in a report that a shell makes as it ends.
pub(crate) const LAST_WORDS: &str = "exit";
/// Stands in the answer to [`job_status`] when the shell knew the job.
pub(crate) const KNOWN: &str = "known";
/// The number of the report that a shell makes before its first command.
pub(crate) const FIRST: u16 = 0;
/// Commands are numbered up to here and then from 1 again: each digit costs the shell a system
/// call.
pub(crate) const MAX_NUMBER: u16 = 999;

/// What a shell's program is built around.
pub(crate) struct Surroundings<'a> {
    /// Words that come first.
    pub(crate) first: &'a str,
    /// A redirection to the report channel for the moment of exit, at which its descriptor is
    /// closed.
    pub(crate) control: &'a str,
    /// Reads what follows a command's text, its number into `__w`.
    pub(crate) number: &'a str,
    /// Words between the end of a command and its report.
    pub(crate) before_report: &'a str,
    /// What a report begins with, before the NUL behind its first field.
    pub(crate) head: &'a str,
    /// The descriptor that takes reports.
    pub(crate) to: &'a str,
    /// The field that names the latest job.
    pub(crate) job: &'a str,
    /// Words before a command, with its outputs open.
    pub(crate) before_command: &'a str,
    /// Redirections that keep our descriptors from the commands.
    pub(crate) closed: &'a str,
}

/// Reads up to a NUL.
pub(crate) fn read_words() -> String {
    format!("builtin read -r -d '' -u {INPUT_FD}")
}

/// The program of a shell of this machine. `control` is a path to the report channel.
pub(crate) fn program(control: &str) -> String {
    program_around(&Surroundings {
        first: "",
        control: &format!(">{control}"),
        number: &format!("IFS= {} __w", read_words()),
        before_report: "",
        head: "''",
        to: &CONTROL_FD.to_string(),
        job: "${!-}",
        before_command: "",
        closed: &format!("{INPUT_FD}<&- {CONTROL_FD}>&-"),
    })
}

/// The program of a shell.
pub(crate) fn program_around(around: &Surroundings<'_>) -> String {
    let Surroundings {
        first,
        control,
        number,
        before_report,
        head,
        to,
        job,
        before_command,
        closed,
    } = around;
    let last_words = format!(
        "shopt -s expand_aliases; builtin trap '{{ [[ $BASHPID != $$ ]] || {{ \
         builtin printf \"%s\\0\" \"\" {LAST_WORDS} \"${{PWD-}}\" \"\" \"0 $-\" \"\" {control}; \
         builtin export -p {control}; builtin printf \"\\0\" {control}; }}; }} >&- 2>&-' EXIT; "
    );
    let read = read_words();
    format!(
        "{first}{last_words}__w=1; until [[ ! ${{__w-}} ]]; do __ws=; until {{ \
         __ws=\"$? $- ${{PIPESTATUS[@]}}\" __w=; {number} && {{ \
         case $__w$- in *[txv]*) case $__w in *t*) \
         __w= builtin trap -p RETURN ERR DEBUG >&{CONTROL_FD}; \
         __w= builtin trap - DEBUG ERR RETURN;; esac; \
         case $- in *[xv]*) builtin set +xv;; esac;; esac; {before_report}\
         builtin printf '%s\\0' {head} \"$__w\" \"${{PWD-}}\" \"{job}\" \"$__ws\" \"${{__wp-}}\" >&{to}; }} && \
         case $__w in *e*) builtin export -p >&{CONTROL_FD} && builtin printf '\\0' >&{CONTROL_FD};; esac && \
         __w= __wp= && IFS= TMOUT= {read} __w || __w=; [[ ! $__w ]]; }} >&- 2>&-; do __ws=; \
         {before_command}builtin eval \"$__w\" {closed}; done; done"
    )
}

/// What follows a command's text: its number, and what its report is to do.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Trailer {
    pub(crate) number: u16,
    /// Tell the exported environment.
    pub(crate) env: bool,
    /// Lift the user's traps and tell them.
    pub(crate) traps: bool,
}

impl Trailer {
    pub(crate) fn text(self) -> String {
        let env = if self.env { "e" } else { "" };
        let traps = if self.traps { "t" } else { "" };
        format!("{}{env}{traps}\0", self.number)
    }
}

/// Whether a text may set a trap, or run what does. It may say yes too often: that costs
/// microseconds. What hides it well is told to nobody, and fires for our own words too.
pub(crate) fn may_trap(text: &str) -> bool {
    let marks = ["trap", "eval", "source", ". "];
    marks.iter().any(|mark| text.contains(mark))
}

/// What surrounds a command in a living shell.
#[derive(Default)]
pub(crate) struct Around<'a> {
    /// What the last command left.
    pub(crate) before: Before<'a>,
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
    if let Some(cwd) = around.cwd {
        text.push_str("builtin cd -- ");
        quote_into(&mut text, cwd);
        text.push(';');
    }
    restore::before(&mut text, command, &around.before);
    let tracing = restore::tracing(&around.before);
    let keep = restore::keeping(command, &around.before);
    if around.env.is_empty() && around.redirections.is_empty() {
        text.push_str(tracing);
        text.push_str(command);
        text.push_str(keep);
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
    quote_into(&mut text, &[tracing, command, keep].concat());
    text.push(' ');
    text.push_str(around.redirections);
    text
}

/// The text that asks how a job ended: its code, and a word if the shell knew it.
pub(crate) fn job_status(job: u32) -> String {
    format!("__w=;{{ builtin wait -p __w {job}; }} 2>&-;__wp=\"$? ${{__w:+{KNOWN}}}\"")
}

/// Appends `word` in single quotes, in which nothing means anything.
pub(crate) fn quote_into(text: &mut String, word: &str) {
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
        assert!(!program("/proc/1/fd/2").contains('\n'));
    }

    #[test]
    fn quotes_hold_anything() {
        let mut text = String::new();
        quote_into(&mut text, "a'b$(x)\n");
        assert_eq!(text, "'a'\\''b$(x)\n'");
    }

    #[test]
    fn a_plain_command_travels_plainly() {
        assert_eq!(living("echo hi", &Around::default()), "echo hi");
    }
}
