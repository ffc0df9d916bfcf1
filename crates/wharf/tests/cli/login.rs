//! `wharf auth login` and what follows from it, with a server that can be made to misbehave.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::accounts::{Answer, Asked, Server, ada, good, granted, problem};
use crate::home::{Home, filters};

/// What every login does besides.
fn usual(asked: &Asked) -> Answer {
    match asked.line.as_str() {
        "GET /api/v1/auth/me" => ada(),
        "POST /api/cli/ssh-keys" => {
            let key = r#"{"key":{"id":"sky_1","fingerprint":"SHA256:x","name":"d","created_at":"2026-01-01T00:00:00Z"}}"#;
            good(key)
        }
        "POST /api/v1/auth/logout" => good(r#"{"message":"done"}"#),
        _ => problem(404, "not_found"),
    }
}

const CODE: &str = r#"{"deviceCode":"whd_secret_device_code","userCode":"WDJB-1234","verificationUrl":"http://127.0.0.1:1/device?code=WDJB-1234","expiresIn":900,"interval":1}"#;
const POLL: &str = "POST /api/cli/auth/device/poll";
const DONE: &str = r#"{"token":"whk_canary_of_the_key","user":{"id":"u","email":"ada@example.com","name":"ada"},"org":{"id":"org_1","name":"Main"},"hasGitHubConnection":false,"keyId":"key_1","expiresAt":"2099-02-18T00:00:00Z"}"#;

/// A server whose polls are answered with these in turn.
fn device(polls: &'static [&'static str]) -> Server {
    Server::start(move |asked, before| match asked.line.as_str() {
        "POST /api/cli/auth/device" => good(CODE),
        POLL => match polls.get(before).or(polls.last()) {
            Some(&"away") => (0, String::new(), String::new()),
            Some(&"busy") => problem(503, "busy"),
            Some(&"done") => good(DONE),
            Some(error) => good(&format!(r#"{{"error":"{error}"}}"#)),
            None => problem(404, "not_found"),
        },
        _ => usual(asked),
    })
}

/// What differs between machines.
fn more_filters() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    settings.add_filter(
        &format!("this device: {}", regex_of(&host)),
        "this device: DEVICE",
    );
    settings.add_filter(r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:PRINT");
    settings.add_filter(r"127\.0\.0\.1-\d+", "127.0.0.1-PORT");
    settings.add_filter(r"\d+ days", "N days");
    settings.bind_to_scope()
}

fn regex_of(text: &str) -> String {
    text.replace('.', r"\.")
}

#[test]
fn a_device_is_logged_in_whatever_the_network_does() {
    let home = Home::new();
    let server = device(&["authorization_pending", "away", "busy", "done"]);
    let _one = filters();
    let _two = more_filters();
    insta::assert_snapshot!(home.seen(&[
        "auth",
        "login",
        "--api-url",
        &server.url,
        "--store-file"
    ]));
    assert_eq!(server.count(POLL), 4);

    // Kept for nobody else, and what is not a secret beside it.
    let name = server.url.trim_start_matches("http://").replace(':', "-");
    let file = home.path(&format!("state/credentials/{name}.login"));
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("whk_canary_of_the_key")
    );
    let list = fs::read_to_string(home.path("state/credentials/logins.json")).unwrap();
    assert!(
        list.contains("ada@example.com") && !list.contains("whk_"),
        "{list}"
    );
    let key = fs::metadata(home.path("state/id_ed25519")).unwrap();
    assert_eq!(key.mode() & 0o777, 0o600);

    insta::assert_snapshot!(home.seen(&["auth", "status"]));
    insta::assert_snapshot!(home.seen(&["whoami"]), @r"
    ada@example.com, member in main; for run sync
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["auth", "switch"]));
    assert_eq!(home.ok(&["auth", "token"]), "whk_canary_of_the_key\n");
    let sent = server
        .asked()
        .into_iter()
        .rev()
        .find(|it| it.line.ends_with("/me"))
        .unwrap();
    assert!(
        sent.head.contains("Bearer whk_canary_of_the_key"),
        "{}",
        sent.head
    );

    insta::assert_snapshot!(home.seen(&["auth", "logout"]));
    assert!(!file.exists());
    assert_eq!(server.count("POST /api/v1/auth/logout"), 1);
    insta::assert_snapshot!(home.seen(&["auth", "status"]));
}

