//! Wrappers that run a command on names that they find or read.

use super::super::arg::{Arg, Traits, UNKNOWN};
use super::super::code::is_shell;
use super::super::source::Origin;
use super::super::{EVERYTHING, Feed, Walker};
use super::cover;
use super::table::prefix;
use crate::effects::Call;
use crate::place::Class;

/// Words of a text that become arguments; more are not known.
const MAX_WORDS: usize = 64;

/// Numbers that are counted to, each of which starts a program at once.
const MANY: u64 = 10_000;

/// Whether there is no bound to what runs at once.
fn without_limit(own: &[Arg<'_>]) -> bool {
    let next = own.iter().skip(1).map(Some).chain([None]);
    own.iter().zip(next).any(|(arg, next)| {
        matches!(arg.text.as_ref(), "-P0" | "--max-procs=0")
            || matches!(arg.text.as_ref(), "-P" | "--max-procs")
                && next.is_some_and(|next| next.is("0"))
    })
}

/// Whether nothing but programs that run others stands before the names that are read.
fn runs_its_arguments(command: &[Arg<'_>]) -> bool {
    command.iter().all(|arg| {
        matches!(
            arg.text.as_ref(),
            "env"
                | "sudo"
                | "doas"
                | "nohup"
                | "nice"
                | "setsid"
                | "exec"
                | "command"
                | "time"
                | "eval"
        ) || arg.is_option()
    })
}

impl Walker<'_> {
    pub(super) fn xargs<'t>(&mut self, call: &Call<'_, 't>) {
        let prefix = prefix(
            "xargs",
            "adEILnPs",
            &[
                "--arg-file",
                "--delimiter",
                "--max-args",
                "--max-procs",
                "--max-lines",
                "--replace",
                "--max-chars",
            ],
            0,
            false,
        );
        let start = Self::command_start(&prefix, call.args);
        let (own, command) = call.args.split_at(start.min(call.args.len()));
        let replace =
            own.iter()
                .enumerate()
                .find_map(|(index, arg)| match arg.text.strip_prefix("-I") {
                    Some("") => own.get(index + 1).map(|arg| arg.text.clone().into_owned()),
                    Some(token) => Some(token.to_owned()),
                    None => {
                        matches!(arg.text.as_ref(), "-i" | "--replace").then(|| "{}".to_owned())
                    }
                });
        if command.is_empty() {
            return;
        }
        let span = call.span;
        if matches!(self.feed, Feed::Endless) || without_limit(own) && self.counts_to_many() {
            self.found.note("spawning-loop", span);
        }
        if runs_its_arguments(command) {
            // What it reads is the command.
            self.found.note("unknown-command", span);
        }
        let input = match &self.feed.clone() {
            Feed::Text(text) if !text.raw && replace.is_some() => self.input(call, text, &['\n']),
            Feed::Text(text) if !text.raw => self.input(call, text, &['\n', ' ', '\t']),
            Feed::Paths(all) if all == EVERYTHING => vec![Arg::literal(".", span)],
            Feed::Paths(path) if path.contains(UNKNOWN) => {
                vec![Arg::unknown_as(path.clone(), span)]
            }
            Feed::Paths(prefix) => vec![Arg::unknown(&format!("{prefix}/_"), span)],
            Feed::Processes => {
                let mut all = Arg::unknown("", span);
                all.traits.everyone = true;
                vec![all]
            }
            Feed::Secrets => {
                let mut secret = Arg::unknown("", span);
                secret.traits.secret = true;
                vec![secret]
            }
            _ => vec![Arg::unknown("", span)],
        };
        let mut args: Vec<Arg<'t>> = Vec::new();
        match replace {
            Some(token) if !token.is_empty() => {
                for arg in command {
                    if !arg.text.contains(token.as_str()) {
                        args.push(arg.clone());
                        continue;
                    }
                    for value in &input {
                        let size = arg.text.len() * value.text.len().max(1);
                        if !self.charge(size, span) {
                            break;
                        }
                        let text = arg.text.replace(token.as_str(), &value.text);
                        args.push(Arg {
                            text: text.into(),
                            traits: arg.traits.join(value.traits),
                            word: None,
                            ..arg.clone()
                        });
                    }
                }
            }
            _ => {
                args.extend_from_slice(command);
                args.extend(input);
            }
        }
        let shell = args.first().is_some_and(|arg| is_shell(&arg.text));
        let outer = std::mem::take(&mut self.feed);
        if shell && command.last().is_some_and(|arg| arg.is("-c")) {
            // What it reads is the code, behind quotes that xargs takes away itself.
            self.found.note("hidden-code", span);
        }
        if shell && args.len() == 2 && args.last().is_some_and(|arg| arg.traits.unknown) {
            self.found.note("hidden-code", span);
        }
        self.scoped(|w| w.call(call.source, &args));
        self.feed = outer;
    }

    /// Whether the program before this one counts to more than a machine can run at once.
    fn counts_to_many(&self) -> bool {
        let before = self.found.programs.iter().rev().nth(1);
        before.is_some_and(|listed| {
            let last = listed.program.argv.as_ref().and_then(|argv| argv.last());
            let end = last.and_then(|last| last.parse::<u64>().ok());
            listed.program.name == "seq" && end.is_some_and(|end| end >= MANY)
        })
    }

    /// The words of a text that is known, as arguments.
    fn input<'t>(
        &mut self,
        call: &Call<'_, 't>,
        text: &crate::walk::feed::Text,
        separators: &[char],
    ) -> Vec<Arg<'t>> {
        if !self.charge(text.text.len(), call.span) {
            return vec![Arg::unknown("", call.span)];
        }
        let span = text
            .origin
            .span(crate::analysis::Span::new(0, text.text.len()));
        let words = text
            .text
            .split(|c: char| separators.contains(&c) || c == UNKNOWN);
        let words: Vec<Arg<'t>> = words
            .filter(|word| !word.is_empty())
            .map(|word| Arg::literal(word.trim_matches(['"', '\'']).to_owned(), span))
            .take(MAX_WORDS + 1)
            .collect();
        if words.len() > MAX_WORDS {
            vec![Arg::unknown("", call.span)]
        } else {
            words
        }
    }

    pub(super) fn parallel<'t>(&mut self, call: &Call<'_, 't>) {
        let prefix = prefix(
            "parallel",
            "jNSPnLIasC",
            &[
                "--jobs",
                "--delay",
                "--timeout",
                "--joblog",
                "--results",
                "--sshlogin",
                "--colsep",
            ],
            0,
            false,
        );
        let start = Self::command_start(&prefix, call.args);
        let command = call.args.get(start..).unwrap_or_default();
        let unbounded = call
            .args
            .iter()
            .any(|arg| matches!(arg.text.as_ref(), "-j0" | "--jobs=0" | "-P0"));
        // A sequence of more words than are followed.
        let many = call
            .args
            .iter()
            .any(|arg| arg.text.len() == 1 && arg.text.contains(UNKNOWN));
        if unbounded && (many || matches!(self.feed, Feed::Endless) || self.counts_to_many()) {
            self.found.note("spawning-loop", call.span);
        }
        let end = command
            .iter()
            .position(|arg| arg.text.starts_with(":::"))
            .unwrap_or(command.len());
        let (command, inputs) = command.split_at(end);
        if command.is_empty() {
            if inputs.iter().any(|arg| arg.text.starts_with("::::")) {
                self.found.note("hidden-code", call.span);
            }
            for body in inputs.iter().filter(|arg| !arg.text.starts_with(":::")) {
                let (text, origin) = self.body_of(call.source, body);
                self.shell_body(&text, origin, true);
            }
            if inputs.is_empty() {
                self.found.note("hidden-code", call.span);
            }
            return;
        }
        let mut body = command
            .iter()
            .map(|arg| arg.text.as_ref())
            .collect::<Vec<_>>()
            .join(" ");
        let values: Vec<&str> = inputs
            .iter()
            .map(|arg| arg.text.as_ref())
            .filter(|text| !text.starts_with(":::"))
            .collect();
        let from_files = inputs.iter().any(|arg| arg.text.starts_with("::::"));
        let value = if values.is_empty() || from_files {
            UNKNOWN.to_string()
        } else {
            values.join(" ")
        };
        if !self.charge(body.len() * value.len().max(1), call.span) {
            return;
        }
        if body.contains("{}") {
            body = body.replace("{}", &value);
        } else {
            body.push(' ');
            body.push_str(&value);
        }
        self.shell_body(&body, Origin::Whole(cover(command)), true);
    }

    pub(super) fn find_exec<'t>(&mut self, call: &Call<'_, 't>) {
        let roots = crate::effects::find_roots(call);
        let narrowed = crate::effects::find_narrowed(call);
        let mut index = 0;
        while let Some(arg) = call.args.get(index) {
            index += 1;
            if !matches!(arg.text.as_ref(), "-exec" | "-execdir" | "-ok" | "-okdir") {
                continue;
            }
            let rest = call.args.get(index..).unwrap_or_default();
            let end = rest
                .iter()
                .position(|arg| arg.is(";") || arg.is("+"))
                .unwrap_or(rest.len());
            let command = rest.get(..end).unwrap_or_default();
            index += end;
            self.run_on_found(call, command, &roots, narrowed);
        }
    }

    fn run_on_found<'t>(
        &mut self,
        call: &Call<'_, 't>,
        command: &[Arg<'t>],
        roots: &[Arg<'t>],
        narrowed: bool,
    ) {
        let mut args = Vec::with_capacity(command.len());
        if command.first().is_some_and(|arg| arg.text.contains("{}")) {
            self.found.note("unknown-command", call.span);
        }
        let empties = command.first().is_some_and(|arg| arg.is("truncate"));
        let whole = |root: &Arg<'_>| self.place.class(&root.text, false) == Class::TreeRoot;
        if empties && !narrowed && roots.iter().any(whole) {
            self.found.note("delete-working-tree", call.span);
        }
        for arg in command {
            if !arg.text.contains("{}") {
                args.push(arg.clone());
                continue;
            }
            for root in roots.iter().take(16) {
                let found = if narrowed {
                    crate::effects::find_one(call, root)
                } else {
                    root.clone()
                };
                if !self.charge(arg.text.len() * found.text.len().max(1), call.span) {
                    return;
                }
                let text = arg.text.replace("{}", &found.text);
                let code = text.len() > found.text.len();
                let traits = arg.traits.join(found.traits);
                let traits = Traits {
                    unknown: traits.unknown || text.contains(UNKNOWN),
                    ..traits
                };
                let word = if code { None } else { found.word };
                args.push(Arg {
                    text: text.into(),
                    span: arg.span,
                    traits,
                    word,
                });
            }
        }
        self.scoped(|w| w.call(call.source, &args));
    }

    pub(super) fn fd_exec<'t>(&mut self, call: &Call<'_, 't>) {
        let Some(at) = call
            .args
            .iter()
            .position(|arg| matches!(arg.text.as_ref(), "-x" | "-X" | "--exec" | "--exec-batch"))
        else {
            return;
        };
        let mut args: Vec<Arg<'t>> = call.args.get(at + 1..).unwrap_or_default().to_vec();
        // The first operand before the command is a pattern, the others are directories.
        let before = call.args.get(..at).unwrap_or_default();
        let directories: Vec<&Arg<'t>> = before
            .iter()
            .filter(|arg| !arg.is_option())
            .skip(1)
            .collect();
        let outside = directories.into_iter().find(|arg| !self.is_ordinary(arg));
        let found = outside.map_or("./_".to_owned(), |arg| format!("{}/_", arg.text));
        args.push(Arg::unknown(&found, call.span));
        self.scoped(|w| w.call(call.source, &args));
    }
}
