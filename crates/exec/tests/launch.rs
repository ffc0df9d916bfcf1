//! Commands of their own: how they are started, how they end, what they leave.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::{alive, until, with_bench};
use wharf_exec::{Executor, LaunchError, Program, TreeLimits};

fn limits() -> TreeLimits {
    TreeLimits::default()
}

#[test]
fn a_program_is_started_without_a_shell() {
    with_bench(limits(), |bench| async move {
        let done = bench.direct(&["printf", "%s|", "a b", "$HOME", "*"]).await;
        assert_eq!((done.code(), done.stdout().as_str()), (0, "a b|$HOME|*|"));
        let done = bench
            .direct(&["sh", "-c", "echo out; echo err >&2; exit 3"])
            .await;
        assert_eq!(done.code(), 3);
        assert_eq!(
            (done.stdout().as_str(), done.stderr().as_str()),
            ("out\n", "err\n")
        );
    });
}

#[test]
fn what_cannot_be_started_says_why() {
    with_bench(limits(), |bench| async move {
        let done = bench.direct(&["no-such-program"]).await;
        assert!(
            matches!(done.result, Err(LaunchError::NotFound(name)) if name == "no-such-program")
        );
        let done = bench.direct(&["/etc/passwd"]).await;
        assert!(matches!(
            done.result,
            Err(LaunchError::NotExecutable { .. })
        ));
        let done = bench.direct(&["/etc"]).await;
        assert!(matches!(
            done.result,
            Err(LaunchError::NotExecutable { .. })
        ));
        let mut launch = bench.launch_of(Program::Direct(vec!["true".into()]));
        launch.cwd = Some("/no/such/place".into());
        assert!(matches!(
            bench.run(launch).await.result,
            Err(LaunchError::Cwd { .. })
        ));
        assert_eq!(
            bench.direct(&["true"]).await.code(),
            0,
            "the shim serves on"
        );
    });
}

#[test]
fn a_script_without_a_first_line_runs_as_in_a_shell() {
    with_bench(limits(), |bench| async move {
        let path = bench.directory.path().join("script");
        std::fs::write(&path, "echo \"script $1\"").unwrap();
        std::os::unix::fs::PermissionsExt::set_mode(
            &mut std::fs::metadata(&path).unwrap().permissions(),
            0o755,
        );
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let done = bench.direct(&[path.to_str().unwrap(), "one"]).await;
        assert_eq!((done.code(), done.stdout().as_str()), (0, "script one\n"));
    });
}

#[test]
fn directory_environment_and_stdin_arrive_exactly() {
    with_bench(limits(), |bench| async move {
        let odd = "a'b\"c $(date) `x`\n=é";
        let programs = [
            Program::Direct(
                ["sh", "-c", "pwd; printf %s \"$ODD\"; cat"]
                    .map(String::from)
                    .into(),
            ),
            Program::Shell {
                text: "pwd; printf %s \"$ODD\"; cat".into(),
                forkable: false,
            },
            Program::Shell {
                text: "pwd; printf %s \"$ODD\"; cat".into(),
                forkable: true,
            },
        ];
        for program in programs {
            for stdin in [None, Some(b"from stdin".to_vec())] {
                let mut launch = bench.launch_of(program.clone());
                launch.cwd = Some("/usr/lib".into());
                launch.env = vec![("ODD".into(), odd.into()), ("HOME".into(), "/x".into())];
                launch.stdin = stdin.clone();
                let done = bench.run(launch).await;
                let stdin = String::from_utf8(stdin.unwrap_or_default()).unwrap();
                assert_eq!(
                    done.stdout(),
                    format!("/usr/lib\n{odd}{stdin}"),
                    "{program:?}"
                );
            }
        }
    });
}

