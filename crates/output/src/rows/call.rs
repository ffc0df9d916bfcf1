//! Which program's output it is, read from the command.

use wharf_shell::{Analysis, Kind, Program};

/// The call whose output is looked at. Without a program only forms that explain themselves are
/// possible.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) program: String,
    /// Arguments, without the program.
    pub(super) args: Vec<String>,
    /// Lines may be missing or in another order: a filter stands behind the program.
    pub(super) filtered: bool,
    /// Messages may stand among the lines.
    pub(super) merges_errors: bool,
}

impl Call {
    /// Finds the call that made the output of a command.
    pub(super) fn find(analysis: &Analysis, command: &str) -> Self {
        let unclear = |kind| analysis.features.contains(&kind);
        let merges_errors =
            command.contains("2>&1") || command.contains("&>") || command.contains("|&");
        if unclear(Kind::Invalid) || unclear(Kind::Compound) || unclear(Kind::Heredoc) {
            return Self {
                merges_errors,
                ..Self::default()
            };
        }
        let programs: Vec<&Program> = analysis.programs.iter().collect();
        let mut call = producer(&programs, command, 0, command.len(), NESTING).unwrap_or_default();
        call.merges_errors = merges_errors;
        call.as_module();
        call
    }

    /// Whether it is one of these programs.
    pub(super) fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.program.as_str())
    }

    /// Whether a short option is given, alone or among others: `l` in `-la`.
    pub(super) fn short(&self, letter: char) -> bool {
        self.args.iter().any(|arg| {
            arg.strip_prefix('-')
                .is_some_and(|rest| !rest.starts_with('-') && rest.contains(letter))
        })
    }

    /// Whether an argument is given, alone or with a value: `--format=x`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.args.iter().any(|arg| {
            arg.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }

    /// Arguments that are not options. The value of an option in a word of its own counts too,
    /// save of those that are listed in `VALUED`.
    pub(super) fn operands(&self) -> Vec<&str> {
        let valued = VALUED
            .iter()
            .find(|(program, _)| *program == self.program)
            .map_or(&[][..], |(_, options)| *options);
        let mut out = Vec::new();
        let mut args = self.args.iter();
        while let Some(arg) = args.next() {
            if valued.contains(&arg.as_str()) {
                args.next();
            } else if !arg.starts_with('-') || arg == "-" {
                out.push(arg.as_str());
            }
        }
        out
    }

    /// The first operand, which is the subcommand of many programs.
    pub(super) fn sub(&self) -> &str {
        self.operands().first().copied().unwrap_or_default()
    }

    /// The second operand.
    pub(super) fn sub_sub(&self) -> &str {
        self.operands().get(1).copied().unwrap_or_default()
    }

    /// The one file that is printed as it is, when the program prints files.
    pub(super) fn file(&self) -> Option<&str> {
        if !PRINTERS.contains(&self.program.as_str()) {
            return None;
        }
        let operands = self.operands();
        match (self.program.as_str(), operands.as_slice()) {
            ("grep" | "egrep" | "fgrep" | "sed", [_, file]) => Some(file),
            (_, [file]) => Some(file),
            _ => None,
        }
    }

    /// Whether a line is a message of the program, or of the shell about it.
    pub(super) fn is_message(&self, line: &str) -> bool {
        let Some((name, rest)) = line.split_once(": ") else {
            return false;
        };
        let name = name.rsplit('/').next().unwrap_or(name);
        !rest.is_empty() && (name == self.program || matches!(name, "sudo" | "bash" | "sh"))
    }

    /// `python3 -m pip list` is `pip list`.
    fn as_module(&mut self) {
        if self.program.starts_with("python")
            && self.args.first().is_some_and(|arg| arg == "-m")
            && let Some(module) = self.args.get(1).cloned()
        {
            self.program = module;
            self.args.drain(..2);
        }
        self.program = match self.program.as_str() {
            "pip3" => "pip",
            "podman" | "nerdctl" => "docker",
            "oc" | "microk8s" | "k3s" => "kubectl",
            "ping6" => "ping",
            "traceroute6" => "traceroute",
            "gls" => "ls",
            "gdu" => "du",
            "gdf" => "df",
            "gstat" => "stat",
            other => other,
        }
        .to_owned();
    }
}

