//! What a shell that only forks is told to do, as text.
//!
//! It forks ahead of need: the child reads a command and evaluates it, the parent waits for its
//! end and reports. So a command meets a fork that is there already. What of the shell's is lasting
//! is the parent's, which runs nothing but the words here.
//!
//! After its report the parent waits to be told to go on ([`GO_ON`]), so that whoever looks then
//! for what the command has left running does not find the next fork among it.

use super::script::quote_into;
use crate::zygote::{CONTROL_FD, INPUT_FD};

/// The most bytes of a command that are handed to a shell byte by byte, as `read` does it.
pub(crate) const MAX_TEXT: usize = 4 * 1024;

/// Tells the shell to fork for the next command.
pub(crate) const GO_ON: &[u8] = b"\0";

/// The program of a shell that only forks. Its reports are those of [`super::report`].
pub(crate) fn program() -> String {
    let read = format!("IFS= builtin read -r -d '' -u {INPUT_FD} __w");
    format!(
        "while {{ {read} && builtin printf '%s\\0' '' \"$__w\" \"$PWD\" '' \"${{__ws:-0}}\" \"$-\" '' '' \
         && {read}; }} >&{CONTROL_FD}; do ( {read} && \
         builtin eval \"$__w\" {INPUT_FD}<&- {CONTROL_FD}>&- ); __ws=$?; done"
    )
}

/// The text for one command.
pub(crate) fn text(command: &str, cwd: Option<&str>, env: &[(String, String)]) -> String {
    let mut text = String::with_capacity(command.len() + 96);
    text.push_str("unset -v __w __ws;");
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
    text.push_str(command);
    text
}
