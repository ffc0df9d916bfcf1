use proptest::prelude::*;
use wharf_model::Timestamp;
use wharf_shell::{Context, analyze};

use super::*;
use crate::header::ApprovalRules;
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::question::{Question, Who};

const ANNA: Who<'static> = Who::user("anna");
const BERT: Who<'static> = Who::user("bert");
const AGENT: Who<'static> = Who {
    user: "anna",
    agent: "claude",
    token: "",
    token_id: "",
};
const PROJECT: &str = "/home/u/p";
const FOUR_EYES: ApprovalRules = ApprovalRules {
    requester_may_approve: false,
    open_seconds: 60,
    grant_seconds: 3_600,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn bound(command: &str) -> Bound<'_> {
    Bound {
        caller: "claude",
        command,
        target: "local",
        cwd: PROJECT,
        session: Some("s1"),
        stdin: None,
        background: false,
        env: &[],
        sight: b"as it is",
    }
}

fn asked(command: &str) -> Approval {
    let rules = vec!["git-force-push".to_owned()];
    Approval::ask("apr_1", &bound(command), &AGENT, rules, at(0), &FOUR_EYES)
}

#[test]
fn a_yes_lets_one_run_through() {
    let command = "git push --force";
    let open = asked(command);
    assert_eq!(
        open.use_for(&bound(command), "run_1", at(1)),
        Err(Refused::NotGiven)
    );
    let (given, grant) = open
        .approve(&BERT, Scope::Once, at(1), &FOUR_EYES)
        .expect("open");
    assert_eq!(grant, None);
    let used = given
        .use_for(&bound(command), "run_1", at(2))
        .expect("given");
    assert_eq!(
        used.use_for(&bound(command), "run_2", at(2)),
        Err(Refused::Over)
    );
    assert_eq!(
        used.approve(&BERT, Scope::Once, at(2), &FOUR_EYES),
        Err(Refused::Over)
    );
    assert_eq!(used.deny(&BERT, "", at(2)), Err(Refused::Over));
}

#[test]
fn a_yes_is_for_exactly_this() {
    let command = "git push --force";
    let (given, _) = asked(command)
        .approve(&BERT, Scope::Once, at(1), &FOUR_EYES)
        .expect("open");
    let same = bound(command);
    for other in [
        Bound {
            command: "git push --force ",
            ..same
        },
        Bound {
            target: "web-1",
            ..same
        },
        Bound {
            cwd: "/home/u",
            ..same
        },
        Bound {
            caller: "eve",
            ..same
        },
        Bound {
            session: None,
            ..same
        },
        Bound {
            session: Some(""),
            ..same
        },
        Bound {
            stdin: Some(b""),
            ..same
        },
        Bound {
            background: true,
            ..same
        },
        Bound {
            env: &[("A", "1")],
            ..same
        },
        Bound {
            sight: b"as it has become",
            ..same
        },
    ] {
        assert_eq!(
            given.use_for(&other, "run_1", at(2)),
            Err(Refused::SomethingElse),
            "{other:?}"
        );
    }
    assert!(given.use_for(&same, "run_1", at(2)).is_ok());
}

#[test]
fn who_asks_does_not_answer_where_the_policy_says_so() {
    let open = asked("x");
    let approve = |by: &Who<'_>, rules: &ApprovalRules| {
        open.approve(by, Scope::Once, at(1), rules).map(|_| ())
    };
    assert_eq!(approve(&ANNA, &FOUR_EYES), Err(Refused::OwnRequest));
    assert_eq!(approve(&BERT, &FOUR_EYES), Ok(()));
    let alone = ApprovalRules::default();
    assert_eq!(approve(&ANNA, &alone), Ok(()));
    assert_eq!(approve(&AGENT, &alone), Err(Refused::NotAPerson));
    assert_eq!(approve(&Who::default(), &alone), Err(Refused::NotAPerson));
    assert!(
        open.deny(&ANNA, "a mistake", at(1)).is_ok(),
        "who asks may take it back"
    );
}

