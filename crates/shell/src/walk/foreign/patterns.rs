//! Regular expressions in code: what stands in them is no code, however it reads.

use super::words::Language;

/// Words behind which an operand begins.
const BEFORE: &[&str] = &[
    "if", "unless", "and", "or", "not", "split", "grep", "when", "return", "while", "until", "x",
    "match", "print", "puts", "p", "map", "any", "in", "then", "do",
];

/// Stretches of the text that are patterns; behind `s/…/…/e` the replacement is code and is not
/// among them, nor is a pattern that runs code itself.
pub(super) fn patterns(text: &str, language: Language) -> Vec<(usize, usize)> {
    let letters = match language {
        Language::Perl => true,
        Language::Ruby | Language::Node => false,
        _ => return Vec::new(),
    };
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = closing(bytes, at + 1, *byte).map_or(at + 1, |end| end + 1);
                continue;
            }
            b'/' if operand_begins(text, at) => {
                if let Some(end) = closing(bytes, at + 1, b'/') {
                    push(&mut found, text, at + 1, end);
                    at = end + 1;
                    continue;
                }
            }
            b'm' | b's' | b'q' | b't' | b'y' if letters && stands_alone(bytes, at) => {
                if let Some(end) = quote_like(text, at, &mut found) {
                    at = end;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// `m{…}`, `qr/…/`, `s,…,…,`, `tr/…/…/`; where it ends.
fn quote_like(text: &str, at: usize, found: &mut Vec<(usize, usize)>) -> Option<usize> {
    let rest = text.get(at..)?;
    let (word, twice) = [
        ("qr", false),
        ("tr", true),
        ("m", false),
        ("s", true),
        ("y", true),
    ]
    .into_iter()
    .find(|(word, _)| rest.starts_with(word))?;
    let bytes = text.as_bytes();
    let open_at = at + word.len();
    let open = *bytes.get(open_at)?;
    if open.is_ascii_alphanumeric()
        || matches!(open, b'_' | b' ' | b'=' | b',' | b';' | b')' | b'-')
    {
        return None;
    }
    let close = match open {
        b'{' => b'}',
        b'(' => b')',
        b'[' => b']',
        b'<' => b'>',
        other => other,
    };
    let end = closing(bytes, open_at + 1, close)?;
    push(found, text, open_at + 1, end);
    if !twice {
        return Some(end + 1);
    }
    let second = if open == close {
        end + 1
    } else {
        let gap = text.get(end + 1..)?.find(char::from(open))?;
        end + 1 + gap + 1
    };
    let last = closing(bytes, second, close)?;
    let flags = text.get(last + 1..).unwrap_or_default();
    let flags = flags
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    if !(word == "s" && flags.contains('e')) {
        push(found, text, second, last);
    }
    Some(last + 1)
}

/// A pattern with code in it stays.
fn push(found: &mut Vec<(usize, usize)>, text: &str, start: usize, end: usize) {
    let inside = text.get(start..end).unwrap_or_default();
    let code = ["?{", "@{", "${\\", "#{"];
    if !code.iter().any(|sign| inside.contains(sign)) {
        found.push((start, end));
    }
}

fn closing(bytes: &[u8], from: usize, close: u8) -> Option<usize> {
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'\n' if close == b'/' => return None,
            byte if *byte == close => return Some(at),
            _ => at += 1,
        }
    }
}

fn stands_alone(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|at| bytes.get(at))
        .is_none_or(|before| {
            !before.is_ascii_alphanumeric()
                && !matches!(
                    before,
                    b'_' | b'$' | b'@' | b'%' | b'-' | b'>' | b'{' | b'&'
                )
        })
}

/// Whether an operand may begin here, so that a slash does not divide.
fn operand_begins(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default().trim_end();
    let Some(last) = before.chars().next_back() else {
        return true;
    };
    if "(,~!&|{};=?:[".contains(last) {
        return true;
    }
    let word = before
        .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
        .unwrap_or_default();
    BEFORE.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<&str> {
        patterns(text, Language::Perl)
            .into_iter()
            .filter_map(|(start, end)| text.get(start..end))
            .collect()
    }

    #[test]
    fn patterns_are_told_from_code() {
        assert_eq!(seen(r"print if /eval\s*\(/"), [r"eval\s*\("]);
        assert_eq!(seen("s/a/b/g; 4 / 2 / 1"), ["a", "b"]);
        assert_eq!(seen("s/a/`b`/e"), ["a"]);
        assert_eq!(seen("m{system} and $x =~ qr/exec/"), ["system", "exec"]);
        assert_eq!(seen("/(?{ system 1 })/"), Vec::<&str>::new());
        assert_eq!(seen("$s = 1; $h{y}; print 'a/b/c'"), Vec::<&str>::new());
    }
}
