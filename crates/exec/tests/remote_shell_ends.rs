//! Living shells on another machine: how they and their commands end, what goes on meanwhile, and
//! that nothing is left there.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod far;
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use far::bench::{with_bench, with_each};
use support::{Living, Said, alive, until};
use wharf_exec::Status;
use wharf_exec::journal::Stream;

/// Far above what any of these take, far below a time limit.
const AT_ONCE: Duration = Duration::from_secs(20);

async fn at_once(shell: &mut Living, text: &str) -> Said {
    let said = tokio::time::timeout(AT_ONCE, shell.run(text)).await;
    assert!(said.is_ok(), "no answer to {text}");
    said.unwrap()
}

#[test]
fn the_end_of_a_shell_is_told_with_its_true_code() {
    let cases = [
        ("echo last; exit 3", Status::Exited(3)),
        ("cd /usr; export LAST=1; exit 4", Status::Exited(4)),
        (
            "set -e; cd /usr; export LAST=1; false; echo no",
            Status::Exited(1),
        ),
        ("exec sh -c 'echo last; exit 6'", Status::Exited(6)),
        ("exec ls /nosuch", Status::Exited(2)),
        ("kill -9 $$", Status::Signaled(9)),
        ("kill -TERM $$; sleep 10", Status::Signaled(15)),
    ];
    with_each(|bench, kind| async move {
        for (text, status) in cases {
            let mut shell = bench.session().await;
            shell.report_env = text.contains("LAST");
            let said = at_once(&mut shell, text).await;
            assert!(said.report.ended, "{kind}: {text}");
            assert_eq!(said.report.status, status, "{kind}: {text}");
            assert!(!said.report.not_started);
            assert!(shell.shell.has_ended());
            if text.contains("echo last") {
                assert_eq!(said.stdout(), "last\n", "{kind}: {text}");
            }
            if text.contains("LAST") {
                assert_eq!(
                    said.report.cwd.as_deref(),
                    Some(Path::new("/usr")),
                    "{kind}: {text}"
                );
                let env = said.report.env.unwrap();
                assert!(
                    env.contains(&("LAST".into(), "1".into())),
                    "{kind}: {text}: {env:?}"
                );
            }
        }
    });
}

#[test]
fn a_background_job_writes_into_its_own_commands_output() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        let mut command =
            shell.command("(sleep 0.5; echo late; echo later >&2; exec sleep 1000) & echo early");
        command.own_pipes = true;
        let begin = Instant::now();
        let first = shell.give(command).await;
        assert!(begin.elapsed() < AT_ONCE);
        assert_eq!(first.stdout(), "early\n");
        let job = first.report.job.unwrap();
        assert!(alive(job));
        let rest = tokio::spawn(first.report.rest.unwrap());
        for _ in 0..2 {
            let mut later = shell.command("sleep 0.6; jobs >/dev/null; echo mine; echo err >&2");
            later.own_pipes = true;
            let later = shell.give(later).await;
            assert_eq!(
                (later.stdout().as_str(), later.stderr().as_str()),
                ("mine\n", "err\n"),
                "{kind}"
            );
            assert!(
                later.report.job.is_none() && later.report.rest.is_none(),
                "{kind}"
            );
        }
        let text = |stream| support::text(&first.output, stream);
        until("the late line is there", || {
            text(Stream::Stdout) == "early\nlate\n"
        })
        .await;
        until("the later line is there", || {
            text(Stream::Stderr) == "later\n"
        })
        .await;
        shell.run(&format!("kill {job}; wait {job}")).await;
        tokio::time::timeout(AT_ONCE, rest).await.unwrap().unwrap();
        assert!(!alive(job));
    });
}

#[test]
fn how_a_job_ended_is_known_to_its_shell() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        for (text, signal, status) in [
            ("(sleep 0.3; exit 7) &", None, 7),
            ("sleep 1000 >/dev/null 2>&1 &", Some("TERM"), 143),
            ("sleep 1000 &", Some("KILL"), 137),
        ] {
            let mut command = shell.command(text);
            command.own_pipes = true;
            let said = shell.give(command).await;
            let job = said.report.job.unwrap();
            if let Some(signal) = signal {
                assert!(
                    said.report.rest.is_some(),
                    "{kind}: {text}: it runs, whatever it writes to"
                );
                shell.run(&format!("kill -{signal} {job}")).await;
            }
            if let Some(rest) = said.report.rest {
                tokio::time::timeout(AT_ONCE, rest).await.unwrap();
            }
            until("the job has ended", || !alive(job)).await;
            shell.run("(exit 5)").await;
            let known = shell.shell.job_status(job).await;
            assert_eq!(known, Some(Status::Exited(status)), "{kind}: {text}");
            let said = shell.run("echo $?").await;
            assert_eq!(said.stdout(), "5\n", "{kind}: nobody sees the question");
        }
        assert_eq!(shell.shell.job_status(1).await, None);
    });
}

