//! Where, in a text of some other notation, a command may stand.

/// Pieces of one text that are looked at.
const MAX_PIECES: usize = 16;

/// Words of one list that are looked at.
const MAX_WORDS: usize = 32;

/// Words that start a program with what stands behind them in brackets or quotes.
const VERBS: &[&str] = &[
    "system",
    "exec",
    "popen",
    "spawn",
    "shell",
    "execute",
    "passthru",
    "command",
    "cmd",
    "call",
    "sh",
    "pipe",
    "write18",
    "callcommand",
    "run",
    "eval",
    "esyscmd",
    "syscmd",
    "execsync",
    "shell_exec",
    "sys",
    "qx",
    "bash",
    "program",
    "edit",
    "jit",
    "invoke",
    "unix",
];

/// Functions and methods of any library that run a command.
const CALLS: &[&str] = &[
    "run",
    "exec",
    "exec_command",
    "execute_command",
    "run_command",
    "system",
    "shell",
    "sh",
    "cmd",
    "spawn",
    "popen",
    "sudo",
    "local",
    "bash",
    "execa",
    "runCommand",
    "execCommand",
    "command",
    "getoutput",
    "sendline",
];

/// Those that do so with the rest of their line as well.
const LINE_VERBS: &[&str] = &["system", "shell", "exec", "spawn", "sh", "command", "local"];

/// A command that stands in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line for a shell.
    Line(String),
    /// A program with its arguments.
    Words(Vec<String>),
}

impl Piece {
    /// Whether it is more than a word, or names a shell, which reads what it runs.
    fn is_command(&self) -> bool {
        match self {
            Self::Words(_) => true,
            Self::Line(line) => line.contains(' ') || super::is_shell(line),
        }
    }
}

/// The calls in code outside of its literals that run what they are given, by their names alone.
pub(in super::super) fn calls(bare: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let bytes = bare.as_bytes();
    let mut at = 0;
    while at < bytes.len() && found.len() < MAX_PIECES {
        let word = bytes.get(at..).unwrap_or_default();
        let end = word
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
            .unwrap_or(word.len());
        if end == 0 {
            at += 1;
            continue;
        }
        let name = bare.get(at..at + end).unwrap_or_default();
        at += end;
        if CALLS.contains(&name) && bytes.get(at) == Some(&b'(') {
            found.push(at);
        }
    }
    found
}

/// The pieces of a text that may be commands: behind `!`, `|`, in backquotes, in `$(…)`, and
/// behind verbs.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut line_start = true;
    while let Some(byte) = bytes.get(at) {
        if pieces.len() >= MAX_PIECES {
            break;
        }
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let next = bytes.get(at + 1);
        let rest = |from: usize| text.get(from..).unwrap_or_default();
        let mut width = 1;
        match byte {
            b'!' if next != Some(&b'=') => pieces.extend(piece(rest(at + 1))),
            b'|' if next != Some(&b'|') && before != Some(&b'|') => {
                // A single word behind a `|` is the other half of a choice.
                let found = piece(rest(at + 1).trim_start_matches('&'));
                pieces.extend(found.filter(|piece| at == 0 || piece.is_command()));
            }
            b'`' => {
                if let Some((inside, _)) = rest(at + 1).split_once('`') {
                    pieces.push(Piece::Line(inside.to_owned()));
                    width = inside.len() + 2;
                }
            }
            b'$' | b'%' | b'@' if next == Some(&b'(') => pieces.extend(piece(rest(at + 1))),
            byte if byte.is_ascii_alphabetic() => {
                let end = rest(at)
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(text.len() - at);
                let word = rest(at).get(..end).unwrap_or_default();
                width = end.max(1);
                pieces.extend(behind_verb(word, rest(at + end), line_start));
            }
            _ => {}
        }
        line_start =
            *byte == b'\n' || line_start && matches!(byte, b' ' | b'.' | b'\\' | b':' | b'\t');
        at += width;
    }
    pieces
}

fn behind_verb(word: &str, rest: &str, line_start: bool) -> Option<Piece> {
    let is = |verbs: &[&str]| verbs.iter().any(|verb| word.eq_ignore_ascii_case(verb));
    let wraps = word == "wrapper" && rest.starts_with(' ');
    let opens = rest.trim_start().starts_with(['(', '{', '[', '"', '\'']);
    let piped = word == "pipe" && rest.starts_with('%');
    if piped {
        return piece(rest.trim_start_matches('%'));
    }
    if wraps || opens && is(VERBS) || line_start && rest.starts_with(' ') && is(LINE_VERBS) {
        return piece(rest);
    }
    None
}

