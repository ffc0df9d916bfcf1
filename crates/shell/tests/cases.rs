//! Commands with what must be said about them: one file of cases, one check.

#![expect(clippy::expect_used, reason = "a helper of a test fails it")]

use std::fmt::Write as _;

use serde::Deserialize;
use wharf_shell::{Analysis, Context, Verdict, analyze, judge};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The command.
    c: String,
    /// The wire's `type`.
    #[serde(default)]
    t: Option<String>,
    /// Programs, in order, separated by blanks.
    #[serde(default)]
    p: Option<String>,
    /// `allow`, `confirm` or `deny`.
    v: String,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

const FILES: &[(&str, &str)] = &[
    ("shapes", include_str!("cases/shapes.toml")),
    ("danger", include_str!("cases/danger.toml")),
    ("ordinary", include_str!("cases/ordinary.toml")),
];

fn cases() -> impl Iterator<Item = (&'static str, Case)> {
    FILES.iter().flat_map(|(name, text)| {
        let cases: Cases = toml::from_str(text).expect("the cases are valid TOML");
        cases.case.into_iter().map(move |case| (*name, case))
    })
}

fn read(text: &str) -> Analysis {
    let ctx = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        user: Some("u"),
        ..Context::default()
    };
    analyze(text, &ctx)
}

fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .expect("serialises")
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn every_case_is_judged_as_it_says() {
    let mut wrong = String::new();
    let mut count = 0;
    for (file, case) in cases() {
        count += 1;
        let analysis = read(&case.c);
        let (verdict, reasons) = judge(&analysis);
        let rules: Vec<&str> = reasons.iter().map(|reason| reason.rule.as_str()).collect();
        let programs: Vec<&str> = analysis
            .programs
            .iter()
            .map(|program| program.name.as_str())
            .collect();
        let (kind, verdict, programs) = (word(&analysis.kind), word(&verdict), programs.join(" "));
        let expected_kind = case.t.as_ref().unwrap_or(&kind);
        let expected_programs = case.p.as_ref().unwrap_or(&programs);
        if *expected_kind != kind || *expected_programs != programs || case.v != verdict {
            let _ = writeln!(
                wrong,
                "{file}: {:?}\n   type {kind} (want {expected_kind}), programs [{programs}] (want [{expected_programs}]), {verdict} (want {}) {rules:?} {:?}",
                case.c, case.v, analysis.parse_error
            );
        }
    }
    assert!(count >= 250, "only {count} cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} wrong:\n{wrong}",
        wrong.matches("\n   ").count()
    );
}

/// One command a line; `\\n` stands for a newline.
fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| line.replace("\\n", "\n"))
}

#[test]
fn no_evasion_is_allowed() {
    let allowed: Vec<String> = lines(include_str!("cases/evasions.txt"))
        .filter(|text| judge(&read(text)).0 == Verdict::Allow)
        .collect();
    assert!(allowed.is_empty(), "{allowed:#?}");
}

#[test]
fn no_look_alike_is_asked_about() {
    let asked: Vec<String> = lines(include_str!("cases/lookalikes.txt"))
        .filter(|text| judge(&read(text)).0 != Verdict::Allow)
        .collect();
    assert!(asked.is_empty(), "{asked:#?}");
}

#[test]
fn a_denied_command_says_why_and_where() {
    for (_, case) in cases() {
        let analysis = read(&case.c);
        let (verdict, reasons) = judge(&analysis);
        if verdict != Verdict::Allow {
            assert!(!reasons.is_empty(), "no reason for {:?}", case.c);
        }
        for reason in reasons {
            assert!(
                case.c.get(reason.span.start..reason.span.end).is_some(),
                "{:?} {reason:?}",
                case.c
            );
        }
    }
}

#[test]
fn spans_of_programs_point_at_their_words() {
    let at = |text: &str, index: usize| {
        let analysis = read(text);
        let span = analysis.programs[index].span;
        text.get(span.start..span.end).map(str::to_owned)
    };
    assert_eq!(at("sudo -u x env A=1 make", 2).as_deref(), Some("make"));
    assert_eq!(at("a; r\\m x", 1).as_deref(), Some("r\\m"));
    assert_eq!(at("bash -c 'ls; rm x'", 2).as_deref(), Some("rm"));
    assert_eq!(at("bash -c \"ls; rm x\"", 1).as_deref(), Some("ls"));
    assert_eq!(at("echo $(date +%s) `id -u`", 2).as_deref(), Some("id"));
    assert_eq!(
        at("cat <<E\n$(hostname)\nE", 1).as_deref(),
        Some("hostname")
    );
    assert_eq!(at("bash <<'E'\nls\nid\nE", 2).as_deref(), Some("id"));
    assert_eq!(at("eval ls '; id'", 2).as_deref(), Some("id"));
    assert_eq!(at("ssh h 'cd /x && make'", 2).as_deref(), Some("make"));
}

/// What runs, in the order of the text: one command a line, its programs behind `=>`.
#[test]
fn programs_are_named_in_order() {
    let mut wrong = String::new();
    for line in include_str!("cases/programs.txt").lines() {
        let (text, wanted) = line
            .rsplit_once(" => ")
            .expect("a command and its programs");
        let text = text.replace("\\n", "\n");
        let programs = read(&text).programs;
        let names: Vec<&str> = programs
            .iter()
            .map(|program| program.name.as_str())
            .collect();
        if names.join(" ") != wanted {
            let _ = writeln!(wrong, "{text:?}: {names:?}, not {wanted:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
