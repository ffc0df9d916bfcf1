//! What the far side is told to do, as text.
//!
//! Everything that is written here is one line of POSIX sh or of bash, since what a login shell
//! starts reads one line ([`ENTRY`]).

use crate::shell::script::{self, Around, Surroundings, quote_into};

/// What the login shell is given, whichever it is: it means the same to sh, csh and fish.
pub(crate) const ENTRY: &str = r#"exec sh -c 'IFS= read -r l; eval "$l"'"#;
/// The variable by which the processes of a shell are found, wherever they went. Its name begins as
/// those of our own do, which no report of an environment shows.
pub(super) const TAG: &str = "__wharf";
/// The descriptor of a leash: whoever has inherited it may still write.
const LEASH_FD: u8 = 55;

/// Which shell runs on the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// bash 4 or later has all that a shell of this machine has.
    Bash,
    /// Another POSIX shell: dash, the one of busybox.
    Posix,
}

/// What a shell is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A session.
    Living,
    /// Stateless runs, each in a subshell.
    Lane,
}

/// A word in single quotes.
pub(super) fn quoted(word: &str) -> String {
    let mut text = String::with_capacity(word.len().saturating_add(2));
    quote_into(&mut text, word);
    text
}

/// The first line for a shell's channel: makes the state directory, says the mark and what the
/// other side has to know, and becomes the shell.
pub(super) fn start(id: &str, mark: &str, purpose: Purpose, bare: bool) -> String {
    let (bash, posix) = match purpose {
        Purpose::Living => (bash_living(), posix_living()),
        Purpose::Lane => (bash_lane(), posix_lane()),
    };
    let clean = if bare { "env -i " } else { "env " };
    format!(
        "{place}\
         {OWNER} \
         b=$(command -v bash) && k=bash || {{ b=$(command -v sh); k=posix; }}; \
         printf '%s%s\\000%s\\000%s\\000%s\\000%s\\000' {mark} \"$d\" \"$$\" \"$4\" \"$k\" \"$b\"; printf %s {mark} >&2; \
         [ -n \"$d\" ] || exit 1; \
         if [ $k = bash ]; then exec {clean}{TAG}={id} \"$b\" --noprofile --norc -c {} bash \"$d\"; else exec {clean}{TAG}={id} \"$b\" -c {} sh \"$d\"; fi\n",
        quoted(&bash),
        quoted(&posix),
        place = place(id, "r 0.l"),
    )
}

/// Says in the state directory `$d` who keeps it, so that others know when that one is gone, and
/// leaves what the system says of the shell in `$1` and so on.
pub(super) const OWNER: &str = "s=; [ -r /proc/self/stat ] && IFS= read -r s </proc/self/stat; \
     set -- ${s##*) } 0 0 0 0; [ -n \"$d\" ] && printf '%s %s' \"$$\" \"${20-}\" >\"$d/owner\";";

/// Makes the state directory `$d` with these pipes in it: below the user's cache, or, where that
/// cannot be written, in the session's or the machine's directory for such things.
pub(super) fn place(id: &str, pipes: &str) -> String {
    format!(
        "d=; n=$(uname -n); w() {{ [ -z \"$d\" ] && (umask 077; mkdir -p \"$1/wharf\" && cd \"$1/wharf\" && \
         mkdir {id}@\"$n\" && cd {id}@\"$n\" && mkfifo {pipes}) 2>/dev/null && d=$1/wharf/{id}@$n; }}; \
         w \"${{XDG_CACHE_HOME:-${{HOME:-/nonexistent}}/.cache}}\"; w \"${{XDG_RUNTIME_DIR:-/nonexistent}}\"; \
         [ -n \"$d\" ] || w \"$(umask 077; mktemp -d \"${{TMPDIR:-/tmp}}/wharf.XXXXXX\" 2>/dev/null)\"; "
    )
}

