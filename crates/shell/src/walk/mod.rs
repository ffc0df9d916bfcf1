//! Walks the tree in the order in which bash would run it: follows variables, directories and
//! functions, and hands every program with its arguments to `call.rs`.
//!
//! What the walk knows is what the text says. A variable that the text does not set, a loop's
//! second round, a function's caller: all of that is taken as not known rather than guessed.

mod ansi_c;
pub(crate) mod arg;
mod arith;
mod assigned;
mod awk;
mod braces;
mod budget;
pub(crate) mod builtins;
pub(crate) mod call;
mod carried;
pub(crate) mod code;
mod cook;
pub(crate) mod feed;
mod foreign;
mod functions;
mod interpreted;
pub(crate) mod observe;
mod params;
mod simple;
pub(crate) mod source;
mod spawning;
mod statements;
mod trapped;
mod values;
mod variables;
pub(crate) mod wrappers;
mod written;

use std::collections::{HashMap, HashSet};

use arg::Value;
pub(crate) use budget::WORK;
use budget::{Budget, COMMAND_COST, MAX_COMMANDS, NODE_COST};
pub(crate) use feed::{EVERYTHING, Feed, Output};
use functions::Functions;
use source::{Origin, Source};
use trapped::Trap;
use written::Written;

use crate::analysis::{Context, Kind};
use crate::found::Found;
use crate::parse::MAX_DEPTH;
use crate::place::Place;
use crate::tree::{AndOr, Command, CommandKind, List, Pipeline, Script};

/// Processes in words that are told apart.
const PROCESSES: usize = 32;

pub(crate) struct Walker<'c> {
    pub(crate) place: Place,
    pub(crate) found: Found,
    pub(crate) user: &'c str,
    /// The branch that is checked out, when it is known.
    pub(crate) branch: Option<&'c str>,
    vars: HashMap<String, Variable>,
    /// What variables held before, newest last, to be restored behind a subshell.
    undo: Vec<(String, Option<Variable>)>,
    functions: Functions,
    pub(crate) depth: usize,
    budget: Budget,
    /// Where the commands run, when that is not this machine.
    pub(crate) via: Option<String>,
    /// What the command that is walked reads on its standard input.
    pub(crate) feed: Feed,
    /// What the processes in words, `<(…)`, write; the latest at [`PROCESSES`] at most.
    processes: Vec<Feed>,
    /// What the last command writes to its standard output.
    pub(crate) output: Output,
    /// Code that runs when the shell ends.
    traps: Vec<Trap>,
    /// What the text itself writes into files, by their absolute paths.
    pub(crate) written: Written,
    /// Inside a subshell of any kind: nothing that happens stays in the shell.
    pub(crate) subshells: usize,
    /// A variable was declared to be a number: what is assigned may be evaluated.
    has_integers: bool,
    /// Inside a branch that may not be taken.
    branches: usize,
    /// Inside a loop, whose body may run any number of times.
    loops: usize,
    /// Walking once more what was walked before: its programs are listed already.
    repeats: usize,
    /// The places of the programs that are listed, once something is walked again.
    listed: HashSet<(usize, usize, u64)>,
    listed_up_to: usize,
    /// Inside something that is started with `&`.
    backgrounds: usize,
    /// Inside a pipeline of several commands.
    pipes: usize,
    /// Inside an expansion or a body: the shape of the command as a whole is not affected.
    pub(crate) inner: usize,
    /// Walking what may be a command, on trial.
    trials: usize,
    /// Where the computed texts that are walked stand in each other.
    nest: Vec<usize>,
    /// Where the latest program stands in the innermost of them.
    latest: usize,
    /// Calls with all their arguments, when they were asked for.
    pub(crate) observed: Option<Vec<observe::Observed>>,
}

#[derive(Clone, Debug)]
struct Variable {
    value: Value,
    /// How deep in code that runs at another time it was set; such code does not trust what was
    /// set before.
    level: usize,
}

