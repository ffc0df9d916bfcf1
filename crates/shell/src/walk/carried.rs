//! Commands that an argument carries to a program of which nothing is known: the value of
//! `--pre-command`, what stands behind a `!`, a `|` or in `system(…)`.
//!
//! No table can name every program that runs what it is told. So the text of an argument is read
//! as if a shell got it, on trial: what such a command would do is reported only where it would be
//! dangerous, and a text that is no command at all hardly ever looks like a dangerous one.

mod names;
mod pieces;

use super::arg::Arg;
use super::code::is_shell;
use super::foreign::is_language;
use super::source::Origin;
use super::{Feed, Walker};
use crate::analysis::{Risk, Span};
use crate::effects::Call;
use crate::place::{Class, is_program_directory};
use names::Name;
use pieces::Piece;
pub(super) use pieces::calls;

/// Trials in trials. A command in a command in an argument is one too many for ordinary work, and
/// each level multiplies what there is to read.
const MAX_TRIALS: usize = 2;

/// What a trial costs of the bytes of code that may be read, beside its text: a parse and a walk.
const TRIAL_COST: usize = 128;

/// What it costs of the work that may be done, beside what it walks: what was found is put aside.
const TRIAL_WORK: usize = 400;

/// What it costs to look for pieces of commands in a text, for each of its bytes; and how many bytes
/// of the rest of a line, in which each mark has its end looked for, come to as much.
const PIECES_COST: usize = 16;
const LOOKED_THROUGH: usize = 16;

/// Bytes of one argument that is tried although nothing says that it is run; a longer one is a
/// document.
const MAX_TEXT: usize = 16 << 10;

