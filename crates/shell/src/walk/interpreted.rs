//! Programs that read commands of their own from a file or their standard input, where the text
//! shows what is in it: `ed`, `lftp`, `cmake -P <(…)`.

use super::arg::Arg;
use super::feed::Text;
use super::{Feed, Walker};
use crate::analysis::Span;
use crate::effects::touch::Touch;
use crate::effects::{Call, value_of};
use crate::rules::{self, Group};

/// Options whose value is a file of code, by program.
const CODE_FILES: &[(&str, &[&str])] = &[
    ("cmake", &["-P", "-C", "-D"]),
    ("ctest", &["-S", "-SP"]),
    ("ninja", &["-f"]),
    ("make", &["-f", "--file", "--makefile"]),
    ("gmake", &["-f", "--file", "--makefile"]),
    ("just", &["-f", "--justfile"]),
    ("task", &["-t", "--taskfile"]),
    ("rake", &["-f", "--rakefile"]),
    ("ant", &["-f", "-buildfile"]),
    ("gradle", &["-I", "--init-script", "-b", "--build-file"]),
    ("mvn", &["-f", "--file"]),
    ("meson", &["--native-file", "--cross-file"]),
    ("ssh", &["-F"]),
    ("scp", &["-F"]),
    ("sftp", &["-b", "-F"]),
    ("rsync", &["--config"]),
    ("curl", &["-K", "--config"]),
    ("wget", &["--config"]),
    (
        "pandoc",
        &["--lua-filter", "-L", "--filter", "-F", "-d", "--defaults"],
    ),
    ("nmap", &["--script"]),
    ("gdb", &["-x", "-ix", "--command", "--init-command"]),
    ("lldb", &["-s", "-S", "--source"]),
    ("vim", &["-S", "-u", "-s", "--cmd"]),
    ("nvim", &["-S", "-u", "-s", "-l"]),
    ("vi", &["-S", "-u", "-s"]),
    ("emacs", &["-l", "--load", "--script"]),
    ("lftp", &["-f"]),
    ("dc", &["-f", "--file"]),
    ("tmux", &["-f"]),
    ("screen", &["-c"]),
    ("bash", &["--rcfile", "--init-file"]),
    ("php", &["-f", "-F", "-c"]),
    ("gnuplot", &["-c", "-p"]),
    ("ansible-playbook", &["-i", "--inventory"]),
    ("ansible", &["-i", "--inventory"]),
    ("tclsh", &["-f"]),
    ("expect", &["-f", "-b"]),
    ("clisp", &["-i"]),
    ("sbcl", &["--load", "--script"]),
    ("guile", &["-s", "-l"]),
    ("racket", &["-f", "-r"]),
    ("octave", &["--eval"]),
    ("maxima", &["-b", "--batch"]),
    ("gp", &["-f"]),
    ("socat", &["-lf"]),
    ("openssl", &["-config", "-engine"]),
    ("mutt", &["-F"]),
    ("mpv", &["--script", "--input-conf"]),
    ("qemu-system-x86_64", &["-readconfig"]),
    ("nginx", &["-c"]),
    ("haproxy", &["-f"]),
    ("logrotate", &["-f"]),
    ("supervisord", &["-c"]),
    ("crond", &["-c"]),
    ("xinetd", &["-f"]),
    ("monit", &["-c"]),
    ("procmail", &["-m"]),
    ("fetchmail", &["-f"]),
    ("nix", &["-f", "--file"]),
    ("perl", &["-f"]),
];

