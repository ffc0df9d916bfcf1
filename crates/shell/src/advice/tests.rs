//! Every rule is held to its examples, and every rewritten command to what it replaces.

use proptest::prelude::*;

use super::rule::{Rule, loaded};
use super::{Advice, Habit, MAX_ADVICE, MAX_ADVISED, MisspeltKind, Wording, read};
use crate::analysis::Context;
use crate::analyze;
use crate::registry::Registry;

const CONTEXT: Context<'static> = Context {
    cwd: Some("/home/u/p"),
    home: Some("/home/u"),
    user: Some("u"),
    workspace_root: None,
    git_branch: None,
};

fn read_by(text: &str, habits: &[Habit<'_>]) -> Wording {
    let analysis = analyze(text, &CONTEXT);
    read(text, &analysis, &CONTEXT, habits, Registry::built_in())
}

fn wording(text: &str) -> Wording {
    read_by(text, &[])
}

fn named<'w>(wording: &'w Wording, rule: &Rule) -> Option<&'w Advice> {
    wording
        .advice
        .iter()
        .find(|advice| advice.rule == rule.name)
}

fn rewritten(text: &str, rule: &str) -> Option<String> {
    let found = wording(text);
    let advice = found.advice.iter().find(|advice| advice.rule == rule)?;
    advice
        .rewrite
        .as_ref()
        .map(|rewrite| rewrite.command.clone())
}

#[test]
fn what_a_rule_answers_is_a_rule_of_risk() {
    for rule in loaded().expect("the files can be read") {
        for name in &rule.answers {
            assert!(crate::rule_names().any(|known| known == name), "{name}");
        }
    }
}

#[test]
fn there_are_at_least_120_rules() {
    let rules = loaded().expect("the files can be read");
    assert!(rules.len() >= 120, "{}", rules.len());
}

