//! Programs that run, load or write something because an option, an operand, a variable or their
//! standard input tells them to: corpora that somebody wrote who had not seen the rules, and more
//! lines with other programs, so that what holds for one holds for its like.

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

/// One command a line, `\n` stands for a newline and `\\n` for a backslash and an n.
fn unescaped(line: &str) -> String {
    line.replace(r"\\n", "\0")
        .replace(r"\n", "\n")
        .replace('\0', r"\n")
}

/// Lines whose verdict is not what it should be, with the rules that spoke.
fn misjudged(lines: &str, allowed: bool) -> (usize, Vec<String>) {
    let lines = lines
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("##"));
    let mut count = 0;
    let mut wrong = Vec::new();
    for line in lines {
        count += 1;
        let (verdict, reasons) = judge(&read(&unescaped(line)));
        if (verdict == Verdict::Allow) != allowed {
            let rules: Vec<&str> = reasons.iter().map(|reason| reason.rule.as_str()).collect();
            wrong.push(format!("{line}: {}", rules.join(", ")));
        }
    }
    (count, wrong)
}

#[test]
fn nothing_dangerous_is_allowed() {
    let (count, wrong) = misjudged(include_str!("cases/interpreters_hostile.txt"), false);
    assert!(count > 480, "only {count} lines");
    assert!(
        wrong.is_empty(),
        "{} of {count} allowed: {wrong:#?}",
        wrong.len()
    );
}

#[test]
fn nothing_ordinary_is_asked_about() {
    let (count, wrong) = misjudged(include_str!("cases/interpreters_everyday.txt"), true);
    assert!(count > 200, "only {count} lines");
    assert!(
        wrong.is_empty(),
        "{} of {count} asked: {wrong:#?}",
        wrong.len()
    );
}

#[test]
fn programs_are_named_exactly() {
    let mut wrong = String::new();
    let mut count = 0;
    let lines = include_str!("cases/interpreters_programs.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("##")) {
        let (text, wanted) = line.rsplit_once(" =>").expect("a command and its programs");
        let programs = read(&unescaped(text)).programs;
        let names: Vec<&str> = programs
            .iter()
            .map(|program| program.name.as_str())
            .collect();
        count += 1;
        if names.join(" ") != wanted.trim() {
            let _ = writeln!(wrong, "{text:?}: {names:?}, not {wanted:?}");
        }
    }
    assert!(count > 70, "only {count} texts");
    assert!(wrong.is_empty(), "{wrong}");
}
