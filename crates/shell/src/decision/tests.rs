//! The numbers, worked out again, and what a caller is told instead.

use super::factors::{MAX_KEYS, MAX_PATHS};
use super::{
    Circumstances, DecisionView, decision_in, decision_view, habit_keys, judge, paths_to_check,
};
use crate::advice::Habit;
use crate::registry::Registry;
use crate::{Context, analyze};

const CONTEXT: Context<'static> = Context {
    cwd: Some("/home/u/p"),
    home: Some("/home/u"),
    user: Some("u"),
    workspace_root: None,
    git_branch: None,
};

fn decide(text: &str, around: &Circumstances<'_>) -> DecisionView {
    let analysis = analyze(text, &CONTEXT);
    let (verdict, reasons) = judge(&analysis);
    decision_in(text, &analysis, verdict, &reasons, around)
}

fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-9, "{left} is not {right}");
}

/// The numbers of the table in `docs/decision.md`, by their names.
fn documented(name: &str) -> f64 {
    let text = include_str!("../../../../docs/decision.md");
    let row = text
        .lines()
        .find(|line| line.starts_with(&format!("| `{name}` |")))
        .expect("the example has such a row");
    let cell = row.split('|').nth(3).expect("three columns").trim();
    cell.parse().expect("a number")
}

