//! The journal: what is kept, where, and for how long.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wharf_exec::journal::output::{LARGE_MEMORY_BYTES, MEMORY_BYTES, SHARED_MEMORY_BYTES};
use wharf_exec::journal::segment::SEGMENT_BYTES;
use wharf_exec::journal::{Journal, JournalOptions, RunOutput, Stream};
use wharf_model::{Entropy, RunId};

struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read;
        std::fs::File::open("/dev/urandom")
            .unwrap()
            .read_exact(buffer)
            .unwrap();
    }
}

fn run() -> RunId {
    RunId::random(&Random)
}

fn journal(directory: &Path, options: JournalOptions) -> Arc<Journal> {
    Journal::open(directory, options).unwrap()
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = [directory.to_owned(), directory.join("runs")]
        .iter()
        .flat_map(|path| std::fs::read_dir(path).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "runs")
        .collect();
    names.sort();
    names
}

fn written(journal: &Arc<Journal>, run: &RunId, bytes: &[u8]) -> Arc<RunOutput> {
    let output = journal.begin(run, false);
    for chunk in bytes.chunks(64 * 1024) {
        output.append(Stream::Stdout, chunk);
    }
    output
}

#[test]
fn small_outputs_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal(directory.path(), JournalOptions::default());
    let mut kept = Vec::new();
    for index in 0..200 {
        let (run, output) = (run(), format!("out {index}\0\u{1b}\n"));
        let handle = journal.begin(&run, false);
        handle.append(Stream::Stdout, output.as_bytes());
        handle.append(Stream::Stderr, b"err\n");
        kept.push((run, output, handle.finish()));
    }
    assert_eq!(files(directory.path()), ["segment-00000001"]);
    for (run, output, summary) in &kept {
        let again = journal.reopen(run, &summary.place).unwrap();
        assert_eq!(
            again.read(Stream::Stdout, 0, 100).unwrap(),
            output.as_bytes()
        );
        assert_eq!(again.read(Stream::Stderr, 1, 2).unwrap(), "rr");
        assert_eq!(summary.dropped, 0);
    }
    let (first, second) = (&kept[0], &kept[1]);
    assert!(
        journal.reopen(&first.0, &second.2.place).is_err(),
        "another run's record"
    );
}

#[test]
fn silence_takes_no_room() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal(directory.path(), JournalOptions::default());
    let summary = journal.begin(&run(), false).finish();
    assert_eq!(
        (summary.place.as_str(), summary.stdout_digest),
        ("none", None)
    );
    assert_eq!(files(directory.path()), [] as [&str; 0]);
}

#[test]
fn a_full_segment_is_followed_by_another() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal(directory.path(), JournalOptions::default());
    let bytes = vec![b'x'; 1024 * 1024];
    let runs: Vec<_> = (0..=SEGMENT_BYTES / (1024 * 1024))
        .map(|_| {
            let run = run();
            let summary = written(&journal, &run, &bytes).finish();
            (run, summary)
        })
        .collect();
    assert_eq!(
        files(directory.path()),
        ["segment-00000001", "segment-00000002"]
    );
    for (run, summary) in runs {
        let kept = journal.reopen(&run, &summary.place).unwrap();
        assert_eq!(kept.read(Stream::Stdout, 0, bytes.len()).unwrap(), bytes);
    }
}

#[test]
fn what_is_large_or_must_last_has_files_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal(directory.path(), JournalOptions::default());
    let (large, eager, persisted) = (run(), run(), run());
    let bytes: Vec<u8> = (0..=LARGE_MEMORY_BYTES)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    let output = written(&journal, &large, &bytes);
    let background = journal.begin(&eager, true);
    background.append(Stream::Stdout, b"x");
    let long = written(&journal, &persisted, b"early");
    long.persist();
    long.append(Stream::Stdout, b" late");
    assert_eq!(files(directory.path()).len(), 6, "two streams each");
    let place = output.finish().place;
    let kept = journal.reopen(&large, &place).unwrap();
    assert_eq!(
        kept.read(Stream::Stdout, 1000, 5).unwrap(),
        bytes[1000..1005]
    );
    assert_eq!(long.read(Stream::Stdout, 0, 100).unwrap(), "early late");
}

