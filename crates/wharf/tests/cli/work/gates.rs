//! Gates that do not open: what is said, the exit code, and that nothing behind them was touched.

use serde_json::json;

use super::gateway::{Gateway, Says, created, sandbox};
use super::seat::Seat;
use crate::home::{Home, filters};

#[test]
fn an_agent_needs_a_terminal() {
    let gateway = Gateway::that(Says::default());
    insta::assert_snapshot!(gateway.seen(&[]), @r"
    --- stderr
    error[usage]: an agent needs a terminal, and there is none
      hint: wharf --no-attach makes the sandbox and takes the directory there
      hint: wharf ssh ID -- COMMAND runs a command in it without a terminal
    --- exit 2
    ");
    assert_eq!(gateway.asked(), Vec::<String>::new());
}

#[test]
fn a_word_that_is_no_command_is_a_directory_or_wrong() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["sesion", "list"]), @r"
    --- stderr
    error[usage]: there is no command sesion
      hint: did you mean wharf session? wharf ./sesion means a directory
    --- exit 2
    ");
    insta::assert_snapshot!(home.seen(&["snyc", "--check"]), @r"
    --- stderr
    error[usage]: there is no command snyc
      hint: did you mean wharf sync? wharf ./snyc means a directory
    --- exit 2
    ");
    insta::assert_snapshot!(home.seen(&["frobnicate"]), @r"
    --- stderr
    error[usage]: frobnicate is no command, and there is no such directory here
      hint: wharf --help lists the commands; wharf ./NAME means a directory
    --- exit 2
    ");
    insta::assert_snapshot!(home.seen(&["--new", "session", "list"]), @r"
    --- stderr
    error[usage]: a flag of the bare wharf stands before a command
      hint: wharf [PATH] takes a directory into a sandbox; the flags of a command go behind it
    --- exit 2
    ");
}

#[test]
fn home_and_root_and_our_own_state_are_not_taken() {
    let gateway = Gateway::that(Says::default());
    for (path, why) in [
        ("/", "it is the whole machine"),
        ("..", "it is the home directory"),
        ("../state", "it holds the logins and keys of Wharf"),
    ] {
        std::fs::create_dir_all(gateway.home.path("state")).unwrap();
        let said = gateway.seen(&["--no-attach", path]);
        assert!(said.contains(why), "{path}: {said}");
        assert!(said.ends_with("exit 2"), "{path}: {said}");
    }
    assert_eq!(gateway.asked(), Vec::<String>::new());
}

#[test]
fn without_a_server_nothing_is_started_unasked() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["--no-attach"]), @r"
    --- stderr
    error[login_required]: no server is known here
      hint: wharf serve --background starts one on this machine
      hint: wharf auth login --api-url https://wharf.example.com uses another
    --- exit 4
    ");
    assert_eq!(home.server_pid(), None);
}

#[test]
fn an_unknown_login_and_an_outage_are_told_apart() {
    let _filters = filters();
    let unknown = Gateway::that(Says {
        me: 401,
        ..Says::default()
    });
    let said = unknown.seen(&["--no-attach"]);
    assert!(
        said.contains("the server does not know this login"),
        "{said}"
    );
    assert!(said.ends_with("exit 4"), "{said}");
    assert_eq!(unknown.asked(), ["GET /api/v1/auth/me"]);

    for status in [429, 500, 503] {
        let away = Gateway::that(Says {
            me: status,
            ..Says::default()
        });
        let said = away.seen(&["--no-attach"]);
        assert!(
            said.contains("the server is not reached"),
            "{status}: {said}"
        );
        assert!(said.ends_with("exit 9"), "{status}: {said}");
    }
    let nobody = Home::new();
    let mut command = nobody.wharf(&["--no-attach", "--api-url", "http://127.0.0.1:1"]);
    let said = nobody.show(&command.env("WHARF_TOKEN", "whk_x").output().unwrap());
    assert!(
        said.contains("nothing is lost: the login is kept"),
        "{said}"
    );
    assert!(said.ends_with("exit 9"), "{said}");
}