#[test]
fn a_no_and_no_answer_have_words_of_their_own() {
    let home = Home::new();
    for (poll, code) in [
        ("access_denied", "access_denied"),
        ("expired_token", "expired_token"),
        ("invalid_device_code", "expired_token"),
    ] {
        let server = device(match poll {
            "access_denied" => &["access_denied"],
            "expired_token" => &["expired_token"],
            _ => &["invalid_device_code"],
        });
        let output = home.output(&["auth", "login", "--api-url", &server.url, "--store-file"]);
        let seen = home.show(&output);
        assert_eq!(output.status.code(), Some(4), "{seen}");
        assert!(seen.contains(&format!("error[{code}]")), "{seen}");
    }
    let settings = fs::read_to_string(home.path("config.toml")).unwrap();
    assert!(!settings.contains("profile"), "{settings}");
}

#[test]
fn without_a_keyring_nobody_is_asked_and_the_choices_are_said() {
    let home = Home::new();
    let server = device(&["done"]);
    insta::assert_snapshot!(home.seen(&["auth", "login", "--api-url", &server.url]));
    assert!(server.asked().is_empty());
    let nowhere = home.output(&["auth", "login"]);
    insta::assert_snapshot!(home.show(&nowhere));
}

#[test]
fn a_key_is_taken_once_the_server_knows_it() {
    let home = Home::new();
    let server = Server::start(|asked, _| match asked.head.contains("Bearer whk_good") {
        true => usual(asked),
        false => problem(401, "unauthorized"),
    });
    let login = [
        "auth",
        "login",
        "--api-url",
        &server.url,
        "--store-file",
        "--token-file",
        "-",
    ];
    let wrong = home.fed(&login, b"whk_bad\n");
    assert_eq!(wrong.status.code(), Some(4), "{}", home.show(&wrong));
    let right = home.fed(&login, b"whk_good\n");
    assert_eq!(right.status.code(), Some(0), "{}", home.show(&right));
    assert_eq!(home.ok(&["auth", "token"]), "whk_good\n");
}

/// Logs in by password at a server whose first token has ended at once.
fn password_login(home: &Home, server: &Server) {
    let login = [
        "auth",
        "login",
        "--api-url",
        &server.url,
        "--store-file",
        "--email",
        "ada@example.com",
        "--password-stdin",
    ];
    let output = home.fed(&login, b"canary of the password\n");
    assert!(output.status.success(), "{}", home.show(&output));
}

const LOGIN: &str = "POST /api/v1/auth/login";
const REFRESH: &str = "POST /api/v1/auth/refresh";

