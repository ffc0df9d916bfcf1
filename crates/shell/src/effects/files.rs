//! Programs that read, write, move and delete files.

use super::touch::Touch;
use super::{Call, Options};
use crate::analysis::EffectKind;
use crate::place;
use crate::walk::arg::{Arg, Traits};
use crate::walk::{EVERYTHING, Feed, Output, Walker};

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    match call.name {
        "rm" => remove(walker, call, options),
        "rmdir" | "unlink" | "trash" | "trash-put" => {
            each(walker, &options.operands, Touch::Delete);
        }
        "rimraf" | "del-cli" => each(walker, &options.operands, Touch::DeleteTree),
        "shred" | "srm" | "wipe" => {
            let tree = options.has("-r");
            let touch = if tree {
                Touch::DeleteTree
            } else {
                Touch::Delete
            };
            each(walker, &options.operands, touch);
            each(walker, &options.operands, Touch::Write);
            let elsewhere = |arg: &&&Arg<'_>| !walker.is_ordinary(arg);
            if let Some(lost) = options.operands.iter().find(elsewhere) {
                walker.found.note("shred", lost.span);
            }
        }
        "truncate" | "sponge" | "tee" => {
            let append = options.has_any(&["-a", "--append"]);
            let touch = if append { Touch::Append } else { Touch::Write };
            each(walker, &options.operands, touch);
            walker.output.same = call.name == "tee";
            let output = crate::walk::Output {
                same: true,
                filter: true,
                ..crate::walk::Output::default()
            };
            for arg in &options.operands {
                walker.note_written(arg, &output, append);
            }
        }
        "touch" | "mkdir" | "mkfifo" | "mknod" => {
            for arg in &options.operands {
                walker.found.writes(&arg.text);
                walker.touch(Touch::Create, arg);
            }
        }
        "cp" | "install" | "ln" | "scp_local" => copy(walker, call, options, false),
        "mv" => copy(walker, call, options, true),
        "dd" => dd(walker, call),
        "chmod" | "chown" | "chgrp" | "chattr" | "setfacl" | "setfattr" | "chcon" => {
            mode(walker, call, options);
        }
        "tar" | "bsdtar" => tar(walker, call, options),
        "unzip" | "7z" | "unrar" => unpack(walker, call),
        "zip" => {
            if let Some(archive) = options.operand(0) {
                walker.touch(Touch::Write, archive);
            }
            each(
                walker,
                options.operands.get(1..).unwrap_or_default(),
                Touch::Read,
            );
        }
        "gzip" | "gunzip" | "bzip2" | "xz" | "zstd" => {
            each(walker, &options.operands, Touch::Read);
            if !options.has_any(&["-c", "-k", "-t", "-l", "--stdout", "--keep"]) {
                each(walker, &options.operands, Touch::Delete);
            }
        }
        "patch" => {
            each(
                walker,
                &value_of(call, &["-d", "--directory", "-o"])
                    .iter()
                    .collect::<Vec<_>>(),
                Touch::Write,
            );
            if let Some(file) = options.operand(0).filter(|_| !options.has("--dry-run")) {
                walker.touch(Touch::Write, file);
            }
        }
        "split" | "csplit" => {
            if let Some(prefix) = options.operand(1) {
                walker.touch(Touch::Write, prefix);
            }
        }
        "cpio" if options.has_any(&["-i", "--extract"]) => {
            // Where it unpacks to stands in the archive.
            walker.found.note("writes-outside", call.span);
        }
        "sort" | "uniq" => {
            each(walker, &options.operands, Touch::Read);
            value_of(call, &["-o", "--output"])
                .iter()
                .for_each(|arg| walker.touch(Touch::Write, arg));
            walker.output.filter = true;
        }
        "rsync" => rsync(walker, call, options),
        _ => read(walker, call, options),
    }
    if is_mkfs(call.name) {
        format(walker, call, options);
    }
}

fn each(walker: &mut Walker<'_>, args: &[&Arg<'_>], touch: Touch) {
    for arg in args {
        walker.touch(touch, arg);
    }
}

