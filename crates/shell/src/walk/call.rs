//! One program with its arguments: recorded, told apart into builtin, wrapper and external, and
//! handed on to what knows it.

use super::arg::{Arg, Traits, UNKNOWN, Value};
use super::source::{Origin, Source};
use super::{MAX_HANDED, Walker};
use crate::analysis::{EffectKind, Kind, Program, Risk};
use crate::effects::{self, Call};
use crate::parse::MAX_DEPTH;
use crate::rules;

/// Programs that are recorded; a text with more is reported as not understood.
const MAX_PROGRAMS: usize = 20_000;

/// Builtins that leave the shell as it was and see nothing of it.
const PURE_BUILTINS: &[&str] = &["echo", "printf", "test", "[", ":", "true", "false", "pwd"];
/// Builtins that leave the shell as it was but see something of it.
const LOOKING_BUILTINS: &[&str] = &[
    "type", "jobs", "times", "help", "caller", "compgen", "dirs", "kill", "wait", "command",
    "builtin", "history", "fc",
];
/// Builtins that change the shell.
const CHANGING_BUILTINS: &[&str] = &[
    "cd",
    "pushd",
    "popd",
    "export",
    "declare",
    "typeset",
    "local",
    "readonly",
    "unset",
    "set",
    "shopt",
    "alias",
    "unalias",
    "source",
    ".",
    "eval",
    "exec",
    "exit",
    "return",
    "break",
    "continue",
    "shift",
    "trap",
    "read",
    "mapfile",
    "readarray",
    "getopts",
    "let",
    "umask",
    "ulimit",
    "enable",
    "hash",
    "bind",
    "complete",
    "compopt",
    "fg",
    "bg",
    "disown",
    "suspend",
    "logout",
];

pub(crate) fn is_builtin(name: &str) -> bool {
    PURE_BUILTINS.contains(&name)
        || CHANGING_BUILTINS.contains(&name)
        || LOOKING_BUILTINS.contains(&name)
}