#[test]
fn a_question_ends_at_its_time_and_not_before() {
    let open = asked("x");
    assert_eq!(open.clone().at(at(59)).state, State::Pending);
    assert_eq!(open.clone().at(at(60)).state, State::Expired);
    let late = open.approve(&BERT, Scope::Once, at(60), &FOUR_EYES);
    assert_eq!(late, Err(Refused::Expired));
    let (given, _) = open
        .approve(&BERT, Scope::Once, at(59), &FOUR_EYES)
        .expect("open");
    assert!(
        given.use_for(&bound("x"), "r", at(118)).is_ok(),
        "the time starts anew"
    );
    assert_eq!(
        given.use_for(&bound("x"), "r", at(119)),
        Err(Refused::Expired)
    );
}

/// Whether a grant covers a command, as the built-in policy asks about it.
fn covers(grant: &Grant, command: &str, session: Option<&str>, cwd: &str, now: i64) -> bool {
    let ctx = Context {
        cwd: Some(cwd),
        home: Some("/home/u"),
        workspace_root: Some(PROJECT),
        ..Context::default()
    };
    let analysis = analyze(command, &ctx);
    let question = Question {
        cwd: Some(cwd),
        session,
        ..Question::new(AGENT, &analysis)
    };
    let answer = Policy::builtin().decide(&question);
    grant.covers(&question, &answer, "claude", command, false, at(now))
}

fn granted(command: &str, scope: Scope) -> Grant {
    let (_, grant) = asked(command)
        .approve(&BERT, scope, at(0), &FOUR_EYES)
        .expect("open");
    grant.expect("more than once")
}

#[test]
fn a_yes_for_the_session_holds_there_and_for_this() {
    let grant = granted("git push --force", Scope::Session);
    assert!(covers(&grant, "git push --force", Some("s1"), PROJECT, 1));
    assert!(!covers(&grant, "git push --force", Some("s2"), PROJECT, 1));
    assert!(!covers(&grant, "git push --force", None, PROJECT, 1));
    assert!(!covers(&grant, "git push -f", Some("s1"), PROJECT, 1));
    assert!(!covers(
        &grant,
        "git push --force",
        Some("s1"),
        "/home/u",
        1
    ));
    assert!(!covers(
        &grant,
        "git push --force",
        Some("s1"),
        PROJECT,
        3_600
    ));
    let grant = grant.revoke();
    assert!(!covers(&grant, "git push --force", Some("s1"), PROJECT, 1));
}

#[test]
fn a_yes_for_a_pattern_holds_in_the_project_and_for_agreed_dangers() {
    let pattern = |pattern: &str| {
        granted(
            "git push --force origin x",
            Scope::Pattern {
                pattern: pattern.to_owned(),
                project: PROJECT.to_owned(),
            },
        )
    };
    let grant = pattern("git push --force origin <word>");
    assert!(covers(
        &grant,
        "git push --force origin y",
        None,
        PROJECT,
        1
    ));
    assert!(covers(
        &grant,
        "git push --force origin y",
        None,
        "/home/u/p/sub",
        1
    ));
    assert!(!covers(
        &grant,
        "git push --force origin y",
        None,
        "/home/u/p2",
        1
    ));
    assert!(!covers(
        &grant,
        "git push --force origin y; id",
        None,
        PROJECT,
        1
    ));
    let wide = pattern("rm -...");
    assert!(
        !covers(&wide, "rm -rf .git", None, PROJECT, 1),
        "another danger"
    );
    assert!(
        !covers(&wide, "rm -rf /", None, PROJECT, 1),
        "a refusal stays one"
    );
}

#[test]
fn what_is_kept_holds_no_secret_and_is_read_again() {
    let command = "curl -H 'Authorization: Bearer abcdefgh12345678abcdefgh' https://x.y";
    let (given, grant) = asked(command)
        .approve(&BERT, Scope::Session, at(1), &FOUR_EYES)
        .expect("open");
    let kept = serde_json::to_string(&(&given, &grant)).expect("JSON");
    assert!(!kept.contains("abcdefgh12345678"), "{kept}");
    let read: (Approval, Option<Grant>) = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(read, (given, grant));
    for wrong in [
        String::new(),
        "00".to_owned(),
        "g".repeat(64),
        "\u{e9}".repeat(32),
    ] {
        assert!(Fingerprint::try_from(wrong).is_err());
    }
}

