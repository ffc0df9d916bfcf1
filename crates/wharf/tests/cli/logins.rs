//! Logins that something comes in between: lost answers, lost stores, other tokens.

use std::fs;

use crate::accounts::{Server, ada, good, granted, problem};
use crate::home::Home;

const LOGIN: &str = "POST /api/v1/auth/login";
const REFRESH: &str = "POST /api/v1/auth/refresh";
const POLL: &str = "POST /api/cli/auth/device/poll";
const CODE: &str = r#"{"deviceCode":"whd_secret_device_code","userCode":"WDJB-1234","verificationUrl":"http://127.0.0.1:1/device?code=WDJB-1234","expiresIn":900,"interval":1}"#;

/// Logs in by password, with the login in a file.
fn log_in(home: &Home, url: &str, more: &[&str]) -> String {
    let mut words = vec![
        "auth",
        "login",
        "--api-url",
        url,
        "--email",
        "ada@example.com",
    ];
    words.extend(["--password-stdin", "--store-file"]);
    words.extend(more);
    let output = home.fed(&words, b"canary of the password\n");
    assert!(output.status.success(), "{}", home.show(&output));
    home.show(&output)
}

/// A server whose logins are good for so many seconds.
fn server(seconds: u64) -> Server {
    Server::start(move |asked, before| match asked.line.as_str() {
        LOGIN => granted("access-1", "whr_1", seconds),
        REFRESH if before == 0 => (0, String::new(), String::new()),
        REFRESH if asked.head.contains("refresh_token=whr_1") => granted("access-2", "whr_2", 1800),
        "GET /api/v1/auth/me" => ada(),
        "POST /api/v1/auth/logout" => good(r#"{"message":"done"}"#),
        _ => problem(404, "not_found"),
    })
}

#[test]
fn the_doctor_renews_nothing_and_a_lost_refresh_is_sent_again() {
    let home = Home::new();
    let server = server(0);
    log_in(&home, &server.url, &[]);
    let seen = home.show(&home.output(&["doctor"]));
    assert!(seen.contains("renewed by the next command"), "{seen}");
    assert_eq!(server.count(REFRESH), 0);

    home.ok(&["whoami"]);
    assert_eq!(server.count(REFRESH), 2);
    assert_eq!(home.ok(&["auth", "token"]), "access-2\n");
}

#[test]
fn a_server_that_does_not_say_whose_it_is_has_logged_in_all_the_same() {
    let home = Home::new();
    let server = Server::start(|asked, _| match asked.line.as_str() {
        LOGIN => granted("access-1", "whr_1", 1800),
        _ => problem(503, "busy"),
    });
    let seen = log_in(&home, &server.url, &[]);
    assert!(seen.contains("did not say whose login it is"), "{seen}");
    assert_eq!(home.ok(&["auth", "token"]), "access-1\n");
}

#[test]
fn a_lost_answer_is_told_from_a_late_one() {
    let home = Home::new();
    let server = Server::start(|asked, before| match asked.line.as_str() {
        "POST /api/cli/auth/device" => good(CODE),
        POLL if before == 0 => (0, String::new(), String::new()),
        _ => good(r#"{"error":"invalid_device_code"}"#),
    });
    let output = home.output(&["auth", "login", "--api-url", &server.url, "--store-file"]);
    let seen = home.show(&output);
    assert_eq!(output.status.code(), Some(4), "{seen}");
    assert!(
        seen.contains("error[answer_lost]") && seen.contains("a key named"),
        "{seen}"
    );
}

#[test]
fn a_shorter_login_without_the_right_to_make_keys_is_refused_first() {
    let home = Home::new();
    let server = server(1800);
    let words = [
        "auth",
        "login",
        "--store-file",
        "--expires",
        "1d",
        "--scope",
        "run:low",
    ];
    let output = home.output(&[&words[..], &["--api-url", &server.url]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", home.show(&output));
    let both = [
        "auth",
        "login",
        "--email",
        "a@b.c",
        "--token-file",
        "x",
        "--api-url",
    ];
    let output = home.output(&[&both[..], &[server.url.as_str()]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", home.show(&output));
    assert!(server.asked().is_empty());
}

#[test]
fn a_profile_by_flag_beats_a_token_of_the_environment() {
    let home = Home::new();
    let server = server(1800);
    let name = server.url.trim_start_matches("http://").replace(':', "-");
    let settings = format!("profile = \"local\"\n[profiles.\"{name}\"]\napi_url = \"http://a\"\n");
    fs::write(home.path("config.toml"), settings).unwrap();
    let seen = log_in(&home, &server.url, &[]);
    // That name was another server's.
    let name = format!("{name}-2");
    assert!(
        seen.contains(&format!("profile {name} ")) || seen.contains("kept in"),
        "{seen}"
    );
    let token = |words: &[&str]| {
        let mut command = home.wharf(words);
        let output = command.env("WHARF_TOKEN", "whk_given").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(token(&["auth", "token"]), "whk_given\n");
    assert_eq!(token(&["auth", "token", "--profile", &name]), "access-1\n");
}

#[test]
fn a_login_that_its_store_lost_is_said_to_go_on() {
    let home = Home::new();
    let server = server(1800);
    log_in(&home, &server.url, &[]);
    let name = server.url.trim_start_matches("http://").replace(':', "-");
    fs::remove_file(home.path(&format!("state/credentials/{name}.login"))).unwrap();
    let output = home.output(&["auth", "logout"]);
    let seen = home.show(&output);
    assert!(
        output.status.success() && seen.contains("goes on at"),
        "{seen}"
    );
    assert_eq!(server.count("POST /api/v1/auth/logout"), 0);
}

#[test]
fn two_profiles_do_not_share_a_file() {
    let home = Home::new();
    let (one, two) = (server(1800), server(1800));
    let file = format!("--store-file={}", home.path("login").display());
    let words = |url: &str| -> Vec<String> {
        let words = [
            "auth",
            "login",
            "--email",
            "a@b.c",
            "--password-stdin",
            &file,
            "--api-url",
            url,
        ];
        words.map(str::to_owned).to_vec()
    };
    let tried = |url: &str| {
        let words = words(url);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        home.fed(&words, b"password of ada\n")
    };
    assert!(tried(&one.url).status.success());
    let output = tried(&two.url);
    assert_eq!(output.status.code(), Some(6), "{}", home.show(&output));
    assert!(two.asked().is_empty());
}

#[test]
fn a_reset_forgets_a_damaged_list() {
    let home = Home::new();
    let server = server(1800);
    log_in(&home, &server.url, &[]);
    fs::write(home.path("state/credentials/logins.json"), "{").unwrap();
    let output = home.output(&["reset", "--yes"]);
    let seen = home.show(&output);
    assert!(
        output.status.success() && seen.contains("go on at their servers"),
        "{seen}"
    );
    assert!(!home.path("state/credentials/logins.json").exists());
}
