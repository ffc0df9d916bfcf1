//! `wharf serve`

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::home::{Home, filters};

fn serve(home: &Home, args: &[&str]) -> (Child, BufReader<ChildStdout>, String) {
    let mut command = home.wharf(&["serve"]);
    let mut child = command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    (child, out, line)
}

fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_first_line_says_where_and_then_it_answers() {
    let home = Home::new();

    let (mut child, mut out, line) = serve(&home, &["--port", "0"]);

    let address = line
        .strip_prefix("listening on http://")
        .unwrap()
        .trim_end()
        .to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{line}");
    assert!(get(&address, "/health").starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/api/sessions").starts_with("HTTP/1.1 401"));
    for file in [
        "state/token",
        "state/seal.key",
        "state/server.json",
        "data/wharf.db",
        "data/server.id",
    ] {
        let mode = std::fs::metadata(home.path(file))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }

    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!home.path("state/server.json").exists());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn stopping_waits_for_a_command_and_a_second_signal_does_not() {
    let home = Home::new();
    let (mut server, _out, _) = serve(&home, &[]);
    let mut run = home.wharf(&[
        "run",
        "--",
        "sh",
        "-c",
        "trap '' TERM; echo here; sleep 1000",
    ]);
    let mut run = run
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "here\n");

    let begun = std::time::Instant::now();
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    // It has stopped listening when the registration is gone; the command goes on.
    while home.path("state/server.json").exists() {
        assert!(begun.elapsed().as_secs() < 30);
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&server), Signal::INT).unwrap();
    server.wait().unwrap();
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
    assert_ne!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn a_taken_port_is_explained() {
    let home = Home::new();
    let _filters = filters();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();

    let seen = home.seen(&["serve", "--port", &port]);

    insta::assert_snapshot!(seen.replace(&port, "PORT"), @r"
    --- stderr
    error[conflict]: port PORT is taken by OTHER (pid PID)
      hint: choose another with --port, or any free one with --port 0
    --- exit 6
    ");
}

#[test]
fn a_data_directory_has_one_server() {
    let home = Home::new();
    let _filters = filters();
    home.ok(&["serve", "--background"]);
    insta::assert_snapshot!(home.seen(&["serve", "--port", "0"]), @r"
    --- stderr
    error[conflict]: HOME/data is in use by wharf 0.1.0, pid PID, started TIME, at http://127.0.0.1:PORT
      hint: wharf run uses that server; wharf serve --stop ends it
      hint: WHARF_HOME=DIR gives another server a place of its own
    --- exit 6
    ");
}

#[test]
fn other_machines_are_not_let_in_by_accident() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["serve", "--listen", "0.0.0.0"]), @r"
    --- stderr
    error[usage]: 0.0.0.0 can be reached from other machines, and this version has no encryption: tokens, commands and output would cross the network readable
      hint: keep to the loopback and reach it through ssh -L 7304:127.0.0.1:7304 HOST
      hint: or, in a network that you trust, add --allow-plain-http
    --- exit 2
    ");
    let mut command = home.wharf(&["serve", "--listen", "0.0.0.0", "--allow-plain-http"]);
    let output = command.env("BYPASS_AUTH", "true").output().unwrap();
    insta::assert_snapshot!(home.show(&output), @r"
    --- stderr
    error[usage]: 0.0.0.0 can be reached from other machines; asking for no token is for the loopback only
      hint: unset BYPASS_AUTH, or listen on 127.0.0.1
    --- exit 2
    ");
}

#[test]
fn in_the_background_it_goes_on_until_it_is_stopped() {
    let home = Home::new();
    let _filters = filters();

    insta::assert_snapshot!(home.seen(&["serve", "--background", "-v"]), @r"
    listening on http://127.0.0.1:PORT
    --- stderr
    wharf: pid PID; wharf serve --stop ends it
    --- exit 0
    ");
    assert_eq!(home.ok(&["run", "--", "echo", "hi"]), "hi\n");
    insta::assert_snapshot!(home.seen(&["serve", "--stop", "-v"]), @r"
    --- stderr
    wharf: stopped wharf 0.1.0, pid PID
    --- exit 0
    ");
    assert_eq!(home.server_pid(), None);
    insta::assert_snapshot!(home.seen(&["serve", "--stop", "-v"]), @r"
    --- stderr
    wharf: no server runs on this machine
    --- exit 0
    ");
}

#[test]
fn a_server_in_the_background_that_cannot_start_says_why() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("data")).unwrap();
    std::fs::write(
        home.path("data/wharf.db"),
        "this is no database at all, but it is long enough",
    )
    .unwrap();

    let output = home.output(&["run", "--", "true"]);

    assert_eq!(output.status.code(), Some(125));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("none could be started") && said.contains("cannot open the database"),
        "{said}"
    );
    assert_eq!(home.server_pid(), None);
}

#[test]
fn the_older_names_are_understood_also_from_a_file() {
    let home = Home::new();
    std::fs::write(home.path("config.toml"), "").unwrap();
    std::fs::write(
        home.work().join(".env"),
        "FASTAPI_PORT=0\nBYPASS_AUTH=true\n",
    )
    .unwrap();

    let (mut child, _out, line) = serve(&home, &[]);

    let address = line
        .strip_prefix("listening on http://")
        .unwrap()
        .trim_end()
        .to_owned();
    assert_ne!(address, "127.0.0.1:7304");
    assert!(get(&address, "/api/sessions").starts_with("HTTP/1.1 200"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(
        said.contains("serve.bypass_auth = true by BYPASS_AUTH in"),
        "{said}"
    );
}

#[test]
fn a_server_does_not_start_with_settings_that_it_does_not_understand() {
    let home = Home::new();
    std::fs::write(
        home.path("config.toml"),
        "[serve]\nalow_plain_http = true\n",
    )
    .unwrap();
    insta::assert_snapshot!(home.seen(&["serve"]), @r"
    --- stderr
    error[usage]: HOME/config.toml: serve.alow_plain_http is no setting; did you mean serve.allow_plain_http?
      hint: a server does not start with settings that it does not understand
    --- exit 2
    ");
}

#[test]
fn the_environment_of_the_server_is_not_the_command_s() {
    let home = Home::new();
    let mut start = home.wharf(&["serve", "--background"]);
    start
        .env("SECRET_OF_THE_SERVER", "x")
        .env("PASSED", "y")
        .env("WHARF_ENV_PASS", "PASSED");
    assert!(start.output().unwrap().status.success());

    let env = home.ok(&["run", "--", "env"]);

    assert!(
        !env.contains("SECRET_OF_THE_SERVER") && !env.contains("WHARF_"),
        "{env}"
    );
    assert!(env.contains("PASSED=y\n") && env.contains("PATH="), "{env}");
}

#[test]
fn after_a_crash_the_next_run_starts_a_new_server() {
    let home = Home::new();
    assert_eq!(home.ok(&["run", "--", "echo", "1"]), "1\n");
    let crashed = home.server_pid().unwrap();
    kill_process(
        Pid::from_raw(i32::try_from(crashed).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();

    assert_eq!(home.ok(&["run", "--", "echo", "2"]), "2\n");

    assert_ne!(home.server_pid(), Some(crashed));
    assert!(home.ok(&["audit", "verify"]).starts_with("ok"));
}

#[test]
fn the_log_has_a_file_for_each_area_and_no_secrets() {
    let home = Home::new();
    home.ok(&["serve", "--background", "--log-format", "json"]);
    home.ok(&[
        "run",
        "--env",
        "TOKEN=hunter2",
        "--",
        "echo",
        "password=hunter3",
    ]);
    let token = home.ok(&["auth", "token"]);
    home.ok(&["serve", "--stop"]);

    let mut areas = Vec::new();
    for entry in std::fs::read_dir(home.path("state/logs")).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for secret in [token.trim(), "hunter2", "hunter3"] {
            assert!(!text.contains(secret), "{:?}: {text}", entry.path());
        }
        let name = entry.file_name().to_str().unwrap().to_owned();
        if name != "start.log" {
            assert!(text.lines().all(|line| line.starts_with('{')), "{text}");
            areas.push(name.split('.').next().unwrap().to_owned());
        }
    }
    areas.sort();
    assert_eq!(areas, ["api", "audit", "command", "decision", "system"]);
}
