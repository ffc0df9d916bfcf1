//! A real disk of 2 MiB that fills up. It is mounted in a mount namespace of a child process, so
//! it is gone with the child; where that is not permitted, the test says so and passes: the same
//! story is told on a simulated disk in `src/audit/fault_tests.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, as tests do, and say what was skipped"
)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use wharf_store::audit::limits::CLOSE_ROOM_BYTES;
use wharf_store::audit::{AuditError, AuditLog, CloseRoom, Options, verify};
use wharf_store::db::{Database, SessionRow, SessionUpdate};

#[test]
fn a_real_disk_that_fills_up() {
    on_a_small_disk("child_on_a_small_disk");
}

#[test]
fn a_database_on_a_disk_that_fills_up() {
    on_a_small_disk("child_with_a_database_on_a_small_disk");
}

/// Runs a test of this file, which is ignored else, with a small disk of its own.
fn on_a_small_disk(child: &str) {
    let dir = TempDir::new().unwrap();
    let script = "mount -t tmpfs -o size=2m tmpfs \"$1\" && shift && exec \"$@\"";
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--user", "--map-root-user", "sh", "-c"]);
        command.args([script, "sh"]).arg(dir.path()).args(arguments);
        command
    };
    let permitted = unshare(&["true"]).stderr(Stdio::null()).status();
    if !permitted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user may not mount a tmpfs in a namespace of its own");
        return;
    }

    let exe = std::env::current_exe().unwrap();
    let started = unshare(&[exe.to_str().unwrap(), "--exact", child, "--ignored"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = started.unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", dir.path().display()).unwrap();
    let output = child.wait_with_output().unwrap();

    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing outside of the small disk"
    );
}

#[test]
#[ignore = "the child of a_real_disk_that_fills_up"]
fn child_on_a_small_disk() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    if line.is_empty() {
        return;
    }
    let disk = Path::new(line.trim());
    let (dir, filler, large) = (disk.join("audit"), disk.join("filler"), disk.join("large"));
    // Something that can go later.
    fs::write(&large, vec![1; 512 * 1024]).unwrap();
    let options = Options {
        reserve_bytes: 64 * 1024,
        ..Options::default()
    };
    let (log, _) = AuditLog::open(&dir, options).unwrap();

    let mut rooms: Vec<CloseRoom> = Vec::new();
    let refused = loop {
        match log.open_entry("open", 1, &json!({"pad": "x".repeat(300)})) {
            Ok((_, room)) => rooms.push(room),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AuditError::NoSpace { .. }), "{refused:?}");
    assert!(rooms.len() > 300, "{}", rooms.len());
    assert!(verify(&dir, Some(log.head())).unwrap().is_intact());

    // Somebody takes the very last byte. What was promised is still there.
    fill(&filler);
    let closing = json!({"pad": "x".repeat(usize::try_from(CLOSE_ROOM_BYTES).unwrap() - 250)});
    for room in &mut rooms {
        log.close_entry(room, "close", 2, &closing).unwrap();
    }
    let refused = loop {
        if let Err(error) = log.append("plain", 3, &json!({"pad": "x".repeat(1_000)})) {
            break error;
        }
    };
    assert!(matches!(refused, AuditError::NoSpace { .. }), "{refused:?}");
    let report = verify(&dir, Some(log.head())).unwrap();
    assert!(report.is_intact(), "{report:?}");

    // Reading works, and a restart on the full disk does.
    let head = log.head();
    drop((rooms, log));
    let (log, recovery) = AuditLog::open(&dir, options).unwrap();
    assert_eq!((recovery.head, recovery.cut_bytes), (head, 0));
    assert!(matches!(
        log.open_entry("open", 4, &json!({})),
        Err(AuditError::NoSpace { .. })
    ));

    fs::remove_file(&large).unwrap();
    let (entry, _room) = log.open_entry("open", 5, &json!({})).unwrap();
    assert_eq!(entry.seq, head.seq + 1);
    assert!(verify(&dir, Some(entry)).unwrap().is_intact());
}

/// After a full disk the same connection writes again: it is not left in a transaction that only
/// one side knows of.
#[tokio::test]
#[ignore = "the child of a_database_on_a_disk_that_fills_up"]
async fn child_with_a_database_on_a_small_disk() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    if line.is_empty() {
        return;
    }
    let disk = Path::new(line.trim());
    let filler = disk.join("filler");
    let database = Database::open_sqlite(&disk.join("wharf.db")).await.unwrap();
    let session = SessionRow {
        owner: "me".to_owned(),
        id: "s".to_owned(),
        ..SessionRow::default()
    };
    assert!(database.insert_session(&session).await.unwrap());
    let update = |count: i64, size: usize| SessionUpdate {
        owner: "me".to_owned(),
        id: "s".to_owned(),
        command_count: count,
        env_sealed: Some(vec![7; size]),
        ..SessionUpdate::default()
    };
    for round in 0..3 {
        fill(&filler);
        let refused = database.update_sessions(&[update(-1, 256 * 1024)]).await;
        assert!(refused.is_err(), "round {round}: it fitted");
        let read = database.session("me", "s").await.unwrap().unwrap();
        assert_eq!(read.command_count, round, "round {round}");

        fs::remove_file(&filler).unwrap();
        let next = [update(round + 1, 16)];
        let written = database.update_sessions(&next).await;
        assert!(written.is_ok(), "round {round}: {written:?}");
        let read = database.session("me", "s").await.unwrap().unwrap();
        assert_eq!(read.command_count, round + 1);
    }
    database.close().await;
}

/// Writes into a file until nothing more fits.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    while file.write(&[1; 4_096]).is_ok_and(|written| written > 0) {}
}