#[test]
fn every_rule_is_held_to_its_examples() {
    let mut wrong = Vec::new();
    for rule in loaded().expect("the files can be read") {
        assert!(!rule.examples.is_empty(), "{} has no example", rule.name);
        for [before, after] in &rule.examples {
            let found = wording(before);
            let Some(advice) = named(&found, rule) else {
                wrong.push(format!("{}: does not match: {before}", rule.name));
                continue;
            };
            if named(&wording(after), rule).is_some() {
                wrong.push(format!("{}: matches the better form: {after}", rule.name));
            }
            let error = analyze(after, &CONTEXT).parse_error;
            if error.is_some() {
                wrong.push(format!("{}: {after}: {error:?}", rule.name));
            }
            let made = advice.rewrite.as_ref().map(|rewrite| &rewrite.command);
            if made.is_some_and(|made| made != after) {
                wrong.push(format!("{}: made {made:?} of {before}", rule.name));
            }
        }
        for text in &rule.must_not_match {
            if named(&wording(text), rule).is_some() {
                wrong.push(format!("{}: matches: {text}", rule.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_rule_that_can_rewrite_does_so_in_its_first_example() {
    let mut wrong = Vec::new();
    for rule in loaded().expect("the files can be read") {
        let [before, _] = &rule.examples[0];
        if !rule.edits.is_empty() && rewritten(before, &rule.name).is_none() {
            wrong.push(format!("{}: {before}", rule.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn text_never_matches() {
    for rule in loaded().expect("the files can be read") {
        for [before, _] in rule
            .examples
            .iter()
            .filter(|[text, _]| !text.contains('\''))
        {
            for text in [
                format!("echo '{before}'"),
                format!("# {before}"),
                format!("git commit -m '{before}'"),
                format!("cat <<'E'\n{before}\nE"),
            ] {
                let found = wording(&text);
                let plain = ["waits-for-input", "echo-into-filter"];
                if !plain.contains(&rule.name.as_str()) {
                    assert!(named(&found, rule).is_none(), "{}: {text}", rule.name);
                }
            }
        }
    }
}

#[test]
fn wrappers_and_substitutions_are_looked_into() {
    assert_eq!(
        rewritten("sudo -u x apt install -y vim", "apt-in-script").as_deref(),
        Some("sudo -u x apt-get install -y vim")
    );
    assert_eq!(
        rewritten("n=$(cat f | grep x)", "cat-into-grep").as_deref(),
        Some("n=$(grep x f)")
    );
    assert_eq!(
        rewritten("bash -c 'cat f | grep x'", "cat-into-grep").as_deref(),
        Some("bash -c 'grep x f'")
    );
    assert_eq!(
        rewritten("if cat f | grep -q x; then :; fi", "cat-into-grep").as_deref(),
        Some("if grep -q x f; then :; fi")
    );
}

#[test]
fn what_cannot_be_rewritten_safely_is_only_named() {
    // The prefix of the command that would go does something itself.
    assert_eq!(rewritten("sudo cat f | grep x", "cat-into-grep"), None);
    // It may be several files, and then grep prints their names.
    assert_eq!(rewritten("cat *.log | grep x", "cat-into-grep"), None);
    assert_eq!(rewritten("cat $f | grep x", "cat-into-grep"), None);
    // Without the signal, what is left means something else.
    assert_eq!(rewritten("kill -9 -1", "kill-hard-first"), None);
    // A question about a loss is not answered for anybody.
    assert_eq!(rewritten("apt remove nginx", "install-asks"), None);
    // The pattern is not the last operand.
    assert_eq!(rewritten("cat f | grep x g", "cat-into-grep"), None);
    // The replacement would end the quotes that it stands in.
    assert_eq!(
        rewritten("bash -c 'find . -name *.log'", "find-unquoted-pattern"),
        None
    );
    for text in ["sudo cat f | grep x", "cat *.log | grep x"] {
        assert!(
            wording(text)
                .advice
                .iter()
                .any(|advice| advice.rule == "cat-into-grep")
        );
    }
}

#[test]
fn a_function_of_that_name_is_not_the_program() {
    assert!(
        wording("apt() { echo hi; }; apt install x")
            .advice
            .is_empty()
    );
}

#[test]
fn bounds_are_kept() {
    let many = "cat f | grep x; ".repeat(MAX_ADVICE + 1);
    assert_eq!(wording(&many).advice.len(), MAX_ADVICE);
    let exactly = "cat f | grep x; ".repeat(MAX_ADVICE);
    assert_eq!(wording(&exactly).advice.len(), MAX_ADVICE);
    let mut long = "cat f | grep x #".to_owned();
    long.push_str(&"x".repeat(MAX_ADVISED - long.len()));
    assert!(!wording(&long).advice.is_empty());
    long.push('x');
    assert!(wording(&long).advice.is_empty());
    let many = "grpe x; ".repeat(MAX_ADVICE + 1);
    assert_eq!(wording(&many).misspelt.len(), MAX_ADVICE);
}

#[test]
fn deep_texts_are_read_to_their_bottom() {
    for (open, close) in [
        ("{ ", "; }"),
        ("( ", " )"),
        ("if ", "; then :; fi"),
        ("echo $(", ")"),
    ] {
        let deep = format!("{}cat f | grep x{}", open.repeat(20), close.repeat(20));
        let found = wording(&deep);
        let cats = found
            .advice
            .iter()
            .filter(|one| one.rule == "cat-into-grep");
        assert_eq!(cats.count(), 1, "{deep}");
        // Deeper than what is analysed: no more is said, and nothing breaks.
        let _ = wording(&format!(
            "{}cat f | grep x{}",
            open.repeat(2_000),
            close.repeat(2_000)
        ));
    }
}

fn meant(text: &str) -> Vec<(MisspeltKind, Vec<String>)> {
    let found = wording(text).misspelt;
    found
        .into_iter()
        .map(|word| (word.kind, word.candidates))
        .collect()
}

#[test]
fn misspelt_words_are_told() {
    let one = |kind, word: &str| vec![(kind, vec![word.to_owned()])];
    assert_eq!(meant("grpe -r x ."), one(MisspeltKind::Program, "grep"));
    assert_eq!(
        meant("git comit -m x"),
        one(MisspeltKind::Subcommand, "commit")
    );
    assert_eq!(
        meant("docker rnu --rm alpine"),
        one(MisspeltKind::Subcommand, "run")
    );
    assert_eq!(
        meant("git push --forse"),
        one(MisspeltKind::Option, "--force")
    );
    assert_eq!(
        meant("docker compose stpo"),
        one(MisspeltKind::Subcommand, "stop")
    );
    assert_eq!(meant("sudo gti status"), one(MisspeltKind::Program, "git"));
    assert_eq!(meant("ls | grpe x"), one(MisspeltKind::Program, "grep"));
}

#[test]
fn other_words_are_left_alone() {
    for text in [
        "git status",
        "git commit -m comit",
        "./grpe x",
        "f() { :; }; f",
        "mytool --forse",
        "git push --force",
        "git push --force-with-lease",
        "grep --recursive x .",
        "grep --recurs x .",
        "echo 'git comit'",
        "git stash push",
        "docker compose up -d",
        "qqq x",
    ] {
        assert_eq!(meant(text), [], "{text}");
    }
}

#[test]
fn what_a_caller_runs_is_not_doubted() {
    let habit = |command, successes| Habit {
        command,
        runs: 3,
        successes,
    };
    let read = |habits: &[Habit<'_>]| {
        let text = "git comit -m x";
        read_by(text, habits).misspelt.len()
    };
    assert_eq!(read(&[habit("git comit", 2)]), 0);
    assert_eq!(read(&[habit("git comit", 0)]), 1);
}

#[test]
fn the_distance_counts_what_was_typed_wrong() {
    let distance = |a: &str, b: &str| {
        let letters = |word: &str| word.chars().collect::<Vec<_>>();
        super::spelling::distance(&letters(a), &letters(b))
    };
    assert_eq!(distance("commit", "commit"), 0);
    assert_eq!(distance("comit", "commit"), 1);
    assert_eq!(distance("grpe", "grep"), 1);
    assert_eq!(distance("forse", "force"), 1);
    assert_eq!(distance("", "abc"), 3);
    assert_eq!(distance("kitten", "sitting"), 3);
}

#[test]
fn likeness_has_bounds() {
    let nearest =
        |word: &str, names: &[&str]| super::spelling::nearest(word, names.iter().copied());
    // A third of the letters, and two at most.
    assert_eq!(nearest("abcde", &["abxye"]), Vec::<String>::new());
    assert_eq!(nearest("abcdef", &["abxyef"]), ["abxyef"]);
    assert_eq!(nearest("abcdefghi", &["abxyzfghi"]), Vec::<String>::new());
    // Short words have the same letters.
    assert_eq!(nearest("rnu", &["run", "ru", "rna"]), ["run"]);
    // Only the nearest, all of them.
    assert_eq!(
        nearest("comit", &["commit", "comix", "comet"]),
        ["comet", "comix", "commit"]
    );
    let long = "x".repeat(super::spelling::MAX_LETTERS);
    let near = format!("{}y", "x".repeat(super::spelling::MAX_LETTERS - 1));
    assert_eq!(nearest(&long, &[near.as_str()]).len(), 1);
    let longer = format!("{long}x");
    assert!(nearest(&longer, &[long.as_str()]).is_empty());
}

/// Pieces that rules speak of, put together at random.
fn texts() -> impl Strategy<Value = String> {
    let mut pieces: Vec<String> = loaded()
        .expect("the files can be read")
        .iter()
        .flat_map(|rule| rule.examples.iter().map(|[before, _]| before.clone()))
        .collect();
    for piece in [
        "$x", "\"$x\"", "*.c", "'a b'", "-f", "--", ">f", "2>&1", "sudo", "x=1", "a&",
    ] {
        pieces.push(piece.to_owned());
    }
    let piece = proptest::sample::select(pieces);
    let join = proptest::sample::select(vec![" ", " | ", " && ", "; ", "\n", " || "]);
    let wrap = proptest::sample::select(vec![
        "@",
        "(@)",
        "$(@)",
        "bash -c '@'",
        "sudo @",
        "if @; then :; fi",
    ]);
    (proptest::collection::vec((piece, join), 1..5), wrap).prop_map(|(pieces, wrap)| {
        let text: String = pieces
            .iter()
            .flat_map(|(piece, join)| [piece.as_str(), *join])
            .collect();
        let text = text.trim_end_matches([' ', '|', '&', ';', '\n']);
        wrap.replace('@', text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_rewritten_command_parses_and_is_no_riskier(text in texts()) {
        for ctx in [CONTEXT, Context::default()] {
            let before = analyze(&text, &ctx);
            let found = read(&text, &before, &ctx, &[], Registry::built_in());
            let rewrites = found.advice.iter().filter_map(|advice| advice.rewrite.as_ref());
            let words = found.misspelt.iter().filter_map(|word| word.rewrite.as_ref());
            for rewrite in rewrites.chain(words) {
                let after = analyze(&rewrite.command, &ctx);
                prop_assert!(after.parse_error.is_none(), "{text:?} -> {rewrite:?}");
                prop_assert!(after.risk <= before.risk, "{text:?} -> {rewrite:?}");
                let before = text.get(..rewrite.span.start).unwrap_or_default();
                let behind = text.get(rewrite.span.end..).unwrap_or_default();
                let made = format!("{before}{}{behind}", rewrite.replacement);
                prop_assert_eq!(&made, &rewrite.command);
            }
            for advice in &found.advice {
                prop_assert!(text.get(advice.span.start..advice.span.end).is_some());
            }
        }
    }

    #[test]
    fn anything_can_be_read(text in "[a-z|&;<>()$`'\"\\\\ *\n=-]{0,60}") {
        let _ = wording(&text);
    }
}
