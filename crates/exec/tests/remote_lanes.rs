//! Stateless runs on another machine, in lanes.

mod far;
mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use far::LocalOpener;
use far::bench::{with_bench, with_each, with_opener};
use support::{alive, until};
use wharf_exec::journal::Stream;
use wharf_exec::remote::MAX_LANES;
use wharf_exec::{Executor, LaunchError, Program};

const AT_ONCE: Duration = Duration::from_secs(20);

fn shell(text: &str, forkable: bool) -> Program {
    Program::Shell {
        text: text.to_owned(),
        forkable,
    }
}

#[test]
fn streams_and_codes_are_exact() {
    with_each(|bench, kind| async move {
        for forkable in [true, false] {
            for (text, code, stdout, stderr) in [
                ("echo out; echo err >&2", 0, "out\n", "err\n"),
                ("printf 'no newline'; exit 3", 3, "no newline", ""),
                ("false", 1, "", ""),
                ("cat; read x; echo $?", 0, "1\n", ""),
                ("echo one\n\necho two", 0, "one\ntwo\n", ""),
                ("sh -c 'kill -9 $$'", 137, "", ""),
                ("set -e; false; echo no", 1, "", ""),
                ("exec sh -c 'exit 6'", 6, "", ""),
                ("break; echo on", 0, "on\n", ""),
            ] {
                // Another shell takes the loop around a lane's commands for theirs.
                if text.starts_with("break") && kind != "bash" {
                    continue;
                }
                let done = bench.run(bench.launch(shell(text, forkable))).await;
                let said = (done.code(), done.stdout());
                assert_eq!(
                    said,
                    (code, stdout.to_owned()),
                    "{kind}: {text}: {}",
                    done.stderr()
                );
                if !text.contains("kill") && !text.contains("break") {
                    assert_eq!(done.stderr(), stderr, "{kind}: {text}");
                }
            }
            let broken = bench
                .run(bench.launch(shell("echo \"open", forkable)))
                .await;
            assert!(broken.code() != 0 && !broken.stderr().is_empty(), "{kind}");
            let missing = bench.run(bench.launch(shell("nosuch", forkable))).await;
            assert_eq!(missing.code(), 127, "{kind}");
        }
        // All of them were served by few lanes, one after the other. A lane without bash comes back
        // a little later.
        let opened = bench.opener.opened.load(Ordering::Relaxed);
        let most = if kind == "bash" { 12 } else { 40 };
        assert!(opened <= most, "{kind}: {opened} channels");
    });
}

#[test]
fn nothing_of_one_run_is_seen_by_the_next() {
    with_each(|bench, kind| async move {
        let dirty = "cd /; x=1; export E=1; f() { echo f; }; alias ll=ls; umask 0; ulimit -n 64; \
            set -f; set -u; trap 'echo trapped' EXIT USR1; exec 5>&1 >&2; PATH=/nowhere; unset HOME; echo dirty";
        let clean = "echo $PWD ${x-no} ${E-no} $(umask) $- ${HOME-none}; f; command -v ls >/dev/null && echo path; \
            ulimit -n; trap; echo five >&5; ls /dev/fd | tr '\\n' ' '; env | grep -v ^__wharf | sort; set | grep -c '^__w' ";
        let first = bench.fork(clean).await;
        let told = (first.stdout(), first.stderr());
        bench.fork(dirty).await;
        let second = bench.fork(clean).await;
        assert_eq!((second.stdout(), second.stderr()), told, "{kind}");
        assert!(told.0.contains("path\n"), "{kind}: {told:?}");
    });
}

#[test]
fn directory_environment_and_input_are_the_runs_own() {
    with_each(|bench, kind| async move {
        for program in [
            shell("pwd; printenv ODD; cat", true),
            shell("pwd; printenv ODD; cat", false),
        ] {
            let mut launch = bench.launch(program);
            launch.cwd = Some("/usr/lib".into());
            launch.env = vec![("ODD".into(), "it's $(odd)\n\"".into())];
            launch.stdin = Some(b"in\0put".to_vec());
            let done = bench.run(launch).await;
            assert_eq!(
                done.stdout(),
                "/usr/lib\nit's $(odd)\n\"\nin\0put",
                "{kind}"
            );
        }
        let bytes: Vec<u8> = (0..8 << 20)
            .map(|at: u32| u8::try_from(at % 251).unwrap())
            .collect();
        let mut launch = bench.launch(Program::Direct(vec!["tee".into(), "copy".into()]));
        launch.stdin = Some(bytes.clone());
        let done = bench.run(launch).await;
        assert_eq!(
            (done.code(), done.output.totals().stdout),
            (0, 8 << 20),
            "{kind}"
        );
        assert!(
            std::fs::read(bench.home.join("copy")).unwrap() == bytes,
            "{kind}"
        );
        let mut launch = bench.launch(shell("true", true));
        launch.cwd = Some("/no/such".into());
        assert!(
            matches!(bench.run(launch).await.result, Err(LaunchError::Cwd { .. })),
            "{kind}"
        );
    });
}

