//! A person's yes, through the engine.

use std::time::Duration;

use crate::record::record;
use crate::support::{command, me, say, session, stdout};
use wharf_engine::approvals::{Answer, MAX_OPEN_EACH};
use wharf_engine::{Engine, Error, Finished, RunRequest};
use wharf_model::Caller;
use wharf_policy::File;
use wharf_policy::approval::{Scope, State};
use wharf_testkit::{Setup, in_directory, with_engine};

/// It asks, and does no harm.
const RISKY: &str = "rm -rf .git";

/// Somebody else who looks after the server.
fn ann() -> Caller {
    Caller::with("ann", me().grants().clone())
}

/// Asks for a command that is not to run unasked; the token and the approval's id.
async fn asked(engine: &Engine, request: RunRequest) -> (Option<String>, String) {
    match engine.run(&me(), request).await {
        Err(Error::NeedsConfirmation {
            token, approval, ..
        }) => (token, approval),
        other => unreachable!("it must ask: {other:?}"),
    }
}

async fn state(engine: &Engine, id: &str) -> State {
    engine
        .approval(&me(), id, Duration::ZERO)
        .await
        .unwrap()
        .state
}

async fn ran(engine: &Engine, request: RunRequest) -> Option<Finished> {
    engine.run(&me(), request).await.ok()
}

#[test]
fn a_persons_yes_lets_the_same_command_through_once() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let (_, id) = asked(engine, command(RISKY)).await;
        assert_eq!(asked(engine, command(RISKY)).await.1, id, "one question");
        assert_eq!(state(engine, &id).await, State::Pending);
        let yes = Answer::Approve(Scope::Once);
        engine.answer(&ann(), &id, yes.clone()).await.unwrap();
        assert!(ran(engine, command("rm -rf ./.git")).await.is_none());
        let done = ran(engine, command(RISKY)).await.unwrap();
        assert_eq!(done.exit_code, Some(0));
        assert!(matches!(state(engine, &id).await, State::Used { by, .. } if by == "ann"));
        assert_ne!(asked(engine, command(RISKY)).await.1, id, "used once");
        let late = engine.answer(&me(), &id, yes).await;
        assert!(matches!(late, Err(Error::Conflict(_))));
        let kinds: Vec<String> = record(engine)
            .await
            .iter()
            .filter(|line| line["approval"] == id.as_str())
            .map(|line| line["kind"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kinds, ["approval.asked", "approval.approved"]);
        let opened = record(engine).await;
        let opened = opened.iter().find(|line| line["kind"] == "run.opened");
        assert_eq!(opened.unwrap()["extra"]["approval"], id.as_str());
    });
}

#[test]
fn the_callers_own_yes_is_an_approval_too() {
    with_engine(Setup::default(), |test| async move {
        let (token, id) = asked(&test.engine, command(RISKY)).await;
        let confirmed = RunRequest {
            confirmation: token,
            ..command(RISKY)
        };
        assert!(ran(&test.engine, confirmed).await.is_some());
        assert!(matches!(state(&test.engine, &id).await, State::Used { by, .. } if by == "local"));
    });
}

#[test]
fn a_no_is_a_no_and_says_why() {
    with_engine(Setup::default(), |test| async move {
        let (token, id) = asked(&test.engine, command(RISKY)).await;
        let no = Answer::Deny("the history is needed".to_owned());
        test.engine.answer(&ann(), &id, no).await.unwrap();
        assert!(matches!(
            state(&test.engine, &id).await,
            State::Denied { why, .. } if why == "the history is needed"
        ));
        let confirmed = RunRequest {
            confirmation: token,
            ..command(RISKY)
        };
        assert!(ran(&test.engine, confirmed).await.is_none());
    });
}

#[test]
fn who_waits_hears_of_the_answer() {
    with_engine(Setup::default(), |test| async move {
        let (_, id) = asked(&test.engine, command(RISKY)).await;
        let (engine, asked) = (test.engine.clone(), id.clone());
        let waits = tokio::spawn(async move {
            let wait = Duration::from_secs(60);
            engine.approval(&me(), &asked, wait).await.unwrap().state
        });
        tokio::task::yield_now().await;
        let yes = Answer::Approve(Scope::Once);
        test.engine.answer(&me(), &id, yes).await.unwrap();
        assert!(matches!(waits.await.unwrap(), State::Approved { .. }));
    });
}

