//! `git`: configuration that names programs, and branches that are pushed.

use super::files::value_of;
use super::touch::Touch;
use super::{Call, Options};
use crate::walk::arg::{Arg, UNKNOWN};
use crate::walk::source::Origin;
use crate::walk::{EVERYTHING, Walker};

/// Repositories of one text that are remembered.
const MAX_REMOTES: usize = 64;

/// Settings whose value is a command.
const COMMAND_SETTINGS: &[&str] = &[
    "core.pager",
    "core.editor",
    "core.sshcommand",
    "core.fsmonitor",
    "core.askpass",
    "core.gitproxy",
    "sequence.editor",
    "diff.external",
    "gpg.program",
    "credential.helper",
    "uploadpack.packobjectshook",
    "core.hookspath",
    "gpg.ssh.program",
    "merge.tool",
    "init.templatedir",
    "interactive.difffilter",
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if call.name != "git" {
        return;
    }
    for setting in value_of(call, &["-c", "--config-env"]) {
        let Some((key, value)) = setting.text.split_once('=') else {
            continue;
        };
        setting_effect(walker, key, value, setting.span);
    }
    if options.starts_with("config")
        && let (Some(key), Some(value)) = (options.operand(1), options.operand(2))
    {
        setting_effect(walker, &key.text, &value.text, value.span);
    }
    if ["checkout-index", "archive", "format-patch"]
        .iter()
        .any(|verb| options.starts_with(verb))
    {
        for file in value_of(call, &["-o", "--output"]) {
            walker.touch(Touch::Write, &file);
        }
    }
    let pager = |arg: &&Arg<'_>| {
        arg.text.starts_with("--open-files-in-pager=")
            || arg.text.starts_with("-O") && arg.text.len() > 2
    };
    if let Some(arg) = options
        .flags
        .iter()
        .find(|arg| options.starts_with("grep") && pager(arg))
    {
        walker.found.note("git-runs-program", arg.span);
    }
    if options.starts_with("clone")
        && let Some(target) = options.operand(2)
    {
        walker.touch(Touch::Create, target);
    }
    if options.starts_with("clone") {
        clones(walker, options);
    }
    if options.starts_with("ls-files") || options.starts_with("diff") && options.has("--name-only")
    {
        let all = options.starts_with("ls-files") && options.operands.len() < 2;
        walker.output.paths = Some(if all { EVERYTHING } else { "." }.to_owned());
    }
    // Names that a program prints, one after the other, may be anybody's branches.
    let unseen = walker.in_loop()
        && options
            .operands
            .iter()
            .skip(2)
            .any(|arg| arg.traits.unknown);
    if options.starts_with("push") && (unseen || pushes_force(walker, options)) {
        walker.found.note("git-force-push", call.span);
    }
    remotes(walker, call, options);
    if discards_files(options) {
        walker.found.note("git-discard-files", call.span);
    }
    for file in value_of(call, &["--file", "-f"]) {
        if options.starts_with("config") && options.operands.len() > 2 {
            walker.touch(Touch::Write, &file);
        }
    }
}

/// What a clone brings is code from the network until somebody has looked at it.
fn clones(walker: &mut Walker<'_>, options: &Options<'_, '_>) {
    let Some(address) = options.operand(1) else {
        return;
    };
    let elsewhere = address.text.contains("://") || address.text.contains('@');
    if !elsewhere || address.text.starts_with("file:") {
        return;
    }
    let name = address.text.trim_end_matches('/').rsplit(['/', ':']).next();
    let name = name.unwrap_or_default().trim_end_matches(".git").to_owned();
    let directory = options
        .operand(2)
        .cloned()
        .unwrap_or_else(|| Arg::literal(name, address.span));
    walker.note_clone(&directory);
}

/// `git checkout .` and its kin: everything below a directory, or whatever a pattern matches.
fn discards_files(options: &Options<'_, '_>) -> bool {
    let checkout = options.starts_with("checkout");
    let restore = options.starts_with("restore");
    if !checkout && !restore {
        return false;
    }
    let staged = options.has_any(&["--staged", "-S"]) && !options.has_any(&["--worktree", "-W"]);
    let whole = |arg: &&Arg<'_>| {
        matches!(
            arg.text.as_ref(),
            "." | "./" | "*" | "./*" | ":/" | ":" | "/" | ":/*" | "**" | ".."
        )
    };
    !staged && options.operands.iter().skip(1).any(whole)
}

/// Branches that others work on.
fn is_shared(branch: &str) -> bool {
    let name = branch.rsplit([':', '/']).next().unwrap_or_default();
    matches!(
        name,
        "main" | "master" | "develop" | "development" | "production" | "prod" | "staging" | "trunk"
    ) || branch.contains("release")
}

/// `+branch` forces, `:branch` deletes; with a lease, a shared branch is still overwritten.
fn pushes_force(walker: &Walker<'_>, options: &Options<'_, '_>) -> bool {
    if options.has_exactly("--dry-run") || options.has_exactly("-n") {
        return false;
    }
    let mut branches = options.operands.iter().skip(2);
    let leased = options.has_exactly("--force-with-lease");
    let forced = options
        .flags
        .iter()
        .any(|arg| arg.is("--force") || arg.is("-f"));
    branches
        .clone()
        .any(|arg| arg.text.starts_with('+') || (arg.text.starts_with(':') && arg.text.len() > 1))
        || leased && (forced || branches.any(|arg| is_shared(&arg.text)))
        || leased && options.operands.len() < 3 && walker.branch.is_some_and(is_shared)
}

