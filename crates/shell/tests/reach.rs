//! The two corpora that the analysis is held to as a whole: what must not run without a yes, in
//! as many spellings as came to mind, and ordinary work that looks like it or not.

use wharf_shell::{Context, Verdict, analyze, judge};

/// One command a line, `\n` stands for a newline; lines with `##` name what follows.
fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("##"))
        .map(|line| line.replace("\\n", "\n"))
}

fn verdict(text: &str) -> Verdict {
    let context = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        user: Some("u"),
        ..Context::default()
    };
    judge(&analyze(text, &context)).0
}

#[test]
fn nothing_hostile_is_allowed() {
    let texts = || lines(include_str!("cases/hostile.txt"));
    let allowed: Vec<String> = texts()
        .filter(|text| verdict(text) == Verdict::Allow)
        .collect();
    assert!(texts().count() > 1_700);
    assert!(
        allowed.is_empty(),
        "{} allowed: {allowed:#?}",
        allowed.len()
    );
}

#[test]
fn everyday_work_is_allowed() {
    let texts = || lines(include_str!("cases/everyday.txt"));
    let asked: Vec<String> = texts()
        .filter(|text| verdict(text) != Verdict::Allow)
        .collect();
    assert!(texts().count() > 1_300);
    assert!(asked.is_empty(), "{} asked: {asked:#?}", asked.len());
}

/// Nothing that stands before a loss makes it safe.
#[test]
fn a_loss_behind_anything_is_not_allowed() {
    let texts = lines(include_str!("cases/everyday.txt"));
    let allowed: Vec<String> = texts
        .map(|text| format!("{text}\nrm -rf /"))
        .filter(|text| verdict(text) == Verdict::Allow)
        .collect();
    assert!(
        allowed.is_empty(),
        "{} allowed: {allowed:#?}",
        allowed.len()
    );
}
