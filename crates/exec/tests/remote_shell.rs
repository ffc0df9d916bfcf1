//! Living shells on another machine: what stays, what is exact, how they end, and that nothing is
//! left there. The other machine is this one, behind channels that are those of SSH in little.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod far;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use far::LocalOpener;
use far::bench::{with_bench, with_each, with_opener};
use support::{Living, Said};
use wharf_exec::journal::Stream;
use wharf_exec::{Executor, LaunchError, ShellEnv, ShellStart};

/// Far above what any of these take, far below a time limit.
const AT_ONCE: Duration = Duration::from_secs(20);

/// Login shells, and the directory that shows a host without bash where there is one.
const LOGIN_SHELLS: [&[&str]; 5] = [
    &["bash"],
    &["dash"],
    &["busybox", "sh"],
    &["fish"],
    &["tcsh"],
];

async fn at_once(shell: &mut Living, text: &str) -> Said {
    let said = tokio::time::timeout(AT_ONCE, shell.run(text)).await;
    assert!(said.is_ok(), "no answer to {text}");
    said.unwrap()
}

#[test]
fn everything_stays_from_one_command_to_the_next() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        for text in [
            "cd /tmp",
            "x=5; export E=exported",
            "f() { echo \"f:$1\"; }",
            "alias ll='echo aliased'",
            "set -f; umask 027",
            "trap 'echo trapped' USR1",
        ] {
            let said = shell.run(text).await;
            assert_eq!(
                (said.code(), said.stderr().as_str()),
                (0, ""),
                "{kind}: {text}"
            );
        }
        shell.report_env = true;
        let said = shell
            .run("echo $PWD $x $E; f 1; ll; umask; kill -USR1 $$; echo *")
            .await;
        let expected = "/tmp 5 exported\nf:1\naliased\n0027\ntrapped\n*\n";
        assert_eq!(said.stdout(), expected, "{kind}: {}", said.stderr());
        assert_eq!(said.report.cwd.as_deref(), Some(Path::new("/tmp")));
        let env = said.report.env.unwrap();
        assert!(env.contains(&("E".into(), "exported".into())), "{env:?}");
        assert!(
            !env.iter()
                .any(|(name, _)| name == "x" || name.starts_with("__w")),
            "{env:?}"
        );
        if kind == "bash" {
            shell.run("exec 9>&1; a=(1 2 3); set -o pipefail").await;
            let said = shell
                .run("echo to9 >&9; echo ${a[2]}; false | true; echo $?")
                .await;
            assert_eq!(said.stdout(), "to9\n3\n1\n");
        }
    });
}

#[test]
fn streams_and_codes_are_exact() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        let cases = [
            ("echo out; echo err >&2", 0, "out\n", "err\n"),
            ("false", 1, "", ""),
            ("echo $?", 0, "1\n", ""),
            ("(exit 42)", 42, "", ""),
            ("echo \"$?\"", 0, "42\n", ""),
            ("printf 'no newline'", 0, "no newline", ""),
            ("# only a comment", 0, "", ""),
            ("", 0, "", ""),
            ("echo one\n\necho two # comment", 0, "one\ntwo\n", ""),
            ("cat <<'E'\na $b\nE", 0, "a $b\n", ""),
            ("cat", 0, "", ""),
            ("read line; echo $?", 0, "1\n", ""),
            ("break", 0, "", ""),
            ("continue; echo not here", 0, "", ""),
            ("echo still here", 0, "still here\n", ""),
            ("printf 'a\\\\b\\n'", 0, "a\\b\n", ""),
            (
                "printf '\\000\\377\\n' | od -An -c",
                0,
                "  \\0 377  \\n\n",
                "",
            ),
            ("sh -c 'kill -9 $$'", 137, "", ""),
        ];
        for (text, code, stdout, stderr) in cases {
            let said = at_once(&mut shell, text).await;
            assert_eq!(
                (said.code(), said.stdout().as_str()),
                (code, stdout),
                "{kind}: {text}: {}",
                said.stderr()
            );
            assert!(!said.report.ended, "{kind}: {text}");
            if !text.contains("kill") {
                assert_eq!(said.stderr(), stderr, "{kind}: {text}");
            }
        }
        let said = at_once(&mut shell, "nosuch").await;
        assert!(
            said.code() == 127 && said.stderr().contains("nosuch"),
            "{}",
            said.stderr()
        );
    });
}