#[test]
fn a_program_without_a_shell_gets_its_words_as_they_are() {
    with_each(|bench, kind| async move {
        let direct = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            bench.run(bench.launch(Program::Direct(words)))
        };
        let done = direct(&["printf", "%s|", "a b", "$HOME", "it's", "*", ""]).await;
        assert_eq!(done.stdout(), "a b|$HOME|it's|*||", "{kind}");
        let missing = direct(&["nosuch-program"]).await;
        assert!(
            matches!(&missing.result, Err(LaunchError::NotFound(name)) if name == "nosuch-program")
        );
        let missing = direct(&["/no/such"]).await;
        assert!(
            matches!(missing.result, Err(LaunchError::NotFound(_))),
            "{kind}"
        );
        let unfit = direct(&["/etc/passwd"]).await;
        assert!(
            matches!(unfit.result, Err(LaunchError::NotExecutable { .. })),
            "{kind}"
        );
        assert_eq!(missing.stderr(), "");
        assert_eq!(direct(&["echo", "well"]).await.stdout(), "well\n");
    });
}

#[test]
fn what_goes_on_is_named_and_costs_the_next_run_nothing() {
    with_each(|bench, kind| async move {
        let text = "(sleep 0.5; echo late; exec sleep 1000) & echo early";
        let launch = bench.launch(shell(text, false));
        let output = Arc::clone(&launch.output);
        let mut process = bench.executor.launch(launch).await.unwrap();
        let exit = tokio::time::timeout(AT_ONCE, process.wait())
            .await
            .unwrap()
            .unwrap();
        assert!(exit.goes_on && exit.status.code() == 0, "{kind}: {exit:?}");
        assert!(
            !exit.survivors.is_empty() && exit.survivors.iter().any(|pid| alive(*pid)),
            "{kind}"
        );
        let tree = process.tree();
        let rest = tokio::spawn(process.outlive());
        for _ in 0..3 {
            let next = bench.fresh("sleep 0.3; echo mine").await;
            assert_eq!(next.stdout(), "mine\n", "{kind}");
        }
        until("the late line is there", || {
            support::text(&output, Stream::Stdout) == "early\nlate\n"
        })
        .await;
        assert!(!rest.is_finished(), "{kind}");
        tokio::task::spawn_blocking(move || tree.kill())
            .await
            .unwrap();
        tokio::time::timeout(AT_ONCE, rest).await.unwrap().unwrap();
        assert!(!exit.survivors.iter().any(|pid| alive(*pid)), "{kind}");
    });
}

#[test]
fn nobody_escapes_the_end_of_a_run() {
    with_each(|bench, kind| async move {
        let text = "(setsid sh -c 'trap \"\" TERM; (setsid sleep 1000 &) ; sleep 1001' &) ; while :; do :; done";
        let mut launch = bench.launch(shell(text, false));
        launch.wants_pid = true;
        let mut process = bench.executor.launch(launch).await.unwrap();
        let pid = process.pid().unwrap();
        assert!(alive(pid), "{kind}");
        let tree = process.tree();
        let early = tokio::time::timeout(Duration::from_secs(1), process.wait()).await;
        assert!(early.is_err());
        let killed = tokio::task::spawn_blocking(move || {
            let before = tree.members();
            tree.kill();
            before
        });
        let exit = tokio::time::timeout(AT_ONCE, process.wait())
            .await
            .unwrap()
            .unwrap();
        let before = killed.await.unwrap();
        assert_eq!(exit.status.code(), 137, "{kind}");
        assert!(
            before.contains(&pid) && before.len() >= 3,
            "{kind}: {pid} {before:?}"
        );
        assert!(before.iter().all(|pid| !alive(*pid)), "{kind}");
        assert_eq!(bench.fork("echo next").await.stdout(), "next\n");
    });
}

#[test]
fn a_late_kill_does_not_reach_the_next_run() {
    with_bench(|bench| async move {
        let mut process = bench
            .executor
            .launch(bench.launch(shell("true", true)))
            .await
            .unwrap();
        let tree = process.tree();
        process.wait().await.unwrap();
        let mut next = bench
            .executor
            .launch(bench.launch(shell("sleep 1", true)))
            .await
            .unwrap();
        let early = tokio::time::timeout(Duration::from_millis(200), next.wait()).await;
        assert!(early.is_err());
        tokio::task::spawn_blocking(move || tree.kill())
            .await
            .unwrap();
        assert_eq!(next.wait().await.unwrap().status.code(), 0);
    });
}