impl Walker<'_> {
    /// Tries the arguments of a call in which a command may stand.
    pub(crate) fn carried(&mut self, call: &Call<'_, '_>, by_path: bool) {
        if call.args.is_empty() {
            return;
        }
        if names::only_handles_text(call.name) {
            return self.carried_beside_texts(call);
        }
        let mut before = "";
        for arg in call.args {
            let text = arg.text.as_ref();
            let named = !before.is_empty() || text.contains('=') || arg.is_option();
            if text.len() > 1 && (names::has_marks(text) || named && names::may_carry(text)) {
                self.carried_by(call, before, arg, by_path);
            }
            before = if arg.is_option() && text != "--" {
                text
            } else {
                ""
            };
        }
        self.executable_and_arguments(call);
        let known = is_language(call.name) || super::wrappers::is_wrapper(call.name);
        // In a sentence, the word before a command is no program that starts it.
        if names::runs_operands(call.name) && !by_path && !known && self.trials == 0 {
            self.command_among_operands(call);
        }
    }

    /// Programs that handle texts have few options that run something, and those are long ones.
    fn carried_beside_texts(&mut self, call: &Call<'_, '_>) {
        let mut before = "";
        for arg in call.args {
            let (name, value) = match arg.text.split_once('=') {
                Some(split) if arg.is_option() => split,
                _ => (before, arg.text.as_ref()),
            };
            before = if arg.is_option() { &arg.text } else { "" };
            if name.starts_with("--") && Name::read(name).surely_runs() {
                self.named_program(value, arg.span);
                self.try_whole(name, value, true, arg.span);
            }
        }
    }

    /// `chronic rm -rf x`: a program that starts another one, of which nothing is known.
    fn command_among_operands(&mut self, call: &Call<'_, '_>) {
        let at = call
            .args
            .iter()
            .position(|arg| names::is_destructive(&arg.text));
        let Some(words) = at
            .and_then(|at| call.args.get(at..))
            .filter(|words| words.len() > 1)
        else {
            return;
        };
        let words: Vec<String> = words
            .iter()
            .map(|arg| arg.text.clone().into_owned())
            .collect();
        self.try_words(&words, call.span);
    }

    /// One argument, behind an option or alone.
    fn carried_by(&mut self, call: &Call<'_, '_>, before: &str, arg: &Arg<'_>, by_path: bool) {
        let text = arg.text.as_ref();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) if arg.is_option() || names::is_key(name) => (name, value),
            _ if arg.is_option() => match names::attached(text) {
                Some((name, value)) => (name, value),
                None => return,
            },
            _ => (before, text),
        };
        let says = Name::read(name);
        let above = if name == before {
            says
        } else {
            Name::read(before)
        };
        let setting = names::is_key(name) && says.runs();
        let tests = call.name == "go" && name == "-run";
        let texts = name.starts_with('-') && says.holds_text() || above.holds_text();
        if tests || !setting && texts {
            return;
        }
        let runs = says.runs() || above.runs();
        if says.loads() {
            self.loaded(value, arg.span);
        }
        if self.process_feed(value).is_some() {
            return;
        }
        if runs {
            self.named_program(value, arg.span);
        }
        let whole = runs
            || above.sets()
            || !by_path
                && if name.is_empty() {
                    names::runs_operands(call.name)
                } else {
                    name.starts_with('-')
                };
        let known = !arg.traits.unknown || value.trim_matches(super::arg::UNKNOWN).len() > 2;
        let foreign = names::takes_statements(call.name) || is_language(call.name);
        if whole && known && !foreign && (runs || value.len() <= MAX_TEXT) {
            self.try_whole(name, value, runs, arg.span);
        }
        if names::takes_marks(call.name) && (runs || !by_path) {
            self.try_pieces(value, arg.span);
        }
    }

    /// A text as a command line, or as a list of words in another notation.
    fn try_whole(&mut self, option: &str, text: &str, runs: bool, span: Span) {
        if text.contains([' ', '\t', '\n']) || runs && is_shell(text) {
            self.try_command(text, span);
        }
        if let Some(words) = pieces::list(text) {
            self.try_words(&words, span);
        }
        // `before_dl:rm …`, where the name of a moment stands before the command.
        if let Some((key, value)) = text.split_once(':')
            && runs
            && names::is_key(key)
        {
            self.try_command(value, span);
        }
        // `testenv.commands=rm …` as the value of an option that overrides settings.
        if let Some((key, value)) = text.split_once('=')
            && names::is_key(key)
            && (Name::read(key).runs() || Name::read(option).sets())
        {
            match pieces::list(value) {
                Some(words) => self.try_words(&words, span),
                None => self.try_command(value, span),
            }
        }
    }

    /// What stands behind marks with which many programs start a shell.
    pub(super) fn try_pieces(&mut self, text: &str, span: Span) {
        if text.len() > MAX_TEXT || !self.charge(cost_of_pieces(text), span) {
            return;
        }
        for piece in pieces::pieces(text) {
            match piece {
                Piece::Words(words) => self.try_words(&words, span),
                Piece::Line(line) => match pieces::list(&line) {
                    Some(words) => self.try_words(&words, span),
                    None => self.try_command(&line, span),
                },
            }
        }
    }

    /// Each line of a text that some program reads as its own commands.
    pub(super) fn try_lines(&mut self, text: &str, span: Span) {
        if text.len() > MAX_TEXT {
            return;
        }
        self.try_pieces(text, span);
        for line in text.lines() {
            let value = line.split_once('=').map_or(line, |(_, value)| value).trim();
            if value.contains(' ') {
                self.try_command(value, span);
                let words: Vec<String> = value
                    .split_whitespace()
                    .skip_while(|word| !names::is_destructive(word))
                    .map(str::to_owned)
                    .collect();
                self.try_words(&words, span);
            }
        }
    }

    pub(super) fn try_words(&mut self, words: &[String], span: Span) {
        self.on_trial(false, span, |w| {
            let args: Vec<Arg<'_>> = words
                .iter()
                .map(|word| Arg::literal(word.clone(), span))
                .collect();
            let source = super::source::Source {
                text: "",
                heredocs: &[],
                origin: Origin::Whole(span),
            };
            w.scoped(|w| w.inner(|w| w.call(&source, &args)));
        });
    }

    /// Reports what a text would do as a command, if that is dangerous.
    pub(super) fn try_command(&mut self, text: &str, span: Span) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let first = text.split_whitespace().next().unwrap_or_default();
        let shell = is_shell(first.rsplit('/').next().unwrap_or_default());
        self.on_trial(shell, span, |w| {
            w.shell_body(text, Origin::Whole(span), true);
        });
    }

    /// The same for a text that is surely a command line.
    pub(super) fn try_options(&mut self, text: &str, span: Span) {
        self.on_trial(true, span, |w| {
            w.shell_body(text, Origin::Whole(span), true);
        });
    }

    /// Walks something and keeps nothing of it but the dangers. `sure` says that it is a command,
    /// so that code in it which is not shown counts as well.
    fn on_trial(&mut self, sure: bool, span: Span, walk: impl FnOnce(&mut Self)) {
        if self.trials >= MAX_TRIALS {
            return self.found.note("too-deep", span);
        }
        if !self.charge_body(TRIAL_COST, span) || !self.charge(TRIAL_WORK, span) {
            return;
        }
        let outer = std::mem::take(&mut self.found);
        let feed = std::mem::replace(&mut self.feed, Feed::Opaque);
        let output = std::mem::take(&mut self.output);
        let observed = self.observed.take();
        self.trials += 1;
        walk(self);
        self.trials -= 1;
        self.observed = observed;
        self.output = output;
        self.feed = feed;
        let tried = std::mem::replace(&mut self.found, outer);
        for finding in &tried.findings {
            let bound = matches!(finding.rule.as_str(), "too-long" | "too-deep");
            let hidden = sure && finding.rule == "hidden-code";
            if finding.risk == Risk::High || finding.risk == Risk::Critical || bound || hidden {
                self.found.note(&finding.rule, span);
            }
        }
        self.found.credentials_read |= tried.credentials_read;
    }

    /// A program that is named alone, by a path to where anything may have been put.
    fn named_program(&mut self, value: &str, span: Span) {
        if matches!(value, "sudo" | "doas" | "pkexec") {
            return self.found.note("privileged-effect", span);
        }
        let single = !value.contains(char::is_whitespace) && value.contains('/');
        if !single || value.contains("://") || is_program_directory(value) {
            return;
        }
        let path = self.of_home(value);
        if self.is_foreign_place(&path) {
            self.found.note("hidden-code", span);
        }
    }

    /// A module, a plugin, a file of settings.
    fn loaded(&mut self, value: &str, span: Span) {
        if value.starts_with("data:") {
            return self.found.note("hidden-code", span);
        }
        if self.process_feed(value).is_some() {
            return self.found.note("hidden-code", span);
        }
        if value.starts_with("http://") || value.starts_with("https://") {
            return self.found.note("code-from-network", span);
        }
        let path = self.of_home(value);
        if value.contains('/') && names::is_code_file(value) && self.is_foreign_place(&path) {
            self.found.note("hidden-code", span);
        }
    }

    /// Whether a path leads out of the tree to where neither the system nor a package manager
    /// keeps programs.
    pub(super) fn is_foreign_place(&self, path: &str) -> bool {
        matches!(
            self.place.class(path, false),
            Class::Home | Class::Outside | Class::HomeRoot
        )
    }

    /// `-Dexec.executable=rm -Dexec.args='-rf x'`: a program and its arguments in two settings.
    fn executable_and_arguments(&mut self, call: &Call<'_, '_>) {
        let program = call
            .args
            .iter()
            .find_map(|arg| arg.text.split_once("executable="));
        let Some((key, program)) = program else {
            return;
        };
        let arguments = call.args.iter().find_map(|arg| {
            let rest = arg.text.strip_prefix(key)?;
            let (name, value) = rest.split_once('=')?;
            name.to_ascii_lowercase().contains("arg").then_some(value)
        });
        let text = format!("{program} {}", arguments.unwrap_or_default());
        self.try_command(&text, call.span);
    }
}

