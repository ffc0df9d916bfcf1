//! How long a sandbox takes from the request to the banner of its sshd, and what it costs idle.
//!
//! `cargo run -p wharf-sandbox --example banner --release -- COUNT STATE` makes that many, one
//! after the other, and ends them. The launcher has to be built with the same profile before.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement, which a developer reads"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use wharf_model::Entropy;
use wharf_sandbox::{
    LauncherProgram, LocalOptions, LocalProvider, Provider as _, Sandbox, SandboxId, Spec,
};

struct Real;

impl Entropy for Real {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read as _;
        let mut source = std::fs::File::open("/dev/urandom").unwrap();
        source.read_exact(buffer).unwrap();
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: u32 = arguments.next().map_or(20, |count| count.parse().unwrap());
    let state = arguments.next().map_or_else(
        || std::env::temp_dir().join("wharf-sandbox-banner"),
        PathBuf::from,
    );
    let launcher = std::env::current_exe().unwrap();
    let launcher = launcher
        .ancestors()
        .nth(2)
        .unwrap()
        .join("wharf-sandbox-launcher");
    let launcher = LauncherProgram {
        program: launcher,
        arguments: Vec::new(),
    };
    let provider = LocalProvider::open(LocalOptions::new(state, launcher), Arc::new(Real)).unwrap();
    println!("{:?}", provider.capabilities());
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtt nobody";
    let before = available();
    let mut times = Vec::new();
    for number in 0..count {
        let began = Instant::now();
        let spec = Spec::for_keys(vec![key.to_owned()]);
        let made = provider.create(&number.to_string(), spec).await.unwrap();
        let created = began.elapsed();
        banner(&made).await;
        times.push((began.elapsed(), created));
        if number == 0 {
            println!("{made:?}");
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let each = before.saturating_sub(available()) / u64::from(count.max(1));
    times.sort();
    let middle = times[times.len() / 2];
    println!(
        "banner: least {:?}, middle {:?} (create {:?}), most {:?}; idle {each} KiB each",
        times[0].0,
        middle.0,
        middle.1,
        times[times.len() - 1].0
    );
    let began = Instant::now();
    for number in 0..count {
        let id = SandboxId::of(&number.to_string());
        provider.terminate(&id).await.unwrap();
    }
    println!("end: {:?} each", began.elapsed() / count.max(1));
    provider.shutdown().await;
}

async fn banner(sandbox: &Sandbox) {
    let port = sandbox.ssh_port.unwrap();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let mut start = [0; 8];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"SSH-2.0-");
}

/// Memory that the machine could still give, in KiB.
fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let Some(line) = line else {
        panic!("no MemAvailable")
    };
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
