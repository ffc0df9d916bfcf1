//! No space for the record, a record that cannot be written, and no descriptors: what cannot be recorded is refused with its
//! reason, what was recorded can be read, and all is well again when there is room.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and its helpers too"
)]

mod faults_support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use faults_support::chance::given;
use faults_support::http::Http;
use faults_support::{Home, WHARF, entries, signal, tell, until, within};

const ROUNDS: u32 = 2;
/// Runs after which a full disk must have been noticed: the record keeps room for a while.
const MOST_BEFORE_REFUSAL: usize = 3000;
/// Requests of each kind while the disk is full.
const WHILE_FULL: usize = 20;
/// Bytes that one run writes when they do not fit any more.
const TOO_MUCH: u64 = 12 * 1024 * 1024;
/// Too few for a shell.
const TOO_FEW: u32 = 64;
/// Enough for shells, not for all clients at once.
const FEW: u32 = 128;
/// Clients at once, each with a shell to start.
const CLIENTS: usize = 60;

/// A server whose data lies on a small disk, which is mounted for it alone and gone with it.
struct SmallDisk {
    home: Home,
    /// The disk as the server sees it, from outside of its namespace.
    data: PathBuf,
}

impl SmallDisk {
    /// None where this user may not mount.
    fn new() -> Option<Self> {
        let mut home = Home::new("");
        fs::create_dir(home.path("data")).unwrap();
        let unshare = |script: &str| {
            let script = format!("mount -t tmpfs -o size=8m,mode=700 tmpfs \"$1\" && {script}");
            let data = home.path("data");
            let arguments = ["--mount", "--user", "--map-root-user", "sh", "-c", &script];
            let mut command = home.program("unshare", &arguments);
            command.arg("sh").arg(data).arg(WHARF);
            command
        };
        let permitted = unshare("true").stderr(Stdio::null()).status();
        if !permitted.is_ok_and(|status| status.success()) {
            tell("skipped: this user may not mount a disk in a namespace of its own");
            return None;
        }
        let command = unshare("exec \"$2\" serve");
        home.start_as(command);
        let outside = home.path("data");
        let data = PathBuf::from(format!("/proc/{}/root{}", home.pid(), outside.display()));
        assert!(data.join("audit").exists(), "the server's data is not here");
        assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
        Some(Self { home, data })
    }

