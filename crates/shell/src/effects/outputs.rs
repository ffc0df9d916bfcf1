//! Files that a program writes because an option or an operand names them.
//!
//! Which options those are stands in `data/rules/programs.toml`; for a program that nothing is
//! known of, `--output` and its kin are taken at their word.

use super::files::value_of;
use super::touch::Touch;
use super::{Call, Options};
use crate::rules;
use crate::walk::Walker;
use crate::walk::arg::{Arg, UNKNOWN};

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let names: Vec<&str> = rules::outputs(call.name)
        .iter()
        .map(String::as_str)
        .collect();
    let named = if names.is_empty() {
        Vec::new()
    } else {
        value_of(call, &names)
    };
    for file in &named {
        touch(walker, file);
    }
    if !rules::has_outputs(call.name) && !rules::is_harmless(call.name) {
        by_name(walker, call, &names);
    }
    directories(walker, call, options);
    files_that_run_later(walker, call);
    if matches!(
        call.name,
        "convert" | "magick" | "identify" | "mogrify" | "montage" | "compare" | "gm"
    ) {
        image_coders(walker, call);
    }
    if call.name == "ssh-keygen" && !walker.feed.is_none() {
        // It asks before it overwrites a key, and something answers.
        for file in value_of(call, &["-f"]) {
            touch(walker, &file);
        }
    }
    let (first, count) = match rules::written(call.name) {
        None => return,
        Some(rules::Written::All) => (0, usize::MAX),
        Some(rules::Written::Second) => (1, 1),
        Some(rules::Written::Last) => (options.operands.len().saturating_sub(1), 1),
    };
    for file in options.operands.iter().skip(first).take(count) {
        touch(walker, file);
    }
}

/// Words in the name of an option whose value is written.
const WRITES: &[&str] = &[
    "out",
    "output",
    "outfile",
    "outdir",
    "dest",
    "destination",
    "log",
    "logfile",
    "logs",
    "report",
    "dump",
    "save",
    "write",
    "export",
    "trace",
    "record",
    "tee",
    "stderr",
    "stdout",
    "pidfile",
    "joblog",
    "results",
    "basetemp",
    "coverage",
    "jar",
    "journal",
    "xml",
    "junitxml",
    "junit",
    "html",
    "artifacts",
    "snapshot",
    "gen",
    "generate",
    "emit",
    "backup",
    "target",
    "to",
];

/// Words that say that it is read, or no path at all, although one of those stands beside them.
const READS: &[&str] = &[
    "level",
    "format",
    "driver",
    "opt",
    "file-prefix-map",
    "import",
    "from",
    "source",
    "in",
    "input",
    "url",
    "type",
    "lang",
];

/// Whether the name is that of an option or a setting that names what is written.
pub(crate) fn names_output(name: &str) -> bool {
    let mut parts = name.split(['-', '_', '.', ':']);
    let named =
        |words: &[&str], part: &str| words.iter().any(|word| part.eq_ignore_ascii_case(word));
    parts.clone().any(|part| named(WRITES, part)) && !parts.any(|part| named(READS, part))
}

/// Options that are called like an output, of programs of which that is not known better.
fn by_name(walker: &mut Walker<'_>, call: &Call<'_, '_>, known: &[&str]) {
    let mut before = "";
    for arg in call.args.iter().take(MAX_NAMED) {
        let text = arg.text.as_ref();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, value),
            _ if arg.is_option() => {
                before = text;
                continue;
            }
            _ => (before, text),
        };
        before = "";
        let path =
            value.starts_with(['/', '~', '.']) && value.contains('/') || value.starts_with("$HOME");
        let long = name.starts_with("--") || name.len() > 3;
        if path && long && !known.contains(&name) && names_output(name.trim_start_matches('-')) {
            touch(
                walker,
                &Arg {
                    text: value.to_owned().into(),
                    word: None,
                    ..arg.clone()
                },
            );
        }
    }
}