/// Parts of a command that are looked at; each is compared with all programs.
const PARTS: usize = 64;

/// Programs that may hand over to another one, as `sudo env nice` do.
const WRAPPED: usize = 32;

/// Commands inside of quotes are looked into this many times.
const NESTING: usize = 3;

/// Programs that print a file as it is, all of it or some of its lines.
const PRINTERS: &[&str] = &[
    "cat", "bat", "batcat", "head", "tail", "less", "more", "tac", "grep", "egrep", "fgrep",
    "sort", "uniq", "sed",
];

/// Options that take a word of their own, of programs whose operands are looked at.
const VALUED: &[(&str, &[&str])] = &[
    (
        "git",
        &[
            "-C",
            "-c",
            "--git-dir",
            "--work-tree",
            "-n",
            "--max-count",
            "--since",
            "--until",
            "--author",
            "--format",
            "--grep",
        ],
    ),
    (
        "docker",
        &[
            "-H",
            "--host",
            "--context",
            "-c",
            "--config",
            "-f",
            "--filter",
            "--format",
            "-n",
            "--last",
        ],
    ),
    (
        "kubectl",
        &[
            "-n",
            "--namespace",
            "--context",
            "--kubeconfig",
            "-l",
            "--selector",
            "-s",
            "--cluster",
            "--user",
        ],
    ),
    (
        "systemctl",
        &[
            "-t", "--type", "--state", "-H", "--host", "-M", "-p", "-n", "-o",
        ],
    ),
    ("ip", &["-n", "-netns", "-f", "-family"]),
    ("head", &["-n", "-c"]),
    ("tail", &["-n", "-c"]),
    ("sort", &["-k", "-t", "-o", "-S", "-T"]),
    ("grep", &["-e", "-f", "-A", "-B", "-C", "-m"]),
    ("npm", &["--prefix", "-C"]),
    ("cargo", &["--manifest-path", "-p", "--color"]),
    ("ping", &["-c", "-i", "-s", "-W", "-w", "-I", "-t", "-p"]),
    ("dig", &["-p", "-k", "-b", "-t", "-c"]),
    ("tar", &["-C", "-f"]),
    ("stat", &["-c", "-t"]),
    ("getent", &["-s"]),
];

/// Programs that print nothing of their own, so that the others of a chain are heard alone.
const SILENT: &[&str] = &[
    "cd", "pushd", "export", "set", "unset", "true", ":", "false", "test", "[", "mkdir", "sleep",
    "source", ".", "alias", "umask", "touch", "wait", "shopt", "trap", "exit", "clear", "ulimit",
    "local", "declare", "readonly", "cp", "mv", "rm", "ln", "chmod", "chown",
];

/// Programs that run another one, whose output is the output.
const WRAPPERS: &[&str] = &[
    "sudo",
    "doas",
    "su",
    "env",
    "nice",
    "ionice",
    "nohup",
    "timeout",
    "time",
    "setsid",
    "stdbuf",
    "chroot",
    "unshare",
    "nsenter",
    "xargs",
    "command",
    "builtin",
    "exec",
    "bash",
    "sh",
    "zsh",
    "dash",
    "ash",
    "busybox",
    "ssh",
    "docker",
    "podman",
    "kubectl",
    "chronic",
    "unbuffer",
    "proxychains",
    "strace",
    "flock",
    "runuser",
    "watch",
    "eval",
    "lxc",
    "vagrant",
    "systemd-run",
    "script",
    "ltrace",
    "oc",
    "nerdctl",
    "docker-compose",
];

/// A part of a command between two operators.
struct Part {
    start: usize,
    end: usize,
    /// It reads what the part before it writes.
    piped: bool,
}

/// A call, or the stretch of quoted text that holds it.
type Found = (Call, Option<(usize, usize)>);

