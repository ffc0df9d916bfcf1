//! Digests of recorded outputs: nothing that tells of a failure is lost, and much is saved.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails it"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use wharf_output::digest::{
    BYTES_PER_TOKEN, DEFAULT_BUDGET_TOKENS, Digest, Input, MIN_BUDGET_TOKENS, NOTE_BYTES, Stream,
    digest,
};
use wharf_shell::{Analysis, Context, analyze};

/// Outputs from this size on are long: about 500 tokens.
const LONG: usize = 2_000;

struct Fixture {
    name: String,
    family: String,
    analysis: Analysis,
    exit_code: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    must: Vec<String>,
}

impl Fixture {
    fn input(&self, budget_tokens: Option<usize>) -> Input<'_> {
        Input {
            analysis: &self.analysis,
            stdout: &self.stdout,
            stderr: &self.stderr,
            exit_code: Some(self.exit_code),
            budget_tokens,
            handle: None,
        }
    }

    fn digest(&self, budget_tokens: Option<usize>) -> Digest {
        digest(&self.input(budget_tokens))
    }

    fn size(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }

    fn missing(&self, text: &str) -> Vec<&String> {
        let lines: std::collections::HashSet<&str> = text.lines().map(str::trim_end).collect();
        self.must
            .iter()
            .filter(|line| !lines.contains(line.trim_end()))
            .collect()
    }
}

fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/digest");
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "must")
        })
        .collect();
    paths.sort();
    assert!(paths.len() > 80, "the fixtures are not where they were");
    paths.iter().map(|path| fixture(path)).collect()
}

fn fixture(path: &Path) -> Fixture {
    let sidecar = fs::read_to_string(path).unwrap();
    let mut lines = sidecar.lines();
    let mut header = |name: &str| {
        let line = lines.next().unwrap();
        line.strip_prefix(&format!("# {name}: "))
            .unwrap_or_else(|| panic!("{path:?}: {line}"))
            .to_owned()
    };
    let (command, exit, family) = (header("command"), header("exit"), header("family"));
    Fixture {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        family,
        analysis: analyze(&command, &Context::default()),
        exit_code: exit.parse().unwrap(),
        stdout: fs::read(path.with_extension("stdout")).unwrap_or_default(),
        stderr: fs::read(path.with_extension("stderr")).unwrap_or_default(),
        must: lines
            .filter(|line| !line.trim().is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

#[test]
fn no_line_that_must_survive_is_lost() {
    let mut lost = Vec::new();
    for fixture in fixtures() {
        let digest = fixture.digest(None);
        for line in fixture.missing(&digest.text) {
            lost.push(format!("{}: {line}", fixture.name));
        }
    }
    assert!(
        lost.is_empty(),
        "{} lines lost:\n{}",
        lost.len(),
        lost.join("\n")
    );
}

#[test]
fn most_tokens_of_long_outputs_are_saved() {
    let mut families: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
    for fixture in fixtures().iter().filter(|fixture| fixture.size() >= LONG) {
        let digest = fixture.digest(None);
        println!(
            "{:24} {:8} {:6} -> {:6}  {:3} %",
            fixture.name,
            fixture.family,
            digest.tokens_before,
            digest.tokens_after,
            saved(digest.tokens_before, digest.tokens_after)
        );
        let family = families.entry(fixture.family.clone()).or_default();
        family.0 += 1;
        family.1 += digest.tokens_before;
        family.2 += digest.tokens_after;
    }
    let (mut before, mut after) = (0, 0);
    for (family, (count, was, is)) in &families {
        println!(
            "{family:10} {count:3} outputs {was:7} -> {is:7} tokens, {:3} % saved",
            saved(*was, *is)
        );
        before += was;
        after += is;
    }
    println!("all: {before} -> {after}, {} % saved", saved(before, after));
    assert!(saved(before, after) >= 70);
}

fn saved(before: usize, after: usize) -> i64 {
    100 - (after as i64 * 100 / before.max(1) as i64)
}

#[test]
fn a_budget_is_a_promise() {
    for fixture in fixtures() {
        for budget in [
            0,
            MIN_BUDGET_TOKENS,
            100,
            300,
            1_000,
            3_000,
            DEFAULT_BUDGET_TOKENS,
            100_000,
        ] {
            let digest = fixture.digest(Some(budget));
            let most = budget.max(MIN_BUDGET_TOKENS);
            assert!(
                digest.tokens_after <= most,
                "{} at {budget}: {}",
                fixture.name,
                digest.tokens_after
            );
            assert_eq!(
                digest.tokens_after,
                digest.text.len().div_ceil(BYTES_PER_TOKEN)
            );
        }
    }
}

#[test]
fn what_is_left_out_can_be_read_where_it_says() {
    for fixture in fixtures() {
        for budget in [None, Some(200), Some(1_000)] {
            let digest = fixture.digest(budget);
            for part in &digest.left_out {
                let stream = match part.stream {
                    Stream::Stdout => &fixture.stdout,
                    Stream::Stderr => &fixture.stderr,
                };
                let range = part.offset as usize..(part.offset + part.bytes) as usize;
                let bytes = &stream[range.clone()];
                let before = stream[..range.start]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count() as u64;
                assert_eq!(part.from_line, before + 1, "{}: {part:?}", fixture.name);
                let inside = bytes.strip_suffix(b"\n").unwrap_or(bytes);
                let breaks = inside.iter().filter(|byte| **byte == b'\n').count() as u64;
                assert_eq!(
                    part.to_line,
                    part.from_line + breaks,
                    "{}: {part:?}",
                    fixture.name
                );
            }
        }
    }
}

#[test]
fn failures_that_do_not_fit_are_counted() {
    let errors: String = (0..2_000)
        .map(|n| format!("src/file{n}.c:{n}:1: error: number {n} is wrong\n"))
        .collect();
    let analysis = analyze("make", &Context::default());
    let input = Input {
        analysis: &analysis,
        stdout: b"",
        stderr: errors.as_bytes(),
        exit_code: Some(2),
        budget_tokens: Some(500),
        handle: Some("GET /api/commands/7/output?stream={stream}&offset={offset}&limit={limit}"),
    };
    let digest = digest(&input);
    assert_eq!(digest.failure_lines, 2_000);
    assert!(digest.failure_lines_left_out > 1_900);
    assert!(
        digest.text.starts_with("src/file0.c:0:1: error"),
        "{}",
        digest.text
    );
    assert!(
        digest.text.contains("number 1999 is wrong"),
        "{}",
        digest.text
    );
    assert!(digest.text.contains(&format!(
        "{} more failure lines",
        digest.failure_lines_left_out
    )));
    let part = &digest.left_out[0];
    let handle = format!(
        "GET /api/commands/7/output?stream=stderr&offset={}&limit={}",
        part.offset, part.bytes
    );
    assert!(digest.text.contains(&handle), "{}", digest.text);
}

#[test]
fn a_digest_is_not_longer_than_its_output() {
    for fixture in fixtures() {
        let digest = fixture.digest(None);
        assert!(
            digest.text.len() <= fixture.size() + NOTE_BYTES,
            "{}",
            fixture.name
        );
    }
}
