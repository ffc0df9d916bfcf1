//! What a shell that only forks is told to do, as text.
//!
//! It forks ahead of need: the child reads a command and evaluates it, the parent waits for its
//! end and reports. So a command meets a fork that is there already. What of the shell's is lasting
//! is the parent's, which runs nothing but the words here.
//!
//! It forks when it gets the number of the next command, which is when nobody looks any more for
//! what the last one has left running, and so does not find the next fork among it. A fork that
//! ends before it has got a command shows as a report that nobody has asked for.

use std::sync::Arc;

use super::script::{self, FIRST, quote_into};
use super::{Current, LocalShell};
use crate::executor::Shell as _;
use crate::journal::RunOutput;
use crate::zygote::{CONTROL_FD, INPUT_FD};

/// The most bytes of a command that are handed to a shell byte by byte, as `read` does it.
pub(crate) const MAX_TEXT: usize = 4 * 1024;

/// The program of a shell that only forks. It reads the number of a command, forks for it, and
/// reports under that number as [`super::report`] has it. With the first number it only reports.
pub(crate) fn program() -> String {
    let read = format!("IFS= builtin read -r -d '' -u {INPUT_FD}");
    format!(
        "while {read} __w; do case $__w in {FIRST}) ;; *) ( {read} __c && \
         builtin eval \"$__c\" {INPUT_FD}<&- {CONTROL_FD}>&- );; esac; \
         builtin printf '%s\\0' '' \"$__w\" \"$PWD\" '' \"$? $-\" '' >&{CONTROL_FD}; done"
    )
}

/// The text for one command.
pub(crate) fn text(command: &str, cwd: Option<&str>, env: &[(String, String)]) -> String {
    let mut text = String::with_capacity(command.len() + 96);
    text.push_str("unset -v __w __c;");
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

impl LocalShell {
    /// Lets a shell that only forks do so for the next command. What the latest one has left is
    /// not to be looked for afterwards.
    pub(crate) fn fork_ahead(&mut self) {
        self.number = self.number % script::MAX_NUMBER + 1;
        self.unsent.clear();
        let trailer = script::Trailer {
            number: self.number,
            ..script::Trailer::default()
        };
        self.unsent.extend_from_slice(trailer.text().as_bytes());
        self.send(|input, bytes| Ok(rustix::io::write(input, bytes)?));
    }

    /// Whether the fork that waits for a command is there no more, or the shell itself.
    pub(crate) fn fork_is_gone(&mut self) -> bool {
        self.has_ended() || rustix::io::ioctl_fionread(&self.control).is_ok_and(|said| said > 0)
    }

    /// Gives the fork that waits text that [`text`] made.
    pub(crate) fn begin_forked(&mut self, text: &str, output: Arc<RunOutput>) {
        self.now_runs(Current::new(output));
        self.trailer = 0;
        self.unsent.clear();
        self.unsent.extend_from_slice(text.as_bytes());
        self.unsent.push(0);
        self.send(|input, bytes| Ok(rustix::io::write(input, bytes)?));
    }
}
