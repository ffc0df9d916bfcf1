//! The log as its users meet it: appending, closing, reading back, opening again.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use wharf_store::audit::limits::{LINE_BYTES_MAX, OPEN_VERIFY_BYTES, TAIL_ENTRIES_MAX};
use wharf_store::audit::{
    AuditError, AuditLog, Durability, Hash, Options, Position, Reader, tail, verify,
};

#[test]
fn what_was_appended_is_read_back_and_verifies() {
    let dir = TempDir::new().unwrap();
    let (log, recovery) = open(dir.path());
    assert_eq!((recovery.head.seq, recovery.head.hash), (0, Hash::GENESIS));

    let first = log
        .append("run.refused", 1_700_000_000_000, &json!({"run": "a\nb"}))
        .unwrap();
    let second = log.append("note", -1, &json!({})).unwrap();

    let read = all(dir.path());
    assert_eq!(
        read,
        [(1, "run.refused".to_owned()), (2, "note".to_owned())]
    );
    let report = verify(dir.path(), Some(first)).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.entries, report.head), (2, second));
    assert_eq!(log.head(), second);
}

#[test]
fn a_line_can_be_checked_with_standard_tools() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());
    log.append(
        "a",
        1,
        &json!({"text": ",\"hash\":\"", "more": {"hash": "x"}}),
    )
    .unwrap();
    let second = log.append("b", 2, &json!({"n": 1})).unwrap();
    drop(log);

    let script = r#"line=$(sed -n 2p 000001.log); printf %s "${line%,\"hash\":*}" | sha256sum"#;
    let shell = std::process::Command::new("bash")
        .args(["-c", script])
        .current_dir(dir.path())
        .output()
        .unwrap();

    let sum = String::from_utf8(shell.stdout).unwrap();
    assert_eq!(
        sum.split_whitespace().next(),
        Some(second.hash.to_string().as_str())
    );
}

#[test]
fn a_log_opened_again_continues_its_chain() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());
    let before = log.append("a", 1, &json!({})).unwrap();
    drop(log);

    let (log, recovery) = open(dir.path());
    assert_eq!((recovery.head, recovery.cut_bytes), (before, 0));
    assert_eq!(log.append("b", 2, &json!({})).unwrap().seq, 2);

    assert!(verify(dir.path(), Some(before)).unwrap().is_intact());
}

#[test]
fn a_second_writer_is_told_who_the_first_is() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());

    let second = AuditLog::open(dir.path(), Options::default());

    let Err(AuditError::InUse { pid, .. }) = second else {
        panic!("{second:?}")
    };
    assert_eq!(pid, Some(std::process::id()));
    drop(log);
    AuditLog::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn a_full_segment_is_left_for_the_next_and_the_chain_goes_on() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        segment_bytes: 1_000,
        ..Options::default()
    };
    let (log, _) = AuditLog::open(dir.path(), options).unwrap();
    for n in 0..40 {
        log.append("n", n, &json!({"n": n, "pad": "x".repeat(100)}))
            .unwrap();
    }
    let head = log.head();
    drop(log);

    // A segment is left at the first entry after it has reached its size, not in a line.
    let sizes: Vec<u64> = logs(dir.path())
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .collect();
    assert!(sizes.len() > 5, "{sizes:?}");
    assert!(
        sizes
            .iter()
            .rev()
            .skip(1)
            .all(|size| (1_000..1_500).contains(size)),
        "{sizes:?}"
    );
    assert!(verify(dir.path(), Some(head)).unwrap().is_intact());
    assert_eq!(all(dir.path()).len(), 40);
    let seqs: Vec<u64> = tail(dir.path(), 7)
        .unwrap()
        .iter()
        .map(|record| record.seq)
        .collect();
    assert_eq!(seqs, [34, 35, 36, 37, 38, 39, 40]);
    for seq in [1, 7, 8, 23, 40] {
        let first = Reader::from_seq(dir.path(), seq)
            .unwrap()
            .next_record()
            .unwrap()
            .unwrap();
        assert_eq!(first.seq, seq);
    }
    assert_eq!(
        Reader::from_seq(dir.path(), 41)
            .unwrap()
            .next_record()
            .unwrap(),
        None
    );
    let (_, recovery) = AuditLog::open(dir.path(), options).unwrap();
    assert_eq!(recovery.head, head);
}

#[test]
fn a_segment_that_was_only_begun_is_used() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());
    let head = log.append("a", 1, &json!({})).unwrap();
    drop(log);
    fs::write(dir.path().join("000002.log"), "").unwrap();

    let (log, recovery) = open(dir.path());
    assert_eq!(recovery.head, head);
    assert_eq!(
        recovery.position,
        Position {
            segment: 2,
            offset: 0
        }
    );
    log.append("b", 2, &json!({})).unwrap();

    assert!(verify(dir.path(), Some(head)).unwrap().is_intact());
    assert_eq!(all(dir.path()).len(), 2);
}

#[test]
fn a_reader_follows_the_writer_across_segments() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        segment_bytes: 500,
        ..Options::default()
    };
    let (log, _) = AuditLog::open(dir.path(), options).unwrap();
    let mut reader = Reader::from_position(dir.path(), Position::START);

    for n in 1..=50 {
        assert_eq!(reader.next_record().unwrap(), None);
        log.append("n", 0, &json!({})).unwrap();
        let record = reader.next_record().unwrap().unwrap();
        assert_eq!((record.seq, record.next), (n, log.position()));
    }
}

#[test]
fn eight_threads_make_one_chain() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());

    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = log.clone();
            scope.spawn(move || {
                for n in 0..500 {
                    let (_, mut room) = log
                        .open_entry("o", 1, &json!({"t": thread, "n": n}))
                        .unwrap();
                    log.close_entry(&mut room, "c", 2, &json!({"t": thread, "n": n}))
                        .unwrap();
                }
            });
        }
    });

    let report = verify(dir.path(), Some(log.head())).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.entries, 8_000);
}

