//! `sed`: files that its script writes, commands that it runs, files edited in place.

use super::Call;
use super::files::value_of;
use super::touch::Touch;
use crate::walk::arg::Arg;
use crate::walk::source::Origin;
use crate::walk::{Feed, Walker};

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    if !matches!(call.name, "sed" | "gsed") {
        return;
    }
    let mut scripts = value_of(call, &["-e", "--expression"]);
    let mut files = value_of(call, &["-f", "--file"]);
    files.extend(clustered_file(call));
    let from_file = !files.is_empty();
    for file in &files {
        script_file(walker, call, file, &mut scripts);
    }
    let mut operands = operands(call);
    if scripts.is_empty() && !from_file && !operands.is_empty() {
        scripts.push(operands.remove(0).clone());
    }
    let in_place = call.args.iter().any(|arg| {
        arg.text.starts_with("--in-place")
            || (arg.is_option()
                && !arg.text.starts_with("--")
                && arg
                    .text
                    .split('.')
                    .next()
                    .is_some_and(|letters| letters.contains('i') && !letters.contains('e')))
            || arg.text.starts_with("-i")
    });
    let suffixes = suffixes(call);
    for file in operands {
        for (suffix, arg) in &suffixes {
            // `-i/path/*`: the old file is kept under a name that leads elsewhere.
            let name = file.text.rsplit('/').next().unwrap_or_default();
            let path = suffix.replace('*', name);
            walker.touch(Touch::Write, &Arg::literal(path, arg.span));
        }
        walker.touch(if in_place { Touch::Write } else { Touch::Read }, file);
    }
    for script in &scripts {
        if script.traits.unknown && script.text.len() <= 2 {
            walker.found.note("hidden-code", script.span);
        }
        script_effects(walker, script);
    }
}

/// The file behind a cluster such as `-nf`.
fn clustered_file<'t>(call: &Call<'_, 't>) -> Option<Arg<'t>> {
    let at = call.args.iter().position(is_cluster_with_file)?;
    call.args.get(at + 1).cloned()
}

fn is_cluster_with_file(arg: &Arg<'_>) -> bool {
    let letters = arg.text.strip_prefix('-').unwrap_or_default();
    letters.len() > 1
        && letters.ends_with('f')
        && letters
            .bytes()
            .all(|b| matches!(b, b'n' | b'E' | b'r' | b's' | b'u' | b'z' | b'f'))
}

/// A file with a script, when what is in it stands in the text.
fn script_file<'t>(
    walker: &mut Walker<'_>,
    call: &Call<'_, 't>,
    file: &Arg<'t>,
    scripts: &mut Vec<Arg<'t>>,
) {
    let input = matches!(file.text.as_ref(), "-" | "/dev/stdin" | "/dev/fd/0");
    let feed = if input {
        walker.feed.clone()
    } else if let Some(feed) = walker.process_feed(&file.text) {
        feed
    } else if let Some(text) = walker
        .content_of(&file.text)
        .and_then(|content| content.text)
    {
        Feed::Text(text)
    } else {
        return;
    };
    match feed {
        Feed::Text(text) if walker.charge(text.text.len(), file.span) => {
            scripts.push(Arg::literal(text.text.clone(), file.span));
        }
        Feed::Text(_) | Feed::None | Feed::File(_) => {}
        Feed::Network => walker.found.note("code-from-network", call.span),
        _ => walker.found.note("hidden-code", call.span),
    }
}

/// What old files are called, where that leads elsewhere.
fn suffixes<'a, 't>(call: &'a Call<'_, 't>) -> Vec<(&'a str, &'a Arg<'t>)> {
    let of = |arg: &'a Arg<'t>| {
        let text = arg.text.as_ref();
        let suffix = text
            .strip_prefix("-i")
            .or_else(|| text.strip_prefix("--in-place="))?;
        suffix.contains('/').then_some((suffix, arg))
    };
    call.args.iter().filter_map(of).collect()
}

