//! Each of many mixed runs has exactly its entries, with all that they should say; and secrets
//! are in no file.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

mod faults_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use faults_support::chance::{Chance, given};
use faults_support::{Home, tell, until};

const ROUNDS: u32 = 5;
const RUNS_IN_A_ROUND: usize = 100;
const CLIENTS: usize = 8;
const SESSIONS: u64 = 4;

/// A request, and what must be on record about it.
struct Expected {
    request: Value,
    /// The status of the answer.
    status: u16,
    verdict: &'static str,
    /// A rule that the entry must name.
    rule: Option<&'static str>,
    exit: i64,
    /// What it writes to standard output.
    stdout: Option<String>,
}

#[test]
fn every_run_has_its_entries() {
    let (rounds, mut chance) = given("faults_audit", ROUNDS);
    mixed_runs("", rounds, &mut chance);
}

/// Without a grace, what is ended is killed at once: the record says the same.
#[test]
fn every_run_has_its_entries_without_a_grace_too() {
    let (_, mut chance) = given("faults_audit", 1);
    mixed_runs("[limits]\ngrace = '0s'\n", 1, &mut chance);
}

fn mixed_runs(config: &str, rounds: u32, chance: &mut Chance) {
    let mut home = Home::serving(config);
    let http = home.http();
    for session in 0..SESSIONS {
        let body = json!({"session_id": format!("s{session}")});
        assert_eq!(http.post("/api/create-session", &body).unwrap().status, 200);
    }
    let number = rounds as usize * RUNS_IN_A_ROUND;
    let all: Vec<_> = (0..number).map(|index| one(index, chance)).collect();
    let queue = Mutex::new(all.iter());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(expected) = next(&queue) {
                    let reply = http.run(&expected.request).unwrap();
                    let status = reply.status;
                    assert_eq!(status, expected.status, "{}", expected.request);
                }
            });
        }
    });
    let ends = |record: &[Value], kind: &str| record.iter().filter(|e| e["kind"] == kind).count();
    until("what runs in the background has ended", || {
        let record = home.audit();
        ends(&record, "run.opened") == ends(&record, "run.closed")
    });
    home.stop();
    home.verify();
    let record = home.audit();
    for expected in &all {
        is_on_record(&record, expected);
    }
    let (opened, refused) = (ends(&record, "run.opened"), ends(&record, "run.refused"));
    assert_eq!(opened + refused, number);
    let ran = fs::read_to_string(home.work().join("ran.txt")).unwrap();
    let meant = all.iter().filter(|expected| appends(expected)).count();
    assert_eq!(ran.lines().count(), meant);
    tell(&format!(
        "{opened} runs, {refused} refusals, each with its entries"
    ));
}

fn next<'a>(queue: &Mutex<std::slice::Iter<'a, Expected>>) -> Option<&'a Expected> {
    queue.lock().unwrap().next()
}

fn appends(expected: &Expected) -> bool {
    let command = expected.request["command"].as_str().unwrap();
    expected.verdict == "allow" && command.contains(">> ran.txt")
}

fn one(index: usize, chance: &mut Chance) -> Expected {
    let allowed = |request: Value, exit: i64, stdout: Option<String>| Expected {
        request,
        status: 200,
        verdict: "allow",
        rule: None,
        exit,
        stdout,
    };
    let refused = |text: String, status, verdict, rule| Expected {
        request: json!({"command": text}),
        status,
        verdict,
        rule: Some(rule),
        exit: 0,
        stdout: None,
    };
    let said = Some(format!("n{index}.\n"));
    let noted = format!("echo n{index}. >> ran.txt");
    match chance.between(0, 19) {
        0..=4 => allowed(
            json!({"command": format!("{noted}; echo n{index}.")}),
            0,
            said,
        ),
        5..=7 => {
            let session = format!("s{}", chance.between(0, SESSIONS - 1));
            let text = format!("{noted}; echo n{index}.; (exit 3)");
            allowed(json!({"command": text, "session_id": session}), 3, said)
        }
        8..=9 => {
            let text = format!("{noted}; echo n{index}.; exit 7");
            allowed(json!({"command": text, "background": true}), 7, said)
        }
        10..=11 => allowed(
            json!({"command": format!("no-such-program n{index}.")}),
            127,
            None,
        ),
        12..=13 => allowed(json!({"command": format!("printf %s n{index}.")}), 0, None),
        14 => {
            let text = format!("{noted}; echo n{index}.; sleep 60");
            allowed(json!({"command": text, "timeout": 1}), 124, said)
        }
        15..=17 => refused(format!("rm -rf / n{index}."), 403, "deny", "delete-root"),
        _ => {
            let text = format!("rm -rf /opt/no-such-dir/n{index}.");
            refused(text, 428, "confirm", "delete-outside")
        }
    }
}

