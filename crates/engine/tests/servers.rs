//! Two engines on one PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]
#![expect(dead_code, reason = "support is shared with other tests")]

mod support;

use std::path::Path;
use std::time::Duration;

use support::{command, me, session, stdout, until, within};
use tokio::task::JoinSet;
use wharf_engine::approvals::Answer;
use wharf_engine::hosts::{HostPlace, NewHost};
use wharf_engine::{Engine, Error, Idempotency, NewSession, ProcessSelector, RunRequest, Stream};
use wharf_model::{Caller, Grants, Scopes};
use wharf_policy::approval::{Scope, State};
use wharf_testkit::{Pair, with_pair};

/// Requests at each server at once.
const AT_ONCE: usize = 50;

fn pair<F: Future<Output = Pair>>(test: impl FnOnce(Pair) -> F) {
    with_pair(["http://a", "http://b"].map(str::to_owned), test);
}

/// Somebody who looks after the servers, too.
fn ann() -> Caller {
    Caller::with("ann", me().grants().clone())
}

/// In a directory that both know.
fn inside(text: &str, dir: &Path) -> RunRequest {
    RunRequest {
        cwd: Some(dir.to_owned()),
        ..command(text)
    }
}

/// What asks before it runs, and leaves a line each time that it has run.
fn risky(dir: &Path) -> RunRequest {
    inside("rm -rf .git; echo ran >>ran", dir)
}

fn times_ran(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("ran")).map_or(0, |text| text.lines().count())
}

async fn asked(engine: &Engine, request: RunRequest) -> (String, String) {
    match engine.run(&me(), request).await {
        Err(Error::NeedsConfirmation {
            token, approval, ..
        }) => (token.unwrap(), approval),
        other => unreachable!("it must ask: {other:?}"),
    }
}

/// The same request many times at both; how many ran.
async fn at_both(pair: &Pair, request: &RunRequest) -> usize {
    let mut all = JoinSet::new();
    for n in 0..2 * AT_ONCE {
        let engine = [&pair.a, &pair.b][n % 2].engine.clone();
        let request = request.clone();
        all.spawn(async move { engine.run(&me(), request).await.is_ok() });
    }
    all.join_all().await.into_iter().filter(|ran| *ran).count()
}

#[test]
fn a_yes_is_used_once_whichever_server_it_comes_to() {
    pair(|pair| async move {
        let dir = tempfile::tempdir().unwrap();
        let (_, id) = asked(&pair.a.engine, risky(dir.path())).await;
        // Given at the other server.
        let ann = ann();
        let yes = pair
            .b
            .engine
            .answer(&ann, &id, Answer::Approve(Scope::Once))
            .await;
        yes.unwrap();
        let again = pair
            .a
            .engine
            .answer(&ann, &id, Answer::Deny(String::new()))
            .await;
        assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");

        assert_eq!(at_both(&pair, &risky(dir.path())).await, 1);

        assert_eq!(times_ran(dir.path()), 1);
        for engine in [&pair.a.engine, &pair.b.engine] {
            let approval = engine.approval(&ann, &id, Duration::ZERO).await.unwrap();
            assert!(matches!(approval.state, State::Used { by, .. } if by == "ann"));
        }
        pair
    });
}

#[test]
fn a_confirmation_token_is_good_once_and_on_its_machine() {
    pair(|pair| async move {
        let dir = tempfile::tempdir().unwrap();
        let (token, id) = asked(&pair.a.engine, risky(dir.path())).await;
        let (first, of_b) = asked(&pair.b.engine, risky(dir.path())).await;
        assert_ne!(id, of_b, "another machine is another question");
        assert_ne!(token, first);
        let confirmed = RunRequest {
            confirmation: Some(token),
            ..risky(dir.path())
        };

        assert_eq!(at_both(&pair, &confirmed).await, 1);

        assert_eq!(times_ran(dir.path()), 1);
        // There is another file now. Its own token is good there, once.
        let (other, _) = asked(&pair.b.engine, risky(dir.path())).await;
        let late = RunRequest {
            confirmation: Some(other),
            ..risky(dir.path())
        };
        assert!(pair.a.engine.run(&me(), late.clone()).await.is_err());
        assert!(pair.b.engine.run(&me(), late.clone()).await.is_ok());
        assert!(pair.b.engine.run(&me(), late).await.is_err());
        pair
    });
}

