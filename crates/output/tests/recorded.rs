//! Recorded outputs: which form they have, which rows are read from them, and that what does not
//! fit gives none.
//!
//! A fixture begins with the command (`$ `), the forms that are right (`= `, parted by bars), the
//! parser and the number of rows (`> `, or `> none`) and some values (`! path value`), then a line
//! of `--`, then the output as it came.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and its helpers too"
)]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use wharf_output::format::{self, SURE};
use wharf_output::rows::{MAX_LINES, Rows, rows};
use wharf_shell::{Context, analyze};

struct Fixture {
    name: String,
    command: String,
    forms: Vec<String>,
    parser: String,
    facts: Vec<(String, Value)>,
    output: Vec<u8>,
}

fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recorded");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fixture(path)).collect()
}

fn fixture(path: &Path) -> Fixture {
    let bytes = std::fs::read(path).unwrap();
    let end = bytes
        .windows(4)
        .position(|bytes| bytes == b"\n--\n")
        .unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let line = |mark: &str| {
        let found = head.lines().find_map(|line| line.strip_prefix(mark));
        found
            .unwrap_or_else(|| panic!("{path:?} has no {mark}"))
            .to_owned()
    };
    let facts = head
        .lines()
        .filter_map(|line| line.strip_prefix("! "))
        .map(|fact| {
            let (at, value) = fact.split_once(' ').unwrap();
            (at.to_owned(), serde_json::from_str(value).unwrap())
        });
    Fixture {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        command: line("$ "),
        forms: line("= ").split('|').map(str::to_owned).collect(),
        parser: line("> "),
        facts: facts.collect(),
        output: bytes[end + 4..].to_vec(),
    }
}

fn read(command: &str, output: &[u8]) -> Option<Rows> {
    rows(&analyze(command, &Context::default()), command, output)
}

fn form(fixture: &Fixture) -> format::OutputAnalysis {
    let analysis = analyze(&fixture.command, &Context::default());
    format::output_analysis(&analysis, &fixture.command, &fixture.output, b"", 0)
}

/// The value at `0.addr_info.1.local`.
fn at<'v>(rows: &'v Value, path: &str) -> &'v Value {
    path.split('/')
        .fold(rows, |value, step| match step.parse::<usize>() {
            Ok(index) => &value[index],
            Err(_) => &value[step],
        })
}

#[test]
fn every_output_gives_its_rows() {
    for fixture in fixtures() {
        let read = read(&fixture.command, &fixture.output);
        let said = read.as_ref().map_or("none".to_owned(), |read| {
            format!("{} {}", read.parser, read.rows.len())
        });
        assert_eq!(said, fixture.parser, "{}", fixture.name);
        let rows = serde_json::to_value(read.map(|read| read.rows)).unwrap();
        for (path, value) in &fixture.facts {
            assert_eq!(at(&rows, path), value, "{} at {path}", fixture.name);
        }
    }
}

#[test]
fn enough_outputs_are_known() {
    let fixtures = fixtures();
    let parsers: BTreeSet<&str> = fixtures
        .iter()
        .filter_map(|fixture| fixture.parser.split_once(' '))
        .map(|(parser, _)| parser)
        .collect();
    assert!(
        parsers.len() >= 60,
        "{} parsers: {parsers:?}",
        parsers.len()
    );
}

#[test]
fn answers_that_are_sure_are_right() {
    let fixtures = fixtures();
    let (mut sure, mut right, mut all) = (0, 0, 0);
    for fixture in &fixtures {
        let seen = form(fixture);
        let fits = fixture.forms.iter().any(|form| form == seen.format_type);
        all += usize::from(fits);
        if seen.confidence >= SURE {
            sure += 1;
            right += usize::from(fits);
        }
    }
    assert!(
        right * 10 >= sure * 9,
        "{right} of {sure} sure answers are right"
    );
    assert!(
        sure * 2 >= fixtures.len(),
        "only {sure} of {} are sure",
        fixtures.len()
    );
    assert!(
        all * 10 >= fixtures.len() * 9,
        "{all} of {} forms are right",
        fixtures.len()
    );
}

#[test]
fn forms_that_were_mistaken_once_are_seen() {
    const ONCE: &[&str] = &["f-box", "f-cargo-fmt", "f-merge-diff", "f-sentences"];
    let fixtures = fixtures();
    for fixture in fixtures.iter().filter(|f| ONCE.contains(&f.name.as_str())) {
        let seen = form(fixture);
        let fits = fixture.forms.iter().any(|form| form == seen.format_type);
        assert!(fits, "{}: {}", fixture.name, seen.format_type);
    }
}

/// Parsers of names and lines of text, which many outputs are, and of files whose name says what
/// they are.
const OPEN: &[&str] = &[
    "ls",
    "find",
    "grep",
    "grep_files",
    "grep_counts",
    "git_diff_names",
    "git_tag",
    "dpkg_files",
    "env",
    "ini",
    "properties",
    "declarations",
    "wc",
    "du",
    "sysctl",
    "tar",
    "os_release",
    "json",
    "ndjson",
    "csv",
    "yaml",
    "key_value",
    "table",
];

