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

/// As [`of`], within a budget.
fn within(budget: usize, command: &str, exit_code: i32, stdout: &[u8]) -> Digest {
    digest(&Input {
        analysis: &analyze(command, &Context::default()),
        stdout,
        stderr: b"",
        exit_code: Some(exit_code),
        budget_tokens: Some(budget),
        handle: None,
    })
}

#[test]
fn a_log_is_believed_about_its_levels() {
    let odd = 601;
    for (command, calm, wrong) in [
        (
            "docker logs shop",
            r#"{"ts": N, "level": "info", "msg": "no error, order N stored"}"#,
            r#"{"ts": N, "level": "error", "msg": "the gateway said 502"}"#,
        ),
        (
            "./serve",
            "time=N level=info msg=\"retries after failure: N\"",
            "time=N level=error msg=\"object was changed\"",
        ),
        (
            "kubectl logs cm",
            "I0304 05:10:00.123456       1 c.go:N] synced error-page N",
            "E0304 05:10:00.123456       1 c.go:N] webhook said no",
        ),
        (
            "./serve",
            "192.0.2.1 - - [4/Mar/2026:05:10:00 +0000] \"GET /N HTTP/1.1\" 200 N \"-\" \"x\"",
            "192.0.2.1 - - [4/Mar/2026:05:10:00 +0000] \"GET /N HTTP/1.1\" 503 N \"-\" \"x\"",
        ),
    ] {
        let log = lines(1_000, |n| {
            let line = if n == odd { wrong } else { calm };
            line.replace('N', &n.to_string())
        });
        let digest = within(400, command, 0, log.as_bytes());
        let wanted = wrong.replace('N', &odd.to_string());
        assert!(
            digest.text.lines().any(|line| line == wanted),
            "{}",
            digest.text
        );
        assert!(digest.failure_lines < 5, "{command}: {digest:?}");
    }
}

#[test]
fn what_only_sounds_like_failures_pushes_none_out() {
    let sounds = [
        "summary: 0 errors, 0 warnings",
        "error_count=0 failed=0",
        "no errors found in error.log",
        "copied src/error_handling.rs",
        "errors: 0",
        "checking failover node: healthy",
        "retry policy: on-failure",
        "exception-handler module loaded",
    ];
    let log = lines(2_000, |n| match n {
        900 => "error: could not copy src/plum.rs".to_owned(),
        _ => sounds
            .get(n % sounds.len())
            .copied()
            .unwrap_or_default()
            .to_owned(),
    });
    let digest = within(300, "./copy-all", 1, log.as_bytes());
    assert!(
        digest.text.contains("error: could not copy src/plum.rs"),
        "{}",
        digest.text
    );
    // What stands right below it may belong to it.
    assert!(digest.failure_lines < 5, "{digest:?}");
}

#[test]
fn where_not_all_fits_each_failure_is_named_before_one_is_explained() {
    let report = lines(12, |n| {
        let noise = lines(30, |l| format!("E     expected line {l} of {n}\n"));
        format!("---- test_{n} stdout ----\nassertion failed: plum_{n}\n{noise}\n")
    });
    let digest = within(500, "cargo test", 101, report.as_bytes());
    for n in 0..12 {
        assert!(
            digest.text.contains(&format!("---- test_{n} stdout")),
            "{}",
            digest.text
        );
    }
    assert!(digest.tokens_after > 400, "{}", digest.tokens_after);
}

#[test]
fn a_rare_failure_among_many_alike_is_shown() {
    let report = lines(500, |n| match n {
        333 => "a.py:333: error: the disk is gone".to_owned(),
        n => format!("a.py:{n}: error: name x is not defined"),
    });
    let digest = within(200, "./lint", 1, report.as_bytes());
    assert!(digest.text.contains("the disk is gone"), "{}", digest.text);
}

#[test]
fn a_long_line_shows_the_word_that_fails() {
    let line = format!(
        "{}ERROR: checksum mismatch{}\n",
        "a=1 ".repeat(9_000),
        " b=2".repeat(9_000)
    );
    let digest = within(500, "./verify", 1, line.as_bytes());
    assert!(
        digest.text.contains("ERROR: checksum mismatch"),
        "{}",
        digest.text
    );
    let part = digest
        .left_out
        .first()
        .map(|part| (part.offset, part.bytes));
    assert_eq!(part, Some((0, line.len() as u64 - 1)));
}

#[test]
fn utf16_is_read_and_its_places_are_those_of_the_bytes() {
    let text = lines(400, |n| match n {
        200 => "ERROR: gr\u{f6}\u{df}e \u{1f351} fehlt".to_owned(),
        n => format!("zeile {n} \u{fc}ber"),
    });
    let bytes: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let digest = within(300, "./report", 1, &bytes);
    assert!(
        digest
            .text
            .contains("ERROR: gr\u{f6}\u{df}e \u{1f351} fehlt"),
        "{}",
        digest.text
    );
    for part in &digest.left_out {
        let range = part.offset as usize..(part.offset + part.bytes) as usize;
        let units: Vec<u16> = bytes
            .get(range)
            .unwrap_or_default()
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .collect();
        let missing = String::from_utf16_lossy(&units);
        assert!(
            missing.starts_with("zeile ") || part.offset == 0,
            "{missing}"
        );
        assert!(missing.ends_with('\n'), "{missing}");
    }
}
