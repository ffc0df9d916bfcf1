//! `wharf doctor`

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::home::Home;

/// The check and its result, without what differs between machines.
fn results(home: &Home, args: &[&str]) -> (Vec<String>, Option<i32>) {
    let output = home.output(args);
    let text = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| {
        line.split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let lines = text
        .lines()
        .filter(|line| !line.contains("cgroups") && !line.contains("disk"));
    (lines.map(words).collect(), output.status.code())
}

#[test]
fn on_a_fresh_machine_nothing_is_wrong() {
    let home = Home::new();
    let (lines, code) = results(&home, &["doctor"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        lines[..10],
        [
            "ok version",
            "ok config",
            "ok permissions",
            "skip server",
            "skip login",
            "skip keyring",
            "skip token",
            "skip audit",
            "skip database",
            "ok bash"
        ]
    );
    assert!(lines.iter().any(|line| line == "skip device"), "{lines:?}");
}

#[test]
fn with_a_server_everything_is_looked_at() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let (lines, code) = results(&home, &["doctor"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        lines[..12],
        [
            "ok version",
            "ok config",
            "ok permissions",
            "ok server",
            "ok clock",
            "skip tls",
            "ok login",
            "skip keyring",
            "ok token",
            "ok audit",
            "ok database",
            "ok bash"
        ]
    );
    let json = home.ok(&["doctor", "--json"]);
    assert!(
        json.starts_with("{\"ok\":true") || json.contains("\"ok\":true"),
        "{json}"
    );
}

#[test]
fn what_is_broken_fails_and_the_rest_is_still_examined() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    home.ok(&["serve", "--stop"]);
    let log = home.path("data/audit/000001.log");
    fs::write(
        &log,
        fs::read_to_string(&log).unwrap().replace("true", "tree"),
    )
    .unwrap();
    fs::set_permissions(home.path("state/token"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(home.path("config.toml"), "[serve]\nprot = 0\n").unwrap();
    fs::write(home.path("state/device-id"), "kepler").unwrap();

    let (lines, code) = results(&home, &["doctor"]);

    assert_eq!(code, Some(1));
    for expected in [
        "warn config",
        "warn permissions",
        "skip server",
        "FAIL audit",
        "ok bash",
        "FAIL device",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected}: {lines:?}"
        );
    }
}

#[test]
fn what_can_be_put_right_safely_is() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let gone = fs::read_to_string(home.path("state/server.json")).unwrap();
    home.ok(&["serve", "--stop"]);
    fs::write(home.path("state/server.json"), gone).unwrap();
    fs::set_permissions(home.path("state/token"), fs::Permissions::from_mode(0o644)).unwrap();
    let (lines, _) = results(&home, &["doctor"]);
    for expected in ["warn permissions", "warn server"] {
        assert!(lines.iter().any(|line| line == expected), "{lines:?}");
    }

    let fixed = home.ok(&["doctor", "--fix"]);

    assert!(fixed.contains("fixed removed the registration"), "{fixed}");
    let mode = fs::metadata(home.path("state/token"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        !fixed.contains("warn  permissions") && !fixed.contains("warn  server"),
        "{fixed}"
    );
}

#[test]
fn a_configuration_that_cannot_be_read_is_one_failure_among_the_checks() {
    let home = Home::new();
    fs::write(home.path("config.toml"), "= nonsense").unwrap();
    let (lines, code) = results(&home, &["doctor", "--offline"]);
    assert_eq!(code, Some(1));
    assert!(
        lines.iter().any(|line| line == "FAIL config")
            && lines.iter().any(|line| line == "ok bash"),
        "{lines:?}"
    );
}