/// The values of an option, in any of `-o x`, `-ox`, `--output x`, `--output=x`.
pub(crate) fn value_of<'t>(call: &Call<'_, 't>, names: &[&str]) -> Vec<Arg<'t>> {
    let mut values = Vec::new();
    let mut args = call.args.iter();
    while let Some(arg) = args.next() {
        if arg.is("--") {
            break;
        }
        for name in names {
            if arg.is(name) {
                values.extend(args.next().cloned());
                break;
            }
            let long = name.starts_with("--");
            let rest = arg.text.strip_prefix(name);
            let joined = rest.and_then(|rest| {
                if long {
                    rest.strip_prefix('=')
                } else {
                    Some(rest)
                }
            });
            if let Some(value) = joined.filter(|value| !value.is_empty()) {
                values.push(Arg {
                    text: value.to_owned().into(),
                    word: None,
                    ..arg.clone()
                });
                break;
            }
        }
    }
    values
}

fn remove(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let tree = options.has_any(&["-r", "-R", "--recursive"]);
    if options.has("--no-preserve-root") && tree {
        walker.found.note("delete-root", call.span);
    }
    // An option that is not known may be `-r`.
    let hidden = call.args.iter().any(|arg| arg.text.starts_with('\0'));
    let touch = if tree || hidden {
        Touch::DeleteTree
    } else {
        Touch::Delete
    };
    each(walker, &options.operands, touch);
}

/// `cp`, `install`, `ln`, `mv`: sources, then a target.
fn copy(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>, moves: bool) {
    let target = value_of(call, &["-t", "--target-directory"]);
    let mut sources: Vec<&Arg<'_>> = options.operands.clone();
    if call.name == "install" {
        value_of(call, &["-m", "--mode"])
            .iter()
            .for_each(|mode| chmod_mode(walker, mode));
    }
    if call.name == "install" && options.has_any(&["-d", "--directory"]) {
        return each(walker, &sources, Touch::Create);
    }
    let last = if target.is_empty() {
        sources.pop().cloned()
    } else {
        target.last().cloned()
    };
    sources.retain(|arg| !target.iter().any(|target| target.text == arg.text));
    for source in &sources {
        match (moves, call.name) {
            (true, _) => {
                walker.touch(Touch::Read, source);
                walker.touch(Touch::Delete, source);
            }
            (false, "ln") => {
                if place::holds_credentials(&walker.place.resolve(&source.text)) {
                    walker.touch(Touch::Read, source);
                }
            }
            (false, _) => walker.touch(Touch::Read, source),
        }
    }
    let Some(target) = last else { return };
    for source in &sources {
        walker.copy_content(source, &target);
    }
    // `ln -n` means something else.
    let keeps = call.name != "ln" && options.has_any(&["-n", "--no-clobber"]);
    walker.touch(if keeps { Touch::Create } else { Touch::Write }, &target);
    if call.name == "ln"
        && options.has_any(&["-s", "--symbolic"])
        && let [source] = sources.as_slice()
    {
        walker.place.link(&target.text, &source.text);
    }
    // Into a directory: the name of the source decides whether the file runs later.
    for source in sources {
        let file = source.text.rsplit('/').next().unwrap_or_default();
        let path = walker.place.resolve(&format!("{}/{file}", target.text));
        if place::runs_later(&path) {
            walker.found.note("runs-later", target.span);
        }
    }
}

fn dd(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    for arg in call.args {
        if let Some(path) = arg.text.strip_prefix("of=") {
            let target = Arg {
                text: path.to_owned().into(),
                word: None,
                ..arg.clone()
            };
            if path.starts_with('\0') {
                walker.found.note("write-unknown-target", arg.span);
            }
            walker.touch(Touch::Write, &target);
            let output = Output {
                same: true,
                filter: true,
                ..Output::default()
            };
            walker.note_written(&target, &output, false);
        } else if let Some(path) = arg.text.strip_prefix("if=") {
            let source = Arg {
                text: path.to_owned().into(),
                word: None,
                ..arg.clone()
            };
            walker.touch(Touch::Read, &source);
        }
    }
}

fn mode(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let tree = options.has_any(&["-R", "--recursive"]);
    let touch = if tree { Touch::ModeTree } else { Touch::Mode };
    let reference = call
        .args
        .iter()
        .any(|arg| arg.text.starts_with("--reference"));
    let skip = usize::from(!reference && call.name != "setfacl");
    each(
        walker,
        options.operands.get(skip..).unwrap_or_default(),
        touch,
    );
    if call.name == "chmod" {
        let mode = options
            .operand(0)
            .or_else(|| options.flags.first().copied());
        if let Some(mode) = mode {
            chmod_mode(walker, mode);
        }
    }
}

