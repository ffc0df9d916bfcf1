//! What failed, counted: tests, errors of compilers, levels of a log.

use crate::digest::{Place, Stream, Words, clean, segments};

use super::Input;

/// Places that one hint names.
const MAX_PLACES: usize = 4;

/// Words of more than three letters among which a log has its level.
const WORDS_BEFORE_LEVEL: usize = 4;

/// Files that are told apart when errors are counted.
const MAX_FILES: usize = 200;

/// Tests, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tests {
    passed: u64,
    failed: u64,
    skipped: u64,
}

#[derive(Default)]
struct Counted {
    tests: Tests,
    /// Messages of errors with a place, by file.
    errors: Vec<(String, u64)>,
    warnings: u64,
    levels: Levels,
}

#[derive(Default)]
struct Levels {
    lines: u64,
    errors: u64,
    warnings: u64,
    first_error: Option<u64>,
}

/// The hints.
pub(super) fn hints(input: &Input<'_>) -> Vec<String> {
    let mut counted = Counted::default();
    for bytes in [input.stdout, input.stderr] {
        for segment in segments(bytes).filter(|segment| !segment.superseded) {
            counted.read(&clean(segment.text), segment.line);
        }
    }
    let failed = input.exit_code != Some(0);
    let mut hints = Vec::new();
    hints.extend(counted.tests.hint(&input.digest.failures_at));
    if failed || counted.tests == Tests::default() {
        hints.extend(errors(&counted.errors));
    }
    if counted.warnings > 1 && input.form.name != "log" {
        hints.push(format!("{} warnings", counted.warnings));
    }
    let log = counted.levels.hint();
    let is_log = log.is_some() || input.form.name == "log";
    hints.extend(log);
    if hints.is_empty() && failed {
        hints.extend(lines_of_failure(input));
    }
    if !failed && input.digest.failure_lines > 0 && !is_log {
        let place = places(&input.digest.failures_at);
        hints.push(format!(
            "it ended with 0, and says that something failed: {place}"
        ));
    }
    if input.digest.failure_lines_left_out > 0 {
        hints.push(format!(
            "{} of {} failure lines are not in text",
            input.digest.failure_lines_left_out, input.digest.failure_lines
        ));
    }
    hints
}

fn lines_of_failure(input: &Input<'_>) -> Option<String> {
    if input.digest.failure_lines == 0 {
        return None;
    }
    let lines = if input.digest.failure_lines == 1 {
        "line tells"
    } else {
        "lines tell"
    };
    Some(format!(
        "{} of {} {lines} of a failure: {}",
        input.digest.failure_lines,
        input.digest.lines,
        places(&input.digest.failures_at)
    ))
}

/// Places in words: `lines 12-18, 40 of stderr`.
fn places(all: &[Place]) -> String {
    let named = |stream: Stream| {
        let of: Vec<&Place> = all.iter().filter(|place| place.stream == stream).collect();
        if of.is_empty() {
            return None;
        }
        let few = of
            .iter()
            .take(MAX_PLACES)
            .map(|place| match place.to_line - place.from_line {
                0 => place.from_line.to_string(),
                _ => format!("{}-{}", place.from_line, place.to_line),
            });
        let few = few.collect::<Vec<_>>().join(", ");
        let more = of.len().saturating_sub(MAX_PLACES);
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more places")
        };
        Some(format!("lines {few}{more} of {}", stream.name()))
    };
    let named = [named(Stream::Stdout), named(Stream::Stderr)];
    named.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

impl Counted {
    fn read(&mut self, line: &str, number: u64) {
        self.tests.read(line);
        if let Some(path) = located(line) {
            let words = Words::of(line);
            if words.warning && !words.message {
                self.warnings += 1;
            } else if words.message {
                self.error_in(path);
            }
        } else if line.starts_with("warning: ") && !line.contains(" generated ") {
            self.warnings += 1;
        } else if let Some(rest) = line.trim_start().strip_prefix("--> ") {
            // rustc and ruff name the place on a line of its own.
            self.error_in(rest.split(':').next().unwrap_or(rest));
        }
        self.levels.read(line, number);
    }

