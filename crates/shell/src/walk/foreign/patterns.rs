//! Regular expressions in code: what stands in them is no code, however it reads.

use super::words::Language;

/// Words behind which an operand begins.
const BEFORE: &[&str] = &[
    "if", "unless", "and", "or", "not", "split", "grep", "when", "return", "while", "until", "x",
    "match", "print", "puts", "p", "map", "any", "in", "then", "do",
];

/// How often a text may be looked through, on average, for the ends of what does not end.
const MAX_LOOKS: usize = 4;

/// Where what is opened ends.
struct Ends<'t> {
    bytes: &'t [u8],
    /// Bytes that may still be looked through in vain.
    left: Option<usize>,
}

impl Ends<'_> {
    /// Where a stretch ends that begins at `from`. When too much was looked through in vain, the
    /// answer is that it does not end.
    fn closing(&mut self, from: usize, close: u8) -> Option<usize> {
        let left = self.left?;
        let mut at = from;
        loop {
            match self.bytes.get(at) {
                Some(b'\\') => at += 2,
                Some(byte) if *byte == close => return Some(at),
                Some(b'\n') if close == b'/' => break,
                Some(_) => at += 1,
                None => break,
            }
        }
        self.left = left.checked_sub(at.saturating_sub(from));
        None
    }
}

/// Stretches of the text that are patterns, unless that would take too long to find; behind `s/…/…/e` the replacement is code and is not
/// among them, nor is a pattern that runs code itself.
pub(super) fn patterns(text: &str, language: Language) -> Option<Vec<(usize, usize)>> {
    let letters = match language {
        Language::Perl => true,
        Language::Ruby | Language::Node => false,
        _ => return Some(Vec::new()),
    };
    let bytes = text.as_bytes();
    let mut ends = Ends {
        bytes,
        left: Some(bytes.len() * MAX_LOOKS),
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = ends.closing(at + 1, *byte).map_or(at + 1, |end| end + 1);
                continue;
            }
            b'/' if operand_begins(text, at) => {
                if let Some(end) = ends.closing(at + 1, b'/') {
                    push(&mut found, text, at + 1, end);
                    at = end + 1;
                    continue;
                }
            }
            b'm' | b's' | b'q' | b't' | b'y' if letters && stands_alone(bytes, at) => {
                if let Some(end) = quote_like(text, at, &mut ends, &mut found) {
                    at = end;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    ends.left.map(|_| found)
}

/// `m{…}`, `qr/…/`, `s,…,…,`, `tr/…/…/`; where it ends.
fn quote_like(
    text: &str,
    at: usize,
    ends: &mut Ends<'_>,
    found: &mut Vec<(usize, usize)>,
) -> Option<usize> {
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
    let end = ends.closing(open_at + 1, close)?;
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
    let last = ends.closing(second, close)?;
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
            .flatten()
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

    #[test]
    fn what_does_not_end_is_looked_for_a_few_times() {
        let few = "\\\"".repeat(MAX_LOOKS);
        assert!(patterns(&few, Language::Ruby).is_some());
        let many = "\\\"".repeat(MAX_LOOKS * 100);
        assert!(patterns(&many, Language::Ruby).is_none());
    }
}
