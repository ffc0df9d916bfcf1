//! Living shells: what stays, what is reported, and what happens when they end.

mod support;

use std::path::Path;
use std::time::Duration;

use support::{alive, until, with_bench};
use wharf_exec::journal::Stream;
use wharf_exec::{Executor, ShellEnv, ShellStart, Status, TreeLimits};

fn limits() -> TreeLimits {
    TreeLimits::default()
}

#[test]
fn everything_stays_from_one_command_to_the_next() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        for text in [
            "cd /tmp",
            "x=5; export E=exported",
            "f() { echo \"f:$1\"; }",
            "alias ll='echo aliased'",
            "set -o pipefail; umask 027",
            "trap 'echo trapped' USR1",
            "a=(1 2 3)",
            "exec 9>&1",
        ] {
            let said = shell.run(text).await;
            assert_eq!((said.code(), said.stderr().as_str()), (0, ""), "{text}");
        }
        let said = shell
            .run("echo $PWD $x $E; f 1; ll; umask; false | true; echo $?; kill -USR1 $$; echo ${a[2]}; echo to9 >&9")
            .await;
        assert_eq!(
            said.stdout(),
            "/tmp 5 exported\nf:1\naliased\n0027\n1\ntrapped\n3\nto9\n"
        );
        assert_eq!(said.report.cwd.as_deref(), Some(Path::new("/tmp")));
        let env = said.report.env.unwrap();
        assert!(env.contains(&("E".into(), "exported".into())), "{env:?}");
        assert!(
            !env.iter()
                .any(|(name, _)| name == "x" || name.starts_with("__w")),
            "{env:?}"
        );
    });
}

#[test]
fn streams_and_codes_are_exact() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        let cases = [
            ("echo out; echo err >&2", 0, "out\n", "err\n"),
            ("false", 1, "", ""),
            ("echo $?", 0, "1\n", ""),
            ("(exit 42)", 42, "", ""),
            ("echo \"$?\"", 0, "42\n", ""),
            ("printf 'no newline'", 0, "no newline", ""),
            (
                "nosuch",
                127,
                "",
                "bash: line 1: nosuch: command not found\n",
            ),
            ("# only a comment", 0, "", ""),
            ("echo one\n\necho two # comment", 0, "one\ntwo\n", ""),
            ("cat <<'E'\na $b\nE", 0, "a $b\n", ""),
            ("cat", 0, "", ""),
            ("read line; echo $?", 0, "1\n", ""),
            ("break", 0, "", ""),
            ("continue; echo not here", 0, "", ""),
            (
                "return 3",
                2,
                "",
                "bash: line 1: return: can only `return' from a function or sourced script\n",
            ),
            ("echo still here", 0, "still here\n", ""),
            (
                "printf '\\0\\377\\n' | od -An -c",
                0,
                "  \\0 377  \\n\n",
                "",
            ),
            ("kill -9 $BASHPID & wait $!", 137, "", ""),
        ];
        for (text, code, stdout, stderr) in cases {
            let said = shell.run(text).await;
            assert_eq!(
                (said.code(), said.stdout().as_str()),
                (code, stdout),
                "{text}: {}",
                said.stderr()
            );
            assert!(!said.report.ended, "{text}");
            if !text.starts_with("kill") {
                assert_eq!(said.stderr(), stderr, "{text}");
            }
        }
    });
}

#[test]
fn broken_text_is_the_commands_own_fault() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        for text in [
            "echo \"open",
            "echo 'open",
            "if true",
            "for",
            "echo $(",
            "cat <<E",
            "}",
            ")",
            "case x in",
            "a=(1",
        ] {
            let said = shell.run(text).await;
            assert!(!said.report.ended, "{text}");
            if text != "cat <<E" {
                assert!(
                    said.code() != 0 && !said.stderr().is_empty(),
                    "{text}: {}",
                    said.stderr()
                );
            }
            assert_eq!(
                shell.run("echo alive").await.stdout(),
                "alive\n",
                "after {text}"
            );
        }
    });
}

