//! What runs on after its answer has a bound, and what a full house refuses can be asked again.

use std::sync::Arc;

use crate::support::{alive, command, me, run, say, session, stdout, until, within};
use tokio::sync::Barrier;
use wharf_engine::{Engine, Error, Limits, RunRequest};
use wharf_model::Secret;
use wharf_testkit::{Setup, with_engine};

fn of(limits: Limits) -> Setup {
    Setup {
        limits,
        ..Setup::default()
    }
}

fn background(most: usize) -> Setup {
    of(Limits {
        background_runs: most,
        ..Limits::default()
    })
}

async fn in_background(engine: &Engine, text: &str) -> Result<wharf_model::RunId, Error> {
    let request = RunRequest {
        background: true,
        ..command(text)
    };
    Ok(engine.run(&me(), request).await?.run)
}

#[test]
fn many_at_once_do_not_pass_the_bound_of_background_runs() {
    with_engine(background(3), |test| async move {
        let together = Arc::new(Barrier::new(24));
        let asked: Vec<_> = (0..24)
            .map(|_| {
                let (engine, together) = (test.engine.clone(), Arc::clone(&together));
                tokio::spawn(async move {
                    together.wait().await;
                    in_background(&engine, "exec sleep 1000").await
                })
            })
            .collect();
        let mut runs = Vec::new();
        for asked in asked {
            match asked.await.unwrap() {
                Ok(run) => runs.push(run),
                Err(error) => assert!(matches!(error, Error::Busy { limit: 3, .. }), "{error}"),
            }
        }
        assert_eq!((runs.len(), test.engine.gauges().background), (3, 3));
        // One that has ended makes room for one.
        test.engine.cancel(&me(), &runs[0]).await.unwrap();
        let free = || async { in_background(&test.engine, "exec sleep 1000").await.is_ok() };
        until("a place is free", free).await;
        assert!(in_background(&test.engine, "sleep 1").await.is_err());
    });
}

#[test]
fn what_a_command_leaves_running_counts_and_is_ended_where_it_is_too_much() {
    with_engine(background(2), |test| async move {
        let (id, other) = (session(&test.engine).await, session(&test.engine).await);
        let own = run(&test.engine, "(sleep 1000; true) & echo left; true").await;
        let in_session = say(&test.engine, &id, "(sleep 1000; true) & echo left; true").await;
        for done in [&own, &in_session] {
            assert_eq!((stdout(done).as_str(), &done.error), ("left\n", &None));
            assert!(done.survivors.iter().all(|pid| alive(*pid)), "{done:?}");
        }
        let refused = in_background(&test.engine, "sleep 1").await;
        assert!(matches!(refused, Err(Error::Busy { limit: 2, .. })));

        let more = run(&test.engine, "(sleep 1000; true) & echo more; true").await;
        let and_more = say(&test.engine, &other, "(sleep 1000; true) & echo more; true").await;
        for done in [&more, &and_more] {
            assert_eq!((stdout(done).as_str(), done.exit_code), ("more\n", Some(0)));
            let (kind, text) = done.error.as_ref().unwrap();
            assert_eq!(*kind, "background_full");
            assert!(text.contains("2 background commands"), "{text}");
            let gone = || async { !done.survivors.iter().any(|pid| alive(*pid)) };
            until("what is too much is ended", gone).await;
        }
        // The others are none the worse.
        for done in [&own, &in_session] {
            assert!(done.survivors.iter().all(|pid| alive(*pid)), "{done:?}");
            test.engine.cancel(&me(), &done.run).await.unwrap();
        }
        let free = || async { in_background(&test.engine, "true").await.is_ok() };
        until("their places are free", free).await;
    });
}

fn dangerous() -> RunRequest {
    RunRequest {
        env: vec![("LD_PRELOAD".into(), Secret::new("/x.so".into()))],
        ..command("true")
    }
}

async fn asked(engine: &Engine, request: RunRequest) -> String {
    match engine.run(&me(), request).await {
        Err(Error::NeedsConfirmation { token, .. }) => token.unwrap(),
        other => panic!("it must ask: {other:?}"),
    }
}

#[test]
fn a_yes_that_met_a_full_house_is_still_good_once() {
    let limits = Limits {
        concurrent_runs: 1,
        queued_runs: 0,
        ..Limits::default()
    };
    with_engine(of(limits), |test| async move {
        let token = asked(&test.engine, dangerous()).await;
        let said = || RunRequest {
            confirmation: Some(token.clone()),
            ..dangerous()
        };
        let engine = test.engine.clone();
        let holder = tokio::spawn(async move { engine.run(&me(), command("sleep 1000")).await });
        until("the house is full", || async {
            test.engine.gauges().running == 1
        })
        .await;
        for _ in 0..3 {
            let refused = test.engine.run(&me(), said()).await;
            assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
        }
        for view in test.engine.recent(&me(), 9).await.unwrap() {
            if view.state == "running" {
                test.engine.cancel(&me(), &view.run).await.unwrap();
            }
        }
        holder.await.unwrap().unwrap();
        until("its place is free", || async {
            !matches!(
                test.engine.run(&me(), said()).await,
                Err(Error::Busy { .. })
            )
        })
        .await;
        let ran = test.engine.recent(&me(), 9).await.unwrap();
        let ran = ran.iter().filter(|run| run.state == "done");
        assert_eq!(ran.count(), 2, "the one that was in the way, and ours");
        let again = test.engine.run(&me(), said()).await;
        assert!(matches!(again, Err(Error::NeedsConfirmation { .. })));
    });
}

#[test]
fn a_yes_for_a_session_that_is_busy_is_still_good() {
    let limits = Limits {
        background_runs: 1,
        ..Limits::default()
    };
    with_engine(of(limits), |test| async move {
        let id = session(&test.engine).await;
        let held = in_background(&test.engine, "exec sleep 1000")
            .await
            .unwrap();
        let request = || RunRequest {
            env: dangerous().env,
            background: true,
            ..within("true", &id)
        };
        let token = asked(&test.engine, request()).await;
        let said = || RunRequest {
            confirmation: Some(token.clone()),
            ..request()
        };
        let refused = test.engine.run(&me(), said()).await;
        assert!(matches!(refused, Err(Error::Busy { limit: 1, .. })));
        test.engine.cancel(&me(), &held).await.unwrap();
        until("a place is free", || async {
            !matches!(
                test.engine.run(&me(), said()).await,
                Err(Error::Busy { .. })
            )
        })
        .await;
        let again = test.engine.run(&me(), said()).await;
        assert!(matches!(again, Err(Error::NeedsConfirmation { .. })));
    });
}
