//! Sessions, through the engine.

mod support;

use std::path::Path;
use std::time::Duration;

use support::{alive, me, run, say, session, stderr, stdout, until, within};
use wharf_engine::{Error, Limits, NewSession, ProcessSelector, RunRequest, Stream};
use wharf_model::{Caller, Secret, SessionId};
use wharf_testkit::{Setup, in_directory, with_engine};

#[test]
fn a_session_remembers() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        say(
            &test.engine,
            &id,
            "cd /usr; export A=1; x=2; f() { echo \"f $1\"; }",
        )
        .await;
        let done = say(&test.engine, &id, "echo $PWD $A $x; f 3").await;
        assert_eq!(stdout(&done), "/usr 1 2\nf 3\n");
        assert_eq!(done.cwd.as_deref(), Some(Path::new("/usr")));
        assert!(!done.restored);
        let view = test.engine.session(&me(), &id).await.unwrap();
        assert_eq!(
            (view.cwd.as_path(), view.command_count),
            (Path::new("/usr"), 2)
        );
        assert_eq!(view.env.get("A").map(String::as_str), Some("1"));
    });
}

#[test]
fn another_callers_session_does_not_exist() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        let other = Caller::new("other");
        let missing = |error: Error| matches!(error, Error::NotFound { .. });
        assert!(missing(test.engine.session(&other, &id).await.unwrap_err()));
        assert!(missing(
            test.engine
                .run(&other, within("true", &id))
                .await
                .unwrap_err()
        ));
        assert!(missing(
            test.engine.delete_session(&other, &id).await.unwrap_err()
        ));
        assert!(missing(
            test.engine
                .history(&other, &id, 10, None)
                .await
                .unwrap_err()
        ));
        assert!(test.engine.sessions(&other).await.unwrap().is_empty());
        let same_name = NewSession {
            id: Some(id.clone()),
            ..NewSession::default()
        };
        assert!(
            test.engine
                .create_session(&other, same_name.clone())
                .await
                .unwrap()
                .1
        );
        assert!(
            !test
                .engine
                .create_session(&me(), same_name)
                .await
                .unwrap()
                .1,
            "mine goes on"
        );
        say(&test.engine, &id, "mine=1").await;
        let theirs = test
            .engine
            .run(&other, within("echo ${mine-none}", &id))
            .await
            .unwrap();
        assert_eq!(stdout(&theirs), "none\n");
        let done = run(&test.engine, "echo x").await;
        assert!(missing(
            test.engine.view(&other, &done.run).await.unwrap_err()
        ));
        assert!(missing(
            test.engine
                .output(&other, &done.run, Stream::Stdout, 0, 9)
                .await
                .unwrap_err()
        ));
    });
}

#[test]
fn whatever_ends_the_shell_the_session_goes_on() {
    let cases = [
        ("exit 3", 3),
        ("set -e; false; echo no", 1),
        ("kill -9 $$", 137),
        ("exec sh -c 'exit 5'", 5),
        ("set -u; echo $nothing; echo no", 127),
    ];
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        for (text, code) in cases {
            say(&test.engine, &id, "cd /usr/lib; export KEPT='a b'").await;
            let done = say(&test.engine, &id, text).await;
            assert_eq!(done.exit_code, Some(code), "{text}: {}", stderr(&done));
            let after = say(&test.engine, &id, "echo $PWD $KEPT").await;
            assert_eq!(stdout(&after), "/usr/lib a b\n", "{text}");
            assert!(after.restored, "{text}");
            assert!(!say(&test.engine, &id, "true").await.restored, "said once");
        }
        for text in ["echo \"open", "if", "echo $(("] {
            let done = say(&test.engine, &id, text).await;
            assert_ne!(done.exit_code, Some(0), "{text}");
            assert_eq!(stdout(&say(&test.engine, &id, "echo ok").await), "ok\n");
        }
    });
}