/// What it costs to look for pieces in a text.
fn cost_of_pieces(text: &str) -> usize {
    let opens = |byte: &u8| b"!|`$%@({['\"".contains(byte);
    let of_line = |line: &str| {
        let marks = line.bytes().filter(|byte| opens(byte)).count();
        marks * line.len() / LOOKED_THROUGH
    };
    text.len() * PIECES_COST + text.lines().map(of_line).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Verdict, analyze, judge};

    fn verdict(text: &str) -> Verdict {
        judge(&analyze(text, &Context::default())).0
    }

    #[test]
    fn a_command_in_an_argument_of_any_program_is_judged() {
        assert_eq!(verdict("some-tool --on-change 'rm -rf ~'"), Verdict::Deny);
        assert_eq!(verdict("some-tool --on-change 'make test'"), Verdict::Allow);
        assert_eq!(verdict("some-tool --title 'rm -rf ~'"), Verdict::Allow);
        assert_eq!(verdict("some-tool 'see: never rm -rf ~'"), Verdict::Allow);
    }

    #[test]
    fn an_argument_that_nothing_says_is_run_has_a_bound() {
        let text = |option: &str, padding: usize| {
            let start = "rm -rf ~ ";
            format!(
                "some-tool {option} '{start}{}'",
                "x".repeat(padding - start.len())
            )
        };
        assert_eq!(verdict(&text("--on", MAX_TEXT)), Verdict::Deny);
        assert_eq!(verdict(&text("--up", MAX_TEXT)), Verdict::Deny);
        assert_eq!(verdict(&text("--up", MAX_TEXT + 1)), Verdict::Allow);
        assert_eq!(verdict(&text("--on", MAX_TEXT + 1)), Verdict::Deny);
        let many = format!("some-tool {} --run 'rm -rf ~'", "'a b' ".repeat(500));
        assert_eq!(verdict(&many), Verdict::Deny);
    }

    #[test]
    fn trials_in_one_analysis_have_a_bound() {
        let tried = |count: usize| format!("some-tool {}", "'a b' ".repeat(count));
        assert_eq!(verdict(&tried(1_000)), Verdict::Allow);
        assert_ne!(verdict(&tried(4_000)), Verdict::Allow);
    }

    #[test]
    fn trials_in_trials_have_a_bound() {
        assert_eq!(verdict(r#"a --on "a --on 'rm -rf ~'""#), Verdict::Deny);
        assert_eq!(
            verdict(r#"a --on "a --on \"a --on 'rm -rf ~'\"""#),
            Verdict::Confirm
        );
    }
}