#[test]
fn a_log_can_be_verified_while_it_is_written() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..5_000 {
                log.append("n", n, &json!({"pad": "x".repeat(500)}))
                    .unwrap();
            }
        });
        while !writer.is_finished() {
            let head = log.head();
            let report = verify(dir.path(), Some(head)).unwrap();
            assert!(report.is_intact(), "{report:?}");
            let last = tail(dir.path(), 3)
                .unwrap()
                .last()
                .map_or(0, |record| record.seq);
            assert!(last >= head.seq);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn durable_entries_wait_for_the_disk_together() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        durability: Durability::Full,
        segment_bytes: 4_000,
        ..Options::default()
    };
    let (log, _) = AuditLog::open(dir.path(), options).unwrap();

    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..100 {
        let log = log.clone();
        waiting.spawn(async move { log.append_durable("n", n, &json!({"n": n})).await.unwrap() });
    }
    let mut seqs: Vec<u64> = waiting
        .join_all()
        .await
        .iter()
        .map(|entry| entry.seq)
        .collect();

    seqs.sort_unstable();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
    assert!(verify(dir.path(), Some(log.head())).unwrap().is_intact());
}

#[test]
fn a_body_cannot_speak_for_the_chain() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());

    for body in [
        json!({"seq": 1}),
        json!({"a": 1, "hash": "x"}),
        json!([1]),
        json!("x"),
        json!(null),
    ] {
        let refused = log.append("k", 1, &body);
        assert!(
            matches!(refused, Err(AuditError::Body { .. })),
            "{body}: {refused:?}"
        );
    }
    for kind in ["", "a b", "a\"", "ä", &"k".repeat(65)] {
        assert!(
            matches!(
                log.append(kind, 1, &json!({})),
                Err(AuditError::Body { .. })
            ),
            "{kind}"
        );
    }
    let raw = serde_json::value::RawValue::from_string("{\"a\":\n1}".to_owned()).unwrap();
    assert!(matches!(
        log.append("k", 1, &raw),
        Err(AuditError::Body { .. })
    ));

    // Only names at the top are the chain's.
    log.append(&"k".repeat(64), 1, &json!({"a": {"seq": 1}, "b": "hash"}))
        .unwrap();
    assert_eq!(all(dir.path()).len(), 1);
}

#[test]
fn a_line_has_a_longest_length_which_is_readable() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());
    let frame = 300;

    let refused = log.append("k", 1, &json!({"pad": "x".repeat(LINE_BYTES_MAX)}));
    assert!(
        matches!(refused, Err(AuditError::Body { .. })),
        "{refused:?}"
    );
    for _ in 0..3 {
        log.append("k", 1, &json!({"pad": "x".repeat(LINE_BYTES_MAX - frame)}))
            .unwrap();
    }
    let head = log.head();
    drop(log);

    assert!(verify(dir.path(), Some(head)).unwrap().is_intact());
    assert_eq!(all(dir.path()).len(), 3);
    assert_eq!(tail(dir.path(), 1).unwrap()[0].seq, 3);
    let (_, recovery) = open(dir.path());
    assert_eq!(recovery.head, head);
}

#[test]
fn the_tail_is_bounded() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());
    assert_eq!(tail(dir.path(), 5).unwrap(), []);
    for n in 0..TAIL_ENTRIES_MAX + 5 {
        log.append("k", 1, &json!({"n": n})).unwrap();
    }
    assert_eq!(tail(dir.path(), 0).unwrap(), []);
    let last = tail(dir.path(), usize::MAX).unwrap();
    assert_eq!((last.len(), last[0].seq), (TAIL_ENTRIES_MAX, 6));
}

#[test]
fn opening_looks_at_the_end_only() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());
    while log.position().offset < 3 * OPEN_VERIFY_BYTES {
        log.append("k", 1, &json!({"pad": "x".repeat(1_000)}))
            .unwrap();
    }
    let head = log.head();
    drop(log);
    flip(&dir.path().join("000001.log"), 100);

    // The beginning is not looked at: that is what verify is for.
    let (_, recovery) = open(dir.path());
    assert_eq!(recovery.head, head);
    let bad = verify(dir.path(), None).unwrap().first_bad.unwrap();
    assert_eq!((bad.seq, bad.line), (1, 1));

    let length = usize::try_from(recovery.position.offset).unwrap();
    flip(
        &dir.path().join("000001.log"),
        length - usize::try_from(OPEN_VERIFY_BYTES).unwrap() / 2,
    );
    let refused = AuditLog::open(dir.path(), Options::default());
    assert!(
        matches!(refused, Err(AuditError::Damaged { .. })),
        "{refused:?}"
    );
}

#[test]
fn nobody_else_can_read_it() {
    let dir = TempDir::new().unwrap();
    let inner = dir.path().join("a/audit");
    let (log, _) = open(&inner);
    log.append("k", 1, &json!({})).unwrap();

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    assert_eq!(mode(&inner.join("000001.log")), 0o600);
    assert_eq!(mode(&inner.join("lock")), 0o600);
}

fn open(dir: &Path) -> (AuditLog, wharf_store::audit::Recovery) {
    AuditLog::open(dir, Options::default()).unwrap()
}

fn all(dir: &Path) -> Vec<(u64, String)> {
    let mut reader = Reader::from_position(dir, Position::START);
    let records = std::iter::from_fn(|| reader.next_record().unwrap());
    records
        .map(|record| (record.seq, record.kind().to_owned()))
        .collect()
}

fn logs(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    paths
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}