#[test]
fn a_shell_that_is_killed_from_outside_comes_back() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        say(&test.engine, &id, "cd /usr; export A=1").await;
        let pid: i32 = stdout(&say(&test.engine, &id, "echo $$").await)
            .trim()
            .parse()
            .unwrap();
        run(&test.engine, &format!("kill -9 {pid}")).await;
        until("it is dead", || async { !alive(pid.unsigned_abs()) }).await;
        let done = say(&test.engine, &id, "echo $PWD $A").await;
        assert_eq!((stdout(&done).as_str(), done.restored), ("/usr 1\n", true));
    });
}

#[test]
fn a_restart_of_the_server_keeps_directory_and_environment() {
    let directory = tempfile::tempdir().unwrap();
    let id = SessionId::parse("mine").unwrap();
    in_directory(directory.path(), Setup::default(), |test| {
        let id = id.clone();
        async move {
            let new = NewSession {
                id: Some(id.clone()),
                ..NewSession::default()
            };
            test.engine.create_session(&me(), new).await.unwrap();
            say(
                &test.engine,
                &id,
                "cd /usr/lib; export TOKEN='s3cret' GREETING='hello $x'; gone=1",
            )
            .await;
        }
    });
    in_directory(directory.path(), Setup::default(), |test| async move {
        let view = test.engine.session(&me(), &id).await.unwrap();
        assert_eq!(
            (view.cwd.as_path(), view.command_count),
            (Path::new("/usr/lib"), 1)
        );
        let done = say(&test.engine, &id, "echo $PWD \"$GREETING\" ${gone-none}").await;
        assert_eq!(
            (stdout(&done).as_str(), done.restored),
            ("/usr/lib hello $x none\n", true)
        );
        let history = test.engine.history(&me(), &id, 10, None).await.unwrap();
        assert_eq!(history.len(), 2);
        assert!(history[1].run.command.starts_with("cd /usr/lib"));
        assert!(!history[1].run.command.contains("s3cret"));
    });
}

#[test]
fn commands_of_one_session_queue_in_order_and_sessions_do_not_wait() {
    let limits = Limits {
        queued_per_session: 3,
        ..Limits::default()
    };
    with_engine(
        Setup {
            limits,
            ..Setup::default()
        },
        |test| async move {
            let (slow, quick) = (session(&test.engine).await, session(&test.engine).await);
            let start = |text: String| {
                let (engine, slow) = (test.engine.clone(), slow.clone());
                tokio::spawn(async move { engine.run(&me(), within(&text, &slow)).await })
            };
            let first = start("sleep 1; list=first".into());
            until("it runs", || async { test.engine.gauges().running == 1 }).await;
            let mut queue = Vec::new();
            for index in 0..3 {
                queue.push(start(format!("list=$list,{index}")));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let refused = test.engine.run(&me(), within("true", &slow)).await;
            assert!(matches!(refused, Err(Error::Busy { limit: 3, .. })));
            assert_eq!(
                stdout(&say(&test.engine, &quick, "echo quick").await),
                "quick\n"
            );
            assert!(!first.is_finished(), "the other session did not wait");
            for run in queue {
                run.await.unwrap().unwrap();
            }
            assert_eq!(
                stdout(&say(&test.engine, &slow, "echo $list").await),
                "first,0,1,2\n"
            );
        },
    );
}

#[test]
fn a_time_limit_keeps_the_session_where_it_can() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        say(&test.engine, &id, "x=kept; cd /usr").await;
        let limited = |text| RunRequest {
            timeout: Some(Duration::from_secs(1)),
            ..within(text, &id)
        };
        let done = test.engine.run(&me(), limited("sleep 1000")).await.unwrap();
        assert_eq!((done.exit_code, stdout(&done).as_str()), (Some(124), ""));
        let after = say(&test.engine, &id, "echo $x").await;
        assert_eq!((stdout(&after).as_str(), after.restored), ("kept\n", false));
        let done = test
            .engine
            .run(&me(), limited("echo b; sleep 1000; echo the rest"))
            .await
            .unwrap();
        assert_eq!((done.exit_code, stdout(&done).as_str()), (Some(124), "b\n"));
        let after = say(&test.engine, &id, "echo $PWD").await;
        let why = "what is behind the program that was ended does not run";
        assert_eq!(
            (stdout(&after).as_str(), after.restored),
            ("/usr\n", true),
            "{why}"
        );
        let done = test
            .engine
            .run(&me(), limited("while :; do :; done"))
            .await
            .unwrap();
        assert_eq!(done.exit_code, Some(124));
    });
}

