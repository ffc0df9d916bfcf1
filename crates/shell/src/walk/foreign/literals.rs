//! String literals and the code around them.

use super::words::Language;
use crate::walk::arg::UNKNOWN;

/// Bytes behind a call that belong to it, when its end is looked for.
const MAX_CALL: usize = 4_096;

/// Literals of one call that are looked at.
const MAX_WORDS: usize = 64;

/// Code in which the insides of string literals are told from the rest.
pub(super) struct Code<'t> {
    text: &'t str,
    /// The text with the insides of literals blanked, byte for byte.
    bare: String,
    /// The insides of literals.
    spans: Vec<(usize, usize)>,
    /// Patterns could not be told from the rest.
    tangled: bool,
}

/// The arguments behind a word.
#[derive(Default)]
pub(super) struct Arguments<'t> {
    /// Literals, in order, as far as there is nothing else between them.
    pub(super) texts: Vec<String>,
    /// They stand in a list.
    pub(super) list: bool,
    /// Nothing but literals stands there.
    pub(super) complete: bool,
    /// What follows the first literal.
    pub(super) rest_of_call: &'t str,
}

impl<'t> Code<'t> {
    pub(super) fn read(text: &'t str, language: Language) -> Self {
        let mut bare = text.as_bytes().to_vec();
        let mut spans = Vec::new();
        let bytes = text.as_bytes();
        let patterns = super::patterns::patterns(text, language);
        let tangled = patterns.is_none();
        let mut patterns = patterns.unwrap_or_default().into_iter().peekable();
        let mut at = 0;
        // A quote that is not closed once is looked for no further.
        let mut unclosed = Vec::new();
        while let Some(byte) = bytes.get(at) {
            // One that began inside of a literal is none.
            while patterns.next_if(|(start, _)| *start < at).is_some() {}
            if let Some((start, end)) = patterns.next_if(|(start, _)| *start == at) {
                for byte in bare.iter_mut().take(end).skip(start) {
                    *byte = b' ';
                }
                at = end;
                continue;
            }
            let quote = match byte {
                b'\'' | b'"' => *byte,
                b'`' if !language.runs_backquotes() => b'`',
                _ => {
                    at += 1;
                    continue;
                }
            };
            let triple = bytes.get(at..at + 3) == Some(&[quote; 3]);
            let width = if triple { 3 } else { 1 };
            let start = at + width;
            let end = Some(())
                .filter(|()| !unclosed.contains(&quote))
                .and_then(|()| closing(bytes, start, quote, width));
            let Some(end) = end else {
                unclosed.push(quote);
                unclosed.dedup();
                at += 1;
                continue;
            };
            spans.push((start, end));
            let inside = text.get(start..end).unwrap_or_default();
            if !interpolates(
                inside,
                quote,
                at.checked_sub(1).and_then(|at| bytes.get(at)),
            ) {
                bare.iter_mut()
                    .take(end)
                    .skip(start)
                    .for_each(|byte| *byte = b' ');
            }
            at = end + width;
        }
        Self {
            text,
            bare: String::from_utf8(bare).unwrap_or_default(),
            spans,
            tangled,
        }
    }

    /// Whether what is a pattern could not be told from the rest.
    pub(super) const fn is_tangled(&self) -> bool {
        self.tangled
    }

    /// The texts of all literals.
    pub(super) fn literals(&self) -> impl Iterator<Item = String> {
        let spans = self.spans.iter();
        spans.filter_map(|(start, end)| Some(unescaped(self.text.get(*start..*end)?)))
    }

    /// Code outside of literals.
    pub(super) fn bare(&self) -> &str {
        &self.bare
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// What follows a place, outside of literals.
    pub(super) fn rest(&self, from: usize) -> &str {
        self.bare.get(from..).unwrap_or_default()
    }

    /// The places of a word that is not a part of a longer one.
    pub(super) fn places(&self, word: &str) -> Vec<usize> {
        memchr::memmem::find_iter(self.bare.as_bytes(), word)
            .filter(|at| self.is_word(word, *at))
            .collect()
    }

    /// Whether the word that stands there is not a part of a longer one.
    pub(super) fn is_word(&self, word: &str, at: usize) -> bool {
        let in_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let free = word.bytes().next().is_some_and(|b| !in_name(b));
        let ends_free = word.bytes().last().is_some_and(|b| !in_name(b));
        let lone = matches!(
            word,
            "eval" | "exec" | "compile" | "system" | "unlink" | "open"
        );
        let bytes = self.bare.as_bytes();
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + word.len());
        (free || !before.is_some_and(|b| in_name(*b)))
            && !(lone && before == Some(&b'.') && !self.is_method_of_kernel(at))
            && (ends_free || !after.is_some_and(|b| in_name(*b)))
    }

