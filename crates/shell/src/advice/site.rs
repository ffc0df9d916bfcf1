//! The tree laid out as the rules need it: commands beside each other, with their words.

use super::edit::Change;
use super::rule::{self, Shape};
use super::spelling::{self, Vocabulary};
use super::stage::{Stage, arguments};
use super::word::Seen;
use super::{Advice, MAX_ADVICE, Rewrite, Wording};
use crate::analysis::{Analysis, Program, Span};
use crate::parse;
use crate::tree::{
    AssignValue, Command, CommandKind, List, Part, Pipeline, Redirect, RedirectOp, Script, Simple,
    Word,
};

/// Bodies handed to a shell in a body handed to a shell that are followed.
const MAX_BODIES: usize = 4;

/// Commands of one text whose words are compared with those that they may have been meant to be.
const MAX_SPELT: usize = 256;

/// Programs that run the rest of their words as it stands, so that what a rule says of the rest
/// holds behind them as well.
const TRANSPARENT: &[&str] = &[
    "sudo",
    "doas",
    "env",
    "nohup",
    "nice",
    "ionice",
    "time",
    "timeout",
    "gtimeout",
    "stdbuf",
    "setsid",
    "command",
    "builtin",
    "exec",
    "chrt",
    "taskset",
    "unbuffer",
    "caffeinate",
];

/// What surrounds a pipeline.
#[derive(Clone, Copy, Default)]
pub(super) struct Around {
    /// In the body or the condition of a loop.
    pub(super) looped: bool,
    /// First in its list of `&&` and `||`, and not behind `!`.
    pub(super) leads: bool,
}