/// `ephemeral:file` of `ImageMagick`: read, then deleted; `|command` and its like.
fn image_coders(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    for arg in call.args {
        if let Some(file) = arg.text.strip_prefix("ephemeral:") {
            walker.touch(Touch::Delete, &Arg::literal(file.to_owned(), arg.span));
        } else if arg.text.starts_with("msl:")
            || arg.text.starts_with("mvg:") && arg.text.contains("/dev/")
        {
            walker.found.note("hidden-code", arg.span);
        }
    }
}

/// A file whose code runs later by itself, named to a program of which nothing says that it only
/// reads it.
fn files_that_run_later(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    const PLACES: &[&str] = &[
        "/.bash",
        "/.profile",
        "/.zsh",
        "/.zprofile",
        "/.zlogin",
        "/.config/autostart",
        "/.config/systemd/",
        "/.ssh/authorized_keys",
        "/.ssh/rc",
        "/etc/cron",
        "/etc/profile",
        "/etc/systemd/",
        "/.config/fish/",
        "/.xprofile",
        "/.xinitrc",
        "/.pam_environment",
        "/etc/ld.so",
        "/etc/sudoers",
        "/etc/rc.local",
        "/.kshrc",
        "/.inputrc",
    ];
    if rules::is_harmless(call.name) || rules::is_in(call.name, rules::Group::ReadsSettings) {
        return;
    }
    for arg in call.args.iter().filter(|arg| arg.text.len() > 6) {
        let text = arg.text.as_ref();
        let hidden = text.contains("/.") || text.contains("/etc/");
        if !hidden || text.contains(' ') || !PLACES.iter().any(|place| text.contains(place)) {
            continue;
        }
        let path = text.rsplit('=').next().unwrap_or_default();
        let absolute = walker.place.resolve(&walker.of_home(path));
        let below = format!("{absolute}/x");
        if crate::place::runs_later(&absolute) || crate::place::runs_later(&below) {
            walker.found.note("runs-later", arg.span);
        }
    }
}

/// Options with a directory that the program empties.
fn directories(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let names: &[&str] = match call.name {
        "pytest" | "py.test" => &["--basetemp"],
        "cargo" if options.starts_with("clean") => &["--target-dir"],
        "hugo" if options.has("--cleanDestinationDir") => &["--destination", "-d"],
        "tsc" | "vite" | "webpack" if options.has_any(&["--clean", "--emptyOutDir"]) => {
            &["--outDir", "--output-path"]
        }
        "mkdocs" | "jekyll" | "zola" | "eleventy" => {
            &["--site-dir", "-d", "--destination", "--output-dir", "-o"]
        }
        "cmake" | "meson" if options.has_any(&["--fresh", "--wipe"]) => &["-B"],
        "bazel" if options.has("--expunge") || options.starts_with("clean") => {
            &["--output_base", "--output_user_root"]
        }
        _ => return,
    };
    for directory in value_of(call, names) {
        if !walker.is_ordinary(&directory) {
            walker.touch(Touch::DeleteTree, &directory);
            walker.found.note("deletes-by-tool", directory.span);
        }
    }
}

/// Options of one call whose names are read.
const MAX_NAMED: usize = 256;

/// What lies in the tree needs no word, and a place that is not known at all may well lie there.
fn touch(walker: &mut Walker<'_>, file: &Arg<'_>) {
    let path = file.text.contains('/') && !file.text.starts_with(UNKNOWN);
    if path && !file.text.contains("://") && !walker.is_ordinary(file) {
        walker.touch(Touch::Write, file);
        return;
    }
    // A directory of hooks is as good as each of its files.
    let absolute = walker.place.resolve(&file.text);
    let below = format!("{absolute}/pre-commit");
    if path
        && [absolute, below]
            .iter()
            .any(|path| crate::place::runs_later(path))
    {
        walker.found.note("runs-later", file.span);
    }
}