fn producer(
    programs: &[&Program],
    command: &str,
    start: usize,
    end: usize,
    nesting: usize,
) -> Option<Call> {
    let parts = parts(command, start, end);
    if parts.len() > PARTS {
        return None;
    }
    let mut heard: Option<Vec<Found>> = None;
    let mut quiet: Option<Vec<Found>> = None;
    let mut line: Vec<Found> = Vec::new();
    for part in parts.iter().rev() {
        if let Some(found) = main_call(programs, command, part) {
            line.push(found);
        }
        if part.piped {
            continue;
        }
        // The line is whole, its last program first.
        let line = std::mem::take(&mut line);
        if line.is_empty() {
            continue;
        }
        let silent = line
            .first()
            .is_none_or(|(call, _)| SILENT.contains(&call.program.as_str()));
        if silent {
            // `set` and its like print something when nothing else does.
            quiet = quiet.or(Some(line));
            continue;
        }
        if heard.is_some() {
            return None;
        }
        heard = Some(line);
    }
    let mut filtered = false;
    for (mut call, inner) in heard.or(quiet)? {
        if let Some((start, end)) = inner {
            let mut call = producer(programs, command, start, end, nesting.checked_sub(1)?)?;
            call.filtered |= filtered;
            return Some(call);
        }
        if keeps_lines(&call) {
            filtered = true;
            continue;
        }
        call.filtered = filtered;
        return Some(call);
    }
    None
}

/// The program of a part whose output it is; or the stretch of quoted text that holds it.
fn main_call(programs: &[&Program], command: &str, part: &Part) -> Option<Found> {
    let inside: Vec<&&Program> = programs
        .iter()
        .filter(|program| program.span.start >= part.start && program.span.start < part.end)
        .collect();
    let mut found = *inside.first()?;
    for next in inside.iter().skip(1).take(WRAPPED) {
        let hands_over = WRAPPERS.contains(&found.name.as_str())
            || found.name == "find" && part_has(command, part, "-exec");
        // A program inside a substitution writes an argument, not the output.
        if !hands_over || substituted(command, part.start, next.span.start) {
            break;
        }
        if let Some(quoted) = quoted(command, part, next.span.start) {
            return Some((Call::default(), Some(quoted)));
        }
        found = next;
    }
    let args = match &found.argv {
        Some(argv) => argv.iter().skip(1).cloned().collect(),
        None => plain_words(command.get(found.span.end..part.end).unwrap_or_default()),
    };
    let call = Call {
        program: found.name.clone(),
        args,
        ..Call::default()
    };
    Some((call, None))
}

/// Words of a text whose values are not known, without quotes and redirections.
fn plain_words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let target = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
        if target.starts_with(['<', '>']) {
            if target.trim_start_matches(['<', '>', '&', '|']).is_empty() {
                words.next();
            }
            continue;
        }
        out.push(word.trim_matches(['"', '\'']).to_owned());
    }
    out
}

fn part_has(command: &str, part: &Part, word: &str) -> bool {
    command
        .get(part.start..part.end)
        .is_some_and(|text| text.contains(word))
}

/// Whether a place stands inside `$(…)`, `` `…` `` or `<(…)` that begins in the part.
fn substituted(command: &str, start: usize, at: usize) -> bool {
    let before = command.get(start..at).unwrap_or_default();
    let opened = before.matches("$(").count() + before.matches("<(").count();
    let closed = before.matches(')').count();
    opened > closed || before.matches('`').count() % 2 == 1
}

/// The quoted text that holds a place, without its quotes.
fn quoted(command: &str, part: &Part, at: usize) -> Option<(usize, usize)> {
    let mut open: Option<(u8, usize)> = None;
    let bytes = command.as_bytes().get(..part.end)?;
    let mut index = part.start;
    while let Some(byte) = bytes.get(index) {
        match (open, byte) {
            (Some((b'"', _)) | None, b'\\') => index += 1,
            (Some((quote, start)), byte) if *byte == quote => {
                if start <= at && at < index {
                    return Some((start, index));
                }
                open = None;
            }
            (None, b'"' | b'\'') => open = Some((*byte, index + 1)),
            _ => {}
        }
        index += 1;
    }
    None
}