fn operands<'a, 't>(call: &Call<'a, 't>) -> Vec<&'a Arg<'t>> {
    let mut operands = Vec::new();
    let mut args = call.args.iter();
    while let Some(arg) = args.next() {
        match arg.text.as_ref() {
            "-e" | "-f" | "--expression" | "--file" | "-l" => {
                args.next();
            }
            "--" => operands.extend(args.by_ref()),
            _ if is_cluster_with_file(arg) => {
                args.next();
            }
            _ if arg.is_option() => {}
            _ => operands.push(arg),
        }
    }
    operands
}

/// Looks for the `w` and `e` commands, and for these as flags of `s`.
fn script_effects(walker: &mut Walker<'_>, script: &Arg<'_>) {
    let mut in_text = false;
    for line in script.text.split('\n') {
        let continued = line.ends_with('\\');
        if in_text {
            in_text = continued;
            continue;
        }
        let command = after_address(line.trim_start());
        if command.starts_with(['a', 'i', 'c']) {
            // What follows is text, on as many lines as it takes.
            in_text = continued;
            continue;
        }
        line_effects(walker, script, line);
    }
}

fn line_effects(walker: &mut Walker<'_>, script: &Arg<'_>, line: &str) {
    for line in line.split([';', '{']) {
        let line = line.trim_start();
        let command = after_address(line);
        match command.as_bytes().first() {
            Some(b'w' | b'W') => write_file(walker, script, command.split_at(1).1),
            Some(b'e') => runs(walker, script, command.split_at(1).1),
            Some(b's') => {
                let flags = substitution_flags(command);
                if let Some(at) = flags.find('w') {
                    write_file(walker, script, flags.split_at(at + 1).1);
                }
                let before = flags.split('w').next().unwrap_or_default();
                if before.contains('e') {
                    runs(walker, script, replaced(command).unwrap_or_default());
                }
            }
            _ => {}
        }
    }
}

/// A command that the script runs; without one, it is what was read.
fn runs(walker: &mut Walker<'_>, script: &Arg<'_>, command: &str) {
    let command = command.trim();
    if command.is_empty() {
        walker.found.note("hidden-code", script.span);
    } else {
        let command = command.replace("\\/", "/");
        walker.shell_body(&command, Origin::Whole(script.span), true);
    }
}

/// What takes the place of a whole line in `s/.*/…/e`: nothing of the line is left in it.
fn replaced(command: &str) -> Option<&str> {
    let delimiter = command.chars().nth(1)?;
    let mut parts = command.split(delimiter);
    let (pattern, text) = (parts.nth(1)?, parts.next()?);
    let whole = matches!(pattern, ".*" | "^.*$" | "^.*" | ".*$");
    let fixed = !text.contains(['&', '\\']) && command.matches(delimiter).count() == 3;
    (whole && fixed).then_some(text)
}

fn write_file(walker: &mut Walker<'_>, script: &Arg<'_>, file: &str) {
    let file = file.trim();
    if !file.is_empty() && file.chars().all(|c| !c.is_whitespace()) {
        let target = Arg {
            text: file.to_owned().into(),
            word: None,
            ..script.clone()
        };
        walker.touch(Touch::Write, &target);
    }
}

/// What follows the address of a command.
fn after_address(line: &str) -> &str {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(|c: char| {
            c.is_ascii_digit() || matches!(c, '$' | ',' | '!' | ' ' | '~' | '+')
        });
        let Some(inside) = rest.strip_prefix('/') else {
            return rest;
        };
        match inside.find('/') {
            Some(end) => rest = inside.split_at(end + 1).1,
            None => return "",
        }
    }
}

/// The flags behind `s/…/…/`.
fn substitution_flags(command: &str) -> &str {
    let mut chars = command.char_indices().skip(1);
    let Some((_, delimiter)) = chars.next() else {
        return "";
    };
    let mut left = 2;
    let mut escaped = false;
    for (at, c) in chars {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == delimiter {
            left -= 1;
            if left == 0 {
                return command.split_at(at + c.len_utf8()).1;
            }
        }
    }
    ""
}
