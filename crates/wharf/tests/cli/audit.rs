//! `wharf audit`

use std::fs;

use crate::home::{Home, filters};

#[test]
fn what_was_run_is_on_record_also_without_the_server() {
    let home = Home::new();
    let _filters = filters();
    home.ok(&["run", "--", "echo", "hi"]);
    home.output(&["run", "--", "rm", "-rf", "/"]);
    home.ok(&["serve", "--stop"]);

    insta::assert_snapshot!(home.seen(&["audit", "tail"]), @r"
    SEQ  TIME                      WHAT         RESULT          RUN                             COMMAND
    1    TIME  run.opened   allow, low      RUN  echo hi
    2    TIME  run.closed   done 0          RUN
    3    TIME  run.refused  deny, critical  RUN  rm -rf /
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["audit", "verify"]), @r"
    ok 3 entries, head 3:HASH
    --- stderr
    --- exit 0
    ");
    let lines = home.ok(&["audit", "tail", "--json", "-n", "1"]);
    assert!(lines.starts_with("{\"seq\":3,"), "{lines}");
}

#[test]
fn a_changed_entry_is_found() {
    let home = Home::new();
    let _filters = filters();
    home.ok(&["run", "--", "echo", "hi"]);
    home.ok(&["serve", "--stop"]);
    let head = home.ok(&["audit", "verify"]);
    let head = head.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(
        home.ok(&["audit", "verify", "--head", &head])
            .starts_with("ok")
    );

    let file = home.path("data/audit/000001.log");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("echo hi", "echo ho")).unwrap();
    insta::assert_snapshot!(home.seen(&["audit", "verify"]), @r"
    --- stderr
    error[failed]: entry 1 (HOME/data/audit/000001.log, line 1) does not verify: its hash does not fit its text
      hint: 0 entries before that verify; the last is 0:HASH
      hint: keep a copy of the folder before anything else writes to it
    --- exit 1
    ");

    // A log that was cut is whole in itself; only a head kept elsewhere shows it: the database's
    // own, and without that the one that is given.
    let first = text.lines().next().unwrap().to_owned() + "\n";
    fs::write(&file, first).unwrap();
    let cut = home.seen(&["audit", "verify"]);
    assert!(cut.contains("its end is gone"), "{cut}");
    for ending in ["", "-wal", "-shm"] {
        let _perhaps_not_there = fs::remove_file(home.path(&format!("data/wharf.db{ending}")));
    }
    assert!(home.ok(&["audit", "verify"]).starts_with("ok 1 entries"));
    insta::assert_snapshot!(home.seen(&["audit", "verify", "--head", &head]), @r"
    --- stderr
    error[failed]: the record ends before a head that was kept: its end is gone
      hint: 1 entries before that verify; the last is 1:HASH
      hint: keep a copy of the folder before anything else writes to it
    --- exit 1
    ");
    insta::assert_snapshot!(home.seen(&["audit", "verify", "--head", "x"]), @r"
    --- stderr
    error[usage]: --head should be SEQ:HASH, as wharf audit verify prints it
    --- exit 2
    ");
}

#[test]
fn before_the_first_run_there_is_none() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["audit", "verify"]), @r"
    --- stderr
    error[not_found]: there is no record yet in HOME/data/audit
      hint: the first wharf serve or wharf run begins it
    --- exit 5
    ");
}
