//! Every edit of a small log is found: each byte, each line, each cut. Two files, so that edits at
//! the seam are among them.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use wharf_store::audit::{Anchor, AuditError, AuditLog, Head, Options, VerifyReport, verify};

#[test]
fn a_flipped_byte_is_found_and_named() {
    let log = Log::new();
    for (file, text) in [(1, &log.first), (2, &log.second)] {
        for at in 0..text.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut edited = text.clone();
                edited[at] ^= bit;
                let report = log.with(file, &edited);
                let line = text[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
                let seq = if file == 1 { line } else { line + LINES } as u64;
                match &report.first_bad {
                    Some(bad) => assert_eq!(bad.seq, seq, "byte {at} of file {file}: {bad:?}"),
                    // The very last newline: what was an entry is now a torn tail.
                    None => assert!(report.torn_bytes > 0, "byte {at} ^ {bit:#x} of file {file}"),
                }
                assert!(!report.is_intact());
            }
        }
    }
}

#[test]
fn a_dropped_a_swapped_and_a_repeated_line_are_found() {
    let log = Log::new();
    for (file, text) in [(1, &log.first), (2, &log.second)] {
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        for at in 0..lines.len() {
            let mut dropped = lines.clone();
            dropped.remove(at);
            let report = log.with(file, &dropped.concat());
            assert!(!report.is_intact(), "dropped {at} of {file}");
            // Inside, the chain shows it; at the very end, the anchor does.
            let at_end = file == 2 && at == lines.len() - 1;
            assert_eq!(report.first_bad.is_none(), at_end, "dropped {at} of {file}");

            for to in 0..=lines.len() {
                let mut repeated = lines.clone();
                repeated.insert(to, lines[at]);
                let report = log.with(file, &repeated.concat());
                assert!(
                    report.first_bad.is_some(),
                    "repeated {at} at {to} of {file}"
                );
            }
            for with in 0..at {
                let mut swapped = lines.clone();
                swapped.swap(at, with);
                let bad = log.with(file, &swapped.concat()).first_bad.unwrap();
                assert_eq!(
                    bad.line,
                    with as u64 + 1,
                    "swapped {at} and {with} of {file}"
                );
            }
        }
    }
}

#[test]
fn a_forged_line_is_found_wherever_it_stands() {
    let log = Log::new();
    // A line that is right in itself, from a log of the same shape.
    let other = Log::new_with("forged");
    for (file, text, foreign) in [
        (1, &log.first, &other.first),
        (2, &log.second, &other.second),
    ] {
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        for forged in foreign.split_inclusive(|byte| *byte == b'\n') {
            for at in 0..lines.len() {
                let mut replaced = lines.clone();
                replaced[at] = forged;
                assert!(
                    !log.with(file, &replaced.concat()).is_intact(),
                    "{at} of {file}"
                );
            }
            for at in 0..=lines.len() {
                let mut inserted = lines.clone();
                inserted.insert(at, forged);
                let report = log.with(file, &inserted.concat());
                assert!(report.first_bad.is_some(), "{at} of {file}");
            }
        }
    }
    let junk = [&log.second[..], b"{}\n"].concat();
    assert!(log.with(2, &junk).first_bad.is_some());
    let half = [&log.second[..], b"{\"seq\":"].concat();
    assert_eq!(log.with(2, &half).torn_bytes, 7);
}

#[test]
fn a_cut_is_found_against_the_anchor() {
    let log = Log::new();
    for (file, text) in [(1, &log.first), (2, &log.second)] {
        for length in 0..text.len() {
            let report = log.with(file, &text[..length]);
            assert!(!report.is_intact(), "cut to {length} of {file}");
            assert_eq!(
                report.anchor,
                Some(Anchor::Missing),
                "cut to {length} of {file}"
            );
        }
    }
    fs::remove_file(log.dir.path().join("000002.log")).unwrap();
    assert_eq!(log.verify().anchor, Some(Anchor::Missing));
    assert_eq!(verify(log.dir.path(), None).unwrap().first_bad, None);
}

