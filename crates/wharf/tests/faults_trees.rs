//! Processes that try to stay: by time limit and by cancelling, stateless and in a session,
//! nothing of them is left; a bomb meets its bound, and the server answers meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

mod faults_support;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use faults_support::chance::given;
use faults_support::http::Http;
use faults_support::{Home, processes, tell, until, within};

const ROUNDS: u32 = 1;
/// Between the end of a run, as it was answered, and the end of its last process.
const SURVIVAL: Duration = Duration::from_secs(10);
/// Ways of not going away, `@` being a time to sleep that names the case.
const STAYING: [&str; 10] = [
    "sleep @",
    "setsid sleep @ & setsid sleep @ & wait",
    "(setsid sleep @ &); (sleep @ &); sleep @",
    "trap '' TERM INT HUP; sleep @ & sleep @; sleep @",
    "bash -c 'trap \"\" TERM; while :; do sleep @; done'",
    "sleep @ & sleep 0.3; kill -STOP $!; wait",
    "bash -c 'kill -STOP $$; sleep @' @",
    "env -i setsid -w sh -c 'sleep @ & sleep @; sleep @'",
    "nohup setsid sleep @ >/dev/null 2>&1 & disown; sleep @",
    // Beside a process that goes when it is asked to.
    "(trap '' TERM; setsid sh -c '(sleep @ &); kill -STOP $$; sleep @' @ &) & sleep @",
];
/// Children that their parent does not collect.
const ZOMBIES: usize = 500;
/// The bound on the processes of one run.
const MOST_IN_A_TREE: usize = 4096;
/// A small one, above what a shell and its pipes need.
const FEW_IN_A_TREE: usize = 64;
/// The server's own processes beside it: idle shells and shims.
const OWN: usize = 64;
/// The bar is one second on a machine of one's own; the figure is told.
const HEALTHY: Duration = Duration::from_secs(3);

/// The tests measure what processes do to each other, so that each has the machine to itself;
/// `.config/nextest.toml` does the same where each test is a process.
static ALONE: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, Debug)]
enum End {
    Timeout,
    Cancel,
}

/// How each is ended, and whether it runs in a session.
const ENDS: [(End, bool); 4] = [
    (End::Timeout, false),
    (End::Timeout, true),
    (End::Cancel, false),
    (End::Cancel, true),
];

#[test]
fn nothing_outlives_its_end() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (rounds, _) = given("faults_trees", ROUNDS);
    let mut home = Home::serving("[limits]\ngrace = '1s'\n");
    let http = home.http();
    for round in 0..rounds {
        thread::scope(|scope| {
            for (index, text) in STAYING.iter().enumerate() {
                for (kind, (end, within)) in ENDS.iter().enumerate() {
                    let marker = format!("90{}.{round}{index}{kind}77", std::process::id());
                    let session = within.then(|| format!("s{round}-{index}-{kind}"));
                    let http = &http;
                    scope.spawn(move || {
                        ends(http, &text.replace('@', &marker), &marker, *end, session);
                    });
                }
            }
        });
    }
    no_zombies(&home);
    tell(&format!(
        "{} runs ended, 0 processes left",
        rounds as usize * STAYING.len() * ENDS.len()
    ));
    home.stop();
}

/// Runs it, ends it, and looks for what is left of it.
fn ends(http: &Http, text: &str, marker: &str, end: End, session: Option<String>) {
    let case = format!("{end:?} {session:?} {text}");
    if let Some(session) = &session {
        let made = http.post("/api/create-session", &json!({"session_id": session}));
        assert_eq!(made.unwrap().status, 200, "{case}");
        http.say(session, "kept=yes; export told=too");
    }
    let mut request = json!({"command": text, "session_id": session});
    if matches!(end, End::Timeout) {
        request["timeout"] = json!(1);
    } else {
        request["timeout"] = json!(300);
    }
    let answer = thread::scope(|scope| {
        let asked = scope.spawn(|| http.ran(&request));
        if matches!(end, End::Cancel) {
            until(&case, || !processes::with(marker).is_empty());
            cancel(http, marker);
        }
        asked.join().unwrap()
    });
    let ended = within(SURVIVAL, || processes::with(marker).is_empty());
    assert!(ended, "{case}: {:?}", processes::with(marker));
    match end {
        End::Timeout => {
            assert_eq!(answer["exit_code"], 124, "{case}: {answer}");
            assert_eq!(answer["error"]["kind"], "timeout", "{case}: {answer}");
        }
        End::Cancel => assert_eq!(answer["error"]["kind"], "killed", "{case}: {answer}"),
    }
    if let Some(session) = session {
        // The shell may have been ended with its command; what it exported is there again.
        let said = http.say(&session, "echo $told");
        assert_eq!(said["stdout"], "too\n", "{case}: {said}");
        let removed = http.delete(&format!("/api/session/{session}")).unwrap();
        assert_eq!(removed.status, 200, "{case}");
    }
}