/// Splits at operators that stand outside of quotes and brackets.
fn parts(command: &str, start: usize, end: usize) -> Vec<Part> {
    let bytes = command.as_bytes().get(..end).unwrap_or_default();
    let mut parts = Vec::new();
    let (mut from, mut piped, mut at) = (start, false, start);
    let (mut quote, mut depth) = (None, 0_usize);
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        match (quote, byte) {
            (Some(b'"') | None, b'\\') => at += 1,
            (Some(open), byte) if *byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'' | b'`') => quote = Some(*byte),
            (None, b'(' | b'{') => depth += 1,
            (None, b')' | b'}') => depth = depth.saturating_sub(1),
            (None, b'&')
                if next == Some(&b'>')
                    || at > start && matches!(bytes.get(at - 1), Some(b'>' | b'<')) => {}
            (None, b'|' | b';' | b'&' | b'\n') if depth == 0 => {
                let double = next == Some(byte);
                parts.push(Part {
                    start: from,
                    end: at,
                    piped,
                });
                piped = *byte == b'|' && !double;
                at += usize::from(double || piped && next == Some(&b'&'));
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(Part {
        start: from,
        end,
        piped,
    });
    parts
}

/// Whether a program passes lines on as they are, so that the one before it made them.
fn keeps_lines(call: &Call) -> bool {
    // The value of a cluster of options such as `-nrk 3` is no file.
    let is_number = |word: &str| {
        word.bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b',' | b'.'))
    };
    let operands = call
        .operands()
        .into_iter()
        .filter(|word| !is_number(word))
        .count();
    match call.program.as_str() {
        "head" | "tail" => operands == 0 && !call.short('c'),
        "cat" => operands == 0 && !call.short('n') && !call.short('A') && !call.short('b'),
        "tac" | "less" | "more" | "shuf" | "sponge" | "unbuffer" => operands == 0,
        "tee" => true,
        "sort" => operands == 0,
        "uniq" => operands == 0 && !call.short('c'),
        "grep" | "egrep" | "fgrep" | "rg" => {
            let changes = ['n', 'c', 'o', 'l', 'L', 'q', 'b', 'A', 'B', 'C', 'H', 'Z'];
            let given_pattern = call.has("-e") || call.has("-f");
            operands <= usize::from(!given_pattern) && !changes.iter().any(|flag| call.short(*flag))
        }
        "sed" => {
            let script = call.operands().first().copied().unwrap_or_default();
            operands == 1 && script.ends_with(['p', 'd', 'q']) && !script.contains("s/")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(command: &str) -> String {
        let analysis = wharf_shell::analyze(command, &wharf_shell::Context::default());
        let call = Call::find(&analysis, command);
        let mark = if call.filtered { "~" } else { "" };
        format!("{mark}{} {}", call.program, call.args.join(" "))
    }

    #[test]
    fn the_last_program_that_makes_lines_is_found() {
        for (command, call) in [
            ("ls -la", "ls -la"),
            ("cd /tmp && ls -l", "ls -l"),
            ("sudo -u x env A=1 ls -l", "ls -l"),
            ("ps aux | grep foo | head -5", "~ps aux"),
            ("ps aux | sort -nrk 3 | head", "~ps aux"),
            ("ps aux | wc -l", "wc -l"),
            ("ps aux | grep -n foo", "grep -n foo"),
            ("grep -rn foo src | head", "~grep -rn foo src"),
            ("bash -c 'cd x; df -h | tail -n +2'", "~df -h"),
            ("ssh host \"free -m\" | cat", "~free -m"),
            ("find . -name x -exec ls -l {} +", "ls -l {} +"),
            ("git -C /x log --oneline", "git -C /x log --oneline"),
            ("python3 -m pip list", "pip list"),
            ("df -h; free", " "),
            ("for i in 1 2; do ls -l; done", " "),
            ("cat /etc/passwd", "cat /etc/passwd"),
            ("du -sh * 2>/dev/null | sort -h", "~du -sh *"),
            ("env", "env "),
        ] {
            assert_eq!(found(command), call, "{command}");
        }
    }

    #[test]
    fn operands_leave_out_values() {
        let analysis = wharf_shell::analyze("git -C /x log -n 3", &wharf_shell::Context::default());
        let call = Call::find(&analysis, "git -C /x log -n 3");
        assert_eq!(call.operands(), ["log"]);
    }
}
