//! Code in other languages, in an argument or on standard input.
//!
//! It is not parsed. Its string literals are told from the rest; in the rest, words that start
//! programs, delete, write or evaluate are looked for (`words.rs`). Where such a word is called
//! with literals, those are judged; where it is not, the code is not understood. Code without such
//! words only computes.

mod gist;
mod hidden;
mod home;
mod literals;
mod modules;
mod patterns;
mod search;
mod words;

use std::collections::HashSet;

use super::Walker;
use super::arg::{Arg, UNKNOWN};
use super::source::{Origin, Source};
use crate::analysis::Span;
use crate::effects::Call;
use crate::effects::touch::Touch;
use crate::place;
use literals::Code;
use words::{Does, Language};

/// Words in one text of code that are followed.
const MAX_PLACES: usize = 200;

/// Paths that one pattern with braces stands for.
const MAX_PATTERNS: usize = 32;

/// What each text of code costs, and what each of its bytes adds: it is searched in many ways.
const CODE_COST: usize = 3_072;
const BYTE_COST: usize = 48;

/// What a word in it costs: its arguments are read.
const PLACE_COST: usize = 1_024;

/// What a literal costs beside its text: it is resolved and compared as a path.
const LITERAL_COST: usize = 2_048;

/// Whether the program runs code in a language of its own.
pub(super) fn is_language(name: &str) -> bool {
    Language::of(name).is_some()
}

