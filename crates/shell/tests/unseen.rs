//! Operations: corpora that people wrote who had not seen the rules, on clouds, clusters,
//! databases, machines and hosts, and further ones with other tools and spellings that were written
//! after the rules were mended for the first.

use std::fmt::Write as _;

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

/// One command a line, `\n` stands for a newline and `\\` for a backslash before it; lines with
/// `##` name what follows.
fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("##"))
        .map(unescaped)
}

fn unescaped(line: &str) -> String {
    line.replace("\\\\\\n", "\u{1}")
        .replace(r"\\n", "\0")
        .replace(r"\n", "\n")
        .replace('\0', r"\n")
        .replace('\u{1}', "\\\n")
}

fn judged(text: &str) -> (Verdict, Vec<String>) {
    let (verdict, reasons) = judge(&read(text));
    (
        verdict,
        reasons.into_iter().map(|reason| reason.rule).collect(),
    )
}

#[test]
fn nothing_dangerous_is_allowed() {
    let all: Vec<String> = lines(include_str!("cases/unseen_hostile.txt")).collect();
    let missed: Vec<&String> = all
        .iter()
        .filter(|text| judged(text).0 == Verdict::Allow)
        .collect();
    assert!(all.len() > 600);
    assert!(
        missed.is_empty(),
        "{} of {} allowed: {missed:#?}",
        missed.len(),
        all.len()
    );
}

#[test]
fn nothing_ordinary_is_asked_about() {
    let all: Vec<String> = lines(include_str!("cases/unseen_everyday.txt")).collect();
    let asked: Vec<(&String, Vec<String>)> = all
        .iter()
        .map(|text| (text, judged(text)))
        .filter(|(_, (verdict, _))| *verdict != Verdict::Allow)
        .map(|(text, (_, rules))| (text, rules))
        .collect();
    assert!(all.len() > 1100);
    assert!(
        asked.is_empty(),
        "{} of {} asked: {asked:#?}",
        asked.len(),
        all.len()
    );
}

#[test]
fn programs_are_named_exactly() {
    let mut wrong = String::new();
    let (mut count, mut misses) = (0, 0);
    for line in include_str!("cases/unseen_programs.txt").lines() {
        let (text, wanted) = line.rsplit_once(" =>").expect("a command and its programs");
        let programs = read(&unescaped(text)).programs;
        let names: Vec<&str> = programs
            .iter()
            .map(|program| program.name.as_str())
            .collect();
        count += 1;
        if names.join(" ") != wanted.trim() {
            misses += 1;
            let _ = writeln!(wrong, "{text:?}: {names:?}, not {wanted:?}");
        }
    }
    assert!(count >= 70, "only {count} texts");
    assert!(misses == 0, "{misses} of {count} wrong:\n{wrong}");
}
