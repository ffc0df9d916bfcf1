//! The terminal goes to the agent's client, and comes back.

use std::process::Command;

use rustix::process::Signal;

use super::gateway::{Gateway, Says};
use super::seat::Seat;

fn gateway() -> Gateway {
    Gateway::that(Says::default())
}

/// Runs the script as the client; what was shown, and the exit code.
fn handed(script: &str) -> (String, Option<i32>) {
    let gateway = gateway();
    let (shown, status) = Seat::at(&gateway.hands_over(script, &[])).ends();
    (shown, status.code())
}

#[test]
fn its_exit_code_is_ours() {
    for code in [0, 7, 255] {
        assert_eq!(handed(&format!("#!/bin/sh\nexit {code}\n")).1, Some(code));
    }
}

#[test]
fn a_signal_that_ends_it_is_told_as_shells_do() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("KILL", 137), ("SEGV", 139)] {
        let (shown, ended) = handed(&format!("#!/bin/sh\nkill -{signal} $$\n"));
        assert_eq!(ended, Some(code), "{shown}");
    }
}

#[test]
fn it_gets_an_address_without_a_secret_and_no_secret_of_this_machine() {
    let script = "#!/bin/sh\necho \"args $*\"\necho \"env ${#OPENCODE_SERVER_PASSWORD} \
                  $OPENCODE_SERVER_USERNAME\"\nenv | grep -c -e whk_ -e GITHUB -e WHARF -e wht_\n";
    let gateway = gateway();
    let mut command = gateway.hands_over(script, &[]);
    command.env("OPENCODE_SERVER_PASSWORD", "of the person's own server");
    command.env("GITHUB_TOKEN", "x");
    let (shown, _) = Seat::at(&command).ends();
    assert!(shown.contains("args attach http://127.0.0.1:"), "{shown}");
    assert!(shown.contains("--dir /home/user/workspace"), "{shown}");
    assert!(shown.contains("env 64 opencode\n0\n"), "{shown}");
    assert!(!shown.contains("wht_"), "{shown}");
}

#[test]
fn no_proxy_is_between_it_and_its_door() {
    let script = "#!/bin/sh\necho \"past $NO_PROXY and $no_proxy\"\n";
    let gateway = gateway();
    let mut command = gateway.hands_over(script, &[]);
    command.env("HTTP_PROXY", "http://127.0.0.1:1");
    command.env("NO_PROXY", ".corp");
    let (shown, _) = Seat::at(&command).ends();
    let past = ".corp,127.0.0.1,localhost";
    assert!(
        shown.contains(&format!("past {past} and {past}")),
        "{shown}"
    );
}

#[test]
fn what_it_left_of_the_terminal_is_put_right() {
    let script = "#!/bin/sh\nprintf '\\033[?1049h\\033[?25l\\033[?1003h'\nstty raw -echo\n\
                  echo READY\nkill -KILL $$\n";
    let gateway = gateway();
    let seat = Seat::at(&gateway.hands_over(script, &[]));
    seat.sees("READY");
    // What was there before, and not what the client made of it.
    seat.sees("\u{1b}[?1049l");
    seat.sees("\u{1b}[?1003l");
    seat.sees("\u{1b}[?25h");
    seat.sees("gws_new keeps running");
    assert!(seat.is_plain());
    let (_, status) = seat.ends();
    assert_eq!(status.code(), Some(137));
}

#[test]
fn what_it_changed_is_put_right_also_when_it_ends_well() {
    let gateway = gateway();
    let seat = Seat::at(&gateway.hands_over("#!/bin/sh\nstty raw -echo\nexit 0\n", &[]));
    seat.sees("gws_new keeps running");
    assert!(seat.is_plain());
    let (shown, _) = seat.ends();
    assert!(
        !shown.contains("\u{1b}[?1049l"),
        "nothing is to be cleaned: {shown:?}"
    );
}

#[test]
fn ctrl_c_is_for_it_alone() {
    let script = "#!/bin/sh\ntrap 'echo caught; exit 5' INT\necho READY\nread -r line\nexit 9\n";
    let gateway = gateway();
    let mut seat = Seat::at(&gateway.hands_over(script, &[]));
    seat.sees("READY");
    seat.types("\u{3}");
    seat.sees("caught");
    let (shown, status) = seat.ends();
    assert_eq!(status.code(), Some(5), "{shown}");
    assert_eq!(shown.matches("caught").count(), 1, "{shown}");
}

#[test]
fn what_is_sent_to_us_goes_on_to_it() {
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
    ] {
        let script = format!(
            "#!/bin/sh\ntrap 'echo got {name}; exit 6' {name}\necho READY\nread -r line\nexit 9\n"
        );
        let gateway = gateway();
        let seat = Seat::at(&gateway.hands_over(&script, &[]));
        seat.sees("READY");
        seat.sends(signal);
        seat.sees(&format!("got {name}"));
        let (shown, status) = seat.ends();
        assert_eq!(status.code(), Some(6), "{shown}");
    }
}

#[test]
fn a_signal_that_it_outlives_does_not_end_us_afterwards() {
    let script = "#!/bin/sh\ntrap 'echo got it' TERM\necho READY\n\
                  until read -r line; do :; done\nexit 0\n";
    let gateway = gateway();
    let mut seat = Seat::at(&gateway.hands_over(script, &[]));
    seat.sees("READY");
    seat.sends(Signal::TERM);
    seat.sees("got it");
    seat.types("\n");
    seat.sees("gws_new keeps running");
    assert_eq!(seat.ends().1.code(), Some(0));
}

#[test]
fn it_hears_of_another_size() {
    let script = "#!/bin/sh\ntrap 'stty size; exit 0' WINCH\nstty size\necho READY\n\
                  read -r line\nexit 9\n";
    let gateway = gateway();
    let seat = Seat::at(&gateway.hands_over(script, &[]));
    seat.sees("24 80");
    seat.sees("READY");
    seat.resizes(100, 40);
    seat.sees("40 100");
    assert_eq!(seat.ends().1.code(), Some(0));
}

#[test]
fn it_is_stopped_and_goes_on_as_any_job() {
    let gateway = gateway();
    let script = "#!/bin/sh\nstty -echo\necho READY\nread -r line\necho \"read $line\"\nexit 3\n";
    let wharf = gateway.hands_over(script, &[]);
    let mut shell = Command::new("bash");
    shell
        .args(["--norc", "--noprofile", "-i"])
        .env("PS1", "PROMPT ");
    shell.envs(
        wharf
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    shell.current_dir(wharf.get_current_dir().unwrap());
    let words = wharf.get_args().map(|word| word.to_str().unwrap());
    let words: Vec<_> = std::iter::once(wharf.get_program().to_str().unwrap())
        .chain(words)
        .collect();
    let mut seat = Seat::at(&shell);
    seat.sees("PROMPT ");
    seat.types(&format!("{}\n", words.join(" ")));
    seat.sees("READY");
    seat.types("\u{1a}");
    seat.sees("Stopped");
    seat.sees("PROMPT ");
    seat.types("stty -a | tr ' ' '\\n' | grep -x echo | sed s/^/mode:/\n");
    seat.sees("mode:echo");
    seat.types("fg\n");
    // The shell has said which job it is, and the job has the terminal again.
    seat.sees("--no-sync");
    seat.types("hello\n");
    seat.sees("read hello");
    seat.sees("PROMPT ");
    seat.types("echo code $?; exit\n");
    seat.sees("code 3");
}
