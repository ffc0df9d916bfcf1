//! The same over a real OpenSSH server.

#[path = "../../ssh/tests/real/sshd.rs"]
#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a server that the tests of the connections start as well"
)]
mod sshd;
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sshd::Sshd;
use support::{Living, Real, alive, run_id, until};
use wharf_exec::journal::{Journal, JournalOptions, RunOutput, Stream};
use wharf_exec::remote::{DurableEnd, DurableRun, RemoteExecutor};
use wharf_exec::{Executor, Launch, Program, ShellStart, Status};
use wharf_ssh::{Credentials, Pool, PoolLimits};

struct Bench {
    executor: Arc<RemoteExecutor>,
    journal: Arc<Journal>,
    sshd: Sshd,
    _pool: Pool,
    _directory: tempfile::TempDir,
}

#[expect(clippy::unwrap_used, reason = "helpers of tests")]
fn bench(options: &str) -> Option<Bench> {
    sshd::is_there().then(|| {
        let directory = tempfile::tempdir().unwrap();
        let sshd = Sshd::start(options);
        let pool = Pool::new(sshd.connector(), PoolLimits::default());
        let opener = pool.opener_for(sshd.settings(), Credentials::default());
        Bench {
            executor: RemoteExecutor::new(Arc::new(opener), Arc::new(Real)),
            journal: Journal::open(&directory.path().join("journal"), JournalOptions::default())
                .unwrap(),
            sshd,
            _pool: pool,
            _directory: directory,
        }
    })
}

#[expect(clippy::unwrap_used, reason = "helpers of tests")]
impl Bench {
    async fn session(&self) -> Living {
        Living {
            shell: self.executor.shell(ShellStart::default()).await.unwrap(),
            journal: Arc::clone(&self.journal),
            report_env: false,
        }
    }

    async fn run(&self, text: &str) -> (i32, Arc<RunOutput>) {
        let output = self.journal.begin(&run_id(), false);
        let launch = Launch {
            program: Program::Shell {
                text: text.to_owned(),
                forkable: true,
            },
            cwd: None,
            env: Vec::new(),
            stdin: None,
            output: Arc::clone(&output),
            wants_pid: false,
            keep: false,
        };
        let mut process = self.executor.launch(launch).await.unwrap();
        (process.wait().await.unwrap().status.code(), output)
    }
}

fn middle(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took.get(took.len() / 2).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_runs_over_a_real_server() {
    let Some(bench) = bench("") else { return };
    let mut shell = bench.session().await;
    shell.run("cd /usr; x=kept").await;
    let said = shell.run("echo $x $PWD; echo err >&2; (exit 7)").await;
    assert_eq!(
        (said.stdout().as_str(), said.stderr().as_str(), said.code()),
        ("kept /usr\n", "err\n", 7)
    );
    let said = shell
        .run("head -c 10485760 /dev/zero; head -c 1048576 /dev/zero >&2")
        .await;
    let totals = said.output.totals();
    assert_eq!(
        (totals.stdout, totals.stderr, said.code()),
        (10 << 20, 1 << 20, 0)
    );
    let mut command = shell.command("cat | md5sum");
    command.stdin = Some(vec![b'x'; 8 << 20]);
    assert_eq!(
        shell.give(command).await.stdout(),
        "2058fb53f643fcd58a8d83a05542392b  -\n"
    );
    let mut command = shell.command("(sleep 0.5; echo late; exec sleep 1000) & echo early");
    command.own_pipes = true;
    let first = shell.give(command).await;
    let job = first.report.job.unwrap();
    let rest = tokio::spawn(first.report.rest.unwrap());
    assert_eq!(shell.run("sleep 0.8; echo mine").await.stdout(), "mine\n");
    let late = || support::text(&first.output, Stream::Stdout) == "early\nlate\n";
    until("the late line is there", late).await;
    shell.run(&format!("kill {job}")).await;
    rest.await.unwrap();
    assert!(!alive(job));
    let mut took = Vec::new();
    for _ in 0..200 {
        let command = shell.command("true");
        let begin = Instant::now();
        shell.give(command).await;
        took.push(begin.elapsed());
    }
    eprintln!("in a session: p50 {:?}", middle(took));
    let said = shell.run("exit 3").await;
    assert_eq!(
        (said.report.status, said.report.ended),
        (Status::Exited(3), true)
    );
    let killed = bench.session().await.run("kill -9 $$").await;
    assert_eq!(killed.report.status, Status::Signaled(9));
    let mut took = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        let (code, _) = bench.run("true").await;
        took.push(begin.elapsed());
        assert_eq!(code, 0);
    }
    eprintln!("in a lane: p50 {:?}", middle(took));
    drop(shell);
    bench.executor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_and_a_server_with_one_channel_a_connection() {
    let Some(bench) = bench("MaxSessions 1") else {
        return;
    };
    let bench = Arc::new(bench);
    let runs: Vec<_> = (0..4)
        .map(|number| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.run(&format!("echo {number}")).await })
        })
        .collect();
    for (number, run) in runs.into_iter().enumerate() {
        let (code, output) = run.await.unwrap();
        let said = support::text(&output, Stream::Stdout);
        assert_eq!((code, said), (0, format!("{number}\n")));
    }
    bench.executor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_loses_the_session_and_no_durable_run() {
    let Some(mut bench) = bench("") else { return };
    let mut shell = bench.session().await;
    let durable = DurableRun {
        text: "for i in 1 2 3 4; do echo $i; sleep 1; done; exit 9".to_owned(),
        ..DurableRun::default()
    };
    let durable = bench.executor.start_durable(&durable).await.unwrap();
    let command = shell.command("sleep 1000");
    shell.shell.begin(command).unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(500), shell.shell.finish()).await;
    assert!(waiting.is_err());
    let pid = shell.shell.pid();
    bench.sshd.restart();
    let report = tokio::time::timeout(Duration::from_secs(20), shell.shell.finish())
        .await
        .unwrap();
    assert!(
        report.ended
            && report
                .fault
                .unwrap()
                .contains("connection to the host was lost")
    );
    assert_eq!(report.status.code(), 255);
    until("nothing of the session is left", || !alive(pid)).await;
    let output = bench.journal.begin(&run_id(), true);
    let end = bench.executor.follow(&durable, &output).await.unwrap();
    assert_eq!(end, DurableEnd::Code(9));
    assert_eq!(support::text(&output, Stream::Stdout), "1\n2\n3\n4\n");
    bench.executor.forget(&durable).await.unwrap();
    assert!(!Path::new(&durable.directory).exists());
    bench.executor.shutdown().await;
}
