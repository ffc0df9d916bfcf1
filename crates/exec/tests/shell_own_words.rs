//! A living shell's own words between two commands: nobody sees them, nothing is lost by them, and
//! whatever a command does to them is answered at once.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::{Duration, Instant};

use support::{Living, Said, alive, until, with_bench};
use wharf_exec::{Status, TreeLimits};

/// Far above what any of these take, far below a time limit.
const AT_ONCE: Duration = Duration::from_secs(8);

fn limits() -> TreeLimits {
    TreeLimits::default()
}

async fn at_once(shell: &mut Living, text: &str) -> Said {
    let begin = Instant::now();
    let said = tokio::time::timeout(AT_ONCE, shell.run(text)).await;
    assert!(
        said.is_ok() && begin.elapsed() < AT_ONCE,
        "no answer to {text}"
    );
    said.unwrap()
}

#[test]
fn what_a_command_left_is_there_for_the_next() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        for (first, second, expected) in [
            ("false | true", "echo ${PIPESTATUS[@]}", "1 0\n"),
            ("true | false", "echo $? ${PIPESTATUS[@]}", "1 0 1\n"),
            (
                "(exit 3) | (exit 4) | true",
                "echo \"${PIPESTATUS[*]} $?\"",
                "3 4 0 0\n",
            ),
            ("! true | false", "echo \"${PIPESTATUS[*]}\"", "0 1\n"),
            ("(exit 7)", "echo ${PIPESTATUS[@]} $?", "7 7\n"),
            ("false", "echo $?", "1\n"),
            ("false; true", "echo $?", "0\n"),
            (
                "IFS=01; false | true",
                "echo \"${PIPESTATUS[0]}${PIPESTATUS[1]}\"",
                "10\n",
            ),
            ("unset IFS", "echo $?", "0\n"),
            ("mkdir -p sub/dir", "cd $_ && echo \"${PWD##*/}\"", "dir\n"),
            ("false | true # | no", "echo ${PIPESTATUS[@]}", "1 0\n"),
            (
                "set -o pipefail; false | true",
                "echo $?; set +o pipefail",
                "1\n",
            ),
        ] {
            shell
                .run(&format!("cd {}", bench.directory.path().display()))
                .await;
            shell.run(first).await;
            let said = shell.run(second).await;
            assert_eq!(
                (said.stdout().as_str(), said.stderr().as_str()),
                (expected, ""),
                "{first}"
            );
        }
        let said = shell.run("false | true").await;
        assert_eq!(said.code(), 0, "a pipeline's own code is as it was");
        assert_eq!(
            shell.run("cat <<E | wc -l\na\nE").await.stdout().trim(),
            "1"
        );
    });
}

#[test]
fn traps_fire_for_the_users_commands_only() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        shell
            .run("set -T; set -E; n=0; trap 'n=$((n+1))' DEBUG")
            .await;
        shell.run("n=0").await;
        shell.run(":").await;
        shell.run("false | true").await;
        // `:`, both parts of the pipeline, and `echo` itself.
        assert_eq!(shell.run("echo $n").await.stdout(), "4\n");
        assert_eq!(shell.run("trap - DEBUG; trap -p DEBUG").await.stdout(), "");
        shell.run("trap 'echo \"it'\\''s E\"' ERR").await;
        for _ in 0..2 {
            let said = shell.run("false").await;
            assert_eq!((said.stdout().as_str(), said.code()), ("it's E\n", 1));
            assert_eq!(shell.run("echo $?").await.stdout(), "1\n");
        }
        shell
            .run("trap - ERR; trap 'echo R' RETURN; f() { :; }")
            .await;
        assert_eq!(shell.run(":").await.stdout(), "");
        assert_eq!(shell.run("f").await.stdout(), "R\n");
        let said = shell.run("trap -p RETURN").await;
        assert_eq!(said.stdout(), "trap -- 'echo R' RETURN\n");
    });
}

