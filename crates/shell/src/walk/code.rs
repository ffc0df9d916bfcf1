//! Code inside of arguments: for a shell, which is parsed like the command itself, or in another
//! language, which is looked into for the plain cases.

use super::arg::{Arg, UNKNOWN};
use super::source::{Origin, Source};
use super::{Feed, Walker};
use crate::analysis::Span;
use crate::effects::touch::Touch;
use crate::effects::{Call, Options};
use crate::parse::{MAX_DEPTH, parse};
use crate::tree::Part;

/// Shells by name.
pub(crate) fn is_shell(name: &str) -> bool {
    matches!(
        name,
        "bash" | "sh" | "zsh" | "dash" | "ksh" | "ash" | "mksh" | "rbash" | "fish"
    )
}

impl Walker<'_> {
    /// Code for a shell. `separate` says that it runs in a process of its own.
    pub(crate) fn shell_body(&mut self, text: &str, origin: Origin, separate: bool) {
        let span = origin.span(Span::new(0, text.len().max(1)));
        if self.depth >= MAX_DEPTH {
            self.found.note("too-deep", span);
            return;
        }
        if !self.charge_body(text.len(), span) {
            return;
        }
        // What is not known becomes a variable that is not known, so that the rest can be judged.
        let (text, origin) = if text.contains(UNKNOWN) {
            (text.replace(UNKNOWN, "${__}"), Origin::Whole(span))
        } else {
            (text.to_owned(), origin)
        };
        let script = parse(&text, self.depth);
        if script.failure.is_some() {
            self.found.note("hidden-code", span);
        }
        let source = Source {
            text: &text,
            heredocs: &script.heredocs,
            origin,
        };
        if matches!(self.feed, Feed::HereDoc(_)) {
            self.feed = Feed::Opaque;
        }
        self.inner(|w| {
            if separate {
                w.scoped(|w| w.top(&source, &script));
            } else {
                w.top(&source, &script);
            }
        });
    }

    /// What an interpreter reads as code on its standard input. Nothing is said for a closed one.
    pub(crate) fn code_from_feed(&mut self, call: &Call<'_, '_>) {
        match self.feed.clone() {
            Feed::None => {}
            Feed::Text(text, span) if is_shell(call.name) => {
                self.shell_body(&text, Origin::Whole(span), true);
            }
            Feed::Text(text, span) => self.foreign_code(call.name, &text, Origin::Whole(span)),
            Feed::HereDoc(index) => {
                let Some(doc) = call.source.heredocs.get(index) else {
                    return;
                };
                let text = call.source.slice(doc.body.span);
                let origin = match &call.source.origin {
                    Origin::Shifted(by) => Origin::Shifted(by + doc.body.span.start),
                    _ => Origin::Whole(call.source.span(doc.body.span)),
                };
                if is_shell(call.name) {
                    self.shell_body(text, origin, true);
                } else {
                    self.foreign_code(call.name, text, origin);
                }
            }
            Feed::File(_) => {}
            Feed::Network => self.found.note("code-from-network", call.span),
            Feed::Decoded => self.found.note("decoded-code", call.span),
            Feed::Paths(_) | Feed::Opaque => self.found.note("hidden-code", call.span),
        }
    }

    /// Interpreters of other languages.
    pub(crate) fn foreign<'t>(&mut self, call: &Call<'_, 't>) {
        if matches!(call.name, "awk" | "gawk" | "mawk" | "nawk") {
            return self.awk(call);
        }
        let Some(flags) = code_flags(call.name) else {
            return;
        };
        let mut args = call.args.iter();
        let mut saw_code = false;
        while let Some(arg) = args.next() {
            let text = arg.text.as_ref();
            if !arg.is_option() {
                self.check_downloaded(arg);
                break;
            }
            let cluster = !text.starts_with("--")
                && flags.iter().any(|flag| {
                    flag.len() == 2
                        && text.ends_with(flag.trim_start_matches('-'))
                        && text.bytes().skip(1).all(|b| b.is_ascii_alphabetic())
                });
            if flags.contains(&text) || cluster {
                if let Some(code) = args.next() {
                    saw_code = true;
                    let origin = origin(call.source, code);
                    let code = code.text.clone().into_owned();
                    self.foreign_code(call.name, &code, origin);
                }
            } else if let Some(code) = flags.iter().find_map(|flag| text.strip_prefix(flag)) {
                if !code.is_empty()
                    && flags
                        .iter()
                        .any(|flag| flag.len() == 2 && text.starts_with(flag))
                {
                    saw_code = true;
                    let code = code.trim_start_matches('=').to_owned();
                    self.foreign_code(call.name, &code, Origin::Whole(arg.span));
                }
            } else if text == "-m" {
                return;
            }
        }
        let reads_code = !saw_code && call.args.iter().all(|arg| arg.is("-") || arg.is_option());
        if reads_code {
            self.code_from_feed(call);
        }
        if self.found.network_process && !call.args.is_empty() {
            self.found.note("code-from-network", call.span);
        }
    }

    fn awk(&mut self, call: &Call<'_, '_>) {
        let options = Options::read(call);
        if options.has_any(&["-f", "--file"]) {
            return;
        }
        let Some(program) = options.operand(0) else {
            return;
        };
        let text = program.text.clone().into_owned();
        let code = without_strings(&text);
        let runs = code.contains("system")
            || code.contains("|")
                && (code.contains("getline") || code.contains("print") || code.contains("close"));
        if runs && !code.contains("||") || code.contains("system") {
            self.calls_in_code(&text, &["system("], program.span);
            self.pipes_in_awk(&text, program.span);
        }
        for piece in text.split("print").skip(1) {
            let Some((_, target)) = piece.split_once('>') else {
                continue;
            };
            let target = target.trim_start_matches('>').trim();
            if let Some(path) = quoted_literal(target) {
                let arg = Arg::literal(path, program.span);
                self.touch(Touch::Write, &arg);
            }
        }
        for file in options.operands.iter().skip(1) {
            self.touch(Touch::Read, file);
        }
    }

    /// `"command" | getline` and `print | "command"`.
    fn pipes_in_awk(&mut self, text: &str, span: Span) {
        for (at, _) in text.match_indices('|') {
            let (before, after) = text.split_at(at);
            if let Some(body) = quoted_literal(after.trim_start_matches('|').trim_start()) {
                let outer = std::mem::replace(&mut self.feed, Feed::Opaque);
                self.shell_body(&body, Origin::Whole(span), true);
                self.feed = outer;
            } else if after.contains("getline") {
                match trailing_literal(before.trim_end()) {
                    Some(body) => self.shell_body(&body, Origin::Whole(span), true),
                    None => self.found.note("hidden-code", span),
                }
            }
        }
    }

    /// Code in another language: calls of a shell with a literal are followed, deletions with a
    /// literal are judged, and whatever else could do anything is reported as not understood.
    pub(crate) fn foreign_code(&mut self, language: &str, text: &str, origin: Origin) {
        let span = origin.span(Span::new(0, text.len().max(1)));
        if text.contains(UNKNOWN) && text.trim_matches(UNKNOWN).is_empty() {
            self.found.note("hidden-code", span);
            return;
        }
        let mut hidden = !self.calls_in_code(text, SHELL_CALLS, span);
        for call in DELETE_CALLS {
            for (at, _) in text.match_indices(call) {
                let rest = text.split_at(at + call.len()).1;
                match quoted_literal(rest.trim_start()) {
                    Some(path) => self.touch(Touch::DeleteTree, &Arg::literal(path, span)),
                    None => hidden = true,
                }
            }
        }
        for call in WRITE_CALLS {
            for (at, _) in text.match_indices(call) {
                let rest = text.split_at(at + call.len()).1.trim_start();
                let Some(path) = quoted_literal(rest) else {
                    continue;
                };
                let mode = rest.split_at(path.len().min(rest.len())).1;
                let writes = *call != "open("
                    || ["'w", "\"w", "'a", "\"a", "'x", "\"x", "r+"]
                        .iter()
                        .any(|m| mode.starts_with(m) || mode.contains(m));
                let touch = if writes { Touch::Write } else { Touch::Read };
                self.touch(touch, &Arg::literal(path, span));
            }
        }
        let backquotes = matches!(language, "perl" | "ruby" | "php") && text.contains('`');
        hidden |= backquotes || HIDING.iter().any(|word| text.contains(word));
        if hidden {
            self.found.note("foreign-code", span);
        }
    }

    /// Follows calls of a shell from code; false when an argument is not a literal.
    fn calls_in_code(&mut self, text: &str, calls: &[&str], span: Span) -> bool {
        let mut understood = true;
        for call in calls {
            for (at, _) in text.match_indices(call) {
                let rest = text.split_at(at + call.len()).1.trim_start();
                let list = rest.strip_prefix('[');
                let words = literals(list.unwrap_or(rest));
                if let ([body], None) = (words.as_slice(), list) {
                    self.shell_body(body, Origin::Whole(span), true);
                } else if !words.is_empty() {
                    let args: Vec<Arg<'_>> = words
                        .into_iter()
                        .map(|word| Arg::literal(word, span))
                        .collect();
                    let source = Source {
                        text: "",
                        heredocs: &[],
                        origin: Origin::Whole(span),
                    };
                    self.scoped(|w| w.inner(|w| w.call(&source, &args)));
                } else {
                    understood = false;
                }
            }
        }
        understood
    }
}