#[test]
fn the_documented_example_comes_out() {
    let text = include_str!("../../../../docs/decision.md");
    let command = text
        .split("```console\n$ ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .expect("the example's command");
    let habits = [
        Habit {
            command: "git commit",
            runs: 3,
            successes: 2,
        },
        Habit {
            command: "git push",
            runs: 7,
            successes: 7,
        },
    ];
    let around = Circumstances {
        context: CONTEXT,
        habits: &habits,
        ..Circumstances::default()
    };
    let view = decide(command, &around);
    let factors = &view.decision_factors;
    let round = |number: f64| (number * 10_000.0).round() / 10_000.0;
    near(
        round(factors.command_familiarity),
        documented("command_familiarity"),
    );
    near(
        round(factors.argument_validity),
        documented("argument_validity"),
    );
    near(
        round(factors.context_appropriateness),
        documented("context_appropriateness"),
    );
    near(round(factors.efficiency), documented("efficiency"));
    near(
        round(view.selection_confidence),
        documented("selection_confidence"),
    );
}

#[test]
fn history_makes_familiar_what_the_registry_does_not_know() {
    let familiarity = |habits: &[Habit<'_>]| {
        let around = Circumstances {
            habits,
            ..Circumstances::default()
        };
        decide("mytool --go", &around)
            .decision_factors
            .command_familiarity
    };
    let habit = |runs, successes| {
        [Habit {
            command: "mytool",
            runs,
            successes,
        }]
    };
    near(familiarity(&[]), 0.0);
    near(familiarity(&habit(1, 1)), 0.5);
    near(familiarity(&habit(9, 9)), 0.9);
    near(familiarity(&habit(9, 0)), 0.0);
    // More successes than runs are a mistake of the caller, not a certainty.
    near(familiarity(&habit(1, 5)), 0.5);
}

#[test]
fn the_registry_counts_as_one_run() {
    let familiarity = |text: &str| {
        decide(text, &Circumstances::default())
            .decision_factors
            .command_familiarity
    };
    near(familiarity("ls"), 1.0);
    near(familiarity("git status"), 1.0);
    near(familiarity("git frobnicate"), 0.5);
    near(familiarity("ls | mytool"), 0.5);
    near(familiarity("x=1"), 1.0);
}

#[test]
fn doubted_words_lower_validity_and_are_offered() {
    let view = decide("git push --forse", &Circumstances::default());
    near(view.decision_factors.argument_validity, 0.5);
    let first = &view.alternatives[0];
    assert_eq!(
        (first.rule.as_str(), first.alternative.as_str()),
        ("did-you-mean", "--force")
    );
    // The corrected command would be riskier than what is written, so it is not handed out whole.
    assert_eq!(first.replacement, None);
    let harmless = decide("git comit -m x", &Circumstances::default());
    assert_eq!(harmless.alternatives[0].alternative, "git commit -m x");
    assert_eq!(
        harmless.alternatives[0].replacement.as_deref(),
        Some("commit")
    );
    // What is merely not listed says nothing.
    let unlisted = decide("mytool --forse", &Circumstances::default());
    near(unlisted.decision_factors.argument_validity, 1.0);
}

#[test]
fn what_is_missing_does_not_fit() {
    let text = "cat notes.txt plan.txt";
    let analysis = analyze(text, &CONTEXT);
    assert_eq!(paths_to_check(&analysis), ["notes.txt", "plan.txt"]);
    let fits = |missing: &[&str]| {
        let around = Circumstances {
            missing,
            ..Circumstances::default()
        };
        decide(text, &around)
            .decision_factors
            .context_appropriateness
    };
    near(fits(&[]), 1.0);
    near(fits(&["plan.txt"]), 0.5);
    near(fits(&["notes.txt", "plan.txt"]), 0.0);
}

#[test]
fn only_paths_that_can_be_looked_up_are_asked_about() {
    let paths = |text: &str| {
        let analysis = analyze(text, &CONTEXT);
        paths_to_check(&analysis)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(paths("cat *.txt"), Vec::<String>::new());
    assert_eq!(paths("cat \"$x\""), Vec::<String>::new());
    assert_eq!(paths("cd sub && cat a /etc/hosts"), ["/etc/hosts"]);
    assert_eq!(paths("touch a && cat a b"), ["b"]);
    assert_eq!(paths("ssh h cat /etc/hosts"), Vec::<String>::new());
    let names: Vec<String> = (0..=MAX_PATHS).map(|n| format!("f{n}")).collect();
    assert_eq!(paths(&format!("cat {}", names.join(" "))).len(), MAX_PATHS);
    assert_eq!(
        paths(&format!("cat {}", names[1..].join(" "))).len(),
        MAX_PATHS
    );
}

#[test]
fn habits_are_looked_up_by_subcommand() {
    let keys = |text: &str| habit_keys(&analyze(text, &CONTEXT), Registry::built_in());
    assert_eq!(
        keys("git -q push && git push; ls | mytool x"),
        ["git push", "ls", "mytool"]
    );
    assert_eq!(keys("git co main"), ["git co"]);
    let many: String = (0..=MAX_KEYS).map(|n| format!("tool{n}; ")).collect();
    assert_eq!(keys(&many).len(), MAX_KEYS);
}

#[test]
fn alternatives_for_the_same_words_share_their_confidence() {
    let view = decide("git push -f", &Circumstances::default());
    let better = view
        .alternatives
        .iter()
        .find(|one| one.alternative == "git push --force-with-lease")
        .expect("the better form of this text");
    let same = view
        .alternatives
        .iter()
        .filter(|one| one.span == better.span)
        .count();
    near(better.confidence, 1.0 / same as f64);
}

#[test]
fn better_forms_lower_efficiency() {
    let efficiency = |text: &str| {
        let analysis = analyze(text, &CONTEXT);
        let (verdict, reasons) = judge(&analysis);
        decision_view(text, &analysis, verdict, &reasons)
            .decision_factors
            .efficiency
    };
    near(efficiency("ls"), 1.0);
    near(efficiency("cat f | grep x"), 2.0 / 3.0);
    near(efficiency("git push --force"), 1.0 / 2.0);
    near(efficiency("x=1"), 1.0);
}

#[test]
fn what_says_the_same_is_said_once() {
    let around = Circumstances {
        context: CONTEXT,
        ..Circumstances::default()
    };
    let offered = |text: &str| -> Vec<String> {
        let all = decide(text, &around).alternatives.into_iter();
        all.map(|one| one.alternative).collect()
    };
    for (text, alternatives) in [
        // A rule of risk names the general form, a better form the whole command.
        ("git push --force", &["git push --force-with-lease"][..]),
        (
            "git push -f origin main",
            &["git push --force-with-lease origin main"],
        ),
        ("git branch -D fix", &["git branch -d fix"]),
        ("git clean -fdx", &["git clean -nd"]),
        (
            "git reset --hard",
            &["git stash --include-untracked, then git reset --hard"],
        ),
        ("chmod 777 x", &["chmod u+rwX,go+rX PATH"]),
        (
            "find . -delete",
            &["git stash --include-untracked, or name what is to go"],
        ),
        // What a rule of risk says in general words, a better form says for the command.
        (
            "curl -fsSL https://x.sh | sh",
            &["curl -fsSLo install.sh URL, look at it, sh install.sh"],
        ),
        ("curl -sSk https://x", &["curl -sS https://x"]),
        // Different advice stays.
        (
            "git clone https://h/r.git",
            &[
                "git clone -q https://h/r.git",
                "git clone --depth 1 https://h/r.git",
            ],
        ),
        // And so does the same advice for two parts of the text.
        (
            "git push -f a && git push -f b",
            &[
                "git push --force-with-lease a && git push -f b",
                "git push -f a && git push --force-with-lease b",
            ],
        ),
    ] {
        assert_eq!(offered(text), alternatives, "{text}");
    }
}
