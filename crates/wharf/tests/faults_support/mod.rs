//! A server of its own for each fault test: the real binary in a home that is gone afterwards.
#![expect(dead_code, reason = "each test file uses its part")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking and say what they used"
)]

pub(crate) mod chance;
pub(crate) mod http;
pub(crate) mod processes;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use http::Http;

/// What a server may take to begin or to end before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A home, and the server in it. Dropping it ends the server and whatever it has started.
pub(crate) struct Home {
    dir: TempDir,
    server: Option<Child>,
}

impl Home {
    /// With this in `config.toml`, besides a port that is free.
    pub(crate) fn new(config: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("wharf-fault-")
            .tempdir()
            .unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        let config = format!("[serve]\nport = 0\n{config}");
        fs::write(dir.path().join("config.toml"), config).unwrap();
        Self { dir, server: None }
    }

    /// The same with a server that answers.
    pub(crate) fn serving(config: &str) -> Self {
        let mut home = Self::new(config);
        home.start();
        home
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where commands start.
    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// `PROGRAM ARGS` with nothing of the test's own environment but this home.
    pub(crate) fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.dir.path())
            .env("WHARF_HOME", self.dir.path())
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    /// `wharf ARGS`, to its end.
    pub(crate) fn wharf(&self, args: &[&str]) -> Output {
        self.program(WHARF, args).output().unwrap()
    }

    /// Starts the server; how long it took until it answered.
    pub(crate) fn start(&mut self) -> Duration {
        self.start_as(self.program(WHARF, &["serve"]))
    }

    /// The same by another command line, which ends in an `exec` of the server.
    pub(crate) fn start_as(&mut self, mut command: Command) -> Duration {
        assert!(self.server.is_none(), "one server for one home");
        let begin = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        if !line.starts_with("listening on ") {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("the server did not start: {said}");
        }
        self.server = Some(child);
        let healthy = self.http().get("/health").unwrap();
        assert_eq!(healthy.status, 200, "{}", healthy.text());
        begin.elapsed()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// A client with the server's own token.
    pub(crate) fn http(&self) -> Http {
        let registered = fs::read(self.path("state/server.json")).unwrap();
        let registered: Value = serde_json::from_slice(&registered).unwrap();
        let address = registered["url"]
            .as_str()
            .and_then(|url| url.strip_prefix("http://"));
        let token = fs::read_to_string(self.path("state/token")).unwrap();
        Http::new(address.unwrap(), token.trim())
    }

    /// Whether the server's process is still there.
    pub(crate) fn is_up(&mut self) -> bool {
        let server = self.server.as_mut().unwrap();
        server.try_wait().unwrap().is_none()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Asks the server to end, waits for that, and checks that nothing of it is left.
    pub(crate) fn stop(&mut self) {
        let mut server = self.server.take().unwrap();
        signal(server.id(), "TERM");
        let begin = Instant::now();
        while server.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(LOOK_AGAIN);
        }
        until("nothing is left", || processes::of(self.root()).is_empty());
    }

    /// The record as it is on disk, oldest entry first.
    pub(crate) fn audit(&self) -> Vec<Value> {
        entries(&self.path("data/audit"))
    }

    /// Asserts what `wharf audit verify` says of the record.
    pub(crate) fn verify(&self) {
        let output = self.wharf(&["audit", "verify"]);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success() && out.starts_with("ok "),
            "{out}{err}"
        );
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _gone_already = server.kill();
            let _gone_already = server.wait();
        }
        // In a failing test the server may be what is broken, so that nothing relies on it here.
        for process in processes::of(self.dir.path()) {
            signal(process.pid, "KILL");
        }
    }
}

/// The binary that is tested.
pub(crate) const WHARF: &str = env!("CARGO_BIN_EXE_wharf");

/// All entries of the record in this directory, oldest first.
pub(crate) fn entries(directory: &Path) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    files.sort();
    let mut entries = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        // Space that was set aside for closing entries is zeros at the end.
        let lines = text.trim_end_matches('\0').lines();
        entries.extend(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    entries
}

/// Waits for something that comes soon or is broken.
pub(crate) fn until(what: &str, done: impl FnMut() -> bool) {
    assert!(within(PATIENCE, done), "not within {PATIENCE:?}: {what}");
}

/// Waits for something at most that long; whether it came.
pub(crate) fn within(time: Duration, mut done: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if done() {
            return true;
        }
        if begin.elapsed() > time {
            return false;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Tells the figures of a test; shown by `--nocapture`, as `cargo xtask faults` asks for.
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

pub(crate) fn signal(pid: u32, name: &str) {
    let _gone_already = Command::new("/bin/kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}