    /// Writes until the last byte is taken.
    fn fill(&self) {
        let filler = self.data.join("filler");
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(filler)
            .unwrap();
        for size in [65_536, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.data.join("filler")).unwrap();
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let (rounds, _) = given("faults_disk", ROUNDS);
    let Some(mut disk) = SmallDisk::new() else {
        return;
    };
    let http = disk.home.http();
    let session = json!({"session_id": "s", "env": {"KEPT": "yes"}});
    assert_eq!(
        http.post("/api/create-session", &session).unwrap().status,
        200
    );
    let kept = http.ran(&json!({"command": "echo kept"}));
    let kept = kept["command_id"].as_str().unwrap();
    let mut refusals = 0;
    for round in 0..rounds {
        let begun = disk.home.work().join(format!("begun{round}"));
        let under_way = begin(&http, &begun, &format!("sleep 2; echo late{round}"));
        disk.fill();
        let taken = refused_sooner_or_later(&http, &format!("r{round}a"));
        can_be_read(&http, kept);
        // It ends well on the full disk. The room that was set aside for its end is free then.
        let late = under_way.join().unwrap();
        assert_eq!(late["stdout"], format!("late{round}\n"), "{late}");
        disk.fill();
        refused_sooner_or_later(&http, &format!("r{round}b"));
        refusals += while_it_is_full(&http, round);
        can_be_read(&http, kept);

        disk.make_room();
        until("runs are taken again", || {
            let request = json!({"command": format!("echo after{round} >> ran.txt")});
            http.run(&request).unwrap().status == 200
        });
        // The database has gone on, too: what is new comes first.
        let new = http.ran(&json!({"command": format!("echo new{round}")}));
        let list = http.get("/api/commands").unwrap().json();
        assert_eq!(
            list["commands"][0]["command_id"], new["command_id"],
            "{list}"
        );
        can_be_read(&http, kept);
        assert_eq!(http.say("s", "echo $KEPT")["stdout"], "yes\n");
        tell(&format!("round {round}: {taken} runs before the refusal"));
    }
    assert!(disk.home.is_up());
    all_is_recorded(&disk);
    let record = entries(&disk.data.join("audit"));
    let denied = record.iter().filter(|entry| entry["kind"] == "run.refused");
    assert_eq!(denied.count(), refusals);
    disk.home.stop();
}

#[test]
fn an_output_that_does_not_fit_is_counted() {
    let Some(mut disk) = SmallDisk::new() else {
        return;
    };
    let http = disk.home.http();
    let text = format!("head -c {TOO_MUCH} /dev/zero; echo said >&2");
    let answer = http.ran(&json!({"command": text, "output_limit": 1000}));
    assert_eq!(answer["exit_code"], 0, "{answer}");
    let record = http.command(answer["command_id"].as_str().unwrap());
    assert_eq!(record["stdout_bytes"], TOO_MUCH, "{record}");
    let path = format!(
        "/api/commands/{}/output",
        record["command_id"].as_str().unwrap()
    );
    let output = http.get(&path).unwrap();
    assert_eq!(output.number("x-output-total"), TOO_MUCH);
    assert!(output.number("x-output-dropped") > 0);
    assert!(disk.home.is_up());
    all_is_recorded(&disk);
    disk.home.stop();
}

/// Starts a run that goes on for a while.
fn begin(http: &Http, begun: &Path, text: &str) -> thread::JoinHandle<Value> {
    let text = format!("touch {}; {text}", begun.display());
    let http = http.clone();
    let asked = thread::spawn(move || http.ran(&json!({"command": text})));
    until("it has begun", || begun.exists());
    asked
}

/// Runs until the first refusal; how many there were.
fn refused_sooner_or_later(http: &Http, name: &str) -> usize {
    for index in 0..MOST_BEFORE_REFUSAL {
        let text = format!("echo {name}n{index} >> ran.txt");
        let reply = http.run(&json!({"command": text})).unwrap();
        match reply.status {
            200 => {}
            507 => return index,
            other => panic!("{other}: {}", reply.text()),
        }
    }
    panic!("a full disk is not noticed");
}

fn while_it_is_full(http: &Http, round: u32) -> usize {
    let mut refusals = 0;
    for index in 0..WHILE_FULL {
        for request in [
            json!({"command": format!("echo full{round}n{index} >> ran.txt")}),
            json!({"command": "echo in the session >> ran.txt", "session_id": "s"}),
            json!({"command": "echo behind >> ran.txt", "background": true}),
        ] {
            let reply = http.run(&request).unwrap();
            assert_eq!(reply.status, 507, "{request}: {}", reply.text());
            let problem = reply.json();
            let reason = problem["detail"].as_str().unwrap();
            assert!(reason.contains("space"), "{problem}");
            assert_eq!(problem["retryable"], true, "{problem}");
        }
        // A refusal is an entry too; without room for it there is none, and no answer that has one.
        let denied = http.run(&json!({"command": "rm -rf /"})).unwrap().status;
        assert!(denied == 403 || denied == 507, "{denied}");
        refusals += usize::from(denied == 403);
        for path in ["/health", "/api/audit", "/api/sessions"] {
            let reply = http.get(path).unwrap();
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        }
    }
    refusals
}

/// What was done before, and the session, whether or not there is room.
fn can_be_read(http: &Http, kept: &str) {
    let record = http.command(kept);
    assert_eq!(
        (&record["state"], &record["exit_code"]),
        (&json!("done"), &json!(0)),
        "{record}"
    );
    let output = http.get(&format!("/api/commands/{kept}/output")).unwrap();
    assert_eq!(output.text(), "kept\n");
    for path in [
        "/api/commands",
        "/api/sessions",
        "/api/session/s",
        "/api/session/s/history",
        "/api/session/s/suggestions",
    ] {
        let reply = http.get(path).unwrap();
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    }
}

/// Everything that left a line is in the record, and every run in it has its end.
fn all_is_recorded(disk: &SmallDisk) {
    let mut verify = disk.home.program(WHARF, &["audit", "verify"]);
    let root = format!("/proc/{}/root", disk.home.pid());
    verify.env("WHARF_HOME", seen_through(&root, disk.home.root()));
    let output = verify.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let record = entries(&disk.data.join("audit"));
    let count = |kind: &str| record.iter().filter(|entry| entry["kind"] == kind).count();
    assert_eq!(count("run.opened"), count("run.closed"));
    let ran = fs::read_to_string(disk.home.work().join("ran.txt")).unwrap_or_default();
    let commands: Vec<_> = record
        .iter()
        .filter_map(|e| e["command"].as_str())
        .collect();
    for line in ran.lines() {
        let text = format!("echo {line} >> ran.txt");
        let recorded = commands.iter().filter(|command| **command == text).count();
        let times = ran.lines().filter(|other| *other == line).count();
        assert_eq!(recorded, times, "{line}");
        assert!(!line.starts_with("full"), "it ran unrecorded: {line}");
    }
}

fn seen_through(root: &str, path: &Path) -> PathBuf {
    PathBuf::from(format!("{root}{}", path.display()))
}

/// Every write of the server's fails from here on, until this is dropped.
struct Broken {
    injector: Child,
}

impl Broken {
    /// By a tracer that answers in the kernel's place. None where there is no such tracer, or it
    /// may not trace.
    fn writes_of(home: &Home) -> Option<Self> {
        let fault = "inject=pwrite64,pwritev,pwritev2:error=EIO";
        let log = home.path("strace.log");
        let pid = home.pid().to_string();
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &pid, "-e", "trace=pwrite64,pwritev,pwritev2"]);
        command.args(["-e", fault, "-o"]).arg(&log);
        let mut injector = command.stderr(Stdio::piped()).spawn().ok()?;
        // It says so when it has got hold of every thread, and says something else if it cannot.
        let mut said = String::new();
        let mut stderr = BufReader::new(injector.stderr.take()?);
        let attached = stderr.read_line(&mut said).is_ok() && said.contains("attached");
        if !attached {
            let _gone_already = injector.kill();
            let _gone_already = injector.wait();
            return None;
        }
        Some(Self { injector })
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        // Asked to end, it lets go of the server; killed, it would take its threads with it.
        signal(self.injector.id(), "INT");
        self.injector.wait().unwrap();
    }
}