fn is_on_record(record: &[Value], expected: &Expected) {
    let command = expected.request["command"].as_str().unwrap();
    let is_run = |e: &&Value| e["kind"].as_str().unwrap().starts_with("run.");
    let about: Vec<_> = record
        .iter()
        .filter(|e| e["command"] == command)
        .filter(is_run)
        .collect();
    assert_eq!(about.len(), 1, "{command}: {about:?}");
    let entry = about[0];
    assert_eq!(entry["caller"], "local", "{entry}");
    assert_eq!(entry["target"], "local", "{entry}");
    assert_eq!(entry["verdict"], expected.verdict, "{entry}");
    assert_eq!(entry["session"], expected.request["session_id"], "{entry}");
    assert_eq!(
        entry["background"] == true,
        expected.request["background"] == true,
        "{entry}"
    );
    for member in ["time", "risk", "type", "run", "cwd"] {
        assert!(!entry[member].is_null(), "{member} is missing: {entry}");
    }
    let run = entry["run"].as_str().unwrap();
    let ends: Vec<_> = record
        .iter()
        .filter(|e| e["kind"] == "run.closed" && e["run"] == run)
        .collect();
    if let Some(rule) = expected.rule {
        assert_eq!(entry["kind"], "run.refused", "{entry}");
        assert!(
            entry["extra"]["rules"]
                .as_array()
                .unwrap()
                .contains(&json!(rule)),
            "{entry}"
        );
        assert!(ends.is_empty(), "a refused run has an end: {entry}");
        return;
    }
    assert_eq!(entry["kind"], "run.opened", "{entry}");
    assert_eq!(ends.len(), 1, "{entry}: {ends:?}");
    let end = ends[0];
    assert!(end["seq"].as_u64() > entry["seq"].as_u64(), "{end}");
    assert_eq!(end["state"], "done", "{end}");
    assert_eq!(end["exit_code"], expected.exit, "{command}: {end}");
    let took = end["ms"].as_u64().unwrap();
    assert!(expected.exit != 124 || took >= 1000, "{end}");
    if let Some(stdout) = &expected.stdout {
        assert_eq!(end["stdout_bytes"], stdout.len(), "{command}: {end}");
        assert!(
            end["digest"]
                .as_str()
                .unwrap()
                .starts_with("stdout:blake3:"),
            "{end}"
        );
    }
}

