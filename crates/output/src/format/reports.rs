//! Outputs that tell of something that happened: patches, failures, tests, events, trees.

use super::Seen;
use super::errors::{is_trace_line, languages_of};
use super::lines::{Sample, share};

pub(super) fn diff(sample: &Sample<'_>) -> Option<Seen> {
    let lines = sample.lines();
    let hunk = |line: &&&str| {
        let hunk = |mark| {
            line.strip_prefix(mark)
                .is_some_and(|rest: &str| rest.contains(" @@"))
        };
        // With three signs it is a merge.
        hunk("@@ -") || hunk("@@@ -")
    };
    let hunks = lines.iter().filter(hunk).count();
    let files = lines
        .iter()
        .filter(|line| {
            line.starts_with("diff --git ")
                || line.starts_with("diff -")
                || line.starts_with("--- ")
                || line.starts_with("Diff in ")
                || line.starts_with("Index: ")
        })
        .count();
    let changes = share(&lines, |line| {
        line.starts_with(['+', '-', ' ', '@'])
            || line.starts_with("diff ")
            || line.starts_with("index ")
            || line.starts_with('\\')
    });
    // The old form: `3c3`, `< old`, `---`, `> new`.
    let old = share(&lines, |line| {
        line.starts_with("< ")
            || line.starts_with("> ")
            || line == "---"
            || line == "<"
            || line == ">"
            || is_old_hunk(line)
    });
    let is_old = old > 0.95 && lines.iter().any(|line| is_old_hunk(line)) && lines.len() > 1;
    let is = is_old
        || files > 0
            && (hunks > 0 && changes > 0.6
                || lines.first().is_some_and(|line| {
                    ["diff --git ", "diff --cc ", "diff --combined ", "Diff in "]
                        .iter()
                        .any(|start| line.starts_with(start))
                }));
    is.then(|| Seen {
        share: if changes > 0.8 || is_old { 1.0 } else { 0.95 },
        ..Seen::default()
    })
}

/// `12,14c12`.
fn is_old_hunk(line: &str) -> bool {
    let at = line.find(['a', 'c', 'd']);
    let number =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b',');
    at.and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?)))
        .is_some_and(|(one, two)| number(one) && number(two))
}

/// Most lines belong to traces.
pub(super) fn stack_trace(sample: &Sample<'_>) -> Option<Seen> {
    let lines = sample.lines();
    let frames = lines.iter().filter(|line| is_trace_line(line)).count();
    if frames == 0 || languages_of(&lines).is_empty() {
        return None;
    }
    // A line of source stands below many frames.
    let around = lines.windows(2).filter(|pair| matches!(pair, [frame, below] if is_trace_line(frame) && !is_trace_line(below) && below.starts_with("    "))).count();
    let share = (frames + around) as f64 / lines.len() as f64;
    (share >= 0.4).then(|| Seen {
        share: if share > 0.6 { 1.0 } else { 0.92 },
        ..Seen::default()
    })
}

/// What the runners print at the end, and a line a test.
pub(super) fn test_report(sample: &Sample<'_>) -> Option<Seen> {
    let last = sample.last();
    let lines = sample.lines();
    let sums = last.iter().filter(|line| is_test_sum(line)).count();
    let single = share(&lines, is_test_line);
    if sums > 0 {
        return Some(Seen {
            share: if single > 0.2 || sums > 1 { 1.0 } else { 0.96 },
            ..Seen::default()
        });
    }
    (single >= 0.5 && lines.len() > 2).then(|| Seen {
        share: 0.93,
        ..Seen::default()
    })
}

fn is_test_sum(line: &str) -> bool {
    let text = line.trim().trim_matches('=').trim();
    let number_before = |word: &str| {
        text.split_once(word)
            .is_some_and(|(before, _)| before.trim_end().ends_with(|c: char| c.is_ascii_digit()))
    };
    let begins = [
        "test result: ",
        "Tests:  ",
        "Test Suites: ",
        "Test Files  ",
        "Tests run: ",
        "# tests ",
        "\u{2139} tests ",
        "\u{2139} pass ",
        "# pass ",
        "Total Tests:",
        "[  PASSED  ]",
        "[  FAILED  ]",
        "Tests passed:",
        "OK (",
        "FAILED (failures=",
        "FAILED (errors=",
        "Passed!  - Failed:",
        "Failed!  - Failed:",
    ];
    begins
        .iter()
        .any(|start| text.starts_with(start) && !text.ends_with(start))
        || text.starts_with("Ran ") && text.contains(" test") && text.contains(" in ")
        || text.starts_with("Summary [") && text.contains(" tests run")
        || (number_before(" error") || text.starts_with("no tests ran")) && lasted(text)
        || (number_before(" passed") || number_before(" failed"))
            && (text.contains(" in ") || line.starts_with("==="))
        || (number_before(" passing") || number_before(" failing")) && text.len() < 40
        || number_before(" examples,") && text.contains(" failure")
        || number_before(" tests,") && text.contains("assertions")
        || number_before(" runs,") && text.contains(" assertions, ")
        || text.starts_with("Tests: ") && text.contains(", Assertions: ")
        || text.starts_with("Files=") && text.contains(", Tests=")
        || (number_before(" test failed") || number_before(" tests failed")) && text.len() < 40
        || text.starts_with("FAIL\t")
        || text.starts_with("ok  \t") && text.contains('.')
        || text.contains("% tests passed, ")
}