/// A disk that fails is no end, and nothing runs that cannot be recorded. The end of what ran
/// meanwhile is recorded as soon as that is possible.
#[test]
fn a_record_that_cannot_be_written_refuses_and_is_completed_later() {
    let mut home = Home::serving("");
    let http = home.http();
    let kept = http.ran(&json!({"command": "echo kept"}));
    let kept = kept["command_id"].as_str().unwrap();
    let (begun, go) = (home.work().join("begun"), home.work().join("go"));
    let text = format!(
        "until [ -e {} ]; do sleep 0.1; done; echo late",
        go.display()
    );
    let under_way = begin(&http, &begun, &text);

    let Some(broken) = Broken::writes_of(&home) else {
        tell("skipped: no strace here that may trace");
        fs::write(&go, "").unwrap();
        under_way.join().unwrap();
        return home.stop();
    };
    for request in [
        json!({"command": "echo unrecorded >> ran.txt"}),
        json!({"command": "echo unrecorded >> ran.txt", "background": true}),
        json!({"command": "rm -rf /"}),
    ] {
        let reply = http.run(&request).unwrap();
        assert_eq!(reply.status, 503, "{request}: {}", reply.text());
        let problem = reply.json();
        assert_eq!(problem["code"], "not_recordable", "{problem}");
        assert_eq!(problem["retryable"], true, "{problem}");
    }
    assert_eq!(http.get("/health").unwrap().status, 200);
    assert_eq!(http.command(kept)["state"], "done");
    let output = http.get(&format!("/api/commands/{kept}/output")).unwrap();
    assert_eq!(output.text(), "kept\n");
    fs::write(&go, "").unwrap();
    let late = under_way.join().unwrap();
    assert_eq!(late["stdout"], "late\n", "{late}");
    let ends = || {
        let of_it =
            |entry: &Value| entry["kind"] == "run.closed" && entry["run"] == late["command_id"];
        let mut record = home.audit();
        record.retain(of_it);
        record
    };
    assert_eq!(ends(), [] as [Value; 0]);

    drop(broken);
    until("the end is recorded", || !ends().is_empty());
    let end = &ends()[0];
    assert_eq!(
        (&end["state"], &end["exit_code"], &end["stdout_bytes"]),
        (&json!("done"), &json!(0), &json!(5))
    );
    assert_eq!(
        http.ran(&json!({"command": "echo well"}))["stdout"],
        "well\n"
    );
    assert!(home.is_up());
    assert!(!home.work().join("ran.txt").exists(), "it ran unrecorded");
    home.stop();
    home.verify();
    let record = home.audit();
    let count = |kind: &str| record.iter().filter(|entry| entry["kind"] == kind).count();
    assert_eq!(count("run.opened"), count("run.closed"));
}