/// Our descriptors in a bash: 58 brings commands, 59 takes reports, 57 and 56 are where its
/// standard output and error went as it started, 54 sees whether anybody holds the leash.
const BASH_FIRST: &str = "__wd=$1; shift; exec 58<&0 59<>\"$__wd/r\" 57>&1 56>&2 55<>\"$__wd/0.l\" 54<\"$__wd/0.l\" 55>&- 0</dev/null; ";
const BASH_CLOSED: &str = "58<&- 59>&- 57>&- 56>&- 54<&-";
/// Marks the ends of the outputs, and learns what the report says about what was left running.
///
/// A report stands behind the mark in the standard output, where it needs no other process, if it
/// is one write that nobody's bytes can get into (`PIPE_BUF`, and no line feed, at which bash would
/// write). Else a point stands there, and the report takes the way through the guard.
const BASH_BEFORE_REPORT: &str = "case $__w in *s*) exec 57>\"$__wd/$__wk.o\" 56>\"$__wd/$__wk.e\" \
     55<>\"$__wd/$__wk.l\" 54<\"$__wd/$__wk.l\" 55>&-;; esac; \
     builtin printf %s \"$__wm\" >&56; __wo=59 __wx=; \
     case ${__wm:+$__w} in ''|*[est]*) ;; *) __wx=${PWD-}$__ws${__wp-}; \
     [[ ${#__wx} -lt 900 && $__wx != *$'\\n'* ]] && __wo=57 __wx=$__wm || __wx=;; esac; \
     [[ $__wo = 57 || ! $__wm ]] || builtin printf %s. \"$__wm\" >&57; \
     IFS=' ' builtin read -r __wu __wz </proc/uptime; __wf=; \
     case $__w in *o*) [[ ${BASH_VERSINFO-} -ge 4 ]] && builtin read -t 0 -u 54 __wz || __wf=d;; esac; \
     case ${!-} in ''|\"${__wj-}\") ;; *) __wj=$!; __w=$__w builtin kill -0 $! && __wf=${__wf}l;; esac; \
     [[ ${PWD-} -ef . ]] || __wf=$__wf!; ";

/// Moves what the shell writes to another pair of pipes, where it has not redirected it itself.
const BASH_MOVE: &str = "case $__w in '#__w '*) __wk=$__wd/${__w#* }; \
     command -p mkfifo -m 600 \"$__wk.o\" \"$__wk.e\" \"$__wk.l\" 2>/dev/null; [[ /dev/fd/1 -ef /dev/fd/57 && $__w ]] && exec 1>\"$__wk.o\"; \
     [[ /dev/fd/2 -ef /dev/fd/56 && $__w ]] && exec 2>\"$__wk.e\";; esac; ";

fn bash_living() -> String {
    script::program_around(&Surroundings {
        first: BASH_FIRST,
        control: "1<>\"$__wd/r\"",
        number: &format!("IFS=\" \" {} __w __wk __wm", script::read_words()),
        before_report: BASH_BEFORE_REPORT,
        head: "\"$__wx\"",
        to: "\"$__wo\"",
        job: "${!-} ${__wu-} ${__wf-}",
        before_command: BASH_MOVE,
        closed: BASH_CLOSED,
    })
}

/// Forks ahead of need; the fork reads the text, whose first words take the mark from it. See
/// `shell/forker.rs`, which does the same on this machine. Behind a text stands the mark of the
/// next run, so that the next fork waits for nothing.
///
/// The report of a run that failed goes through the guard: behind what the run itself has told that
/// way about its start. That of another stands behind the mark, see [`BASH_BEFORE_REPORT`].
///
/// There is no next run after one that has left something, or that was ended by a signal and may
/// not have read its text: no fork may be taken for what it left, and what was sent is read as
/// nothing else.
fn bash_lane() -> String {
    let read = script::read_words();
    format!(
        "{BASH_FIRST}__w=0 __ws=0; {read} __wm; while builtin printf %s \"$__wm\" >&56; \
         builtin read -t 0 -u 54 __wz && __wf= || __wf=d; \
         case $__ws in 0) __wo=57;; *) builtin printf %s. \"$__wm\" >&57; __wm= __wo=59;; esac; \
         builtin printf '%s\\0' \"$__wm\" \"$__w\" '' \" 0 $__wf\" \"$__ws $-\" '' >&$__wo; \
         case $__ws$__wf in *d|12[89]|1[3-9]?|2??) while {read} __wm; do :; done;; esac; \
         IFS= {read} __wm; do __w=$((__w % {} + 1)); \
         ( IFS= {read} __c && builtin eval \"$__c\" {BASH_CLOSED} ) 55>\"$__wd/0.l\"; __ws=$?; done",
        script::MAX_NUMBER
    )
}