impl Walker<'_> {
    /// Files and standard input that some program reads as its own commands.
    pub(super) fn interpreted(&mut self, call: &Call<'_, '_>) {
        let stdin = !self.feed.is_none();
        if matches!(
            call.name,
            "sqlite3" | "duckdb" | "psql" | "mysql" | "mariadb" | "sqlcmd"
        ) {
            self.statements_in_arguments(call);
        }
        if !stdin && !call.args.iter().any(|arg| arg.text.contains("/dev/")) {
            return;
        }
        if let Some((_, names)) = CODE_FILES.iter().find(|(name, _)| *name == call.name) {
            for file in value_of(call, names) {
                self.code_file(call, &file);
            }
        }
        let first = call.args.iter().find(|arg| !arg.is_option());
        if let Some(file) = first.filter(|_| rules::is_in(call.name, Group::CodeOperands)) {
            self.code_file(call, file);
        }
        if stdin && rules::is_in(call.name, Group::ReadsCommands) {
            self.commands_on_input(call);
        }
        if !rules::is_in(call.name, Group::ReadsData) {
            self.texts_of_processes(call);
        }
    }

    /// What stands in a file that is a process or the standard input is not shown as code; nobody
    /// writes a build file that way.
    fn code_file(&mut self, call: &Call<'_, '_>, file: &Arg<'_>) {
        let feed = match file.text.as_ref() {
            "-" | "/dev/stdin" | "/dev/fd/0" => self.feed.clone(),
            path => match self.process_feed(path) {
                Some(feed) => feed,
                None => return,
            },
        };
        match feed {
            Feed::None => {}
            Feed::Network => self.found.note("code-from-network", call.span),
            _ => self.found.note("hidden-code", call.span),
        }
    }

    fn commands_on_input(&mut self, call: &Call<'_, '_>) {
        let Feed::Text(text) = self.feed.clone() else {
            if matches!(self.feed, Feed::Network) {
                self.found.note("code-from-network", call.span);
            }
            return;
        };
        if !self.charge_body(text.text.len(), call.span) {
            return;
        }
        let span = whole(&text);
        self.try_pieces(&text.text, span);
        for line in text.text.lines() {
            self.command_line_of(call.name, line.trim(), span);
        }
        if matches!(
            call.name,
            "sqlite3" | "duckdb" | "psql" | "mysql" | "mariadb"
        ) {
            self.statement(&text.text, span);
        }
    }

    /// One line of commands: files that it writes, programs that it hands its output to.
    pub(super) fn command_line_of(&mut self, program: &str, line: &str, span: Span) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let path = |word: Option<&&str>| {
            word.filter(|word| word.contains('/') && !word.starts_with(['|', '!']))
                .map(|word| (*word).to_owned())
        };
        let written = match (program, words.as_slice()) {
            ("ed" | "red" | "ex", [command, ..])
                if matches!(
                    command.trim_start_matches(|c: char| c.is_ascii_digit() || ",$%".contains(c)),
                    "w" | "W" | "wq" | "w!" | "f" | "saveas"
                ) =>
            {
                path(words.get(1))
            }
            (
                "sqlite3",
                [
                    ".output" | ".once" | ".backup" | ".save" | ".log" | ".clone" | ".trace",
                    ..,
                ],
            ) => {
                self.piped_to(words.get(1), span);
                path(words.last())
            }
            ("sqlite3", [".import" | ".read" | ".load", ..]) => {
                let file = words.get(1).copied().unwrap_or_default();
                let file = file.trim_matches(['"', '\'']);
                if file.starts_with('|') {
                    self.try_command(line.split_once('|').map_or("", |(_, rest)| rest), span);
                }
                if words.first() == Some(&".load") {
                    self.found.note("hidden-code", span);
                }
                None
            }
            ("lftp" | "sftp" | "ftp" | "smbclient", ["get" | "mget" | "pget", ..]) => {
                path(words.last().filter(|_| words.len() > 2))
            }
            ("gnuplot", ["set", "output", ..]) => path(words.get(2)),
            _ => None,
        };
        if matches!(program, "psql") {
            for command in ["\\g", "\\gx", "\\o", "\\out", "\\w"] {
                if let Some(rest) = behind(line, command) {
                    let target = rest.split_whitespace().next();
                    self.piped_to(target.as_ref(), span);
                    if let Some(file) =
                        target.filter(|file| file.contains('/') && !file.starts_with('|'))
                    {
                        self.write_outside(file, span);
                    }
                }
            }
        }
        if let Some(path) = written {
            self.write_outside(path.trim_matches(['"', '\'']), span);
        }
    }

    pub(super) fn write_outside(&mut self, path: &str, span: Span) {
        let path = self.of_home(path);
        self.touch(Touch::Write, &Arg::literal(path, span));
    }

    /// `.once |program`: what is printed goes to a program; into a shell it is code.
    fn piped_to(&mut self, target: Option<&&str>, span: Span) {
        let Some(program) =
            target.and_then(|word| word.trim_matches(['"', '\'']).strip_prefix('|'))
        else {
            return;
        };
        if super::code::is_shell(program.rsplit('/').next().unwrap_or_default()) {
            self.found.note("hidden-code", span);
        }
    }

    /// Any other program that reads what a process in a word writes: dangers in it count.
    fn texts_of_processes(&mut self, call: &Call<'_, '_>) {
        for arg in call.args.iter().filter(|arg| arg.text.contains("/dev/fd/")) {
            let at = arg.text.find("/dev/fd/").unwrap_or_default();
            let path = arg.text.get(at..).unwrap_or_default();
            let Some(Feed::Text(text)) = self.process_feed(path) else {
                continue;
            };
            let span = whole(&text);
            if !self.charge_body(text.text.len(), span) {
                return;
            }
            self.try_lines(&text.text, span);
            for line in text.text.lines().take(MAX_LINES) {
                self.output_setting(line, span);
            }
        }
    }

    /// `output = "/path"` in a file of settings.
    fn output_setting(&mut self, line: &str, span: Span) {
        let Some((name, value)) = line.split_once(['=', ' ', ':']) else {
            return;
        };
        if crate::effects::names_output(name.trim().trim_start_matches('-')) {
            let path = value.trim_matches([' ', '"', '\'', '=', ':']);
            if path.contains('/') && !path.contains("://") {
                self.write_outside(path, span);
            }
        }
    }
}

/// Lines of one text of settings that are looked at.
const MAX_LINES: usize = 64;

fn behind<'a>(line: &'a str, command: &str) -> Option<&'a str> {
    let at = line.find(command)?;
    let rest = line.get(at + command.len()..)?;
    rest.starts_with([' ', '|']).then(|| rest.trim_start())
}

fn whole(text: &Text) -> Span {
    text.origin.span(Span::new(0, text.text.len()))
}