/// Walks a whole script.
pub(crate) fn walk(script: &Script<'_>, ctx: &Context<'_>) -> Found {
    walk_with(script, ctx, false, WORK).found
}

/// Walks a whole script with this much work, of which what is left is there afterwards.
pub(crate) fn walk_within(script: &Script<'_>, ctx: &Context<'_>, work: &mut usize) -> Found {
    let read = work.saturating_sub(script.nodes * NODE_COST);
    let walker = walk_with(script, ctx, false, read);
    *work = walker.budget.left();
    walker.found
}

fn walk_with<'c>(
    script: &Script<'_>,
    ctx: &'c Context<'c>,
    observed: bool,
    work: usize,
) -> Walker<'c> {
    let mut walker = Walker::new(ctx, Budget::new(script.text.len(), work));
    walker.observed = observed.then(Vec::new);
    let source = Source {
        text: script.text,
        heredocs: &script.heredocs,
        origin: Origin::Shifted(0),
    };
    walker.list(&source, &script.list);
    walker.exit_traps();
    walker.uncalled();
    walker.functions.report_bombs(&mut walker.found);
    walker
}

impl<'c> Walker<'c> {
    fn new(ctx: &'c Context<'c>, budget: Budget) -> Self {
        Self {
            place: Place::new(ctx),
            found: Found::default(),
            user: ctx.user.unwrap_or("user"),
            branch: ctx.git_branch,
            vars: HashMap::new(),
            undo: Vec::new(),
            functions: Functions::default(),
            depth: 0,
            budget,
            via: None,
            feed: Feed::None,
            processes: Vec::new(),
            output: Output::default(),
            traps: Vec::new(),
            written: Written::default(),
            subshells: 0,
            has_integers: false,
            branches: 0,
            loops: 0,
            repeats: 0,
            listed: HashSet::new(),
            listed_up_to: 0,
            backgrounds: 0,
            pipes: 0,
            inner: 0,
            trials: 0,
            nest: Vec::new(),
            latest: 0,
            observed: None,
        }
    }