#[test]
fn fifty_processes_at_the_end_of_a_token_make_one_refresh() {
    let home = Home::new();
    let server = Server::start(|asked, before| match asked.line.as_str() {
        LOGIN => granted("access-1", "whr_1", 0),
        REFRESH if before == 0 && asked.head.contains("refresh_token=whr_1") => {
            granted("access-2", "whr_2", 1800)
        }
        REFRESH => problem(401, "reused"),
        _ => usual(asked),
    });
    password_login(&home, &server);
    let running: Vec<_> = (0..50)
        .map(|_| {
            let mut command = home.wharf(&["whoami"]);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for process in running {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", home.show(&output));
    }
    assert_eq!(server.count(REFRESH), 1);
    let asked = server.asked();
    let who = asked.iter().filter(|it| it.line == "GET /api/v1/auth/me");
    let fresh = who.filter(|it| it.head.contains("Bearer access-2"));
    assert_eq!(fresh.count(), 50);
}

#[test]
fn a_login_that_has_ended_is_kept_and_not_tried_again() {
    let home = Home::new();
    let server = Server::start(|asked, before| match asked.line.as_str() {
        LOGIN if before == 0 => granted("access-1", "whr_1", 0),
        LOGIN => granted("access-9", "whr_9", 1800),
        REFRESH => problem(401, "unauthorized"),
        _ => usual(asked),
    });
    password_login(&home, &server);
    let _one = filters();
    let _two = more_filters();
    insta::assert_snapshot!(home.seen(&["whoami"]));
    let again = home.output(&["auth", "status"]);
    assert_eq!(again.status.code(), Some(4), "{}", home.show(&again));
    assert_eq!(server.count(REFRESH), 1);

    password_login(&home, &server);
    assert_eq!(home.ok(&["auth", "token"]), "access-9\n");
}

#[test]
fn while_the_server_is_away_everything_is_kept() {
    let home = Home::new();
    let server = Server::start(|asked, before| match asked.line.as_str() {
        LOGIN => granted("access-1", "whr_1", 0),
        REFRESH if before == 0 => problem(503, "busy"),
        REFRESH => granted("access-2", "whr_2", 1800),
        "POST /api/v1/auth/logout" => problem(503, "busy"),
        _ => usual(asked),
    });
    password_login(&home, &server);
    let _one = filters();
    let _two = more_filters();
    insta::assert_snapshot!(home.seen(&["whoami"]));
    home.ok(&["whoami"]);
    insta::assert_snapshot!(home.seen(&["auth", "logout"]));
    assert_eq!(home.ok(&["auth", "token"]), "access-2\n");
}

#[test]
fn a_token_goes_to_its_own_server_and_nowhere_else() {
    let home = Home::new();
    let own = device(&["done"]);
    let other = Server::start(|_, _| problem(401, "unauthorized"));
    home.ok(&["auth", "login", "--api-url", &own.url, "--store-file"]);

    home.output(&["whoami", "--api-url", &other.url]);
    let asked = other.asked();
    assert!(
        !asked[0].head.to_lowercase().contains("authorization"),
        "{}",
        asked[0].head
    );

    let mut by_variable = home.wharf(&["whoami"]);
    let output = by_variable
        .env("WHARF_API_URL", &other.url)
        .output()
        .unwrap();
    let seen = home.show(&output);
    assert!(
        output.status.success() && seen.contains("ignored: profile"),
        "{seen}"
    );
    assert_eq!(other.asked().len(), 1);
    // It is said once, however often it is looked which server it is.
    let mut twice = home.wharf(&["auth", "status"]);
    let output = twice.env("WHARF_API_URL", &other.url).output().unwrap();
    let seen = home.show(&output);
    assert_eq!(seen.matches("ignored: profile").count(), 1, "{seen}");

    // A token that is given goes with the server that is given.
    let mut given = home.wharf(&["whoami"]);
    given
        .env("WHARF_API_URL", &other.url)
        .env("WHARF_TOKEN", "whk_given")
        .output()
        .unwrap();
    let asked = other.asked();
    assert!(
        asked[1].head.contains("Bearer whk_given"),
        "{}",
        asked[1].head
    );
    // This machine's own server is a choice as well.
    home.ok(&["auth", "switch", "local"]);
    home.ok(&["run", "--", "true"]);
}

#[test]
fn the_ssh_key_is_made_again_when_it_is_lost() {
    let home = Home::new();
    let server = device(&["done"]);
    home.ok(&["auth", "login", "--api-url", &server.url, "--store-file"]);
    let first = fs::read_to_string(home.path("state/id_ed25519.pub")).unwrap();
    fs::write(home.path("state/id_ed25519"), "not a key").unwrap();

    let found = home.output(&["doctor"]);
    assert!(
        home.show(&found).contains("FAIL  ssh"),
        "{}",
        home.show(&found)
    );
    let fixed = home.output(&["doctor", "--fix"]);
    assert!(
        home.show(&fixed)
            .contains("fixed made this device's SSH key"),
        "{}",
        home.show(&fixed)
    );

    let second = fs::read_to_string(home.path("state/id_ed25519.pub")).unwrap();
    assert_ne!(first, second);
    let uploads: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|it| it.line.ends_with("ssh-keys"))
        .collect();
    assert_eq!(uploads.len(), 2);
    assert!(uploads[1].body.contains(second.split(' ').nth(1).unwrap()));
    assert!(!uploads.iter().any(|it| it.body.contains("PRIVATE")));
}

#[test]
fn a_bundle_holds_no_secret_and_a_reset_leaves_none() {
    let home = Home::new();
    let server = device(&["done"]);
    home.ok(&["run", "--", "true"]);
    home.ok(&["auth", "login", "--api-url", &server.url, "--store-file"]);
    let token = fs::read_to_string(home.path("state/token")).unwrap();
    let key = fs::read_to_string(home.path("state/id_ed25519")).unwrap();
    let named = "canary-of-a-token-file";
    fs::write(home.path("named"), named).unwrap();
    let url = "smtps://ada:canary%40word@mail.example.com";
    let secrets = [
        "whk_canary_of_the_key",
        "hunter2canary",
        token.trim(),
        key.lines().nth(2).unwrap(),
        named,
        url,
        "canary%40word",
    ];
    // Each where it is looked for, and a line with none.
    let logs = home.path("state/logs");
    fs::create_dir_all(&logs).unwrap();
    let mut planted = "INFO Bearer whk_canary_of_the_key and password=hunter2canary here\n\
                       INFO a line that stays\n"
        .to_owned();
    for secret in &secrets[2..] {
        planted.push_str(&format!("INFO saw {secret} go by\n"));
    }
    fs::write(logs.join("planted.log"), planted).unwrap();

    let refused = home.output(&["doctor", "--bundle"]);
    assert_eq!(refused.status.code(), Some(8), "{}", home.show(&refused));
    let mut bundle = home.wharf(&["doctor", "--bundle=bundle.tar.gz", "--yes"]);
    let bundle = bundle
        .env("WHARF_SMTP_URL", url)
        .env("WHARF_TOKEN_FILE", home.path("named"))
        .output()
        .unwrap();
    assert!(bundle.status.success(), "{}", home.show(&bundle));
    let bundle = String::from_utf8(bundle.stdout).unwrap();
    let packed = fs::File::open(bundle.trim()).unwrap();
    let list = std::process::Command::new("tar")
        .args(["-xzOf", bundle.trim()])
        .output()
        .unwrap();
    let text = String::from_utf8(list.stdout).unwrap();
    assert!(text.contains("\nINFO a line that stays\n"), "{text}");
    assert_eq!(text.matches("go by\n").count(), 5, "{text}");
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(packed.metadata().unwrap().mode() & 0o777, 0o600);

    let no = home.output(&["reset"]);
    assert_eq!(no.status.code(), Some(8), "{}", home.show(&no));
    let yes = home.output(&["reset", "--yes"]);
    assert!(yes.status.success(), "{}", home.show(&yes));
    assert_eq!(server.count("POST /api/v1/auth/logout"), 1);
    let left = fs::read_dir(home.path("state/credentials"))
        .unwrap()
        .flatten();
    let left: Vec<_> = left.map(|it| it.path()).collect();
    let is_lock = |it: &std::path::PathBuf| it.extension().is_some_and(|it| it == "lock");
    assert!(left.iter().all(is_lock), "{left:?}");
    assert!(!home.path("state/id_ed25519").exists());
    // It stays the device that it is, until that is to be forgotten as well.
    let id = home.path("state/device-id");
    let device = fs::read_to_string(&id).unwrap();
    assert!(device.starts_with("dev_"), "{device}");
    let doctor = home.ok(&["doctor", "--offline"]);
    assert!(
        doctor.contains(&format!("ok    device       {device}\n")),
        "{doctor}"
    );
    assert_eq!(fs::metadata(&id).unwrap().mode() & 0o777, 0o600);
    home.ok(&["reset", "--all", "--yes"]);
    assert!(!id.exists());
    assert!(home.path("state/token").exists() && home.path("data/wharf.db").exists());
    assert!(
        !fs::read_to_string(home.path("config.toml"))
            .unwrap()
            .contains("profile")
    );
    // The server of this machine goes on as before.
    home.ok(&["run", "--", "true"]);
}

/// All files below a directory that hold this text.
fn holding(dir: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path).is_ok_and(|bytes| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        }) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_login_is_kept_in_a_real_keyring() {
    let home = Home::new();
    let server = device(&["done"]);
    let script = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1\n\
                  for n in $(seq 500); do dbus-send --session --print-reply \
                  --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
                  string:org.freedesktop.secrets 2>/dev/null | grep -q true && break; done\n\
                  \"$0\" auth login --api-url \"$1\" && \"$0\" auth status && \"$0\" auth token \
                  ; \"$0\" doctor; \"$0\" auth logout && \"$0\" auth token";
    let mut command = std::process::Command::new("dbus-run-session");
    command
        .args([
            "--",
            "sh",
            "-c",
            script,
            env!("CARGO_BIN_EXE_wharf"),
            &server.url,
        ])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home.path(""))
        .env("WHARF_HOME", home.path(""))
        .env("XDG_RUNTIME_DIR", home.path(""));
    let output = command.output().unwrap();
    let seen = home.show(&output);
    assert!(seen.contains("kept in  Secret Service\n"), "{seen}");
    assert!(seen.contains("whk_canary_of_the_key\n"), "{seen}");
    // On a busy machine the doctor gives up on it sooner than a login does.
    assert!(
        seen.contains("Secret Service, write test ok")
            || seen.contains("keyring      took too long"),
        "{seen}"
    );
    // Logged out, there is nothing to print.
    assert_eq!(output.status.code(), Some(4), "{seen}");
    assert!(home.path(".local/share/keyrings").is_dir(), "{seen}");
    assert_eq!(
        holding(&home.path(""), "whk_canary"),
        Vec::<std::path::PathBuf>::new()
    );
}
