//! Corpora that others wrote from the issue's text alone, before they had seen a rule: one folder
//! for each look. What was wrong was mended in the rules; the few texts that were labelled wrongly
//! themselves were mended or taken out. How a new one is tried: `examples/trial.rs`.
//!
//! A folder has `danger.txt` (must not run without a question), `benign.txt` (must) and
//! `programs.txt` (`COMMAND => PROGRAM…`), one command a line, or some of them.

#![expect(clippy::expect_used, reason = "a helper of a test fails it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wharf_shell::{Analysis, Context, Verdict, analyze, judge};

fn read(text: &str) -> Analysis {
    let context = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        user: Some("u"),
        workspace_root: Some("/home/u/p"),
        git_branch: Some("main"),
    };
    analyze(text, &context)
}

/// `\n` is a newline, `\\n` a backslash and an n, `\\\n` a backslash at the end of a line.
fn unescaped(line: &str) -> String {
    line.replace("\\\\\\n", "\u{1}")
        .replace(r"\\n", "\0")
        .replace(r"\n", "\n")
        .replace('\0', r"\n")
        .replace('\u{1}', "\\\n")
}

fn looks() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/looks");
    let mut looks: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    looks.sort();
    looks
}

/// The lines of a file in every look, and how many there are.
fn lines(file: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for look in looks() {
        let name = look.file_name().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(look.join(file)).unwrap_or_default();
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with("##"));
        all.extend(lines.map(|line| (name.to_string(), line.to_owned())));
    }
    all
}

fn all_are_judged(file: &str, allowed: bool, at_least: usize) {
    let all = lines(file);
    assert!(all.len() >= at_least, "only {} texts", all.len());
    let mut wrong = String::new();
    let mut count = 0;
    for (look, line) in &all {
        let (verdict, reasons) = judge(&read(&unescaped(line)));
        if (verdict == Verdict::Allow) != allowed {
            count += 1;
            let rules: Vec<&str> = reasons.iter().map(|reason| reason.rule.as_str()).collect();
            let _ = writeln!(wrong, "{look}: {line}\n    {verdict:?} {rules:?}");
        }
    }
    assert!(count == 0, "{count} of {} wrong:\n{wrong}", all.len());
}

#[test]
fn nothing_dangerous_is_allowed() {
    all_are_judged("danger.txt", false, 2_800);
}

#[test]
fn nothing_ordinary_is_asked_about() {
    all_are_judged("benign.txt", true, 2_500);
}

#[test]
fn programs_are_named_exactly() {
    let all = lines("programs.txt");
    assert!(all.len() >= 800, "only {} texts", all.len());
    let mut wrong = String::new();
    for (look, line) in &all {
        let Some((text, wanted)) = line.rsplit_once("=>") else {
            panic!("no programs: {line}");
        };
        let programs = read(&unescaped(text.trim_end())).programs;
        let names: Vec<&str> = programs
            .iter()
            .map(|program| program.name.as_str())
            .collect();
        let wanted: Vec<&str> = wanted.split_whitespace().collect();
        if names != wanted {
            let _ = writeln!(wrong, "{look}: {line}\n    {names:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