    fn error_in(&mut self, path: &str) {
        let full = self.errors.len() >= MAX_FILES;
        match self.errors.iter_mut().find(|(known, _)| known == path) {
            Some((_, count)) => *count += 1,
            None if full => {}
            None => self.errors.push((path.to_owned(), 1)),
        }
    }
}

/// The path of a line that begins as messages of compilers do: `path:12:` or `path(12,`.
fn located(line: &str) -> Option<&str> {
    let end = line.find([':', '('])?;
    let (path, rest) = (line.get(..end)?, line.get(end + 1..)?);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let closes = rest
        .as_bytes()
        .get(digits)
        .is_some_and(|byte| matches!(byte, b':' | b','));
    (digits > 0 && closes && path.contains('.') && !path.contains(' ')).then_some(path)
}

fn errors(files: &[(String, u64)]) -> Option<String> {
    let all: u64 = files.iter().map(|(_, count)| count).sum();
    let (most, count) = files.iter().max_by_key(|(_, count)| *count)?;
    match (all, files.len()) {
        (1, _) => Some(format!("1 message, in {most}")),
        (all, 1) => Some(format!("{all} messages, all in {most}")),
        (all, files) => Some(format!(
            "{all} messages in {files} files, most in {most} ({count})"
        )),
    }
}

