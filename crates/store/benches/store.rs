//! What recording costs: `cargo bench -p wharf-store`.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot begin has nothing to measure"
)]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;
use wharf_store::audit::event::{RUN_CLOSED, RUN_OPENED, RunClosed, RunOpened};
use wharf_store::audit::{AuditLog, Durability, Options, verify};
use wharf_store::db::{Database, Projector};

/// Runs in the log that is projected, verified and opened.
const RUNS: u64 = 20_000;

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    for (name, durability) in [("process", Durability::Process), ("full", Durability::Full)] {
        let dir = TempDir::new().expect("a directory");
        let options = Options {
            durability,
            ..Options::default()
        };
        let (log, _) = AuditLog::open(dir.path(), options).expect("a log");
        let body = opened(1);
        group.bench_function(BenchmarkId::new("one", name), |bencher| {
            bencher.iter(|| log.append(RUN_OPENED, 1, &body));
        });
    }
    group.bench_function("open and close a run", |bencher| {
        let dir = TempDir::new().expect("a directory");
        let (log, _) = AuditLog::open(dir.path(), Options::default()).expect("a log");
        let (opened, closed) = (opened(1), closed(1));
        bencher.iter(|| {
            let (_, mut room) = log.open_entry(RUN_OPENED, 1, &opened).expect("room");
            log.close_entry(&mut room, RUN_CLOSED, 2, &closed)
        });
    });
    group.bench_function("of four threads at once", |bencher| {
        let dir = TempDir::new().expect("a directory");
        let (log, _) = AuditLog::open(dir.path(), Options::default()).expect("a log");
        let body = opened(1);
        bencher.iter_custom(|count| {
            let begun = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        (0..count.div_ceil(4)).for_each(|_| drop(log.append(RUN_OPENED, 1, &body)));
                    });
                }
            });
            begun.elapsed()
        });
    });
    group.finish();
}

fn durable(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("tokio");
    let mut group = criterion.benchmark_group("append_durable");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    for waiters in [1_u64, 64] {
        let dir = TempDir::new().expect("a directory");
        let options = Options {
            durability: Durability::Full,
            ..Options::default()
        };
        let (log, _) = AuditLog::open(dir.path(), options).expect("a log");
        group.throughput(Throughput::Elements(waiters));
        group.bench_function(BenchmarkId::new("waiters", waiters), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let mut waiting = tokio::task::JoinSet::new();
                for _ in 0..waiters {
                    let log = log.clone();
                    waiting
                        .spawn(async move { log.append_durable(RUN_OPENED, 1, &opened(1)).await });
                }
                waiting.join_all().await
            });
        });
    }
    group.finish();
}

fn project_and_read(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("tokio");
    let dir = TempDir::new().expect("a directory");
    let audit = dir.path().join("audit");
    let (log, _) = AuditLog::open(&audit, Options::default()).expect("a log");
    for n in 0..RUNS {
        log.append(RUN_OPENED, 1, &opened(n)).expect("room");
        // Some overlap, so that not every run opens and closes in one batch.
        if n >= 300 {
            log.append(RUN_CLOSED, 2, &closed(n - 300)).expect("room");
        }
    }
    let entries = log.head().seq;

    let mut group = criterion.benchmark_group("log");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(entries));
    group.bench_function("project", |bencher| {
        bencher.iter_custom(|count| {
            (0..count)
                .map(|_| runtime.block_on(project(&dir, &audit)))
                .sum()
        });
    });
    group.bench_function("verify", |bencher| bencher.iter(|| verify(&audit, None)));
    drop(log);
    group.throughput(Throughput::Elements(1));
    group.bench_function("open", |bencher| {
        bencher.iter(|| AuditLog::open(&audit, Options::default()));
    });
    let path = dir.path().join("wharf.db");
    runtime.block_on(async {
        let db = Database::open_sqlite(&path).await.expect("a database");
        Projector::open(&db, &audit)
            .await
            .expect("a log")
            .catch_up()
            .await
            .expect("rows");
        db.close().await;
    });
    group.bench_function("open the database", |bencher| {
        bencher.iter_custom(|count| {
            let open = async || {
                let begun = Instant::now();
                let db = Database::open_sqlite(&path).await.expect("a database");
                let projector = Projector::open(&db, &audit).await.expect("a log");
                let took = begun.elapsed();
                drop(projector);
                db.close().await;
                took
            };
            (0..count).map(|_| runtime.block_on(open())).sum()
        });
    });
    group.finish();
}

/// How long it takes to bring all of the log into an empty database.
async fn project(dir: &TempDir, audit: &std::path::Path) -> Duration {
    let path = dir.path().join("projected.db");
    let db = Database::open_sqlite(&path).await.expect("a database");
    let begun = Instant::now();
    let mut projector = Projector::open(&db, audit).await.expect("a log");
    projector.catch_up().await.expect("rows");
    let took = begun.elapsed();
    db.close().await;
    std::fs::remove_file(path).expect("closed");
    took
}

/// An entry of about 500 bytes.
fn opened(n: u64) -> RunOpened {
    RunOpened {
        run: format!("0192f0c1-7b3a-7c55-9a00-{n:012}"),
        caller: "user_01hx".to_owned(),
        session: Some("session_of_an_agent".to_owned()),
        target: "local".to_owned(),
        command: "cargo test --workspace --all-features -- --nocapture".to_owned(),
        cwd: "/home/someone/projects/something".to_owned(),
        command_type: "arguments".to_owned(),
        risk: "low".to_owned(),
        verdict: "allow".to_owned(),
        ..RunOpened::default()
    }
}

fn closed(n: u64) -> RunClosed {
    RunClosed {
        run: opened(n).run,
        state: "done".to_owned(),
        exit_code: Some(0),
        ms: 12,
        stdout_bytes: 1_234,
        output: Some("000001:123456".to_owned()),
        cwd: Some("/home/someone/projects/something".to_owned()),
        ..RunClosed::default()
    }
}

criterion_group!(benches, append, durable, project_and_read);
criterion_main!(benches);
