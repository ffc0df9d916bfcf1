//! The server is killed amid its work: what it has acknowledged is there, what it has started is
//! on record, nothing ran twice, and nothing goes on without it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

mod faults_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use faults_support::chance::{Chance, given};
use faults_support::http::Http;
use faults_support::{Home, processes, tell, until};

const ROUNDS: u32 = 6;
/// Requests without a session that are under way at once.
const CLIENTS: usize = 16;
const SESSIONS: usize = 4;
/// Directories that the sessions walk through, one a command.
const STEPS: usize = 40;
/// From the first request to the kill, at most.
const LAST_MOMENT_MS: u64 = 250;
const READY: Duration = Duration::from_secs(2);

/// One request, and what it must give if it is answered.
struct Work {
    /// The line that it appends to the list of what ran.
    mark: String,
    request: Value,
    stdout: Vec<u8>,
}

/// An answer that arrived.
struct Acknowledged {
    mark: String,
    command: String,
    background: bool,
    stdout: Vec<u8>,
}

/// How far a session is known to be.
struct Progress {
    session: String,
    step: usize,
}

#[test]
fn a_killed_server_keeps_its_word() {
    let (rounds, mut chance) = given("faults_crash", ROUNDS);
    let mut home = Home::new("");
    for step in 0..=STEPS {
        fs::create_dir(home.work().join(format!("d{step}"))).unwrap();
    }
    home.start();
    let (mut all, mut slowest) = (Vec::new(), Duration::ZERO);
    for round in 0..rounds {
        let work = work_of(round, &mut chance);
        let after = Duration::from_millis(chance.between(0, LAST_MOMENT_MS));
        let (acknowledged, sessions) = killed_amid(&mut home, round, work, after);
        slowest = slowest.max(home.start());
        assert!(slowest < READY, "ready after {slowest:?}");

        let http = home.http();
        nothing_of_the_former_server_runs(&home);
        for answer in &acknowledged {
            is_as_it_was_answered(&http, answer);
        }
        all.extend(acknowledged);
        the_record_is_whole(&home, &all);
        for progress in sessions {
            goes_on_where_it_was(&http, &progress);
        }
    }
    for answer in &all {
        is_as_it_was_answered(&home.http(), answer);
    }
    home.stop();
    home.verify();
    let entries = home.audit();
    let lost = entries.iter().filter(|entry| entry["state"] == "lost");
    tell(&format!(
        "{} answers kept, {} runs closed as lost, ready again after {slowest:?} at most",
        all.len(),
        lost.count()
    ));
}

/// 20 to 100 requests of all kinds. Each appends its mark first.
fn work_of(round: u32, chance: &mut Chance) -> Vec<Work> {
    let number = chance.between(20, 100);
    (0..number)
        .map(|index| one(&format!("r{round}c{index}."), chance))
        .collect()
}

fn one(mark: &str, chance: &mut Chance) -> Work {
    let noted = format!("echo {mark} >> ran.txt");
    let small = format!("out {mark}\n").into_bytes();
    let (request, stdout) = match chance.between(0, 5) {
        // Proven simple, so without a shell.
        0 => {
            let line = format!("{mark}\n");
            let request = json!({"command": "tee -a ran.txt", "stdin": line});
            (request, line.into_bytes())
        }
        1 => {
            let bytes = usize::try_from(chance.between(65_537, 400_000)).unwrap();
            let text = format!("{noted}; yes {mark} | head -c {bytes}");
            let line = format!("{mark}\n").into_bytes();
            let stdout = line.iter().copied().cycle().take(bytes).collect();
            (json!({"command": text}), stdout)
        }
        2 => {
            let text = format!("{noted}; echo out {mark}; sleep 100");
            (json!({"command": text, "background": true}), small)
        }
        3 => {
            let text = format!("{noted}; sleep 0.2; echo out {mark}");
            (json!({"command": text}), small)
        }
        _ => (
            json!({"command": format!("{noted}; echo out {mark}")}),
            small,
        ),
    };
    Work {
        mark: mark.to_owned(),
        request,
        stdout,
    }
}

/// Sends all of it, and sessions beside it, and kills the server after that long.
fn killed_amid(
    home: &mut Home,
    round: u32,
    work: Vec<Work>,
    after: Duration,
) -> (Vec<Acknowledged>, Vec<Progress>) {
    let http = home.http();
    let place = home.work();
    let queue = Mutex::new(work.into_iter());
    let acknowledged = Mutex::new(Vec::new());
    let progress = Mutex::new(Vec::new());
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|index| begin_session(&http, &format!("r{round}s{index}"), &place))
        .collect();
    thread::scope(|scope| {
        for session in &sessions {
            let (http, place) = (&http, &place);
            let (acknowledged, progress) = (&acknowledged, &progress);
            scope.spawn(move || {
                let step = walk(http, session, place, acknowledged);
                let session = session.clone();
                progress.lock().unwrap().push(Progress { session, step });
            });
        }
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(work) = next(&queue) {
                    let Ok(reply) = http.run(&work.request) else {
                        return;
                    };
                    assert_eq!(reply.status, 200, "{}: {}", work.request, reply.text());
                    let answer = accepted(work, &reply.json());
                    acknowledged.lock().unwrap().push(answer);
                }
            });
        }
        // A moment that chance has chosen; nothing waits for anything by it.
        let (_never, moment) = mpsc::channel::<()>();
        let _passed = moment.recv_timeout(after);
        home.kill();
    });
    (
        acknowledged.into_inner().unwrap(),
        progress.into_inner().unwrap(),
    )
}