#[test]
fn a_standing_yes_is_given_and_taken_back_at_either_and_counts_on_its_machine() {
    pair(|pair| async move {
        let dir = tempfile::tempdir().unwrap();
        let (_, id) = asked(
            &pair.a.engine,
            inside("git push --force origin one", dir.path()),
        )
        .await;
        let scope = Scope::Pattern {
            pattern: "git push --force origin <word>".to_owned(),
            project: dir.path().display().to_string(),
        };
        let (ann, yes) = (ann(), Answer::Approve(scope));
        let given = pair.b.engine.answer(&ann, &id, yes).await.unwrap();
        assert_eq!(given.target, "local@srv_a");
        for _ in 0..3 {
            let request = inside("git push --force origin one", dir.path());
            pair.a.engine.run(&me(), request).await.unwrap();
        }
        let grants = pair.a.engine.grants(&me());
        assert_eq!(grants[0].target, "local@srv_a");
        // On the other machine something else would be pushed.
        asked(
            &pair.b.engine,
            inside("git push --force origin one", dir.path()),
        )
        .await;

        pair.b.engine.revoke_grant(&ann, &id).await.unwrap();

        let late = pair
            .a
            .engine
            .run(&me(), inside("git push --force origin one", dir.path()))
            .await;
        assert!(late.is_err(), "{late:?}");
        let again = pair.b.engine.revoke_grant(&me(), &id).await;
        assert!(matches!(again, Err(Error::NotFound { .. })), "{again:?}");
        pair
    });
}

#[test]
fn a_key_is_one_run_whichever_server_it_comes_to() {
    pair(|pair| async move {
        let dir = tempfile::tempdir().unwrap();
        let keyed = |fingerprint| RunRequest {
            idempotency: Some(Idempotency {
                key: "k".to_owned(),
                fingerprint: [fingerprint; 32],
            }),
            ..inside("echo ran >>ran", dir.path())
        };

        // Those of the other server are told whose it is.
        assert_eq!(at_both(&pair, &keyed(1)).await, AT_ONCE);

        assert_eq!(times_ran(dir.path()), 1);
        for engine in [&pair.a.engine, &pair.b.engine] {
            let other = engine.run(&me(), keyed(2)).await;
            assert!(
                matches!(other, Err(Error::IdempotencyMismatch)),
                "{other:?}"
            );
        }
        // A request that was refused leaves its key free.
        let refused = RunRequest {
            idempotency: Some(Idempotency {
                key: "r".to_owned(),
                fingerprint: [3; 32],
            }),
            ..inside("rm -rf .git", dir.path())
        };
        for engine in [&pair.a.engine, &pair.b.engine, &pair.a.engine] {
            let asked = engine.run(&me(), refused.clone()).await;
            assert!(
                matches!(asked, Err(Error::NeedsConfirmation { .. })),
                "{asked:?}"
            );
        }
        pair
    });
}

