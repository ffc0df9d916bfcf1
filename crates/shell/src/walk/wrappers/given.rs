//! What wrappers give to the command that they run: variables, a directory of programs, arguments.

use super::super::Walker;
use super::super::arg::Arg;
use super::super::source::Origin;
use crate::effects::{Call, Options, value_of};
use crate::place::is_program_directory;

/// Whether a word names a machine, as `setarch` takes one before the command.
pub(super) fn is_machine(word: &str) -> bool {
    [
        "x86_64", "i386", "i486", "i586", "i686", "linux32", "linux64", "aarch64", "arm", "ppc",
        "s390", "mips", "sparc", "riscv", "uname26",
    ]
    .iter()
    .any(|machine| word.starts_with(machine))
}

impl Walker<'_> {
    /// `NAME=value` before a command that a wrapper runs.
    pub(super) fn given_variable(&mut self, arg: &Arg<'_>) {
        if let Some((name, value)) = arg.text.split_once('=').filter(|_| !arg.is_option()) {
            let value = super::super::arg::Value::one(value.to_owned(), arg.traits);
            self.found.variable(name, &value, arg.span, false);
            self.program_variable(name, &value, arg.span);
            self.carried_variable(name, &value, arg.span);
            self.set(name, value);
        }
    }

    /// Variables, and a text that is split into the command; whether there was one.
    pub(super) fn env(&mut self, call: &Call<'_, '_>, own: &[Arg<'_>]) -> bool {
        for (index, arg) in own.iter().enumerate() {
            self.given_variable(arg);
            let split = arg
                .text
                .strip_prefix("--split-string=")
                .or_else(|| (arg.is("--split-string")).then_some(""))
                .or_else(|| {
                    let letters = arg.text.strip_prefix('-')?;
                    letters
                        .trim_start_matches(['i', 'v', '0'])
                        .strip_prefix('S')
                });
            if let Some(text) = split {
                // Its own escapes for blanks.
                let mut body = text.replace("\\_", " ");
                for rest in call.args.get(index + 1..).unwrap_or_default() {
                    body.push(' ');
                    body.push_str(&rest.text);
                }
                self.shell_body(&body, Origin::Whole(arg.span), true);
                return true;
            }
        }
        false
    }

    /// `start-stop-daemon -S -x program -- arguments`.
    pub(super) fn daemon<'t>(&mut self, call: &Call<'_, 't>) {
        let options = Options::read(call);
        if options.has_any(&["-K", "--stop", "-T", "--status"]) {
            return;
        }
        let program = value_of(call, &["-x", "--exec", "-a", "--startas"]);
        let at = call.args.iter().position(|arg| arg.is("--"));
        let rest = at
            .and_then(|at| call.args.get(at + 1..))
            .unwrap_or_default();
        let Some(program) = program.last() else {
            return self.behind_dashes(call);
        };
        let mut words: Vec<Arg<'t>> = vec![program.clone()];
        words.extend_from_slice(rest);
        self.scoped(|w| w.call(call.source, &words));
    }

    /// `run-parts directory`: whatever lies there.
    pub(super) fn directory_of_programs(&mut self, call: &Call<'_, '_>) {
        let options = Options::read(call);
        if options.has_any(&["--test", "--list"]) {
            return;
        }
        for directory in &options.operands {
            let inside = format!("{}/x", directory.text);
            if !is_program_directory(&inside) && !self.is_ordinary(directory) {
                self.found.note("hidden-code", directory.span);
            }
        }
    }
}
