//! `wharf session`

use crate::home::{Home, filters};

#[test]
fn a_session_lives_from_command_to_command() {
    let home = Home::new();
    assert_eq!(
        home.ok(&["session", "create", "work", "--env", "A=1"]),
        "work\n"
    );
    home.ok(&[
        "run",
        "-s",
        "work",
        "--shell",
        "mkdir -p sub && cd sub && B=2",
    ]);
    assert_eq!(
        home.ok(&["run", "-s", "work", "--shell", "echo $A $B ${PWD##*/}"]),
        "1 2 sub\n"
    );
}

#[test]
fn it_can_be_listed_shown_and_ended() {
    let home = Home::new();
    let _filters = filters();
    home.ok(&["session", "create", "work"]);
    home.ok(&["run", "-s", "work", "--", "true"]);
    home.output(&["run", "-s", "work", "--", "false"]);

    insta::assert_snapshot!(home.seen(&["session", "list"]), @r"
    SESSION  TARGET  COMMANDS  LAST USED                 DIRECTORY                    RUNNING
    work     local   2         TIME  HOME/work
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["session", "show", "work"]), @r"
    session    work
    target     local
    directory  HOME/work
    commands   2
    created    TIME
    last used  TIME
    ends       TIME unless it is used
    history      1  false
    history      0  true
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["session", "history", "work"]), @r"
    STARTED                   EXIT  TOOK    RUN                             COMMAND
    TIME  0     N s  RUN  true
    TIME  1     N s  RUN  false
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["session", "rm", "work", "-v"]), @r"
    --- stderr
    wharf: ended session work
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["session", "show", "work"]), @r#"
    --- stderr
    error[not_found]: There is no session "work".
    --- exit 5
    "#);
    insta::assert_snapshot!(home.seen(&["run", "-s", "work", "--", "true"]), @r#"
    --- stderr
    error[not_found]: There is no session "work".
    --- exit 125
    "#);
}

#[test]
fn without_a_server_there_is_nothing_to_list() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["session", "list"]), @r"
    --- stderr
    error[failed]: no server runs on this machine
      hint: wharf serve --background starts one, and so does wharf run
    --- exit 1
    ");
}
