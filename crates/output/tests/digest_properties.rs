//! What holds of every digest, whatever came out.

use proptest::prelude::*;
use wharf_output::digest::{BYTES_PER_TOKEN, Input, MIN_BUDGET_TOKENS, NOTE_BYTES, digest};
use wharf_shell::{Context, analyze};

/// Pieces of lines that mean something, so that blocks, repeats and progress meet each other.
const PIECES: &[&str] = &[
    "error: something is wrong",
    "error[E0308]: mismatched types",
    "  --> src/a.rs:3:4",
    "   |",
    "12 | let x = 3;",
    "warning: unused variable",
    "test a::b ... ok",
    "test a::c ... FAILED",
    "---- a::c stdout ----",
    "thread 'a::c' panicked at src/a.rs:3:4:",
    "Traceback (most recent call last):",
    "  File \"a.py\", line 3, in f",
    "    raise ValueError('x')",
    "ValueError: x",
    "=================== FAILURES ===================",
    "E       assert 3 == 4",
    "============ 1 failed, 2 passed in 0.1s ============",
    "npm ERR! code 1",
    "make: *** [all] Error 2",
    "a.c:3:4: error: expected ';'",
    "   Compiling a v1.0.0",
    "Get:1 http://deb.debian.org/debian bookworm/main amd64 a amd64 1.0 [3 kB]",
    " 10% [==>      ] 3MB/s\r 20% [====>    ] 3MB/s\r100% [=========] done",
    "2026-01-02T03:04:05Z INFO request 17 in 3 ms",
    "2026-01-02T03:04:05Z ERROR request 17 failed",
    "\u{1b}[31mfatal: \u{1b}[0mno",
    "--- FAIL: TestX (0.00s)",
    "    x_test.go:3: got 1, want 2",
    "\u{25cf} suite \u{203a} test",
    "",
    "  ",
    "}",
    "x",
    "a line of prose about nothing in particular, somewhat long so that it takes some room",
];

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => "[ -~]{0,80}",
        1 => any::<String>().prop_map(|text| text.replace('\n', " ")),
    ]
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => proptest::collection::vec(line(), 0..200).prop_map(|lines| lines.join("\n").into_bytes()),
        1 => (line(), 1..2_000usize).prop_map(|(line, times)| format!("{line}\n").repeat(times).into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..2_000),
    ]
}

const COMMANDS: &[&str] = &[
    "make",
    "cargo test",
    "ls -l",
    "cat x",
    "pytest | tee log",
    "",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_digest_keeps_its_promises(
        stdout in output(),
        stderr in output(),
        command in proptest::sample::select(COMMANDS),
        exit_code in proptest::option::of(0..3),
        budget_tokens in proptest::option::of(0..3_000usize),
    ) {
        let analysis = analyze(command, &Context::default());
        let input = Input {
            analysis: &analysis,
            stdout: &stdout,
            stderr: &stderr,
            exit_code,
            budget_tokens,
            handle: None,
        };
        let first = digest(&input);
        prop_assert_eq!(&first, &digest(&input), "deterministic");
        if let Some(budget) = budget_tokens {
            prop_assert!(first.text.len() <= budget.max(MIN_BUDGET_TOKENS) * BYTES_PER_TOKEN);
        }
        let whole = String::from_utf8_lossy(&stdout).len() + String::from_utf8_lossy(&stderr).len();
        prop_assert!(first.text.len() <= whole + NOTE_BYTES, "{} > {whole}", first.text.len());
        for part in &first.left_out {
            let stream = if part.stream == wharf_output::digest::Stream::Stdout { &stdout } else { &stderr };
            prop_assert!(part.offset + part.bytes <= stream.len() as u64);
            prop_assert!(part.from_line <= part.to_line);
        }
    }

    #[test]
    fn a_line_with_a_word_of_failure_survives_where_it_fits(
        before in proptest::collection::vec(line(), 0..100),
        after in proptest::collection::vec(line(), 0..100),
        word in proptest::sample::select(&["error", "failed", "fatal", "aborted", "Exception", "FAIL"][..]),
        rest in "[a-z ]{0,20}",
    ) {
        let needle = format!("zq {word}: {rest}").trim_end().to_owned();
        let text = [before, vec![needle.clone()], after].concat().join("\n");
        let analysis = analyze("./run.sh", &Context::default());
        let digest = digest(&Input {
            analysis: &analysis,
            stdout: b"",
            stderr: text.as_bytes(),
            exit_code: Some(1),
            budget_tokens: Some(50_000),
            handle: None,
        });
        let found = digest.text.lines().any(|line| line.trim_end() == needle);
        // Bytes that are mostly control characters are no text, and are named as such.
        prop_assert!(found || digest.text.contains("[binary"), "{needle} in {}", digest.text);
    }
}

/// Ten times the input takes about ten times the time: the inputs that break quadratic readers.
#[test]
fn hostile_inputs_are_read_in_linear_time() {
    let inputs: [fn(usize) -> Vec<u8>; 6] = [
        |n| b"\n".repeat(n),
        |n| b"\x1b]".repeat(n / 2),
        |n| b"\r".repeat(n),
        |n| b"error ".repeat(n / 6),
        |n| b"a\n".repeat(n / 2),
        |n| b"error: x\n  y\n\n".repeat(n / 14),
    ];
    let analysis = analyze("make", &Context::default());
    for (number, input) in inputs.iter().enumerate() {
        let stdout = input(1 << 20);
        let start = std::time::Instant::now();
        let digest = digest(&Input {
            analysis: &analysis,
            stdout: &stdout,
            stderr: b"",
            exit_code: Some(1),
            budget_tokens: None,
            handle: None,
        });
        assert!(digest.text.len() < 64_000);
        // A debug build on a busy machine; a quadratic reader would take hours.
        assert!(start.elapsed().as_secs() < 60, "input {number}");
    }
}
