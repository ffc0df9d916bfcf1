//! `find`: what it deletes, and where the names that it prints lie.

use super::Call;
use super::touch::Touch;
use crate::place::Class;
use crate::walk::arg::{Arg, UNKNOWN};
use crate::walk::{EVERYTHING, Walker};

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    if !matches!(call.name, "find" | "gfind") {
        return;
    }
    let roots = roots(call);
    let narrowed = is_narrowed(call);
    for (index, arg) in call.args.iter().enumerate() {
        match arg.text.as_ref() {
            "-delete" => delete(walker, call, &roots, narrowed),
            "-fprint" | "-fprintf" | "-fls" | "-fprint0" => {
                if let Some(file) = call.args.get(index + 1) {
                    walker.touch(Touch::Write, file);
                }
            }
            _ => {}
        }
    }
    let outside = roots.iter().find(|root| !walker.is_ordinary(root));
    walker.output.paths = match (outside, roots.first()) {
        (None, _) if !narrowed => Some(EVERYTHING.to_owned()),
        (Some(root), _) | (None, Some(root)) => Some(one(call, root).text.into_owned()),
        _ => None,
    };
    // An argument that is not known may be an action.
    let before = std::iter::once(None).chain(call.args.iter().map(Some));
    let hidden = call.args.iter().zip(before).skip(1).find(|(arg, before)| {
        arg.text.starts_with(UNKNOWN) && before.is_some_and(|before| !before.is_option())
    });
    if let Some((arg, _)) = hidden {
        walker.found.note("hidden-code", arg.span);
    }
}

/// One of the files that it finds in a directory, by the name that it looks for.
pub(crate) fn one<'t>(call: &Call<'_, 't>, root: &Arg<'t>) -> Arg<'t> {
    let mut found = below(root);
    let at = call
        .args
        .iter()
        .position(|arg| matches!(arg.text.as_ref(), "-name" | "-iname" | "-path"));
    let pattern = at.and_then(|at| call.args.get(at + 1));
    if let Some(pattern) = pattern.filter(|pattern| !pattern.traits.unknown) {
        let end = pattern.text.trim_start_matches(['*', '/']);
        if end.len() > 2 && !end.contains(['*', '?', '[']) {
            let joint = if pattern.text.starts_with('*') {
                ""
            } else {
                "/"
            };
            found.text = format!("{}{joint}{end}", found.text).into();
        }
    }
    found
}

fn delete(walker: &mut Walker<'_>, call: &Call<'_, '_>, roots: &[Arg<'_>], narrowed: bool) {
    for root in roots {
        if narrowed {
            walker.touch(Touch::DeleteTree, &below(root));
        } else {
            walker.touch(Touch::DeleteTree, root);
        }
    }
    // Below the tree's root it is a directory like any other.
    let everything = |root: &Arg<'_>| root.is(".") && walker.place.class(".", false) != Class::Tree;
    if !narrowed && roots.iter().any(everything) {
        walker.found.note("delete-working-tree", call.span);
    }
}

/// The directories in which it searches; without one, the working directory.
pub(crate) fn roots<'t>(call: &Call<'_, 't>) -> Vec<Arg<'t>> {
    let starts = |arg: &&Arg<'_>| !arg.is_option() && !arg.is("(") && !arg.is("!");
    let options = |arg: &&Arg<'_>| {
        matches!(arg.text.as_ref(), "-L" | "-H" | "-P") || arg.text.starts_with("-O")
    };
    let roots: Vec<Arg<'t>> = call
        .args
        .iter()
        .skip_while(options)
        .take_while(starts)
        .cloned()
        .collect();
    if roots.is_empty() {
        vec![Arg::literal(".", call.span)]
    } else {
        roots
    }
}

/// Whether tests pick some of the files.
pub(crate) fn is_narrowed(call: &Call<'_, '_>) -> bool {
    const TESTS: &[&str] = &[
        "-name",
        "-iname",
        "-path",
        "-ipath",
        "-wholename",
        "-regex",
        "-iregex",
        "-empty",
        "-mtime",
        "-mmin",
        "-atime",
        "-ctime",
        "-newer",
        "-size",
        "-user",
        "-perm",
        "-xtype",
        "-inum",
        "-amin",
        "-cmin",
        "-newermt",
        "-links",
    ];
    let everything = |arg: Option<&Arg<'_>>| {
        arg.is_some_and(|arg| matches!(arg.text.as_ref(), "*" | "*.*" | "?*"))
    };
    call.args.iter().enumerate().any(|(index, arg)| {
        let negated = index
            .checked_sub(1)
            .and_then(|at| call.args.get(at))
            .is_some_and(|before| before.is("-not") || before.is("!"));
        // `-path x -prune -o …` leaves something out of all the rest.
        let next =
            |by: usize, word: &str| call.args.get(index + by).is_some_and(|arg| arg.is(word));
        let pruned = next(2, "-prune") && (next(3, "-o") || next(3, "-or"));
        TESTS.contains(&arg.text.as_ref())
            && !negated
            && !pruned
            && !everything(call.args.get(index + 1))
    })
}

/// Some path below a directory.
pub(crate) fn below<'t>(root: &Arg<'t>) -> Arg<'t> {
    let mut text = root.text.clone().into_owned();
    if !text.ends_with('/') {
        text.push('/');
    }
    text.push('_');
    text.push(UNKNOWN);
    Arg {
        text: text.into(),
        word: None,
        ..root.clone()
    }
}
