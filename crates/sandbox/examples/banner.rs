//! How long a sandbox takes from the request to the banner of its sshd, and what it costs idle.
//!
//! `cargo run -p wharf-sandbox --example banner --release -- COUNT STATE WHARF` makes that many,
//! one after the other, and ends them. Without WHARF, the program that is shipped, the launcher of
//! the tests is taken, built with the same profile. With `docker:SOCKET:IMAGE` in its place they are
//! containers of that engine, whose memory is the engine's to tell.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement, which a developer reads"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use wharf_model::Entropy;
use wharf_sandbox::{
    DockerOptions, DockerProvider, Image, LauncherProgram, LocalOptions, LocalProvider, Provider,
    Sandbox, SandboxId, Spec, launcher,
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
    let made_by = arguments.next();
    let engine = made_by.as_deref().and_then(|it| it.strip_prefix("docker:"));
    let provider: Box<dyn Provider> = match engine {
        Some(engine) => Box::new(docker(engine, &state).await),
        None => Box::new(local(made_by.as_deref(), &state)),
    };
    println!("{:?}", provider.capabilities());
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtt nobody";
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
    let measured = if engine.is_some() { 0 } else { count };
    let sizes = (0..measured).map(|number| size(&state, &SandboxId::of(&number.to_string())));
    let each = sizes.sum::<u64>() / u64::from(count.max(1));
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

fn local(program: Option<&str>, state: &Path) -> LocalProvider {
    let beside = std::env::current_exe().unwrap();
    let beside = beside.ancestors().nth(2).unwrap();
    let launcher = match program {
        Some(program) => LauncherProgram {
            program: program.into(),
            arguments: vec![launcher::COMMAND.into()],
        },
        None => LauncherProgram {
            program: beside.join("wharf-sandbox-launcher"),
            arguments: Vec::new(),
        },
    };
    let options = LocalOptions::new(state.to_owned(), launcher);
    LocalProvider::open(options, Arc::new(Real)).unwrap()
}

async fn docker(engine: &str, state: &Path) -> DockerProvider {
    let (socket, image) = engine.split_once(':').unwrap();
    let options = DockerOptions {
        socket: socket.into(),
        image: Image::parse(image).unwrap(),
        ..DockerOptions::new(state.to_owned())
    };
    DockerProvider::open(options, Arc::new(Real)).await.unwrap()
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

/// The memory of a sandbox's idle processes in KiB, with what is shared counted once for all: its
/// first process is all that there is.
fn size(state: &Path, id: &SandboxId) -> u64 {
    let init = state.join("sandboxes").join(id.as_str()).join("init");
    let init: serde_json::Value = serde_json::from_slice(&std::fs::read(init).unwrap()).unwrap();
    let sizes = format!("/proc/{}/smaps_rollup", init["pid"]);
    let sizes = std::fs::read_to_string(sizes).unwrap();
    let size = sizes.lines().find_map(|line| line.strip_prefix("Pss:"));
    size.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