#[test]
fn a_command_is_ended_and_the_shell_and_earlier_jobs_are_spared() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        let mut job = shell.command("x=kept; sleep 1000 &");
        job.own_pipes = true;
        let job = shell.give(job).await.report.job.unwrap();
        let mut command = shell.command("sleep 1001");
        command.own_pipes = true;
        shell.shell.begin(command).unwrap();
        let tree = shell.shell.tree();
        let waiting = tokio::time::timeout(Duration::from_millis(500), shell.shell.finish()).await;
        assert!(waiting.is_err());
        let members = tokio::task::spawn_blocking(move || {
            let members = tree.members();
            tree.signal(15);
            members
        });
        let report = shell.shell.finish().await;
        let members = members.await.unwrap();
        assert_eq!(
            members.len(),
            1,
            "{kind}: only what this command started: {members:?}"
        );
        assert_eq!((report.status.code(), report.ended), (143, false), "{kind}");
        assert_eq!(shell.run("echo $x").await.stdout(), "kept\n");
        assert!(alive(job));
        shell.shell.end(Duration::from_secs(1)).await;
        until("the end of the session ends its jobs", || !alive(job)).await;
    });
}

#[test]
fn nobody_escapes_the_end_of_a_command() {
    let text = "(setsid sh -c 'trap \"\" TERM HUP; (setsid sleep 1000 &) ; sleep 1001' &) ; \
        (trap '' TERM; while :; do :; done) & while :; do :; done";
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        let mut command = shell.command(text);
        command.single = false;
        shell.shell.begin(command).unwrap();
        let tree = shell.shell.tree();
        let waiting = tokio::time::timeout(Duration::from_secs(1), shell.shell.finish()).await;
        assert!(waiting.is_err());
        let killed = tokio::task::spawn_blocking(move || {
            let before = tree.members();
            tree.kill();
            (before, tree.members())
        });
        let report = tokio::time::timeout(AT_ONCE, shell.shell.finish())
            .await
            .unwrap();
        let (before, after) = killed.await.unwrap();
        assert!(before.len() >= 3, "{kind}: {before:?}");
        assert!(
            after.is_empty() && before.iter().all(|pid| !alive(*pid)),
            "{kind}: {after:?}"
        );
        assert!(report.ended, "{kind}");
        assert_eq!(report.status, Status::Signaled(9), "{kind}");
    });
}

#[test]
fn what_is_behind_a_program_that_was_ended_does_not_run() {
    with_bench(|bench| async move {
        let mut shell = bench.session().await;
        let mut command = shell.command("sleep 1000; echo behind >~/behind");
        command.single = false;
        shell.shell.begin(command).unwrap();
        let tree = shell.shell.tree();
        let waiting = tokio::time::timeout(Duration::from_millis(500), shell.shell.finish()).await;
        assert!(waiting.is_err());
        let ended = tokio::task::spawn_blocking(move || tree.end());
        let report = tokio::time::timeout(AT_ONCE, shell.shell.finish())
            .await
            .unwrap();
        ended.await.unwrap();
        assert!(report.ended);
        assert!(!bench.home.join("behind").exists());
    });
}

#[test]
fn a_lost_connection_ends_the_wait_at_once_and_leaves_nothing() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        let mut command = shell.command("echo once >>~/ran; echo out; sleep 1000");
        command.own_pipes = true;
        let output = Arc::clone(&command.output);
        shell.shell.begin(command).unwrap();
        let waiting = tokio::time::timeout(Duration::from_secs(1), shell.shell.finish()).await;
        assert!(waiting.is_err());
        let begin = Instant::now();
        bench.opener.cut();
        let report = shell.shell.finish().await;
        assert!(
            begin.elapsed() < Duration::from_secs(4),
            "{:?}",
            begin.elapsed()
        );
        assert!(report.ended && !report.not_started);
        assert_eq!(report.status, Status::Exited(255));
        assert!(
            report
                .fault
                .unwrap()
                .contains("connection to the host was lost"),
            "{kind}"
        );
        assert_eq!(support::text(&output, Stream::Stdout), "out\n");
        assert_eq!(
            std::fs::read_to_string(bench.home.join("ran")).unwrap(),
            "once\n"
        );
        assert!(shell.shell.has_ended());
        // An idle one has lost its shell, and nothing was sent.
        let mut idle = bench.session().await;
        bench.opener.cut();
        let report = idle.run("echo no").await.report;
        assert!(report.ended && report.fault.is_some(), "{kind}");
    });
}

#[test]
fn what_was_killed_with_its_guard_is_swept_at_the_next_start() {
    with_bench(|bench| async move {
        let mut shell = bench.session().await;
        let state = bench.home.join(".cache/wharf");
        let stale = || {
            std::fs::read_dir(&state)
                .into_iter()
                .flatten()
                .flatten()
                .count()
        };
        assert_eq!(stale(), 1);
        // Everything dies at once, the guard as well.
        let home = bench.home.to_str().unwrap().to_owned();
        for pid in far::processes_with(&home) {
            let _gone = std::process::Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status();
        }
        let said = at_once(&mut shell, "echo no").await;
        assert!(said.report.ended);
        assert_eq!(stale(), 1);
        drop(shell);
        let next = bench.session().await;
        until("the old directory is swept", || stale() == 1).await;
        drop(next);
    });
}