const SHELL_CALLS: &[&str] = &[
    "system(",
    "popen(",
    "execSync(",
    "exec(",
    "spawn(",
    "spawnSync(",
    "execFileSync(",
    "execFile(",
    "subprocess.run(",
    "subprocess.call(",
    "check_call(",
    "check_output(",
    "Popen(",
    "getoutput(",
    "shell_exec(",
    "passthru(",
    "system ",
    "os.execute(",
    "exec ",
    "%x(",
];
const DELETE_CALLS: &[&str] = &[
    "rmtree(",
    "os.remove(",
    "os.unlink(",
    "os.rmdir(",
    "os.removedirs(",
    "rmSync(",
    "rmdirSync(",
    "unlinkSync(",
    "rm_rf(",
    "rm_rf ",
    "rm_r(",
    "remove_tree(",
    "File.delete(",
    "unlink(",
    "unlink ",
    "fs.rm(",
    "fs.unlink(",
    "FileUtils.rm(",
    "remove_entry(",
];
const WRITE_CALLS: &[&str] = &[
    "open(",
    "writeFileSync(",
    "writeFile(",
    "appendFileSync(",
    "file_put_contents(",
    "File.write(",
    "Path(",
];
/// Words in code that may do anything at all.
const HIDING: &[&str] = &[
    "eval(",
    "eval ",
    "__import__",
    "importlib",
    "compile(",
    "ctypes",
    "marshal",
    "pickle.loads",
    "base64",
    "b64decode",
    "fromhex",
    "socket",
    "pty.",
    "os.exec",
    "os.spawn",
    "os.kill",
    "os.fork",
    "fork(",
    "fork;",
    "fork ",
    "shutil.move",
    "os.rename",
    "getattr(",
    "chr(",
    "fromCharCode",
    "Function(",
    "os.chmod",
    "os.chown",
    "Buffer.from",
    "atob(",
    "pack(",
    "qx{",
    "qx(",
    "qx/",
    "vm.run",
    "child_process').",
    ".unlink()",
    ".rmdir(",
    "globals()",
    "builtins",
];

