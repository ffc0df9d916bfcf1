//! `wharf approvals`, and `wharf run` where it needs a yes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use crate::home::{Home, filters};
use crate::terminal::on_terminal;

/// It asks, and does no harm: there is no such directory.
const RISKY: [&str; 4] = ["--", "rm", "-rf", "/opt/wharf-no-such-dir"];

fn run(before: &[&'static str]) -> Vec<&'static str> {
    [&["run"], before, &RISKY].concat()
}

/// Asks for the risky command where there is nobody to answer; the approval's id.
fn asked(home: &Home, before: &[&'static str]) -> String {
    let output = home.output(&run(before));
    assert_eq!(output.status.code(), Some(125), "{}", home.show(&output));
    let text = String::from_utf8(output.stderr).unwrap();
    text.split_whitespace()
        .find(|word| word.starts_with("apr_"))
        .unwrap()
        .to_owned()
}

#[test]
fn somebodys_yes_lets_the_same_command_run_once() {
    let home = Home::new();
    let _filters = filters();
    home.ok(&["run", "--", "true"]);
    let id = asked(&home, &[]);
    let listed = home.ok(&["approvals", "list"]);
    assert!(
        listed.contains(&id) && listed.contains("pending"),
        "{listed}"
    );

    insta::assert_snapshot!(home.seen(&["approvals", "show", &id]), @r"
    approval   APPROVAL
    state      pending
    command    rm -rf /opt/wharf-no-such-dir
    directory  HOME/work
    target     local
    asked by   local
    asked      TIME
    ends       TIME
    because    delete-outside
    pattern    rm -rf /opt/wharf-no-such-dir
    --- stderr
    --- exit 0
    ");
    let refused = home.output(&["approvals", "approve", &id]);
    assert_eq!(refused.status.code(), Some(8), "nobody said -y");
    insta::assert_snapshot!(home.seen(&["approvals", "approve", &id, "-y"]), @r"
    --- stderr
    approval   APPROVAL
    state      pending
    command    rm -rf /opt/wharf-no-such-dir
    directory  HOME/work
    target     local
    asked by   local
    asked      TIME
    ends       TIME
    because    delete-outside
    pattern    rm -rf /opt/wharf-no-such-dir
    wharf: approved APPROVAL: until TIME the same request passes, once
    --- exit 0
    ");
    home.ok(&run(&[]));
    assert_ne!(asked(&home, &[]), id, "it was used");

    insta::assert_snapshot!(home.seen(&["approvals", "approve", &id, "-y"]), @r"
    --- stderr
    error[conflict]: APPROVAL was used, approved by local, and cannot be given again
    --- exit 6
    ");
    let all = home.ok(&["approvals", "list", "--all", "--json"]);
    assert!(all.contains(r#""state":"used""#), "{all}");
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_no_says_why() {
    let home = Home::new();
    let _filters = filters();
    home.ok(&["run", "--", "true"]);
    let (mut waits, id) = waiting(&home);
    home.ok(&[
        "approvals",
        "deny",
        &id,
        "--reason",
        "it is\u{1b}[2J needed",
    ]);
    let mut said = String::new();
    waits
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(waits.wait().unwrap().code(), Some(125));
    assert!(
        said.contains("error[approval_denied]: not run: local said no: it is␛[2J needed"),
        "{said}"
    );
}

#[test]
fn who_waits_goes_on_after_the_yes() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let (mut waits, id) = waiting(&home);
    let (_, code) = on_terminal(home.wharf(&["approvals", "approve", &id]), "y\n");
    assert_eq!(code, Some(0));
    assert_eq!(waits.wait().unwrap().code(), Some(0));
    let shown = home.ok(&["approvals", "show", &id, "--json"]);
    assert!(shown.contains(r#""state":"used""#), "{shown}");
}

#[test]
fn waiting_has_an_end() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let seen = home.seen(&run(&["--wait=1s"]));
    assert!(
        seen.contains("error[approval_required]: not run: nobody has answered"),
        "{seen}"
    );
    assert!(seen.ends_with("--- exit 125"), "{seen}");
}

/// `wharf run --wait`, up to where it waits; with the approval's id.
fn waiting(home: &Home) -> (Child, String) {
    let mut command = home.wharf(&run(&["--wait=5m"]));
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting for a yes") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it does not wait");
    }
    let id = line.rsplit(' ').next().unwrap().trim().to_owned();
    child.stderr = Some(lines.into_inner());
    (child, id)
}

#[test]
fn a_yes_for_a_session_holds_in_it_until_it_is_taken_back() {
    let home = Home::new();
    home.ok(&["session", "create", "work"]);
    let id = asked(&home, &["-s", "work"]);
    home.ok(&["approvals", "approve", &id, "--session", "-y"]);
    home.ok(&run(&["-s", "work"]));
    home.ok(&run(&["-s", "work"]));
    let grants = home.ok(&["approvals", "list", "--grants"]);
    assert!(
        grants.contains(&id) && grants.contains("session work"),
        "{grants}"
    );
    asked(&home, &[]);
    home.ok(&["approvals", "revoke", &id]);
    asked(&home, &["-s", "work"]);
    let gone = home.output(&["approvals", "revoke", &id]);
    assert_eq!(gone.status.code(), Some(5));
}

#[test]
fn a_pattern_is_shown_with_what_it_would_have_matched() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let id = asked(&home, &[]);
    asked(&home, &[]);
    let pattern = [
        "approvals",
        "approve",
        &id,
        "--pattern",
        "rm -rf /opt/wharf-no-such-dir",
    ];
    let (shown, code) = on_terminal(home.wharf(&pattern), "n\n");
    assert_eq!(code, Some(8), "{shown}");
    assert!(
        shown.contains("would have matched 2 of your latest 3 runs, 2 of them"),
        "{shown}"
    );
    assert!(
        shown.contains("2x  rm -rf /opt/wharf-no-such-dir"),
        "{shown}"
    );
    let (shown, code) = on_terminal(home.wharf(&pattern), "y\n");
    assert_eq!(code, Some(0), "{shown}");
    home.ok(&run(&[]));
    home.ok(&run(&[]));
    let wrong = home.output(&["approvals", "approve", &id, "--pattern", "rm <wrod>", "-y"]);
    assert_eq!(wrong.status.code(), Some(6), "it is over");
}

#[test]
fn where_somebody_else_must_say_yes_nobody_is_asked() {
    let home = Home::new();
    std::fs::create_dir(home.path("policy")).unwrap();
    let rules = "[approvals]\nrequester_may_approve = false\n";
    std::fs::write(home.path("policy/policy.toml"), rules).unwrap();
    home.ok(&["run", "--", "true"]);
    let (shown, code) = on_terminal(home.wharf(&run(&[])), "y\n");
    assert!(!shown.contains("Run it?"), "{shown}");
    assert!(
        shown.contains("the policy wants the yes of somebody else"),
        "{shown}"
    );
    assert!(shown.contains("wharf approvals approve apr_"), "{shown}");
    assert_eq!(code, Some(125));
    let id = asked(&home, &[]);
    let own = home.output(&["approvals", "approve", &id, "-y"]);
    assert_eq!(own.status.code(), Some(6), "{}", home.show(&own));
}

#[test]
fn for_programs_the_refusal_names_the_approval() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let output = home.output(&run(&["--json"]));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(r#""code":"approval_required""#), "{error}");
    assert!(
        error.contains(r#""approval":{"#) && error.contains(r#""id":"apr_"#),
        "{error}"
    );
}
