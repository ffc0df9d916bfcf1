//! Commands of their own, through the one straight path.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::{alive, command, me, run, stderr, stdout, until};
use wharf_engine::{Engine, Error, Idempotency, Limits, ProcessSelector, RunRequest, Stream};
use wharf_model::{Caller, Secret};
use wharf_testkit::{Setup, with_engine};

#[test]
fn a_command_runs_and_its_record_is_open_before_and_closed_after() {
    with_engine(Setup::default(), |test| async move {
        let done = run(&test.engine, "echo out; echo err >&2; exit 3").await;
        assert_eq!(done.exit_code, Some(3));
        assert_eq!(
            (stdout(&done).as_str(), stderr(&done).as_str()),
            ("out\n", "err\n")
        );
        let lines = record(&test.engine).await;
        let kinds: Vec<_> = lines
            .iter()
            .map(|line| line["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["run.opened", "run.closed"]);
        assert_eq!(lines[0]["run"], done.run.as_str());
        assert_eq!(lines[0]["verdict"], "allow");
        assert_eq!(
            (&lines[1]["exit_code"], &lines[1]["state"]),
            (&3.into(), &"done".into())
        );
        assert_eq!(lines[1]["stdout_bytes"], 4);
    });
}

#[test]
fn what_could_not_be_started_is_a_result() {
    with_engine(Setup::default(), |test| async move {
        let done = run(&test.engine, "/no/such/program --flag").await;
        assert_eq!(
            (done.exit_code, done.error.as_ref().unwrap().0),
            (Some(127), "not_found")
        );
        assert_eq!(stderr(&done), "/no/such/program: command not found\n");
        let file = test.directory.join("plain");
        std::fs::write(&file, "no program").unwrap();
        let done = run(&test.engine, &file.display().to_string()).await;
        assert_eq!(
            (done.exit_code, done.error.unwrap().0),
            (Some(126), "not_executable")
        );
    });
}

/// What ends a shell with a code of its own ends a fork of one with another.
#[test]
fn an_unset_variable_has_the_code_that_bash_gives_it() {
    with_engine(Setup::default(), |test| async move {
        for text in [
            "set -u; echo $nothing",
            ": ${nothing:?}",
            "echo ${nothing?no}",
        ] {
            assert_eq!(run(&test.engine, text).await.exit_code, Some(127), "{text}");
        }
    });
}

#[test]
fn the_time_limit_ends_the_tree_and_keeps_what_was_printed() {
    with_engine(Setup::default(), |test| async move {
        for text in [
            "echo before; sleep 1000; echo no",
            "echo before; setsid sleep 1000 & sleep 1001",
        ] {
            let request = RunRequest {
                timeout: Some(Duration::from_secs(1)),
                ..command(text)
            };
            let done = test.engine.run(&me(), request).await.unwrap();
            assert_eq!(done.exit_code, Some(124), "{text}");
            assert_eq!(stdout(&done), "before\n", "{text}");
            assert_eq!(done.error.unwrap().0, "timeout");
        }
        let left = wharf_exec::processes_below(test.executor.zygote_pid());
        let names =
            |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        assert!(
            !left.iter().any(|pid| names(pid).trim() == "sleep"),
            "{left:?}"
        );
    });
}

#[test]
fn what_ignores_the_end_is_killed_after_the_grace() {
    let limits = Limits {
        grace: Duration::from_millis(300),
        ..Limits::default()
    };
    with_engine(
        Setup {
            limits,
            ..Setup::default()
        },
        |test| async move {
            let text = "trap '' TERM; echo up; while :; do sleep 1; done";
            let request = RunRequest {
                timeout: Some(Duration::from_secs(1)),
                ..command(text)
            };
            let done = test.engine.run(&me(), request).await.unwrap();
            assert_eq!(
                (done.exit_code, stdout(&done).as_str()),
                (Some(124), "up\n")
            );
        },
    );
}

#[test]
fn a_child_that_goes_on_is_named_and_can_be_ended() {
    with_engine(Setup::default(), |test| async move {
        let done = run(&test.engine, "(sleep 1000; true) & echo ready; true").await;
        assert_eq!(
            (done.exit_code, stdout(&done).as_str()),
            (Some(0), "ready\n")
        );
        assert!(!done.survivors.is_empty());
        assert!(done.survivors.iter().all(|pid| alive(*pid)));
        let listed = test.engine.processes(&me(), None).await.unwrap();
        assert_eq!(listed[0].run.run, done.run);
        test.engine.cancel(&me(), &done.run).await.unwrap();
        assert!(done.survivors.iter().all(|pid| !alive(*pid)));
        assert!(test.engine.processes(&me(), None).await.unwrap().is_empty());
    });
}

#[test]
fn in_the_background_the_answer_comes_at_once() {
    with_engine(Setup::default(), |test| async move {
        let asked = RunRequest {
            background: true,
            ..command("echo one; sleep 1000")
        };
        for request in [asked, command("sh -c 'echo one; sleep 1000' &")] {
            let done = test.engine.run(&me(), request).await.unwrap();
            let pid = done.pid.unwrap();
            assert_eq!(done.exit_code, None);
            assert!(alive(pid));
            let by_pid = ProcessSelector::Pid { pid, session: None };
            assert_eq!(
                test.engine.process(&me(), &by_pid).await.unwrap().run.run,
                done.run
            );
            let other = Caller::new("other");
            assert!(matches!(
                test.engine.process(&other, &by_pid).await,
                Err(Error::NotFound { .. })
            ));
            until("its output is there", || async {
                let chunk = test
                    .engine
                    .tail(&me(), &done.run, Stream::Stdout, 10)
                    .await
                    .unwrap();
                chunk.bytes == "one\n"
            })
            .await;
            let view = test.engine.cancel(&me(), &done.run).await.unwrap();
            assert_eq!(view.state, "done");
            assert!(!alive(pid));
        }
    });
}

#[test]
fn the_same_key_runs_once() {
    with_engine(Setup::default(), |test| async move {
        let file = test.directory.join("count");
        let text = format!("sleep 0.2; echo x >>{0}; wc -l <{0}", file.display());
        let key = |byte| {
            Some(Idempotency {
                key: "k".into(),
                fingerprint: [byte; 32],
            })
        };
        let request = RunRequest {
            idempotency: key(1),
            ..command(&text)
        };
        let twins = (0..8).map(|_| {
            let (engine, request) = (test.engine.clone(), request.clone());
            tokio::spawn(async move { engine.run(&me(), request).await.unwrap() })
        });
        let mut answers = Vec::new();
        for twin in twins.collect::<Vec<_>>() {
            answers.push(twin.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(
            answers
                .iter()
                .all(|answer| stdout(answer) == "1\n" && answer.run == answers[0].run)
        );
        let other = RunRequest {
            idempotency: key(2),
            ..command("echo other")
        };
        assert!(matches!(
            test.engine.run(&me(), other).await,
            Err(Error::IdempotencyMismatch)
        ));
        let theirs = RunRequest {
            idempotency: key(2),
            ..command("echo theirs")
        };
        assert!(
            !test
                .engine
                .run(&Caller::new("other"), theirs)
                .await
                .unwrap()
                .replayed
        );
    });
}

#[test]
fn a_yes_is_good_for_exactly_what_was_asked_and_once() {
    with_engine(Setup::default(), |test| async move {
        let ask = || RunRequest {
            env: vec![("LD_PRELOAD".into(), Secret::new("/x.so".into()))],
            ..command("true")
        };
        let Err(Error::NeedsConfirmation {
            token, decision, ..
        }) = test.engine.run(&me(), ask()).await
        else {
            unreachable!("it must ask");
        };
        assert_eq!(decision.reasons[0].rule, "environment.code");
        let with = |request: RunRequest| RunRequest {
            confirmation: token.clone(),
            ..request
        };
        let other_text = with(RunRequest {
            env: ask().env,
            ..command("false")
        });
        assert!(matches!(
            test.engine.run(&me(), other_text).await,
            Err(Error::NeedsConfirmation { .. })
        ));
        let other_place = with(RunRequest {
            cwd: Some("/usr".into()),
            ..ask()
        });
        assert!(matches!(
            test.engine.run(&me(), other_place).await,
            Err(Error::NeedsConfirmation { .. })
        ));
        let theirs = test.engine.run(&Caller::new("other"), with(ask())).await;
        assert!(matches!(theirs, Err(Error::NeedsConfirmation { .. })));

        let attempts = (0..50).map(|_| {
            let (engine, request) = (test.engine.clone(), with(ask()));
            tokio::spawn(async move { engine.run(&me(), request).await.is_ok() })
        });
        let mut ran = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            ran += u32::from(attempt.await.unwrap());
        }
        assert_eq!(ran, 1);
        let lines = record(&test.engine).await;
        assert!(
            lines
                .iter()
                .any(|line| line["kind"] == "run.refused" && line["verdict"] == "confirm")
        );
        assert_eq!(
            lines
                .iter()
                .filter(|line| line["kind"] == "run.opened")
                .count(),
            1
        );
    });
}

#[test]
fn variables_are_checked_by_name_and_legal_by_value() {
    with_engine(Setup::default(), |test| async move {
        for name in ["", "1A", "A-B", "A B", "A=B", "A\nB", "__w"] {
            let env = vec![(name.to_owned(), Secret::new("x".into()))];
            let request = RunRequest {
                env,
                ..command("true")
            };
            let refused = test.engine.run(&me(), request).await;
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{name:?}");
        }
        let value = "a=b; `rm x` $(y) 'q' \"d\" \\ \n\t|&<>*?é";
        for text in ["printenv V", "printf '%s\\n' \"$V\"", "printenv V | cat"] {
            let env = vec![("V".to_owned(), Secret::new(value.into()))];
            let done = test
                .engine
                .run(
                    &me(),
                    RunRequest {
                        env,
                        ..command(text)
                    },
                )
                .await
                .unwrap();
            assert_eq!(stdout(&done), format!("{value}\n"), "{text}");
        }
    });
}

#[test]
fn a_full_queue_says_so() {
    let limits = Limits {
        concurrent_runs: 1,
        queued_runs: 2,
        ..Limits::default()
    };
    with_engine(
        Setup {
            limits,
            ..Setup::default()
        },
        |test| async move {
            let start = |text: &'static str| {
                let engine = test.engine.clone();
                tokio::spawn(async move { engine.run(&me(), command(text)).await })
            };
            let first = start("sleep 1");
            until("it runs", || async { test.engine.gauges().running == 1 }).await;
            let waiting = [start("echo a"), start("echo b")];
            until("two wait", || async { test.engine.gauges().queued == 2 }).await;
            let error = test.engine.run(&me(), command("echo c")).await.unwrap_err();
            assert!(matches!(error, Error::Busy { limit: 2, .. }));
            assert_eq!(first.await.unwrap().unwrap().exit_code, Some(0));
            for run in waiting {
                assert_eq!(run.await.unwrap().unwrap().exit_code, Some(0));
            }
        },
    );
}

/// Row 9: an output bomb costs the disk its cap and the memory nothing.
#[test]
fn large_outputs_are_kept_counted_and_read_by_range() {
    let journal = wharf_exec::journal::JournalOptions {
        run_cap: 8 * 1024 * 1024,
        ..wharf_exec::journal::JournalOptions::default()
    };
    with_engine(
        Setup {
            journal,
            ..Setup::default()
        },
        |test| async move {
            let total = 20_000_000_u64;
            let before = resident();
            let request = RunRequest {
                output_limit: 1000,
                ..command("head -c 20000000 /dev/zero | tr '\\0' x")
            };
            let done = test.engine.run(&me(), request).await.unwrap();
            assert_eq!(done.stdout.total, total);
            assert_eq!((done.stdout.head.len(), done.stdout.tail.len()), (500, 500));
            assert_eq!(done.stdout.omitted(), total - 1000);
            let chunk = test
                .engine
                .output(&me(), &done.run, Stream::Stdout, 8_000_000, 10)
                .await
                .unwrap();
            assert_eq!(
                (chunk.bytes.as_ref(), chunk.total),
                (b"xxxxxxxxxx".as_slice(), total)
            );
            assert_eq!(chunk.dropped, total - 8 * 1024 * 1024);
            assert!(
                resident() < before + 16 * 1024 * 1024,
                "{} → {}",
                before,
                resident()
            );
        },
    );
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Row 10.
#[test]
fn bytes_are_kept_as_they_are() {
    with_engine(Setup::default(), |test| async move {
        let text = "printf '\\0\\377\\xc3\\x28\\033]0;x\\007\\r\\n'; head -c 3000000 /dev/zero | tr '\\0' y";
        let done = run(&test.engine, text).await;
        let head = test
            .engine
            .output(&me(), &done.run, Stream::Stdout, 0, 13)
            .await
            .unwrap();
        assert_eq!(head.bytes.as_ref(), b"\0\xff\xc3\x28\x1b]0;x\x07\r\ny");
        assert_eq!(done.stdout.total, 3_000_012);
    });
}

/// Row 21, the part that lies on this side of HTTP.
#[test]
fn secrets_are_not_written_down() {
    with_engine(Setup::default(), |test| async move {
        let canaries = [
            (
                "mysql --password=canary-one -e 'select 1' || true",
                "canary-one",
            ),
            (
                "curl -H 'Authorization: Bearer canary-two' http://127.0.0.1:9/ || true",
                "canary-two",
            ),
            ("AWS_SECRET_ACCESS_KEY=canary-three true", "canary-three"),
            (
                "git ls-remote https://user:canary-four@127.0.0.1:9/x || true",
                "canary-four",
            ),
        ];
        for (text, _) in canaries {
            let _any_outcome = test.engine.run(&me(), command(text)).await;
        }
        let request = RunRequest {
            env: vec![("API_TOKEN".into(), Secret::new("canary-five".into()))],
            stdin: Some(b"canary-six\n".to_vec()),
            ..command("wc -c")
        };
        test.engine.run(&me(), request).await.unwrap();
        let session = support::session(&test.engine).await;
        support::say(&test.engine, &session, "export SESSION_TOKEN=canary-seven").await;
        test.engine
            .history(&me(), &session, 10, None)
            .await
            .unwrap();
        let mut found = Vec::new();
        for entry in walk(&test.directory) {
            let bytes = std::fs::read(&entry).unwrap();
            for canary in ["one", "two", "three", "four", "five", "six", "seven"] {
                let needle = format!("canary-{canary}");
                if bytes
                    .windows(needle.len())
                    .any(|window| window == needle.as_bytes())
                {
                    found.push((entry.clone(), needle));
                }
            }
        }
        // Output is the caller's own: what a command prints is kept as it is.
        found.retain(|(path, _)| !path.starts_with(test.directory.join("journal")));
        assert_eq!(found, []);
    });
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Every line of the record.
async fn record(engine: &Engine) -> Vec<serde_json::Value> {
    let lines = engine.audit_tail(1000).await.unwrap();
    lines
        .iter()
        .map(|line| serde_json::from_str(&line.json).unwrap())
        .collect()
}
