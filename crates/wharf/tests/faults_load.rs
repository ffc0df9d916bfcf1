//! Much output, slow clients, many sessions: memory stays bounded, counts are exact, and others
//! are served meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

mod faults_support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use faults_support::chance::given;
use faults_support::http::{Http, Reply};
use faults_support::{Home, processes, tell, until};

const ROUNDS: u32 = 1;
const MIB: u64 = 1024 * 1024;
/// What is kept of a run here, so that the test does not need a gigabyte of disk.
const KEPT: u64 = 64 * MIB;
const ZEROS: u64 = 1024 * MIB;
/// By how much the server may grow, in KiB.
const GROWTH_KIB: u64 = 32 * 1024;
const HEALTHY: Duration = Duration::from_secs(1);
const DRIBBLERS: usize = 1000;
/// When a request's head must be complete, and some.
const CUT_AFTER: Duration = Duration::from_secs(15);
const SESSIONS: usize = 500;
const CLIENTS: usize = 8;
/// Far above what a session takes, and far below what a shell of one's own takes.
const SESSION_KIB: u64 = 1024;

/// The tests measure memory and waiting, so that each has the machine to itself.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn floods_are_counted_and_disturb_nobody() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (rounds, _) = given("faults_load", ROUNDS);
    let mut home = Home::serving(&format!("[journal]\nrun_bytes = {KEPT}\n"));
    let http = home.http();
    http.ran(&json!({"command": "head -c 3000000 /dev/zero; echo warm >&2"}));
    let before = processes::kib(home.pid(), "status", "VmRSS");
    for _ in 0..rounds {
        let (answer, slowest) = beside_health(&http, &json!({"command": "yes", "timeout": 3}));
        assert_eq!(answer["exit_code"], 124, "the answer is not of a timeout");
        let total = is_counted(&http, &answer);
        assert!(total > MIB && total.is_multiple_of(2), "{total}");
        tell(&format!(
            "yes: {total} bytes, /health after {slowest:?} at most"
        ));

        let text = format!("head -c {ZEROS} /dev/zero");
        let (answer, slowest) = beside_health(&http, &json!({"command": text}));
        assert_eq!(answer["exit_code"], 0);
        assert_eq!(is_counted(&http, &answer), ZEROS);
        tell(&format!(
            "1 GiB of zeros, /health after {slowest:?} at most"
        ));
    }
    let peak = processes::kib(home.pid(), "status", "VmHWM");
    tell(&format!("{before} KiB before, {peak} KiB at most"));
    assert!(peak < before + GROWTH_KIB, "{before} KiB, then {peak}");
    home.stop();
}

/// Runs it, and asks for the server's health again and again meanwhile.
fn beside_health(http: &Http, request: &Value) -> (Value, Duration) {
    let over = AtomicBool::new(false);
    let (answer, slowest) = thread::scope(|scope| {
        let healthy = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                assert_eq!(http.get("/health").unwrap().status, 200);
                slowest = slowest.max(begin.elapsed());
                thread::sleep(Duration::from_millis(10));
            }
            slowest
        });
        let answer = http.ran(request);
        over.store(true, Ordering::Relaxed);
        (answer, healthy.join().unwrap())
    });
    assert!(slowest < HEALTHY, "{request}: {slowest:?}");
    (answer, slowest)
}

/// The same count everywhere, and as many bytes kept as there should be.
fn is_counted(http: &Http, answer: &Value) -> u64 {
    let id = answer["command_id"].as_str().unwrap();
    let record = http.command(id);
    let total = record["stdout_bytes"].as_u64().unwrap();
    let path = format!("/api/commands/{id}/output?limit=10");
    let output = http.get(&path).unwrap();
    assert_eq!(output.number("x-output-total"), total);
    assert_eq!(
        output.number("x-output-dropped"),
        total.saturating_sub(KEPT)
    );
    assert_eq!(output.body.len(), 10);
    let left_out = answer["truncated"]["stdout_bytes"].as_u64().unwrap();
    assert!(
        left_out < total && left_out >= total - 2 * MIB,
        "{left_out} of {total}"
    );
    total
}