impl Tests {
    /// Takes the numbers of a summary. Summaries of several groups add up.
    fn read(&mut self, line: &str) {
        let trimmed = line.trim().trim_matches('=').trim();
        let summary = trimmed.starts_with("test result: ")
            || (line.starts_with("==") && trimmed.contains(" in "))
            || trimmed.starts_with("Tests:")
            || (trimmed.starts_with("Tests ") && trimmed.contains(" passed"));
        if summary {
            self.passed += number_before(trimmed, " passed");
            self.failed += number_before(trimmed, " failed") + number_before(trimmed, " error");
            self.skipped += number_before(trimmed, " skipped") + number_before(trimmed, " ignored");
        } else if let Some(rest) = trimmed
            .strip_suffix(" failing")
            .filter(|rest| is_number(rest))
        {
            self.failed += rest.parse::<u64>().unwrap_or_default();
        } else if trimmed.contains(" passing (") {
            self.passed += number_before(trimmed, " passing");
        } else if line.starts_with("--- FAIL: ") {
            self.failed += 1;
        } else if line.starts_with("--- PASS: ") {
            self.passed += 1;
        } else if let Some(rest) = line
            .strip_prefix("\u{2139} pass ")
            .or_else(|| line.strip_prefix("# pass "))
        {
            self.passed += rest.parse::<u64>().unwrap_or_default();
        } else if let Some(rest) = line
            .strip_prefix("\u{2139} fail ")
            .or_else(|| line.strip_prefix("# fail "))
        {
            self.failed += rest.parse::<u64>().unwrap_or_default();
        } else if trimmed.contains("] Tests run: ") && !trimmed.contains("Time elapsed") {
            let failed = number_after(trimmed, "Failures: ") + number_after(trimmed, "Errors: ");
            self.failed += failed;
            self.skipped += number_after(trimmed, "Skipped: ");
            self.passed += number_after(trimmed, "Tests run: ").saturating_sub(failed);
        } else if let Some(rest) = line.strip_prefix("Ran ") {
            // unittest says how many it ran here, and how many failed on a later line.
            self.passed += rest
                .split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0u64);
        } else if line.starts_with("FAILED (") {
            let failed = number_after(line, "failures=") + number_after(line, "errors=");
            self.failed += failed;
            self.passed = self.passed.saturating_sub(failed);
        }
    }

    fn hint(self, failures_at: &[Place]) -> Option<String> {
        let ran = self.passed + self.failed;
        let skipped = match self.skipped {
            0 => String::new(),
            n => format!(", {n} skipped"),
        };
        match (ran, self.failed) {
            (0, _) => None,
            (ran, 0) => Some(format!("all {ran} tests passed{skipped}")),
            (ran, failed) => {
                let place = places(failures_at);
                Some(format!("{failed} of {ran} tests failed{skipped}: {place}"))
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number right before a word: 3 in `3 failed`.
fn number_before(line: &str, word: &str) -> u64 {
    let Some((before, _)) = line.split_once(word) else {
        return 0;
    };
    let start = before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    before
        .get(start..)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// The number right after a word: 3 in `failures=3`.
fn number_after(line: &str, word: &str) -> u64 {
    let Some((_, after)) = line.split_once(word) else {
        return 0;
    };
    let end = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    after
        .get(..end)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

impl Levels {
    /// Counts lines with a level in capitals near their beginning.
    fn read(&mut self, line: &str, number: u64) {
        let is = |levels: &[&str]| {
            let words = line.split(|c: char| !c.is_ascii_alphabetic());
            words
                .filter(|word| word.len() > 3)
                .take(WORDS_BEFORE_LEVEL)
                .any(|word| levels.contains(&word))
        };
        // A time stands first, perhaps in a bracket; `[ERROR]` alone is a build.
        let time = line.strip_prefix('[').unwrap_or(line);
        if !time.starts_with(|c: char| c.is_ascii_digit()) {
            return;
        }
        if is(&["ERROR", "FATAL", "CRITICAL", "SEVERE"]) {
            self.errors += 1;
            self.first_error = self.first_error.or(Some(number));
        } else if is(&["WARN", "WARNING"]) {
            self.warnings += 1;
        } else if !is(&["INFO", "DEBUG", "TRACE", "NOTICE"]) {
            return;
        }
        self.lines += 1;
    }

    fn hint(&self) -> Option<String> {
        if self.lines < 5 {
            return None;
        }
        let first = self
            .first_error
            .map_or_else(String::new, |line| format!(" (the first on line {line})"));
        Some(format!(
            "a log of {} lines: {} errors{first}, {} warnings",
            self.lines, self.errors, self.warnings
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> Counted {
        let mut counted = Counted::default();
        for (line, number) in text.lines().zip(1..) {
            counted.read(line, number);
        }
        counted
    }

    #[test]
    fn summaries_of_runners() {
        let tests = |passed, failed, skipped| Tests {
            passed,
            failed,
            skipped,
        };
        let cases = [
            (
                "test result: FAILED. 120 passed; 3 failed; 1 ignored; 0 measured",
                tests(120, 3, 1),
            ),
            (
                "======== 2 failed, 5 passed, 1 skipped in 0.12s ========",
                tests(5, 2, 1),
            ),
            (
                "Tests:       3 failed, 121 passed, 124 total",
                tests(121, 3, 0),
            ),
            ("      Tests  3 failed | 100 passed (103)", tests(100, 3, 0)),
            ("  100 passing (12ms)\n  3 failing\n", tests(100, 3, 0)),
            (
                "Ran 64 tests in 0.1s\nFAILED (failures=2, errors=1, skipped=1)",
                tests(61, 3, 0),
            ),
            (
                "[ERROR] Tests run: 541, Failures: 1, Errors: 1, Skipped: 2",
                tests(539, 2, 2),
            ),
            ("\u{2139} pass 40\n\u{2139} fail 2", tests(40, 2, 0)),
        ];
        for (text, wanted) in cases {
            assert_eq!(counted(text).tests, wanted, "{text}");
        }
    }

    #[test]
    fn errors_are_counted_by_file() {
        let text = "a.c:1:2: error: x\na.c:3:2: error: y\nb.c:1:1: error: z\nb.c:2:1: warning: w\n";
        let counted = counted(text);
        assert_eq!(
            errors(&counted.errors).unwrap(),
            "3 messages in 2 files, most in a.c (2)"
        );
        assert_eq!(counted.warnings, 1);
    }

    #[test]
    fn levels_of_logs() {
        let text = "2026 INFO a\n".repeat(5) + "2026 ERROR b\n2026 WARN c\n";
        let hint = counted(&text).levels.hint().unwrap();
        assert_eq!(
            hint,
            "a log of 7 lines: 1 errors (the first on line 6), 1 warnings"
        );
    }
}