#[test]
fn tracing_shows_the_users_commands_only() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        shell.run("set -x").await;
        let said = shell.run("echo hi").await;
        assert_eq!(
            (said.stdout().as_str(), said.stderr().as_str()),
            ("hi\n", "++ echo hi\n")
        );
        let mut own = shell.command("/bin/echo own");
        own.own_pipes = true;
        let said = shell.give(own).await;
        assert!(said.stderr().contains("/bin/echo own") && !said.stderr().contains("__w"));
        shell.run("set +x").await;
        assert_eq!(shell.run("echo quiet").await.stderr(), "");
    });
}

#[test]
fn the_end_of_a_shell_is_told_with_its_true_code() {
    let cases = [
        ("exit 3", Status::Exited(3)),
        ("cd /usr; export LAST=1; exit 4", Status::Exited(4)),
        (
            "set -e; cd /usr; export LAST=1; false; echo no",
            Status::Exited(1),
        ),
        ("exec sh -c 'exit 6'", Status::Exited(6)),
        ("kill -9 $$", Status::Signaled(9)),
        ("kill -TERM $$; sleep 10", Status::Signaled(15)),
        ("set -u; echo $nothing", Status::Exited(127)),
    ];
    with_bench(limits(), |bench| async move {
        for (text, status) in cases {
            let mut shell = bench.session().await;
            let said = shell.run(text).await;
            assert!(said.report.ended, "{text}");
            assert_eq!(said.report.status, status, "{text}");
            if text.contains("LAST") {
                assert_eq!(
                    said.report.cwd.as_deref(),
                    Some(Path::new("/usr")),
                    "{text}"
                );
                let env = said.report.env.unwrap();
                assert!(
                    env.contains(&("LAST".into(), "1".into())),
                    "{text}: {env:?}"
                );
            }
        }
    });
}

#[test]
fn a_new_shell_takes_over_directory_and_environment() {
    with_bench(limits(), |bench| async move {
        let env = vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("ODD".to_owned(), "a\"b'c$d\n`e`\\ \u{1}".to_owned()),
        ];
        let start = ShellStart {
            cwd: Some("/usr/lib".into()),
            env: ShellEnv::Exactly(env.clone()),
        };
        let shell = bench.executor.shell(start).await.unwrap();
        let mut shell = support::Living {
            shell,
            journal: std::sync::Arc::clone(&bench.journal),
            report_env: true,
        };
        let said = shell.run("pwd; printf %s \"$ODD\"").await;
        assert_eq!(said.stdout(), format!("/usr/lib\n{}", env[1].1));
        let reported = said.report.env.unwrap();
        assert!(
            env.iter().all(|entry| reported.contains(entry)),
            "{reported:?}"
        );
    });
}

#[test]
fn variables_and_stdin_of_one_command() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        shell.run("export A=1").await;
        let mut command = shell.command("echo $A; printenv A; printenv B; cat");
        command.env = vec![
            ("A".into(), "two".into()),
            ("B".into(), "it's $(odd)\n".into()),
        ];
        command.stdin = Some(b"line 1\nline 2".to_vec());
        let said = shell.give(command).await;
        assert_eq!(said.stdout(), "two\ntwo\nit's $(odd)\n\nline 1\nline 2");
        let said = shell.run("echo $A; printenv A; echo ${B-unset}; cat").await;
        assert_eq!(said.stdout(), "1\n1\nunset\n");
    });
}