fn next(queue: &Mutex<std::vec::IntoIter<Work>>) -> Option<Work> {
    queue.lock().unwrap().next()
}

fn accepted(work: Work, answer: &Value) -> Acknowledged {
    let background = work.request["background"] == true;
    if !background {
        assert_eq!(answer["exit_code"], 0, "{answer}");
        let said = answer["stdout"].as_str().unwrap();
        assert!(said.as_bytes() == work.stdout, "{}", work.request);
    }
    Acknowledged {
        mark: work.mark,
        command: answer["command_id"].as_str().unwrap().to_owned(),
        background,
        stdout: work.stdout,
    }
}

fn begin_session(http: &Http, name: &str, place: &Path) -> String {
    let body = json!({"session_id": name, "cwd": place.join("d0"), "env": {"STEP": "0"}});
    let reply = http.post("/api/create-session", &body).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    name.to_owned()
}

/// Command after command in a session, until the server is gone: a directory and a variable each.
fn walk(
    http: &Http,
    session: &str,
    place: &Path,
    acknowledged: &Mutex<Vec<Acknowledged>>,
) -> usize {
    let ran = place.join("ran.txt");
    for step in 1..=STEPS {
        let mark = format!("{session}n{step}.");
        let text = format!(
            "echo {mark} >> {}; cd ../d{step}; export STEP={step}; echo out {mark}",
            ran.display()
        );
        let Ok(reply) = http.run(&json!({"command": text, "session_id": session})) else {
            return step - 1;
        };
        assert_eq!(reply.status, 200, "{}", reply.text());
        let work = Work {
            stdout: format!("out {mark}\n").into_bytes(),
            mark,
            request: json!({"command": text}),
        };
        let answer = accepted(work, &reply.json());
        acknowledged.lock().unwrap().push(answer);
    }
    STEPS
}

fn nothing_of_the_former_server_runs(home: &Home) {
    let server = home.pid();
    until("what the killed server has started is gone", || {
        // In this order: what begins in between belongs to the new server and is not looked at.
        let here = processes::of(home.root());
        let ours = processes::below(server);
        here.iter()
            .all(|process| process.pid == server || ours.iter().any(|p| p.pid == process.pid))
    });
}

fn is_as_it_was_answered(http: &Http, answer: &Acknowledged) {
    let record = http.command(&answer.command);
    if answer.background {
        assert!(
            record["state"] == "done" || record["state"] == "lost",
            "{record}"
        );
        return;
    }
    assert_eq!(record["state"], "done", "{record}");
    assert_eq!(record["exit_code"], 0, "{record}");
    let path = format!("/api/commands/{}/output?stream=stdout", answer.command);
    let output = http.get(&path).unwrap();
    assert_eq!(output.status, 200, "{}", output.text());
    assert!(
        output.body == answer.stdout,
        "{record}: {} bytes of {}",
        output.body.len(),
        answer.stdout.len()
    );
}

/// Every run is opened once and closed once; everything that ran is in it, once; the chain holds.
fn the_record_is_whole(home: &Home, acknowledged: &[Acknowledged]) {
    home.verify();
    let entries = home.audit();
    let of_kind = |kind: &'static str| entries.iter().filter(move |entry| entry["kind"] == kind);
    let mut ends: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in of_kind("run.opened") {
        let before = ends.insert(entry["run"].as_str().unwrap(), Vec::new());
        assert!(before.is_none(), "opened twice: {entry}");
    }
    for entry in of_kind("run.closed") {
        let run = ends.get_mut(entry["run"].as_str().unwrap()).unwrap();
        run.push(entry["state"].as_str().unwrap());
    }
    for (run, ends) in &ends {
        assert!(
            matches!(ends[..], ["done" | "lost"]),
            "{run} ended as {ends:?}"
        );
    }
    for answer in acknowledged {
        let end = &ends[answer.command.as_str()];
        assert!(answer.background || end == &["done"], "{}", answer.command);
    }
    let ran = fs::read_to_string(home.work().join("ran.txt")).unwrap_or_default();
    let mut once = BTreeSet::new();
    for mark in ran.lines() {
        assert!(once.insert(mark), "ran twice: {mark}");
    }
    for answer in acknowledged.iter().filter(|answer| !answer.background) {
        assert!(once.contains(answer.mark.as_str()), "lost: {}", answer.mark);
    }
    // What has its mark in its text is found by it; the rest, by number, cannot be more.
    let commands = of_kind("run.opened").filter_map(|entry| entry["command"].as_str());
    let words: BTreeSet<&str> = commands.flat_map(str::split_whitespace).collect();
    let unnamed = once.iter().filter(|mark| !words.contains(**mark));
    let tees = of_kind("run.opened").filter(|entry| entry["command"] == "tee -a ran.txt");
    assert!(unnamed.count() <= tees.count(), "something ran unrecorded");
}

/// A session is where its last acknowledged command left it, or one further: the server may have
/// been killed between the end of a command and its answer.
fn goes_on_where_it_was(http: &Http, progress: &Progress) {
    let answer = http.say(&progress.session, "echo \"${PWD##*/d} $STEP\"");
    let said = answer["stdout"].as_str().unwrap().trim().to_owned();
    let possible = [progress.step, progress.step + 1].map(|step| format!("{step} {step}"));
    assert!(
        possible.contains(&said),
        "{}: {said} after step {}",
        progress.session,
        progress.step
    );
    assert_eq!(answer["restored"], true, "{answer}");
}