impl Walker<'_> {
    /// Follows a call; the first argument is its name.
    pub(crate) fn call<'t>(&mut self, source: &Source<'t>, args: &[Arg<'t>]) {
        let Some((first, rest)) = args.split_first() else {
            return;
        };
        if self.depth >= MAX_DEPTH {
            self.found.note("too-deep", first.span);
            return;
        }
        self.handed += args.len();
        if self.handed > MAX_HANDED {
            self.found.note("too-long", first.span);
            return;
        }
        let path = first.text.as_ref();
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.is_empty() || name.contains(UNKNOWN) || first.traits.glob {
            if !path.is_empty() {
                self.unknown_command(first);
            }
            return;
        }
        if path == name {
            self.note_call(name);
            if self.is_function(name) {
                self.found.shell.mutates_state |= self.subshells == 0;
                return;
            }
        }
        if !self.record(name, first, args) {
            return;
        }
        self.observe(source, name, args);
        self.depth += 1;
        let call = Call {
            name,
            args: rest,
            span: first.span,
            source,
        };
        if path == name && is_builtin(name) {
            self.builtin(&call);
        } else {
            self.external(path, &call);
        }
        self.depth -= 1;
    }

    fn unknown_command(&mut self, name: &Arg<'_>) {
        self.found.shell.mutates_state |= self.subshells == 0;
        self.found.shell.inspects_shell = true;
        self.found.shell.pure = false;
        self.found.note("unknown-command", name.span);
    }

    fn record(&mut self, name: &str, first: &Arg<'_>, args: &[Arg<'_>]) -> bool {
        if self.found.programs.len() >= MAX_PROGRAMS {
            self.found.note("too-long", first.span);
            return false;
        }
        let known = args
            .iter()
            .all(|arg| !arg.traits.unknown && !arg.traits.glob);
        let argv = known.then(|| {
            args.iter()
                .map(|arg| arg.text.clone().into_owned())
                .collect()
        });
        self.found.programs.push(Program {
            name: name.to_owned(),
            span: first.span,
            argv,
            via: self.via.clone(),
        });
        true
    }

    fn external<'t>(&mut self, path: &str, call: &Call<'_, 't>) {
        self.found.shell.pure = false;
        if path.contains('/') {
            self.check_downloaded(&Arg::literal(path.to_owned(), call.span));
        }
        let certain = path.contains('/')
            || rules::is_known(call.name)
            || crate::registry::lookup(call.name).is_some()
            || super::wrappers::is_wrapper(call.name);
        if !certain {
            self.found.shell.mutates_state |= self.subshells == 0;
            self.found.shell.inspects_shell = true;
        }
        if matches!(call.name, "env" | "printenv" | "ps" | "pstree") {
            self.found.shell.inspects_shell = true;
        }
        effects::run(self, call);
        self.unroll(call);
        self.foreign(call);
        self.answer(call);
    }

    fn builtin<'t>(&mut self, call: &Call<'_, 't>) {
        if CHANGING_BUILTINS.contains(&call.name) {
            self.found.shell.mutates_state |= self.subshells == 0;
            let looks = matches!(
                call.name,
                "source"
                    | "."
                    | "eval"
                    | "exec"
                    | "trap"
                    | "set"
                    | "declare"
                    | "typeset"
                    | "alias"
                    | "shopt"
                    | "hash"
                    | "ulimit"
                    | "umask"
                    | "fg"
                    | "bg"
                    | "disown"
                    | "enable"
                    | "bind"
            );
            self.found.shell.inspects_shell |=
                looks || call.args.is_empty() && call.name == "export";
        } else if LOOKING_BUILTINS.contains(&call.name) {
            self.found.shell.inspects_shell = true;
        }
        match call.name {
            "cd" | "pushd" => self.change_directory(call),
            "popd" => self.place.enter("\0"),
            "echo" => self.echo(call),
            "printf" => self.printf(call),
            "pwd" => {
                let cwd = self.place.cwd().to_owned();
                let traits = Traits {
                    unknown: cwd.contains(UNKNOWN),
                    ..Traits::default()
                };
                self.output_text(cwd, traits, call.span);
            }
            "export" | "declare" | "typeset" | "local" | "readonly" => self.declare(call),
            "read" | "mapfile" | "readarray" | "getopts" => {
                for arg in call.args.iter().filter(|arg| !arg.is_option()) {
                    self.set(&arg.text, Value::unknown());
                }
            }
            "let" => {
                for arg in call.args {
                    self.note_arith_variables(&arg.text, arg.span);
                    let value = Value::one(arg.text.clone().into_owned(), arg.traits);
                    self.note_arith_code(arg.span, &value);
                }
                self.forget_names(call.args);
            }
            "unset" => self.forget_names(call.args),
            "test" | "[" => self.test(call),
            "set" => self.set_builtin(call),
            "exec" if call.args.is_empty() => {
                self.found.shell.redirects_shell |= self.subshells == 0;
            }
            "source" | "." | "fc" | "enable" | "coproc" => self.found.shell.pure = false,
            "shopt" => self.found.raise(Risk::Medium),
            "history"
                if call
                    .args
                    .first()
                    .is_some_and(|arg| arg.is("-c") || arg.is("-cw") || arg.is("-d")) =>
            {
                self.found.note("hides-traces", call.span);
            }
            "disown" | "bg" => self.found.shell.backgrounds = true,
            _ => {}
        }
        effects::run(self, call);
        self.unroll(call);
    }

    fn change_directory(&mut self, call: &Call<'_, '_>) {
        if self.inner == 0 && call.name == "cd" {
            self.found.shape(Kind::Cd);
        }
        let target = call.args.iter().find(|arg| !arg.is_option());
        match target {
            Some(arg) if arg.is("-") || arg.traits.glob => self.place.enter("\0"),
            Some(arg) => self.place.enter(&arg.text),
            None if call.args.iter().any(|arg| arg.is("-")) => self.place.enter("\0"),
            None => {
                let home = self.place.home().to_owned();
                self.place.enter(&home);
            }
        }
    }

    fn echo(&mut self, call: &Call<'_, '_>) {
        let mut args = call.args;
        let mut escapes = false;
        let mut newline = true;
        while let Some((first, rest)) = args.split_first() {
            let letters = first.text.strip_prefix('-').unwrap_or_default();
            if letters.is_empty() || !letters.bytes().all(|b| matches!(b, b'n' | b'e' | b'E')) {
                break;
            }
            escapes |= letters.contains('e');
            newline &= !letters.contains('n');
            args = rest;
        }
        let mut text = String::new();
        let mut traits = Traits::default();
        for (index, arg) in args.iter().enumerate() {
            if index > 0 {
                text.push(' ');
            }
            text.push_str(&arg.text);
            traits = traits.join(arg.traits);
        }
        if escapes {
            text = super::ansi_c::decode(&text);
        }
        if newline {
            text.push('\n');
        }
        let span = args.first().map_or(call.span, |arg| arg.span);
        self.output_text(text, traits, span);
    }

    fn printf(&mut self, call: &Call<'_, '_>) {
        let mut args = call.args;
        let mut variable = None;
        if args.first().is_some_and(|arg| arg.is("-v")) {
            self.found.shell.mutates_state |= self.subshells == 0;
            variable = args.get(1);
            args = args.get(2..).unwrap_or_default();
        }
        if args.first().is_some_and(|arg| arg.is("--")) {
            args = args.get(1..).unwrap_or_default();
        }
        let Some((format, values)) = args.split_first() else {
            return;
        };
        let (text, traits) = formatted(format, values);
        match variable {
            Some(name) => {
                let value = Value::one(name.text.clone().into_owned(), name.traits);
                self.note_arith_code(name.span, &value);
                self.assign(&name.text, Value::one(text, traits));
            }
            None => self.output_text(text, traits, format.span),
        }
    }

    fn declare(&mut self, call: &Call<'_, '_>) {
        let nameref = call
            .args
            .iter()
            .any(|arg| arg.is_option() && arg.text.contains('n'));
        for arg in call.args.iter().filter(|arg| !arg.is_option()) {
            let Some((name, value)) = arg.text.split_once('=') else {
                if call.name != "export" && call.name != "readonly" {
                    self.set(&arg.text, Value::unknown());
                }
                continue;
            };
            let value = if nameref || name.ends_with('+') || name.contains('[') {
                Value::unknown()
            } else {
                Value::one(value.to_owned(), arg.traits)
            };
            let name = name
                .trim_end_matches('+')
                .split('[')
                .next()
                .unwrap_or_default()
                .to_owned();
            self.found.variable(&name, &value, arg.span, true);
            self.assign(&name, value);
        }
        for arg in call.args {
            let value = Value::one(arg.text.clone().into_owned(), arg.traits);
            self.note_arith_code(arg.span, &value);
        }
    }

    fn forget_names(&mut self, args: &[Arg<'_>]) {
        for arg in args.iter().filter(|arg| !arg.is_option()) {
            let name: String = arg
                .text
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if matches!(name.as_str(), "HISTFILE" | "HISTSIZE") {
                self.found.note("history-off", arg.span);
            }
            let value = Value::one(arg.text.clone().into_owned(), arg.traits);
            self.note_arith_code(arg.span, &value);
            self.set(&name, Value::unknown());
        }
    }

    /// `test -v name[…]` evaluates the subscript, and so do numeric comparisons.
    fn test(&mut self, call: &Call<'_, '_>) {
        let numeric = |arg: &Arg<'_>| {
            matches!(
                arg.text.as_ref(),
                "-v" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge"
            )
        };
        if call.args.iter().any(numeric) {
            for arg in call.args {
                self.note_arith_variables(&arg.text, arg.span);
                let value = Value::one(arg.text.clone().into_owned(), arg.traits);
                self.note_arith_code(arg.span, &value);
            }
        }
    }

    fn set_builtin(&mut self, call: &Call<'_, '_>) {
        if let Some(at) = call.args.iter().position(|arg| arg.is("--")) {
            self.set_positional(call.args.get(at + 1..).unwrap_or_default());
        } else if call
            .args
            .first()
            .is_some_and(|arg| !arg.is_option() && !arg.text.starts_with('+'))
        {
            self.set_positional(call.args);
        }
        let off = call.args.iter().zip(call.args.iter().skip(1));
        if off.into_iter().any(|(a, b)| a.is("+o") && b.is("history")) {
            self.found.note("history-off", call.span);
        }
    }

    /// What well-known programs print, when the text tells it.
    fn answer(&mut self, call: &Call<'_, '_>) {
        let single = |walker: &mut Self, text: String, traits: Traits| {
            walker.output_text(text, traits, call.span);
        };
        match call.name {
            "mktemp" => {
                let traits = Traits {
                    unknown: true,
                    expanded: true,
                    glob: false,
                };
                single(self, format!("/tmp/tmp.{UNKNOWN}"), traits);
            }
            "which" | "realpath" | "readlink" => {
                let operands: Vec<_> = call.args.iter().filter(|arg| !arg.is_option()).collect();
                if let [only] = operands.as_slice() {
                    let (text, traits) = (only.text.clone().into_owned(), only.traits);
                    single(self, text, traits);
                }
            }
            "basename" => {
                if let [only] = call.args {
                    let name = only.text.rsplit('/').next().unwrap_or_default().to_owned();
                    let traits = only.traits;
                    single(self, name, traits);
                }
            }
            "whoami" => {
                let user = self.user.to_owned();
                single(self, user, Traits::default());
            }
            "git" if call.args.iter().any(|arg| arg.is("--show-toplevel")) => {
                let tree = self.place.tree().to_owned();
                single(self, tree, Traits::default());
            }
            _ => {}
        }
    }

    /// Code in an argument that a shell will run: the text, and the way back to the command.
    pub(crate) fn body_of<'t>(&mut self, source: &Source<'t>, arg: &Arg<'t>) -> (String, Origin) {
        (
            arg.text.clone().into_owned(),
            super::code::origin(source, arg),
        )
    }

    pub(crate) fn privilege(&mut self, call: &Call<'_, '_>) {
        self.found.privileged = true;
        self.found.effect(EffectKind::Privilege, None, call.span);
        if self.via.is_none() {
            self.found.shape(Kind::Sudo);
        }
        self.found.raise(Risk::Medium);
    }
}

