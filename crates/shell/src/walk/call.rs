//! One program with its arguments: recorded, told apart into builtin, wrapper and external, and
//! handed on to what knows it.

use super::arg::{Arg, Traits, UNKNOWN};
use super::budget::{ARGUMENT_COST, CALL_COST, MAX_HANDED};
use super::builtins::is_builtin;
use super::source::{Origin, Source};
use super::{Output, Walker};
use crate::analysis::{EffectKind, Kind, Program, Risk, Span};
use crate::effects::{self, Call};
use crate::found::Listed;
use crate::parse::MAX_DEPTH;
use crate::place;
use crate::rules;
use crate::tree::{Part, Word};

/// Arguments of one program that are looked at; a call with more is reported as not understood.
pub(crate) const MAX_ARGUMENTS: usize = 4_096;

/// Programs that are recorded; a text with more is reported as not understood.
const MAX_PROGRAMS: usize = 20_000;

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
        self.budget.handed += args.len();
        if args.len() > MAX_ARGUMENTS {
            // Later ones are not matched with every rule, and those behind as many more not looked
            // at: enough are left for a program behind this one to have too many as well.
            self.found.note("too-long", first.span);
        }
        if self.budget.handed > MAX_HANDED {
            self.found.note("too-long", first.span);
            return;
        }
        self.output = Output::default();
        let path = first.text.as_ref();
        let name = path.rsplit('/').next().unwrap_or_default();
        let hidden = name.is_empty() || name.contains(UNKNOWN);
        if hidden || first.traits.glob || first.traits.listing {
            if !path.is_empty() {
                self.unknown_command(source, first);
            }
            return;
        }
        if !self.record(name, first, args) {
            return;
        }
        self.observe(source, name, args);
        self.depth += 1;
        let call = Call {
            name,
            args: rest.get(..2 * MAX_ARGUMENTS).unwrap_or(rest),
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

    /// A program whose name is not known: listed as it is written, unless it is what another
    /// program prints.
    fn unknown_command(&mut self, source: &Source<'_>, name: &Arg<'_>) {
        if let Some(written) = name.word.and_then(|word| as_written(source, word)) {
            self.list_program(written, name, None);
        }
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
        let size: usize = args.iter().map(|arg| arg.text.len() + ARGUMENT_COST).sum();
        if !self.charge(CALL_COST + size, first.span) {
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
        self.list_program(name, first, argv);
        true
    }

    fn list_program(&mut self, name: &str, first: &Arg<'_>, argv: Option<Vec<String>>) {
        // On trial, what is listed is not kept.
        if self.trials == 0 && (self.repeats > 0 || !self.listed.is_empty()) {
            let known = self.listed_up_to.min(self.found.programs.len());
            let new = self.found.programs.iter().skip(known);
            self.listed
                .extend(new.map(|listed| place_of(listed.program.span, &listed.program.name)));
            self.listed_up_to = self.found.programs.len();
            if !self.listed.insert(place_of(first.span, name)) {
                return;
            }
        }
        // A name that a program prints stands behind that program.
        let printed = first.word.is_some_and(|word| word.parts.iter().any(prints));
        let at = if printed {
            first.span.end
        } else {
            first.span.start
        };
        let mut within = self.nest.clone();
        if !within.is_empty() {
            let local = first.word.map_or(0, |word| {
                if printed {
                    word.span.end
                } else {
                    word.span.start
                }
            });
            within.push(local);
            self.latest = local;
        }
        self.found.programs.push(Listed {
            at,
            within,
            program: Program {
                name: name.to_owned(),
                span: first.span,
                argv,
                via: self.via.clone(),
            },
        });
    }

    fn external<'t>(&mut self, path: &str, call: &Call<'_, 't>) {
        self.found.shell.pure = false;
        if let Some(program) = self.copied_program(path).map(str::to_owned)
            && program != call.name
        {
            let call = Call {
                name: &program,
                ..*call
            };
            effects::run(self, &call);
            self.unroll(&call);
        }
        let builds = matches!(call.name, "gradlew" | "mvnw");
        if path.contains('/') && !builds {
            self.check_content("sh", &Arg::literal(path.to_owned(), call.span));
        }
        let certain = path.contains('/')
            || rules::is_known(call.name)
            || crate::registry::contains(call.name)
            || super::wrappers::is_wrapper(call.name);
        if !certain {
            self.found.shell.mutates_state |= self.subshells == 0;
            self.found.shell.inspects_shell = true;
        }
        if matches!(call.name, "env" | "printenv" | "ps" | "pstree") {
            self.found.shell.inspects_shell = true;
        }
        if path.contains('/') && !place::is_program_directory(path) {
            return self.by_path(path, call);
        }
        effects::run(self, call);
        if effects::asks_for_help(call) {
            return;
        }
        self.unroll(call);
        self.foreign(call);
        self.carried(call, false);
        self.interpreted(call);
        self.answer(call);
    }

    /// A file that is run by its path: it is not the system's program of that name, but code for
    /// an interpreter or a command for a wrapper of that name is still looked into.
    fn by_path<'t>(&mut self, path: &str, call: &Call<'_, 't>) {
        if path.starts_with("/etc/init.d/") || path.starts_with("/etc/rc.d/") {
            let service = Call {
                name: "service",
                ..*call
            };
            effects::run(self, &service);
        }
        if call.name.ends_with("w") && matches!(call.name, "gradlew" | "mvnw") {
            // The wrapper that a project keeps for its build tool.
            return effects::run(self, call);
        }
        effects::run_file(self, call);
        if super::wrappers::is_wrapper(call.name) {
            self.unroll(call);
        }
        self.foreign(call);
        self.carried(call, true);
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
                    ..Traits::default()
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
            "git" if call.args.iter().any(|arg| is_git_dir(&arg.text)) => {
                let directory = format!("{}/.git", self.place.tree());
                single(self, directory, Traits::default());
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

/// Whether `git rev-parse` is asked for the version-control data's own directory.
fn is_git_dir(option: &str) -> bool {
    matches!(
        option,
        "--git-dir" | "--absolute-git-dir" | "--git-common-dir"
    )
}

/// What tells one listed program from another.
fn place_of(span: Span, name: &str) -> (usize, usize, u64) {
    let sum = name.bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    (span.start, span.end, sum)
}

/// Whether the part is what a program prints.
fn prints(part: &Part<'_>) -> bool {
    match part {
        Part::Substitution(..) | Part::Backquote(_) | Part::Process(..) => true,
        Part::Double(parts) => parts.iter().any(prints),
        _ => false,
    }
}

/// The name of a program as it is written; nothing for one that another program prints.
fn as_written<'t>(source: &Source<'t>, word: &Word<'t>) -> Option<&'t str> {
    if word.parts.iter().any(prints) {
        return None;
    }
    let raw = source.slice(word.span).trim_matches('"');
    let name = if raw.contains("${") {
        raw
    } else {
        raw.rsplit('/').next().unwrap_or_default()
    };
    (!name.is_empty()).then_some(name)
}