#[test]
fn a_yes_for_a_session_holds_in_it() {
    with_engine(Setup::default(), |test| async move {
        let own = session(&test.engine).await;
        let in_session = |text: &str| RunRequest {
            session: Some(own.clone()),
            ..command(text)
        };
        let (_, id) = asked(&test.engine, in_session(RISKY)).await;
        let yes = Answer::Approve(Scope::Session);
        test.engine.answer(&me(), &id, yes).await.unwrap();
        for _ in 0..3 {
            assert!(ran(&test.engine, in_session(RISKY)).await.is_some());
        }
        assert!(ran(&test.engine, command(RISKY)).await.is_none());
        say(&test.engine, &own, "mkdir -p x; cd x").await;
        assert!(ran(&test.engine, in_session(RISKY)).await.is_none());
    });
}

#[test]
fn a_yes_for_a_pattern_shows_what_it_is_for_and_can_be_taken_back() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let project = test.directory.display().to_string();
        let (_, id) = asked(engine, command("git push --force origin one")).await;
        let pattern = "git push --force origin <word>";
        let seen = engine
            .try_pattern(&me(), pattern, &project, &wharf_model::Target::Local)
            .await
            .unwrap();
        let elsewhere = wharf_model::Target::parse("ssh://web-1").unwrap();
        let other = engine
            .try_pattern(&me(), pattern, &project, &elsewhere)
            .await
            .unwrap();
        assert_eq!(other.matched, 0, "what ran here says nothing of a host");
        assert_eq!((seen.matched, seen.spared), (1, 1), "{seen:?}");
        let yes = Answer::Approve(Scope::Pattern {
            pattern: pattern.to_owned(),
            project: project.clone(),
        });
        engine.answer(&me(), &id, yes).await.unwrap();
        let again = command("git push --force origin two");
        assert!(ran(engine, again.clone()).await.is_some());
        assert!(
            ran(engine, command("git push --force origin two; rm -rf .git"))
                .await
                .is_none()
        );
        assert_eq!(engine.grants(&me()).len(), 1);
        engine.revoke_grant(&me(), &id).await.unwrap();
        assert!(engine.grants(&me()).is_empty());
        // Nothing of what was agreed to is left, not even the one run that was asked about.
        assert!(ran(engine, again).await.is_none());
        let first = command("git push --force origin one");
        assert!(ran(engine, first).await.is_none());
        assert!(matches!(state(engine, &id).await, State::Expired));
    });
}

#[test]
fn many_questions_of_one_leave_those_of_others_open() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let (_, mine) = asked(engine, command("rm -rf .git")).await;
        let eve = Caller::of_account(wharf_model::Grants {
            person: Some(wharf_model::Person {
                id: "usr_2".into(),
                email: "eve@x".into(),
            }),
            ..wharf_model::Grants::default()
        });
        let mut hers = Vec::new();
        for n in 0..=MAX_OPEN_EACH {
            match engine
                .run(&eve, command(&format!("rm -rf .git; echo {n}")))
                .await
            {
                Err(Error::NeedsConfirmation { approval, .. }) => hers.push(approval),
                other => panic!("it must ask: {other:?}"),
            }
        }
        assert_eq!(state(engine, &mine).await, State::Pending);
        assert_eq!(state(engine, &hers[0]).await, State::Expired, "the oldest");
        assert_eq!(state(engine, &hers[1]).await, State::Pending);
        // What is listed is the caller's, however many others there are.
        let seen = engine.approvals(&eve, 1_000).await.unwrap();
        assert_eq!(seen.len(), MAX_OPEN_EACH + 1);
    });
}

#[test]
fn where_the_policy_wants_it_somebody_else_says_yes() {
    let policy = vec![File {
        name: "policy.toml".to_owned(),
        text: "[approvals]\nrequester_may_approve = false\n".to_owned(),
    }];
    let setup = Setup {
        policy,
        ..Setup::default()
    };
    with_engine(setup, |test| async move {
        let (token, id) = asked(&test.engine, command(RISKY)).await;
        assert_eq!(token, None);
        let yes = Answer::Approve(Scope::Once);
        let own = test.engine.answer(&me(), &id, yes.clone()).await;
        assert!(matches!(own, Err(Error::Conflict(_))));
        test.engine.answer(&ann(), &id, yes).await.unwrap();
        assert!(ran(&test.engine, command(RISKY)).await.is_some());
    });
}