#[test]
fn a_background_job_writes_into_its_own_commands_output() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        let mut command = shell.command("(sleep 0.4; echo late; exec sleep 1000) & echo early");
        command.own_pipes = true;
        let first = shell.give(command).await;
        assert_eq!(first.stdout(), "early\n");
        let job = first.report.job.unwrap();
        assert!(alive(job));
        let rest = tokio::spawn(first.report.rest.unwrap());
        let mut later = shell.command("sleep 0.8; jobs -p");
        later.own_pipes = true;
        let later = shell.give(later).await;
        assert_eq!(later.stdout(), format!("{job}\n"));
        assert!(later.report.job.is_none(), "no job of this command");
        let text = || support::text(&first.output, Stream::Stdout);
        until("the late line is there", || text() == "early\nlate\n").await;
        assert_eq!(
            shell.run("kill %1; wait; echo ended").await.stdout(),
            "ended\n"
        );
        rest.await.unwrap();
        assert!(!alive(job));
    });
}

#[test]
fn ending_a_command_spares_the_shell_and_earlier_jobs() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        let mut job = shell.command("x=kept; sleep 1000 &");
        job.own_pipes = true;
        let job = shell.give(job).await.report.job.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut command = shell.command("sleep 1001");
        command.own_pipes = true;
        shell.shell.begin(command).unwrap();
        let tree = shell.shell.tree();
        let waiting = tokio::time::timeout(Duration::from_millis(300), shell.shell.finish()).await;
        assert!(waiting.is_err());
        assert_eq!(tree.members().len(), 1, "only what this command started");
        tree.signal(15);
        let report = shell.shell.finish().await;
        assert_eq!((report.status.code(), report.ended), (143, false));
        assert_eq!(shell.run("echo $x").await.stdout(), "kept\n");
        assert!(alive(job));
        shell.shell.end(Duration::from_secs(1)).await;
        assert!(!alive(job), "the end of the session ends its jobs");
    });
}

#[test]
fn a_loop_of_builtins_can_be_ended() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        let command = shell.command("while :; do :; done");
        shell.shell.begin(command).unwrap();
        let tree = shell.shell.tree();
        let waiting = tokio::time::timeout(Duration::from_millis(200), shell.shell.finish()).await;
        assert!(waiting.is_err());
        tree.kill();
        let report = shell.shell.finish().await;
        assert!(report.ended);
        assert_eq!(report.status, Status::Signaled(9));
    });
}

#[test]
fn large_commands_and_large_outputs_pass() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        let text = format!("x='{}'; echo ${{#x}}", "y".repeat(131_000));
        assert_eq!(shell.run(&text).await.stdout(), "131000\n");
        let said = shell.run("printf '%01000000d'").await;
        assert_eq!(said.output.totals().stdout, 1_000_000);
    });
}

#[test]
fn scripts_may_use_the_usual_descriptors() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        let file = bench.directory.path().join("lock");
        let said = shell
            .run(&format!(
                "exec 3>&1 7>{0} 9>{0} 200>{0}; echo three >&3",
                file.display()
            ))
            .await;
        assert_eq!(said.stdout(), "three\n");
        let said = shell
            .run("echo seven >&7; echo $?; ls /proc/$$/fd | sort -n | tr '\\n' ' '")
            .await;
        assert!(said.stdout().starts_with("0\n"));
        let children = shell.run("ls /proc/self/fd | sort -n | tr '\\n' ' '").await;
        assert!(!children.stdout().contains("58") && !children.stdout().contains("59"));
    });
}

#[test]
fn the_end_of_the_server_ends_everything() {
    let mut pids = Vec::new();
    with_bench(limits(), |bench| {
        let pids = &mut pids;
        async move {
            let mut shell = bench.session().await;
            let said = shell
                .run("setsid sleep 1000 & (setsid sh -c 'trap \"\" TERM; sleep 1001' &) ; echo $!")
                .await;
            assert_eq!(said.code(), 0);
            until("both run", || shell.shell.members().len() >= 3).await;
            pids.extend(shell.shell.members());
            std::mem::forget(shell);
        }
    });
    assert!(pids.len() >= 3);
    assert!(pids.iter().all(|pid| !alive(*pid)), "{pids:?}");
}