#[test]
fn a_grant_that_cannot_be_is_refused() {
    let open = Approval {
        session: None,
        ..asked("x")
    };
    let scope = |pattern: &str, project: &str| Scope::Pattern {
        pattern: pattern.to_owned(),
        project: project.to_owned(),
    };
    for scope in [
        Scope::Session,
        scope("<word>", PROJECT),
        scope("x", "/"),
        scope("x", "p"),
    ] {
        let refused = open.approve(&BERT, scope, at(1), &FOUR_EYES);
        assert!(matches!(refused, Err(Refused::NoGrant(_))), "{refused:?}");
    }
}

#[test]
fn a_pattern_is_shown_with_what_it_would_have_matched() {
    let past = |command| Past {
        command,
        cwd: PROJECT,
        target: "local",
    };
    let mut history = vec![past("git push -f origin a"); 3];
    history.push(past("git push -f origin b"));
    history.push(past("git push -f origin b && id"));
    history.push(Past {
        target: "web-1",
        ..past("git push -f origin a")
    });
    history.push(Past {
        cwd: "/",
        ..past("git push -f origin a")
    });
    let pattern = Pattern::parse("git push -f origin <word>").expect("a pattern");
    let shown = matched(&pattern, PROJECT, "local", history);
    assert_eq!((shown.seen, shown.matched, shown.spared), (7, 4, 4));
    assert_eq!(
        shown.commands,
        [
            ("git push -f origin a".to_owned(), 3),
            ("git push -f origin b".to_owned(), 1)
        ]
    );
    let many: Vec<String> = (0..=MAX_MATCHES).map(|i| format!("ls {i}")).collect();
    let pattern = Pattern::parse("ls <number>").expect("a pattern");
    let shown = matched(
        &pattern,
        PROJECT,
        "local",
        many.iter().map(|text| past(text)),
    );
    assert_eq!((shown.commands.len(), shown.unlisted), (MAX_MATCHES, 1));
}

#[derive(Clone, Debug)]
enum Step {
    Approve { agent: bool, own: bool },
    Deny,
    Use { same: bool },
    Wait(i64),
    Back(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), any::<bool>()).prop_map(|(agent, own)| Step::Approve { agent, own }),
        Just(Step::Deny),
        any::<bool>().prop_map(|same| Step::Use { same }),
        (0_i64..40).prop_map(Step::Wait),
        (0_i64..5).prop_map(Step::Back),
    ]
}

proptest! {
    /// Whatever is done in whatever order, one yes lets through one run, only what it was given
    /// for, only in time, and only by somebody who may; and an end is an end.
    #[test]
    fn one_yes_is_one_run(steps in proptest::collection::vec(step(), 1..40)) {
        let mut approval = asked("x");
        let (mut now, mut uses, mut given) = (0_i64, 0, None);
        for step in steps {
            let before = approval.clone();
            let over = matches!(before.state, State::Denied { .. } | State::Used { .. } | State::Expired);
            let next = match step {
                Step::Approve { agent, own } => {
                    let who = if agent { AGENT } else if own { ANNA } else { BERT };
                    let next = approval.approve(&who, Scope::Once, at(now), &FOUR_EYES);
                    if next.is_ok() {
                        prop_assert_eq!(who, BERT);
                        given = Some(now);
                    }
                    next.map(|(next, _)| next)
                }
                Step::Deny => approval.deny(&BERT, "", at(now)),
                Step::Use { same } => {
                    let command = if same { "x" } else { "y" };
                    let next = approval.use_for(&bound(command), "run_1", at(now));
                    if next.is_ok() {
                        uses += 1;
                        prop_assert!(same);
                        prop_assert!(given.is_some_and(|given| now < given + 60));
                    }
                    next
                }
                Step::Wait(seconds) => {
                    now += seconds;
                    Ok(approval.clone().at(at(now)))
                }
                Step::Back(seconds) => {
                    now -= seconds;
                    Ok(approval.clone().at(at(now)))
                }
            };
            if let Ok(next) = next {
                approval = next;
            }
            if over {
                prop_assert_eq!(&approval, &before);
            }
            prop_assert!(uses <= 1);
        }
    }

    #[test]
    fn parts_do_not_pass_for_one_another(a in "[a-c]{0,3}", b in "[a-c]{0,3}", c in "[a-c]{0,3}", d in "[a-c]{0,3}") {
        let first = Bound { command: &a, target: &b, ..bound("") };
        let second = Bound { command: &c, target: &d, ..bound("") };
        prop_assert_eq!(first.fingerprint() == second.fingerprint(), (a == c) && (b == d));
    }
}