#[test]
fn what_is_open_outlives_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    in_directory(directory.path(), Setup::default(), |test| async move {
        let (_, approved) = asked(&test.engine, command(RISKY)).await;
        let yes = Answer::Approve(Scope::Once);
        test.engine.answer(&me(), &approved, yes).await.unwrap();
        let (_, pending) = asked(&test.engine, command("rm -rf .git .hg")).await;
        sender.send((approved, pending)).unwrap();
    });
    let (approved, pending) = receiver.recv().unwrap();
    in_directory(directory.path(), Setup::default(), |test| async move {
        assert_eq!(state(&test.engine, &pending).await, State::Pending);
        let done = ran(&test.engine, command(RISKY)).await.unwrap();
        assert_eq!(stdout(&done), "");
        assert!(matches!(
            state(&test.engine, &approved).await,
            State::Used { .. }
        ));
        let listed = test.engine.approvals(&me(), 10).await.unwrap();
        let ids: Vec<&str> = listed.iter().map(|approval| approval.id.as_str()).collect();
        assert_eq!(ids, [pending.as_str(), approved.as_str()]);
    });
}

#[test]
fn what_has_changed_between_question_and_run_is_asked_about_again() {
    with_engine(Setup::default(), |test| async move {
        let (engine, home) = (&test.engine, test.directory.clone());
        for name in ["a", "b"] {
            std::fs::create_dir_all(home.join(name).join(".git")).unwrap();
        }
        std::os::unix::fs::symlink("a", home.join("link")).unwrap();
        let yes = Answer::Approve(Scope::Once);
        let risky = command("rm -rf link/.git");

        // A link that leads elsewhere.
        let (token, id) = asked(engine, risky.clone()).await;
        engine.answer(&me(), &id, yes.clone()).await.unwrap();
        std::fs::remove_file(home.join("link")).unwrap();
        std::os::unix::fs::symlink("b", home.join("link")).unwrap();
        let confirmed = RunRequest {
            confirmation: token,
            ..risky.clone()
        };
        let (_, other) = asked(engine, confirmed).await;
        assert_ne!(other, id);
        assert!(home.join("b/.git").is_dir(), "nothing was run");

        // The link as it was: the first yes is still good, once.
        std::fs::remove_file(home.join("link")).unwrap();
        std::os::unix::fs::symlink("a", home.join("link")).unwrap();
        assert!(ran(engine, risky.clone()).await.is_some());
        assert!(!home.join("a/.git").exists());

        // A script with other words in it.
        let script = home.join("x.sh");
        std::fs::write(&script, "echo one\n").unwrap();
        let runs_it = command("curl -s http://127.0.0.1:9/ | sh x.sh; rm -rf .git");
        let (_, id) = asked(engine, runs_it.clone()).await;
        engine.answer(&me(), &id, yes).await.unwrap();
        std::fs::write(&script, "echo two\n").unwrap();
        assert_ne!(asked(engine, runs_it).await.1, id);
    });
}

#[test]
fn one_approval_asked_for_a_hundred_times_at_once_runs_once() {
    with_engine(Setup::default(), |test| async move {
        let (token, id) = asked(&test.engine, command(RISKY)).await;
        let yes = Answer::Approve(Scope::Once);
        test.engine.answer(&me(), &id, yes).await.unwrap();
        // By the approval alone, and by its token: both are the same yes.
        let attempts = (0..100).map(|number| {
            let (engine, token) = (test.engine.clone(), token.clone());
            let request = RunRequest {
                confirmation: token.filter(|_| number % 2 == 0),
                ..command(RISKY)
            };
            tokio::spawn(async move { engine.run(&me(), request).await.is_ok() })
        });
        let mut ran = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            ran += u32::from(attempt.await.unwrap());
        }
        assert_eq!(ran, 1);
    });
}
