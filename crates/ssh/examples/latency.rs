//! How long a connection and a command on it take, on this machine.
//!
//! Starts an sshd of its own on a free port of the loopback (as root among files of its own, so
//! that no shell start-up of the account is measured) and prints medians.
//!
//! ```console
//! $ cargo run --release -p wharf-ssh --example latency
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measurement for developers, which a failure may end and which reads the clock"
)]

#[expect(dead_code, reason = "what only the tests use")]
#[path = "../tests/real/sshd.rs"]
mod sshd;

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use wharf_ssh::{Credentials, Opener, Pool, PoolLimits};

const CONNECTS: usize = 30;
const COMMANDS: usize = 300;
const LINES: usize = 3000;

#[tokio::main]
async fn main() {
    let sshd = sshd::Sshd::start("");
    let connector = sshd.connector();
    let (settings, nobody) = (sshd.settings(), Credentials::default());
    let mut times = Vec::new();
    for _ in 0..CONNECTS {
        let began = Instant::now();
        let connection = connector.connect(&settings, &nobody).await.unwrap();
        times.push(began.elapsed());
        connection.close().await;
    }
    report("connect and authenticate", times);

    let pool = Pool::new(connector, PoolLimits::default());
    let opener = pool.opener_for(settings, nobody);
    opener.connect().await.unwrap();
    let mut times = Vec::new();
    for _ in 0..COMMANDS {
        let began = Instant::now();
        run_true(&opener).await;
        times.push(began.elapsed());
    }
    report("`true` on a channel of its own", times);

    let began = Instant::now();
    let workers = (0..4).map(|_| {
        let opener = opener.clone();
        tokio::spawn(async move {
            for _ in 0..COMMANDS {
                run_true(&opener).await;
            }
        })
    });
    futures_util::future::join_all(workers).await;
    let rate = (4 * COMMANDS) as f64 / began.elapsed().as_secs_f64();
    println!("{:<34} {rate:>8.0} /s", "`true`, 4 at once");

    let channel = opener.open("cat").await.unwrap();
    let mut stdin = channel.stdin;
    let mut stdout = BufReader::new(channel.stdout);
    let mut times = Vec::new();
    for _ in 0..LINES {
        let began = Instant::now();
        stdin.write_all(b"x\n").await.unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).await.unwrap();
        times.push(began.elapsed());
    }
    report("a line to a living `cat` and back", times);

    let began = Instant::now();
    let mut channel = opener.open("head -c 500000000 /dev/zero").await.unwrap();
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        let count = channel.stdout.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        total += count;
    }
    let rate = total as f64 / 1e6 / began.elapsed().as_secs_f64();
    println!("{:<34} {rate:>8.0} MB/s", "output");
}

async fn run_true(opener: &impl Opener) {
    let channel = opener.open("true").await.unwrap();
    let mut stdout = channel.stdout;
    let mut out = Vec::new();
    stdout.read_to_end(&mut out).await.unwrap();
    channel.exit.await.unwrap();
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what:<34} p50 {:>7.3} ms   p95 {:>7.3} ms",
        at(50).as_secs_f64() * 1e3,
        at(95).as_secs_f64() * 1e3
    );
}