/// Only descriptors of one digit can be named in every shell.
const POSIX_FIRST: &str = "__wd=$1; shift; exec 9<&0 8<>\"$__wd/r\" 7>&1 6>&2 0</dev/null; \
     __wn=$(printf '\\nx'); __wn=${__wn%x}; ";
const POSIX_CLOSED: &str = "9<&- 8>&- 7>&- 6>&-";
/// Reads a text of so many lines as the line before it says into `__w`.
const POSIX_READ: &str = "__w=; IFS= read -r __wc <&9 && while [ \"$__wc\" -gt 1 ]; do \
     IFS= read -r __wl <&9; __w=$__w$__wl$__wn; __wc=$((__wc-1)); done && \
     IFS= read -r __wl <&9 && __w=$__w$__wl";

fn posix_living() -> String {
    format!(
        "{POSIX_FIRST}trap '{{ printf \"%s\\000\" \"\" exit \"${{PWD-}}\" \"\" \"0 $-\" \"\" 1<>\"$__wd/r\"; \
         export -p 1<>\"$__wd/r\"; printf \"\\000\" 1<>\"$__wd/r\"; }} 2>/dev/null' EXIT; \
         __w=1; while [ -n \"${{__w-}}\" ]; do while {{ __ws=$?; __w=; \
         IFS=' ' read -r __w __wk __wm <&9 && {{ \
         case $__w in *s*) exec 7>\"$__wd/$__wk.o\" 6>\"$__wd/$__wk.e\";; esac; \
         printf %s \"$__wm\" >&7; printf %s \"$__wm\" >&6; \
         __wu=; [ -r /proc/uptime ] && IFS=' ' read -r __wu __wz </proc/uptime; __wf=; \
         case ${{!-}} in ''|\"${{__wj-}}\") ;; *) __wj=$!; kill -0 \"$!\" && __wf=dl;; esac; \
         [ \"${{PWD-}}\" -ef . ] || __wf=$__wf!; \
         printf '%s\\000' '' \"$__w\" \"${{PWD-}}\" \"${{!-}} $__wu $__wf\" \"$__ws $-\" \"${{__wp-}}\" >&8; \
         case $__w in *e*) export -p >&8; printf '\\000' >&8;; esac; }} && __wp= && {POSIX_READ} || __w=; \
         [ -n \"$__w\" ]; }} >/dev/null 2>&1; do __ws=; \
         case $__w in '#__w '*) __wk=$__wd/${{__w#* }}; \
         command -p mkfifo -m 600 \"$__wk.o\" \"$__wk.e\" \"$__wk.l\" 2>/dev/null; \
         [ /dev/fd/1 -ef /dev/fd/7 ] && exec 1>\"$__wk.o\"; [ /dev/fd/2 -ef /dev/fd/6 ] && exec 2>\"$__wk.e\";; esac; \
         command eval \"$__w\" {POSIX_CLOSED}; done; done"
    )
}

fn posix_lane() -> String {
    format!(
        "{POSIX_FIRST}while IFS=' ' read -r __w __wm <&9; do case $__w in 0) __ws=0;; *) __wv=$__w; \
         ( {POSIX_READ} && command eval \"$__w\" {POSIX_CLOSED} ); __ws=$?; __w=$__wv;; esac; \
         printf %s \"$__wm\" >&7; printf %s \"$__wm\" >&6; \
         printf '%s\\000' '' \"$__w\" \"$PWD\" ' 0 ?' \"$__ws $-\" '' >&8; done"
    )
}

/// The text for one command in a living shell.
pub(super) fn living(kind: Kind, command: &str, around: &Around<'_>) -> String {
    let text = match kind {
        Kind::Bash => script::living(command, around),
        Kind::Posix => posix(command, around),
    };
    // A shell that reads no text ends.
    if text.is_empty() {
        ":".to_owned()
    } else {
        text
    }
}

/// The same in a shell in which words of ours are not told from a user's functions.
fn posix(command: &str, around: &Around<'_>) -> String {
    let mut text = String::with_capacity(command.len().saturating_add(64));
    if let Some(cwd) = around.cwd {
        text.push_str(&format!("cd -- {};", quoted(cwd)));
    }
    // Only for those who ask; with `set -e` it would end the shell.
    let failing = around.before.status & 0xff;
    if failing != 0 && command.contains('?') && !around.before.flags.contains('e') {
        text.push_str(&format!("(exit {failing});"));
    }
    if around.env.is_empty() && around.redirections.is_empty() {
        text.push_str(command);
        return text;
    }
    for (name, value) in around.env {
        text.push_str(&format!("{name}={} ", quoted(value)));
    }
    text.push_str(&format!(
        "command eval {} {}",
        quoted(command),
        around.redirections
    ));
    text
}