/// How a pipeline follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Joined {
    /// Nothing stands before it.
    First,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;`, a newline or `&`
    Next,
}

/// A pipeline of one simple command, in a list.
pub(super) struct Line<'s, 't> {
    pub(super) stage: Stage<'s, 't>,
    pub(super) joined: Joined,
}

/// Walks a tree and collects what the rules say.
pub(super) struct Visitor<'a> {
    pub(super) text: &'a str,
    analysis: &'a Analysis,
    words: Vocabulary<'a>,
    /// Where the text begins in the command.
    base: usize,
    bodies: usize,
    /// Commands whose words were looked at.
    spelt: usize,
    pub(super) wording: Wording,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(text: &'a str, analysis: &'a Analysis, words: Vocabulary<'a>) -> Self {
        Self {
            text,
            analysis,
            words,
            base: 0,
            bodies: 0,
            spelt: 0,
            wording: Wording::default(),
        }
    }

    /// Visits the whole text.
    pub(super) fn text(&mut self) {
        let script: Script<'a> = parse::parse(self.text, 0);
        self.list(&script.list, Around::default());
        for heredoc in script.heredocs.iter().filter(|heredoc| heredoc.expands) {
            self.parts(&heredoc.body.parts);
        }
    }

    fn list(&mut self, list: &List<'a>, around: Around) {
        let mut lines: Vec<Option<Line<'_, 'a>>> = Vec::new();
        for item in list {
            let mut end = None;
            for pipeline in &item.pipelines {
                let joined = self.joined(end, pipeline, lines.is_empty());
                let leads = end.is_none() && !pipeline.prefixed;
                let around = Around { leads, ..around };
                let mut stages = self.pipeline(pipeline, around);
                end = pipeline.commands.last().map(|last| last.span.end);
                let single = stages.len() == 1 && item.background.is_none() && !pipeline.prefixed;
                let stage = if single { stages.pop().flatten() } else { None };
                lines.push(stage.map(|stage| Line { stage, joined }));
            }
        }
        for at in 0..lines.len() {
            for rule in lines
                .get(at)
                .and_then(Option::as_ref)
                .map_or(&[][..], |line| rule::sequences(line.stage.name))
            {
                if let Some(lines) = rule.sequence_at(&lines, at, self.text) {
                    let stages: Vec<&Stage<'_, '_>> =
                        lines.iter().map(|line| &line.stage).collect();
                    self.advise(rule, &stages);
                }
            }
        }
    }

    fn joined(&self, end: Option<usize>, next: &Pipeline<'_>, nothing: bool) -> Joined {
        let start = next.commands.first().map_or(0, |first| first.span.start);
        match end.map(|end| self.text.get(end..start).unwrap_or_default().trim_start()) {
            Some(between) if between.starts_with("&&") => Joined::And,
            Some(_) => Joined::Or,
            None if nothing => Joined::First,
            None => Joined::Next,
        }
    }

    fn pipeline<'s>(
        &mut self,
        pipeline: &'s Pipeline<'a>,
        around: Around,
    ) -> Vec<Option<Stage<'s, 'a>>>
    where
        'a: 's,
    {
        let mut stages = Vec::with_capacity(pipeline.commands.len());
        for command in &pipeline.commands {
            let stage = match &command.kind {
                CommandKind::Simple(simple) => self.stage(command, simple),
                _ => None,
            };
            self.redirects(&command.redirects);
            self.inside(command, around);
            if let Some(stage) = &stage {
                self.stage_alone(stage);
            }
            stages.push(stage);
        }
        for at in 0..stages.len() {
            for rule in stages
                .get(at)
                .and_then(Option::as_ref)
                .map_or(&[][..], |stage| rule::pipes(stage.name))
            {
                if let Some(stages) = rule.pipe_at(&stages, at, around, self.text) {
                    self.advise(rule, &stages);
                }
            }
        }
        self.shape_pipeline(pipeline, &stages);
        stages
    }

    /// What can be said of one command without its neighbours.
    fn stage_alone(&mut self, stage: &Stage<'_, 'a>) {
        self.spelt += 1;
        if self.spelt <= MAX_SPELT {
            let spelling = spelling::check(stage, self.text, &self.words);
            self.wording.known_words += spelling.known;
            let room = MAX_ADVICE.saturating_sub(self.wording.misspelt.len());
            let misspelt = spelling.misspelt.into_iter().take(room);
            self.wording.misspelt.extend(misspelt);
        }
        self.shape_stage(stage);
        self.body(stage);
    }

    /// The program of a simple command behind its wrappers, as the analysis found it.
    fn stage<'s>(&self, command: &'s Command<'a>, simple: &'s Simple<'a>) -> Option<Stage<'s, 'a>>
    where
        'a: 's,
    {
        let mut outer = 0;
        let mut program = self.program_at(simple.words.first()?)?;
        let mut privileged = false;
        while TRANSPARENT.contains(&program.name.as_str()) {
            let rest = simple.words.iter().enumerate().skip(outer + 1);
            let Some((at, inner)) = rest
                .filter_map(|(at, word)| Some((at, self.program_at(word)?)))
                .next()
            else {
                break;
            };
            privileged |= matches!(program.name.as_str(), "sudo" | "doas");
            (outer, program) = (at, inner);
        }
        let words = simple.words.get(outer..)?;
        let words: Vec<Seen<'a>> = words
            .iter()
            .map(|word| Seen::new(self.text, word))
            .collect();
        let (options, operands) = arguments(&program.name, &words);
        Some(Stage {
            command,
            simple,
            name: &program.name,
            words,
            outer,
            privileged,
            options,
            operands,
        })
    }

    /// The program whose name is this word.
    fn program_at(&self, word: &Word<'_>) -> Option<&'a Program> {
        let programs = &self.analysis.programs;
        let (start, end) = (word.span.start + self.base, word.span.end + self.base);
        let from = programs.partition_point(|program| program.span.start < start);
        programs
            .get(from..)?
            .iter()
            .take_while(|program| program.span.start == start)
            .find(|program| program.span.end == end)
    }

    /// Everything that is nested in a command.
    fn inside(&mut self, command: &Command<'a>, around: Around) {
        let around = Around {
            leads: false,
            ..around
        };
        let looped = Around {
            looped: true,
            ..around
        };
        match &command.kind {
            CommandKind::Simple(simple) => {
                for assign in &simple.assigns {
                    match &assign.value {
                        AssignValue::Word(word) => self.parts(&word.parts),
                        AssignValue::Array(words) => self.words(words),
                    }
                }
                self.words(&simple.words);
            }
            CommandKind::Subshell(list) | CommandKind::Group(list) => self.list(list, around),
            CommandKind::If(lists) => {
                for list in lists {
                    self.list(list, around);
                }
            }
            CommandKind::Loop(condition, body) => {
                self.list(condition, looped);
                self.list(body, looped);
            }
            CommandKind::For(_, words, body) => {
                if let Some(words) = words {
                    self.shape_for(words);
                    self.words(words);
                }
                self.list(body, looped);
            }
            CommandKind::ForArith(_, body) => self.list(body, looped),
            CommandKind::Case(subject, arms) => {
                self.parts(&subject.parts);
                for arm in arms {
                    self.list(&arm.body, around);
                }
            }
            CommandKind::Function(_, body) | CommandKind::Coproc(body) => {
                self.redirects(&body.redirects);
                self.inside(body, around);
            }
            CommandKind::Cond(words) => self.words(words),
            CommandKind::Arith(word) => self.parts(&word.parts),
        }
    }

    fn redirects(&mut self, redirects: &[Redirect<'a>]) {
        for redirect in redirects.iter().filter(|r| r.op != RedirectOp::HereDoc) {
            self.parts(&redirect.target.parts);
        }
    }

    fn words(&mut self, words: &[Word<'a>]) {
        for word in words {
            self.parts(&word.parts);
        }
    }

    fn parts(&mut self, parts: &[Part<'a>]) {
        let around = Around::default();
        for part in parts {
            match part {
                Part::Plain(_) | Part::Quoted(_) | Part::AnsiC(_) | Part::Broken(_) => {}
                Part::Double(parts) | Part::ExtGlob(parts) | Part::Arith(parts, _) => {
                    self.parts(parts);
                }
                Part::Param(param) => {
                    self.parts(param.subscript.as_deref().unwrap_or_default());
                    self.parts(&param.arg);
                }
                Part::Substitution(list, span) => {
                    self.shape_substitution(list, *span);
                    self.list(list, around);
                }
                Part::Process(list, _) => self.list(list, around),
                Part::Backquote(span) => self.shape_backquote(*span),
                Part::Array(words) => self.words(words),
            }
        }
    }

    /// Code in quotes that a shell is given to run: visited as a text of its own.
    fn body(&mut self, stage: &Stage<'_, 'a>) {
        if !matches!(stage.name, "bash" | "sh" | "zsh" | "dash" | "ksh") {
            return;
        }
        let Some((at, _)) = stage
            .option_words()
            .find(|(_, word)| word.text.starts_with('-') && word.text.ends_with('c'))
        else {
            return;
        };
        let Some(word) = stage.simple.words.get(stage.outer + at + 1) else {
            return;
        };
        let (span, quote) = match word.parts.as_slice() {
            [Part::Quoted(span)] => (*span, '\''),
            [Part::Double(parts)] => match parts.as_slice() {
                [Part::Quoted(span)] => (*span, '"'),
                _ => return,
            },
            _ => return,
        };
        let Some(text) = self.text.get(span.start..span.end) else {
            return;
        };
        if self.bodies >= MAX_BODIES {
            return;
        }
        let mut inner = Visitor {
            text,
            base: self.base + span.start,
            bodies: self.bodies + 1,
            wording: Wording::default(),
            ..*self
        };
        inner.text();
        self.adopt(inner.wording, span.start, quote);
    }

    /// Takes over what was said of a text in quotes.
    fn adopt(&mut self, inner: Wording, by: usize, quote: char) {
        let outside = |span: Span| Span::new(span.start + by, span.end + by);
        let text = self.text;
        let rewrite = |rewrite: Option<Rewrite>| {
            let rewrite = rewrite?;
            let breaks = |c| c == quote || (quote == '"' && matches!(c, '$' | '`' | '\\'));
            if rewrite.replacement.contains(breaks) {
                return None;
            }
            Rewrite::new(text, outside(rewrite.span), rewrite.replacement)
        };
        self.wording.known_words += inner.known_words;
        let room = MAX_ADVICE.saturating_sub(self.wording.advice.len());
        for mut advice in inner.advice.into_iter().take(room) {
            advice.span = outside(advice.span);
            advice.rewrite = rewrite(advice.rewrite);
            self.wording.advice.push(advice);
        }
        let room = MAX_ADVICE.saturating_sub(self.wording.misspelt.len());
        for mut word in inner.misspelt.into_iter().take(room) {
            word.span = outside(word.span);
            word.rewrite = rewrite(word.rewrite);
            self.wording.misspelt.push(word);
        }
    }

    /// Gives a rule's advice on these commands.
    fn advise(&mut self, rule: &'static rule::Rule, stages: &[&Stage<'_, 'a>]) {
        let (Some(first), Some(last)) = (stages.first(), stages.last()) else {
            return;
        };
        if self.wording.advice.len() >= MAX_ADVICE {
            return;
        }
        let span = Span::new(first.start(), last.end());
        let change = rule.change(stages, self.text);
        self.give(rule, span, change);
    }

    /// Gives advice, with a change when there is one.
    pub(super) fn give(&mut self, rule: &'static rule::Rule, span: Span, change: Option<Change>) {
        if self.wording.advice.len() >= MAX_ADVICE {
            return;
        }
        let rewrite =
            change.and_then(|change| Rewrite::new(self.text, change.span, change.replacement));
        self.wording.advice.push(Advice {
            rule: &rule.name,
            gain: rule.gain,
            span,
            message: &rule.message,
            better: &rule.better,
            answers: &rule.answers,
            rewrite,
        });
    }

    /// The rule that stands for a shape.
    pub(super) fn shaped(&self, shape: Shape) -> Option<&'static rule::Rule> {
        rule::shaped(shape)
    }
}
