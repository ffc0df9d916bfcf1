//! How fast outputs are read: `cargo bench -p wharf-output`.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wharf_output::digest::{Input, digest};
use wharf_output::next::{Surroundings, next_steps};
use wharf_shell::{Context, analyze};

/// Each is repeated up to about this size, so that what is measured is the reading.
const SIZE: usize = 1 << 20;

fn digests(c: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/digest");
    let outputs = [
        (
            "cargo test, failing",
            "cargo test",
            101,
            "cargo_test_fail.stdout",
        ),
        (
            "pytest -v, failing",
            "pytest -v",
            1,
            "pytest_fail_verbose.stdout",
        ),
        ("gcc, failing", "make", 2, "make_errors.stderr"),
        ("listing", "ls -la", 0, "ls_usr_bin.stdout"),
        ("log", "docker logs x", 0, "s_app_log.stdout"),
        (
            "progress",
            "rsync -av --progress a b",
            0,
            "rsync_progress.stdout",
        ),
    ];
    let mut group = c.benchmark_group("digest");
    group.sample_size(10);
    for (name, command, exit_code, file) in outputs {
        let Ok(bytes) = fs::read(folder.join(file)) else {
            continue;
        };
        let bytes = bytes.repeat(SIZE / bytes.len().max(1) + 1);
        let analysis = analyze(command, &Context::default());
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                digest(&Input {
                    analysis: &analysis,
                    stdout: black_box(&bytes),
                    stderr: b"",
                    exit_code: Some(exit_code),
                    budget_tokens: None,
                    handle: None,
                })
            });
        });
        group.bench_function(format!("next steps: {name}"), |bencher| {
            bencher.iter(|| {
                next_steps(
                    &analysis,
                    Some(exit_code),
                    black_box(&bytes),
                    b"",
                    &Surroundings::default(),
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, digests);
criterion_main!(benches);