fn cancel(http: &Http, marker: &str) {
    let list = http.get("/api/commands?limit=1000").unwrap().json();
    let runs = list["commands"].as_array().unwrap();
    let run = runs
        .iter()
        .find(|run| run["command"].as_str().unwrap().contains(marker))
        .unwrap();
    let id = run["command_id"].as_str().unwrap();
    let reply = http.delete(&format!("/api/commands/{id}")).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["state"], "done", "{}", reply.text());
}

#[test]
fn the_dead_are_buried() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut home = Home::serving("[limits]\ngrace = '1s'\n");
    let marker = format!("91{}.1", std::process::id());
    // `exec` makes of the shell a parent that never asks after its children.
    let text = format!("for i in $(seq {ZOMBIES}); do sleep 1 & done; exec sleep {marker}");
    let request = json!({"command": text, "background": true});
    let answer = home.http().ran(&request);
    let dead = |home: &Home| {
        processes::below(home.pid())
            .iter()
            .filter(|p| p.zombie)
            .count()
    };
    until("there are many zombies", || dead(&home) >= ZOMBIES / 2);
    let id = answer["command_id"].as_str().unwrap();
    let reply = home.http().delete(&format!("/api/commands/{id}")).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    no_zombies(&home);
    home.stop();
}

fn no_zombies(home: &Home) {
    let zombies = || {
        let mut below = processes::below(home.pid());
        below.retain(|process| process.zombie);
        below
    };
    assert!(within(SURVIVAL, || zombies().is_empty()), "{:?}", zombies());
}

#[test]
fn a_bomb_meets_its_bound_and_the_server_answers() {
    a_bomb("[limits]\ngrace = '0s'\n", MOST_IN_A_TREE);
}

/// The bound is the one that is configured; a small one leaves the server all the machine.
#[test]
fn a_bomb_meets_a_small_bound_too() {
    let config = format!("[limits]\ngrace = '0s'\nprocesses = {FEW_IN_A_TREE}\n");
    a_bomb(&config, FEW_IN_A_TREE);
}

fn a_bomb(config: &str, bound: usize) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut home = Home::serving(config);
    let http = home.http();
    let group = http.ran(&json!({"command": "cat /proc/self/cgroup"}));
    if !group["stdout"].as_str().unwrap().contains("wharf-") {
        tell("skipped: no control groups here, so that a bomb would hit the machine");
        return;
    }
    let marker = format!("92{}.1", std::process::id());
    let bomb = format!("bomb() {{ bomb | bomb & }}\nbomb\nsleep {marker}\n");
    // Its name is this test's alone: another one's bomb is not taken for what is left of it.
    let name = format!("bomb-{marker}.sh");
    fs::write(home.work().join(&name), bomb).unwrap();
    let over = AtomicBool::new(false);
    let (slowest, most, answer) = thread::scope(|scope| {
        let looked = scope.spawn(|| slowest_health(&http, &over));
        let counted = scope.spawn(|| most_processes(&home, &over));
        // Long enough for it to meet the bound on a busy machine too.
        let answer = http.ran(&json!({"command": format!("bash {name}"), "timeout": 6}));
        let gone = within(SURVIVAL, || processes::with(&name).is_empty());
        over.store(true, Ordering::Relaxed);
        assert!(gone, "{} are left", processes::with(&name).len());
        (looked.join().unwrap(), counted.join().unwrap(), answer)
    });
    tell(&format!(
        "a bomb of {most} processes, /health after {slowest:?} at most"
    ));
    assert_eq!(answer["exit_code"], 124, "{answer}");
    assert!(slowest < HEALTHY, "{slowest:?}");
    // Looking takes a while, and what comes and goes meanwhile is counted too.
    assert!(most > bound / 2, "{most}: it was no bomb");
    assert!(most <= 2 * bound + OWN, "{most}");
    assert_eq!(
        http.ran(&json!({"command": "echo well | cat"}))["stdout"],
        "well\n"
    );
    no_zombies(&home);
    home.stop();
}

fn slowest_health(http: &Http, over: &AtomicBool) -> Duration {
    let mut slowest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        assert_eq!(http.get("/health").unwrap().status, 200);
        slowest = slowest.max(begin.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    slowest
}

fn most_processes(home: &Home, over: &AtomicBool) -> usize {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        most = most.max(processes::below(home.pid()).len());
        thread::sleep(Duration::from_millis(100));
    }
    most
}