fn chmod_mode(walker: &mut Walker<'_>, mode: &Arg<'_>) {
    let text = mode.text.as_ref();
    let octal = text.bytes().all(|b| b.is_ascii_digit()) && text.len() >= 4;
    let high = octal && text.trim_start_matches('0').len() >= 4;
    let symbolic = text.split(',').any(|part| {
        part.split_once(['+', '=']).is_some_and(|(who, what)| {
            what.contains('s') && who.chars().all(|c| "ugoa".contains(c))
        })
    });
    let set_id = high
        && matches!(
            text.trim_start_matches('0').as_bytes().first(),
            Some(b'2' | b'4' | b'6' | b'7')
        );
    if set_id || symbolic {
        walker.found.note("set-user-id", mode.span);
    }
    if matches!(
        text,
        "777" | "0777" | "a+rwx" | "ugo+rwx" | "o+w" | "a+w" | "666" | "0666"
    ) {
        walker.found.note("world-writable", mode.span);
    }
}

fn tar(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let old_style = call
        .args
        .first()
        .filter(|arg| !arg.is_option())
        .map(|arg| arg.text.as_ref());
    let letter = |letter: &str, long: &str| {
        options.has(&format!("-{letter}"))
            || options.has(long)
            || old_style.is_some_and(|text| text.contains(letter))
    };
    let directory = value_of(call, &["-C", "--directory"]);
    if letter("x", "--extract") {
        directory
            .iter()
            .for_each(|arg| walker.touch(Touch::Write, arg));
        if letter("P", "--absolute-names") {
            walker.found.note("writes-outside", call.span);
        }
        return;
    }
    if letter("c", "--create") {
        let mut archive = value_of(call, &["-f", "--file"]);
        if old_style.is_some_and(|text| text.ends_with('f')) {
            archive.extend(call.args.get(1).cloned());
        }
        for file in archive.iter().filter(|file| file.text.starts_with("/dev/")) {
            walker.touch(Touch::Write, file);
        }
        for arg in &options.operands {
            walker.touch(Touch::Read, arg);
        }
        if options.has("--remove-files") {
            each(walker, &options.operands, Touch::DeleteTree);
        }
    }
}

fn unpack(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    let names: &[&str] = if call.name == "7z" { &["-o"] } else { &["-d"] };
    for target in value_of(call, names) {
        walker.touch(Touch::Write, &target);
    }
}

fn rsync(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if options.has_any(&["-n", "--dry-run"]) {
        return;
    }
    let Some((target, sources)) = options.operands.split_last() else {
        return;
    };
    let remote = |arg: &Arg<'_>| {
        arg.text
            .split('/')
            .next()
            .is_some_and(|host| host.contains(':'))
    };
    for source in sources.iter().filter(|arg| !remote(arg)) {
        walker.touch(Touch::Read, source);
    }
    let deletes = call.args.iter().any(|arg| arg.text.starts_with("--del"));
    if remote(target) {
        walker
            .found
            .effect(EffectKind::NetworkOut, Some(&target.text), target.span);
        if deletes {
            walker.found.note("sync-deletes", call.span);
        }
        walker.touch_elsewhere(target);
    } else {
        walker.touch(
            if deletes {
                Touch::DeleteTree
            } else {
                Touch::Write
            },
            target,
        );
    }
}

/// Programs that write a file system, by their naming scheme.
fn is_mkfs(name: &str) -> bool {
    name == "mkfs"
        || name.starts_with("mkfs.")
        || matches!(name, "mke2fs" | "mkswap" | "mkdosfs" | "mkntfs" | "newfs")
}

fn format(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if options.has_any(&["-V", "--version"]) && options.operands.is_empty() {
        return;
    }
    let targets: Vec<&Arg<'_>> = options
        .operands
        .iter()
        .copied()
        .filter(|arg| !arg.text.bytes().all(|b| b.is_ascii_digit()))
        .collect();
    let images = targets.len() == 1 && targets.iter().all(|arg| walker.is_ordinary(arg));
    if images {
        each(walker, &targets, Touch::Format);
    } else {
        walker.found.note("make-filesystem", call.span);
    }
}