#[test]
fn a_missing_file_and_a_log_written_anew_are_found() {
    let log = Log::new();
    fs::remove_file(log.dir.path().join("000001.log")).unwrap();
    let bad = log.verify().first_bad.unwrap();
    assert_eq!((bad.seq, bad.line), (1, 1));

    let anew = Log::new_with("anew");
    let report = verify(anew.dir.path(), Some(log.head)).unwrap();
    assert_eq!(report.first_bad, None);
    assert_eq!(report.anchor, Some(Anchor::Replaced));
}

#[test]
fn a_log_whose_end_was_edited_is_not_opened_nor_touched() {
    let log = Log::new();
    let path = log.dir.path().join("000002.log");
    for at in 0..log.second.len() - 1 {
        let mut edited = log.second.clone();
        edited[at] ^= 1;
        fs::write(&path, &edited).unwrap();

        let refused = AuditLog::open(log.dir.path(), OPTIONS);

        match refused {
            Err(AuditError::Damaged { .. }) => assert_eq!(fs::read(&path).unwrap(), edited),
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_torn_tail_of_any_length_is_cut_and_told() {
    let log = Log::new();
    let path = log.dir.path().join("000002.log");
    let last = log.second[..log.second.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for length in last..log.second.len() {
        fs::write(&path, &log.second[..length]).unwrap();

        let (opened, recovery) = AuditLog::open(log.dir.path(), OPTIONS).unwrap();

        assert_eq!(recovery.cut_bytes, (length - last) as u64);
        assert_eq!(recovery.head.seq, log.head.seq - 1);
        assert_eq!(fs::read(&path).unwrap(), log.second[..last]);
        let next = opened.append("next", 1, &json!({})).unwrap();
        assert!(
            verify(log.dir.path(), Some(next)).unwrap().is_intact(),
            "{length}"
        );
    }
}

#[test]
fn a_first_line_that_is_torn_leaves_an_empty_log() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("000001.log"), "{\"seq\":1,").unwrap();

    let (log, recovery) = AuditLog::open(dir.path(), OPTIONS).unwrap();

    assert_eq!((recovery.head, recovery.cut_bytes), (Head::GENESIS, 9));
    log.append("a", 1, &json!({})).unwrap();
    assert!(verify(dir.path(), None).unwrap().is_intact());
}

/// Lines in each of the two files.
const LINES: usize = 3;
const OPTIONS: Options = Options {
    durability: wharf_store::audit::Durability::Process,
    segment_bytes: 500,
    reserve_bytes: 4_096,
};

/// A log of two files, and what they held when nobody had touched them.
struct Log {
    dir: TempDir,
    first: Vec<u8>,
    second: Vec<u8>,
    head: Head,
}

impl Log {
    fn new() -> Self {
        Self::new_with("x")
    }

    fn new_with(word: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let (log, _) = AuditLog::open(dir.path(), OPTIONS).unwrap();
        for n in 0..2 * LINES {
            log.append("k", 1, &json!({"n": n, "word": word})).unwrap();
        }
        let head = log.head();
        drop(log);
        let read = |name| fs::read(dir.path().join(name)).unwrap();
        let (first, second) = (read("000001.log"), read("000002.log"));
        for text in [&first, &second] {
            assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), LINES);
        }
        Self {
            dir,
            first,
            second,
            head,
        }
    }

    /// What verify says when file `number` holds `text`. The file is as before afterwards.
    fn with(&self, number: u32, text: &[u8]) -> VerifyReport {
        let path = self.dir.path().join(format!("{number:06}.log"));
        let before = if number == 1 {
            &self.first
        } else {
            &self.second
        };
        fs::write(&path, text).unwrap();
        let report = self.verify();
        fs::write(&path, before).unwrap();
        report
    }

    fn verify(&self) -> VerifyReport {
        verify(Path::new(self.dir.path()), Some(self.head)).unwrap()
    }
}