/// What stands at the beginning of a text, out of its brackets and quotes.
fn piece(rest: &str) -> Option<Piece> {
    let inside = rest.trim_start_matches([' ', '\t', '(', '{', '[', '`']);
    let first = inside.chars().next()?;
    if matches!(first, '"' | '\'') {
        let mut words = literals(inside);
        if words.len() > 1 {
            return Some(Piece::Words(words));
        }
        return words.pop().map(Piece::Line);
    }
    let line = inside.lines().next().unwrap_or_default();
    // A quote that was opened before the piece ends it.
    let line = ['"', '\''].iter().fold(line, |line, quote| {
        if line.matches(*quote).count() % 2 == 1 {
            line.split(*quote).next().unwrap_or_default()
        } else {
            line
        }
    });
    let mut depth = 0_usize;
    let end = line.bytes().position(|byte| {
        match byte {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' if depth == 0 => return true,
            b')' | b'}' | b']' => depth -= 1,
            _ => {}
        }
        false
    });
    let piece = line.get(..end.unwrap_or(line.len()))?.trim();
    let piece = piece.trim_end_matches(['"', '\'', ';']);
    (!piece.is_empty()).then(|| Piece::Line(piece.to_owned()))
}

/// The literals that follow each other, with commas between them.
fn literals(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while words.len() < MAX_WORDS {
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            break;
        };
        let mut word = String::new();
        let mut chars = rest.char_indices().skip(1);
        let mut end = None;
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                word.extend(chars.next().map(|(_, c)| c));
            } else if c == quote {
                end = Some(at + 1);
                break;
            } else {
                word.push(c);
            }
        }
        words.push(word);
        let Some(after) = end.and_then(|end| rest.get(end..)) else {
            break;
        };
        let after = after.trim_start();
        let Some(more) = after.strip_prefix(',') else {
            break;
        };
        rest = more.trim_start_matches([' ', '\n', '\t', '[', '(']);
    }
    words
}

/// The words of `["a","b"]`, `('a', 'b')`, and of `sh,-c,a b`.
pub(super) fn list(text: &str) -> Option<Vec<String>> {
    let trimmed = text.trim_start();
    if trimmed.starts_with(['"', '\'']) && trimmed.ends_with(['"', '\'']) {
        // A quoted text is a line of words itself.
        let [line] = literals(trimmed).try_into().ok()?;
        let line: String = line;
        let (words, last) = line
            .split_once(" -c ")
            .map_or((line.as_str(), None), |(shell, body)| (shell, Some(body)));
        let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        if let Some(body) = last {
            words.push("-c".to_owned());
            words.push(body.trim_matches(['"', '\'']).to_owned());
        }
        return (!words.is_empty()).then_some(words);
    }
    if let Some(inside) = trimmed.strip_prefix(['[', '(', '{']) {
        let words = literals(inside.trim_start());
        return (!words.is_empty()).then_some(words);
    }
    let (first, _) = text.split_once(',')?;
    let name = first.rsplit('/').next().unwrap_or_default();
    super::is_shell(name).then(|| text.split(',').take(MAX_WORDS).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Piece {
        Piece::Line(text.to_owned())
    }

    #[test]
    fn commands_are_found_behind_marks_and_verbs() {
        let cases = [
            ("print (int)system(\"rm x\")", vec![line("rm x")]),
            (r"\immediate\write18{rm x}\stop", vec![line("rm x")]),
            ("(%pipe%rm x) (w) file", vec![line("rm x")]),
            ("%(rm x)", vec![line("rm x")]),
            ("!rm x", vec![line("rm x")]),
            (".import \"|rm x\" t", vec![line("rm x")]),
            ("a != b || c", vec![]),
            ("the system runs", vec![]),
        ];
        for (text, wanted) in cases {
            assert_eq!(pieces(text), wanted, "{text}");
        }
        let words = ["rm", "x"].map(str::to_owned).to_vec();
        assert_eq!(pieces("exec('rm', \"x\")"), [Piece::Words(words.clone())]);
        assert_eq!(list(r#"["rm","x"]"#), Some(words));
        assert_eq!(list("a,b"), None);
    }

    #[test]
    fn pieces_and_words_have_a_bound() {
        assert_eq!(pieces(&"!a\n".repeat(MAX_PIECES * 2)).len(), MAX_PIECES);
        let long = format!("[{}]", "'a',".repeat(MAX_WORDS * 2));
        assert_eq!(list(&long).map(|words| words.len()), Some(MAX_WORDS));
    }
}
