//! Programs that run other programs: what they run is found behind their own options.

use super::arg::{Arg, UNKNOWN};
use super::code::{is_shell, origin};
use super::source::{Origin, Source};
use super::{Feed, Walker};
use crate::analysis::Span;
use crate::effects::touch::Touch;
use crate::effects::{Call, Options};

mod containers;
mod elsewhere;
mod found;
mod given;
mod shells;
mod table;
mod tools;

use table::{OTHERS, PREFIXES, Prefix, prefix};

/// Programs inside of an argument that are looked at.
const MAX_INSIDE: usize = 32;

/// Whether it is the program that loads programs.
fn is_loader(name: &str) -> bool {
    name.starts_with("ld-linux") || name.starts_with("ld-musl")
}

/// Whether the program runs what stands in its arguments.
pub(crate) fn is_wrapper(name: &str) -> bool {
    is_loader(name)
        || is_shell(name)
        || OTHERS.contains(&name)
        || PREFIXES.iter().any(|prefix| prefix.name == name)
}

impl Walker<'_> {
    /// Follows what the call runs, if it is one that runs something.
    pub(crate) fn unroll<'t>(&mut self, call: &Call<'_, 't>) {
        let loader = is_loader(call.name);
        let name = if loader { "ld.so" } else { call.name };
        if let Some(prefix) = PREFIXES.iter().find(|prefix| prefix.name == name) {
            self.prefixed(prefix, call);
            return;
        }
        if is_shell(call.name) {
            self.shell(call);
            return;
        }
        match call.name {
            "xargs" => self.xargs(call),
            "parallel" => self.parallel(call),
            "find" | "gfind" => self.find_exec(call),
            "fd" => self.fd_exec(call),
            "watch" => self.joined(call, "nq", &["--interval", "--equexit"], true),
            "script" | "flock" | "sg" => self.with_command_option(call),
            "ssh" | "autossh" | "mosh" => self.ssh(call),
            "docker" | "podman" | "nerdctl" | "docker-compose" => self.container(call),
            "kubectl" | "oc" => self.kubectl(call),
            "su" => self.su(call),
            "eval" => self.joined(call, "", &[], false),
            "source" | "." => self.source_file(call),
            "trap" => self.trap(call),
            "alias" => self.alias(call),
            "git" => self.git_alias(call),
            "tar" | "bsdtar" => self.option_bodies(
                call,
                &[
                    "--to-command",
                    "--use-compress-program",
                    "--rsh-command",
                    "-I",
                    "--info-script",
                    "-F",
                ],
            ),
            "rsync" => self.option_bodies(call, &["-e", "--rsh", "--rsync-path"]),
            "make" | "gmake" => self.make(call),
            "npx" | "pnpx" | "bunx" => self.behind_operands(call, 0, &["-p", "--package"], true),
            "uv" | "poetry" | "pipenv" | "conda" | "bundle" | "npm" | "pnpm" | "yarn" | "rye"
            | "pdm" | "hatch" => self.runner(call),
            "nix-shell" => self.option_bodies(call, &["--run", "--command"]),
            "tmux" | "screen" => self.terminal_multiplexer(call),
            "vim" | "vi" | "nvim" | "ex" | "view" => self.editor(call),
            "crontab" | "at" | "batch" => self.later(call),
            "mapfile" | "readarray" => self.callback(call),
            "bind" => {
                if let Some(body) = call.args.iter().find_map(|arg| arg.text.split_once(':')) {
                    let body = body.1.to_owned();
                    let origin = Origin::Whole(call.span);
                    self.postponed(|w| w.scoped(|w| w.shell_body(&body, origin, false)));
                }
            }
            "scp" | "sftp" => self.ssh_options(call),
            "psql" | "mysql" | "mariadb" => self.database_shell(call),
            "go" if call.args.iter().any(|arg| arg.is("/dev/stdin")) => {
                self.found.note("foreign-code", call.span);
            }
            "go" => {
                let mut files = call.args.iter().filter(|arg| arg.text.ends_with(".go"));
                if let Some(file) = files.next() {
                    self.check_content("go", file);
                }
            }
            "cmake" => self.cmake_tool(call),
            "complete" => self.option_bodies(call, &["-C", "-F"]),
            "compgen" => self.completions(call),
            "fc" => self.history_again(call),
            "expect" => self.expect(call),
            "ed" | "red" => {
                self.bang(call);
                for arg in call.args.iter().filter(|arg| !arg.is_option()) {
                    self.touch(Touch::Write, arg);
                }
            }
            "gdb" | "lldb" | "less" | "more" | "ftp" | "bc" | "mail" | "mailx" | "sqlite3" => {
                self.bang(call);
            }
            "ip" => self.network_namespace(call),
            "java" | "javaw" | "dotnet" | "mono" | "wine" | "deno" | "bun" | "wasmtime" => {
                for file in call.args.iter().filter(|arg| !arg.is_option()) {
                    self.check_content("java", file);
                }
            }
            "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++" | "tcc" => self.compiler(call),
            "man" => self.option_bodies(call, &["-P", "--pager"]),
            "zip" => self.option_bodies(call, &["-TT", "--unzip-command"]),
            "start-stop-daemon" => self.daemon(call),
            "run-parts" => self.directory_of_programs(call),
            "bwrap" => self.behind_dashes(call),
            "enable" if call.args.iter().any(|arg| arg.is("-f")) => {
                self.found.note("hidden-code", call.span);
            }
            _ => self.elsewhere_command(call),
        }
    }

    /// Where the command begins behind the options of a prefix.
    fn command_start(prefix: &Prefix, args: &[Arg<'_>]) -> usize {
        let mut at = 0;
        let mut operands = prefix.operands;
        if prefix.name == "setarch"
            && !args
                .iter()
                .find(|arg| !arg.is_option())
                .is_some_and(|arg| given::is_machine(&arg.text))
        {
            operands = 0;
        }
        while let Some(arg) = args.get(at) {
            let text = arg.text.as_ref();
            if text == "--" {
                return (at + 1 + operands).min(args.len());
            }
            if text.starts_with('-') {
                let takes_next = if text.starts_with("--") || prefix.long.contains(&text) {
                    prefix.long.contains(&text)
                } else {
                    // The value follows when the letter that takes one stands last.
                    text.bytes()
                        .skip(1)
                        .position(|b| prefix.short.as_bytes().contains(&b))
                        == Some(text.len().saturating_sub(2))
                        && text.len() > 1
                };
                at += if takes_next {
                    1 + one_word(args, at + 1)
                } else {
                    1
                };
            } else if prefix.assigns && (is_assignment(text) || names_function(text)) {
                at += 1;
            } else if operands > 0 {
                operands -= 1;
                at += one_word(args, at);
                if operands == 0 && matches!(prefix.name, "run" | "exec") {
                    // Behind the image or the container all words are the command's.
                    return at;
                }
            } else {
                return at;
            }
        }
        args.len()
    }

    fn prefixed<'t>(&mut self, prefix: &Prefix, call: &Call<'_, 't>) {
        let mut start = Self::command_start(prefix, call.args);
        if call.name == "setarch" && call.args.get(start).is_some_and(is_architecture) {
            // The architecture may be left out.
            let rest = call.args.get(start + 1..).unwrap_or_default();
            start += 1 + Self::command_start(prefix, rest);
        }
        let (own, command) = call.args.split_at(start.min(call.args.len()));
        match call.name {
            "sudo" | "doas" | "pkexec" | "runuser" | "gosu" | "su-exec" => {
                return self.privileged(call, own, command);
            }
            "env" => {
                if self.env(call, own) {
                    return;
                }
                let directory = crate::effects::value_of(call, &["-C", "--chdir"]);
                if let (Some(directory), false) = (directory.first(), command.is_empty()) {
                    return self.scoped(|w| {
                        w.place.enter(&directory.text);
                        w.call(call.source, command);
                    });
                }
            }
            "capsh" => {
                if let Some(at) = call.args.iter().position(|arg| arg.is("--")) {
                    let shell = Call {
                        name: "bash",
                        args: call.args.get(at + 1..).unwrap_or_default(),
                        ..*call
                    };
                    self.scoped(|w| w.shell(&shell));
                }
                return;
            }
            "chroot" | "setpriv" if !command.is_empty() => {
                let changes = call.name == "chroot"
                    || own.iter().any(|arg| {
                        ["--reuid", "--regid", "--euid", "--ruid", "--init-groups"]
                            .iter()
                            .any(|flag| arg.text.starts_with(flag))
                    });
                if changes {
                    self.privilege(call);
                    let before = std::mem::replace(&mut self.found.elevated, true);
                    self.scoped(|w| w.call(call.source, command));
                    self.found.elevated = before;
                    return;
                }
            }
            "nohup" | "setsid" | "daemonize" | "systemd-run" => self.found.shell.backgrounds = true,
            "command"
                if own
                    .iter()
                    .any(|arg| arg.text.starts_with("-v") || arg.text.starts_with("-V")) =>
            {
                if let [only] = command {
                    let (text, traits) = (only.text.clone().into_owned(), only.traits);
                    self.output_text(text, traits, call.span);
                }
                return;
            }
            "nsenter"
                if own.iter().any(|arg| {
                    arg.is("-t") || arg.text.starts_with("--target") || arg.is("-t1")
                }) =>
            {
                self.found.note("enters-host", call.span);
            }
            "chroot" if command.is_empty() => self.found.note("privileged-shell", call.span),
            "strace" | "ltrace" => {
                // What it writes goes to a program when the name begins with `|`.
                for file in crate::effects::value_of(call, &["-o", "--output"]) {
                    if let Some(body) = file.text.trim().strip_prefix(['|', '!']) {
                        self.shell_body(body, Origin::Whole(file.span), true);
                    }
                }
            }
            "hyperfine" => {
                for body in command {
                    let (text, origin) = self.body_of(call.source, body);
                    self.shell_body(&text, origin, true);
                }
                return;
            }
            _ => {}
        }
        if command.is_empty() {
            return;
        }
        if matches!(call.name, "exec" | "command" | "builtin") {
            self.call(call.source, command);
        } else {
            self.scoped(|w| w.call(call.source, command));
        }
    }

    fn privileged<'t>(&mut self, call: &Call<'_, 't>, own: &[Arg<'t>], command: &[Arg<'t>]) {
        let flag = |letter: char, long: &str| {
            own.iter().any(|arg| {
                arg.is(long)
                    || (arg.text.starts_with('-')
                        && !arg.text.starts_with("--")
                        && arg.text.contains(letter))
            })
        };
        self.privilege(call);
        for arg in own {
            self.given_variable(arg);
        }
        if call.name == "sudo" && flag('S', "--stdin") {
            // The password comes on standard input; what is left of it is not known.
            self.feed = if self.feed.is_none() {
                Feed::None
            } else {
                Feed::Opaque
            };
        }
        if call.name == "sudo" && flag('e', "--edit") {
            for file in command {
                self.touch(Touch::Write, file);
            }
            self.found.note("privileged-effect", call.span);
            self.found.interactive = true;
            return;
        }
        let before = self.found.elevated;
        self.found.elevated = true;
        let shell = flag('i', "--login") || flag('s', "--shell");
        if command.is_empty() {
            let asks = flag('l', "--list")
                || flag('v', "--validate")
                || flag('k', "--reset-timestamp")
                || flag('K', "--remove-timestamp")
                || flag('V', "--version")
                || (call.name == "sudo" && own.iter().any(|arg| arg.is("-h") || arg.is("--help")));
            if shell || !asks {
                self.found.note("privileged-shell", call.span);
                self.found.interactive |= shell;
            }
        } else if call.name == "runuser" && !own.iter().any(|arg| arg.text.contains('u')) {
            self.su(call);
        } else if shell {
            let body: Vec<&str> = command.iter().map(|arg| arg.text.as_ref()).collect();
            let origin = match command {
                [only] => origin(call.source, only),
                _ => Origin::Whole(cover(command)),
            };
            // Arguments are handed over escaped, so they stay words.
            if command.len() == 1 {
                self.shell_body(&body.join(" "), origin, true);
            } else {
                self.scoped(|w| w.call(call.source, command));
            }
        } else {
            self.scoped(|w| w.call(call.source, command));
        }
        self.found.elevated = before;
    }

    fn su<'t>(&mut self, call: &Call<'_, 't>) {
        if call.name == "su" {
            self.privilege(call);
        }
        let before = self.found.elevated;
        self.found.elevated = true;
        let body = body_option(call.args, &["-c", "--command", "--session-command"]);
        match body {
            Some(body) => {
                let (text, origin) = self.body_of(call.source, body);
                self.shell_body(&text, origin, true);
            }
            None => self.found.note("privileged-shell", call.span),
        }
        self.found.elevated = before;
    }

    /// Words that are joined with blanks and read as code.
    fn joined<'t>(
        &mut self,
        call: &Call<'_, 't>,
        short: &'static str,
        long: &'static [&'static str],
        separate: bool,
    ) {
        let own = prefix("", short, long, 0, false);
        let start = if call.name == "eval" {
            usize::from(call.args.first().is_some_and(|arg| arg.is("--")))
        } else {
            Self::command_start(&own, call.args)
        };
        let words = call.args.get(start..).unwrap_or_default();
        self.code_words(call, words, separate);
    }

    /// Words as code: mapped back when it is a single one.
    pub(super) fn code_words<'t>(
        &mut self,
        call: &Call<'_, 't>,
        words: &[Arg<'t>],
        separate: bool,
    ) {
        match words {
            [] => {}
            [only] => {
                let nothing = only.text.trim_matches(UNKNOWN).trim().is_empty();
                if nothing && only.traits.unknown || only.traits.listing {
                    self.unknown_body(call, only);
                    return;
                }
                let (text, origin) = self.body_of(call.source, only);
                self.shell_body(&text, origin, separate);
            }
            [first, ..] => {
                if words.iter().any(|arg| arg.traits.listing) {
                    self.found.note("hidden-code", first.span);
                }
                let text = words
                    .iter()
                    .map(|arg| arg.text.as_ref())
                    .collect::<Vec<_>>()
                    .join(" ");
                self.shell_body(&text, joined_origin(call.source, words), separate);
            }
        }
    }

    /// Code of which nothing is known; some programs are known to print settings for a shell.
    fn unknown_body(&mut self, call: &Call<'_, '_>, arg: &Arg<'_>) {
        let raw = arg
            .word
            .map(|word| call.source.slice(word.span))
            .unwrap_or_default();
        let inside = raw
            .trim_matches('"')
            .trim_start_matches("$(")
            .trim_start_matches('`');
        const SETTINGS: &[&str] = &[
            "ssh-agent",
            "direnv hook",
            "direnv export",
            "brew shellenv",
            "/opt/homebrew/bin/brew shellenv",
            "pyenv init",
            "rbenv init",
            "nodenv init",
            "fnm env",
            "starship init",
            "zoxide init",
            "dircolors",
            "resize",
            "lesspipe",
            "conda shell.",
            "opam env",
            "minikube docker-env",
            "docker-machine env",
            "luarocks path",
            "mise activate",
            "mise env",
            "goenv init",
            "register-python-argcomplete",
            "jenv init",
            "perl -I",
            "thefuck",
            "gh completion",
            "kubectl completion",
            "atuin init",
            "ssh-agent -s",
            "tset -s",
            "locale",
        ];
        let known = SETTINGS.iter().any(|start| inside.starts_with(start))
            && !inside.contains(['|', ';', '&']);
        if known {
            return;
        }
        // What stands in the argument was listed last.
        let listed = self.found.programs.iter().rev().take(MAX_INSIDE);
        let network = listed.map(|listed| &listed.program).any(|program| {
            matches!(program.name.as_str(), "curl" | "wget")
                && program.span.start >= arg.span.start
                && program.span.end <= arg.span.end
        });
        self.found.note(
            if network {
                "code-from-network"
            } else {
                "hidden-code"
            },
            arg.span,
        );
    }

    fn with_command_option<'t>(&mut self, call: &Call<'_, 't>) {
        if let Some(body) = body_option(call.args, &["-c", "--command"]) {
            let (text, origin) = self.body_of(call.source, body);
            self.shell_body(&text, origin, true);
            return;
        }
        if call.name == "flock" {
            let own = prefix("flock", "wE", &["--wait", "--timeout"], 1, false);
            let start = Self::command_start(&own, call.args);
            let command = call.args.get(start..).unwrap_or_default();
            self.scoped(|w| w.call(call.source, command));
        } else {
            let options = Options::read(call);
            if let Some(file) = options.operand(0) {
                self.touch(Touch::Write, file);
            }
        }
    }

    /// The values of options that are command lines.
    pub(super) fn option_bodies<'t>(&mut self, call: &Call<'_, 't>, names: &[&str]) {
        let mut args = call.args.iter();
        while let Some(arg) = args.next() {
            let text = arg.text.as_ref();
            if let Some(action) = text.strip_prefix("--checkpoint-action=") {
                if let Some(body) = action.strip_prefix("exec=") {
                    self.shell_body(body, Origin::Whole(arg.span), true);
                }
                continue;
            }
            for name in names {
                if text == *name {
                    if let Some(body) = args.next() {
                        let (text, origin) = self.body_of(call.source, body);
                        self.shell_body(&text, origin, true);
                    }
                    break;
                }
                let joined = text.strip_prefix(name).and_then(|rest| {
                    if name.starts_with("--") {
                        rest.strip_prefix('=')
                    } else {
                        None
                    }
                });
                if let Some(body) = joined {
                    self.shell_body(body, Origin::Whole(arg.span), true);
                    break;
                }
            }
        }
    }
}

