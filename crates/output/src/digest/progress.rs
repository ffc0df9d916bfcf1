//! Lines that show how far something is, and the dots of test runners.

/// Whether a line is a state of progress: a bar, a spinner, a share with a speed.
pub(super) fn is_progress(body: &str) -> bool {
    let trimmed = body.trim_start();
    let Some(first) = trimmed.chars().next() else {
        return false;
    };
    if ('\u{2800}'..='\u{28ff}').contains(&first) {
        return true;
    }
    let bytes = trimmed.as_bytes();
    if !trimmed.is_ascii() && BARS.iter().any(|bar| trimmed.contains(bar)) {
        return true;
    }
    let Some(percent) = share(bytes) else {
        return is_bar(trimmed);
    };
    let (before, after) = (bytes.get(..percent), bytes.get(percent..));
    let holds = |part: Option<&[u8]>, words: &[&str]| {
        words.iter().any(|word| {
            part.is_some_and(|part| memchr::memmem::find(part, word.as_bytes()).is_some())
        })
    };
    holds(before, ASCII_BARS) || holds(after, ASCII_BARS) || holds(after, SPEEDS) || bytes.len() < 8
}

const BARS: &[&str] = &[
    "\u{2501}\u{2501}\u{2501}",
    "\u{2588}\u{2588}",
    "\u{2591}\u{2591}",
    "\u{25a0}\u{25a0}",
];
const ASCII_BARS: &[&str] = &["===", "###", "[>", "=>", "....."];
const SPEEDS: &[&str] = &["B/s", "ETA", "eta", "it/s", "0:00:"];

/// Where a share in percent ends, such as `45%` or ` 45.2 %`.
fn share(bytes: &[u8]) -> Option<usize> {
    let at = memchr::memchr(b'%', bytes)?;
    let before = bytes.get(..at)?.trim_ascii_end();
    before.last().filter(|byte| byte.is_ascii_digit())?;
    Some(at + 1)
}

/// A bar without a share: `[=====>    ] 12/40`.
fn is_bar(trimmed: &str) -> bool {
    let Some(open) = trimmed.find("[=").or_else(|| trimmed.find("[#")) else {
        return false;
    };
    let bar = trimmed.bytes().skip(open + 1);
    let drawn = bar.take_while(|byte| matches!(byte, b'=' | b'#' | b'>' | b' ' | b'-' | b'.'));
    drawn.count() > 3
}

/// Whether a line holds the dots of a test runner, such as `tests/a.py ..F.s   [ 50%]`, and if
/// so, whether one of them stands for a failure.
pub(super) fn dots(body: &str) -> Option<bool> {
    let body = body.trim();
    let body = body.strip_suffix("%]").map_or(body, |rest| {
        rest.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ')
            .trim_end_matches('[')
            .trim_end()
    });
    let mut words = body.split_ascii_whitespace();
    let first = words.next()?;
    let marks = match words.next() {
        Some(marks) if is_source(first) => marks,
        Some(_) => return None,
        None => first,
    };
    let all = words.next().is_none()
        && marks
            .bytes()
            .all(|mark| matches!(mark, b'.' | b's' | b'x' | b'X' | b'F' | b'E' | b'p'));
    let passed = memchr::memchr(b'.', marks.as_bytes()).is_some() || is_source(first);
    let failed = marks.bytes().any(|mark| matches!(mark, b'F' | b'E'));
    (all && passed && (marks.len() > 3 || is_source(first) || failed)).then_some(failed)
}

fn is_source(word: &str) -> bool {
    [".py", ".rb", ".php"].iter().any(|end| word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_progress() {
        for line in [
            " 45%[=====>      ] 1.2M  3MB/s eta 2s",
            "\u{280b} idealTree: timing",
            "   \u{2501}\u{2501}\u{2501}\u{2501} 1.2/3.4 MB 5 MB/s eta 0:00:01",
            "Building [=====>     ] 12/40: serde",
            " 37%",
            "[####      ] 40%",
        ] {
            assert!(is_progress(line), "{line}");
        }
        for line in [
            "coverage: 45% of statements in pack",
            "CPU at 90%",
            "a [= b",
            "x",
        ] {
            assert!(!is_progress(line), "{line}");
        }
    }

    #[test]
    fn dots_of_test_runners() {
        assert_eq!(dots("tests/test_a.py ....   [ 50%]"), Some(false));
        assert_eq!(dots("tests/test_a.py ..F.   [ 50%]"), Some(true));
        assert_eq!(dots(".....F..E"), Some(true));
        assert_eq!(dots("...."), Some(false));
        assert_eq!(dots("..."), None);
        assert_eq!(dots("some text here"), None);
        assert_eq!(dots("FF"), None);
    }
}