/// Repositories that the text itself names, and what is pushed to them.
fn remotes(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if options.starts_with("remote add") || options.starts_with("remote set-url") {
        let name = options.operand(2).map_or("", |arg| arg.text.as_ref());
        let own =
            matches!(name, "origin" | "upstream" | "fork") && options.starts_with("remote add");
        if !own && walker.found.remotes.len() < MAX_REMOTES {
            walker.found.remotes.push(name.to_owned());
        }
        return;
    }
    if !options.starts_with("push") || options.has_exactly("--dry-run") || options.has_exactly("-n")
    {
        return;
    }
    let target = options.operand(1).map_or("", |arg| arg.text.as_ref());
    let address = target.contains("://") || target.starts_with("git@");
    // Beyond the bound any name may be one of them.
    let named = walker.found.remotes.len() >= MAX_REMOTES
        || walker.found.remotes.iter().any(|name| name == target);
    let any = target.is_empty() && !walker.found.remotes.is_empty();
    if address || named || any || options.has_any(&["--all", "--branches"]) {
        walker.found.note("git-pushes-elsewhere", call.span);
    }
}

/// What a setting makes git do: run a program, read other settings, go to another place.
fn setting_effect(walker: &mut Walker<'_>, key: &str, value: &str, span: crate::analysis::Span) {
    let key = key.to_ascii_lowercase();
    let remote = key.starts_with("remote.");
    if remote && key.ends_with(".push") && value.starts_with(['+', ':'])
        || remote && key.ends_with(".mirror") && value != "false"
    {
        walker.found.note("git-force-push", span);
    }
    if remote && (key.ends_with(".url") || key.ends_with(".pushurl")) {
        let name = key.split('.').nth(1).unwrap_or_default();
        if walker.found.remotes.len() < MAX_REMOTES {
            walker.found.remotes.push(name.to_owned());
        }
    }
    if let Some(body) = value.strip_prefix('!') {
        walker.shell_body(body, Origin::Whole(span), true);
        if key.starts_with("alias.") {
            // What the alias runs is judged; a shell with hidden code is not ordinary in one.
            let shell = body.split_whitespace().next().unwrap_or_default();
            if matches!(shell, "sh" | "bash" | "eval") {
                walker.found.note("git-runs-program", span);
            }
        } else {
            walker.found.note("git-runs-program", span);
        }
        return;
    }
    if key.starts_with("alias.") {
        // It runs with whatever is typed behind it.
        let body = format!("git {value} {UNKNOWN}");
        let programs = walker.found.programs.len();
        walker.postponed(|w| w.shell_body(&body, Origin::Whole(span), true));
        walker.found.programs.truncate(programs);
        return;
    }
    let first = value.split_whitespace().next().unwrap_or_default();
    let quiet = matches!(
        first,
        "" | "cat"
            | "less"
            | "true"
            | "false"
            | "vim"
            | "vi"
            | "nvim"
            | "nano"
            | "emacs"
            | "code"
            | "ssh"
            | "cache"
            | "store"
            | "osxkeychain"
            | "manager"
            | "manager-core"
            | "libsecret"
            | "delta"
            | "bat"
            | "diff-so-fancy"
            | "gpg"
            | "gpg2"
            | "vimdiff"
            | "meld"
            | "git-lfs"
            | "nbstripout"
            | "subl"
            | "git"
    );
    let runs = COMMAND_SETTINGS.contains(&key.as_str())
        || key.starts_with("pager.")
        || (key.starts_with("filter.") && !key.ends_with(".required"))
        || key.ends_with(".textconv")
        || key.ends_with(".driver")
        || key.ends_with(".command")
        || (key.ends_with(".cmd") && !value.starts_with("code "));
    let leads = key.ends_with(".insteadof")
        || key.ends_with(".pushinsteadof")
        || key == "include.path"
        || key.starts_with("includeif.")
        || key == "http.proxy"
        || key == "https.proxy"
        || (key == "http.sslverify" && value == "false")
        || (key == "protocol.ext.allow" && value != "never");
    // To log in by key instead of by password.
    let known = [
        "url.git@",
        "url.ssh://git@",
        "url.https://github.com",
        "url.https://gitlab.com",
    ];
    let stored = first == "store" && value.contains(' ');
    if stored {
        walker.found.note("git-settings-lead-elsewhere", span);
    }
    if runs {
        let body = !matches!(
            key.as_str(),
            "core.hookspath" | "init.templatedir" | "merge.tool"
        );
        if body && value.contains(' ') {
            walker.shell_body(value, Origin::Whole(span), true);
        }
        if !quiet {
            walker.found.note("git-runs-program", span);
        }
    } else if leads && !known.iter().any(|base| key.starts_with(base)) {
        walker.found.note("git-settings-lead-elsewhere", span);
    }
}

#[cfg(test)]
mod tests {
    use super::MAX_REMOTES;
    use crate::{Context, Verdict, analyze, judge};

    #[test]
    fn many_repositories_are_not_forgotten() {
        let mut text = String::new();
        for index in 0..=MAX_REMOTES {
            text.push_str(&format!(
                "git remote add r{index} https://x.y/{index}.git; "
            ));
        }
        text.push_str(&format!("git push r{MAX_REMOTES} main"));
        let verdict = judge(&analyze(&text, &Context::default())).0;
        assert_eq!(verdict, Verdict::Confirm);
    }
}