#[test]
fn what_another_program_printed_is_not_read() {
    let fixtures = fixtures();
    let (mut tried, mut wrong) = (0, Vec::new());
    for asked in &fixtures {
        let analysis = analyze(&asked.command, &Context::default());
        for other in &fixtures {
            let own = |parser: &str| other.parser.split(' ').next() == Some(parser);
            tried += 1;
            let read = rows(&analysis, &asked.command, &other.output);
            if let Some(read) =
                read.filter(|read| !OPEN.contains(&read.parser) && !own(read.parser))
            {
                wrong.push(format!(
                    "{}: {} as {}",
                    asked.command, other.name, read.parser
                ));
            }
        }
    }
    assert!(
        wrong.len() * 500 <= tried,
        "{} of {tried}: {wrong:#?}",
        wrong.len()
    );
}

#[test]
fn outputs_that_are_cut_or_coloured_do_no_harm() {
    for fixture in fixtures() {
        for part in 1..16 {
            let end = fixture.output.len() * part / 16;
            read(&fixture.command, &fixture.output[..end]);
            let seen = format::look(&fixture.output[..end], Some("tabular"));
            assert!((0.0..=1.0).contains(&seen.confidence));
        }
    }
    let plain = read("ls -l", b"-rw-r--r-- 1 ada ada 12 Mar  1 10:00 a\n");
    let coloured = read(
        "ls -l",
        b"-rw-r--r-- 1 ada ada 12 Mar  1 10:00 \x1b[01;34ma\x1b[0m\r\n",
    );
    assert!(plain.is_some());
    assert_eq!(plain, coloured);
}

#[test]
fn at_the_bound_the_rest_is_counted() {
    let line = "-rw-r--r-- 1 ada ada 12 Mar  1 10:00 a\n";
    let read = |count| read("ls -l", line.repeat(count).as_bytes()).unwrap();
    let whole = read(MAX_LINES);
    assert_eq!((whole.rows.len(), whole.lines_left_out), (MAX_LINES, 0));
    let cut = read(MAX_LINES + 7);
    assert_eq!((cut.rows.len(), cut.lines_left_out), (MAX_LINES, 7));
}

#[test]
fn messages_among_the_lines_are_told_apart() {
    let output = b"ls: cannot access 'x': No such file or directory\n-rw-r--r-- 1 ada ada 12 Mar  1 10:00 a\n";
    let merged = read("ls -l x a 2>&1", output).unwrap();
    assert_eq!((merged.rows.len(), merged.messages), (1, 1));
    assert_eq!(read("ls -l x a", output), None);
}

#[test]
fn an_answer_on_the_wire_has_the_names_of_the_contract() {
    let command = "python3 shop.py";
    let stderr = b"Traceback (most recent call last):\n  File \"shop.py\", line 1, in <module>\nKeyError: 'plum'\n";
    let stdout =
        b"token=ghp_0123456789abcdefghijABCDEFGHIJ012345\nopen http://ada:secret1@example.com/\n";
    let analysis = analyze(command, &Context::default());
    let seen = format::output_analysis(&analysis, command, stdout, stderr, 1);
    let wire = serde_json::to_value(seen).unwrap();
    assert_eq!(wire["line_count"], 2);
    assert_eq!(wire["contains_errors"], true);
    assert_eq!(wire["error_languages"], serde_json::json!(["python"]));
    assert_eq!(
        wire["secrets"],
        serde_json::json!([{"kind": "github_token", "count": 1}, {"kind": "url_password", "count": 1}])
    );
    assert!(wire["format_type"].is_string());
    assert!(!wire.to_string().contains("secret1"));
}

#[test]
fn errors_are_known_by_their_language() {
    for (text, language) in [
        ("error[E0308]: mismatched types\n", "rust"),
        ("thread 'main' panicked at src/main.rs:4:5:\n", "rust"),
        ("panic: runtime error\n\ngoroutine 1 [running]:\n", "go"),
        ("./main.go:9:2: undefined: plum\n", "go"),
        ("    at price (/srv/shop.js:3:9)\n", "node"),
        (
            "src/a.ts(1,2): error TS2304: Cannot find name 'plum'.\n",
            "typescript",
        ),
        ("Exception in thread \"main\" java.lang.Error\n", "java"),
        ("main.c:3:12: error: 'plum' undeclared\n", "gcc"),
        ("bash: plum: command not found\n", "shell"),
        ("shop.rb:3:in `price': no plum (KeyError)\n", "ruby"),
        ("PHP Fatal error:  Uncaught Error\n", "php"),
        ("Died at shop.pl line 3.\n", "perl"),
        (
            "Program.cs(3,5): error CS0103: The name 'plum' does not exist\n",
            "dotnet",
        ),
        ("make: *** [Makefile:4: all] Error 1\n", "make"),
        ("ERROR:  relation \"plum\" does not exist\n", "sql"),
        ("fatal: not a git repository\n", "git"),
    ] {
        let analysis = analyze("./run", &Context::default());
        let seen = format::output_analysis(&analysis, "./run", text.as_bytes(), b"", 1);
        let wire = serde_json::to_value(&seen).unwrap();
        assert_eq!(
            wire["error_languages"],
            serde_json::json!([language]),
            "{text}"
        );
        assert!(seen.contains_errors, "{text}");
    }
    let analysis = analyze("ls", &Context::default());
    let calm = format::output_analysis(&analysis, "ls", b"error.log\nfatal.txt\n", b"", 0);
    assert!(!calm.contains_errors && calm.error_languages.is_empty());
}
