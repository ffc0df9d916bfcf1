//! A home directory of its own, and the server that runs in it until the test ends.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What a test starts from. Dropping it ends the server.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    /// An empty one, in which any port will do.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("wharf-test-")
            .tempdir()
            .unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        fs::write(dir.path().join("config.toml"), "[serve]\nport = 0\n").unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory that commands are typed in.
    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// `wharf ARGS`, not started yet, with nothing of the test's own environment.
    pub(crate) fn wharf(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("WHARF_HOME", self.dir.path())
            // Nobody's own keyring is found from here.
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/no/such/bus")
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.wharf(args).output().unwrap()
    }

    /// Runs it to its end; what the user would see.
    pub(crate) fn seen(&self, args: &[&str]) -> String {
        self.show(&self.output(args))
    }

    /// Runs it with this on standard input.
    pub(crate) fn fed(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.wharf(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that refuses its input may be gone already.
        let _refused = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Both streams and the exit code, with what changes from test to test replaced.
    pub(crate) fn show(&self, output: &Output) -> String {
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let code = output
            .status
            .code()
            .map_or("killed".to_owned(), |code| code.to_string());
        let text = format!("{out}--- stderr\n{err}--- exit {code}");
        let text: Vec<_> = text.lines().map(str::trim_end).collect();
        text.join("\n")
            .replace(self.dir.path().to_str().unwrap(), "HOME")
    }

    /// What standard output says, when all is well.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", self.show(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The server's process, as it registered itself.
    pub(crate) fn server_pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.path("state/server.json")).ok()?;
        let at = text.split_once("\"pid\":")?.1;
        at.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The address of the server, as it registered itself.
    pub(crate) fn url(&self) -> String {
        let text = fs::read_to_string(self.path("state/server.json")).unwrap();
        text.split('"')
            .find(|part| part.starts_with("http://"))
            .unwrap()
            .to_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // In a failing test the server may be what is broken; the directory goes in any case.
        let _stopped = self.wharf(&["serve", "--stop", "-q"]).status();
    }
}

/// What differs from run to run.
pub(crate) fn filters() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    for (pattern, instead) in [
        (r"run_[0-9a-hjkmnp-tv-z]{26}", "RUN"),
        (r"apr_[0-9a-f]{12}", "APPROVAL"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "TIME"),
        (r"pid \d+", "pid PID"),
        // What the registry and the rules advise is theirs to change.
        (r"(?m)(^  instead: .*\n)+", "  instead: ADVICE\n"),
        (r"(?m)^  next: .*$", "  next: STEPS"),
        (r"\bcli-[0-9a-f]+", "OTHER"),
        (r"\d+\.\d+ (ms|s)\b", "N $1"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"policy [0-9a-f]{12}", "policy PRINT"),
    ] {
        settings.add_filter(pattern, instead);
    }
    settings.bind_to_scope()
}