#[test]
fn large_and_binary_output_is_byte_exact_on_both_streams() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        let file = bench.home.join("bytes");
        let mut bytes = Vec::with_capacity(10 << 20);
        let mut state = 1u32;
        while bytes.len() < 10 << 20 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push(u8::try_from(state >> 24).unwrap());
        }
        std::fs::write(&file, &bytes).unwrap();
        let said = at_once(&mut shell, "cat ~/bytes; cat ~/bytes >&2; (exit 3)").await;
        assert_eq!(said.code(), 3, "{kind}");
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut read = Vec::new();
            while read.len() < bytes.len() {
                let at = u64::try_from(read.len()).unwrap();
                let part = said.output.read(stream, at, 4 << 20).unwrap();
                assert!(!part.is_empty(), "{kind}: {stream:?} ends at {at}");
                read.extend_from_slice(&part);
            }
            assert!(read == bytes, "{kind}: {stream:?} is not what was written");
        }
        let long = format!("x='{}'; echo ${{#x}}", "y".repeat(131_000));
        assert_eq!(at_once(&mut shell, &long).await.stdout(), "131000\n");
    });
}

#[test]
fn broken_text_is_the_commands_own_fault() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        let texts = [
            "echo \"open",
            "echo 'open",
            "if true",
            "for",
            "echo $(",
            "}",
            ")",
            "case x in",
        ];
        for text in texts {
            let said = at_once(&mut shell, text).await;
            assert!(!said.report.ended, "{kind}: {text}");
            assert!(
                said.code() != 0 && !said.stderr().is_empty(),
                "{kind}: {text}"
            );
            let said = at_once(&mut shell, "echo alive").await;
            assert_eq!(said.stdout(), "alive\n", "{kind}: after {text}");
        }
    });
}

#[test]
fn a_shell_may_redirect_its_own_output() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        assert_eq!(at_once(&mut shell, "exec >~/file 2>&1").await.code(), 0);
        let said = at_once(&mut shell, "echo into the file; echo too >&2").await;
        assert_eq!(
            (said.stdout(), said.stderr()),
            (String::new(), String::new()),
            "{kind}"
        );
        let written = std::fs::read_to_string(bench.home.join("file")).unwrap();
        assert_eq!(written, "into the file\ntoo\n");
        let said = at_once(&mut shell, "false").await;
        assert_eq!((said.code(), said.report.ended), (1, false));
    });
}

#[test]
fn a_new_shell_takes_over_directory_and_environment() {
    with_each(|bench, kind| async move {
        let env = vec![
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("ODD".to_owned(), "a\"b'c$d\n`e`\\ \u{1}".to_owned()),
        ];
        let start = ShellStart {
            cwd: Some("/usr/lib".into()),
            env: ShellEnv::Exactly(env.clone()),
        };
        let mut shell = bench.session_with(start).await;
        shell.report_env = true;
        let said = shell
            .run("pwd; printf %s \"$ODD\"; printf %s \"${LANG-}\"")
            .await;
        assert_eq!(said.stdout(), format!("/usr/lib\n{}", env[1].1), "{kind}");
        let reported = said.report.env.unwrap();
        assert!(
            env.iter().all(|entry| reported.contains(entry)),
            "{kind}: {reported:?}"
        );
        let nowhere = ShellStart {
            cwd: Some("/no/such/place".into()),
            env: ShellEnv::default(),
        };
        let refused = bench.executor.shell(nowhere).await;
        assert!(matches!(refused, Err(LaunchError::Cwd { .. })), "{kind}");
    });
}

