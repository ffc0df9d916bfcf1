//! A provider with a state directory of its own, a key, and the real `ssh`.
#![expect(dead_code, reason = "each test file uses its part")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test finds out from its environment that it is the one inside"
)]

pub(crate) mod client;
pub(crate) mod suite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use client::Client;

use wharf_model::Entropy;
use wharf_sandbox::{
    LauncherProgram, LocalOptions, LocalProvider, Provider as _, Sandbox, SandboxId, Spec,
};

pub(crate) struct Real;

impl Entropy for Real {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read as _;
        let mut source = fs::File::open("/dev/urandom").unwrap();
        source.read_exact(buffer).unwrap();
    }
}

/// What one command in a sandbox came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            err: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }

    pub(crate) fn worked(&self) -> bool {
        self.code == Some(0)
    }
}

pub(crate) struct Bench {
    pub(crate) provider: LocalProvider,
    pub(crate) client: Client,
    directory: PathBuf,
    made: Option<tempfile::TempDir>,
}

/// A test that fails must not leave its sandboxes behind.
impl Drop for Bench {
    fn drop(&mut self) {
        let sandboxes = fs::read_dir(self.state().join("sandboxes"));
        for sandbox in sandboxes.into_iter().flatten().flatten() {
            for file in ["init", "record.json"] {
                let text = fs::read(sandbox.path().join(file)).unwrap_or_default();
                let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
                let helpers = value["helpers"].as_array().cloned().unwrap_or_default();
                for process in helpers.iter().chain([&value]) {
                    let pid = process["pid"]
                        .as_i64()
                        .and_then(|pid| i32::try_from(pid).ok());
                    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                        let kill = rustix::process::Signal::KILL;
                        let _gone_already = rustix::process::kill_process(pid, kill);
                    }
                }
            }
        }
    }
}

pub(crate) fn launcher() -> LauncherProgram {
    LauncherProgram {
        program: env!("CARGO_BIN_EXE_wharf-sandbox-launcher").into(),
        arguments: Vec::new(),
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut LocalOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Self::at(directory.path(), change);
        bench.made = Some(directory);
        bench
    }

    /// In a directory that is there and stays.
    pub(crate) fn at(directory: &Path, change: impl FnOnce(&mut LocalOptions)) -> Self {
        let mut options = LocalOptions::new(directory.join("state"), launcher());
        change(&mut options);
        Self {
            provider: LocalProvider::open(options, Arc::new(Real)).unwrap(),
            client: Client::at(directory),
            directory: directory.to_owned(),
            made: None,
        }
    }

    /// The same state directory with another provider, as after a restart of the server.
    pub(crate) async fn restart(mut self) -> Self {
        self.provider.shutdown().await;
        let directory = std::mem::replace(&mut self.directory, PathBuf::from("/nonexistent"));
        let made = self.made.take();
        drop(self);
        let mut bench = Self::at(&directory, |_| ());
        bench.made = made;
        bench
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.directory.join("key")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    pub(crate) fn directory(&self, id: &SandboxId) -> PathBuf {
        self.state().join("sandboxes").join(id.as_str())
    }

    pub(crate) fn spec(&self) -> Spec {
        self.client.spec()
    }

    pub(crate) async fn create(&self, key: &str) -> Sandbox {
        self.provider.create(key, self.spec()).await.unwrap()
    }

    /// Runs a command in the sandbox with the real `ssh`, with the host key pinned.
    pub(crate) async fn ssh(&self, sandbox: &Sandbox, user: &str, command: &str) -> Ran {
        self.client.ssh(sandbox, user, command).await
    }

    pub(crate) fn ssh_command(&self, sandbox: &Sandbox, user: &str) -> Command {
        self.client.ssh_command(sandbox, user)
    }

    /// The number of the sandbox's first process.
    pub(crate) fn init(&self, id: &SandboxId) -> i32 {
        let text = fs::read(self.directory(id).join("init")).unwrap();
        let init: serde_json::Value = serde_json::from_slice(&text).unwrap();
        i32::try_from(init["pid"].as_i64().unwrap()).unwrap()
    }

    /// Everything of any sandbox that is left: files, processes, mounts, groups.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for part in ["sandboxes", "snapshots"] {
            for entry in fs::read_dir(self.state().join(part)).unwrap() {
                left.push(entry.unwrap().path().display().to_string());
            }
        }
        left.extend(self.processes());
        let state = self.state().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounts = mounts.lines().filter(|line| line.contains(&state));
        left.extend(mounts.map(str::to_owned));
        left.extend(self.groups());
        left
    }

    /// The processes that have something of this state directory as their root.
    fn processes(&self) -> Vec<String> {
        let state = self.state().display().to_string();
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|process| {
            let mounts = fs::read_to_string(process.path().join("mountinfo")).ok()?;
            // A root is seen from outside by its place in the file system that it is of.
            let is_ours = mounts.lines().any(|line| line.contains(&state))
                || mounts.lines().next()?.contains(&state);
            is_ours.then(|| format!("process {}", process.path().display()))
        })
        .collect()
    }

    fn groups(&self) -> Vec<String> {
        let tag = short(&SandboxId::of(&self.state().to_string_lossy()));
        let tag = format!("wharfbox-{tag}-");
        let found = Command::new("find")
            .args(["/sys/fs/cgroup", "-name", &format!("{tag}*")])
            .output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        found.lines().map(str::to_owned).collect()
    }

    /// Waits until nothing is left of what is ending by itself; what is left after a while.
    pub(crate) async fn left_at_last(&self) -> Vec<String> {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let left = self.left();
            if left.is_empty() || std::time::Instant::now() > deadline {
                return left;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Ends everything and looks whether that is so.
    pub(crate) async fn end(self) {
        for sandbox in self.provider.list().await.unwrap() {
            self.provider.terminate(&sandbox.id).await.unwrap();
        }
        self.provider.shutdown().await;
        assert_eq!(self.left(), Vec::<String>::new());
    }
}

/// Where the inner run of a test finds its directory.
const PLACE: &str = "WHARF_TEST_PLACE";
/// What the inner run is told.
const WORD: &str = "WHARF_TEST_WORD";

/// Runs the test of that name once more, by a script in mounts of its own, which ends in `exec "$@"`.
pub(crate) fn run_inside(test: &str, place: &Path, word: &str, script: &str) -> Output {
    let mut inner = Command::new("unshare");
    inner
        .args(["-m", "sh", "-ec", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(PLACE, place)
        .env(WORD, word);
    inner.output().unwrap()
}

/// The same for a test that is to pass there; in the inner run its directory.
pub(crate) fn inside(test: &str, script: &str) -> Option<PathBuf> {
    if let Some((place, _)) = inner() {
        return Some(place);
    }
    let place = tempfile::tempdir().unwrap();
    let script = format!("cd {}; {script}; exec \"$@\"", place.path().display());
    let output = run_inside(test, place.path(), "", &script);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    None
}

/// In an inner run the directory and the word.
pub(crate) fn inner() -> Option<(PathBuf, String)> {
    let place = std::env::var_os(PLACE)?.into();
    Some((place, std::env::var(WORD).unwrap_or_default()))
}

/// Runs a test on a runtime of its own.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test);
}

/// The first digits of an id, which a sandbox has in its name for itself.
pub(crate) fn short(id: &SandboxId) -> String {
    id.as_str().chars().skip(4).take(8).collect()
}

/// Whether root runs the tests.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
