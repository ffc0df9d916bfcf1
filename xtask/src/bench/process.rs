//! The processes that the benchmark starts: started with little, measured as trees, ended
//! for certain.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A server that takes longer to print its first line is taken for broken.
const LONGEST_START: Duration = Duration::from_secs(30);

/// From the polite signal to the other one.
const GRACE: Duration = Duration::from_secs(10);

/// Between two looks at a process that is ending.
const LOOK: Duration = Duration::from_millis(5);

/// How a server is started.
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// The only folder that the server may write to; also its home and current directory.
    pub(super) home: PathBuf,
    /// Where its stderr goes.
    pub(super) log: PathBuf,
}

/// A running server of ours, ended when dropped.
pub(super) struct Server {
    child: Child,
    home: PathBuf,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Recipe {
    /// The program with the environment that all measured servers get, whatever the
    /// developer's own looks like.
    pub(super) fn command(&self, arguments: &[OsString]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.home)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("LANG", "C.UTF-8")
            .env("HOME", &self.home)
            .env("WHARF_HOME", &self.home)
            .stdin(Stdio::null());
        command
    }

    /// Starts the server and waits for its first line, `listening on http://HOST:PORT`.
    pub(super) fn start(&self) -> Result<Server> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("opening {}", self.log.display()))?;
        let mut command = self.command(&self.arguments);
        // Its own group, so that Ctrl-C reaches the benchmark alone, which then ends it.
        command.stdout(Stdio::piped()).stderr(log).process_group(0);
        let shown = self.program.display();
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {shown}"))?;
        let stdout = child.stdout.take().context("the server's stdout")?;
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Server {
            child,
            home: self.home.clone(),
            address: unknown,
        };
        let line = first_line(stdout).with_context(|| {
            format!("{shown} printed no first line, see {}", self.log.display())
        })?;
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.with_context(|| format!("{shown} began with {line:?}"))?;
        server.address = address
            .parse()
            .with_context(|| format!("an address in {line:?}"))?;
        Ok(server)
    }
}

impl Server {
    /// The proportional share of memory that the server and all it started take, in bytes.
    pub(super) fn proportional_memory(&self) -> u64 {
        self.tree()
            .iter()
            .map(|process| process.proportional_memory())
            .sum()
    }

    /// The server, the processes that carry its home in their environment (one that left the
    /// tree to outlive the server, for one), and all that these started.
    fn tree(&self) -> Vec<Process> {
        let all = Process::all();
        let root = i32::try_from(self.child.id()).unwrap_or_default();
        let is_root = |process: &&Process| process.pid == root || process.carries(&self.home);
        let mut known: BTreeSet<i32> = all.iter().filter(is_root).map(|p| p.pid).collect();
        loop {
            let before = known.len();
            let children = all.iter().filter(|process| known.contains(&process.parent));
            let children: Vec<i32> = children.map(|process| process.pid).collect();
            known.extend(children);
            if known.len() == before {
                return all
                    .into_iter()
                    .filter(|process| known.contains(&process.pid))
                    .collect();
            }
        }
    }

    fn end(&mut self) {
        let tree = self.tree();
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < GRACE && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let left = Process::all();
        let is_left = |process: &&Process| left.iter().any(|one| one.is(process));
        for process in tree.iter().filter(is_left) {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The first line; what follows is read and dropped, so that the server never waits for a
/// reader.
fn first_line(stdout: ChildStdout) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let read = reader.read_line(&mut line);
        let _ = sender.send(read.map(|_| line));
        let _ = io::copy(&mut reader, &mut io::sink());
    });
    let line = receiver
        .recv_timeout(LONGEST_START)
        .context("waiting for the first line")??;
    if line.is_empty() {
        bail!("it ended first");
    }
    Ok(line)
}

/// A process as `/proc` shows it. The start time tells it from a later one with its number.
#[derive(PartialEq)]
struct Process {
    pid: i32,
    parent: i32,
    started: u64,
}

impl Process {
    fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        names.filter_map(Self::read).collect()
    }

    fn read(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program's name is in parentheses and may hold any character.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let parent = fields.get(1)?.parse().ok()?;
        let started = fields.get(19)?.parse().ok()?;
        Some(Self {
            pid,
            parent,
            started,
        })
    }

    /// The same process, also when it has another parent by now.
    fn is(&self, other: &Self) -> bool {
        self.pid == other.pid && self.started == other.started
    }

    fn carries(&self, home: &Path) -> bool {
        let wanted = format!("WHARF_HOME={}", home.display());
        fs::read(format!("/proc/{}/environ", self.pid)).is_ok_and(|bytes| {
            bytes
                .split(|byte| *byte == 0)
                .any(|one| one == wanted.as_bytes())
        })
    }

    /// Its share of memory in bytes, what it shares divided among the sharers; 0 for one that has ended.
    fn proportional_memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid));
        let text = text.unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or_default() * 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(home: &Path, script: &str) -> Recipe {
        Recipe {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            home: home.to_owned(),
            log: home.join("log"),
        }
    }

    #[test]
    fn what_a_server_started_is_ended_with_it() {
        let home = tempfile::tempdir().expect("a folder");
        let script = "trap '' TERM; (trap '' TERM; sleep 1000) & \
                      echo listening on http://127.0.0.1:9; exec sleep 1000";
        let server = recipe(home.path(), script).start().expect("started");
        assert_eq!(server.address.port(), 9);
        let tree = server.tree();
        assert!(tree.len() >= 2, "the server and the sleep");
        assert!(server.proportional_memory() > 0);
        for process in &tree {
            // Both ignore the polite signal; this test need not wait for the grace period.
            kill_process(Pid::from_raw(process.pid).expect("a pid"), Signal::KILL).ok();
        }
        drop(server);
        let left = Process::all();
        assert!(
            tree.iter()
                .all(|process| !left.contains(process) || zombie(process))
        );
    }

    #[test]
    fn what_lost_its_parent_is_ended_as_well() {
        let home = tempfile::tempdir().expect("a folder");
        // The shell obeys the polite signal, and the sleep that it started does not.
        let script = "(trap '' TERM; echo listening on http://127.0.0.1:9; exec sleep 1000) & \
                      trap 'exit 0' TERM; wait";
        let server = recipe(home.path(), script).start().expect("started");
        let tree = server.tree();
        assert!(tree.len() >= 2, "the shell and the sleep");
        drop(server);
        let is_left = |process: &Process| {
            let left = Process::read(process.pid).filter(|one| one.started == process.started);
            left.is_some_and(|left| !zombie(&left))
        };
        let asked = Instant::now();
        while tree.iter().any(is_left) {
            assert!(asked.elapsed() < GRACE, "something is left");
            thread::yield_now();
        }
    }

    fn zombie(process: &Process) -> bool {
        let path = format!("/proc/{}/status", process.pid);
        fs::read_to_string(path).is_ok_and(|text| text.contains("State:\tZ"))
    }

    #[test]
    fn a_server_that_ends_before_its_first_line_is_an_error() {
        let home = tempfile::tempdir().expect("a folder");
        let error = recipe(home.path(), "exit 3")
            .start()
            .err()
            .expect("an error");
        assert!(format!("{error:#}").contains("it ended first"), "{error:#}");
    }
}