#[test]
fn runs_at_once_do_not_wait_for_each_other_below_the_bound() {
    with_bench(|bench| async move {
        let begin = Instant::now();
        let runs = (0..8).map(|number| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                bench
                    .fork(&format!("sleep 3; echo {number}"))
                    .await
                    .stdout()
            })
        });
        let runs: Vec<_> = runs.collect();
        for (number, run) in runs.into_iter().enumerate() {
            assert_eq!(run.await.unwrap(), format!("{number}\n"));
        }
        assert!(
            begin.elapsed() < Duration::from_secs(12),
            "{:?}",
            begin.elapsed()
        );
    });
}

#[test]
fn runs_that_take_each_others_lanes_all_end() {
    with_bench(|bench| async move {
        let clients: Vec<_> = (0..MAX_LANES)
            .map(|client| {
                let bench = Arc::clone(&bench);
                tokio::spawn(async move {
                    for round in 0..20 {
                        let said = bench.fork(&format!("echo {client} {round}")).await;
                        assert_eq!(said.stdout(), format!("{client} {round}\n"));
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}

#[test]
fn a_fork_that_was_killed_while_it_waited_fails_nobody() {
    with_bench(|bench| async move {
        let done = bench.fork("echo $PPID; echo $$").await;
        let lane: u32 = done.stdout().lines().last().unwrap().parse().unwrap();
        let waiting = || {
            let found = std::process::Command::new("pgrep")
                .args(["-P", &lane.to_string()])
                .output();
            String::from_utf8(found.unwrap().stdout)
                .unwrap()
                .trim()
                .to_owned()
        };
        until("it has forked", || !waiting().is_empty()).await;
        let _gone = std::process::Command::new("kill")
            .args(["-9", &waiting()])
            .status();
        until("the lane has seen it", || waiting().is_empty()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(bench.fork("echo next").await.stdout(), "next\n");
    });
}

#[test]
fn at_the_bound_a_run_waits_for_a_place_and_gets_it() {
    with_bench(|bench| async move {
        let mut held = Vec::new();
        for _ in 0..MAX_LANES {
            let launch = bench.launch(shell("sleep 1000", true));
            held.push(bench.executor.launch(launch).await.unwrap());
        }
        let one_more = bench.fork("echo at last");
        tokio::pin!(one_more);
        let early = tokio::time::timeout(Duration::from_millis(500), &mut one_more).await;
        assert!(early.is_err());
        let mut first = held.remove(0);
        let tree = first.tree();
        tokio::task::spawn_blocking(move || tree.kill())
            .await
            .unwrap();
        assert_eq!(first.wait().await.unwrap().status.code(), 137);
        drop(first);
        assert_eq!(one_more.await.stdout(), "at last\n");
    });
}

#[test]
fn a_run_takes_one_round_trip() {
    let round_trip = Duration::from_millis(200);
    with_opener(
        |home| LocalOpener::new(&["bash"], home).slow(round_trip),
        |bench| async move {
            bench.fork("true").await;
            for text in ["true", "ls /", "cat; exit 4"] {
                let mut launch = bench.launch(shell(text, true));
                launch.stdin = Some(b"a little".to_vec());
                launch.cwd = Some("/tmp".into());
                let begin = Instant::now();
                let done = bench.run(launch).await;
                let took = begin.elapsed();
                assert!(done.result.is_ok());
                assert!(
                    took >= round_trip && took < round_trip * 2,
                    "{text}: {took:?}"
                );
            }
        },
    );
}

#[test]
fn a_lost_connection_ends_runs_at_once_and_a_new_one_serves() {
    with_each(|bench, kind| async move {
        let launch = bench.launch(shell("echo once >>~/ran; sleep 1000", false));
        let mut process = bench.executor.launch(launch).await.unwrap();
        let early = tokio::time::timeout(Duration::from_secs(1), process.wait()).await;
        assert!(early.is_err());
        let begin = Instant::now();
        bench.opener.cut();
        let exit = process.wait().await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert!(exit.lost && exit.status.code() == 255, "{kind}: {exit:?}");
        assert_eq!(
            std::fs::read_to_string(bench.home.join("ran")).unwrap(),
            "once\n"
        );
        // What was idle is found to be lost as well, at the latest by a run.
        let mut again = bench.fork("echo again").await;
        while again.result.as_ref().is_ok_and(|exit| exit.lost) {
            again = bench.fork("echo again").await;
        }
        assert_eq!(again.stdout(), "again\n", "{kind}");
    });
}

#[test]
fn a_lane_that_was_killed_fails_its_run_only() {
    with_bench(|bench| async move {
        let done = bench.fork("kill -9 $$; sleep 5").await;
        let exit = done.result.unwrap();
        assert!(exit.lost, "{exit:?}");
        assert_eq!(bench.fork("echo next").await.stdout(), "next\n");
    });
}
