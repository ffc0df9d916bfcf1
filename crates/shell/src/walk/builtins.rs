//! Builtins of the shell: which they are, what they change in it, what they print.

use std::rc::Rc;

use super::arg::{Arg, MAX_JOINED, Traits, UNKNOWN, Value};
use super::{Feed, Walker};
use crate::analysis::{Kind, Risk};
use crate::effects::touch::Touch;
use crate::effects::{self, Call};

/// Builtins that leave the shell as it was and see nothing of it.
const PURE_BUILTINS: &[&str] = &["echo", "printf", "test", "[", ":", "true", "false", "pwd"];
/// Builtins that write something; the others are silent.
const WRITING_BUILTINS: &[&str] = &[
    "echo", "printf", "pwd", "type", "jobs", "times", "help", "caller", "compgen", "dirs", "kill",
    "command", "builtin", "history", "fc", "eval", "source", ".", "exec", "pushd", "popd",
];
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

/// Words of a line that become elements of an array.
const MAX_READ: usize = 64;

impl Walker<'_> {
    pub(super) fn builtin<'t>(&mut self, call: &Call<'_, 't>) {
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
        self.output.silent = !WRITING_BUILTINS.contains(&call.name);
        match call.name {
            "shift" => self.shift(call.args.first()),
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
            "export" | "declare" | "typeset" | "local" | "readonly" => {
                self.exported_functions(call);
                self.declare(call);
            }
            "read" | "mapfile" | "readarray" | "getopts" | "wait" => self.read_builtin(call),
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
            "shopt" => {
                let history = call.args.iter().any(|arg| arg.is("history"));
                let off = call
                    .args
                    .iter()
                    .any(|arg| arg.is_option() && arg.text.contains('u'));
                if history && off {
                    self.found.note("history-off", call.span);
                }
                self.found.raise(Risk::Medium);
            }
            "history"
                if call
                    .args
                    .first()
                    .is_some_and(|arg| arg.is("-w") || arg.is("-a")) =>
            {
                for file in call.args.get(1..).unwrap_or_default() {
                    self.touch(Touch::Write, file);
                }
            }
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

    /// `export -f name`: other shells know the function as well.
    fn exported_functions(&mut self, call: &Call<'_, '_>) {
        let exports = call.args.first().is_some_and(|arg| {
            let letters = arg.text.strip_prefix('-').unwrap_or_default();
            letters.contains('f') && (call.name == "export" || letters.contains('x'))
        });
        if exports {
            for name in call.args.get(1..).unwrap_or_default() {
                self.functions.export(&name.text);
            }
        }
    }

    fn change_directory(&mut self, call: &Call<'_, '_>) {
        if self.inner == 0 && call.name == "cd" {
            self.found.shape(Kind::Cd);
        }
        let target = call.args.iter().find(|arg| !arg.is_option());
        let searched = |arg: &Arg<'_>| {
            // `CDPATH` may lead a name that is no path anywhere.
            self.vars.contains_key("CDPATH") && !arg.text.starts_with(['/', '.', '~'])
        };
        match target {
            Some(arg) if arg.traits.glob => {
                let guarded = self.place.matched_directory(&arg.text);
                self.place.enter(guarded.as_deref().unwrap_or("\0"));
            }
            Some(arg) if arg.is("-") || searched(arg) => self.place.enter("\0"),
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
        if let Some(joined) = args.first().filter(|arg| arg.text.starts_with("-v")) {
            self.found.shell.mutates_state |= self.subshells == 0;
            let own = if joined.is("-v") { 2 } else { 1 };
            variable = args.get(own - 1);
            args = args.get(own..).unwrap_or_default();
        }
        if args.first().is_some_and(|arg| arg.is("--")) {
            args = args.get(1..).unwrap_or_default();
        }
        let Some((format, values)) = args.split_first() else {
            return;
        };
        if format
            .text
            .contains(['d', 'i', 'u', 'x', 'X', 'o', 'f', 'e', 'g', '*'])
        {
            // Numbers are arithmetic, with whatever their subscripts hold.
            for arg in values {
                let value = Value::one(arg.text.clone().into_owned(), arg.traits);
                self.note_arith_code(arg.span, &value);
            }
        }
        let (text, traits) = formatted(format, values);
        match variable {
            Some(name) => {
                let name_text = name
                    .text
                    .strip_prefix("-v")
                    .unwrap_or(&name.text)
                    .to_owned();
                let value = Value::one(name_text.clone(), name.traits);
                self.note_arith_code(name.span, &value);
                let value = Value::one(text, traits);
                self.found.variable(&name_text, &value, name.span, true);
                self.assign(&name_text, value);
            }
            None => self.output_text(text, traits, format.span),
        }
    }

    fn declare(&mut self, call: &Call<'_, '_>) {
        let has = |letter: char| {
            let options = call.args.iter().filter(|arg| arg.is_option());
            options.into_iter().any(|arg| arg.text.contains(letter))
        };
        let (nameref, integer) = (has('n') && call.name != "export", has('i'));
        let (capital, small, large) = (has('c'), has('l'), has('u'));
        let prints = has('p') || call.args.iter().all(Arg::is_option);
        if prints {
            self.output.silent = false;
            self.output.secret = true;
        }
        let local =
            call.name == "local" || (matches!(call.name, "declare" | "typeset") && !has('g'));
        for arg in call.args.iter().filter(|arg| !arg.is_option()) {
            let Some((name, value)) = arg.text.split_once('=') else {
                if local && self.functions.inside() {
                    self.make_local(&arg.text);
                }
                self.has_integers |= integer;
                if call.name != "export" && call.name != "readonly" {
                    self.set(&arg.text, Value::unknown());
                }
                continue;
            };
            if integer {
                self.note_arith_variables(value, arg.span);
                self.has_integers = true;
            }
            let whole = &arg.text;
            let hidden =
                nameref || name.ends_with('+') || whole.contains('[') && name.contains('[');
            let value = if hidden || capital {
                Value::unknown()
            } else if small {
                Value::one(value.to_lowercase(), arg.traits)
            } else if large {
                Value::one(value.to_uppercase(), arg.traits)
            } else {
                Value::one(value.to_owned(), arg.traits)
            };
            let name = name
                .trim_end_matches('+')
                .split('[')
                .next()
                .unwrap_or_default()
                .to_owned();
            if local && self.functions.inside() {
                self.make_local(&name);
            }
            self.found.variable(&name, &value, arg.span, true);
            self.program_variable(&name, &value, arg.span);
            self.assign(&name, value);
        }
        for arg in call.args {
            let value = Value::one(arg.text.clone().into_owned(), arg.traits);
            self.note_arith_code(arg.span, &value);
        }
    }

    /// Builtins that set the variables that they are given.
    fn read_builtin(&mut self, call: &Call<'_, '_>) {
        for (index, arg) in call.args.iter().enumerate() {
            let value = Value::one(arg.text.clone().into_owned(), arg.traits);
            self.note_arith_code(arg.span, &value);
            if arg.is_option() || call.name == "wait" {
                continue;
            }
            let name = arg.text.split('[').next().unwrap_or_default().to_owned();
            if call.name != "getopts" || index > 0 {
                let mut value = Value::unknown();
                for (_, traits) in &mut value.fields {
                    traits.everyone = matches!(self.feed, Feed::Processes);
                }
                self.set(&name, value);
            }
        }
        if call.name == "read" {
            self.read_line(call);
        }
    }

    /// The first line of a text that is known, told apart into variables or an array.
    fn read_line(&mut self, call: &Call<'_, '_>) {
        let names: Vec<&Arg<'_>> = call.args.iter().filter(|arg| !arg.is_option()).collect();
        let mut options = call.args.iter().filter(|arg| arg.is_option());
        let plain = options.all(|arg| matches!(arg.text.as_ref(), "-r" | "-a" | "-ra" | "-ar"));
        let array = call
            .args
            .iter()
            .any(|arg| arg.is_option() && arg.text.contains('a'));
        let text = match &self.feed {
            Feed::Text(text) if !text.raw && plain && self.loops == 0 => Rc::clone(text),
            _ => return,
        };
        let line = text.text.lines().next().unwrap_or_default();
        if !self.charge(line.len(), call.span) {
            return;
        }
        let own = self.separators();
        let separates = |c: char| match &own {
            Some(own) => own.contains(c),
            None => c.is_whitespace(),
        };
        let mut rest = line.trim_matches(|c: char| c.is_whitespace() && separates(c));
        let mut word = || {
            let end = rest.find(separates).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let after = after.strip_prefix(separates).unwrap_or_default();
            rest = after.trim_start_matches(|c: char| c.is_whitespace() && separates(c));
            (word.to_owned(), rest)
        };
        if array {
            let mut fields = Vec::new();
            loop {
                let (next, rest) = word();
                fields.push((next, Traits::default()));
                if rest.is_empty() || fields.len() > MAX_READ {
                    break;
                }
            }
            if let (Some(name), true) = (names.first(), fields.len() <= MAX_READ) {
                let value = Value {
                    fields,
                    either: false,
                };
                self.set(&name.text, value);
            }
            return;
        }
        let mut left = line;
        for (index, name) in names.iter().enumerate() {
            let value = if index + 1 == names.len() {
                left.to_owned()
            } else {
                let (next, rest) = word();
                left = rest;
                next
            };
            self.set(&name.text, Value::one(value, Traits::default()));
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
            self.functions.unset(&name);
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
        let expands_history = call.args.iter().any(|arg| {
            let letters = arg
                .text
                .strip_prefix('-')
                .filter(|rest| !rest.starts_with('-'));
            arg.is("histexpand") || letters.is_some_and(|letters| letters.contains('H'))
        });
        if expands_history {
            // What `!` and `^` then become is not in the text.
            self.found.note("hidden-code", call.span);
        }
        let off = call.args.iter().zip(call.args.iter().skip(1));
        if off.into_iter().any(|(a, b)| a.is("+o") && b.is("history")) {
            self.found.note("history-off", call.span);
        }
    }
}

/// The output of `printf`, when its format is plain.
fn formatted(format: &Arg<'_>, values: &[Arg<'_>]) -> (String, Traits) {
    let traits = values
        .iter()
        .fold(format.traits, |traits, arg| traits.join(arg.traits));
    let not_known = || {
        let traits = Traits {
            unknown: true,
            ..traits
        };
        (UNKNOWN.to_string(), traits)
    };
    let decoded = super::ansi_c::decode(&format.text);
    let mut out = String::new();
    let mut values = values.iter();
    loop {
        if out.len() > MAX_JOINED {
            // The format is used again for each few of the values.
            return not_known();
        }
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
                Some(_) => return not_known(),
            }
        }
        if values.len() == 0 || values.len() == before {
            return (out, traits);
        }
    }
}
