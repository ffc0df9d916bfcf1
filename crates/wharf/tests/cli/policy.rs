//! `wharf policy`

use std::fs;

use crate::home::{Home, filters};

const HEADER: &str = r#"
[examples.developer]
allow = ["ls"]
deny = ["touch x"]
"#;
const CEDAR: &str = r#"@id("no-touching")
@reason("nothing is touched here")
forbid (principal, action in Action::"run", resource)
when { context.programs.contains("touch") };
"#;

/// A policy in a folder of this name.
fn policy(home: &Home, folder: &str, header: &str, cedar: &str) {
    fs::create_dir_all(home.path(folder)).unwrap();
    fs::write(home.path(folder).join("policy.toml"), header).unwrap();
    fs::write(home.path(folder).join("own.cedar"), cedar).unwrap();
}

#[test]
fn a_policy_is_tried_without_a_server() {
    let home = Home::new();
    let _filters = filters();
    policy(&home, "work/good", HEADER, CEDAR);
    assert!(
        home.ok(&["policy", "test", "good"])
            .ends_with(", 2 examples\n")
    );
    assert!(
        home.ok(&["policy", "test"])
            .starts_with("ok built-in policy ")
    );

    policy(&home, "work/bad", &HEADER.replace("touch x", "rm x"), CEDAR);
    insta::assert_snapshot!(home.seen(&["policy", "test", "bad"]), @r"
    policy.toml:4: example `rm x` as developer: expected deny, got allow
    --- stderr
    error[failed]: 1 problem
    --- exit 1
    ");
    policy(
        &home,
        "work/worse",
        HEADER,
        &CEDAR.replace("programs", "porgrams"),
    );
    let worse = home.output(&["policy", "test", "worse"]);
    assert_eq!(worse.status.code(), Some(1));
    let told = String::from_utf8(worse.stdout).unwrap();
    assert!(told.starts_with("own.cedar:"), "{told}");
    insta::assert_snapshot!(home.seen(&["policy", "test", "none"]), @r"
    --- stderr
    error[not_found]: there is no policy in none
      hint: a policy is a folder with policy.toml or files that end in .cedar
    --- exit 5
    ");
    assert!(home.server_pid().is_none(), "no server was needed");
}

#[test]
fn what_would_change_is_shown_before_it_does() {
    let home = Home::new();
    let _filters = filters();
    for command in ["touch a", "touch a", "true"] {
        home.ok(&["run", "--shell", command]);
    }
    policy(&home, "work/new", HEADER, CEDAR);
    insta::assert_snapshot!(home.seen(&["policy", "replay", "new"]), @r"
    3 runs, 1 decided as before, 2 differently
      allow to deny: 2
    NOW    THEN  RUNS  POLICY       COMMAND
    allow  deny  2     no-touching  touch a
    --- stderr
    --- exit 0
    ");
    home.ok(&["run", "--shell", "touch a"]);
    let json = home.ok(&["policy", "replay", "new", "--json"]);
    assert!(json.contains("without their secrets"), "{json}");
}

#[test]
fn files_hold_after_a_reload_and_bad_ones_change_nothing() {
    let home = Home::new();
    let _filters = filters();
    home.ok(&["run", "--shell", "touch a"]);
    policy(&home, "policy", HEADER, CEDAR);
    home.ok(&["run", "--shell", "touch a"]);
    let reloaded = home.seen(&["policy", "reload"]);
    assert!(reloaded.contains("holds now"), "{reloaded}");
    assert_eq!(
        home.output(&["run", "--shell", "touch a"]).status.code(),
        Some(125)
    );
    let shown = home.ok(&["policy", "show"]);
    assert!(
        shown.contains("no-touching") && shown.contains("own.cedar:"),
        "{shown}"
    );
    assert_eq!(home.ok(&["policy", "show", "no-touching"]), CEDAR);

    policy(&home, "policy", HEADER, "forbid (;");
    let refused = home.output(&["policy", "reload"]);
    assert_eq!(refused.status.code(), Some(1), "{}", home.show(&refused));
    assert!(
        String::from_utf8(refused.stdout)
            .unwrap()
            .starts_with("own.cedar:1: ")
    );
    assert_eq!(
        home.output(&["run", "--shell", "touch a"]).status.code(),
        Some(125)
    );
    let record = home.ok(&["audit", "tail"]);
    assert!(
        record.contains("policy.reloaded") && record.contains("policy.refused"),
        "{record}"
    );
}

#[test]
fn what_holds_can_be_read_with_and_without_a_server() {
    let home = Home::new();
    let alone = home.ok(&["policy", "show"]);
    assert!(
        alone.contains("high-asks") && alone.contains("whoever asks may say yes"),
        "{alone}"
    );
    let json = home.ok(&["policy", "show", "--json"]);
    home.ok(&["run", "--", "true"]);
    assert_eq!(home.ok(&["policy", "show"]), alone);
    assert_eq!(home.ok(&["policy", "show", "--json"]), json);
    assert_eq!(
        home.output(&["policy", "show", "none"]).status.code(),
        Some(5)
    );
}