#[test]
fn a_session_that_is_not_made_is_the_end() {
    let refused = |status: u16, body| {
        Gateway::that(Says {
            created: (status, body),
            ..Says::default()
        })
    };
    let credit = refused(
        402,
        json!({ "error": "No credit is left.", "details": { "billingCode": "no_credits" } }),
    );
    let said = credit.seen(&["--no-attach"]);
    assert!(
        said.contains("error[no_credits]: No credit is left."),
        "{said}"
    );
    assert!(said.ends_with("exit 1"), "{said}");

    let nowhere = refused(201, created(None));
    let said = nowhere.seen(&["--no-attach"]);
    assert!(
        said.contains("does not say how gws_new is reached by SSH"),
        "{said}"
    );
    assert!(said.ends_with("exit 1"), "{said}");
}

#[test]
fn a_sandbox_that_is_not_reached_is_a_warning_of_sync() {
    let gateway = Gateway::that(Says::default());
    let said = gateway.seen(&["--no-attach"]);
    assert!(said.starts_with("gws_new\n"), "{said}");
    assert!(
        said.contains("! sync      failed: the sandbox gws_new at 127.0.0.1:1 is not"),
        "{said}"
    );
    assert!(said.ends_with("exit 0"), "{said}");

    // Whoever wants no words and whoever reads the document hears of it too.
    let said = gateway.seen(&["--no-attach", "-q"]);
    assert!(said.contains("! sync      failed: "), "{said}");
    let output = gateway.wharf(&["--no-attach", "--json"]).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["sync"], serde_json::Value::Null);
    let why = said["sync_error"].as_str().unwrap();
    assert!(why.starts_with("the sandbox gws_new at "), "{why}");
}

#[test]
fn the_sandbox_that_is_there_is_offered() {
    let says = || Says {
        sandboxes: vec![
            sandbox("gws_old", "running"),
            sandbox("gws_gone", "stopped"),
        ],
        ..Says::default()
    };
    let makes = |gateway: &Gateway| {
        gateway
            .asked()
            .iter()
            .any(|path| path == "POST /proliferate/sessions")
    };
    // Nobody is there to be asked.
    let gateway = Gateway::that(says());
    let said = gateway.seen(&["--no-attach", "--no-sync"]);
    assert!(said.starts_with("gws_old\n") && !makes(&gateway), "{said}");

    for (answer, is_made) in [("\n", false), ("y\n", false), ("n\n", true)] {
        let gateway = Gateway::that(says());
        let mut seat = Seat::at(&gateway.wharf(&["--no-attach", "--no-sync"]));
        seat.sees("gws_old of this directory is running");
        seat.sees("[Y/n] ");
        seat.types(answer);
        let (shown, status) = seat.ends();
        assert_eq!(status.code(), Some(0), "{shown}");
        assert_eq!(makes(&gateway), is_made, "{answer:?}: {shown}");
    }

    let gateway = Gateway::that(says());
    let said = gateway.seen(&["--no-attach", "--no-sync", "--new"]);
    assert!(said.starts_with("gws_new\n") && makes(&gateway), "{said}");
    let gateway = Gateway::that(says());
    let said = gateway.seen(&["--no-attach", "--no-sync", "--resume=gws_this"]);
    assert!(said.starts_with("gws_this\n"), "{said}");
    // This device's key may be another one by now.
    let asked = gateway.asked();
    let admits = "POST /api/sandboxes/gws_this/keys";
    assert!(asked.iter().any(|it| it == admits), "{asked:?}");
    let none = Gateway::that(Says::default());
    let said = none.seen(&["--no-attach", "--no-sync", "--resume"]);
    assert!(said.ends_with("exit 5"), "{said}");
}

