//! What an output looks like, found by looking at it.

/// Lines that are looked at; the format of an output shows in its beginning.
const SAMPLE: usize = 200;

/// The format of an output, and the share of the sampled lines that conform to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Looks {
    pub(crate) format: &'static str,
    pub(crate) share: f64,
}

/// Looks at an output.
pub(crate) fn look(bytes: &[u8]) -> Looks {
    let all = |format| Looks { format, share: 1.0 };
    if bytes.is_empty() {
        return all("empty");
    }
    if memchr::memchr(0, bytes).is_some() {
        return all("binary");
    }
    let text = String::from_utf8_lossy(bytes);
    let trimmed = text.trim();
    if enclosed(trimmed) {
        return all("json");
    }
    let lines: Vec<&str> = trimmed
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(SAMPLE)
        .collect();
    if lines.is_empty() {
        return all("empty");
    }
    if trimmed.starts_with("<?xml") {
        return all("xml");
    }
    if trimmed.starts_with("<!DOCTYPE html") || trimmed.starts_with("<html") {
        return all("html");
    }
    if trimmed.starts_with("diff --git ")
        || (trimmed.starts_with("--- ") && trimmed.contains("\n+++ "))
    {
        return all("diff");
    }
    let share = |is: fn(&str) -> bool| {
        let conforming = lines.iter().filter(|line| is(line)).count();
        conforming as f64 / lines.len() as f64
    };
    let candidates = [
        ("ndjson", share(enclosed)),
        ("log", share(is_log)),
        ("key_value", share(is_pair)),
        ("csv", columns(&lines, |line| line.matches(',').count())),
        (
            "tabular",
            columns(&lines, |line| {
                line.split_whitespace().count().saturating_sub(1)
            }),
        ),
        (
            "list",
            share(|line| !line.trim().contains(char::is_whitespace)),
        ),
    ];
    // The one that most lines conform to, the earlier of equals; what fits nothing is text, and
    // that is as sure as nothing else fits.
    let mut best = Looks {
        format: "text",
        share: 0.0,
    };
    for (format, share) in candidates {
        let enough = lines.len() > 1 || matches!(format, "list" | "log");
        if enough && share > best.share {
            best = Looks { format, share };
        }
    }
    if best.share > 0.5 {
        best
    } else {
        Looks {
            format: "text",
            share: 1.0 - best.share,
        }
    }
}

/// Whether a text begins and ends as a JSON object or array does, with its brackets in balance.
fn enclosed(text: &str) -> bool {
    let text = text.trim();
    let braces = text.starts_with('{') && text.ends_with('}')
        || text.starts_with('[') && text.ends_with(']');
    if !braces {
        return false;
    }
    let (mut depth, mut inside, mut escaped) = (0_i64, false, false);
    for (index, byte) in text.bytes().enumerate() {
        if index > 0 && depth == 0 {
            // The first value ends before the text does.
            return false;
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => depth += 1,
            b'}' | b']' if !inside => depth -= 1,
            _ => {}
        }
    }
    let first = text
        .get(1..)
        .unwrap_or_default()
        .trim_start()
        .bytes()
        .next();
    depth == 0
        && !inside
        && matches!(
            first,
            Some(b'"' | b'{' | b'[' | b']' | b'}' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n')
        )
}

/// Whether a line begins with a time.
fn is_log(line: &str) -> bool {
    let head: String = line.trim_start_matches('[').chars().take(19).collect();
    let digits = head.chars().filter(char::is_ascii_digit).count();
    digits >= 6
        && head.contains(':')
        && (head.contains('-')
            || head.contains('/')
            || head.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Whether a line is a name, a separator and a value.
fn is_pair(line: &str) -> bool {
    let Some((name, value)) = line.split_once(['=', ':']) else {
        return false;
    };
    let name = name.trim();
    !name.is_empty()
        && name.len() <= 40
        && !name.contains("  ")
        && !value.starts_with("//")
        && name.split_whitespace().count() <= 4
}

/// The share of lines that have as many separators as most have, when that is at least two.
fn columns(lines: &[&str], separators: impl Fn(&str) -> usize) -> f64 {
    let counts: Vec<usize> = lines.iter().map(|line| separators(line)).collect();
    let most = counts
        .iter()
        .copied()
        .max_by_key(|count| counts.iter().filter(|other| *other == count).count());
    match most {
        Some(count) if count >= 2 => {
            counts.iter().filter(|other| **other == count).count() as f64 / counts.len() as f64
        }
        _ => 0.0,
    }
}

/// Whether an output speaks of an error, at the beginning of a line or behind a program's name.
pub(crate) fn speaks_of_errors(bytes: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "error",
        "fatal",
        "panic",
        "traceback",
        "failed",
        "exception",
        "cannot",
        "denied",
    ];
    let text = String::from_utf8_lossy(bytes);
    text.lines().any(|line| {
        let line = line.trim_start().to_ascii_lowercase();
        let begins = |text: &str| WORDS.iter().any(|word| text.starts_with(word));
        begins(&line)
            || line.split(": ").skip(1).take(3).any(begins)
            || line.contains("no such file or directory")
            || line.contains("command not found")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> &'static str {
        look(text.as_bytes()).format
    }

    #[test]
    fn formats_show() {
        assert_eq!(format(""), "empty");
        assert_eq!(format("{\"a\": [1, \"}\"]}\n"), "json");
        assert_eq!(format("{\"a\":1}\n{\"a\":2}\n"), "ndjson");
        assert_eq!(format("a\0b"), "binary");
        assert_eq!(format("a,b,c\n1,2,3\n4,5,6\n"), "csv");
        assert_eq!(
            format("PID TTY TIME CMD\n1 ? 0:00 init\n2 ? 0:00 x\n"),
            "tabular"
        );
        assert_eq!(format("a.txt\nb.txt\n"), "list");
        assert_eq!(format("A=1\nB=2\n"), "key_value");
        assert_eq!(format("diff --git a/x b/x\n"), "diff");
        assert_eq!(
            format("2024-01-02T03:04:05Z hello there\n2024-01-02T03:04:06Z again\n"),
            "log"
        );
        assert_eq!(
            format("It was a dark night.\nNobody knew.\nThe end of it all came late in the day.\n"),
            "text"
        );
    }

    #[test]
    fn errors_show() {
        assert!(speaks_of_errors(
            b"ls: cannot access 'x': No such file or directory"
        ));
        assert!(speaks_of_errors(b"error[E0308]: mismatched types"));
        assert!(!speaks_of_errors(b"0 warnings, no problem"));
    }
}
