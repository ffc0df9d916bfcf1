//! How long `true` takes on a host: in a living shell, and as a stateless run in a lane.
//!
//! The host is this machine, behind pipes: what is measured is the cost of our own words, without a
//! network and without encryption.
//!
//! ```console
//! $ cargo run --release -p wharf-exec --example remote_latency -- [ROUNDS [MILLISECONDS]]
//! ```
//! MILLISECONDS is a round trip that is added.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

#[path = "../tests/far/opener.rs"]
mod opener;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opener::LocalOpener;
use wharf_exec::journal::{Journal, JournalOptions};
use wharf_exec::remote::RemoteExecutor;
use wharf_exec::{Executor, Launch, Program, ShellCommand, ShellStart};
use wharf_model::{Entropy, RunId};

struct Real;

impl Entropy for Real {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read;
        let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(buffer));
        assert!(read.is_ok(), "there is no randomness");
    }
}

fn print(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| {
        took.get(took.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what}: p50 {:?}, p90 {:?}, p99 {:?}",
        at(50),
        at(90),
        at(99)
    );
}

/// What the pipes and a shell cost by themselves: a line there, a line back.
fn floor(rounds: usize) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut child = Command::new("bash")
        .args([
            "--norc",
            "-c",
            "while read -r l; do eval \"$l\"; echo $?; done",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let begin = Instant::now();
        input.write_all(b"true\n")?;
        output.read_line(&mut String::new())?;
        took.push(begin.elapsed());
    }
    drop(input);
    child.wait()?;
    Ok(took)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let rounds: usize = words.next().map_or(Ok(1000), |word| word.parse())?;
    let round_trip: u64 = words.next().map_or(Ok(0), |word| word.parse())?;
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(&directory.path().join("journal"), JournalOptions::default())?;
    let opener = LocalOpener::new(&["bash"], directory.path());
    let opener = if round_trip == 0 {
        opener.direct()
    } else {
        opener.slow(Duration::from_millis(round_trip))
    };
    print(
        "a bash that answers each line, for comparison",
        floor(rounds)?,
    );
    let executor = RemoteExecutor::new(Arc::new(opener), Arc::new(Real));

    let begin = Instant::now();
    let mut shell = executor.shell(ShellStart::default()).await?;
    println!("a living shell is there after {:?}", begin.elapsed());
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let command = ShellCommand {
            text: "true".to_owned(),
            cwd: None,
            env: Vec::new(),
            stdin: None,
            output: journal.begin(&RunId::random(&Real), false),
            own_pipes: true,
            report_env: false,
            single: true,
        };
        let begin = Instant::now();
        shell.begin(command)?;
        let report = shell.finish().await;
        took.push(begin.elapsed());
        assert_eq!(report.status.code(), 0);
    }
    print("in a living shell", took);
    shell.end(Duration::ZERO).await;

    let mut took = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let launch = Launch {
            program: Program::Shell {
                text: "true".to_owned(),
                forkable: true,
            },
            cwd: None,
            env: Vec::new(),
            stdin: None,
            output: journal.begin(&RunId::random(&Real), false),
            wants_pid: false,
            keep: false,
        };
        let begin = Instant::now();
        let exit = executor.launch(launch).await?.wait().await?;
        if round > 0 {
            took.push(begin.elapsed());
        }
        assert_eq!(exit.status.code(), 0);
    }
    print("in a lane", took);
    executor.shutdown().await;
    Ok(())
}