impl Walker<'_> {
    /// Interpreters of other languages: code behind an option, in a file, or on standard input.
    pub(crate) fn foreign<'t>(&mut self, call: &Call<'_, 't>) {
        if super::awk::is_awk(call.name) {
            return self.awk(call);
        }
        let framework = call
            .args
            .first()
            .is_some_and(|arg| arg.text.ends_with("manage.py") || arg.text.ends_with("artisan"));
        if framework
            || matches!(
                call.name,
                "rails" | "flask" | "manage.py" | "artisan" | "django-admin"
            )
        {
            self.framework(call);
        }
        let Some(language) = Language::of(call.name) else {
            return;
        };
        let mut args = call.args.iter();
        let mut saw_code = false;
        let mut in_place = false;
        while let Some(arg) = args.next() {
            let text = arg.text.as_ref();
            if language.is_verb(text) {
                continue;
            }
            let verb = !arg.is_option()
                && call.name == "deno"
                && matches!(language.code_option(text), words::CodeOption::Next);
            if !arg.is_option() && !verb {
                if !saw_code {
                    self.script(call, arg);
                } else {
                    self.operand(arg, in_place);
                }
                if language.takes_files() && saw_code {
                    continue;
                }
                break;
            }
            self.module_option(language, call, arg);
            if language.takes_value(text) {
                if let Some(value) = args.next() {
                    self.module_option(language, call, value);
                }
                continue;
            }
            in_place |= language.takes_files() && text.starts_with("-i")
                || text.starts_with("-pi")
                || text.starts_with("-ni");
            match language.code_option(text) {
                words::CodeOption::Next => {
                    if let Some(code) = args.next() {
                        saw_code = true;
                        let origin = super::code::origin(call.source, code);
                        let code = code.text.clone().into_owned();
                        self.foreign_code(call.name, &code, origin);
                    }
                }
                words::CodeOption::Here(code) => {
                    saw_code = true;
                    let code = code.to_owned();
                    self.foreign_code(call.name, &code, Origin::Whole(arg.span));
                }
                words::CodeOption::Module => return self.module(call, args.as_slice()),
                words::CodeOption::No => {}
            }
        }
        let checks = match call.name {
            "ruby" => call.args.iter().any(|arg| arg.is("-c")),
            "php" => call.args.iter().any(|arg| arg.is("-l")),
            "node" => call
                .args
                .iter()
                .any(|arg| arg.is("--check") || arg.is("-c")),
            _ => false,
        };
        let reads_code = !saw_code && !checks && call.args.iter().all(Arg::is_option);
        if reads_code {
            self.code_from_feed(call);
        }
        if self.found.network_process && !call.args.is_empty() {
            self.found.note("code-from-network", call.span);
        }
    }

    /// A file of code that is run.
    fn script(&mut self, call: &Call<'_, '_>, file: &Arg<'_>) {
        if let Some(feed) = self.process_feed(&file.text) {
            return self.code_from(call, &feed);
        }
        if matches!(file.text.as_ref(), "-" | "/dev/stdin" | "/dev/fd/0") {
            return self.code_from_feed(call);
        }
        let text = file.text.as_ref();
        if text.starts_with("http://") || text.starts_with("https://") {
            self.found.note("code-from-network", file.span);
        }
        self.check_content(call.name, file);
    }

    /// A file behind code: perl and ruby read it, or edit it in place.
    fn operand(&mut self, file: &Arg<'_>, in_place: bool) {
        // Perl opens what it is given for `-n` and `-p` by the old rules.
        let opened = file.text.trim();
        if let Some(command) = opened
            .strip_suffix('|')
            .or_else(|| opened.strip_prefix('|'))
        {
            return self.shell_body(command, Origin::Whole(file.span), true);
        }
        let touch = if in_place { Touch::Write } else { Touch::Read };
        if in_place || place::holds_credentials(&self.place.resolve(&file.text)) {
            self.touch(touch, file);
        }
    }

    /// Code in another language.
    pub(crate) fn foreign_code(&mut self, language: &str, text: &str, origin: Origin) {
        let span = origin.span(Span::new(0, text.len().max(1)));
        if text.contains(UNKNOWN) && text.trim_matches(UNKNOWN).is_empty() {
            self.found.note("hidden-code", span);
            return;
        }
        let cost = CODE_COST + text.len() * BYTE_COST;
        if !self.charge_body(text.len(), span) || !self.charge(cost, span) {
            return;
        }
        let language = Language::of(language).unwrap_or(Language::Other);
        let at_home = home::with_home(text, self.place.home());
        let code = Code::read(at_home.as_deref().unwrap_or(text), language);
        if !self.literals(&code, span) {
            return;
        }
        let mut understood = !code.is_tangled();
        let Some(places) = search::places(&code, language, MAX_PLACES) else {
            self.found.note("foreign-code", span);
            return;
        };
        // `os.system(` is `system(` as well, and is followed once.
        let mut calls = HashSet::new();
        let mut left = MAX_PLACES;
        for (index, at) in places {
            let Some((word, does)) = words::of(language).get(index) else {
                continue;
            };
            let end = at + word.len();
            if *does == Does::Runs && !calls.insert(end) {
                continue;
            }
            let Some(fewer) = left.checked_sub(1) else {
                self.found.note("too-long", span);
                return;
            };
            left = fewer;
            if !self.charge(PLACE_COST, span) {
                return;
            }
            understood &= self.word(&code, *does, at, end, span);
        }
        understood &= self.imported(&code, language, span);
        self.calls_by_name(&code, span);
        if hidden::loses_shared(&code) {
            self.found.note("database-loss", span);
        }
        if gist::writes_what_runs_later(&code, self.place.home(), self.place.tree()) {
            self.found.note("runs-later", span);
        }
        if gist::sends_environment(&code) {
            self.found.note("sends-data", span);
        }
        if gist::spawns_for_ever(&code) {
            self.found.note("spawning-loop", span);
        }
        self.output.secret |= gist::shows_environment(&code);
        if gist::grows_for_ever(&code) {
            self.found.note("memory-bomb", span);
        }
        if !understood || hidden::is_hidden(language, &code) {
            self.found.note("foreign-code", span);
        }
    }

    /// `from subprocess import run`: the names that are called without their module.
    fn imported(&mut self, code: &Code<'_>, language: Language, span: Span) -> bool {
        if language != Language::Python || !code.bare().contains("from subprocess import") {
            return true;
        }
        let mut understood = true;
        for name in hidden::STARTERS {
            for at in code.places(name) {
                let end = at + name.len();
                if code.rest(end).starts_with('(') {
                    understood &= self.word(code, Does::Runs, at, end, span);
                }
            }
        }
        understood
    }

    /// Calls of any library that are named like one that runs a command: judged on trial, because
    /// a name alone does not say it.
    fn calls_by_name(&mut self, code: &Code<'_>, span: Span) {
        for at in super::carried::calls(code.bare()) {
            let words = code.arguments(at);
            match words.texts.as_slice() {
                [] => {}
                [line] => self.try_command(&line.replace(UNKNOWN, "$__"), span),
                texts => {
                    let texts: Vec<String> = texts.iter().map(|text| self.of_home(text)).collect();
                    self.try_words(&texts, span);
                }
            }
        }
    }

    /// Paths in literals: what holds credentials is read, one way or another. Whether all could be
    /// looked at.
    fn literals(&mut self, code: &Code<'_>, span: Span) -> bool {
        for literal in code.literals() {
            if !self.charge(literal.len() + LITERAL_COST, span) {
                return false;
            }
            let path = self.of_home(&literal);
            if literal.len() < 512 && place::holds_credentials(&self.place.resolve(&path)) {
                self.found.credentials_read = true;
                self.found.note("reads-credentials", span);
                return true;
            }
        }
        true
    }

    pub(crate) fn of_home(&self, path: &str) -> String {
        match path.strip_prefix("~/") {
            Some(rest) => format!("{}/{rest}", self.place.home()),
            None if path == "~" => self.place.home().to_owned(),
            None => path.to_owned(),
        }
    }

    /// One word that does something; whether what it does is understood.
    fn word(&mut self, code: &Code<'_>, does: Does, at: usize, end: usize, span: Span) -> bool {
        let words = code.arguments(end);
        match does {
            Does::Anything => false,
            Does::Tells => {
                self.found.credentials_read = true;
                self.found.note("reads-credentials", span);
                true
            }
            Does::AnythingBut(allowed) => {
                let rest = code.rest(end).trim_start();
                allowed.iter().any(|word| rest.starts_with(word))
            }
            Does::Runs => match words.texts.as_slice() {
                [] => false,
                // A shell that is started alone reads what it runs from somewhere else.
                [body] if super::code::is_shell(body.rsplit('/').next().unwrap_or_default()) => {
                    false
                }
                [body] if !words.list => {
                    self.shell_body(body, Origin::Whole(span), true);
                    words.complete
                }
                texts => {
                    let args: Vec<Arg<'_>> = texts
                        .iter()
                        .map(|word| code_word(&self.of_home(word), span))
                        .collect();
                    let source = Source {
                        text: "",
                        heredocs: &[],
                        origin: Origin::Whole(span),
                    };
                    self.scoped(|w| w.inner(|w| w.call(&source, &args)));
                    words.complete
                }
            },
            Does::Names => {
                for path in &words.texts {
                    let path = self.of_home(path);
                    self.touch(Touch::Write, &code_word(&path, span));
                }
                true
            }
            Does::Deletes | Does::Changes => {
                let touch = if does == Does::Deletes {
                    Touch::DeleteTree
                } else {
                    Touch::Write
                };
                for path in &words.texts {
                    self.touch_pattern(touch, path, span);
                }
                !words.texts.is_empty() && words.complete
            }
            Does::Opens => {
                if let Some(path) = words.texts.first() {
                    self.opens(code, path, words.rest_of_call, at, span);
                }
                true
            }
        }
    }

    /// A path as other languages have it, perhaps a pattern with braces.
    fn touch_pattern(&mut self, touch: Touch, path: &str, span: Span) {
        let path = self.of_home(path);
        if !path.contains('{') {
            return self.touch(touch, &code_word(&path, span));
        }
        let acts = |(at, byte): (usize, u8)| matches!(byte, b'{' | b',' | b'}').then_some(at);
        let active: Vec<usize> = path.bytes().enumerate().filter_map(acts).collect();
        for path in super::braces::expand(&path, &active, MAX_PATTERNS) {
            self.touch(touch, &code_word(&path, span));
        }
    }

    /// `open(path, mode)` and its kin, or a path with a method behind it.
    fn opens(&mut self, code: &Code<'_>, path: &str, rest: &str, at: usize, span: Span) {
        let trimmed = path.trim();
        if let Some(command) = trimmed
            .strip_prefix('|')
            .or_else(|| trimmed.strip_suffix('|'))
        {
            self.shell_body(command, Origin::Whole(span), true);
            return;
        }
        let writes_by_path = trimmed.starts_with('>');
        let mode = rest.trim_matches(|c: char| !c.is_ascii_graphic());
        let writes = writes_by_path
            || [
                "'w", "\"w", "'a", "\"a", "'x", "\"x", "r+", "'>", "\">", "+<",
            ]
            .iter()
            .any(|sign| mode.contains(sign))
            || code.word_at(at).is_some_and(words::always_writes)
            || rest.contains(".write");
        let path = self.of_home(trimmed.trim_start_matches(['>', '<', '+', ' ']));
        let deletes = [".unlink", ".rmdir", ".rmtree"]
            .iter()
            .any(|method| rest.contains(method));
        let touch = match (deletes, writes) {
            (true, _) => Touch::DeleteTree,
            (_, true) => Touch::Write,
            _ => Touch::Read,
        };
        self.touch(touch, &Arg::literal(path, span));
    }
}

/// A word of a call in code.
fn code_word<'t>(word: &str, span: Span) -> Arg<'t> {
    if word.contains(UNKNOWN) {
        Arg::unknown_as(word.to_owned(), span)
    } else {
        Arg::literal(word.to_owned(), span)
    }
}