/// What `cat` prints is what is in the file, as far as that is known.
fn cat_file(walker: &mut Walker<'_>, file: &Arg<'_>) {
    if let Some(feed) = walker.process_feed(&file.text) {
        walker.output = walker.output_of(&feed);
        return;
    }
    match walker.content_of(&file.text) {
        Some(content) => {
            walker.output.network = content.network;
            walker.output.secret = content.secret;
            if let Some(text) = content.text.filter(|text| !text.raw) {
                walker.output_text(text.text.clone(), Traits::default(), file.span);
            }
        }
        None => walker.output.file = Some(file.text.clone().into_owned()),
    }
}

/// Programs whose operands are files that they read.
const READERS: &[&str] = &[
    "cat",
    "head",
    "tail",
    "less",
    "more",
    "bat",
    "tac",
    "nl",
    "wc",
    "diff",
    "cmp",
    "comm",
    "xxd",
    "od",
    "hexdump",
    "base64",
    "strings",
    "md5sum",
    "sha1sum",
    "sha256sum",
    "cut",
    "paste",
    "jq",
    "yq",
    "file",
    "column",
    "rev",
    "fold",
    "expand",
    "zcat",
];

/// Everything else: it may read what its operands name.
fn read(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    match call.name {
        "cat" => {
            walker.output.same = options.operands.is_empty();
            walker.output.filter = true;
            if let [file] = options.operands.as_slice() {
                cat_file(walker, file);
            } else if walker.output.same
                && let Feed::Text(text) = walker.feed.clone()
                && !text.raw
                && walker.charge(text.text.len(), call.span)
            {
                walker.output_text(text.text.clone(), Traits::default(), call.span);
                walker.output.same = true;
            }
        }
        "env" | "printenv" | "set" | "history" => {
            let named = |arg: &&Arg<'_>| !crate::env::is_secret_name(&arg.text);
            if call.name == "printenv"
                && let Some(secret) = options.operands.iter().find(|arg| !named(arg))
            {
                walker.found.credentials_read = true;
                walker.found.note("shows-secret", secret.span);
            }
            walker.output.secret = call.name != "printenv"
                || options.operands.is_empty()
                || !options.operands.iter().all(named);
        }
        "ps" | "pgrep" | "pidof" => walker.output.everyone = super::system::shows_everyone(call),
        "grep" | "head" | "tail" | "tr" | "cut" | "awk" | "sed" | "egrep" | "fgrep" | "rg" => {
            walker.output.filter = true;
            walker.output.selects = super::system::chooses(call, options);
        }
        "ls" if options.operand(0).is_some_and(|arg| arg.is("/proc")) => {
            walker.output.everyone = true;
        }
        "ls" | "fd" => {
            let ordinary = options.operands.iter().all(|arg| walker.is_ordinary(arg));
            if ordinary {
                let names = if options.operands.is_empty() && call.name == "ls" {
                    EVERYTHING
                } else {
                    "."
                };
                walker.output.paths = Some(names.to_owned());
            }
        }
        "base64" | "base32" | "openssl" | "gpg" | "xxd" | "uudecode" | "gunzip" | "zcat"
        | "rev" => {
            walker.output.decoded = true;
        }
        _ => {}
    }
    if READERS.contains(&call.name) {
        let skip = usize::from(matches!(call.name, "jq" | "yq"));
        each(
            walker,
            options.operands.get(skip..).unwrap_or_default(),
            Touch::Read,
        );
        return;
    }
    if matches!(call.name, "grep" | "egrep" | "fgrep" | "rg" | "ag") {
        let outside = options
            .operands
            .iter()
            .skip(1)
            .any(|root| !walker.is_ordinary(root));
        let secret = |arg: &Arg<'_>| crate::env::is_secret_name(&arg.text);
        if outside
            && options.has_any(&["-r", "-R", "--recursive"])
            && options.operand(0).is_some_and(secret)
        {
            walker.found.credentials_read = true;
            walker.found.note("reads-credentials", call.span);
        }
        // The first operand is the pattern.
        each(
            walker,
            options.operands.get(1..).unwrap_or_default(),
            Touch::Read,
        );
        if options.has_any(&["-l", "--files-with-matches"]) {
            walker.output.filter = false;
            walker.output.paths = Some(".".to_owned());
        }
    }
}
