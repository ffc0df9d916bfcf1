//! PostgreSQL instead of a file, and two servers on one database.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use wharf_testkit::TestPostgres;

use crate::home::Home;

/// A home whose server uses a database.
fn on(url: &str) -> Home {
    let home = Home::new();
    let config = format!("[serve]\nport = 0\ndatabase = '{url}'\n");
    fs::write(home.path("config.toml"), config).unwrap();
    home
}

/// Two of them on one database, with a key of one account. At the first there is a session `own`
/// of its owner's.
fn two(url: &str) -> (Home, Home) {
    const EMAIL: &str = "ada@example.com";
    const PASSWORD: &[u8] = b"a long password\n";
    let (a, b) = (on(url), on(url));
    a.ok(&["session", "create", "own"]);
    let added = a.fed(&["user", "add", EMAIL, "--password-stdin"], PASSWORD);
    assert!(added.status.success(), "{}", a.show(&added));
    let client = Home::new();
    let at = a.url();
    let words = ["auth", "login", "--api-url", &at, "--store-file"];
    let words = [&words[..], &["--email", EMAIL, "--password-stdin"]].concat();
    let logged_in = client.fed(&words, PASSWORD);
    assert!(logged_in.status.success(), "{}", client.show(&logged_in));
    let key = client.ok(&["key", "create", "two", "--scope", "run sync admin"]);
    for home in [&a, &b] {
        let file = home.path("key");
        fs::write(&file, &key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        home.ok(&["config", "set", "token_file", file.to_str().unwrap()]);
        home.ok(&["run", "--", "true"]);
    }
    (a, b)
}

#[test]
fn a_session_is_reached_through_either_server() {
    let Some(postgres) = TestPostgres::start() else {
        return;
    };
    let name = postgres.make_database();
    let url = postgres.url(&name);
    let (a, b) = two(&url);
    a.ok(&["session", "create", "work"]);
    a.ok(&["run", "-s", "work", "--shell", "cd /usr && X=1"]);

    let script = "echo $X $PWD";
    assert_eq!(b.ok(&["run", "-s", "work", "--shell", script]), "1 /usr\n");
    let long = b.fed(
        &["run", "-s", "work", "--shell", "wc -c; seq 300000"],
        &vec![b'x'; 3_000_000],
    );
    let long = String::from_utf8(long.stdout).unwrap();
    assert!(long.starts_with("3000000\n"), "{:.80}", long);
    assert!(long.ends_with("\n300000\n"));
    let listed = b.ok(&["session", "list"]);
    assert!(
        listed.contains("SERVER") && listed.contains(&a.url()),
        "{listed}"
    );
    let shown = b.ok(&["session", "show", "work"]);
    assert!(shown.contains("/usr"), "{shown}");
    assert_eq!(b.ok(&["session", "create", "work"]), "work\n");

    // A run of its own, from its start to its end.
    let begun = a.ok(&["run", "--json", "--background", "--", "sleep", "1000"]);
    let begun: serde_json::Value = serde_json::from_str(&begun).unwrap();
    let id = begun["command_id"].as_str().unwrap().to_owned();
    b.ok(&["logs", &id]);
    b.ok(&["kill", &id]);
    let ended = a.output(&["kill", &id]);
    assert!(a.show(&ended).contains(&id) || ended.status.success());

    // Its own token is good at its own server alone.
    let c = on(&url);
    let refused = c.output(&["run", "-s", "own", "--", "pwd"]);
    let said = c.show(&refused);
    assert!(said.contains("does not know this token"), "{said}");
    assert!(!refused.status.success());

    // The owner of the session goes without a word.
    let pid = a
        .server_pid()
        .and_then(|pid| Pid::from_raw(pid.cast_signed()));
    kill_process(pid.unwrap(), Signal::KILL).unwrap();
    let said = b.seen(&["run", "-s", "work", "--", "pwd"]);
    assert!(
        said.contains("of another server") && said.contains("cannot be reached"),
        "{said}"
    );
    assert_eq!(b.ok(&["run", "--", "echo", "still"]), "still\n");
    // After half a minute nobody waits for it any more.
    let database = format!(
        "UPDATE servers SET seen_ms = seen_ms - 31000 WHERE url = '{}'",
        a.url()
    );
    postgres.execute(&name, &database);
    let said = b.seen(&["run", "-s", "work", "--", "pwd"]);
    assert!(said.contains("which is not there now"), "{said}");

    // It comes back, with its session.
    a.ok(&["run", "--", "true"]);
    assert_eq!(b.ok(&["run", "-s", "work", "--", "pwd"]), "/usr\n");
    let verified = a.ok(&["audit", "verify"]);
    assert!(verified.starts_with("ok "), "{verified}");
}

#[test]
fn a_database_s_password_is_in_no_list_no_log_and_no_answer() {
    let Some(postgres) = TestPostgres::start() else {
        return;
    };
    let name = postgres.make_database();
    let plain = postgres.url(&name);
    let url = plain.replace("wharf@", "wharf:planted-word@");
    let home = Home::new();

    let started = home.output(&["serve", "--background", "--database", &url]);
    let said = home.show(&started);
    assert!(started.status.success(), "{said}");
    assert!(
        said.contains("can be read in the list of processes"),
        "{said}"
    );
    let mut seen = vec![said];
    let pid = home.server_pid().unwrap();
    seen.push(fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap());
    assert_eq!(home.ok(&["run", "--", "echo", "hi"]), "hi\n");
    seen.push(home.ok(&["run", "--shell", "env; echo done"]));
    // The database follows the record, and nobody has asked it anything yet.
    let both = || postgres.execute(&name, "SELECT COUNT(*) FROM runs") == "2";
    let known = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        both()
    });
    assert!(known, "the database never heard of both");

    seen.push(home.seen(&["config", "set", "serve.database", &url]));
    let file = fs::read_to_string(home.path("config.toml")).unwrap();
    assert!(file.contains("planted-word"), "{file}");
    for args in [
        &["config", "list"][..],
        &["config", "list", "--origin"],
        &["config", "list", "--json"],
        &["config", "get", "serve.database"],
        &["config", "get", "serve.database", "--origin", "--json"],
        &["doctor"],
        &["db", "check"],
        &["db", "migrate"],
        &["audit", "verify"],
        &[
            "config",
            "set",
            "serve.database",
            "mysql://wharf:planted-word@x/y",
        ],
    ] {
        seen.push(home.seen(args));
    }
    assert!(seen.iter().any(|text| text.contains(&plain)), "{seen:?}");
    let wrong = url.replace(&format!("/{name}"), "/nowhere");
    fs::write(
        home.path("config.toml"),
        format!("[serve]\nport = 0\ndatabase = '{wrong}'\n"),
    )
    .unwrap();
    home.ok(&["serve", "--stop"]);
    let failed = home.seen(&["run", "--", "true"]);
    assert!(
        failed.contains("/nowhere") && failed.contains("createdb"),
        "{failed}"
    );
    seen.push(failed);
    for entry in files_below(&home.path("state")) {
        seen.push(String::from_utf8_lossy(&fs::read(entry).unwrap()).into_owned());
    }
    for text in seen {
        assert!(!text.contains("planted-word"), "{text}");
    }
}