/// The output of `printf`, when its format is plain.
fn formatted(format: &Arg<'_>, values: &[Arg<'_>]) -> (String, Traits) {
    let traits = values
        .iter()
        .fold(format.traits, |traits, arg| traits.join(arg.traits));
    let decoded = super::ansi_c::decode(&format.text);
    let mut out = String::new();
    let mut values = values.iter();
    loop {
        let before = values.len();
        let mut pieces = decoded.split('%');
        out.push_str(pieces.next().unwrap_or_default());
        let mut escaped = false;
        for piece in pieces {
            if escaped {
                escaped = false;
                out.push_str(piece);
                continue;
            }
            let mut chars = piece.chars();
            match chars.next() {
                None => {
                    out.push('%');
                    escaped = true;
                }
                Some('s' | 'd' | 'i' | 'u' | 'b' | 'q') => {
                    if let Some(arg) = values.next() {
                        if piece.starts_with('b') {
                            out.push_str(&super::ansi_c::decode(&arg.text));
                        } else {
                            out.push_str(&arg.text);
                        }
                    }
                    out.push_str(chars.as_str());
                }
                Some(_) => {
                    return (
                        UNKNOWN.to_string(),
                        Traits {
                            unknown: true,
                            ..traits
                        },
                    );
                }
            }
        }
        if values.len() == 0 || values.len() == before {
            return (out, traits);
        }
    }
}
