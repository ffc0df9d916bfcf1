//! `find` with `-delete`, or with a program that deletes or changes what is found.

use super::{Action, Filter, MeasureItem, OnDirectory, Planner, Reach, UNKNOWN_NAME};
use crate::analysis::Span;
use crate::walk::observe::{Observed, ObservedArg};

const NOT_SIMPLE: &str = "its tests are more than names and types";

/// What is done to what is found.
struct Deed {
    action: Action,
    directories: OnDirectory,
}

/// An expression that was understood.
#[derive(Default)]
struct Search {
    filters: Vec<Filter>,
    min_depth: u32,
    max_depth: Option<u32>,
    one_device: bool,
}

impl Planner {
    /// Plans a search together with what it runs.
    pub(super) fn find(&mut self, call: &Observed) {
        let starts = |arg: &&ObservedArg| !arg.text.starts_with(['-', '(', '!']) && arg.text != ",";
        let before = |arg: &&ObservedArg| matches!(arg.text.as_str(), "-L" | "-H" | "-P");
        let own = call.args.iter().take_while(before).count();
        let follows = call.args.iter().take(own).any(|arg| arg.text == "-L");
        let rest = call.args.get(own..).unwrap_or_default();
        let roots = rest.iter().take_while(starts).count();
        let (roots, expression) = rest.split_at(roots);
        let deeds = deeds(expression);
        if deeds.is_empty() {
            return;
        }
        let end = call.args.last().map_or(call.span.end, |arg| arg.span.end);
        self.searched = Some(Span::new(call.span.start, end));
        for (at, deed) in deeds {
            let tests = expression.get(..at).unwrap_or_default();
            let Some(search) = search(tests, expression).filter(|_| !follows) else {
                let unknown = tests.iter().any(|arg| arg.text.contains('\0'));
                let why = if unknown { UNKNOWN_NAME } else { NOT_SIMPLE };
                self.refuse(&call.name, call.span, why, None);
                continue;
            };
            let here = ObservedArg {
                text: ".".to_owned(),
                span: call.span,
                glob: false,
                mixed: false,
            };
            let roots = if roots.is_empty() {
                std::slice::from_ref(&here)
            } else {
                roots
            };
            for root in roots {
                self.found(call, root, &search, &deed);
            }
        }
    }

    fn found(&mut self, call: &Observed, root: &ObservedArg, search: &Search, deed: &Deed) {
        let Some(path) = self.absolute(call, root) else {
            return;
        };
        let mut filters = search.filters.clone();
        for filter in &mut filters {
            if let Filter::Path { root: written, .. } = filter {
                written.clone_from(&root.text);
            }
        }
        self.add(MeasureItem {
            action: deed.action,
            program: call.name.clone(),
            span: root.span,
            path,
            glob: root.glob,
            reach: Reach::Found {
                // Neither `-delete` nor `rm` takes away the directory that `.` stands for.
                min_depth: match (deed.action, root.text.as_str()) {
                    (Action::Delete, ".") => search.min_depth.max(1),
                    _ => search.min_depth,
                },
                max_depth: search.max_depth,
                one_device: search.one_device,
                directories: deed.directories,
            },
            filters,
        });
    }
}

/// What the expression does to what it finds, each with its place in it.
fn deeds(expression: &[ObservedArg]) -> Vec<(usize, Deed)> {
    let mut deeds = Vec::new();
    let mut at = 0;
    while let Some(arg) = expression.get(at) {
        match arg.text.as_str() {
            "-delete" => deeds.push((
                at,
                Deed {
                    action: Action::Delete,
                    directories: OnDirectory::IfEmpty,
                },
            )),
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                let rest = expression.get(at + 1..).unwrap_or_default();
                let end = rest
                    .iter()
                    .position(|arg| matches!(arg.text.as_str(), ";" | "+"));
                let command = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                deeds.extend(run(command).map(|deed| (at, deed)));
                at += command.len();
            }
            _ => {}
        }
        at += 1;
    }
    deeds
}

/// What a program does to the path that it is given.
fn run(command: &[ObservedArg]) -> Option<Deed> {
    let command = match command.first()?.text.as_str() {
        "sudo" => command.get(1..)?,
        _ => command,
    };
    let (name, args) = command.split_first()?;
    let name = name.text.rsplit('/').next().unwrap_or_default();
    let flag = |letters: &[char]| {
        args.iter().any(|arg| {
            arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.contains(letters)
                || arg.text == "--recursive"
        })
    };
    let (action, directories) = match name {
        "rm" if flag(&['r', 'R']) => (Action::Delete, OnDirectory::Tree),
        "rm" | "unlink" | "shred" => (Action::Delete, OnDirectory::Nothing),
        "rmdir" => (Action::Delete, OnDirectory::IfEmpty),
        "mv" => (Action::Move, OnDirectory::Tree),
        "chmod" | "chown" | "chgrp" if flag(&['R']) => (Action::Mode, OnDirectory::Tree),
        "chmod" | "chown" | "chgrp" => (Action::Mode, OnDirectory::Itself),
        _ => return None,
    };
    Some(Deed {
        action,
        directories,
    })
}

/// The tests that stand before an action; depths and devices count wherever they stand.
fn search(tests: &[ObservedArg], expression: &[ObservedArg]) -> Option<Search> {
    let mut search = Search::default();
    let mut negated = false;
    let mut args = tests.iter();
    while let Some(arg) = args.next() {
        let word = arg.text.as_str();
        let before = negated;
        negated = false;
        match word {
            "!" | "-not" => negated = !before,
            "-a"
            | "-and"
            | "-print"
            | "-print0"
            | "-depth"
            | "-xdev"
            | "-mount"
            | "-true"
            | "-noleaf"
            | "-ignore_readdir_race" => {}
            "-maxdepth" | "-mindepth" => {
                args.next();
            }
            "-name" | "-iname" => search.filters.push(Filter::Name {
                pattern: known(args.next())?,
                any_case: word == "-iname",
                negated: before,
            }),
            "-path" | "-wholename" => search.filters.push(Filter::Path {
                pattern: known(args.next())?,
                root: String::new(),
                negated: before,
            }),
            "-type" if !before => search.filters.push(kinds(&args.next()?.text)?),
            "-empty" if !before => search.filters.push(Filter::Empty),
            _ => return None,
        }
    }
    let mut args = expression.iter().map(|arg| arg.text.as_str());
    while let Some(word) = args.next() {
        match word {
            "-maxdepth" => search.max_depth = Some(args.next()?.parse().ok()?),
            "-mindepth" => search.min_depth = args.next()?.parse().ok()?,
            "-xdev" | "-mount" => search.one_device = true,
            _ => {}
        }
    }
    Some(search)
}

/// A pattern that reaches `find` as it is written.
fn known(arg: Option<&ObservedArg>) -> Option<String> {
    arg.filter(|arg| !arg.glob && !arg.text.contains('\0'))
        .map(|arg| arg.text.clone())
}

fn kinds(text: &str) -> Option<Filter> {
    let (mut file, mut directory, mut link) = (false, false, false);
    for kind in text.split(',') {
        match kind {
            "f" => file = true,
            "d" => directory = true,
            "l" => link = true,
            _ => return None,
        }
    }
    Some(Filter::Type {
        file,
        directory,
        link,
    })
}
