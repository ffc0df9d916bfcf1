//! `wharf host`, and commands on hosts, with a real SSH server.

use std::fs;
use std::process::Command;

use serde_json::Value;
use wharf_testkit::TestHost;

use crate::home::{Home, filters};
use crate::terminal::on_terminal;

/// A home whose server is the person that the host lets in.
pub(crate) struct Away {
    pub(crate) home: Home,
    pub(crate) host: TestHost,
}

impl Away {
    /// None where no SSH server is installed.
    pub(crate) fn new() -> Option<Self> {
        let host = TestHost::start("")?;
        // The file of known hosts is named by the configuration, and names are to be read.
        let config = format!(
            "Host *\n  HashKnownHosts no\n  UserKnownHostsFile {}\n",
            host.known_hosts().display()
        );
        fs::write(host.person().join(".ssh/config"), config).unwrap();
        let home = Home::new();
        Some(Self { home, host })
    }

    /// `wharf ARGS` as the person.
    pub(crate) fn wharf(&self, args: &[&str]) -> Command {
        let mut command = self.home.wharf(args);
        command.env("HOME", self.host.person());
        command
    }

    pub(crate) fn seen(&self, args: &[&str]) -> String {
        let shown = self.home.show(&self.wharf(args).output().unwrap());
        self.same_everywhere(&shown)
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.wharf(args).output().unwrap();
        let shown = self.home.show(&output);
        let read = serde_json::from_slice(&output.stdout);
        assert!(read.is_ok(), "{args:?}: {shown}");
        read.unwrap()
    }

    pub(crate) fn add(&self, name: &str, more: &[&str]) -> String {
        let address = format!("{}@127.0.0.1:{}", self.host.user(), self.host.port());
        let key = self.host.key().display().to_string();
        let args = ["host", "add", name, &address, "--identity", &key, "-v"];
        self.seen(&[&args, more].concat())
    }

    /// What differs from machine to machine.
    fn same_everywhere(&self, shown: &str) -> String {
        let person = self.host.person();
        shown
            .replace(&person.display().to_string(), "PERSON")
            .replace(&self.host.key().display().to_string(), "KEY")
            .replace(&format!("{}@", self.host.user()), "USER@")
            .replace(&format!(":{}", self.host.port()), ":SSHPORT")
    }
}

/// Columns are as wide as what differs from machine to machine.
fn spaced(shown: &str) -> String {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    shown.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn without_prints(shown: &str) -> String {
    let words = shown.split_inclusive([' ', '\n']);
    let same = words.map(|word| match word.strip_prefix("SHA256:") {
        Some(rest) => {
            let end =
                rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "+/".contains(c));
            format!("SHA256:PRINT{end}")
        }
        None => word.to_owned(),
    });
    same.collect()
}