    /// `Kernel.system` and its kin are not methods of some object.
    fn is_method_of_kernel(&self, at: usize) -> bool {
        let before = self.bare.get(..at).unwrap_or_default();
        [
            "Kernel.", "Process.", "IO.", "File.", "os.", "io.", "exports.",
        ]
        .iter()
        .any(|owner| before.ends_with(owner))
    }

    /// The word at a place.
    pub(super) fn word_at(&self, at: usize) -> Option<&str> {
        let rest = self.bare.get(at..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
        rest.get(..end.unwrap_or(rest.len()))
    }

    /// The literals behind a word: in parentheses, in a list, in `qw(…)`, or just behind it.
    pub(super) fn arguments(&self, from: usize) -> Arguments<'t> {
        let rest = self.text.get(from..).unwrap_or_default();
        let mut limit = rest.len().min(MAX_CALL);
        while !rest.is_char_boundary(limit) {
            limit -= 1;
        }
        let mut rest = rest.get(..limit).unwrap_or_default().trim_start();
        let mut found = Arguments::default();
        if let Some(inside) = rest.strip_prefix('(') {
            rest = inside.trim_start();
        }
        for wrap in WRAPS.iter().filter(|wrap| !wrap.ends_with('(')) {
            rest = rest.strip_prefix(wrap).map_or(rest, str::trim_start);
        }
        if let Some(inside) = rest.strip_prefix(['[', '{']) {
            rest = inside.trim_start();
            found.list = true;
        }
        if let Some((words, after)) = quoted_words(rest) {
            found.list = words.len() > 1;
            found.texts = words;
            found.complete = true;
            found.rest_of_call = after;
            return found;
        }
        while found.texts.len() < MAX_WORDS {
            let (word, after) = match joined(rest) {
                Some(joined) => joined,
                // What is not a literal is a word that is not known; a named argument is none.
                None if !found.texts.is_empty() && !is_named(rest) => match expression(rest) {
                    Some(after) => (UNKNOWN.to_string(), after),
                    None => break,
                },
                None => break,
            };
            if found.texts.is_empty() {
                found.rest_of_call = after;
            }
            found.texts.push(word);
            let after = after.trim_start();
            found.complete = after.is_empty() || after.starts_with([')', ']', ';', '\n', '}', ',']);
            let Some(more) = after.strip_prefix(',') else {
                break;
            };
            rest = more.trim_start();
            if let Some(inside) = rest.strip_prefix('[') {
                rest = inside.trim_start();
                found.list = true;
            }
        }
        let end = found.rest_of_call.find(['\n', ';']);
        let end = end.unwrap_or(found.rest_of_call.len());
        found.rest_of_call = found.rest_of_call.get(..end).unwrap_or_default();
        found.list |= found.texts.len() > 1;
        found
    }
}

/// Calls around a path that leave it what it is.
const WRAPS: &[&str] = &[
    "os.path.expanduser(",
    "path.expanduser(",
    "expanduser(",
    "pathlib.Path(",
    "Path(",
    "glob ",
    "glob(",
    "glob.glob(",
    "Dir.glob(",
    "Dir[",
    "File.expand_path(",
    "URI(",
    "b(",
];

/// What stands for the interpreter itself.
const PROGRAMS: &[(&str, &str)] = &[
    ("sys.executable", "python3"),
    ("process.execPath", "node"),
    ("RbConfig.ruby", "ruby"),
    ("$^X", "perl"),
];

/// Calls that join paths.
const JOINS: &[&str] = &[
    "os.path.join(",
    "path.join(",
    "File.join(",
    "join(",
    "catfile(",
    "joinpath(",
    "file.path(",
];

/// A literal with others that are joined to it.
fn joined(code: &str) -> Option<(String, &str)> {
    if let Some(inside) = JOINS.iter().find_map(|join| code.strip_prefix(join)) {
        let (mut path, mut rest) = literal(inside.trim_start())?;
        while let Some(more) = rest.trim_start().strip_prefix(',') {
            path.push('/');
            let Some((word, after)) = literal(more.trim_start()) else {
                path.push(UNKNOWN);
                rest = expression(more).unwrap_or_default();
                break;
            };
            path.push_str(&word);
            rest = after;
        }
        let rest = rest.trim_start();
        return Some((path, rest.strip_prefix(')').unwrap_or(rest)));
    }
    let (program, code) = PROGRAMS
        .iter()
        .find_map(|(word, program)| Some((Some(*program), code.strip_prefix(word)?)))
        .unwrap_or((None, code));
    let wrapped = WRAPS
        .iter()
        .filter(|wrap| wrap.ends_with('(') && program.is_none())
        .find_map(|wrap| code.strip_prefix(wrap));
    let (mut text, mut rest) = match (program, wrapped) {
        (Some(program), _) => (program.to_owned(), code),
        (None, Some(inside)) => {
            let (text, rest) = joined(inside.trim_start())?;
            (text, rest.trim_start().strip_prefix(')').unwrap_or(rest))
        }
        (None, None) => literal(code)?,
    };
    for _ in 0..MAX_WORDS {
        let after = rest.trim_start();
        let sign = ["..", "<>", "+", ".", "/", "~", "*"]
            .iter()
            .find_map(|sign| Some((*sign, after.strip_prefix(sign)?)));
        let Some((sign, more)) = sign else { break };
        let more = more.trim_start();
        if let Some((word, after)) = literal(more).filter(|_| sign != "~") {
            if sign == "/" && !text.ends_with('/') {
                text.push('/');
            }
            text.push_str(&word);
            rest = after;
        } else if sign == "+"
            || sign == "/"
            || sign == ".."
            || (sign == "." && more.starts_with('$'))
        {
            text.push(UNKNOWN);
            rest = expression(more).unwrap_or_default();
            break;
        } else {
            break;
        }
    }
    Some((text, rest))
}