#[test]
fn options_stay_also_those_that_are_hard_to_live_with() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        let done = say(&test.engine, &id, "set -euo pipefail").await;
        assert_eq!((done.exit_code, stderr(&done).as_str()), (Some(0), ""));
        let done = say(&test.engine, &id, "echo $-").await;
        assert!(
            stdout(&done).contains('u') && stdout(&done).contains('e'),
            "{}",
            stdout(&done)
        );
        assert!(!done.restored);
    });
}

#[test]
fn a_redirected_shell_redirects_what_runs_in_it() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        say(&test.engine, &id, "exec 3>&1 >log").await;
        say(
            &test.engine,
            &id,
            "echo built-in; printenv HOME >/dev/null; /bin/echo program",
        )
        .await;
        say(&test.engine, &id, "exec >&3").await;
        let done = say(&test.engine, &id, "cat log").await;
        assert_eq!(stdout(&done), "built-in\nprogram\n");
    });
}

#[test]
fn a_forged_directory_is_not_believed() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        say(&test.engine, &id, "cd /").await;
        let done = say(&test.engine, &id, "PWD=/tmp/elsewhere").await;
        assert_eq!(done.cwd.as_deref(), Some(Path::new("/")));
        let refused = test.engine.run(&me(), within("rm -rf usr", &id)).await;
        assert!(matches!(refused, Err(Error::Denied { .. })));
    });
}

#[test]
fn a_command_is_judged_where_it_will_run() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        say(&test.engine, &id, "mkdir -p a b; cd a").await;
        let engine = test.engine.clone();
        let moving = {
            let id = id.clone();
            tokio::spawn(async move { engine.run(&me(), within("sleep 0.5; cd /", &id)).await })
        };
        until("it runs", || async {
            let view = test.engine.session(&me(), &id).await.unwrap();
            view.active.is_some_and(|text| text.starts_with("sleep"))
        })
        .await;
        let refused = test.engine.run(&me(), within("rm -rf usr", &id)).await;
        assert!(
            matches!(refused, Err(Error::Denied { .. })),
            "judged in / and not in a"
        );
        moving.await.unwrap().unwrap();
    });
}

#[test]
fn ending_a_run_spares_the_command_that_came_after_it() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        let first = say(&test.engine, &id, "x=kept; sh -c 'sleep 1000 & echo left'").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let engine = test.engine.clone();
        let second = {
            let id = id.clone();
            tokio::spawn(async move { engine.run(&me(), within("sleep 1; echo $x", &id)).await })
        };
        until("it runs", || async {
            let view = test.engine.session(&me(), &id).await.unwrap();
            view.active.is_some_and(|text| text.starts_with("sleep"))
        })
        .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        test.engine.cancel(&me(), &first.run).await.unwrap();
        let second = second.await.unwrap().unwrap();
        assert_eq!(
            (second.exit_code, stdout(&second).as_str()),
            (Some(0), "kept\n")
        );
    });
}