#[test]
fn sessions_and_runs_are_seen_by_both_and_are_one_servers() {
    pair(|pair| async move {
        let (a, b) = (&pair.a.engine, &pair.b.engine);
        let here = session(a).await;
        let done = a.run(&me(), within("echo hello", &here)).await.unwrap();
        assert_eq!(stdout(&done), "hello\n");

        let listed = b.sessions(&me()).await.unwrap();
        let server = listed[0].server.clone().unwrap();
        assert_eq!((&listed[0].id, server.id.as_str()), (&here, "srv_a"));
        assert_eq!(server.reachable(), Some("http://a"));
        let named = NewSession {
            id: Some(here.clone()),
            ..NewSession::default()
        };
        let tries = [
            b.run(&me(), within("pwd", &here)).await.err(),
            b.session(&me(), &here).await.err(),
            b.delete_session(&me(), &here).await.err(),
            b.create_session(&me(), named).await.err(),
            b.output(&me(), &done.run, Stream::Stdout, 0, 9).await.err(),
            b.cancel(&me(), &done.run).await.err(),
        ];
        for tried in tries {
            assert!(
                matches!(&tried, Some(Error::Elsewhere { server, .. }) if server.id == "srv_a"),
                "{tried:?}"
            );
        }
        let its = ProcessSelector::Run(done.run.clone());
        let process = b.process(&me(), &its).await;
        assert!(
            matches!(&process, Err(Error::Elsewhere { server, .. }) if server.id == "srv_a"),
            "{process:?}"
        );
        // A token for another session sees nothing of it.
        let narrow = Grants {
            scopes: Scopes::parse("session:other").unwrap(),
            ..me().grants().clone()
        };
        let narrow = Caller::with(me().name(), narrow);
        assert_eq!(b.sessions(&narrow).await.unwrap().len(), 0);
        let unseen = b.session(&narrow, &here).await;
        assert!(matches!(unseen, Err(Error::NotFound { .. })), "{unseen:?}");
        let stranger = b.session(&Caller::new("eve"), &here).await;
        assert!(matches!(stranger, Err(Error::NotFound { .. })));

        // What is in the database is everybody's.
        until("b knows of the run's end", async || {
            b.view(&me(), &done.run)
                .await
                .is_ok_and(|view| view.state == "done")
        })
        .await;
        let past = b.history(&me(), &here, 10, None).await.unwrap();
        assert_eq!(past[0].run.run, done.run);
        assert_eq!(b.recent(&me(), 10).await.unwrap()[0].run, done.run);

        // A server that stops keeps what is its own.
        a.shutdown(Duration::from_millis(200)).await;
        let gone = b.session(&me(), &here).await;
        assert!(
            matches!(&gone, Err(Error::Elsewhere { server, .. }) if server.reachable().is_none()),
            "{gone:?}"
        );
        let left = b.sessions(&me()).await.unwrap();
        assert!(left.len() == 1 && !left[0].server.clone().unwrap().live);
        assert_eq!(b.view(&me(), &done.run).await.unwrap().state, "done");
        pair
    });
}

#[test]
fn a_host_that_is_added_at_one_is_known_at_the_other() {
    pair(|pair| async move {
        let host = NewHost {
            place: HostPlace {
                address: "192.0.2.1".to_owned(),
                ..HostPlace::default()
            },
            groups: vec!["web".to_owned()],
            note: String::new(),
        };
        let put = pair.a.engine.put_host(&me(), "one", host).await;
        put.unwrap();
        until("b knows the host", async || {
            pair.b.engine.host("one").is_ok()
        })
        .await;
        pair.b.engine.remove_host(&me(), "one").await.unwrap();
        until("a forgets it", async || pair.a.engine.host("one").is_err()).await;
        pair
    });
}

/// Two that make a session of one name at once get one session.
#[test]
fn a_name_is_one_session_whichever_server_makes_it() {
    pair(|pair| async move {
        let mut all = JoinSet::new();
        for n in 0..8 {
            let engine = [&pair.a, &pair.b][n % 2].engine.clone();
            all.spawn(async move {
                let new = NewSession {
                    id: Some(wharf_model::SessionId::parse("work").unwrap()),
                    ..NewSession::default()
                };
                engine.create_session(&me(), new).await
            });
        }
        let made = all.join_all().await;
        let new = made.iter().filter(|made| matches!(made, Ok((_, true))));
        assert_eq!(new.count(), 1, "{made:?}");
        let listed = pair.a.engine.sessions(&me()).await.unwrap();
        assert_eq!(listed.len(), 1);
        pair
    });
}