#[test]
fn a_host_is_added_listed_shown_tried_and_forgotten() {
    let Some(away) = Away::new() else { return };
    let _filters = filters();
    let more = ["--group", "web", "--group", "eu", "--note", "the first"];
    let added = away.add("web-1", &more);
    assert!(
        added.contains("wharf: added web-1; try it: wharf host test web-1"),
        "{added}"
    );
    assert!(away.add("web-1", &more).contains("wharf: changed web-1"));
    insta::assert_snapshot!(spaced(&away.seen(&["host", "list"])), @r"
    HOST ADDRESS GROUPS SYSTEM NOTE
    web-1 USER@127.0.0.1:SSHPORT eu web the first
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(away.seen(&["host", "show", "web-1"]), @r"
    host       web-1
    address    USER@127.0.0.1:SSHPORT
    identity   KEY
    groups     eu web
    note       the first
    added      TIME by local
    seen       never; wharf host test looks
    --- stderr
    --- exit 0
    ");

    let tried = without_prints(&away.seen(&["host", "test", "web-1"]));
    assert!(tried.starts_with("ok    web-1  round trip "), "{tried}");
    assert!(
        tried.contains("SHA256:PRINT") && tried.ends_with("--- exit 0"),
        "{tried}"
    );
    let all = away.json(&["host", "test", "--all", "--json"]);
    assert_eq!(all["hosts"][0]["ok"], true, "{all}");
    let lost = away.seen(&["host", "test", "web-1", "no-such-host.invalid"]);
    assert!(
        lost.contains("FAIL  no-such-host.invalid  resolve: "),
        "{lost}"
    );
    assert!(lost.ends_with("--- exit 1"), "{lost}");
    assert!(
        away.seen(&["host", "list", "--group", "eu"])
            .contains("web-1")
    );
    let shown = away.json(&["host", "show", "web-1", "--json"]);
    assert_eq!(shown["facts"]["user"], away.host.user());

    insta::assert_snapshot!(away.seen(&["host", "rm", "web-1", "-v"]), @r"
    --- stderr
    wharf: forgot web-1
    --- exit 0
    ");
    insta::assert_snapshot!(away.seen(&["host", "show", "web-1"]), @r#"
    --- stderr
    error[not_found]: There is no host "web-1".
    --- exit 5
    "#);
    insta::assert_snapshot!(away.seen(&["host", "test", "--group", "eu"]), @r"
    --- stderr
    error[not_found]: there is no such host
      hint: wharf host list --json shows hosts and their groups
    --- exit 5
    ");
    insta::assert_snapshot!(away.seen(&["host", "add", "a/b", "web"]), @r"
    --- stderr
    error[invalid_request]: name: must be 1 to 64 letters, digits and . _ - and start with a letter or digit
    --- exit 2
    ");
}

#[test]
fn an_unknown_key_is_shown_compared_and_trusted() {
    let Some(away) = Away::new() else { return };
    let _filters = filters();
    away.add("web-1", &[]);
    let known = away.host.known_hosts();
    fs::write(&known, "").unwrap();
    let refused = without_prints(&away.seen(&["run", "--host", "web-1", "-v", "--", "true"]));
    insta::assert_snapshot!(refused, @r"
    --- stderr
    web-1:SSHPORT: the host key is not known: [127.0.0.1]:SSHPORT shows the ssh-ed25519 key SHA256:PRINT. Nothing was sent. Compare the fingerprint with the one that the machine's owner gives, then add the key to PERSON/.ssh/known_hosts: wharf host trust web-1:SSHPORT
    --- exit 255
    ");
    let nobody = away.seen(&["host", "trust", "web-1", "--no-input"]);
    insta::assert_snapshot!(without_prints(&nobody), @r"
    --- stderr
    web-1 shows the ssh-ed25519 key SHA256:PRINT
    error[approval_required]: not trusted: there is nobody to ask here
      hint: once it is compared: wharf host trust web-1 --fingerprint SHA256:PRINT
    --- exit 8
    ");
    assert_eq!(fs::read_to_string(&known).unwrap(), "");

    let (shown, code) = on_terminal(away.wharf(&["host", "trust", "web-1"]), "n\n");
    assert_eq!(code, Some(8), "{shown}");
    let print = shown
        .split_whitespace()
        .find(|word| word.starts_with("SHA256:"));
    let print = print.unwrap().to_owned();
    let (shown, code) = on_terminal(away.wharf(&["host", "trust", "web-1"]), "y\n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("the key of web-1 is trusted now, by "),
        "{shown}"
    );
    let done = away.seen(&["run", "--host", "web-1", "--", "echo", "in"]);
    assert_eq!(done, "in\n--- stderr\n--- exit 0");

    // Another key is replaced only where the one on record is named.
    let other = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let port = away.host.port();
    fs::write(&known, format!("[127.0.0.1]:{port} ssh-ed25519 {other}\n")).unwrap();
    let changed = away.seen(&["host", "trust", "web-1", "--no-input"]);
    insta::assert_snapshot!(without_prints(&changed), @r"
    --- stderr
    web-1 shows the ssh-ed25519 key SHA256:PRINT
    on record is SHA256:PRINT (PERSON/.ssh/known_hosts:1)
    error[conflict]: another key is on record; nothing was changed
      hint: somebody may be between you and the machine: ask its owner
      hint: if it was set up anew: wharf host trust web-1 --replace SHA256:PRINT
    --- exit 6
    ");
    let old = changed.rsplit("--replace ").next().unwrap();
    let old = old.split_whitespace().next().unwrap().to_owned();
    let replaced = [
        "host",
        "trust",
        "web-1",
        "--fingerprint",
        &print,
        "--replace",
        &old,
    ];
    insta::assert_snapshot!(away.seen(&replaced), @r"
    --- stderr
    wharf: the key of web-1 is trusted now, by PERSON/.ssh/known_hosts
    --- exit 0
    ");
}

#[test]
fn one_host_is_as_this_machine() {
    let Some(away) = Away::new() else { return };
    let _filters = filters();
    away.add("web-1", &[]);
    let run = [
        "run",
        "--host",
        "web-1",
        "--",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 3",
    ];
    insta::assert_snapshot!(away.seen(&run), @r"
    out
    --- stderr
    err
    --- exit 3
    ");
    let mut fed = away.wharf(&["run", "--host", "web-1,web-1", "--", "cat"]);
    let input = away.home.path("input");
    fs::write(&input, "given\n").unwrap();
    fed.stdin(fs::File::open(&input).unwrap());
    assert_eq!(fed.output().unwrap().stdout, b"given\n");
    let nowhere = away.seen(&["run", "--host", "no-such-host.invalid", "--", "true"]);
    assert!(nowhere.ends_with("--- exit 255"), "{nowhere}");

    assert!(
        away.seen(&["session", "create", "far", "--host", "web-1"])
            .starts_with("far\n")
    );
    away.seen(&["run", "-s", "far", "--", "cd", "/usr"]);
    let there = away.seen(&["run", "-s", "far", "--", "pwd"]);
    assert_eq!(there, "/usr\n--- stderr\n--- exit 0");
    insta::assert_snapshot!(away.seen(&["session", "list"]), @r"
    SESSION  TARGET       COMMANDS  LAST USED                 DIRECTORY  RUNNING
    far      ssh://web-1  2         TIME  /usr
    --- stderr
    --- exit 0
    ");
    let shown = away.seen(&["session", "show", "far"]);
    assert!(shown.contains("\ntarget     ssh://web-1\n"), "{shown}");
}

#[test]
fn many_hosts_are_grouped_by_what_they_gave() {
    let Some(away) = Away::new() else { return };
    let _filters = filters();
    for name in ["a", "b", "c"] {
        away.add(name, &["--group", "all"]);
    }
    insta::assert_snapshot!(away.seen(&["run", "--group", "all", "--", "echo", "same"]), @r"
    == a, b, c (3 hosts, exit 0)
    same
    --- stderr
    HOST  EXIT  TOOK    ERROR
    a     0     N s
    b     0     N s
    c     0     N s
    --- exit 0
    ");
    // Each is a session's name to itself only: the address is one, the port they came by is not.
    let differs = "case $SSH_CONNECTION in *) echo no >&2; exit 4;; esac";
    let failed = [
        "run",
        "--host",
        "a,no-such-host.invalid,b",
        "--shell",
        differs,
    ];
    let shown = away.seen(&failed);
    assert!(
        shown.starts_with("== a, b (2 hosts, exit 4)\n--- stderr\na, b:\nno\n"),
        "{shown}"
    );
    assert!(shown.contains("\nno-such-host.invalid  255 "), "{shown}");
    assert!(shown.ends_with("--- exit 255"), "{shown}");
    insta::assert_snapshot!(away.seen(&["run", "--host", "a,b", "--shell", "exit 4"]), @r"
    == a, b (2 hosts, exit 4)
    --- stderr
    HOST  EXIT  TOOK    ERROR
    a     4     N s  exited with 4
    b     4     N s  exited with 4
    --- exit 4
    ");

    let stopped = [
        "run",
        "--group",
        "all",
        "--parallel",
        "1",
        "--fail-fast",
        "--",
        "false",
    ];
    insta::assert_snapshot!(away.seen(&stopped), @r"
    == a (exit 1)
    --- stderr
    HOST  EXIT  TOOK    ERROR
    a     1     N s  exited with 1
    b     -     -       not started
    c     -     -       not started
    wharf: not started: b, c
    --- exit 1
    ");
    let all = away.json(&["run", "--group", "all", "--json", "--", "echo", "x"]);
    assert_eq!(all["exit_code"], 0, "{all}");
    let hosts = all["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 3);
    for host in hosts {
        assert_eq!(
            (&host["state"], &host["answer"]["stdout"]),
            (&"done".into(), &"x\n".into())
        );
    }
    insta::assert_snapshot!(away.seen(&["run", "--group", "none", "--", "true"]), @r"
    --- stderr
    error[not_found]: no host is in the group none
      hint: wharf host list shows hosts and their groups
    --- exit 125
    ");
    insta::assert_snapshot!(away.seen(&["run", "--host", "a,b", "--data", "--", "df"]), @r"
    --- stderr
    error[usage]: --data is for one host; run it on each of them
    --- exit 125
    ");
}

#[test]
fn each_host_is_asked_about() {
    let Some(away) = Away::new() else { return };
    let _filters = filters();
    for name in ["a", "b"] {
        away.add(name, &["--group", "all"]);
    }
    let text = "eval \"$NOTHING\"; echo ran";
    let nobody = away.seen(&["run", "--group", "all", "--no-input", "--shell", text]);
    assert!(
        nobody.contains("\na:\n") && nobody.contains("\nb:\n"),
        "{nobody}"
    );
    assert!(nobody.ends_with("--- exit 125"), "{nobody}");
    // The first question gets a yes, the second gets no answer.
    let (shown, code) = on_terminal(
        away.wharf(&["run", "--group", "all", "--shell", text]),
        "y\n\u{4}",
    );
    assert!(
        shown.contains("(exit 0)\n") && shown.contains("not run"),
        "{shown}"
    );
    assert_eq!(code, Some(125), "{shown}");
}
