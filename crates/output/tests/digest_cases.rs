//! What a digest does, case by case.

use wharf_output::digest::{
    Digest, Input, MAX_PLACES, MIN_BUDGET_TOKENS, SMALL_OUTPUT_BYTES, digest,
};
use wharf_shell::{Context, analyze};

fn of(command: &str, exit_code: i32, stdout: &str) -> Digest {
    let analysis = analyze(command, &Context::default());
    digest(&Input {
        analysis: &analysis,
        stdout: stdout.as_bytes(),
        stderr: b"",
        exit_code: Some(exit_code),
        budget_tokens: None,
        handle: None,
    })
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|n| line(n) + "\n").collect()
}

#[test]
fn a_small_output_is_shown_whole() {
    let small = lines(SMALL_OUTPUT_BYTES / 20, |n| format!("test a{n:02} ... ok"));
    assert_eq!(of("cargo test", 0, &small).text, small);
    let larger = lines(SMALL_OUTPUT_BYTES / 5, |n| format!("test a{n:02} ... ok"));
    assert!(
        of("cargo test", 0, &larger)
            .text
            .starts_with("[\u{2026} 200 passed tests: lines 1-200;")
    );
}

#[test]
fn nothing_makes_nothing() {
    let digest = of("true", 0, "");
    assert_eq!(
        (digest.text.as_str(), digest.tokens_before, digest.lines),
        ("", 0, 0)
    );
}

#[test]
fn the_same_line_is_shown_once_with_its_count() {
    let text = of("./wait.sh", 0, &lines(500, |_| "waiting for it".to_owned())).text;
    assert!(
        text.starts_with(
            "waiting for it\n[\u{2026} the same 499 times more: lines 1-500; offset=0 limit=7500]\n"
        ),
        "{text}"
    );
}

#[test]
fn lines_that_differ_in_numbers_are_shown_a_few_times_and_at_the_end() {
    let text = of(
        "./train.sh",
        0,
        &lines(300, |n| format!("epoch {n} took {n}.3s loss 0.{n}")),
    )
    .text;
    assert!(text.starts_with("epoch 0 took"), "{text}");
    assert!(text.contains("lines like those above"), "{text}");
    assert!(text.contains("epoch 299 took"), "{text}");
}

#[test]
fn a_message_that_was_written_over_survives() {
    let bars: String = (0..100)
        .map(|n| format!("{n}% [====>    ] 3MB/s\r"))
        .collect();
    let text = of(
        "./get.sh",
        1,
        &format!("{bars}error: the disk is gone\r100% [====] done\n"),
    )
    .text;
    assert!(text.contains("error: the disk is gone\n"), "{text}");
    assert!(!text.contains("50%"), "{text}");
}

#[test]
fn a_pipe_that_hides_the_exit_code_hides_no_failure() {
    let passed = lines(200, |n| format!("test a{n} ... ok"));
    let output = format!(
        "{passed}test b ... FAILED\nexpected something else here\ntest result: FAILED. 200 passed; 1 failed\n"
    );
    let digest = of("cargo test | tee log", 0, &output);
    assert!(digest.text.contains("test b ... FAILED"), "{}", digest.text);
    assert!(digest.failure_lines >= 2);
}

#[test]
fn names_in_a_listing_are_no_failures() {
    let digest = of(
        "find . -name '*.rs'",
        0,
        &lines(300, |n| format!("./src/error/failed_{n}.rs")),
    );
    assert_eq!(digest.failure_lines, 0);
    assert!(digest.text.starts_with("./src/error/failed_0.rs"));
    assert!(digest.text.contains("./src/error/failed_299.rs"));
}

#[test]
fn a_binary_is_named_and_not_shown() {
    let digest = of("cat x", 0, &"\u{0}\u{1}\u{2}\u{3}".repeat(100));
    assert_eq!(
        digest.text.lines().next(),
        Some("[binary: 400 bytes on stdout]")
    );
}

#[test]
fn the_smallest_budget_holds_a_failure() {
    let analysis = analyze("make", &Context::default());
    let stdout = lines(400, |n| format!("gcc -c file{n}.c")) + "make: *** [all] Error 2\n";
    let digest = digest(&Input {
        analysis: &analysis,
        stdout: stdout.as_bytes(),
        stderr: b"",
        exit_code: Some(2),
        budget_tokens: Some(1),
        handle: None,
    });
    assert!(digest.tokens_after <= MIN_BUDGET_TOKENS);
    assert!(
        digest.text.contains("make: *** [all] Error 2"),
        "{}",
        digest.text
    );
}

#[test]
fn places_of_failures_are_bounded() {
    let far = lines(MAX_PLACES * 20, |n| {
        if n % 10 == 0 {
            format!("error: {n}")
        } else {
            "x".to_owned()
        }
    });
    let digest = of("make", 1, &far);
    assert_eq!(digest.failures_at.len(), MAX_PLACES);
    let last = digest.failures_at.last().map(|place| place.to_line);
    assert!(last >= Some((MAX_PLACES * 20 - 9) as u64));
}

#[test]
fn a_long_line_is_cut_in_its_middle_and_says_where_it_is() {
    let long = format!("head{}tail\n", "x".repeat(5_000));
    let text = of("./run.sh", 0, &long).text;
    assert!(
        text.starts_with("headxxx") && text.contains("xtail\n"),
        "{text}"
    );
    assert!(text.contains("offset=0 limit=5008]"), "{text}");
    assert!(text.len() < 1_200);
}

#[test]
fn a_named_budget_that_holds_everything_leaves_nothing_plain_out() {
    let analysis = analyze("find .", &Context::default());
    let stdout = lines(400, |n| format!("./a/file_{n}.rs"));
    let with = |budget_tokens| {
        digest(&Input {
            analysis: &analysis,
            stdout: stdout.as_bytes(),
            stderr: b"",
            exit_code: Some(0),
            budget_tokens,
            handle: None,
        })
    };
    assert_eq!(with(Some(4_000)).text, stdout);
    let sampled = with(Some(1_400));
    assert!(
        (550..=750).contains(&sampled.tokens_after),
        "{}",
        sampled.tokens_after
    );
    assert!(with(None).tokens_after < sampled.tokens_after);
}

#[test]
fn a_warning_that_is_only_counted_brings_no_place() {
    let warnings = lines(50, |n| {
        format!("warning: unused variable: `x{n}`\n --> src/f{n}.rs:3:9\n  |\n3 | let x{n} = 1;\n")
    });
    let text = of("cargo build", 0, &warnings).text;
    assert!(
        text.contains("src/f2.rs") && !text.contains("src/f20.rs"),
        "{text}"
    );
    assert!(text.contains("46 warnings"), "{text}");
}