/// Whether the word is one that `setarch` takes for an architecture.
fn is_architecture(arg: &Arg<'_>) -> bool {
    let known = [
        "x86_64", "i386", "i486", "i586", "i686", "linux32", "linux64", "aarch64", "uname26",
    ];
    let starts = ["arm", "ppc", "s390", "mips", "sparc", "riscv"];
    known.contains(&arg.text.as_ref()) || starts.iter().any(|start| arg.text.starts_with(start))
}

/// How many arguments the word at this place became: a variable that may have one of several
/// values is all of them.
fn one_word(args: &[Arg<'_>], at: usize) -> usize {
    let Some(first) = args.get(at) else { return 1 };
    let same = |arg: &&Arg<'_>| arg.span == first.span && arg.traits.expanded;
    let rest = args.get(at + 1..).unwrap_or_default();
    1 + rest.iter().take_while(same).count()
}

/// Where the words stand in the command, each in its place.
fn joined_origin(source: &Source<'_>, words: &[Arg<'_>]) -> Origin {
    let mut pieces = Vec::new();
    let mut at = 0;
    for word in words {
        match origin(source, word) {
            Origin::Pieces(own) => pieces.extend(own.into_iter().map(|(from, to)| (from + at, to))),
            Origin::Shifted(_) | Origin::Whole(_) => return Origin::Whole(cover(words)),
        }
        at += word.text.len() + 1;
    }
    Origin::Pieces(pieces)
}

pub(super) fn cover(words: &[Arg<'_>]) -> Span {
    let start = words.first().map_or(0, |arg| arg.span.start);
    let end = words.last().map_or(start, |arg| arg.span.end);
    Span::new(start, end.max(start))
}

pub(super) fn is_assignment(text: &str) -> bool {
    text.split_once('=')
        .is_some_and(|(name, _)| crate::env::valid_env_name(name))
}

/// A variable in which bash finds a function; its name is that of no other variable.
fn names_function(text: &str) -> bool {
    text.starts_with("BASH_FUNC_") && text.contains('=')
}

/// The value of an option that holds code, also in a cluster such as `-qc`.
pub(super) fn body_option<'a, 't>(args: &'a [Arg<'t>], names: &[&str]) -> Option<&'a Arg<'t>> {
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let text = arg.text.as_ref();
        let cluster = text.starts_with('-')
            && !text.starts_with("--")
            && text.len() > 2
            && text.ends_with('c')
            && text.bytes().skip(1).all(|b| b.is_ascii_alphabetic());
        if names.contains(&text) || cluster {
            return rest.next();
        }
    }
    None
}