#[test]
fn variables_and_stdin_of_one_command() {
    with_each(|bench, kind| async move {
        let mut shell = bench.session().await;
        shell.run("export A=1").await;
        let mut command = shell.command("echo $A; printenv A; printenv B; cat");
        command.env = vec![
            ("A".into(), "two".into()),
            ("B".into(), "it's $(odd)\n".into()),
        ];
        command.stdin = Some(b"line 1\nline '%\\ 2".to_vec());
        let said = shell.give(command).await;
        assert_eq!(
            said.stdout(),
            "two\ntwo\nit's $(odd)\n\nline 1\nline '%\\ 2",
            "{kind}"
        );
        let said = shell.run("echo $A; printenv A; echo ${B-unset}; cat").await;
        assert_eq!(said.stdout(), "1\n1\nunset\n", "{kind}");
        for size in [0, 256, 1024, 1025, 8 << 20] {
            let bytes: Vec<u8> = (0..size)
                .map(|at: u32| u8::try_from(at % 256).unwrap())
                .collect();
            let mut command = shell.command("cat >~/in");
            command.stdin = Some(bytes.clone());
            let said = shell.give(command).await;
            assert_eq!(said.code(), 0, "{kind}: {size}: {:?}", said.report.fault);
            assert!(
                std::fs::read(bench.home.join("in")).unwrap() == bytes,
                "{kind}: {size}"
            );
        }
    });
}

#[test]
fn login_shells_and_their_noise_do_not_matter() {
    for login in LOGIN_SHELLS {
        let make = |home: &Path| {
            let noise = "printf '%01048576d' 1; printf noise >&2\n";
            std::fs::write(home.join(".bashrc"), noise).unwrap();
            std::fs::write(
                home.join(".cshrc"),
                "echo noise; sh -c \"echo noise >&2\"\n",
            )
            .unwrap();
            std::fs::create_dir_all(home.join(".config/fish")).unwrap();
            std::fs::write(home.join(".config/fish/config.fish"), noise).unwrap();
            LocalOpener::new(login, home)
        };
        with_opener(make, |bench| async move {
            let mut shell = bench.session().await;
            let said = shell
                .run("echo 'it is $0' | tr a-z A-Z; echo err >&2")
                .await;
            assert_eq!(
                (said.stdout().as_str(), said.stderr().as_str(), said.code()),
                ("IT IS $0\n", "err\n", 0),
                "{login:?}"
            );
        });
    }
    // A login shell that prints a megabyte before anything else.
    let make = |home: &Path| {
        let script = home.join("login");
        let text =
            "#!/bin/sh\nprintf '%01048576d' 1; printf '%0100000d' 2 >&2; exec /bin/sh \"$@\"\n";
        std::fs::write(&script, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&script, mode).unwrap();
        LocalOpener::new(&[script.to_str().unwrap()], home)
    };
    with_opener(make, |bench| async move {
        let mut shell = bench.session().await;
        let said = shell.run("echo clean; echo err >&2").await;
        assert_eq!(
            (said.stdout().as_str(), said.stderr().as_str()),
            ("clean\n", "err\n")
        );
    });
}

#[test]
fn a_host_that_starts_no_shell_says_why() {
    let make = |home: &Path| {
        LocalOpener::new(
            &["sh", "-c", "echo This account is not available >&2; exit 1"],
            home,
        )
    };
    with_opener(make, |bench| async move {
        let Err(error) = bench.executor.shell(ShellStart::default()).await else {
            panic!("there is no shell");
        };
        assert!(
            error.to_string().contains("This account is not available"),
            "{error}"
        );
    });
}

#[test]
fn a_command_takes_one_round_trip() {
    let round_trip = Duration::from_millis(200);
    with_opener(
        |home| LocalOpener::new(&["bash"], home).slow(round_trip),
        |bench| async move {
            let mut shell = bench.session().await;
            for text in ["true", "ls /", "cd /tmp; echo $PWD"] {
                let mut command = shell.command(text);
                command.own_pipes = true;
                command.stdin = Some(b"a little input".to_vec());
                let begin = Instant::now();
                let said = shell.give(command).await;
                let took = begin.elapsed();
                assert_eq!(said.code(), 0);
                assert!(
                    took >= round_trip && took < round_trip * 2,
                    "{text}: {took:?}"
                );
            }
        },
    );
}