/// `… in 0.33s`, which tells the sum of a test run from `3 errors in 2 files`.
fn lasted(text: &str) -> bool {
    text.rsplit_once(" in ")
        .and_then(|(_, time)| time.split(' ').next()?.strip_suffix('s'))
        .is_some_and(|time| time.parse::<f64>().is_ok())
}

fn is_test_line(line: &str) -> bool {
    let text = line.trim();
    text.starts_with("test ")
        && (text.ends_with("... ok")
            || text.ends_with("... FAILED")
            || text.ends_with("... ignored"))
        || [
            "--- PASS: ",
            "--- FAIL: ",
            "--- SKIP: ",
            "=== RUN ",
            "PASS ",
            "FAIL ",
            "✓ ",
            "✔ ",
            "✘ ",
            "✖ ",
            "✗ ",
            "✕ ",
            "× ",
            "[ RUN ",
            "[       OK ]",
            "[  FAILED  ]",
        ]
        .iter()
        .any(|start| text.starts_with(start))
        || [" PASSED", " FAILED", " SKIPPED"]
            .iter()
            .any(|word| text.contains(word))
            && text.contains("::")
        || is_tap(text)
}

/// `ok 1 - name` and `not ok 2 - name`.
fn is_tap(text: &str) -> bool {
    let rest = text.strip_prefix("not ").unwrap_or(text);
    rest.strip_prefix("ok ")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

pub(super) fn tree(sample: &Sample<'_>) -> Option<Seen> {
    let lines = sample.lines();
    let is_branch = |line: &str| {
        let text = line.trim_start();
        [
            "├─", "└─", "│", "|-- ", "`-- ", "|   ", "+-- ", "\\-- ", "+- ", "\\- ", "├╴", "└╴",
        ]
        .iter()
        .any(|mark| text.starts_with(mark))
    };
    let share = share(&lines, is_branch);
    // Columns beside the branches make it a table, as `lsblk` prints.
    let header = lines.first().is_some_and(|line| {
        line.split_whitespace().count() > 2 && !line.chars().any(char::is_lowercase)
    });
    // A box around columns is none either.
    let boxed = lines
        .first()
        .is_some_and(|line| line.trim_start().starts_with(['┌', '╭', '┏', '╔']));
    (share >= 0.4 && lines.len() > 1 && !header && !boxed).then(|| Seen {
        share: if share > 0.7 { 1.0 } else { 0.94 },
        rows: Some(sample.total),
        ..Seen::default()
    })
}

/// Lines that begin with a time or a level, or are steps of a build.
pub(super) fn log(sample: &Sample<'_>) -> Seen {
    let lines = sample.lines();
    let timed = share(&lines, |line| is_timed(line) || is_levelled(line));
    let steps = share(&lines, |line| {
        is_step(line) || is_timed(line) || is_levelled(line) || is_finding(line) || is_excerpt(line)
    });
    let beginnings = lines
        .iter()
        .filter(|line| is_step(line) || is_finding(line))
        .count();
    let share = if timed >= 0.7 {
        timed.clamp(0.9, 1.0)
    } else if steps >= 0.5 && beginnings >= 2 {
        // Below a step stands what it printed.
        0.88 + steps * 0.12
    } else {
        timed.max(steps * 0.5)
    };
    // One line with a time may be anything, such as the answer of `uptime`.
    let single = lines
        .iter()
        .any(|line| is_timed(line) && LEVELS.iter().any(|level| line.contains(level)));
    let enough = lines.len() > 1 || single;
    Seen {
        share: if enough { share } else { 0.0 },
        ..Seen::default()
    }
}

/// Levels that make a single line with a time an event.
const LEVELS: &[&str] = &[
    " INFO", " WARN", " ERROR", " DEBUG", "[info]", "[error]", "]: ",
];

/// A time of day with a date before it or digits around it, near the beginning of the line.
fn is_timed(line: &str) -> bool {
    let head: String = line.trim_start().chars().take(48).collect();
    let head = head.trim_start_matches(['[', '<', '(']);
    let words: Vec<&str> = head.split_whitespace().take(6).collect();
    let clock = |word: &str| {
        let word = word.trim_matches(['[', ']', '(', ')', ',', ':']);
        let mut parts = word.split(':');
        let two = |part: Option<&str>| {
            part.is_some_and(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
        };
        two(parts.next())
            && two(parts.next())
            && parts
                .next()
                .is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()))
    };
    let dated = |word: &str| {
        let word = word.trim_matches(['[', ']', ',']);
        word.len() >= 8
            && word.bytes().filter(u8::is_ascii_digit).count() >= 6
            && word
                .bytes()
                .filter(|b| matches!(b, b'-' | b'/' | b'.'))
                .count()
                >= 2
    };
    let stamp = words.first().is_some_and(|word| {
        // `2024-01-02T03:04:05Z`, and seconds since the start in brackets.
        dated(word) && word.contains(':') && word.contains('T')
            || line.starts_with('[')
                && head
                    .split(']')
                    .next()
                    .is_some_and(|inner| inner.trim().parse::<f64>().is_ok() && inner.contains('.'))
    });
    let month = words.first().is_some_and(|word| {
        [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        .contains(word)
    });
    let then_clock = words.first().is_some_and(|word| clock(word))
        || words.first().is_some_and(|word| dated(word))
            && words.get(1).is_some_and(|word| clock(word))
        || month && words.get(2).is_some_and(|word| clock(word));
    // A date in the middle, as web servers write it: `… [10/Oct/2000:13:55:36 -0700] "GET /`.
    let web = line.contains("\" ") && line.contains(" [") && line.contains("] \"");
    stamp || then_clock || web
}

fn is_levelled(line: &str) -> bool {
    let text = line.trim_start().trim_start_matches(['[', '<']);
    [
        "INFO", "WARN", "ERROR", "DEBUG", "TRACE", "FATAL", "NOTICE", "CRITICAL", "WARNING",
        "info", "warn", "error", "debug", "I0", "E0", "W0",
    ]
    .iter()
    .any(|level| {
        text.strip_prefix(level).is_some_and(|rest| {
            rest.starts_with([' ', ':', ']', '>', '\t', '['])
                || level.ends_with('0') && rest.starts_with(|c: char| c.is_ascii_digit())
        })
    })
}

/// What build tools and package managers print while they work.
fn is_step(line: &str) -> bool {
    const STEPS: &[&str] = &[
        "Compiling ",
        "Checking ",
        "Downloading ",
        "Downloaded ",
        "Finished ",
        "Running ",
        "Updating ",
        "Building ",
        "Fresh ",
        "Locking ",
        "Adding ",
        "Blocking ",
        "Doc-tests ",
        "Documenting ",
        "Get:",
        "Hit:",
        "Ign:",
        "Fetched ",
        "Reading ",
        "Unpacking ",
        "Setting up ",
        "Selecting ",
        "Preparing ",
        "Processing triggers",
        "Need to get",
        "After this operation",
        "(Reading database",
        "Collecting ",
        "Installing ",
        "Using cached ",
        "Requirement already",
        "Successfully ",
        "Attempting ",
        "Found existing",
        "Uninstalling ",
        "Preparing metadata",
        "Getting requirements",
        "Obtaining ",
        "Step ",
        "#",
        "=> ",
        "---> ",
        "Removing intermediate",
        "Sending build",
        "Pulling ",
        "Pull complete",
        "Digest: ",
        "Status: ",
        "CC ",
        "CXX ",
        "LD ",
        "AR ",
        "make[",
        "make: ",
        "gcc ",
        "g++ ",
        "cc ",
        "clang ",
        "-- ",
        "[INFO]",
        "> Task",
        "> ",
        "npm ",
        "added ",
        "removed ",
        "changed ",
        "audited ",
        "found ",
        "up to date",
        "Cloning into",
        "remote: ",
        "Receiving objects",
        "Resolving deltas",
        "Extracting ",
        "Generating ",
        "Linking ",
        "Copying ",
        "Creating ",
        "Starting ",
        "Stopping ",
        "Waiting ",
        "Scanning ",
        "adding: ",
        "updating: ",
        "testing: ",
        "inflating: ",
        "extracting: ",
        "creating: ",
        "Configuring ",
        "checking ",
        "config.status",
        "configure: ",
    ];
    let text = line.trim_start();
    let ratio = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .is_some_and(|(inner, _)| {
            let counts = inner.contains(['/', '%']);
            let inner = inner.trim().trim_end_matches('%');
            counts
                && !inner.is_empty()
                && inner
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b == b'/' || b == b' ')
        });
    ratio
        || STEPS
            .iter()
            .any(|step| text.starts_with(step) && text.len() > step.len())
}

/// `   12 | source` and `      |   ^~~~`, as compilers show the place of a finding.
fn is_excerpt(line: &str) -> bool {
    let Some((before, _)) = line.split_once('|') else {
        return false;
    };
    before.starts_with([' ', '\t']) && before.bytes().all(|b| b.is_ascii_digit() || b == b' ')
}

/// `warning: …`, `error[E0308]: …`, `file:1:2: warning: …`.
fn is_finding(line: &str) -> bool {
    let text = line.trim_start();
    ["warning: ", "error: ", "error[", "note: ", "help: ", "--> "]
        .iter()
        .any(|start| text.starts_with(start))
        || [": error: ", ": warning: ", ": note: ", ": error TS"]
            .iter()
            .any(|word| text.contains(word))
}