/// A directory that cannot be written is said at the start, by name.
#[test]
fn a_read_only_directory_is_said_at_the_start() {
    let home = Home::new("");
    let data = home.path("data");
    fs::create_dir(&data).unwrap();
    let serve = |what: &str| {
        let script =
            format!("mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && {what}");
        let arguments = ["--mount", "--user", "--map-root-user", "sh", "-c", &script];
        let mut command = home.program("unshare", &arguments);
        command.arg("sh").arg(&data).arg(WHARF);
        command.output().unwrap()
    };
    if !serve("true").status.success() {
        tell("skipped: this user may not mount a directory in a namespace of its own");
        return;
    }
    let output = serve("exec \"$2\" serve");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error["), "{said}");
    assert!(said.contains(data.to_str().unwrap()), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn few_descriptors_are_no_end() {
    let mut home = with_descriptors(FEW);
    let http = home.http();
    let answers: Vec<Option<u16>> = thread::scope(|scope| {
        let ask = |index: usize| {
            let text = format!("echo c{index} >> ran.txt; sleep 0.5; echo c{index}");
            let reply = http.run(&json!({"command": text})).ok()?;
            let clear = match reply.status {
                // Either it ran to its end or it says why it did not.
                200 => {
                    let answer = reply.json();
                    answer["stdout"] == format!("c{index}\n") || answer["error"].is_object()
                }
                429 | 500 | 503 | 507 => reply.json()["detail"].is_string(),
                _ => false,
            };
            assert!(clear, "{}: {}", reply.status, reply.text());
            Some(reply.status)
        };
        let asked: Vec<_> = (0..CLIENTS).map(|i| scope.spawn(move || ask(i))).collect();
        asked
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let done = answers
        .iter()
        .filter(|answer| **answer == Some(200))
        .count();
    let cut = answers.iter().filter(|answer| answer.is_none()).count();
    tell(&format!(
        "{FEW} descriptors, {CLIENTS} clients: {done} answered 200, {cut} cut off"
    ));

    assert!(home.is_up(), "the server has ended");
    let well = within(std::time::Duration::from_secs(10), || {
        http.run(&json!({"command": "echo well | cat"}))
            .is_ok_and(|reply| reply.status == 200 && reply.json()["stdout"] == "well\n")
    });
    assert!(well, "it does not recover");
    home.verify();
    let ran = fs::read_to_string(home.work().join("ran.txt")).unwrap_or_default();
    let record = home.audit();
    for line in ran.lines() {
        let begin = format!("echo {line} >>");
        let opened = record.iter().filter(|entry| {
            entry["command"]
                .as_str()
                .is_some_and(|text| text.starts_with(&begin))
        });
        assert_eq!(opened.count(), 1, "{line}");
    }
    home.stop();
}

#[test]
fn too_few_descriptors_are_said() {
    let mut home = with_descriptors(TOO_FEW);
    let http = home.http();
    for text in ["true", "echo well | cat"] {
        let answer = http.ran(&json!({"command": text}));
        let told = answer["error"]["message"].is_string();
        assert!(answer["success"] == true || told, "{answer}");
    }
    assert_eq!(http.get("/health").unwrap().status, 200);
    home.verify();
    home.stop();
}

fn with_descriptors(most: u32) -> Home {
    let mut home = Home::new("");
    let script = format!("ulimit -n {most}; exec \"$1\" serve");
    let command = home.program("sh", &["-c", &script, "sh", WHARF]);
    home.start_as(command);
    home
}