#[test]
fn a_report_is_exact_whichever_way_it_takes() {
    with_each(|bench, kind| async move {
        let long = "d/".repeat(600);
        let odd = bench.home.join("a\n.\u{1}ü b");
        let deep = bench.home.join(long.trim_end_matches('/'));
        for directory in [&odd, &deep] {
            std::fs::create_dir_all(directory).unwrap();
        }
        let mut shell = bench.session().await;
        for report_env in [false, true, false] {
            shell.report_env = report_env;
            for directory in [&bench.home, &odd, &deep] {
                let text = format!("cd '{}'; printf '.\\000.'; (exit 7)", directory.display());
                let said = at_once(&mut shell, &text).await;
                let told = (said.code(), said.stdout(), said.report.cwd);
                let expected = (7, ".\0.".to_owned(), Some(directory.clone()));
                assert_eq!(told, expected, "{kind}: {}", said.output.totals().stderr);
            }
        }
        if kind == "bash" {
            let pipe = "(exit 3) |".repeat(1500);
            at_once(&mut shell, &format!("{pipe} (exit 4)")).await;
            let said = at_once(&mut shell, "echo ${#PIPESTATUS[@]} $?").await;
            assert!(said.stdout().ends_with(" 4\n"), "{}", said.stdout());
        }
        // What goes on writing gets into no report.
        let text = "while :; do printf '.\\0'; done & p=$!; (exit 9)";
        let mut command = shell.command(text);
        command.own_pipes = true;
        let said = tokio::time::timeout(AT_ONCE, shell.give(command)).await;
        let mut said = said.unwrap();
        assert_eq!(said.code(), 9, "{kind}");
        let rest = tokio::spawn(said.report.rest.take().unwrap());
        assert_eq!(at_once(&mut shell, "echo on; (exit 5)").await.code(), 5);
        at_once(&mut shell, "kill $p").await;
        rest.await.unwrap();
    });
}

#[test]
fn output_that_looks_like_ours_is_the_commands() {
    with_bench(|bench| async move {
        let mut shell = bench.session().await;
        let text = "for i in 1 2 3; do printf '1eo 0 abcdefghi'; printf '%s\\0' '' 1 / ' 12.05 d' '0 h' ''; done";
        let said = at_once(&mut shell, text).await;
        assert_eq!(said.output.totals().stdout, 3 * 34, "{}", said.stdout());
        let forged = "printf '%s\\0' '' 500 / '' '9 h' '' >\"$__wd/r\"; echo real";
        let said = at_once(&mut shell, forged).await;
        assert_eq!((said.stdout().as_str(), said.code()), ("real\n", 0));
        let said = at_once(&mut shell, "PWD=/forged; true").await;
        assert_eq!(
            said.report.cwd.as_deref(),
            Some(bench.home.as_path()),
            "PWD is no proof"
        );
        let garbage = "printf '%s\\0' a b c d e f 1<>\"$__wd/r\"; sleep 1000";
        let said = at_once(&mut shell, garbage).await;
        assert!(said.report.ended && said.report.fault.is_some());
        assert_eq!(said.code(), 255);
    });
}

#[test]
fn whatever_is_done_to_our_words_is_answered_at_once() {
    with_bench(|bench| async move {
        for text in [
            "__w=5; __ws=3; __wp=x; __wd=; unset -v __w __ws __wd",
            "printf() { :; }; read() { :; }; eval() { :; }; trap() { :; }; kill() { :; }",
            "exec 54<&- 55>&- 56>&- 57>&- 58<&- 59>&-",
            "exec 9>&-",
            "trap '' TERM INT HUP CHLD PIPE EXIT",
            "IFS=0123456789",
            "set -u; unset PWD",
            "set -o posix",
            "set -f; set -k; set -C; set -x",
            "break 1",
            "export TMOUT=1; sleep 1.2",
        ] {
            let mut shell = bench.session().await;
            shell.run("kept=yes").await;
            let mut command = shell.command(text);
            command.own_pipes = true;
            let said = tokio::time::timeout(AT_ONCE, shell.give(command))
                .await
                .unwrap();
            assert_eq!(
                (said.code(), said.report.ended),
                (0, false),
                "{text}: {}",
                said.stderr()
            );
            let said = at_once(&mut shell, "echo $kept").await;
            assert_eq!(said.stdout(), "yes\n", "after {text}: {}", said.stderr());
        }
        for text in [
            "builtin() { :; }; (exit 3)",
            "set -n",
            "readonly __w",
            "enable -n read; (exit 4)",
            "for fd in /proc/$$/fd/*; do f=${fd##*/}; (( f < 3 )) || eval \"exec $f>&-\"; done 2>/dev/null",
            "rm -rf \"$__wd\"; kill -9 $$",
        ] {
            let mut shell = bench.session().await;
            let said = at_once(&mut shell, text).await;
            assert!(said.report.ended, "{text}");
        }
    });
}
