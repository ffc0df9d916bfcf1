//! What a command would delete, move or change, as data that can be counted before it runs.
//!
//! The plan is made of calls as the walk sees them: variables that the text sets are filled in,
//! wrappers are unrolled, and relative paths start where `cd` has led. Nothing is looked up here;
//! an IO layer counts, read-only. What cannot be counted from a path is listed with the reason,
//! and with a command that shows it where there is one.

mod find;
mod glob;
mod plan;

use crate::analysis::{Context, Span};
use crate::parse;
use crate::walk::observe::{self, Observed, ObservedArg};

pub use glob::{has_pattern, matches_pattern};
pub use plan::{Action, Filter, MeasureItem, MeasurePlan, OnDirectory, Reach, Unmeasured};

/// Items in a plan; what is beyond is said not to be measured.
pub const MAX_ITEMS: usize = 64;

/// Bytes of text for which a plan is made.
pub const MAX_PLANNED: usize = 128 << 10;

const ELSEWHERE: &str = "it runs on another machine or in a container";
const ITSELF_REFUSES: &str = "rm refuses to delete ., .. and / itself";
const READ_NAMES: &str = "the names come from another program";
const UNKNOWN_NAME: &str = "the name is not known from the text";
const UNKNOWN_PLACE: &str = "the directory it runs in is not known from the text";
const MIXED: &str = "some of its patterns are quoted and others are not";
const TOO_MANY: &str = "the command names more than is measured";

/// Makes the plan for a command.
#[must_use]
pub fn measure_plan(text: &str, ctx: &Context<'_>) -> MeasurePlan {
    let mut planner = Planner::default();
    if text.len() > MAX_PLANNED {
        planner.refuse("", Span::new(0, text.len()), TOO_MANY, None);
        return planner.plan;
    }
    let script = parse::parse(text, 0);
    for call in observe::observe(&script, ctx) {
        planner.call(&call);
    }
    planner.plan
}

#[derive(Default)]
struct Planner {
    plan: MeasurePlan,
    /// The arguments of a search that is measured itself, with what it runs.
    searched: Option<Span>,
}

impl Planner {
    fn call(&mut self, call: &Observed) {
        let inside = |outer: Span| outer.start <= call.span.start && call.span.end <= outer.end;
        if self.searched.is_some_and(inside) || only_shows(call) {
            return;
        }
        match call.name.as_str() {
            "rm" | "rmdir" | "unlink" | "shred" => self.remove(call),
            "mv" => self.moves(call),
            "chmod" | "chown" | "chgrp" => self.modes(call),
            "find" | "gfind" => self.find(call),
            "git" => self.git(call),
            "docker" | "podman" | "nerdctl" => self.docker(call),
            "rsync" if call.args.iter().any(|arg| arg.text.starts_with("--del")) => {
                let why = "what is deleted depends on both sides";
                let preview = preview(call, 0, "-n");
                self.refuse(&call.name, call.span, why, preview);
            }
            _ => {}
        }
    }

    fn remove(&mut self, call: &Observed) {
        let flags = Flags::read(call, &[]);
        let reach = match call.name.as_str() {
            "rmdir" => Reach::EmptyDirectory,
            "rm" if flags.has('r', "--recursive") || flags.has('R', "--recursive") => Reach::Tree {
                one_device: flags.has_long("--one-file-system"),
            },
            "rm" if flags.has('d', "--dir") => Reach::EmptyDirectory,
            "shred" if !flags.has('u', "--remove") => return,
            _ => Reach::File,
        };
        for arg in flags.operands {
            let last = arg.text.trim_end_matches('/').rsplit('/').next();
            let itself = matches!(last, Some("." | ".." | "")) && !arg.text.is_empty();
            if call.name == "rm" && itself && !is_read(call, arg) {
                self.refuse(&call.name, arg.span, ITSELF_REFUSES, None);
            } else {
                self.path(Action::Delete, call, arg, reach);
            }
        }
    }

