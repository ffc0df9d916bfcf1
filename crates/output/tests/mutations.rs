//! Recorded outputs, changed at random, through everything that reads outputs: nothing panics, no
//! promise is broken, and nothing takes long.
//!
//! `WHARF_FAULT_ROUNDS` and `WHARF_FAULT_SEED` say how many and which.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

use std::time::{Duration, Instant};

use wharf_output::digest::{self, BYTES_PER_TOKEN, digest};
use wharf_output::hints::{self, Form, model_hints};
use wharf_output::next::{Surroundings, next_steps};
use wharf_output::{format, rows};
use wharf_shell::{Context, analyze};

/// Rounds in a usual run of the tests.
const ROUNDS: u64 = 150;

/// What one output may take at most, on a machine that has much else to do.
const LONGEST: Duration = Duration::from_secs(20);

/// Bytes of an output that is read in a round.
const MAX_BYTES: usize = 256 * 1024;

/// xorshift64*: a seed makes the same rounds again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the number of rounds; a test has no wire.rs"
)]
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(usual)
}

/// Command and output of every fixture, and outputs that are hostile on purpose.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("{folder}/digest")).unwrap() {
        let path = entry.unwrap().path();
        let must = std::fs::read_to_string(path.with_extension("must")).unwrap_or_default();
        let command = must.lines().next().unwrap_or_default();
        let command = command.trim_start_matches("# command: ").to_owned();
        if path
            .extension()
            .is_some_and(|end| end != "must" && end != "md")
        {
            found.push((command, std::fs::read(path).unwrap()));
        }
    }
    for entry in std::fs::read_dir(format!("{folder}/recorded")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\n--\n").unwrap();
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let command = head.lines().find_map(|line| line.strip_prefix("$ "));
        found.push((command.unwrap().to_owned(), bytes[end + 4..].to_vec()));
    }
    for (command, unit) in [
        ("jq .", "[{\"a\":"),
        ("cat a.xml", "<a b='c'>"),
        ("make", "error: x\n  at y:1\n\n"),
        ("./run", "\x1b[31merror\x1b[0m\r"),
        ("pytest", "E   assert 1 == 2\nFAILED a.py::b - c\n"),
        ("./run", "{\"level\":\"error\",\"a\":"),
    ] {
        found.push((command.to_owned(), unit.repeat(4_000).into_bytes()));
    }
    found.sort();
    found
}

/// Bytes that mean something to somebody who reads outputs.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n\n",
    b"\x1b[31m",
    b"\x1b]8;;",
    b"\x08",
    b"\0",
    b"\xff\xfe",
    b"\xf0\x9f\x8d\x91",
    b"\xc3",
    b"error: ",
    b"FAILED ",
    b" ... FAILED",
    b"Traceback (most recent call last):\n",
    b"\tat a.b(c:1)\n",
    b"\"level\":\"error\"",
    b"level=error ",
    b": 0",
    b"=",
    b"  | ",
    b"==1== ",
    b"[1/2] ",
    b"\xe2\x94\x82",
    b"{",
    b"[",
    b"<a>",
    b"- ",
    b"@@ -1 +1 @@\n",
    b"99999999999999999999999999",
    b"\t",
    b"    ",
];

fn mutated(random: &mut Random, all: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = all[random.below(all.len())].1.clone();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(..at)),
            2 => {
                let piece = PIECES[random.below(PIECES.len())];
                let piece = piece.repeat(1 + random.below(200));
                bytes.splice(at..at, piece);
            }
            3 => {
                let end = (at + random.below(400)).min(bytes.len());
                let part = bytes[at..end].repeat(1 + random.below(60));
                bytes.splice(at..at, part);
            }
            4 => {
                let other = &all[random.below(all.len())].1;
                let from = random.below(other.len() + 1);
                let to = (from + random.below(4_000)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            5 => {
                for _ in 0..random.below(40) {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = random.next() as u8;
                    }
                }
            }
            _ => bytes.retain(|byte| *byte != b'\n' || random.below(3) > 0),
        }
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

#[test]
fn changed_outputs_break_no_promise() {
    let seed = setting("WHARF_FAULT_SEED", 7);
    let all = fixtures();
    let mut random = Random(seed.wrapping_mul(2).wrapping_add(1));
    for round in 0..setting("WHARF_FAULT_ROUNDS", ROUNDS) {
        let command = all[random.below(all.len())].0.clone();
        let (stdout, stderr) = (mutated(&mut random, &all), mutated(&mut random, &all));
        let exit_code = [None, Some(0), Some(1), Some(139)][random.below(4)];
        let budget_tokens = [None, Some(0), Some(300), Some(2_000), Some(90_000)][random.below(5)];
        let started = Instant::now();
        read(&command, &stdout, &stderr, exit_code, budget_tokens);
        let took = started.elapsed();
        assert!(
            took < LONGEST,
            "round {round} of seed {seed}: {took:?} for {command}"
        );
    }
}

fn read(
    command: &str,
    stdout: &[u8],
    stderr: &[u8],
    exit_code: Option<i32>,
    budget_tokens: Option<usize>,
) {
    let analysis = analyze(command, &Context::default());
    let made = digest(&digest::Input {
        analysis: &analysis,
        stdout,
        stderr,
        exit_code,
        budget_tokens,
        handle: Some("GET /api/commands/1/output?stream={stream}&offset={offset}&limit={limit}"),
    });
    let most = budget_tokens.unwrap_or(digest::DEFAULT_BUDGET_TOKENS);
    assert!(made.text.len() <= most.max(digest::MIN_BUDGET_TOKENS) * BYTES_PER_TOKEN);
    for part in &made.left_out {
        let stream = match part.stream {
            digest::Stream::Stdout => stdout,
            digest::Stream::Stderr => stderr,
        };
        assert!(part.offset + part.bytes <= stream.len() as u64, "{part:?}");
    }
    let look = format::look(stdout, format::expected(&analysis, command));
    assert!((0.0..=1.0).contains(&look.confidence), "{look:?}");
    let _ = format::output_analysis(&analysis, command, stdout, stderr, exit_code.unwrap_or(1));
    let hints = model_hints(&hints::Input {
        analysis: &analysis,
        stdout,
        stderr,
        exit_code,
        form: Form::from(&look),
        digest: &made,
    });
    assert!((0.0..=1.0).contains(&hints.confidence), "{hints:?}");
    let _ = rows::rows(&analysis, command, stdout);
    let _ = next_steps(
        &analysis,
        exit_code,
        stdout,
        stderr,
        &Surroundings::default(),
    );
}