#[test]
fn the_memory_of_all_runs_together_has_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal(directory.path(), JournalOptions::default());
    let bytes = vec![b'x'; LARGE_MEMORY_BYTES];
    let fit = SHARED_MEMORY_BYTES / (LARGE_MEMORY_BYTES - MEMORY_BYTES);
    let held: Vec<_> = (0..fit)
        .map(|_| written(&journal, &run(), &bytes))
        .collect();
    assert_eq!(files(directory.path()), [] as [&str; 0], "all in memory");
    let one_more = written(&journal, &run(), &bytes);
    assert_eq!(files(directory.path()).len(), 2, "this one went to disk");
    drop(held);
    let _fits_again = written(&journal, &run(), &bytes);
    assert_eq!(files(directory.path()).len(), 2);
    assert_eq!(
        one_more.totals().stdout,
        u64::try_from(bytes.len()).unwrap()
    );
}

#[test]
fn beyond_the_cap_bytes_are_counted_and_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let options = JournalOptions {
        run_cap: 100,
        ..JournalOptions::default()
    };
    let journal = journal(directory.path(), options);
    let run = run();
    let output = journal.begin(&run, false);
    output.append(Stream::Stdout, &[b'a'; 90]);
    output.append(Stream::Stdout, &[b'b'; 20]);
    output.append(Stream::Stdout, &[b'c'; 5]);
    let summary = output.finish();
    assert_eq!((summary.stdout_bytes, summary.dropped), (115, 15));
    let kept = journal.reopen(&run, &summary.place).unwrap();
    assert_eq!(kept.len(Stream::Stdout).unwrap(), 100);
    let (head, tail) = kept.excerpt(Stream::Stdout, 115, 1000).unwrap();
    assert_eq!((head.len(), tail.len()), (100, 0));
}

#[test]
fn old_output_goes_by_age_and_by_size_but_not_from_under_a_run() {
    let directory = tempfile::tempdir().unwrap();
    let options = JournalOptions {
        total_cap: 1000,
        keep: Duration::from_secs(60),
        ..JournalOptions::default()
    };
    let journal = journal(directory.path(), options);
    let runs: Vec<RunId> = (0..4).map(|_| run()).collect();
    for run in &runs {
        let output = journal.begin(run, true);
        output.append(Stream::Stdout, &[b'x'; 400]);
        output.finish();
        // The order of their ages is that of their writing.
        std::thread::sleep(Duration::from_millis(15));
    }
    let now = i64::try_from(
        std::fs::metadata(
            directory
                .path()
                .join("runs")
                .join(format!("{}.out", runs[3])),
        )
        .unwrap()
        .modified()
        .unwrap()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis(),
    )
    .unwrap();
    let in_use = |name: &str| name == runs[0].as_str();
    let swept = journal.sweep(now, &in_use).unwrap();
    assert!(swept.left <= 1000, "{swept:?}");
    assert_eq!(journal.bytes(), swept.left);
    let left = files(directory.path()).join(" ");
    assert!(left.contains(runs[0].as_str()), "in use");
    assert!(
        !left.contains(&format!("{}.out", runs[1])),
        "the oldest that nobody uses"
    );
    assert!(left.contains(&format!("{}.out", runs[3])), "the newest");

    journal.sweep(now + 61_000, &in_use).unwrap();
    let left = files(directory.path()).join(" ");
    assert!(left.contains(runs[0].as_str()) && !left.contains(runs[3].as_str()));
    assert!(journal.reopen(&runs[3], "files").is_err());
}

/// Descriptors of this process that are open on files below `directory`.
fn descriptors(directory: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter(|file| file.starts_with(directory))
        .count()
}

#[test]
fn runs_that_have_ended_hold_no_descriptors() {
    /// What waits for the disk, and the segment.
    const FEW: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let journal = journal(directory.path(), JournalOptions::default());
    let ended: Vec<_> = (0..60)
        .map(|index| {
            let (run, bytes) = (run(), vec![b'a' + u8::try_from(index % 26).unwrap(); 4096]);
            let output = journal.begin(&run, true);
            output.append(Stream::Stdout, &bytes);
            output.append(Stream::Stderr, b"error");
            output.finish();
            (run, output, bytes)
        })
        .collect();
    assert!(
        descriptors(directory.path()) <= FEW,
        "{}",
        descriptors(directory.path())
    );
    for (run, output, bytes) in &ended {
        assert_eq!(output.read(Stream::Stdout, 0, 1 << 20).unwrap(), bytes);
        assert_eq!(output.excerpt(Stream::Stderr, 100).unwrap().0, "error");
        std::fs::remove_file(directory.path().join("runs").join(format!("{run}.out"))).unwrap();
        assert!(
            output.read(Stream::Stdout, 0, 100).unwrap().is_empty(),
            "swept away"
        );
    }
    assert!(descriptors(directory.path()) <= FEW);
}
