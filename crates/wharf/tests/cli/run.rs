//! `wharf run`

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::home::{Home, filters};
use crate::terminal::on_terminal;

#[test]
fn the_first_run_starts_a_server_and_says_so_where_somebody_sits() {
    let home = Home::new();
    let _filters = filters();

    insta::assert_snapshot!(home.seen(&["run", "-v", "--", "echo", "hello"]), @r"
    hello
    --- stderr
    wharf: started a server in the background at http://127.0.0.1:PORT (pid PID); wharf serve --stop ends it
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["run", "-v", "--", "echo", "again"]), @r"
    again
    --- stderr
    --- exit 0
    ");
    assert!(home.server_pid().is_some());
}

#[test]
fn without_a_terminal_both_streams_are_the_command_s_alone() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["run", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]), @r"
    out
    --- stderr
    err
    --- exit 3
    ");
}

#[test]
fn parallel_first_runs_start_one_server() {
    let home = Home::new();
    let runs: Vec<Child> = (0..6)
        .map(|n| {
            let word = n.to_string();
            home.wharf(&["run", "--", "echo", &word])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();

    for (n, run) in runs.into_iter().enumerate() {
        let output = run.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{n}\n"));
    }
    // All of them are on one record, and a server beside this one would have had to say so.
    let log = home.ok(&["audit", "verify"]);
    assert!(log.starts_with("ok 12 entries"), "{log}");
    assert_eq!(servers_of(&home).len(), 1);
}

/// The processes that are children of nobody we know and serve this home; the processes below a
/// server have its command line too.
fn servers_of(home: &Home) -> Vec<u32> {
    let own = |pid: u32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let serves = |pid: &u32| own(*pid, "cmdline").is_ok_and(|line| line.contains("--detached"));
    let here = |pid: &u32| {
        own(*pid, "environ")
            .is_ok_and(|env| env.contains(home.work().parent().unwrap().to_str().unwrap()))
    };
    let all: Vec<u32> = pids.filter(serves).filter(here).collect();
    let parent = |pid: u32| {
        let stat = own(pid, "stat").unwrap_or_default();
        stat.rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    all.iter()
        .copied()
        .filter(|pid| !all.contains(&parent(*pid)))
        .collect()
}

#[test]
fn words_reach_the_command_as_they_were_typed() {
    let home = Home::new();
    let words = [
        "a b", "", "it's", "$HOME", "*", "\\", "\"", "`id`", "\n", "-n", "é", "~", "{1,2}",
    ];
    let mut args = vec!["run", "--", "printf", "%s\\0"];
    args.extend(words);

    let printed = home.ok(&args);

    let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
    assert_eq!(printed, expected);
}

#[test]
fn a_shell_text_runs_as_it_is() {
    let home = Home::new();
    assert_eq!(
        home.ok(&["run", "--shell", "printf 'b\\na\\n' | sort"]),
        "a\nb\n"
    );
}

#[test]
fn it_runs_where_it_was_typed() {
    let home = Home::new();
    let here = home.work();
    assert_eq!(
        home.ok(&["run", "--", "pwd"]).trim_end(),
        here.to_str().unwrap()
    );
    assert_eq!(
        home.ok(&["run", "--cwd", "..", "--", "ls", "-d", "work"]),
        "work\n"
    );
}

#[test]
fn variables_are_passed_and_never_expanded() {
    let home = Home::new();
    let printed = home.ok(&[
        "run",
        "--env",
        "A=$(id) 'x'",
        "--env",
        "B=",
        "--",
        "sh",
        "-c",
        "echo \"$A|$B|$C\"",
    ]);
    assert_eq!(printed, "$(id) 'x'||\n");
}

#[test]
fn the_exit_code_is_the_command_s() {
    let home = Home::new();
    std::fs::write(home.work().join("plain"), "not a program").unwrap();
    for (args, code) in [
        (&["run", "--", "true"][..], 0),
        (&["run", "--", "sh", "-c", "exit 7"], 7),
        (&["run", "--shell", "kill -9 $$"], 137),
        (&["run", "--", "no-such-command"], 127),
        (&["run", "--", "./plain"], 126),
        (&["run", "--timeout", "1s", "--", "sleep", "60"], 124),
        (&["run", "-s", "no such id", "--", "true"], 125),
        (&["run", "--cwd", "/no/such/dir", "--", "true"], 125),
        (
            &["run", "--api-url", "http://127.0.0.1:1", "--", "true"],
            125,
        ),
        (&["run", "--timeout", "2h", "--", "true"], 2),
        (&["run", "--timeout", "0s", "--", "true"], 2),
        (&["run", "--no-such-flag", "true"], 2),
        (&["run"], 2),
    ] {
        let output = home.output(args);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {}",
            home.show(&output)
        );
    }
}

#[test]
fn every_byte_arrives_also_beyond_the_limit_of_an_answer() {
    let home = Home::new();
    // 3 MB that are no UTF-8, on both streams at once.
    let script = "i=0; while [ $i -lt 3 ]; do head -c 1000000 /dev/zero | tr '\\0' '\\377'; \
                  head -c 1000000 /dev/zero | tr '\\0' '\\376' >&2; i=$((i+1)); done";
    let output = home.output(&["run", "--", "sh", "-c", script]);

    assert_eq!(
        (output.stdout.len(), output.stderr.len()),
        (3_000_000, 3_000_000)
    );
    assert!(output.stdout.iter().all(|byte| *byte == 0xff));
    assert!(output.stderr.iter().all(|byte| *byte == 0xfe));
}

#[test]
fn standard_input_is_handed_on_unless_that_is_not_wanted() {
    let home = Home::new();
    assert_eq!(
        home.fed(&["run", "--", "tr", "a-z", "A-Z"], b"hello\n")
            .stdout,
        b"HELLO\n"
    );
    assert_eq!(
        home.fed(&["run", "-n", "--", "cat"], b"hello\n").stdout,
        b""
    );
}

#[test]
fn input_of_any_bytes_arrives_exactly_and_has_a_bound() {
    let home = Home::new();
    assert_eq!(
        home.fed(&["run", "--", "cat"], b"\xff\0\r\n").stdout,
        b"\xff\0\r\n"
    );
    let all: Vec<u8> = (0..=255).cycle().take(8 * 1024 * 1024).collect();
    assert_eq!(
        home.fed(&["run", "--", "wc", "-c"], &all).stdout,
        b"8388608\n"
    );
    let middle = all.get(..3_000_000).unwrap();
    assert!(home.fed(&["run", "--", "cat"], middle).stdout == middle);

    let more: Vec<u8> = (0..=255).cycle().take(all.len() + 1).collect();
    let refused = home.fed(&["run", "--", "touch", "ran"], &more);
    insta::assert_snapshot!(home.show(&refused), @r"
    --- stderr
    error[failed]: standard input is longer than 8388608 bytes; nothing was run
      hint: put it into a file and name that in the command, or run with -n
    --- exit 125
    ");
    assert!(!home.work().join("ran").exists());
}

#[test]
fn input_that_does_not_end_is_waited_for_with_a_word() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let mut command = home.wharf(&["run", "--", "cat"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut said)
        .unwrap();

    assert_eq!(
        said,
        "wharf: waiting for standard input to end; -n or </dev/null runs without it\n"
    );
    std::io::Write::write_all(&mut input, b"late").unwrap();
    drop(input);
    assert_eq!(child.wait_with_output().unwrap().stdout, b"late");
}

#[test]
fn json_is_the_whole_answer() {
    let home = Home::new();
    let answer = home.ok(&["run", "--json", "--", "echo", "hi"]);
    assert!(
        answer.contains(r#""stdout":"hi\n""#) && answer.contains(r#""exit_code":0"#),
        "{answer}"
    );

    let events = home.ok(&["run", "--json", "--stream", "--", "echo", "hi"]);
    let names: Vec<_> = events
        .lines()
        .map(|line| {
            line.split('"')
                .skip_while(|part| *part != "event")
                .nth(2)
                .unwrap()
        })
        .collect();
    assert_eq!(names, ["started", "stdout", "exit"]);
}

#[test]
fn the_summary_comes_after_the_output() {
    let home = Home::new();
    let _filters = filters();
    insta::assert_snapshot!(home.seen(&["run", "--meta", "summary", "--", "ls", "/no-such-file"]), @r"
    --- stderr
    ls: cannot access '/no-such-file': No such file or directory
    - RUN  exit 2  N s  low risk  HOME/work
      Lists what is in a directory.
      next: STEPS
      all output: wharf logs RUN
    --- exit 2
    ");
}

/// A command that says its process id and then waits.
const WAITS: [&str; 5] = ["run", "--", "sh", "-c", "echo $$; exec sleep 1000"];

fn started(home: &Home) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let mut child = home.wharf(&WAITS).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut pid = String::new();
    out.read_line(&mut pid).unwrap();
    assert!(Path::new("/proc").join(pid.trim()).exists());
    (child, out, pid.trim().to_owned())
}

#[test]
fn who_ends_us_ends_the_command_too() {
    let home = Home::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (mut child, mut out, pid) = started(&home);

        kill_process(Pid::from_child(&child), signal).unwrap();

        assert_eq!(child.wait().unwrap().code(), Some(code));
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(!Path::new("/proc").join(pid).exists());
    }
}

#[test]
fn a_screen_without_a_terminal_is_refused_at_once() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["run", "--", "vi", "notes.txt"]), @r"
    --- stderr
    vi needs a terminal and there is none here, so it was not started; write the file with a here-document, or change it with sed
    --- exit 126
    ");
    let answer = home.output(&["run", "--json", "--", "vi", "notes.txt"]);
    let answer = String::from_utf8(answer.stdout).unwrap();
    assert!(answer.contains(r#""kind":"needs_input""#), "{answer}");
}

#[test]
fn a_time_limit_out_of_bounds_is_a_usage_error_that_says_the_bound() {
    let home = Home::new();
    let output = home.output(&["run", "--timeout", "2h", "--", "true"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("from 1s to 3600s"), "{said}");
    assert_eq!(home.server_pid(), None);
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    let home = Home::new();
    let mut child = home
        .wharf(&["run", "--", "yes"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();

    assert_eq!(line, "y\n");
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn a_command_in_the_background_can_be_read_and_ended() {
    let home = Home::new();
    let run = home.ok(&[
        "run",
        "--background",
        "--",
        "sh",
        "-c",
        "echo ready; exec sleep 1000",
    ]);
    let run = run.trim();
    assert!(run.starts_with("run_"), "{run}");

    // What it prints first is there when it is asked for until it ends; so end it, and then read.
    let mut follow = home
        .wharf(&["logs", "-f", run])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(follow.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");

    home.ok(&["kill", run]);
    assert!(follow.wait().unwrap().success());
    assert_eq!(home.ok(&["logs", run]), "ready\n");
    assert_eq!(home.ok(&["logs", "--stderr", run]), "");
}

#[test]
fn on_a_terminal_output_is_the_same_and_the_words_are_said() {
    let home = Home::new();
    let _filters = filters();
    let (shown, code) = on_terminal(
        home.wharf(&["run", "--color=never", "--", "echo", "hello"]),
        "",
    );
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(shown, @r"
    wharf: started a server in the background at http://127.0.0.1:PORT (pid PID); wharf serve --stop ends it
    hello
    ");
}

#[test]
fn a_command_that_is_not_found_in_time_says_where_to_look() {
    let home = Home::new();
    let _filters = filters();
    insta::assert_snapshot!(home.seen(&["run", "--api-url", "http://127.0.0.1:1", "--", "true"]), @r"
    --- stderr
    error[failed]: no server answers at http://127.0.0.1:PORT
      because: error sending request
      because: client error (Connect)
      because: tcp connect error
      because: Connection refused (os error 111)
      hint: is it running? wharf serve starts one, wharf doctor looks closer
    --- exit 125
    ");
    insta::assert_snapshot!(home.seen(&["run", "--api-url", "ftp://example.com", "--", "true"]), @r#"
    --- stderr
    error[usage]: api_url (--api-url) should be an address such as http://127.0.0.1:PORT, not "ftp://example.com"
      hint: wharf config list --origin shows every source
    --- exit 125
    "#);
}

/// A program that asks as sudo does, and shows that it was answered without showing what.
fn like_sudo(home: &Home) {
    let text = "#!/bin/sh\nwhile [ \"$1\" = -A ]; do shift; \"$SUDO_ASKPASS\" | tr a-z b-za; done\n\
                echo \"$@\" $(cat)\n";
    let file = home.work().join("sudo");
    std::fs::write(&file, text).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&file, open).unwrap();
}

#[test]
fn the_password_for_sudo_is_typed_unseen_or_read_from_a_file() {
    let home = Home::new();
    like_sudo(&home);
    let _filters = filters();
    let file = home.path("password");
    std::fs::write(&file, "secret\n").unwrap();
    let file = file.to_str().unwrap();

    let with_file = ["run", "--sudo-password-file", file, "--", "./sudo", "id"];
    insta::assert_snapshot!(home.show(&home.fed(&with_file, b"in")), @r"
    tfdsfu
    id in
    --- stderr
    --- exit 0
    ");
    let from_input = ["run", "--sudo-password-file", "-", "--", "./sudo", "id"];
    insta::assert_snapshot!(home.show(&home.fed(&from_input, b"secret")), @r"
    tfdsfu
    id
    --- stderr
    --- exit 0
    ");
    let asking = || home.wharf(&["run", "-n", "--sudo", "--", "./sudo", "id"]);
    let question = "wharf: password for sudo: \n";
    let typed = on_terminal(asking(), "secret\n");
    assert_eq!(typed, (format!("{question}tfdsfu\nid\n"), Some(0)));
    let (shown, code) = on_terminal(asking(), "sec\x03");
    assert!(
        shown.starts_with(question) && !shown.contains("sec"),
        "{shown}"
    );
    assert!(shown.ends_with(" no password was typed; nothing was run\n"));
    assert_eq!(code, Some(125));

    insta::assert_snapshot!(home.seen(&["run", "--no-input", "--sudo", "--", "./sudo", "id"]), @r"
    --- stderr
    error[usage]: --sudo asks for the password on a terminal, and there is none to ask on
      hint: give --sudo-password-file FILE, or - for standard input
    --- exit 125
    ");
    std::fs::write(file, "one\ntwo\n").unwrap();
    insta::assert_snapshot!(home.seen(&with_file), @r"
    --- stderr
    error[usage]: the password for sudo must be one line of 1 to 1023 bytes
    --- exit 125
    ");
}
