//! Hints on outputs that were recorded.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

use std::fs;
use std::path::{Path, PathBuf};

use wharf_output::digest::{self, digest};
use wharf_output::format::{expected, look};
use wharf_output::hints::{Form, Input, ModelHints, model_hints};
use wharf_shell::{Context, analyze};

struct Fixture {
    name: String,
    exit_code: i32,
    must: Vec<String>,
    text: String,
    hints: ModelHints,
}

fn fixture(path: &Path) -> Fixture {
    let sidecar = fs::read_to_string(path).unwrap();
    let header = |key: &str| {
        let prefix = format!("# {key}: ");
        sidecar
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap()
            .to_owned()
    };
    let command = header("command");
    let analysis = analyze(&command, &Context::default());
    let exit_code: i32 = header("exit").parse().unwrap();
    let read = |stream: &str| fs::read(path.with_extension(stream)).unwrap_or_default();
    let (stdout, stderr) = (read("stdout"), read("stderr"));
    let digest = digest(&digest::Input {
        analysis: &analysis,
        stdout: &stdout,
        stderr: &stderr,
        exit_code: Some(exit_code),
        budget_tokens: None,
        handle: None,
    });
    let look = look(&stdout, expected(&analysis, &command));
    let hints = model_hints(&Input {
        analysis: &analysis,
        stdout: &stdout,
        stderr: &stderr,
        exit_code: Some(exit_code),
        form: Form::from(&look),
        digest: &digest,
    });
    Fixture {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        exit_code,
        must: sidecar.lines().skip(3).map(str::to_owned).collect(),
        text: digest.text,
        hints,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/digest")
}

fn named(name: &str) -> Fixture {
    fixture(&folder().join(name).with_extension("must"))
}

#[test]
fn hints_say_something_of_this_output() {
    let cases = [
        ("cargo_test_fail", "3 of 123 tests failed"),
        ("cargo_test_pass", "all 120 tests passed"),
        ("pytest_fail", "of 311 tests failed"),
        ("unittest_fail", "3 of "),
        ("mocha_fail", "3 of 103 tests failed"),
        ("vitest_fail", "3 of 103 tests failed"),
        ("go_test_fail", "tests failed"),
        ("make_errors", "src/mod17.c"),
        ("tsc_fail", "ts/a.ts"),
        ("mypy_fail", "bad_types.py"),
        ("grep_n", "matches in"),
        ("find_usr", "800 paths in"),
        ("s_app_log", "1 errors"),
        ("npm_404", "tell of a failure"),
    ];
    let mut wrong = Vec::new();
    for (name, wanted) in cases {
        let hints = named(name).hints.command_specific_hints;
        if !hints.iter().any(|hint| hint.contains(wanted)) {
            wrong.push(format!("{name}: wanted {wanted}, got {hints:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How an output of a command that went well is rightly read; where two ways are, either.
fn rightly_read(name: &str) -> &'static [&'static str] {
    match name {
        "ls_usr_bin" | "du_lib" => &["tabular"],
        "tree_etc" | "npm_ls" => &["tree"],
        "s_kubectl_describe" => &["key_value", "yaml"],
        "s_app_log" | "s_journal" | "s_dmesg" => &["search_for_failures"],
        // Reports and steps: there is nothing to find, and every line says something.
        name if [
            "pytest", "cargo", "mocha", "jest", "unittest", "apt_", "pip_", "make", "cmake",
        ]
        .iter()
        .any(|start| name.starts_with(start)) =>
        {
            &["search_for_failures", "line_by_line"]
        }
        _ => &["line_by_line"],
    }
}

/// Of the strategies with at least nine tenths confidence nine in ten are right. Of a failure:
/// that failures are looked for, and that the digest holds what must be found.
#[test]
fn the_confidence_is_calibrated() {
    let paths = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let sidecars = paths.filter(|path| path.extension().is_some_and(|e| e == "must"));
    let fixtures: Vec<Fixture> = sidecars.map(|path| fixture(&path)).collect();
    let is_right = |fixture: &&Fixture| {
        let strategy = fixture.hints.parsing_strategy.as_str();
        match fixture.exit_code {
            0 => rightly_read(&fixture.name).contains(&strategy),
            _ => {
                let held = |line: &String| fixture.text.contains(line.trim_end());
                strategy == "search_for_failures" && fixture.must.iter().all(held)
            }
        }
    };
    let sure: Vec<&Fixture> = fixtures
        .iter()
        .filter(|fixture| fixture.hints.confidence >= 0.9)
        .collect();
    let (right, wrong): (Vec<&Fixture>, Vec<&Fixture>) =
        sure.iter().partition(|fixture| is_right(fixture));
    for fixture in &wrong {
        println!(
            "{} {} {}",
            fixture.name, fixture.hints.parsing_strategy, fixture.hints.confidence
        );
    }
    println!(
        "{} of {} with at least 0.9 are right",
        right.len(),
        sure.len()
    );
    assert!(sure.len() > 60 && right.len() * 10 >= sure.len() * 9);
    // And few failures are taken for something else.
    let missed: Vec<&str> = fixtures
        .iter()
        .filter(|fixture| fixture.exit_code != 0 && !is_right(fixture))
        .map(|fixture| fixture.name.as_str())
        .collect();
    assert!(missed.len() * 20 <= fixtures.len(), "{missed:?}");
}

#[test]
fn a_short_output_needs_no_advice() {
    assert_eq!(
        named("git_not_repo").hints.token_efficiency,
        Vec::<String>::new()
    );
}

#[test]
fn a_long_output_gets_a_shorter_form() {
    let hints = named("rsync_progress").hints;
    assert!(
        hints.token_efficiency[0].starts_with("text holds in "),
        "{hints:?}"
    );
    assert!(hints.token_efficiency[1].contains("--stats"), "{hints:?}");
    assert!(hints.tokens_before > 10 * hints.tokens_after);
}