    fn moves(&mut self, call: &Observed) {
        let flags = Flags::read(call, &["-t", "--target-directory", "-S", "--suffix"]);
        let keeps = flags.has('n', "--no-clobber");
        let mut sources = flags.operands;
        if !call.args.iter().any(|arg| is_target_option(&arg.text))
            && let Some(target) = sources.pop()
            && sources.len() == 1
            && !keeps
        {
            self.path(Action::Overwrite, call, target, Reach::File);
        }
        for source in sources {
            let one_device = false;
            self.path(Action::Move, call, source, Reach::Tree { one_device });
        }
    }

    fn modes(&mut self, call: &Observed) {
        let flags = Flags::read(call, &["--from", "--reference"]);
        let reach = if flags.has('R', "--recursive") {
            Reach::Tree { one_device: false }
        } else {
            Reach::Itself
        };
        // `chmod -x f` has its mode among the options.
        let reference = flags.has_long("--reference");
        let dashed = call.name == "chmod" && call.args.iter().any(|arg| is_dashed_mode(&arg.text));
        let skip = usize::from(!reference && !dashed);
        for arg in flags.operands.into_iter().skip(skip) {
            self.path(Action::Mode, call, arg, reach);
        }
    }

    fn git(&mut self, call: &Observed) {
        let flags = Flags::read(call, &["-C", "-c", "--git-dir", "--work-tree"]);
        let operand = |at: usize| flags.operands.get(at).map_or("", |arg| arg.text.as_str());
        match (operand(0), operand(1)) {
            ("clean", _) if flags.has('f', "--force") => {
                let why = "which files git ignores or tracks is not known from their names";
                let at = call.args.iter().position(|arg| arg.text == "clean");
                let preview = preview(call, at.map_or(0, |at| at + 1), "-n");
                self.refuse("git", call.span, why, preview);
            }
            ("reset", _) if flags.has_long("--hard") => self.git_changes(call),
            ("checkout" | "restore", path)
                if !path.is_empty()
                    && !flags.has_long("--staged")
                    && (call.args.iter().any(|arg| arg.text == "--")
                        || operand(0) == "restore"
                        || path == ".") =>
            {
                self.git_changes(call);
            }
            ("stash", "drop" | "clear") => {
                let why = "stashes are not files";
                self.refuse("git", call.span, why, Some("git stash list".to_owned()));
            }
            _ => {}
        }
    }

    fn git_changes(&mut self, call: &Observed) {
        let why = "which files differ from what git has is not known from their names";
        self.refuse("git", call.span, why, Some("git status --short".to_owned()));
    }

    fn docker(&mut self, call: &Observed) {
        if call.args.iter().any(|arg| arg.text == "prune") {
            let why = "what nothing uses is known to the daemon only";
            let preview = format!("{} system df", call.name);
            self.refuse(&call.name, call.span, why, Some(preview));
        }
    }

    /// Adds a path, or says why it cannot be measured.
    fn path(&mut self, action: Action, call: &Observed, arg: &ObservedArg, reach: Reach) {
        if let Some(path) = self.absolute(call, arg) {
            self.add(MeasureItem {
                action,
                program: call.name.clone(),
                span: arg.span,
                path,
                glob: arg.glob,
                reach,
                filters: Vec::new(),
            });
        }
    }

    /// The absolute path of an argument; without one, the reason is noted.
    fn absolute(&mut self, call: &Observed, arg: &ObservedArg) -> Option<String> {
        let why = if !call.here {
            ELSEWHERE
        } else if is_read(call, arg) && (arg.text.contains('\0') || arg.text == ".") {
            READ_NAMES
        } else if arg.text.contains('\0') {
            UNKNOWN_NAME
        } else if arg.mixed {
            MIXED
        } else if arg.text.is_empty() {
            return None;
        } else if arg.text.starts_with('/') {
            return Some(clean(&arg.text));
        } else if let Some(cwd) = &call.cwd {
            return Some(clean(&format!("{cwd}/{}", arg.text)));
        } else {
            UNKNOWN_PLACE
        };
        self.refuse(&call.name, arg.span, why, None);
        None
    }