/// Whether an argument is given by its name: `shell=True`, `in: s`.
fn is_named(code: &str) -> bool {
    let end = code.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let (name, rest) = code.split_at(end.unwrap_or(code.len()));
    let rest = rest.trim_start();
    !name.is_empty()
        && (rest.starts_with('=') && !rest.starts_with("==")
            || rest.starts_with(':') && !rest.starts_with("::"))
        || code.starts_with(['{', '*'])
}

/// What follows an expression: from the next comma, or where its call ends.
fn expression(code: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut bytes = code.bytes().enumerate();
    let mut begun = false;
    for (at, byte) in bytes.by_ref() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' | b',' | b';' | b'\n' if depth == 0 => {
                return begun.then(|| code.get(at..)).flatten();
            }
            b')' | b']' | b'}' => depth -= 1,
            b'"' | b'\'' => begun = true,
            _ => {}
        }
        begun |= !byte.is_ascii_whitespace();
    }
    begun.then_some("")
}

/// Where the literal is closed whose inside starts at `start`.
fn closing(bytes: &[u8], start: usize, quote: u8, width: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            byte if *byte == quote => {
                let closes = (0..width).all(|ahead| bytes.get(at + ahead) == Some(&quote));
                if closes {
                    return Some(at);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Whether code stands inside of a literal.
fn interpolates(inside: &str, quote: u8, before: Option<&u8>) -> bool {
    let formatted = matches!(before, Some(b'f' | b'F')) && inside.contains('{');
    formatted
        || (quote == b'`' && inside.contains("${"))
        || (quote == b'"' && (inside.contains("#{") || inside.contains("@{")))
}

/// The literal that the code starts with, possibly behind a prefix letter, and what follows.
fn literal(code: &str) -> Option<(String, &str)> {
    let bare = code.trim_start_matches(['r', 'f', 'b', 'u', 'q', 'R', 'B']);
    let quote = bare.bytes().next()?;
    if matches!(quote, b'{' | b'(') && code.starts_with('q') {
        let close = if quote == b'{' { '}' } else { ')' };
        let (inside, after) = bare.get(1..)?.split_once(close)?;
        return Some((inside.to_owned(), after));
    }
    if !matches!(quote, b'\'' | b'"' | b'`') {
        return None;
    }
    let triple = bare.as_bytes().get(..3) == Some(&[quote; 3]);
    let width = if triple { 3 } else { 1 };
    let end = closing(bare.as_bytes(), width, quote, width)?;
    let mut inside = unescaped(bare.get(width..end)?);
    let prefix = code.get(..code.len() - bare.len()).unwrap_or_default();
    let opens: &[&str] = match quote {
        _ if prefix.contains('f') => &["{"],
        b'`' => &["${"],
        b'"' => &["#{"],
        _ => &[],
    };
    for open in opens {
        inside = without_expressions(&inside, open);
    }
    Some((inside, bare.get(end + width..).unwrap_or_default()))
}

/// A text in which expressions stand, with what they are worth not known.
fn without_expressions(text: &str, open: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(open) {
        out.push_str(before);
        let Some((_, after)) = inside.split_once('}') else {
            rest = inside;
            break;
        };
        out.push(UNKNOWN);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `qw(a b)` and `%w[a b]`.
fn quoted_words(code: &str) -> Option<(Vec<String>, &str)> {
    let rest = code
        .strip_prefix("qw")
        .or_else(|| code.strip_prefix("%w"))?;
    let close = match rest.chars().next()? {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '/' => '/',
        _ => return None,
    };
    let (inside, after) = rest.get(1..)?.split_once(close)?;
    let words = inside.split_whitespace().take(MAX_WORDS);
    Some((words.map(str::to_owned).collect(), after))
}

fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => {}
            }
        } else {
            out.push(c);
        }
    }
    out
}
