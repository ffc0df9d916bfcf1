//! `kill -9` in the middle of appending and projecting: nothing acknowledged is lost, and every
//! entry is in the tables exactly once.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use wharf_store::audit::event::{RUN_CLOSED, RUN_OPENED, RunClosed, RunOpened};
use wharf_store::audit::{AuditLog, Head, Options, Position, Reader, verify};
use wharf_store::db::{Database, Projector, RunRow};

/// How often the child is killed, each time a little later in its life.
const ROUNDS: usize = 12;
/// Small, so that the child is also killed while it changes files.
const OPTIONS: Options = Options {
    durability: wharf_store::audit::Durability::Process,
    segment_bytes: 50_000,
    reserve_bytes: 16_384,
};

#[tokio::test]
async fn a_killed_process_loses_nothing_it_has_acknowledged() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = spawn_child("child_that_records_until_it_is_killed", dir.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heads = lines
            .map_while(Result::ok)
            .filter_map(|line| head_of(&line));
        acknowledged.extend(heads.by_ref().take(1 + round * 97));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had written to us before it died was acknowledged as well.
        acknowledged.extend(heads);

        check(dir.path(), &acknowledged).await;
    }
    assert!(
        acknowledged.len() > ROUNDS,
        "the child has worked in every round"
    );
}

async fn check(dir: &Path, acknowledged: &[Head]) {
    let audit = dir.join("audit");
    let last = acknowledged.iter().max_by_key(|head| head.seq).copied();
    let (log, _) = AuditLog::open(&audit, OPTIONS).unwrap();
    let report = verify(&audit, last).unwrap();
    assert!(report.is_intact(), "{report:?}");

    let db = Database::open_sqlite(&dir.join("wharf.db")).await.unwrap();
    let anchor = db.anchored_head().await.unwrap();
    assert!(verify(&audit, anchor).unwrap().is_intact());
    Projector::open(&db, &audit)
        .await
        .unwrap()
        .catch_up()
        .await
        .unwrap();
    assert_eq!(db.anchored_head().await.unwrap(), Some(log.head()));

    // The tables say what the log says, no more and no less.
    let (heads, expected) = read_log(&audit);
    assert!(
        acknowledged
            .iter()
            .all(|head| heads.get(&head.seq) == Some(head))
    );
    assert_eq!(
        db.sizes().await.unwrap().runs,
        i64::try_from(expected.len()).unwrap()
    );
    for (id, (seq_opened, seq_closed)) in expected {
        let row: RunRow = db.run("ann", &id).await.unwrap().unwrap();
        assert_eq!(
            (row.seq_opened, row.seq_closed),
            (seq_opened, seq_closed),
            "{id}"
        );
        assert_eq!(row.state == "running", seq_closed.is_none());
    }
    assert_eq!(db.check().await.unwrap(), Vec::<String>::new());
    db.close().await;
}

/// Every head of the log by its number, and each run's opening and closing number.
#[expect(clippy::type_complexity, reason = "two maps, used once")]
fn read_log(audit: &Path) -> (BTreeMap<u64, Head>, BTreeMap<String, (i64, Option<i64>)>) {
    let mut reader = Reader::from_position(audit, Position::START);
    let (mut heads, mut runs) = (BTreeMap::new(), BTreeMap::new());
    while let Some(record) = reader.next_record().unwrap() {
        heads.insert(record.seq, record.head());
        let seq = i64::try_from(record.seq).unwrap();
        if record.kind() == RUN_OPENED {
            runs.insert(record.body::<RunOpened>().unwrap().run, (seq, None));
        } else {
            let run = record.body::<RunClosed>().unwrap().run;
            runs.get_mut(&run).unwrap().1 = Some(seq);
        }
    }
    (heads, runs)
}

/// Appends from two threads, says on stdout what was acknowledged, and projects all the while.
#[test]
#[ignore = "the child of a_killed_process_loses_nothing_it_has_acknowledged"]
fn child_that_records_until_it_is_killed() {
    let Some(dir) = directory_from_stdin() else {
        return;
    };
    let (log, _) = AuditLog::open(&dir.join("audit"), OPTIONS).unwrap();
    let parent_gone = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (log, parent_gone) = (&log, &parent_gone);
            scope.spawn(move || {
                for n in log.head().seq.. {
                    let run = format!("{thread}-{n}-{}", std::process::id());
                    let told = record_run(log, run);
                    if told.is_err() || parent_gone.load(Ordering::Relaxed) {
                        parent_gone.store(true, Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let db = Database::open_sqlite(&dir.join("wharf.db")).await.unwrap();
            let mut projector = Projector::open(&db, &dir.join("audit")).await.unwrap();
            while !parent_gone.load(Ordering::Relaxed) {
                projector.catch_up().await.unwrap();
            }
        });
    });
}

fn record_run(log: &AuditLog, run: String) -> std::io::Result<()> {
    let caller = "ann".to_owned();
    let opened = RunOpened {
        run: run.clone(),
        caller,
        ..RunOpened::default()
    };
    let (entry, mut room) = log.open_entry(RUN_OPENED, 1, &opened).unwrap();
    acknowledge(entry)?;
    let closed = RunClosed {
        run,
        state: "done".to_owned(),
        ..RunClosed::default()
    };
    acknowledge(log.close_entry(&mut room, RUN_CLOSED, 2, &closed).unwrap())
}

/// One write for one line, so that a kill cuts at most the last one.
fn acknowledge(head: Head) -> std::io::Result<()> {
    let line = format!("ack {}\n", serde_json::to_string(&head).unwrap());
    std::io::stdout().lock().write_all(line.as_bytes())
}

fn head_of(line: &str) -> Option<Head> {
    serde_json::from_str(line.strip_prefix("ack ")?).ok()
}

/// This test program again, running one of its tests; the directory goes to its stdin.
fn spawn_child(test: &str, dir: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", dir.display()).unwrap();
    child
}

fn directory_from_stdin() -> Option<std::path::PathBuf> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let line = line.trim();
    (!line.is_empty()).then(|| line.into())
}
