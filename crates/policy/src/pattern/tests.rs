use proptest::prelude::*;
use wharf_shell::{Context, analyze};

use super::*;

const PROJECT: &str = "/home/u/p";

fn read(text: &str) -> Analysis {
    let ctx = Context {
        cwd: Some(PROJECT),
        home: Some("/home/u"),
        ..Context::default()
    };
    analyze(text, &ctx)
}

fn matches(pattern: &str, command: &str) -> bool {
    Pattern::parse(pattern)
        .expect("a pattern")
        .matches(&read(command), PROJECT)
}

#[test]
fn words_are_compared_and_not_text() {
    assert!(matches("git push origin <word>", "git push origin main"));
    assert!(matches(
        "git push origin <word>",
        "git  push  'origin' \"main\""
    ));
    assert!(matches(
        "cargo test -p <word> ...",
        "cargo test -p x one two"
    ));
    assert!(matches("cargo test -...", "cargo test -p x -- --nocapture"));
    assert!(matches("rm -rf <path>", "rm -rf ./target/debug"));
    assert!(matches("rm -rf <path>", "rm -rf /home/u/p/target"));
    assert!(matches("head -n <number> <path>", "head -n 5 a.txt"));
    assert!(matches(
        "git commit -m 'two words'",
        "git commit -m 'two words'"
    ));
}

#[test]
fn anything_beyond_the_pattern_does_not_match() {
    for command in [
        "git push origin main; id",
        "git push origin main && id",
        "git push origin main | cat",
        "git push origin main > log",
        "git push origin main &",
        "git push origin $(id)",
        "git push origin $BRANCH",
        "git push origin ma*",
        "git push origin {a,b}",
        "X=1 git push origin main",
        "sudo git push origin main",
        "git push origin main extra",
        "git push origin --force",
        "git push origin",
        "(git push origin main)",
        "./git push origin main",
        "/usr/bin/git push origin main",
        "bash -c 'git push origin main'",
        "git push origin main\nid",
    ] {
        assert!(!matches("git push origin <word>", command), "{command}");
    }
    assert!(!matches("cargo test ...", "cargo test --config x"));
    for path in [
        "../x",
        "/etc/x",
        "/home/u/p2/x",
        "-x",
        "/home/u/p/../x",
        "~/x",
        "/home/u/p",
    ] {
        assert!(!matches("cat <path>", &format!("cat {path}")), "{path}");
    }
    assert!(
        !matches("bash -c <word>", "bash -c id"),
        "another program runs"
    );
}

#[test]
fn a_text_that_is_no_pattern_says_why() {
    let wrong = |text: &str| Pattern::parse(text).expect_err("none").to_string();
    assert_eq!(wrong(" "), "a pattern needs a program");
    assert_eq!(wrong("..."), "a pattern needs a program");
    assert_eq!(
        wrong("<word> x"),
        "the program must be named, it cannot be a placeholder"
    );
    assert!(wrong("git <wrod>").ends_with("; did you mean <word>?"));
    assert_eq!(wrong("git ... x"), "`...` can only stand at the end");
    assert_eq!(wrong("git 'x"), "a quote is not closed");
    let words = |count: usize| vec!["x"; count].join(" ");
    assert!(Pattern::parse(&words(MAX_WORDS)).is_ok());
    assert_eq!(
        wrong(&words(MAX_WORDS + 1)),
        "a pattern has at most 64 words"
    );
}

#[test]
fn a_suggestion_keeps_options_and_subcommands() {
    let suggest = |command: &str| {
        let argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
        Pattern::suggest(&argv).expect("fits").to_string()
    };
    assert_eq!(
        suggest("git push --force origin main"),
        "git push --force origin main"
    );
    assert_eq!(suggest("rm -rf ./target"), "rm -rf <path>");
    assert_eq!(
        suggest("head -n 20 /etc/hosts"),
        "head -n <number> /etc/hosts"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(words in proptest::collection::vec("[a-z<>. -]{0,6}", 1..6)) {
        if let Some(pattern) = Pattern::exactly(&words) {
            prop_assert_eq!(Pattern::parse(&pattern.to_string()).ok(), Some(pattern));
        }
    }

    #[test]
    fn a_pattern_matches_nothing_that_a_shell_is_needed_for(tail in "[;&|<>$`(){}*?~# a-z]{0,12}") {
        let command = format!("git status {tail}");
        let analysis = read(&command);
        if matches("git status -...", &command) {
            prop_assert!(matches!(analysis.launch, Launch::Direct { .. }), "{}", command);
        }
    }
}