#[test]
fn clients_that_dribble_are_cut_and_others_served() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut home = Home::serving("");
    let http = home.http();
    // The server raises its own limit; a test's is often just the thousand.
    let files = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: files.maximum,
        ..files
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let begin = Instant::now();
    let mut dribblers: Vec<TcpStream> = (0..DRIBBLERS)
        .map(|_| {
            let mut stream = TcpStream::connect(http.address).unwrap();
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: ").unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let mut waits = Vec::new();
    until("all who dribble are cut", || {
        let asked = Instant::now();
        assert_eq!(
            http.ran(&json!({"command": "echo here"}))["stdout"],
            "here\n"
        );
        waits.push(asked.elapsed());
        // Another byte of the head, as slowly as it gets.
        dribblers.retain_mut(|stream| stream.write_all(b"x").is_ok() && !is_cut(stream));
        thread::sleep(Duration::from_millis(100));
        dribblers.is_empty()
    });
    let took = begin.elapsed();
    waits.sort();
    let late = waits[waits.len() * 99 / 100];
    let peak = processes::kib(home.pid(), "status", "VmHWM");
    tell(&format!(
        "{DRIBBLERS} cut after {took:?}; others answered in {late:?} (p99); {peak} KiB"
    ));
    // A busy machine is given as much again; the figure above is the one to read.
    assert!(took < CUT_AFTER * 2, "{took:?}");
    assert!(late < HEALTHY, "{late:?}");
    assert!(peak < 256 * 1024, "{peak} KiB");
    home.stop();
}

fn is_cut(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1024]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[test]
fn what_is_too_large_is_refused_unread() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut home = Home::serving("");
    let http = home.http();
    let token = fs::read_to_string(home.path("state/token")).unwrap();
    let ask = |rest: &str| {
        let mut stream = TcpStream::connect(http.address).unwrap();
        let head = format!(
            "POST /api/run-command HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nConnection: close\r\n{rest}",
            http.address,
            token.trim()
        );
        let _cut_early = stream.write_all(head.as_bytes());
        let mut bytes = Vec::new();
        let _reset_after_the_answer = stream.read_to_end(&mut bytes);
        Reply::parse(&bytes).map(|reply| reply.status)
    };
    assert_eq!(ask("Content-Length: 104857600\r\n\r\n{"), Some(413));
    assert_eq!(
        ask("Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n123456789"),
        Some(415)
    );
    let large = format!(
        "X-Large: {}\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(100_000)
    );
    assert!(matches!(ask(&large), Some(431) | None));
    assert_eq!(
        http.ran(&json!({"command": "echo here"}))["stdout"],
        "here\n"
    );
    home.stop();
}

#[test]
fn five_hundred_sessions_live_and_go() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut home = Home::serving("");
    let http = home.http();
    http.ran(&json!({"command": "echo warm | cat"}));
    let before = memory(&home);
    each_session(|name| {
        let made = http.post("/api/create-session", &json!({"session_id": name}));
        assert_eq!(made.unwrap().status, 200, "{name}");
        assert_eq!(http.say(name, &format!("own={name}-value"))["exit_code"], 0);
    });
    let after = memory(&home);
    let each = after.saturating_sub(before) / u64::try_from(SESSIONS).unwrap();
    tell(&format!(
        "{SESSIONS} sessions: {each} KiB each (PSS), server and all"
    ));
    assert!(each < SESSION_KIB, "{each} KiB");
    each_session(|name| {
        assert_eq!(
            http.say(name, "echo $own")["stdout"],
            format!("{name}-value\n")
        );
    });
    each_session(|name| {
        let path = format!("/api/session/{name}");
        assert_eq!(http.delete(&path).unwrap().status, 200, "{name}");
        assert_eq!(http.get(&path).unwrap().status, 404, "{name}");
    });
    let list = http.get("/api/sessions").unwrap().json();
    assert_eq!(list["sessions"], json!([]));
    until("their shells are gone", || {
        processes::below(home.pid()).len() < 50
    });
    home.stop();
}

/// Does it for the name of each session, some at once.
fn each_session(act: impl Fn(&str) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= SESSIONS {
                        return;
                    }
                    act(&format!("s{index}"));
                }
            });
        }
    });
}

/// KiB of the server and all below it, what they share counted once.
fn memory(home: &Home) -> u64 {
    let below = processes::below(home.pid());
    let pids = below.iter().map(|process| process.pid).chain([home.pid()]);
    pids.map(|pid| processes::kib(pid, "smaps_rollup", "Pss"))
        .sum()
}