#[test]
fn nothing_of_the_servers_own_environment_is_handed_through() {
    with_bench(limits(), |bench| async move {
        for done in [
            bench.direct(&["env"]).await,
            bench.bash("env").await,
            bench.fork("env").await,
        ] {
            let text = done.stdout();
            let mut names: Vec<&str> = text
                .lines()
                .filter_map(|line| line.split('=').next())
                .collect();
            names.retain(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
            names.sort_unstable();
            assert_eq!(names, ["HOME", "LANG", "PATH"], "{text}");
        }
    });
}

#[test]
fn a_fork_of_a_shell_is_as_good_as_a_shell_of_its_own() {
    let texts = [
        "echo a; false",
        "exit 7",
        "x=1; (exit 5)",
        "echo 'it''s'",
        "nosuch-program",
        "echo \"open",
        "if",
        "set -e; false; echo no",
        "f() { return 9; }; f",
        "cat <<E\nhere $((1+1))\nE",
        "a=(1 2 3); echo ${a[@]} ${#a}",
        "seq 3 | tac",
        "! true",
        "declare -F; alias; trap",
        "umask; ulimit -c; set -o | grep -c on",
        "read x; echo \"$?[$x]\"",
        "break; echo after",
        "echo err >&2; exit 300",
        "shopt expand_aliases",
        "type cd",
        "cd /tmp && pwd",
        "ls /proc/self/fd | wc -l",
    ];
    with_bench(limits(), |bench| async move {
        for text in texts {
            let (own, fork) = (bench.bash(text).await, bench.fork(text).await);
            assert_eq!(
                own.code(),
                fork.code(),
                "{text}: {} | {}",
                own.stderr(),
                fork.stderr()
            );
            assert_eq!(own.stdout(), fork.stdout(), "{text}");
            let plain = |text: String| text.replace("eval: ", "").replace("-c: ", "");
            let first = |text: String| plain(text).lines().next().unwrap_or_default().to_owned();
            assert_eq!(first(own.stderr()), first(fork.stderr()), "{text}");
        }
    });
}

/// The processes whose parent this is.
fn children(parent: u32) -> Vec<u32> {
    std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

#[test]
fn the_fork_for_a_command_is_there_before_the_command() {
    with_bench(limits(), |bench| async move {
        // The executor starts a shell ahead of need, which may come between any two commands, once.
        let mut served_again = false;
        for _ in 0..3 {
            let done = bench.fork("echo $$ $BASHPID").await;
            let said = done.stdout();
            let (shell, first) = said.trim().split_once(' ').unwrap();
            let shell: u32 = shell.parse().unwrap();
            until("the shell has forked again", || children(shell).len() == 1).await;
            let waits = children(shell);
            assert_ne!(waits, [first.parse::<u32>().unwrap()]);
            let done = bench.fork("echo $$ $BASHPID; set | grep ^__").await;
            assert_eq!(done.code(), 1, "nothing of ours is left for it to see");
            if done.stdout().starts_with(&format!("{shell} ")) {
                let same = waits.first().unwrap();
                assert_eq!(done.stdout(), format!("{shell} {same}\n"));
                served_again = true;
            }
        }
        assert!(served_again);
    });
}

#[test]
fn a_fork_that_was_killed_while_it_waited_fails_nobody() {
    with_bench(limits(), |bench| async move {
        let said = bench.fork("echo $$").await.stdout();
        let shell: u32 = said.trim().parse().unwrap();
        until("the shell has forked again", || children(shell).len() == 1).await;
        let waits = children(shell);
        let pid = rustix::process::Pid::from_raw(waits[0].cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        // It does not sleep between seeing that and having said so.
        let sleeps = || {
            let stat = std::fs::read_to_string(format!("/proc/{shell}/stat")).unwrap();
            stat.contains(") S ")
        };
        until("the shell has said so", || {
            children(shell).is_empty() && sleeps()
        })
        .await;
        let done = bench.fork("echo $$; exit 4").await;
        assert_eq!(done.code(), 4);
        assert_ne!(done.stdout().trim(), shell.to_string(), "another serves");
    });
}

#[test]
fn no_terminal_and_no_stdin_to_wait_for() {
    with_bench(limits(), |bench| async move {
        for text in [
            "cat",
            "read line",
            "cat </dev/tty",
            "sh -c 'read x </dev/tty'",
        ] {
            let done = bench.bash(text).await;
            assert!(done.stdout().is_empty(), "{text}");
        }
    });
}

#[test]
fn a_child_that_keeps_the_pipe_open_does_not_delay_the_answer() {
    with_bench(limits(), |bench| async move {
        for forked in [false, true] {
            let program = Program::Shell {
                text: "sleep 1000 & echo first".into(),
                forkable: forked,
            };
            let launch = bench.launch_of(program);
            let output = std::sync::Arc::clone(&launch.output);
            let mut process = bench.start(launch).await;
            let exit = process.wait().await.unwrap();
            assert_eq!(exit.status.code(), 0);
            assert_eq!(
                support::text(&output, wharf_exec::journal::Stream::Stdout),
                "first\n"
            );
            assert_eq!(exit.survivors.len(), 1, "{exit:?}");
            let (tree, survivor) = (process.tree(), exit.survivors[0]);
            assert!(alive(survivor));
            assert_eq!(tree.members(), [survivor]);
            let rest = tokio::spawn(process.outlive());
            tree.kill();
            rest.await.unwrap();
            assert!(!alive(survivor));
        }
    });
}

#[test]
fn what_a_straggler_writes_is_kept() {
    with_bench(limits(), |bench| async move {
        let text = "(sleep 0.3; echo late) & echo early";
        let launch = bench.launch_of(Program::Shell {
            text: text.into(),
            forkable: false,
        });
        let output = std::sync::Arc::clone(&launch.output);
        let mut process = bench.start(launch).await;
        process.wait().await.unwrap();
        process.outlive().await;
        assert_eq!(
            support::text(&output, wharf_exec::journal::Stream::Stdout),
            "early\nlate\n"
        );
    });
}

/// Row 12: sessions of their own, double forks, scrubbed environments, ignored signals, stopped.
#[test]
fn nobody_escapes_the_end_of_a_tree() {
    let hostile = "
        setsid sh -c 'sleep 1001 & exec sleep 1002' &
        (setsid setsid env -i /bin/sh -c '(sleep 1003 &) & sleep 1004' &)
        sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1005; done' &
        sh -c 'kill -STOP $$' &
        python3 -c 'import os,time
if os.fork()==0:
    os.setsid()
    if os.fork()==0:
        os.closerange(0,100)
        time.sleep(1006)
    os._exit(0)
time.sleep(1007)' &
        echo ready; sleep 1008";
    with_bench(limits(), |bench| async move {
        for forkable in [false, true] {
            let launch = bench.launch_of(Program::Shell {
                text: hostile.into(),
                forkable,
            });
            let output = std::sync::Arc::clone(&launch.output);
            let mut process = bench.start(launch).await;
            let tree = process.tree();
            let waiting = tokio::time::timeout(Duration::from_secs(2), process.wait()).await;
            assert!(waiting.is_err(), "it goes on");
            assert_eq!(
                support::text(&output, wharf_exec::journal::Stream::Stdout),
                "ready\n"
            );
            let members = tree.members();
            assert!(members.len() >= 9, "{members:?}");
            tree.kill();
            process.wait().await.unwrap();
            for pid in &members {
                until("everyone is dead", || !alive(*pid)).await;
            }
            assert_eq!(tree.members(), [] as [u32; 0]);
        }
    });
}

#[test]
fn a_dropped_command_is_ended() {
    with_bench(limits(), |bench| async move {
        let mut launch =
            bench.launch_of(Program::Direct(["sleep", "1000"].map(String::from).into()));
        launch.wants_pid = true;
        let process = bench.start(launch).await;
        let pid = process.pid().unwrap();
        assert!(alive(pid));
        drop(process);
        until("it is dead", || !alive(pid)).await;
    });
}

#[test]
fn a_fork_bomb_meets_its_limit() {
    let limits = TreeLimits {
        processes: Some(64),
        memory: None,
    };
    with_bench(limits, |bench| async move {
        let launch = bench.launch_of(Program::Shell {
            text: "f() { f | f & }; f; sleep 1000".into(),
            forkable: false,
        });
        let mut process = bench.start(launch).await;
        let tree = process.tree();
        let _goes_on = tokio::time::timeout(Duration::from_secs(2), process.wait()).await;
        assert!(tree.members().len() <= 64, "{}", tree.members().len());
        assert_eq!(
            bench.direct(&["true"]).await.code(),
            0,
            "others are not disturbed"
        );
        tree.kill();
        until("all are dead", || tree.members().is_empty()).await;
    });
}

#[test]
fn zombies_do_not_pile_up() {
    with_bench(limits(), |bench| async move {
        let text = "for i in $(seq 200); do (true &) ; done; sleep 0.2; ps -eo ppid,stat | awk -v me=$PPID '$1==me && /Z/' | wc -l";
        let done = bench.bash(text).await;
        assert_eq!(done.stdout().trim(), "0");
    });
}

#[test]
fn arguments_up_to_the_largest_command_arrive() {
    with_bench(limits(), |bench| async move {
        for size in [4000, 5000, 131_071, 131_072] {
            let filling = size - "x=''; echo ${#x}".len();
            let text = format!("x='{}'; echo ${{#x}}", "y".repeat(filling));
            assert_eq!(text.len(), size);
            assert_eq!(bench.bash(&text).await.stdout().trim(), filling.to_string());
            assert_eq!(bench.fork(&text).await.stdout().trim(), filling.to_string());
        }
    });
}

/// Processes whose command line has `marker` in it.
fn with_marker(bench: &support::Bench, marker: &str) -> Vec<u32> {
    let mut found = wharf_exec::processes_below(bench.executor.zygote_pid());
    found.retain(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.starts_with("sleep") && line.contains(marker))
    });
    found
}

#[test]
fn what_a_killed_shim_or_shell_leaves_is_ended() {
    with_bench(TreeLimits::default(), |bench| async move {
        let marker = format!("77{}.1", std::process::id());
        let text = format!(
            "setsid sleep {marker} & (trap '' TERM; setsid sleep {marker} &) ; sleep {marker} & \
             kill -9 $PPID; sleep {marker}"
        );
        let done = tokio::time::timeout(Duration::from_secs(20), bench.bash(&text));
        let exit = done.await.unwrap().result.unwrap();
        assert!(exit.lost && exit.status.code() == 137);
        until("nothing of it is left", || {
            with_marker(&bench, &marker).is_empty()
        })
        .await;

        let mut shell = bench.session().await;
        let said = shell
            .run(&format!(
                "setsid sleep {marker} & setsid sleep {marker} & (sleep {marker}; :) & kill -9 $$"
            ))
            .await;
        assert!(said.report.ended && said.report.fault.is_some());
        until("nothing of the session is left", || {
            with_marker(&bench, &marker).is_empty()
        })
        .await;
        assert_eq!(bench.direct(&["echo", "well"]).await.stdout(), "well\n");
    });
}

#[test]
fn the_end_of_the_zygote_is_told() {
    with_bench(TreeLimits::default(), |bench| async move {
        assert_eq!(bench.direct(&["true"]).await.code(), 0);
        assert!(bench.executor.fault().is_none());
        let zygote = i32::try_from(bench.executor.zygote_pid()).unwrap();
        let pid = rustix::process::Pid::from_raw(zygote).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        until("it is noticed", || bench.executor.fault().is_some()).await;
        let shell = bench
            .executor
            .shell(wharf_exec::ShellStart::default())
            .await;
        assert!(matches!(shell, Err(wharf_exec::LaunchError::ZygoteGone)));
    });
}

/// Stops a process until dropped.
struct Stopped(rustix::process::Pid);

impl Stopped {
    fn new(pid: u32) -> Self {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _gone_already = rustix::process::kill_process(self.0, rustix::process::Signal::CONT);
    }
}

#[test]
fn nobody_waits_for_ever_for_a_process_to_start() {
    with_bench(limits(), |bench| async move {
        let zygote = bench.executor.zygote_pid();
        let spares = || -> Vec<u32> {
            let mut below = wharf_exec::processes_below(zygote);
            below.retain(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/comm"))
                    .is_ok_and(|name| name.trim() == "wharf-zygote")
            });
            below
        };
        assert_eq!(bench.fork("echo warm").await.stdout(), "warm\n");
        until("the spares are there", || spares().len() >= 2).await;
        // What waits there to become a shell stands still: the shell never speaks.
        let spares: Vec<Stopped> = spares().into_iter().map(Stopped::new).collect();
        let shell = bench
            .executor
            .shell(wharf_exec::ShellStart::default())
            .await;
        assert!(matches!(
            shell,
            Err(LaunchError::TooSlow {
                what: "the shell",
                ..
            })
        ));
        drop(spares);
        // The zygote itself stands still: nobody is told anything.
        let stopped = Stopped::new(zygote);
        let shell = bench
            .executor
            .shell(wharf_exec::ShellStart::default())
            .await;
        assert!(matches!(
            shell,
            Err(LaunchError::TooSlow {
                what: "a new process",
                ..
            })
        ));
        drop(stopped);
        assert_eq!(
            bench.session().await.run("echo well").await.stdout(),
            "well\n"
        );
    });
}