#[test]
fn variables_go_along_by_their_names() {
    let gateway = Gateway::that(Says {
        sandboxes: vec![sandbox("gws_old", "running")],
        ..Says::default()
    });
    let seen = |args: &[&str]| {
        let ready = ["--no-attach", "--no-sync", "-v"];
        let mut command = gateway.wharf(&[&ready, args].concat());
        command
            .env("SHOP_KEY", "hunter2")
            .env("WHARF_WORK_ENV", "SHOP_URL");
        gateway.home.show(&command.output().unwrap())
    };
    let said = seen(&["--new", "--env", "SHOP_KEY", "--env", "SHOP_NONE"]);
    assert!(
        said.contains("! env       not taken: SHOP_NONE is not set here, SHOP_URL is not set"),
        "{said}"
    );
    assert!(
        said.contains("env       SHOP_KEY of this machine"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");

    // Nothing is added to one that goes on.
    let said = seen(&["--resume", "--env", "SHOP_KEY"]);
    assert!(
        said.contains("! env       --env is for a new sandbox"),
        "{said}"
    );
    let said = seen(&["--resume"]);
    assert!(!said.contains(" env "), "{said}");

    let asked = gateway.asked();
    let said = seen(&["--new", "--env", "SHOP_KEY=hunter3"]);
    assert!(said.contains("no value: SHOP_KEY"), "{said}");
    assert!(
        !said.contains("hunter3") && said.ends_with("exit 2"),
        "{said}"
    );
    assert_eq!(gateway.asked(), asked);
}

#[test]
fn the_sandbox_of_another_directory_takes_a_yes() {
    let mut theirs = sandbox("gws_theirs", "running");
    theirs["local_path_hash"] = json!("0123456789abcdef");
    theirs["display_name"] = json!("shop");
    let says = Says {
        sandboxes: vec![theirs],
        ..Says::default()
    };
    let connects = |gateway: &Gateway| {
        let asked = gateway.asked();
        asked.iter().any(|it| it == "GET /proliferate/gws_theirs")
    };
    let gateway = Gateway::that(says.clone());
    let said = gateway.seen(&["--no-attach", "--resume=gws_theirs"]);
    assert!(
        said.contains("gws_theirs is of another directory: shop"),
        "{said}"
    );
    assert!(said.ends_with("exit 6"), "{said}");
    assert!(!connects(&gateway), "{said}");

    for (answer, goes_on) in [("\n", false), ("y\n", true)] {
        let gateway = Gateway::that(says.clone());
        let mut seat = Seat::at(&gateway.wharf(&["--no-attach", "--resume=gws_theirs"]));
        seat.sees("Take this one there as well? [y/N] ");
        seat.types(answer);
        let (shown, status) = seat.ends();
        assert_eq!(connects(&gateway), goes_on, "{shown}");
        assert_eq!(status.code() == Some(6), !goes_on, "{shown}");
    }
    let gateway = Gateway::that(says);
    let said = gateway.seen(&["--no-attach", "--no-sync", "--resume=gws_theirs"]);
    assert!(said.ends_with("exit 0"), "{said}");
}

#[test]
fn json_is_one_document_and_needs_no_agent() {
    let gateway = Gateway::that(Says::default());
    let output = gateway
        .wharf(&["--json", "--no-attach", "--no-sync"])
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["session"], "gws_new");
    assert_eq!(said["local_path_hash"].as_str().unwrap().len(), 16);
    assert_eq!(said["expires_at"], "2099-01-01T00:00:00Z");
    let said = gateway.seen(&["--json"]);
    assert!(
        said.contains("--json needs --no-attach") && said.ends_with("exit 2"),
        "{said}"
    );
}

#[test]
fn a_client_that_is_not_here_is_looked_for_before_anything_is_made() {
    let gateway = Gateway::that(Says::default());
    let mut command = gateway.wharf(&["--no-sync"]);
    command.env("WHARF_OPENCODE_BIN", "/no/such/opencode");
    let (shown, status) = Seat::at(&command).ends();
    assert!(
        shown.contains("WHARF_OPENCODE_BIN names /no/such/opencode"),
        "{shown}"
    );
    assert_eq!(status.code(), Some(5), "{shown}");
    assert_eq!(gateway.asked(), Vec::<String>::new());
}

#[test]
fn an_agent_that_does_not_answer_is_said_before_the_terminal_is_given() {
    let why = json!({
        "error": "Session not available",
        "details": { "reason": "opencode is not in the sandbox" },
    });
    let gateway = Gateway::that(Says {
        agent: (503, why),
        ..Says::default()
    });
    let (shown, status) = Seat::at(&gateway.hands_over("#!/bin/sh\necho HAS IT\n", &[])).ends();
    assert!(
        shown.contains("the agent in the sandbox does not answer"),
        "{shown}"
    );
    assert!(
        shown.contains("because: opencode is not in the sandbox"),
        "{shown}"
    );
    assert!(shown.contains("gws_new goes on"), "{shown}");
    assert!(!shown.contains("HAS IT"), "{shown}");
    assert_eq!(status.code(), Some(9), "{shown}");
}