#[test]
fn a_job_of_a_session_is_a_process_with_its_own_output() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        let asked = RunRequest {
            background: true,
            ..within("echo job; sleep 1000", &id)
        };
        for request in [asked, within("sh -c 'echo job; sleep 1000' &", &id)] {
            let started = test.engine.run(&me(), request).await.unwrap();
            let pid = started.pid.unwrap();
            assert_eq!(started.exit_code, None);
            assert_eq!(
                stdout(&say(&test.engine, &id, "echo between").await),
                "between\n"
            );
            until("its output is there", || async {
                let tail = test
                    .engine
                    .tail(&me(), &started.run, Stream::Stdout, 5)
                    .await
                    .unwrap();
                tail.bytes == "job\n"
            })
            .await;
            let which = ProcessSelector::Pid {
                pid,
                session: Some(id.clone()),
            };
            assert_eq!(
                test.engine.process(&me(), &which).await.unwrap().run.state,
                "running"
            );
            test.engine.cancel(&me(), &started.run).await.unwrap();
            assert!(!alive(pid));
            assert_eq!(
                stdout(&say(&test.engine, &id, "echo lives").await),
                "lives\n"
            );
        }
    });
}

#[test]
fn the_end_of_a_session_ends_all_in_it() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        let pid = test
            .engine
            .run(&me(), within("sleep 1000 &", &id))
            .await
            .unwrap()
            .pid
            .unwrap();
        let engine = test.engine.clone();
        let running = {
            let id = id.clone();
            tokio::spawn(async move { engine.run(&me(), within("sleep 1001", &id)).await })
        };
        until("both run", || async { test.engine.gauges().running == 2 }).await;
        test.engine.delete_session(&me(), &id).await.unwrap();
        assert!(!alive(pid));
        assert_eq!(running.await.unwrap().unwrap().error.unwrap().0, "killed");
        assert!(matches!(
            test.engine.session(&me(), &id).await,
            Err(Error::NotFound { .. })
        ));
        assert_eq!(
            test.engine
                .history(&me(), &id, 10, None)
                .await
                .unwrap()
                .len(),
            2,
            "its history stays"
        );
        let (again, created) = test
            .engine
            .create_session(
                &me(),
                NewSession {
                    id: Some(id.clone()),
                    ..NewSession::default()
                },
            )
            .await
            .unwrap();
        assert!(created && again == id);
    });
}

#[test]
fn an_unused_session_ends() {
    with_engine(Setup::default(), |test| async move {
        let new = NewSession {
            timeout: Some(Duration::from_secs(1)),
            ..NewSession::default()
        };
        let (id, _) = test.engine.create_session(&me(), new).await.unwrap();
        until("it has ended", || async {
            test.engine.session(&me(), &id).await.is_err()
        })
        .await;
    });
}

#[test]
fn variables_and_input_of_one_command_do_not_stay() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        let request = RunRequest {
            env: vec![("ONCE".into(), Secret::new("it's here".into()))],
            stdin: Some(b"from stdin".to_vec()),
            ..within("printenv ONCE; cat", &id)
        };
        let done = test.engine.run(&me(), request).await.unwrap();
        assert_eq!(stdout(&done), "it's here\nfrom stdin");
        let done = say(&test.engine, &id, "printenv ONCE; cat").await;
        assert_eq!((stdout(&done).as_str(), done.exit_code), ("", Some(0)));
    });
}

#[test]
fn many_sessions_live_side_by_side() {
    with_engine(Setup::default(), |test| async move {
        let mut ids = Vec::new();
        for index in 0..60 {
            let id = session(&test.engine).await;
            say(&test.engine, &id, &format!("n={index}")).await;
            ids.push(id);
        }
        let asks = ids.iter().enumerate().map(|(index, id)| {
            let (engine, id) = (test.engine.clone(), id.clone());
            tokio::spawn(async move { (index, stdout(&say(&engine, &id, "echo $n").await)) })
        });
        for ask in asks.collect::<Vec<_>>() {
            let (index, answer) = ask.await.unwrap();
            assert_eq!(answer, format!("{index}\n"));
        }
        let limit = Limits::default().sessions;
        assert!(ids.len() < limit);
    });
}