    fn add(&mut self, item: MeasureItem) {
        if self.plan.items.len() < MAX_ITEMS {
            self.plan.items.push(item);
        } else {
            self.refuse(&item.program, item.span, TOO_MANY, None);
        }
    }

    fn refuse(&mut self, program: &str, span: Span, why: &'static str, preview: Option<String>) {
        let refused = Unmeasured {
            program: program.to_owned(),
            span,
            why,
            preview,
        };
        let all = &mut self.plan.unmeasured;
        if all.len() < MAX_ITEMS && !all.contains(&refused) {
            all.push(refused);
        }
    }
}

/// Whether a word comes from the input of `xargs`: the walk lets the place where that stands, which
/// is before the program, stand for what it reads.
const fn is_read(call: &Observed, arg: &ObservedArg) -> bool {
    arg.span.end <= call.span.start
}

/// The options of a call, told from its operands.
struct Flags<'a> {
    options: Vec<&'a str>,
    operands: Vec<&'a ObservedArg>,
}

impl<'a> Flags<'a> {
    fn read(call: &'a Observed, valued: &[&str]) -> Self {
        let mut flags = Self {
            options: Vec::new(),
            operands: Vec::new(),
        };
        let mut args = call.args.iter();
        while let Some(arg) = args.next() {
            if arg.text == "--" {
                flags.operands.extend(args.by_ref());
            } else if arg.text.len() > 1 && arg.text.starts_with('-') {
                flags.options.push(&arg.text);
                if valued.contains(&arg.text.as_str()) {
                    args.next();
                }
            } else {
                flags.operands.push(arg);
            }
        }
        flags
    }

    fn has(&self, letter: char, long: &str) -> bool {
        self.has_long(long)
            || self
                .options
                .iter()
                .any(|option| !option.starts_with("--") && option.contains(letter))
    }

    fn has_long(&self, long: &str) -> bool {
        self.options.iter().any(|option| {
            let name = option.split('=').next().unwrap_or_default();
            name == long || (name.len() >= 5 && long.starts_with(name) && name.starts_with("--"))
        })
    }
}

fn is_target_option(text: &str) -> bool {
    text.starts_with("--target") || (text.starts_with("-t") && !text.starts_with("--"))
}

/// `-x`, `-rw`: a mode that takes rights away.
fn is_dashed_mode(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| "rwxXst".contains(c)))
}

/// Whether the call only asks for help or for its version, or does nothing on purpose.
fn only_shows(call: &Observed) -> bool {
    let shows = |arg: &ObservedArg| matches!(arg.text.as_str(), "--help" | "--version");
    call.args.iter().any(shows)
        || matches!(call.name.as_str(), "git" | "rsync")
            && call
                .args
                .iter()
                .any(|arg| matches!(arg.text.as_str(), "-n" | "--dry-run"))
}

/// The call with one more option at a place among its arguments, to be shown to a person.
fn preview(call: &Observed, at: usize, option: &str) -> Option<String> {
    let mut words = vec![call.name.as_str()];
    for (index, arg) in call.args.iter().enumerate() {
        if index == at {
            words.push(option);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
        if arg.text.is_empty() || !arg.text.chars().all(plain) {
            return None;
        }
        words.push(&arg.text);
    }
    if at >= call.args.len() {
        words.push(option);
    }
    Some(words.join(" "))
}

/// An absolute path without `.` and doubled slashes. `..` stays where a link may stand before it,
/// which only the file system can tell.
fn clean(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for part in path.split('/') {
        if !part.is_empty() && part != "." {
            out.push('/');
            out.push_str(part);
        }
    }
    if out.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests;
