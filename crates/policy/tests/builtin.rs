//! The built-in policy: as `judge` has it, but for one thing; the same by Cedar; and what the
//! role `read-only` lets pass.

#![expect(clippy::expect_used, reason = "a helper of a test fails it")]

use std::fmt::Write as _;

use serde::Deserialize;
use wharf_policy::{Answer, Policy, Question, Who};
use wharf_shell::{Analysis, Context, EffectKind, Risk, Verdict, analyze, judge};

#[derive(Deserialize)]
struct Case {
    c: String,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

/// Every command in the corpora of the analysis.
fn corpus() -> Vec<String> {
    let tables = [
        include_str!("../../shell/tests/cases/shapes.toml"),
        include_str!("../../shell/tests/cases/danger.toml"),
        include_str!("../../shell/tests/cases/ordinary.toml"),
    ];
    let lines = [
        include_str!("../../shell/tests/cases/evasions.txt"),
        include_str!("../../shell/tests/cases/lookalikes.txt"),
    ];
    let tables = tables.iter().flat_map(|text| {
        let cases: Cases = toml::from_str(text).expect("the cases are valid TOML");
        cases.case.into_iter().map(|case| case.c)
    });
    let lines = lines.iter().flat_map(|text| text.lines());
    tables
        .chain(lines.map(|line| line.replace("\\n", "\n")))
        .collect()
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

fn both(policy: &Policy, question: &Question<'_>) -> Answer {
    let answer = policy.decide(question);
    let cedar = policy.decide_by_cedar(question).expect("compiles");
    assert_eq!(answer, cedar, "{question:?}");
    answer
}

#[test]
fn the_built_in_examples_hold() {
    let examples = Policy::builtin_examples();
    assert_eq!(examples.len(), 38);
    let failures: Vec<String> = Policy::builtin()
        .test(&examples)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn developers_get_what_judge_says_save_for_unknown_with_privilege() {
    let policy = Policy::builtin();
    let (mut count, mut sharper) = (0, 0);
    let unknown = ["sudo $X", "sudo rm -rf \"$X\"", "doas \"$@\" x"].map(str::to_owned);
    for text in corpus().into_iter().chain(unknown) {
        let analysis = read(&text);
        let (verdict, reasons) = judge(&analysis);
        let answer = both(&policy, &Question::new(Who::user("anna"), &analysis));
        count += 1;
        if analysis.risk == Risk::Unknown && analysis.privileged {
            sharper += 1;
            assert_eq!(answer.verdict, Verdict::Deny, "{text}");
            continue;
        }
        assert_eq!(answer.verdict, verdict, "{text}");
        let told: Vec<wharf_shell::Reason> = answer.reasons.into_iter().map(Into::into).collect();
        if !reasons.is_empty() {
            assert_eq!(told, reasons, "{text}");
        }
    }
    assert!(count > 700, "only {count}");
    assert!(sharper > 0, "the one difference is tried too");
}

#[test]
fn a_refusal_becomes_a_question_where_the_server_says_so_and_never_a_yes() {
    let policy = Policy::builtin();
    for text in corpus() {
        let analysis = read(&text);
        let question = Question::new(Who::user("anna"), &analysis);
        let strict = policy.decide(&question).verdict;
        let relaxed = both(
            &policy,
            &Question {
                allow_dangerous: true,
                ..question
            },
        )
        .verdict;
        let expected = strict.min(Verdict::Confirm);
        assert_eq!(relaxed, expected, "{text}");
    }
}

/// Everything that the built-in policies look at, in all combinations.
#[test]
fn the_fast_way_and_cedar_agree_on_everything_that_they_look_at() {
    let policy = Policy::builtin();
    let risks = [
        Risk::Low,
        Risk::Medium,
        Risk::High,
        Risk::Unknown,
        Risk::Critical,
    ];
    let mut analyses = Vec::new();
    for text in [
        "ls",
        "ls /etc",
        "sudo ls",
        "rm x",
        "bash x.sh",
        "sleep 5 &",
        "curl x",
        "kill 1",
    ] {
        for risk in risks {
            for privileged in [false, true] {
                let mut analysis = read(text);
                (analysis.risk, analysis.privileged) = (risk, privileged);
                analyses.push(analysis);
            }
        }
    }
    let mut count = 0;
    for analysis in &analyses {
        for roles in [
            &[][..],
            &["developer"],
            &["read-only"],
            &["read-only", "developer"],
        ] {
            for bits in 0..16 {
                let bit = |index: u8| bits >> index & 1 == 1;
                let env: &[&str] = if bit(0) { &["LD_PRELOAD", "A"] } else { &["A"] };
                both(
                    &policy,
                    &Question {
                        roles,
                        env,
                        background: bit(1),
                        allow_dangerous: bit(2),
                        runs_nothing: bit(3),
                        ..Question::new(Who::user("anna"), analysis)
                    },
                );
                count += 1;
            }
        }
    }
    assert_eq!(count, 8 * 5 * 2 * 4 * 16);
}

#[test]
fn a_variable_that_runs_code_is_asked_about_even_where_nothing_runs() {
    let policy = Policy::builtin();
    let analysis = read("ls");
    let question = Question {
        env: &["LANG", "LD_PRELOAD"],
        ..Question::new(Who::user("anna"), &analysis)
    };
    let answer = both(&policy, &question);
    assert_eq!(answer.verdict, Verdict::Confirm);
    assert_eq!(answer.reasons.len(), 1);
    assert_eq!(answer.reasons[0].rule, "environment.code");
    assert_eq!(
        answer.reasons[0].message,
        "LD_PRELOAD: loads a library into every program"
    );
    let broken = read("rm -rf / )");
    let question = Question {
        runs_nothing: true,
        ..Question::new(Who::user("anna"), &broken)
    };
    assert_eq!(both(&policy, &question).verdict, Verdict::Allow);
    let question = Question {
        env: &["BASH_ENV"],
        ..question
    };
    assert_eq!(both(&policy, &question).verdict, Verdict::Confirm);
}

#[test]
fn read_only_looks_and_changes_nothing() {
    let policy = Policy::builtin();
    let as_reader = |text: &str| {
        let analysis = read(text);
        let question = Question {
            roles: &["read-only"],
            ..Question::new(Who::user("anna"), &analysis)
        };
        both(&policy, &question)
    };
    for text in [
        "ls -la",
        "cat a | grep b",
        "git status",
        "git log --oneline | head",
        "ps aux",
        "find . -name '*.rs'",
        "systemctl status nginx",
        "kubectl get pods",
        "df -h",
        "echo hi",
        "wc -l < a",
        "cd src && ls",
        "grep -r x . 2>/dev/null",
        "docker ps",
    ] {
        assert_eq!(as_reader(text).verdict, Verdict::Allow, "{text}");
    }
    for text in [
        "rm x",
        "touch x",
        "echo a > b",
        "cp a b",
        "mkdir x",
        "npm install",
        "git commit -m x",
        "git push",
        "kill 1",
        "chmod +x a",
        "sed -i s/a/b/ x",
        "tee x",
        "cargo build",
        "make",
        "bash x.sh",
        "./x.sh",
        ". ./x",
        "sleep 5 &",
        "sudo ls",
        "ls; rm x",
        "eval \"$X\"",
        "python3 -c 'print(1)'",
        "find . -delete",
        "find . -exec rm {} +",
        "xargs rm",
        "ssh h ls",
        "git checkout main",
        "git stash",
        "docker run x",
        "curl -o x http://h",
        "crontab -r",
        "systemctl restart x",
        "apt-get install x",
        "mv a b",
        "ln -s a b",
        "$X",
        "tar xf a.tar",
    ] {
        let answer = as_reader(text);
        assert_eq!(answer.verdict, Verdict::Deny, "{text}");
        assert!(
            answer.policies.contains(&"read-only".to_owned()),
            "{text}: {answer:?}"
        );
    }
    let answer = as_reader("ls; rm x");
    let spans: Vec<&str> = answer
        .reasons
        .iter()
        .filter_map(|reason| "ls; rm x".get(reason.span.start..reason.span.end))
        .collect();
    assert_eq!(spans, ["x"]);
}

/// Nothing that the analysis calls a change passes for looking.
#[test]
fn what_read_only_lets_pass_has_no_effect_but_looking() {
    let policy = Policy::builtin();
    let mut passed = String::new();
    for text in corpus() {
        let analysis = read(&text);
        let question = Question {
            roles: &["read-only"],
            ..Question::new(Who::user("anna"), &analysis)
        };
        if policy.decide(&question).verdict == Verdict::Allow {
            let _ = writeln!(passed, "{text}");
            assert!(analysis.writes.is_empty(), "{text}");
            let looks = |kind| {
                matches!(
                    kind,
                    EffectKind::Read | EffectKind::NetworkOut | EffectKind::Interactive
                )
            };
            assert!(
                analysis.effects.iter().all(|effect| looks(effect.kind)),
                "{text}"
            );
        }
    }
    if std::option_env!("SHOW").is_some() {
        println!("{passed}");
    }
    assert!(passed.lines().count() > 50);
}
