//! What breaks while a sandbox is made or used: its disk, its processes, its launcher, its server.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use support::{Bench, inner, run, run_inside};
use tokio::io::AsyncReadExt as _;
use wharf_model::Timestamp;
use wharf_sandbox::{Capability, Error, Fault, Health, How, Provider as _, Step};

/// A bench whose sandboxes are on a file system of their own, which is soon full.
#[test]
fn a_full_disk_keeps_nobody_out() {
    let small = "mkdir disk; mount -t tmpfs -o size=64m none disk; \
                 mkdir disk/state; ln -s disk/state state";
    if let Some(place) = support::inside("a_full_disk_keeps_nobody_out", small) {
        run(full(Bench::at(&place, |_| ())));
    }
}

async fn full(bench: Bench) {
    let sandbox = bench.create("a").await;
    let other = bench.create("b").await;
    let fill = "cat /dev/zero > workspace/zeroes";
    let filled = bench.ssh(&sandbox, "user", fill).await;
    assert!(filled.err.contains("No space left"), "{filled:?}");
    // What the system keeps back for root goes as well.
    let last = |number: u32| fs::write(bench.state().join(format!("{number}")), [0; 4096]);
    assert!((0..100_000).any(|number| last(number).is_err()));
    for sandbox in [&sandbox, &other] {
        assert!(bench.ssh(sandbox, "user", "true").await.worked());
    }
    let until = Some(Timestamp::from_millis(9));
    bench.provider.extend(&sandbox.id, until).await.unwrap();
    if bench.provider.capabilities().has(Capability::Pause) {
        bench.provider.pause(&sandbox.id).await.unwrap();
        let paused = bench.provider.health(&sandbox.id).await.unwrap();
        assert_eq!(paused, Health::Paused);
        bench.provider.resume(&sandbox.id).await.unwrap();
    }
    // Another one does not fit, and leaves nothing.
    let refused = bench.provider.create("c", bench.spec()).await.unwrap_err();
    assert!(refused.to_string().contains("No space left"), "{refused}");
    assert_eq!(bench.provider.list().await.unwrap().len(), 2);
    // Found by the next server, and started again from its files.
    let bench = bench.restart().await;
    let sandbox = bench.provider.connect(&sandbox.id).await.unwrap();
    assert!(bench.ssh(&sandbox, "user", "true").await.worked());
    kill(&bench, &sandbox.id).await;
    let sandbox = bench.provider.connect(&sandbox.id).await.unwrap();
    assert_eq!(sandbox.expires_at, until);
    let emptied = bench.ssh(&sandbox, "user", "rm workspace/zeroes").await;
    assert!(emptied.worked(), "{emptied:?}");
    assert!(!bench.ssh(&sandbox, "user", fill).await.worked());
    bench.provider.terminate(&sandbox.id).await.unwrap();
    bench.create("c").await;
    bench.end().await;
}

async fn kill(bench: &Bench, id: &wharf_sandbox::SandboxId) {
    let init = rustix::process::Pid::from_raw(bench.init(id)).unwrap();
    rustix::process::kill_process(init, rustix::process::Signal::KILL).unwrap();
    while bench.provider.health(id).await.unwrap() != Health::Stopped {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_uses_one_that_is_killed_is_told_and_may_go_on_in_it() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let mut ssh = bench.ssh_command(&sandbox, "user");
    let ssh = ssh.arg("echo work > workspace/f; echo there; sleep 600");
    let mut working = ssh.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = working.stdout.take().unwrap();
    let there = tokio::task::spawn_blocking(move || {
        std::io::Read::read_exact(&mut said, &mut [0; 6]).map(|()| said)
    });
    let _kept_open = there.await.unwrap().unwrap();
    let mut dialed = bench.provider.dial(&sandbox.id, 22).await.unwrap();
    let mut banner = [0; 4];
    dialed.read_exact(&mut banner).await.unwrap();
    kill(&bench, &sandbox.id).await;
    // Both connections end, however the kernel puts it.
    let mut rest = Vec::new();
    let _or_reset = dialed.read_to_end(&mut rest).await;
    let ended = tokio::task::spawn_blocking(move || working.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(255));
    if bench.provider.capabilities().has(Capability::Pause) {
        let paused = bench.provider.pause(&sandbox.id).await.unwrap_err();
        assert!(matches!(paused, Error::NotRunning), "{paused:?}");
    }
    // It is no remainder.
    let swept = bench.provider.sweep(Timestamp::from_millis(1)).await;
    assert_eq!(swept.unwrap(), wharf_sandbox::Swept::default());
    let again = bench.provider.connect(&sandbox.id).await.unwrap();
    let kept = bench.ssh(&again, "user", "cat workspace/f").await;
    assert_eq!(kept.out, "work", "{kept:?}");
    bench.end().await;
}

/// Steps of the launcher's and of the first process's.
fn is_launchers(step: Step) -> bool {
    (Step::Join..=Step::Listen).contains(&step)
}

#[tokio::test]
async fn a_launcher_that_ends_after_any_step_leaves_nothing() {
    for after in Step::ALL.into_iter().filter(|step| is_launchers(*step)) {
        let how = How::Ends;
        let bench = Bench::with(|options| options.fault = Some(Fault { after, how }));
        let failed = bench.provider.create("a", bench.spec()).await;
        failed.unwrap_err();
        assert_eq!(bench.left(), Vec::<String>::new(), "{after:?}");
        bench.end().await;
    }
}

#[test]
fn a_server_that_ends_after_any_step_leaves_only_what_a_sweep_takes() {
    let test = "a_server_that_ends_after_any_step_leaves_only_what_a_sweep_takes";
    if let Some((place, word)) = inner() {
        let after = serde_json::from_str(&word).unwrap();
        let how = How::EndsServer;
        let bench = Bench::at(&place, |options| options.fault = Some(Fault { after, how }));
        return run(async move {
            bench.provider.create("a", bench.spec()).await.unwrap();
        });
    }
    // The first process sees no server. What there is of the sandbox meanwhile is the same as
    // after the step before.
    let firsts = Step::Root..=Step::Listen;
    for after in Step::ALL.into_iter().filter(|step| !firsts.contains(step)) {
        let place = tempfile::tempdir().unwrap();
        let word = serde_json::to_string(&after).unwrap();
        let output = run_inside(test, place.path(), &word, "exec \"$@\"");
        assert_eq!(output.status.signal(), Some(9), "{after:?}: {output:?}");
        run(async {
            let bench = Bench::at(place.path(), |_| ());
            let swept = bench
                .provider
                .sweep(Timestamp::from_millis(1))
                .await
                .unwrap();
            assert_eq!(swept.stuck, Vec::<String>::new(), "{after:?}");
            assert_eq!(
                bench.left_at_last().await,
                Vec::<String>::new(),
                "{after:?}"
            );
            bench.end().await;
        });
    }
}
