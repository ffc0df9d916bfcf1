//! Wrappers whose command is a text, or runs somewhere else.

use super::super::arg::{Arg, UNKNOWN};
use super::super::code::is_shell;
use super::super::functions::shadows;
use super::super::source::Origin;
use super::super::{Feed, Walker};
use super::body_option;
use super::table::prefix;
use crate::analysis::Span;
use crate::effects::{Call, Options};
use crate::place::Place;

/// Commands of `tmux` that start a program with the words behind them.
const STARTS: &[&str] = &[
    "new",
    "new-session",
    "neww",
    "new-window",
    "splitw",
    "split-window",
    "respawn-pane",
    "respawn-window",
    "popup",
    "display-popup",
];

/// Signals, and the end itself, at which a shell is over.
const ENDING: &[&str] = &[
    "EXIT", "0", "exit", "INT", "TERM", "HUP", "QUIT", "PIPE", "ABRT", "1", "2", "3", "15",
];

impl Walker<'_> {
    /// `bash`, `sh` and their kin: code behind `-c`, a script, or standard input.
    pub(super) fn shell<'t>(&mut self, call: &Call<'_, 't>) {
        let mut index = 0;
        let mut code = false;
        let mut reads_input = false;
        while let Some(arg) = call.args.get(index) {
            let text = arg.text.as_ref();
            let option = text.len() > 1 && (text.starts_with('-') || text.starts_with('+'));
            if !option || text == "--" {
                index += usize::from(text == "--");
                break;
            }
            index += 1;
            if text.starts_with("--") {
                let takes = matches!(text, "--rcfile" | "--init-file");
                if takes {
                    self.found.note("hidden-code", arg.span);
                    index += 1;
                }
                continue;
            }
            if text.bytes().skip(1).all(|b| b.is_ascii_alphabetic())
                && text.contains('n')
                && !text.starts_with('+')
            {
                // It only reads the code.
                return;
            }
            code |= text.contains('c');
            reads_input |= text.contains('s');
            if text.ends_with('o') || text.ends_with('O') {
                index += 1;
            }
        }
        let rest = call.args.get(index..).unwrap_or_default();
        if code {
            let Some((body, positional)) = rest.split_first() else {
                return;
            };
            self.scoped(|w| {
                w.set_positional(positional.get(1..).unwrap_or_default());
                w.code_words(call, std::slice::from_ref(body), true);
            });
            return;
        }
        let Some(script) = rest.first().filter(|_| !reads_input) else {
            if self.found.elevated && self.feed.is_none() {
                self.found.note("privileged-shell", call.span);
            }
            self.code_from_feed(call);
            return;
        };
        self.script_file(call, script);
    }

    /// A file that is run as a script.
    fn script_file(&mut self, call: &Call<'_, '_>, script: &Arg<'_>) {
        let text = script.text.as_ref();
        let shell = Call {
            name: if matches!(call.name, "source" | ".") {
                "sh"
            } else {
                call.name
            },
            ..*call
        };
        if let Some(feed) = self.process_feed(text) {
            return self.code_from(&shell, &feed);
        }
        if text.starts_with("/dev/tcp/") || text.starts_with("/dev/udp/") {
            return self.found.note("code-from-network", script.span);
        }
        if matches!(text, "/dev/stdin" | "-" | "/dev/fd/0" | "/proc/self/fd/0") {
            return self.code_from_feed(&shell);
        }
        if text.starts_with("/dev/fd/") || text.starts_with("/proc/self/fd/") {
            return self.found.note("hidden-code", script.span);
        }
        if self.found.elevated {
            self.found.note("privileged-effect", script.span);
        }
        self.check_content(shell.name, script);
        if script.traits.listing || script.traits.unknown && !text.contains(['/', '.']) {
            self.found.note("hidden-code", script.span);
        }
    }

    pub(super) fn source_file(&mut self, call: &Call<'_, '_>) {
        let Some(file) = call.args.iter().find(|arg| !arg.is("--")) else {
            return;
        };
        self.script_file(call, file);
        // What the file sets and defines is not known.
        self.found.raise(crate::analysis::Risk::Medium);
    }

    pub(super) fn trap<'t>(&mut self, call: &Call<'_, 't>) {
        let Some(body) = call.args.iter().find(|arg| !arg.is("--")) else {
            return;
        };
        if body.text.starts_with('-') || body.text.is_empty() || call.args.len() < 2 {
            return;
        }
        let (text, origin) = self.body_of(call.source, body);
        // With signals that end the shell it is what runs in the end, too.
        let mut signals = call.args.iter().skip(1);
        let at_exit = call
            .args
            .iter()
            .skip(1)
            .any(|arg| arg.is("EXIT") || arg.is("0") || arg.is("exit"))
            && signals.all(|arg| ENDING.contains(&arg.text.trim_start_matches("SIG")));
        if at_exit && self.in_main() {
            self.note_exit_trap(text, origin);
        } else {
            self.postponed(|w| w.scoped(|w| w.shell_body(&text, origin, false)));
        }
    }

    /// The text of an alias is judged as code, because a living shell may come to run it.
    pub(super) fn alias<'t>(&mut self, call: &Call<'_, 't>) {
        for arg in call.args.iter().filter(|arg| !arg.is_option()) {
            if let Some((name, body)) = arg.text.split_once('=') {
                if shadows(name) && body.split_whitespace().next() != Some(name) {
                    self.found.note("shadows-program", arg.span);
                }
                // It runs with whatever is typed behind it, unless it asks a person first.
                let asks = body
                    .split_whitespace()
                    .any(|word| matches!(word, "-i" | "-I"));
                let body = if asks {
                    body.to_owned()
                } else {
                    format!("{body} {UNKNOWN}")
                };
                let origin = Origin::Whole(arg.span);
                let programs = self.found.programs.len();
                self.postponed(|w| w.scoped(|w| w.shell_body(&body, origin, false)));
                // They are programs of the alias, and nothing has called that.
                self.found.programs.truncate(programs);
            }
        }
    }

    /// Runs `inner` as something on another machine or in a container.
    pub(super) fn at_place(&mut self, via: &str, place: Place, inner: impl FnOnce(&mut Self)) {
        let here = std::mem::replace(&mut self.place, place);
        let before = self.via.replace(via.to_owned());
        let privileged = std::mem::replace(&mut self.found.elevated, false);
        inner(self);
        self.found.elevated = privileged;
        self.via = before;
        self.place = here;
    }

    pub(super) fn ssh<'t>(&mut self, call: &Call<'_, 't>) {
        let own = prefix("ssh", "BbcDEeFIiJLlmOoPpQRSWw", &[], 1, false);
        self.ssh_options(call);
        let start = Self::command_start(&own, call.args);
        let command = call
            .args
            .get(start.min(call.args.len())..)
            .unwrap_or_default();
        self.at_place("ssh", Place::remote(), |w| {
            if command.is_empty() {
                // A shell on the other machine that reads its commands from here.
                let shell = Call {
                    name: "sh",
                    ..*call
                };
                if !w.feed.is_none() {
                    w.code_from_feed(&shell);
                }
            } else {
                w.code_words(call, command, true);
            }
        });
    }

    /// `git -c alias.x='!command' x`, `git rebase --exec`, `git bisect run`, `git submodule foreach`.
    pub(super) fn git_alias<'t>(&mut self, call: &Call<'_, 't>) {
        self.option_bodies(
            call,
            &[
                "-x",
                "--exec",
                "--upload-pack",
                "--receive-pack",
                "--tree-filter",
                "--index-filter",
                "--msg-filter",
                "--env-filter",
                "--commit-filter",
                "--extcmd",
                "-ix",
            ],
        );
        let options = Options::read(call);
        let operands: Vec<Arg<'t>> = options.operands.iter().map(|arg| (*arg).clone()).collect();
        if options.starts_with("clone") {
            self.option_bodies(call, &["-u"]);
        }
        if let Some(program) = operands.iter().find(|arg| arg.text.starts_with("ext::")) {
            self.found.note("git-runs-program", program.span);
        }
        if call
            .args
            .iter()
            .any(|arg| arg.text.starts_with("--exec-path="))
        {
            self.found.note("git-runs-program", call.span);
        }
        let run = call.args.iter().position(|arg| arg.is("run"));
        match operands.as_slice() {
            [a, b, ..] if a.is("bisect") && b.is("run") => {
                let start = run.map_or(call.args.len(), |at| at + 1);
                let command = call.args.get(start..).unwrap_or_default();
                self.scoped(|w| w.call(call.source, command));
            }
            [a, b, command @ ..] if a.is("submodule") && b.is("foreach") => {
                self.code_words(call, command, true);
            }
            _ => {}
        }
    }

    /// `make SHELL=…`, `make --eval=…`.
    pub(super) fn make(&mut self, call: &Call<'_, '_>) {
        for arg in call.args {
            let text = &arg.text;
            if let Some(code) = text
                .strip_prefix("--eval=")
                .or_else(|| text.strip_prefix("-E"))
            {
                let code = code.to_owned();
                self.makefile(&code, arg.span);
            } else if text.is_empty() || text.starts_with("SHELL=") || text.contains("$(shell") {
                self.found.note("hidden-code", arg.span);
            }
        }
        for arg in call.args {
            let tool = arg
                .text
                .split_once('=')
                .filter(|(_, value)| value.contains(' '));
            if let Some((name, value)) = tool.filter(|(name, _)| {
                matches!(
                    *name,
                    "CC" | "CXX" | "LD" | "AR" | "MAKE" | "CARGO" | "GO" | "PYTHON" | "RM"
                )
            }) {
                let _ = name;
                let value = value.to_owned();
                self.shell_body(&value, Origin::Whole(arg.span), true);
            }
        }
        let process = |file: &Arg<'_>| file.text.starts_with("/dev/fd/");
        let file = call.args.windows(2).find_map(|pair| match pair {
            [flag, file] if flag.is("-f") => Some(file),
            _ => None,
        });
        let reads_input = file.is_some_and(|file| file.is("-")) && !self.feed.is_none();
        if reads_input || file.is_some_and(process) {
            self.found.note("hidden-code", call.span);
        }
        // A makefile that the text itself wrote.
        let named = crate::effects::value_of(call, &["-f", "--file", "--makefile"]);
        let usual =
            ["Makefile", "makefile", "GNUmakefile"].map(|name| Arg::literal(name, call.span));
        for file in if named.is_empty() {
            &usual[..]
        } else {
            &named[..]
        } {
            if let Some(text) = self.content_of(&file.text).and_then(|content| content.text) {
                let programs = self.found.programs.len();
                self.makefile(&text.text, file.span);
                self.found.programs.truncate(programs);
            }
        }
    }

    pub(super) fn behind_operands<'t>(
        &mut self,
        call: &Call<'_, 't>,
        skip: usize,
        values: &[&str],
        takes_code: bool,
    ) {
        if let Some(body) = body_option(call.args, &["-c", "--call"]).filter(|_| takes_code) {
            let (text, origin) = self.body_of(call.source, body);
            self.shell_body(&text, origin, true);
            return;
        }
        let mut at = 0;
        let mut left = skip;
        while let Some(arg) = call.args.get(at) {
            if arg.is("--") {
                at += 1;
                break;
            }
            if arg.is_option() {
                at += if values.contains(&arg.text.as_ref()) {
                    2
                } else {
                    1
                };
            } else if left > 0 {
                left -= 1;
                at += 1;
            } else {
                break;
            }
        }
        let command = call.args.get(at..).unwrap_or_default();
        self.scoped(|w| w.call(call.source, command));
    }

    /// `uv run x`, `poetry run x`, `npm exec x`, `bundle exec x`, `conda run x`.
    pub(super) fn runner<'t>(&mut self, call: &Call<'_, 't>) {
        let options = Options::read(call);
        let Some(verb) = options.operand(0) else {
            return;
        };
        let runs = match call.name {
            "npm" | "bundle" | "pnpm" => verb.is("exec") || verb.is("x") || verb.is("dlx"),
            "yarn" => verb.is("exec") || verb.is("dlx"),
            _ => verb.is("run"),
        };
        if matches!(call.name, "npm" | "pnpm" | "yarn") && options.starts_with("pkg set") {
            // What it writes is a command of the project from then on.
            for arg in options.operands.iter().skip(2) {
                if let Some((_, body)) = arg
                    .text
                    .split_once('=')
                    .filter(|(key, _)| key.starts_with("scripts"))
                {
                    let body = body.to_owned();
                    let programs = self.found.programs.len();
                    self.postponed(|w| w.shell_body(&body, Origin::Whole(arg.span), true));
                    self.found.programs.truncate(programs);
                }
            }
        }
        if call.name == "npm" && verb.is("explore") {
            self.behind_dashes(call);
        }
        if runs {
            self.behind_operands(
                call,
                1,
                &[
                    "--with",
                    "-p",
                    "--python",
                    "-n",
                    "--name",
                    "--package",
                    "--group",
                    "--extra",
                    "--env-file",
                    "--directory",
                    "--project",
                ],
                call.name == "npm",
            );
        }
    }

    pub(super) fn terminal_multiplexer<'t>(&mut self, call: &Call<'_, 't>) {
        let options = Options::read(call);
        self.found.shell.backgrounds = true;
        let verb = options.operand(0).map_or("", |arg| arg.text.as_ref());
        if call.name == "tmux" && matches!(verb, "send-keys" | "send") {
            return self.typed(call);
        }
        let (own, from) = if call.name == "screen" {
            (prefix("screen", "cehpsStT", &[], 0, false), 0)
        } else {
            let at = call.args.iter().position(|arg| arg.is(verb)).unwrap_or(0);
            (prefix("tmux", "cefFlnpstxyS", &[], 0, false), at + 1)
        };
        let args = call.args.get(from..).unwrap_or_default();
        let command = args
            .get(Self::command_start(&own, args).min(args.len())..)
            .unwrap_or_default();
        match command {
            [] => {}
            [body] => {
                let (text, origin) = self.body_of(call.source, body);
                self.shell_body(&text, origin, true);
            }
            _ if call.name == "screen" || STARTS.contains(&verb) => {
                self.scoped(|w| w.call(call.source, command));
            }
            _ => {
                for body in command.iter().filter(|arg| arg.text.contains(' ')) {
                    let (text, origin) = self.body_of(call.source, body);
                    self.shell_body(&text, origin, true);
                }
            }
        }
    }

    /// `tmux send-keys`: what is typed into a shell, without the names of keys.
    fn typed(&mut self, call: &Call<'_, '_>) {
        let target = crate::effects::value_of(call, &["-t", "-N"]);
        let mut text = String::new();
        for arg in call.args.iter().skip(1).filter(|arg| !arg.is_option()) {
            let key = matches!(
                arg.text.as_ref(),
                "Enter" | "Escape" | "Tab" | "Space" | "BSpace" | "Up" | "Down"
            ) || arg.text.len() == 3 && arg.text.starts_with("C-");
            let own = target.iter().any(|target| target.span == arg.span);
            if key {
                text.push('\n');
            } else if !own {
                text.push_str(&arg.text);
            }
        }
        self.shell_body(text.trim(), Origin::Whole(call.span), true);
    }

    /// Programs that run what stands behind `!` in their commands: `ed`, `gdb`, `less`.
    pub(super) fn bang<'t>(&mut self, call: &Call<'_, 't>) {
        if let Feed::Text(text) = self.feed.clone()
            && self.charge(text.text.len(), call.span)
        {
            let span = text.origin.span(Span::new(0, text.text.len()));
            for line in text.text.lines() {
                if let Some(body) = line.trim_start_matches('~').strip_prefix('!') {
                    self.shell_body(body, Origin::Whole(span), true);
                }
            }
        }
        for arg in call.args {
            let text = arg.text.trim_start_matches(['+', ' ']);
            if let Some(body) = text
                .strip_prefix('!')
                .or_else(|| text.strip_prefix("shell "))
                .or_else(|| text.strip_prefix("platform shell "))
                .or_else(|| text.strip_prefix(".shell "))
                .or_else(|| text.strip_prefix(".system "))
            {
                let body = body.to_owned();
                self.shell_body(&body, Origin::Whole(arg.span), true);
            } else if matches!(call.name, "gdb" | "lldb")
                && (text.starts_with("python")
                    || text.starts_with("pipe ")
                    || text.starts_with("script "))
            {
                self.found.note("hidden-code", arg.span);
            }
        }
    }

    /// Code on standard input that runs at another time.
    pub(super) fn later(&mut self, call: &Call<'_, '_>) {
        if call.name == "crontab" {
            return;
        }
        let shell = Call {
            name: "sh",
            ..*call
        };
        self.postponed(|w| w.code_from_feed(&shell));
    }

    pub(super) fn expect<'t>(&mut self, call: &Call<'_, 't>) {
        if let Some(body) = body_option(call.args, &["-c"]) {
            let text = body.text.clone().into_owned();
            if !self.charge_body(text.len(), body.span) {
                return;
            }
            if text.contains("exec ") || text.contains("system ") || text.contains("eval ") {
                self.found.note("foreign-code", body.span);
            }
            for spawned in text.split("spawn ").skip(1) {
                let line = spawned
                    .split(['\n', ';'])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                self.shell_body(&line, Origin::Whole(body.span), true);
            }
        }
    }

    pub(super) fn behind_dashes<'t>(&mut self, call: &Call<'_, 't>) {
        let at = call.args.iter().position(|arg| arg.is("--"));
        let start = at.map(|at| at + 1).or_else(|| {
            call.args
                .iter()
                .position(|arg| matches!(arg.text.rsplit('/').next(), Some(name) if is_shell(name)))
        });
        if let Some(start) = start {
            let command = call.args.get(start..).unwrap_or_default();
            self.scoped(|w| w.call(call.source, command));
        }
    }
}
