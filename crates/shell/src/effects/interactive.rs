//! Programs that want a person at a terminal.

use super::{Call, Options};
use crate::analysis::EffectKind;
use crate::walk::Walker;

/// Always.
const ALWAYS: &[&str] = &[
    "vim",
    "vi",
    "nvim",
    "nano",
    "emacs",
    "pico",
    "joe",
    "micro",
    "helix",
    "hx",
    "less",
    "more",
    "htop",
    "btop",
    "atop",
    "iotop",
    "nmtui",
    "mc",
    "ranger",
    "tig",
    "lazygit",
    "k9s",
    "visudo",
    "vipw",
    "telnet",
    "ftp",
    "fzf",
    "dialog",
    "whiptail",
    "mutt",
    "cfdisk",
    "gdb",
    "lldb",
    "ncdu",
    "alsamixer",
];
/// When they are given nothing to do.
const BARE: &[&str] = &[
    "python",
    "python3",
    "python2",
    "ipython",
    "node",
    "irb",
    "ghci",
    "lua",
    "R",
    "julia",
    "bash",
    "sh",
    "zsh",
    "dash",
    "fish",
    "ksh",
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "mongosh",
    "mongo",
    "redis-cli",
    "bc",
    "perl",
    "php",
    "deno",
    "scala",
    "erl",
    "iex",
    "su",
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let fed = !walker.feed.is_none();
    let terminal = match call.name {
        "less" | "more" | "fzf" if walker.inner > 0 => false,
        "top" => !options.has("-b"),
        "ssh" => {
            options.operands.len() <= 1
                && !fed
                && !options.has_any(&["-N", "-T", "-V", "-G", "-O", "-Q"])
        }
        "sftp" => !options.has("-b") && !fed,
        "passwd" | "chsh" | "chfn" => !fed,
        "crontab" => options.has("-e"),
        "tmux" => {
            !options.has("-d")
                && matches!(
                    options.operand(0).map(|arg| arg.text.as_ref()),
                    None | Some("new" | "new-session" | "attach" | "a" | "attach-session")
                )
        }
        "screen" => !options.has_any(&["-ls", "-list", "-d", "-X", "-wipe"]),
        "aptitude" => call.args.is_empty(),
        "w3m" | "lynx" => !options.has("-dump"),
        "docker" | "podman" => {
            options.has_any(&["-t", "--tty"])
                && (options.starts_with("run") || options.starts_with("exec"))
        }
        "kubectl" => options.has_any(&["-t", "--tty"]) && options.starts_with("exec"),
        "git" => git(options),
        "psql" | "mysql" | "mariadb" => {
            !fed && !options.has_any(&[
                "-c",
                "-e",
                "--command",
                "--execute",
                "-f",
                "--file",
                "-l",
                "--version",
            ])
        }
        name if ALWAYS.contains(&name) => !batch(name, options),
        name if BARE.contains(&name) => {
            !fed && call.args.is_empty() || options.has("-i") && shell(name)
        }
        _ => false,
    };
    if terminal {
        walker.found.interactive = true;
        walker
            .found
            .effect(EffectKind::Interactive, None, call.span);
    }
}

/// Editors and debuggers that were told to work through a list.
fn batch(name: &str, options: &Options<'_, '_>) -> bool {
    match name {
        "vim" | "vi" | "nvim" => options.has("-es"),
        "gdb" => options.has("-batch"),
        _ => false,
    }
}

fn shell(name: &str) -> bool {
    matches!(
        name,
        "bash" | "sh" | "zsh" | "dash" | "fish" | "ksh" | "python" | "python3"
    )
}

fn git(options: &Options<'_, '_>) -> bool {
    if options.starts_with("rebase") {
        return options.has_any(&["-i", "--interactive"]);
    }
    if options.starts_with("add") || options.starts_with("checkout") || options.starts_with("stash")
    {
        return options.has_any(&["-p", "--patch", "-i", "--interactive"]);
    }
    options.starts_with("commit")
        && !options.has_any(&[
            "-m",
            "-F",
            "-C",
            "--message",
            "--file",
            "--no-edit",
            "--reuse-message",
            "--fixup",
            "--dry-run",
        ])
}
