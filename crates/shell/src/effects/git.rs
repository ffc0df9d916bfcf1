//! `git`: configuration that names programs, and branches that are pushed.

use super::files::value_of;
use super::touch::Touch;
use super::{Call, Options};
use crate::walk::arg::Arg;
use crate::walk::source::Origin;
use crate::walk::{EVERYTHING, Walker};

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
    if options.starts_with("checkout-index") || options.starts_with("archive") {
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
    if options.starts_with("ls-files") || options.starts_with("diff") && options.has("--name-only")
    {
        let all = options.starts_with("ls-files") && options.operands.len() < 2;
        walker.output.paths = Some(if all { EVERYTHING } else { "." }.to_owned());
    }
    if options.starts_with("push") && pushes_force(options) {
        walker.found.note("git-force-push", call.span);
    }
}

/// `+branch` forces, and `:branch` deletes.
fn pushes_force(options: &Options<'_, '_>) -> bool {
    options
        .operands
        .iter()
        .skip(2)
        .any(|arg| arg.text.starts_with('+') || (arg.text.starts_with(':') && arg.text.len() > 1))
}

fn setting_effect(walker: &mut Walker<'_>, key: &str, value: &str, span: crate::analysis::Span) {
    let key = key.to_ascii_lowercase();
    if let Some(body) = value.strip_prefix('!') {
        walker.shell_body(body, Origin::Whole(span), true);
        return;
    }
    let quiet = matches!(
        value,
        "" | "cat"
            | "less"
            | "true"
            | "false"
            | "vim"
            | "vi"
            | "nano"
            | "ssh"
            | "cache"
            | "store"
            | "osxkeychain"
            | "manager"
    );
    if COMMAND_SETTINGS.contains(&key.as_str()) && !quiet {
        let body = key == "core.sshcommand" || key == "core.pager" || key == "core.editor";
        if body {
            walker.shell_body(value, Origin::Whole(span), true);
        }
        walker.found.note("git-runs-program", span);
    }
}
