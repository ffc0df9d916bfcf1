//! Runs that outlive the connection to their host.

mod far;
mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use far::LocalOpener;
use far::bench::{with_bench, with_each};
use support::{Real, run_id, text, until};
use tokio::io::AsyncWrite;
use wharf_exec::journal::Stream;
use wharf_exec::remote::{DurableEnd, DurableError, DurableRun, RemoteExecutor};
use wharf_ssh::{BoxFuture, Channel, Error, Opener};

const AT_ONCE: Duration = Duration::from_secs(30);

fn run(text: &str) -> DurableRun {
    DurableRun {
        text: text.to_owned(),
        ..DurableRun::default()
    }
}

#[test]
fn output_and_code_are_exact_and_nothing_is_left() {
    with_each(|bench, kind| async move {
        let wanted = DurableRun {
            text: "pwd; printenv ODD; cat; echo err >&2; exit 7".to_owned(),
            cwd: Some("/usr/lib".to_owned()),
            env: vec![("ODD".to_owned(), "it's $(odd)".to_owned())],
            stdin: b"in\0put".to_vec(),
        };
        let output = bench.journal.begin(&run_id(), true);
        let run = bench.executor.start_durable(&wanted).await.unwrap();
        let end = bench.executor.follow(&run, &output);
        let end = tokio::time::timeout(AT_ONCE, end).await.unwrap().unwrap();
        assert_eq!(end, DurableEnd::Code(7), "{kind}");
        assert_eq!(
            text(&output, Stream::Stdout),
            "/usr/lib\nit's $(odd)\nin\0put",
            "{kind}"
        );
        assert_eq!(text(&output, Stream::Stderr), "err\n", "{kind}");
        // It can be read again until it is forgotten.
        let again = bench.journal.begin(&run_id(), true);
        assert_eq!(
            bench.executor.follow(&run, &again).await.unwrap(),
            end,
            "{kind}"
        );
        assert_eq!(again.totals().stdout, output.totals().stdout);
        bench.executor.forget(&run).await.unwrap();
        let gone = bench.executor.follow(&run, &again).await.unwrap();
        assert_eq!(gone, DurableEnd::Gone, "{kind}");
    });
}

#[test]
fn a_lost_connection_costs_a_run_nothing() {
    with_each(|bench, kind| async move {
        let wanted =
            run("echo once >>~/ran; for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done; exit 3");
        let output = bench.journal.begin(&run_id(), true);
        let run = bench.executor.start_durable(&wanted).await.unwrap();
        let mut cuts = 0;
        let end = loop {
            let follow = bench.executor.follow(&run, &output);
            match tokio::time::timeout(Duration::from_millis(1500), follow).await {
                Ok(Ok(end)) => break end,
                Ok(Err(DurableError::Lost)) => {}
                Ok(Err(error)) => panic!("{kind}: {error}"),
                Err(_) => {}
            }
            bench.opener.cut();
            cuts += 1;
        };
        assert!(cuts >= 1, "{kind}");
        assert_eq!(end, DurableEnd::Code(3), "{kind}");
        assert_eq!(
            text(&output, Stream::Stdout),
            "1\n2\n3\n4\n5\n6\n",
            "{kind}"
        );
        assert_eq!(
            std::fs::read_to_string(bench.home.join("ran")).unwrap(),
            "once\n"
        );
        bench.executor.forget(&run).await.unwrap();
    });
}