#[test]
fn secrets_are_in_no_file() {
    let (_, mut chance) = given("faults_audit", 1);
    let mut home = Home::serving("");
    let http = home.http();
    let mut planted = BTreeMap::new();
    let mut secret = |what: &str| {
        let value = format!("Zq{}", chance.word(30));
        planted.insert(what.to_owned(), value.clone());
        value
    };
    let session = json!({
        "session_id": "s",
        "env": {"SERVICE_API_KEY": secret("environment of a session")},
    });
    assert_eq!(
        http.post("/api/create-session", &session).unwrap().status,
        200
    );
    for request in requests(&mut secret) {
        let _whatever_it_says = http.run(&request).unwrap();
    }
    // What is no secret is found, so that finding none means something.
    http.say("s", "true plain-word-that-is-no-secret");
    let export = format!("export GITHUB_TOKEN={}", secret("exported"));
    assert_eq!(http.say("s", &export)["exit_code"], 0);
    let stranger = http.with_token(&secret("a wrong token"));
    assert_eq!(stranger.get("/api/commands").unwrap().status, 401);
    let address = format!("/api/commands?token={}", secret("a token in an address"));
    let _refused = http.get(&address).unwrap();
    let broken = format!(
        "{{\"command\": 1, \"password\": \"{}\"",
        secret("a broken body")
    );
    let malformed = http.ask("POST", "/api/run-command", broken.as_bytes());
    assert!(malformed.unwrap().status < 500);

    let mut told = Vec::new();
    for path in [
        "/api/commands?limit=1000",
        "/api/audit?limit=1000",
        "/api/session/s",
        "/api/session/s/history",
        "/api/session/s/suggestions",
        "/api/sessions",
        "/metrics",
    ] {
        let reply = http.get(path).unwrap();
        assert_eq!(reply.status, 200, "{path}");
        told.push((path.to_owned(), reply.body));
    }
    let arguments = fs::read(format!("/proc/{}/cmdline", home.pid())).unwrap();
    told.push(("the server's arguments".to_owned(), arguments));
    // Before and after the end: what is buffered is written by then.
    files(home.root(), &mut told);
    home.stop();
    files(home.root(), &mut told);

    let holds = |bytes: &[u8], value: &str| {
        let mut parts = bytes.windows(value.len());
        parts.any(|part| part == value.as_bytes())
    };
    let plain = told
        .iter()
        .filter(|(_, bytes)| holds(bytes, "plain-word-that-is-no-secret"));
    assert!(plain.count() >= 4, "what is no secret is not found either");
    let mut hits = Vec::new();
    for (what, value) in &planted {
        let places = told.iter().filter(|(_, bytes)| holds(bytes, value));
        hits.extend(places.map(|(place, _)| format!("{what}: in {place}")));
    }
    tell(&format!(
        "{} secrets, {} places, {} hits",
        planted.len(),
        told.len(),
        hits.len()
    ));
    assert!(hits.is_empty(), "{hits:#?}");
}

/// Secrets in all the places where people put them. None of the commands prints one.
fn requests(secret: &mut dyn FnMut(&str) -> String) -> Vec<Value> {
    let texts = [
        format!("true --password={}", secret("an option")),
        format!("true --token {}", secret("an option and its word")),
        format!("mysql -p{} -e 'select 1'", secret("mysql -p")),
        format!("sshpass -p {} true", secret("sshpass -p")),
        format!(
            "echo https://me:{}@example.invalid/x > /dev/null",
            secret("userinfo")
        ),
        format!("AWS_SECRET_ACCESS_KEY={} true", secret("an assignment")),
        format!("PGPASSWORD='{}' true", secret("a quoted assignment")),
        format!(
            "true -H 'Authorization: Bearer {}'",
            secret("a bearer header")
        ),
        format!("true -H \"X-Api-Key: {}\"", secret("an API key header")),
        format!("curl -s -u me:{} http://127.0.0.1:1/", secret("curl -u")),
        format!(
            "docker login -u me -p {} example.invalid",
            secret("docker login -p")
        ),
        format!(
            "true && rm -rf / --password={}",
            secret("a refused command")
        ),
        format!("echo ghp_{}abcd > /dev/null", secret("a token by its form")),
        format!(
            "cat > /dev/null <<END\npassword: {}\nEND",
            secret("a here-document")
        ),
    ];
    let mut requests: Vec<_> = texts.iter().map(|text| json!({"command": text})).collect();
    for text in &texts[..3] {
        requests.push(json!({"command": text, "session_id": "s"}));
    }
    requests.push(json!({"command": "true", "env": {"ANY_NAME": secret("environment")}}));
    requests.push(json!({"command": "cat > /dev/null", "stdin": secret("input")}));
    requests.push(json!({
        "command": "true",
        "remote": true,
        "host": "example.invalid",
        "password": secret("the password of a host"),
    }));
    requests
}

/// All files below a directory, whole.
fn files(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}