    pub(crate) fn list<'t>(&mut self, source: &Source<'t>, list: &'t List<'t>) {
        if list.len() > 1 {
            self.shape(Kind::Chain);
        }
        let mut before = Output::silent();
        for item in list {
            self.output = Output::silent();
            self.and_or(source, item);
            before = before.then(std::mem::take(&mut self.output));
        }
        self.output = before;
    }

    fn and_or<'t>(&mut self, source: &Source<'t>, item: &'t AndOr<'t>) {
        if item.background.is_some() {
            self.shape(Kind::Background);
            self.found.shell.backgrounds = true;
            // The shell remembers its jobs.
            self.found.shell.mutates_state |= self.subshells == 0;
            self.backgrounds += 1;
            self.scoped(|w| w.pipelines(source, item));
            self.backgrounds -= 1;
        } else {
            self.pipelines(source, item);
        }
    }

    fn pipelines<'t>(&mut self, source: &Source<'t>, item: &'t AndOr<'t>) {
        if item.pipelines.len() > 1 {
            self.shape(Kind::Chain);
        }
        let mut before = Output::silent();
        for (index, pipeline) in item.pipelines.iter().enumerate() {
            self.branches += usize::from(index > 0);
            self.pipeline(source, pipeline);
            self.branches -= usize::from(index > 0);
            before = before.then(std::mem::take(&mut self.output));
        }
        self.output = before;
    }

    fn pipeline<'t>(&mut self, source: &Source<'t>, pipeline: &'t Pipeline<'t>) {
        self.output = Output::silent();
        let [command] = pipeline.commands.as_slice() else {
            if !pipeline.commands.is_empty() {
                self.shape(Kind::Pipeline);
                self.piped(source, pipeline);
            }
            return;
        };
        self.command(source, command);
    }

    fn piped<'t>(&mut self, source: &Source<'t>, pipeline: &'t Pipeline<'t>) {
        self.pipes += 1;
        let outer = self.feed.clone();
        for command in &pipeline.commands {
            self.output = Output::silent();
            self.scoped(|w| w.command(source, command));
            self.feed = std::mem::take(&mut self.output).into_feed(std::mem::take(&mut self.feed));
        }
        let written = std::mem::replace(&mut self.feed, outer);
        self.output = self.output_of(&written);
        self.pipes -= 1;
    }

    pub(crate) fn command<'t>(&mut self, source: &Source<'t>, command: &'t Command<'t>) {
        self.budget.commands += 1;
        if self.budget.commands > MAX_COMMANDS {
            if self.budget.commands == MAX_COMMANDS + 1 {
                self.found.note("too-long", source.span(command.span));
            }
            return;
        }
        self.budget.here = source.span(command.span);
        if !self.spend(COMMAND_COST) {
            return;
        }
        if self.depth >= MAX_DEPTH {
            self.found.note("too-deep", source.span(command.span));
            return;
        }
        self.depth += 1;
        if let CommandKind::Simple(simple) = &command.kind {
            self.simple(source, command, simple);
        } else {
            self.shape(Kind::Compound);
            let outer = self.feed.clone();
            self.redirects(source, &command.redirects);
            self.compound(source, command);
            self.feed = outer;
        }
        self.depth -= 1;
    }

    fn compound<'t>(&mut self, source: &Source<'t>, command: &'t Command<'t>) {
        match &command.kind {
            CommandKind::Simple(simple) => self.simple(source, command, simple),
            CommandKind::Subshell(list) => self.subshell(source, list),
            CommandKind::Group(list) => self.list(source, list),
            CommandKind::If(lists) => self.branch(|w| {
                let mut output = Output::silent();
                for list in lists {
                    w.list(source, list);
                    output = output.then(std::mem::take(&mut w.output));
                }
                w.output = output;
            }),
            CommandKind::Loop(condition, body) => {
                self.looped(source, &[condition, body]);
                let endless = spawning::is_endless(source, command, condition);
                self.note_spawning_loop(source, command, endless, body);
            }
            CommandKind::For(name, words, body) => {
                self.for_words(source, name, words.as_deref(), body);
            }
            CommandKind::ForArith(head, body) => {
                self.arith_word(source, head);
                self.looped(source, &[body]);
                let head = source.slice(head.span);
                let endless = head
                    .split(';')
                    .nth(1)
                    .is_some_and(|test| test.trim().is_empty());
                self.note_spawning_loop(source, command, endless, body);
            }
            CommandKind::Case(subject, arms) => {
                self.cook_parts(source, &subject.parts);
                self.branch(|w| {
                    let mut output = Output::silent();
                    for arm in arms {
                        for pattern in &arm.patterns {
                            w.cook_parts(source, &pattern.parts);
                        }
                        w.list(source, &arm.body);
                        output = output.then(std::mem::take(&mut w.output));
                    }
                    w.output = output;
                });
            }
            CommandKind::Function(name, body) => self.function(source, name, body, command.span),
            CommandKind::Cond(words) => self.cond(source, words),
            CommandKind::Arith(word) => self.arith_word(source, word),
            CommandKind::Coproc(body) => {
                self.found.shell.backgrounds = true;
                self.found.shell.mutates_state |= self.subshells == 0;
                self.backgrounds += 1;
                // Whatever is written to its descriptor later.
                let feed = std::mem::replace(&mut self.feed, Feed::Opaque);
                self.scoped(|w| w.command(source, body));
                self.feed = feed;
                self.backgrounds -= 1;
            }
        }
    }

    /// A list that runs in a subshell: what it changes is forgotten.
    pub(crate) fn subshell<'t>(&mut self, source: &Source<'t>, list: &'t List<'t>) {
        self.scoped(|w| w.list(source, list));
    }

    /// Runs `inner` and forgets what it changed in the shell.
    pub(crate) fn scoped(&mut self, inner: impl FnOnce(&mut Self)) {
        let mark = self.undo.len();
        let place = self.place.mark();
        let functions = self.functions.len();
        self.subshells += 1;
        inner(self);
        self.subshells -= 1;
        self.functions.leave_scope(functions);
        self.place.restore(place);
        self.roll_back(mark);
    }

    /// Runs `inner` as something that does not shape the command as a whole.
    pub(crate) fn inner<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.inner += 1;
        let result = inner(self);
        self.inner -= 1;
        result
    }

    fn branch(&mut self, inner: impl FnOnce(&mut Self)) {
        self.branches += 1;
        inner(self);
        self.branches -= 1;
    }

    /// Lists that run any number of times: what they set is not known when they begin.
    fn looped<'t>(&mut self, source: &Source<'t>, lists: &[&'t List<'t>]) {
        let mut names = Vec::new();
        let mut hidden = false;
        for list in lists {
            hidden |= assigned::in_list(source, list, &mut names);
        }
        names.sort_unstable();
        names.dedup();
        let before: Vec<_> = names
            .iter()
            .map(|name| (*name, self.copy_of(name)))
            .collect();
        for name in &names {
            self.set(name, Value::unknown());
        }
        self.loops += 1;
        // Code in a text may set anything for the next round.
        self.functions.hide(hidden);
        let mut output = Output::silent();
        for list in lists {
            self.list(source, list);
            output = output.then(std::mem::take(&mut self.output));
        }
        self.output = output;
        self.functions.unhide(hidden);
        self.loops -= 1;
        for (name, old) in before {
            if let Some(old) = old {
                self.join(name, &old.value);
            }
        }
    }

    fn for_words<'t>(
        &mut self,
        source: &Source<'t>,
        name: &'t str,
        words: Option<&'t [crate::tree::Word<'t>]>,
        body: &'t List<'t>,
    ) {
        let mut args = Vec::new();
        for word in words.unwrap_or_default() {
            self.cook(source, word, &mut args);
        }
        let value = if words.is_none() {
            let all = self.get("@").is_some().then(|| self.copy_of("@")).flatten();
            let mut all = all.map_or_else(Value::unknown, |all| all.value);
            all.either = true;
            all
        } else if args.is_empty() || args.len() > 64 {
            Value::unknown()
        } else {
            let fields = args
                .into_iter()
                .map(|arg| (arg.text.into_owned(), arg.traits))
                .collect();
            Value {
                fields,
                either: true,
            }
        };
        self.found.shell.mutates_state |= self.subshells == 0;
        let mut names = Vec::new();
        assigned::in_list(source, body, &mut names);
        if names.contains(&name) {
            self.set(name, Value::unknown());
        } else {
            self.set(name, value);
        }
        self.looped(source, &[body]);
    }

    fn cond<'t>(&mut self, source: &Source<'t>, words: &'t [crate::tree::Word<'t>]) {
        let numeric =
            |text: &str| matches!(text, "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-v");
        let arith = words.iter().any(|word| numeric(source.slice(word.span)));
        if words.iter().any(|word| source.slice(word.span) == "=~") {
            // A match sets BASH_REMATCH.
            self.found.shell.mutates_state |= self.subshells == 0;
        }
        for word in words {
            if arith {
                self.arith_word(source, word);
            } else {
                self.cook_parts(source, &word.parts);
            }
        }
    }

    /// Whether what is walked goes on beside something else.
    pub(crate) const fn multiplies(&self) -> bool {
        self.backgrounds > 0 || self.pipes > 0
    }

    /// Whether what is walked may run many times.
    pub(crate) const fn in_loop(&self) -> bool {
        self.loops > 0
    }

    pub(crate) fn shape(&mut self, kind: Kind) {
        if self.inner == 0 {
            self.found.shape(kind);
        }
    }
}