#[test]
fn a_run_can_be_signalled_and_forgotten_while_it_runs() {
    with_each(|bench, kind| async move {
        let output = bench.journal.begin(&run_id(), true);
        let text_of_it = "trap 'echo term; exit 5' TERM; echo on; while :; do sleep 0.1; done";
        let term = bench
            .executor
            .start_durable(&run(text_of_it))
            .await
            .unwrap();
        until("it runs", || {
            std::fs::read_to_string(format!("{}/out", term.directory))
                .is_ok_and(|out| out == "on\n")
        })
        .await;
        bench.executor.signal_durable(&term, "TERM").await.unwrap();
        let end = bench.executor.follow(&term, &output).await.unwrap();
        assert_eq!(
            (end, text(&output, Stream::Stdout).as_str()),
            (DurableEnd::Code(5), "on\nterm\n"),
            "{kind}"
        );
        bench.executor.forget(&term).await.unwrap();
        let killed = bench
            .executor
            .start_durable(&run("setsid sleep 1000 & sleep 1000"))
            .await
            .unwrap();
        bench
            .executor
            .signal_durable(&killed, "KILL")
            .await
            .unwrap();
        let output = bench.journal.begin(&run_id(), true);
        let end = bench.executor.follow(&killed, &output).await.unwrap();
        assert_eq!(end, DurableEnd::Code(137), "{kind}");
        bench.executor.forget(&killed).await.unwrap();
        let forgotten = bench
            .executor
            .start_durable(&run("setsid sleep 1000 & sleep 1000"))
            .await
            .unwrap();
        bench.executor.forget(&forgotten).await.unwrap();
    });
}

#[test]
fn a_holder_that_was_killed_is_told() {
    with_bench(|bench| async move {
        let run = bench
            .executor
            .start_durable(&run("echo out; sleep 1000"))
            .await
            .unwrap();
        let output = bench.journal.begin(&run_id(), true);
        until("it runs", || {
            std::fs::read_to_string(format!("{}/out", run.directory))
                .is_ok_and(|out| out == "out\n")
        })
        .await;
        let _gone = std::process::Command::new("kill")
            .args(["-9", &run.pid.to_string()])
            .status();
        let end = tokio::time::timeout(AT_ONCE, bench.executor.follow(&run, &output))
            .await
            .unwrap();
        assert_eq!(end.unwrap(), DurableEnd::Unknown);
        assert_eq!(text(&output, Stream::Stdout), "out\n");
        bench.executor.forget(&run).await.unwrap();
    });
}

/// A link that breaks after so many bytes to the host: for the far side, its input just ends.
struct Breaking {
    opener: LocalOpener,
    after: usize,
}

struct BreakingInput {
    input: Box<dyn AsyncWrite + Send + Unpin>,
    left: usize,
}

impl Opener for Breaking {
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let (opened, left) = (self.opener.open(command), self.after);
        Box::pin(async move {
            let channel = opened.await?;
            let input = channel.stdin;
            Ok(Channel {
                stdin: Box::new(BreakingInput { input, left }),
                ..channel
            })
        })
    }
}

impl AsyncWrite for BreakingInput {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.left == 0 {
            let _ended = std::task::ready!(Pin::new(&mut self.input).poll_shutdown(cx));
            return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
        }
        let most = bytes.len().min(self.left);
        let part = bytes.get(..most).unwrap_or_default();
        let count = std::task::ready!(Pin::new(&mut self.input).poll_write(cx, part))?;
        self.left -= count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}

#[test]
fn half_of_an_input_starts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let opener = Breaking {
            opener: LocalOpener::new(&["bash"], &home),
            after: 100_000,
        };
        let executor = RemoteExecutor::new(Arc::new(opener), Arc::new(Real));
        let wanted = DurableRun {
            text: "cat >~/copy; touch ~/ran".to_owned(),
            stdin: vec![b'x'; 200_000],
            ..DurableRun::default()
        };
        let error = executor.start_durable(&wanted).await.unwrap_err();
        assert!(matches!(error, DurableError::Lost), "{error}");
        // What there was for it goes when the far side has seen that it is not whole.
        until("nothing is left", || {
            let kept = std::fs::read_dir(home.join(".cache/wharf"));
            kept.is_ok_and(|entries| entries.count() == 0)
        })
        .await;
        assert!(!home.join("ran").exists() && !home.join("copy").exists());
        executor.shutdown().await;
    });
}