#[test]
fn what_is_done_to_our_words_harms_nobody() {
    let harmless = [
        "unset -f __wharf __wharf_status",
        "__w=5; __ws=3; __wp=x; unset -v __w __ws",
        "printf() { :; }; read() { :; }; eval() { :; }; trap() { :; }",
        "builtin() { command builtin \"$@\"; }",
        "exec 58<&- 59>&-",
        "exec 59>&-",
        "exec 9>&-",
        "trap '' TERM INT HUP CHLD PIPE EXIT",
        "TMOUT=1; sleep 1.2",
        "IFS=0123456789",
        "shopt -s nullglob failglob extdebug",
        "set -u; unset PWD",
        "set -r",
        "POSIXLY_CORRECT=1",
        "set -o posix",
        "unset PIPESTATUS; false | true",
        "enable -n trap",
        "set -T; set -E; set -f; set -k",
        "break 1",
        "continue 5",
    ];
    with_bench(limits(), |bench| async move {
        for text in harmless {
            let mut shell = bench.session().await;
            shell.run("kept=yes").await;
            let said = at_once(&mut shell, text).await;
            assert_eq!(
                (said.code(), said.report.ended),
                (0, false),
                "{text}: {}",
                said.stderr()
            );
            let said = at_once(&mut shell, "echo $kept").await;
            assert_eq!(said.stdout(), "yes\n", "after {text}: {}", said.stderr());
        }
    });
}

#[test]
fn a_shell_that_cannot_go_on_ends_at_once() {
    let ends = [
        ("builtin() { :; }; (exit 3)", 3),
        ("builtin() { echo hi; command builtin \"$@\"; }", 0),
        ("set -n", 0),
        ("readonly __w", 1),
        ("readonly __ws", 1),
        ("enable -n read; (exit 4)", 4),
        ("enable -n printf; (exit 7)", 7),
        ("enable -n builtin", 0),
        ("shopt -s extdebug; trap false DEBUG", 0),
        (
            "for fd in /proc/$$/fd/*; do f=${fd##*/}; (( f < 3 )) || eval \"exec $f>&-\"; done 2>/dev/null",
            0,
        ),
    ];
    with_bench(limits(), |bench| async move {
        for (text, code) in ends {
            let mut shell = bench.session().await;
            let said = at_once(&mut shell, text).await;
            assert!(said.report.ended, "{text}");
            assert_eq!(said.code(), code, "{text}");
        }
    });
}

#[test]
fn a_report_of_another_command_is_dropped_and_garbage_is_given_up() {
    let channel = "p=$(trap -p EXIT); p=${p##*>/proc}; p=/proc${p%%;*}; ";
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        let forged = format!("{channel}printf '%s\\0' '' 500 / '' '9 h' '' >$p; echo real");
        let said = at_once(&mut shell, &forged).await;
        assert_eq!(
            (said.stdout().as_str(), said.code()),
            ("real\n", 0),
            "{}",
            said.stderr()
        );
        assert!(!said.report.ended);
        let garbage = format!("{channel}printf '%s\\0' a b c d e f >$p; sleep 1000");
        let said = at_once(&mut shell, &garbage).await;
        assert!(said.report.ended && said.report.fault.is_some());
        assert_eq!(said.code(), 255);
        assert!(shell.shell.has_ended());
    });
}

#[test]
fn how_a_job_ended_is_known_to_its_shell() {
    with_bench(limits(), |bench| async move {
        let mut shell = bench.session().await;
        for (text, signal, status) in [
            ("(sleep 0.1; exit 7) &", None, 7),
            ("sleep 1000 >/dev/null 2>&1 &", Some("TERM"), 143),
            ("sleep 1000 &", Some("KILL"), 137),
            ("true &", None, 0),
        ] {
            let mut command = shell.command(text);
            command.own_pipes = true;
            let said = shell.give(command).await;
            let job = said.report.job.unwrap();
            if let Some(signal) = signal {
                assert!(
                    said.report.rest.is_some(),
                    "{text}: it runs, whatever it writes to"
                );
                shell.run(&format!("false; kill -{signal} {job}")).await;
            }
            if let Some(rest) = said.report.rest {
                tokio::time::timeout(AT_ONCE, rest).await.unwrap();
            }
            until("the job has ended", || !alive(job)).await;
            shell.run("(exit 5)").await;
            let known = shell.shell.job_status(job).await;
            assert_eq!(known, Some(Status::Exited(status)), "{text}");
            assert_eq!(
                shell.run("echo $?").await.stdout(),
                "5\n",
                "nobody sees the question"
            );
        }
        assert_eq!(shell.shell.job_status(1).await, None);
    });
}