/// The options behind which an interpreter takes code.
fn code_flags(name: &str) -> Option<&'static [&'static str]> {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Some(match base {
        "python" | "pypy" | "ipython" => &["-c"],
        "perl" | "ruby" | "jruby" => &["-e", "-E"],
        "node" | "nodejs" | "bun" | "deno" => &["-e", "--eval", "-p", "--print"],
        "php" => &["-r"],
        "lua" | "luajit" | "Rscript" | "julia" | "elixir" | "osascript" => &["-e"],
        _ => return None,
    })
}

/// The quoted literal that the code starts with, possibly behind a prefix letter.
fn quoted_literal(code: &str) -> Option<String> {
    literal_and_rest(code).map(|(text, _)| text)
}

fn literal_and_rest(code: &str) -> Option<(String, &str)> {
    let code = code.trim_start_matches(['r', 'f', 'b', 'u']);
    let quote = code
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let mut out = String::new();
    let mut chars = code.chars();
    chars.next();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c if c == quote => return Some((out, chars.as_str())),
            c => out.push(c),
        }
    }
    None
}

/// The quoted literal that the code ends with.
fn trailing_literal(code: &str) -> Option<String> {
    let inside = code.strip_suffix('"')?;
    let at = inside.rfind('"')?;
    Some(inside.split_at(at + 1).1.to_owned())
}

/// The quoted literals that the code starts with, separated by commas.
fn literals(code: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = code;
    while let Some((word, after)) = literal_and_rest(rest.trim_start()) {
        words.push(word);
        match after.trim_start().strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    words
}

/// The code with what stands in double quotes taken out.
fn without_strings(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut inside = false;
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => inside = !inside,
            '\\' if inside => {
                chars.next();
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}

/// Where the text of an argument stands in the command: piece by piece when it was only quoted,
/// as a whole when it was computed.
pub(super) fn origin(source: &Source<'_>, arg: &Arg<'_>) -> Origin {
    let (Some(word), Origin::Shifted(_)) = (arg.word, &source.origin) else {
        return Origin::Whole(arg.span);
    };
    let mut pieces = Vec::new();
    let mut at = 0;
    if place_parts(source, &word.parts, &mut at, &mut pieces) && at == arg.text.len() {
        Origin::Pieces(pieces)
    } else {
        Origin::Whole(arg.span)
    }
}

fn place_parts(
    source: &Source<'_>,
    parts: &[Part<'_>],
    at: &mut usize,
    pieces: &mut Vec<(usize, usize)>,
) -> bool {
    parts.iter().all(|part| match part {
        Part::Plain(span) | Part::Quoted(span) => {
            pieces.push((*at, source.span(*span).start));
            *at += span.end - span.start;
            true
        }
        Part::Double(parts) => place_parts(source, parts, at, pieces),
        _ => false,
    })
}
