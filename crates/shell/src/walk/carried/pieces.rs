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
];

/// Those that do so with the rest of their line as well.
const LINE_VERBS: &[&str] = &["system", "shell", "exec", "spawn", "sh", "command", "local"];

/// The pieces of a text that may be commands: behind `!`, `|`, in backquotes, in `$(…)`, and
/// behind verbs.
pub(super) fn pieces(text: &str) -> Vec<String> {
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
                pieces.extend(piece(rest(at + 1).trim_start_matches('&')));
            }
            b'`' => {
                if let Some((inside, _)) = rest(at + 1).split_once('`') {
                    pieces.push(inside.to_owned());
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

fn behind_verb(word: &str, rest: &str, line_start: bool) -> Option<String> {
    let is = |verbs: &[&str]| verbs.iter().any(|verb| word.eq_ignore_ascii_case(verb));
    let opens = rest.trim_start().starts_with(['(', '{', '[', '"', '\'']);
    let piped = word == "pipe" && rest.starts_with('%');
    if piped {
        return piece(rest.trim_start_matches('%'));
    }
    if opens && is(VERBS) || line_start && rest.starts_with(' ') && is(LINE_VERBS) {
        return piece(rest);
    }
    None
}

/// What stands at the beginning of a text, out of its brackets and quotes.
fn piece(rest: &str) -> Option<String> {
    let inside = rest.trim_start_matches([' ', '\t', '(', '{', '[']);
    let first = inside.chars().next()?;
    if matches!(first, '"' | '\'') {
        let words = literals(inside);
        if words.len() > 1 {
            return Some(as_list(&words));
        }
        return words.into_iter().next();
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
    (!piece.is_empty()).then(|| piece.to_owned())
}

fn as_list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(","))
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
    if let Some(inside) = trimmed.strip_prefix(['[', '(', '{']) {
        let words = literals(inside.trim_start());
        return (!words.is_empty()).then_some(words);
    }
    let (first, _) = text.split_once(',')?;
    let name = first.rsplit('/').next().unwrap_or_default();
    super::is_shell(name).then(|| text.split(',').take(MAX_WORDS).map(str::to_owned).collect())
}