/// One message for a shell: a text, and what its report is to do. Before its first command a
/// shell waits for the latter only.
pub(super) fn message(
    kind: Kind,
    text: Option<&str>,
    number: &str,
    pair: u32,
    mark: &str,
) -> String {
    let trailer = format!("{number} {pair} {mark}");
    match (kind, text) {
        (Kind::Bash, None) => format!("{trailer}\0"),
        (Kind::Bash, Some(text)) => format!("{text}\0{trailer}\0"),
        (Kind::Posix, None) => format!("{trailer}\n"),
        (Kind::Posix, Some(text)) => {
            let lines = text.matches('\n').count().saturating_add(1);
            format!("{lines}\n{text}\n{trailer}\n")
        }
    }
}

/// The text that asks how a job ended.
pub(super) fn job_status(kind: Kind, job: u32) -> String {
    match kind {
        Kind::Bash => script::job_status(job),
        Kind::Posix => format!("wait {job}; __wp=\"$? {}\"", script::KNOWN),
    }
}

/// The code of a text that could not enter a directory says why, as the system's error numbers do.
pub(super) fn enter(directory: &str) -> String {
    let word = quoted(directory);
    format!(
        "cd -- {word} 2>/dev/null || if [ ! -e {word} ]; then (exit {}); elif [ ! -d {word} ]; then (exit {}); else (exit {}); fi",
        libc::ENOENT,
        libc::ENOTDIR,
        libc::EACCES
    )
}

/// Statements that export variables. Those that the shell makes for itself are left out.
pub(super) fn exports(env: &[(String, String)]) -> String {
    let own = [
        "_",
        "PWD",
        "SHLVL",
        "SHELLOPTS",
        "BASHOPTS",
        "UID",
        "EUID",
        "PPID",
    ];
    let mut text = String::new();
    for (name, value) in env {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let valid =
            name.bytes().all(plain) && !name.starts_with(|char: char| char.is_ascii_digit());
        if valid && !name.is_empty() && !own.contains(&name.as_str()) {
            text.push_str(&format!("export {name}={};", quoted(value)));
        }
    }
    text
}

/// A redirection by which a command and all that it leaves running hold the leash of its outputs.
pub(super) fn leash(directory: &str, pair: u32) -> String {
    format!("{LEASH_FD}>{} ", quoted(&format!("{directory}/{pair}.l")))
}

/// A text that does nothing itself, and at which a shell moves to another pair of pipes.
pub(super) fn move_to(pair: u32) -> String {
    format!("#__w {pair}")
}

/// The line for a channel that brings what is written into another pair of pipes. Both sides make
/// them, whoever comes first, and each waits for the other as it opens them.
pub(super) fn pair(directory: &str, pair: u32, mark: &str) -> String {
    format!(
        "trap '' HUP INT; cd {} && umask 077 && {{ mkfifo {pair}.o {pair}.e {pair}.l 2>/dev/null; [ -p {pair}.l ]; }} && printf %s {mark} && \
         printf %s {mark} >&2 && {{ cat {pair}.e >&2 & cat {pair}.o; wait; }}\n",
        quoted(directory)
    )
}

/// The line for a channel that takes a command's input into a file.
pub(super) fn upload(directory: &str, name: &str) -> String {
    format!(
        "umask 077; exec cat >{}\n",
        quoted(&format!("{directory}/{name}"))
    )
}

/// A `printf` that writes `bytes`, whatever they are, where they are few.
pub(super) fn printed(bytes: &[u8]) -> String {
    let mut text = "printf '".to_owned();
    for byte in bytes {
        match byte {
            b' '..=b'~' if !b"'\\%".contains(byte) => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_is_one_line() {
        for purpose in [Purpose::Living, Purpose::Lane] {
            let text = start("id", "mark", purpose, false);
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(text.ends_with('\n'));
        }
    }

    #[test]
    fn few_bytes_travel_as_text() {
        assert_eq!(
            printed(b"a 1\n'%\\\0\xff"),
            r"printf 'a 1\012\047\045\134\000\377'"
        );
    }
}
