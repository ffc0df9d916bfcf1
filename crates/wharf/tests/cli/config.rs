//! `wharf config`

use std::fs;

use crate::home::Home;

#[test]
fn setting_and_reading_back() {
    let home = Home::new();
    fs::write(
        home.path("config.toml"),
        "# mine\n[serve]\nport = 0 # any\n",
    )
    .unwrap();

    insta::assert_snapshot!(home.seen(&["config", "set", "run.meta", "summary", "-v"]), @r"
    --- stderr
    wharf: run.meta = summary in HOME/config.toml
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["config", "get", "run.meta"]), @r"
    summary
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(fs::read_to_string(home.path("config.toml")).unwrap(), @r#"
    # mine
    [serve]
    port = 0 # any

    [run]
    meta = "summary"
    "#);
    insta::assert_snapshot!(home.seen(&["config", "unset", "run.meta", "-v"]), @r"
    --- stderr
    wharf: run.meta is no longer set in HOME/config.toml
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["config", "get", "run.timeout"]), @r"
    --- stderr
    error[not_found]: run.timeout is not set
      hint: run.timeout: when a command is ended; without it, by its kind
    --- exit 5
    ");
    insta::assert_snapshot!(home.seen(&["config", "path"]), @r"
    HOME/config.toml
    --- stderr
    --- exit 0
    ");
}

#[test]
fn mistakes_come_with_what_would_be_right() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["config", "set", "serve.prot", "1"]), @r"
    --- stderr
    error[usage]: there is no setting serve.prot
      hint: did you mean serve.port?
    --- exit 2
    ");
    insta::assert_snapshot!(home.seen(&["config", "set", "run.timeout", "soon"]), @r#"
    --- stderr
    error[usage]: run.timeout should be a time from 1s to 3600s, such as 90s or 2m, not "soon"
      hint: when a command is ended; without it, by its kind
    --- exit 2
    "#);
    fs::write(home.path("config.toml"), "[run]\nmeta = 'sumary'\n").unwrap();
    insta::assert_snapshot!(home.seen(&["session", "list"]), @r#"
    --- stderr
    error[usage]: run.meta (HOME/config.toml) should be one of none, minimal, summary, full, not "sumary"
      hint: wharf config list --origin shows every source
    --- exit 2
    "#);
}

#[test]
fn every_value_can_be_traced() {
    let home = Home::new();
    fs::write(home.work().join(".wharf.toml"), "[run]\ntimeout = '20s'\n").unwrap();
    let mut command = home.wharf(&["config", "get", "run.timeout", "--origin"]);
    let output = command.env("WHARF_TIMEOUT", "10s").output().unwrap();
    insta::assert_snapshot!(home.show(&output), @r"
    10s  from WHARF_TIMEOUT, before 20s (HOME/work/.wharf.toml)
    --- stderr
    --- exit 0
    ");

    let all = home.ok(&["config", "list", "--origin"]);
    assert!(
        all.lines()
            .any(|line| line.starts_with("serve.port") && line.contains("config.toml")),
        "{all}"
    );
    let json = home.ok(&["config", "list", "--json"]);
    assert!(json.contains("\"serve.port\":0"), "{json}");
}

#[test]
fn a_project_cannot_redirect_the_token() {
    let home = Home::new();
    fs::write(
        home.work().join(".wharf.toml"),
        "api_url = 'http://127.0.0.1:1'\n",
    )
    .unwrap();
    insta::assert_snapshot!(home.seen(&["run", "-v", "--", "true"]).lines().nth(1).unwrap().to_owned(), @"warning: HOME/work/.wharf.toml: api_url is not read from a project's file; set it with wharf config set");
}