#[test]
fn a_laptops_file_moves_to_postgresql() {
    let Some(postgres) = TestPostgres::start() else {
        return;
    };
    let url = postgres.url(&postgres.make_database());
    let home = Home::new();
    home.ok(&["session", "create", "work"]);
    home.ok(&["run", "-s", "work", "--shell", "cd /usr"]);
    assert!(home.seen(&["db", "check"]).contains("ok "));
    let busy = home.seen(&["db", "copy", "--to", &url]);
    assert!(busy.contains("wharf serve --stop"), "{busy}");
    home.ok(&["serve", "--stop"]);

    let copied = home.fed(&["db", "copy", "--to", "-"], url.as_bytes());
    let said = home.show(&copied);
    assert!(copied.status.success(), "{said}");
    assert!(said.contains("config set serve.database"), "{said}");
    let again = home.seen(&["db", "copy", "--to", &url]);
    assert!(again.contains("not empty"), "{again}");
    home.ok(&["config", "set", "serve.database", &url]);

    assert_eq!(home.ok(&["run", "-s", "work", "--", "pwd"]), "/usr\n");
    let history = home.ok(&["session", "history", "work"]);
    assert!(history.contains("cd /usr"), "{history}");
    home.ok(&["audit", "verify"]);
    let checked = home.ok(&["db", "check"]);
    assert!(checked.contains("sessions"), "{checked}");
    // What is not up to date is told, and not changed.
    let empty = postgres.url(&postgres.make_database());
    home.ok(&["config", "set", "serve.database", &empty]);
    let refused = home.seen(&["db", "copy", "--to", &empty]);
    assert!(refused.contains("no file to copy"), "{refused}");
    let old = home.seen(&["db", "check"]);
    assert!(old.contains("at step 0 of"), "{old}");
    assert!(home.ok(&["db", "migrate"]).starts_with("ok "));
    home.ok(&["db", "check"]);
}

#[test]
fn the_file_that_is_configured_is_checked_and_copied_and_never_made() {
    let home = Home::new();
    let elsewhere = home.path("elsewhere/wharf.db");
    let url = format!("sqlite:{}", elsewhere.display());
    home.ok(&["config", "set", "serve.database", &url]);
    let to = "postgres://wharf:planted-word@127.0.0.1:1/none";
    for args in [&["db", "check"][..], &["db", "copy", "--to", to]] {
        let said = home.seen(args);
        assert!(
            said.contains("there is no") && said.contains("elsewhere/wharf.db"),
            "{said}"
        );
        assert!(
            !elsewhere.exists() && !said.contains("planted-word"),
            "{said}"
        );
    }
    home.ok(&["db", "migrate"]);
    assert!(home.ok(&["db", "check"]).contains("ok "));
    let said = home.seen(&["db", "copy", "--to", to]);
    assert!(said.contains("--to - reads the URL"), "{said}");
    assert!(!said.contains("planted-word"), "{said}");
}

pub(crate) fn files_below(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}
