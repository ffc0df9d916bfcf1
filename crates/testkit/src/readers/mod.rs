//! Claude Code, OpenCode and Codex themselves, offline, each in a home of the test's own and with a
//! [`FakeModel`] to talk to: what they say that they read is what is true.
//!
//! `cargo xtask check` installs the versions of `xtask/oracles/package-lock.json` into cargo's
//! build folder. Where it could not, [`Readers::find`] says so and the test is left out.

mod claude;
mod codex;
mod opencode;
mod screen;

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

pub use claude::{ClaudeCode, Init};
pub use codex::{Codex, told};
pub use opencode::{OpenCode, OpenCodeServer};
pub use screen::Screen;

use crate::FakeModel;

/// What a reader may take to answer before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// The programs.
#[derive(Debug, Clone)]
pub struct Readers {
    /// Claude Code.
    pub claude: ClaudeCode,
    /// OpenCode.
    pub opencode: OpenCode,
    /// Codex.
    pub codex: Codex,
}

/// Who starts a reader.
#[derive(Clone, Copy)]
pub struct Seat<'a> {
    /// Whose home directory. `work` in it is where the reader is started; nothing of the test's own
    /// environment is there.
    pub home: &'a Path,
    /// The model that answers.
    pub model: &'a FakeModel,
    /// Further variables of the environment.
    pub variables: &'a [(&'a str, &'a str)],
}

impl Readers {
    /// None, and a line about it, where they are not installed. `scratch` is the caller's
    /// `env!("CARGO_TARGET_TMPDIR")`, which tells where cargo builds.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    pub fn find(scratch: &str) -> Option<Self> {
        let modules = Path::new(scratch).with_file_name("oracles/node_modules");
        let claude = modules.join("@anthropic-ai/claude-code-linux-x64/claude");
        let opencode = modules.join("opencode-linux-x64-baseline/bin/opencode");
        let codex = modules.join("@openai/codex/vendor/x86_64-unknown-linux-musl/bin/codex");
        let all = [&claude, &opencode, &codex];
        if let Some(missing) = all.into_iter().find(|path| !path.exists()) {
            let missing = missing.display();
            eprintln!("skipped: there is no {missing} (`cargo xtask oracles` installs it by npm)");
            return None;
        }
        Some(Self {
            claude: ClaudeCode::new(claude),
            opencode: OpenCode::new(opencode),
            codex: Codex::new(codex),
        })
    }
}

impl Seat<'_> {
    fn work(&self) -> PathBuf {
        self.home.join("work")
    }

    /// `program`, with this environment and the seat's.
    fn command(&self, program: &Path, environment: Vec<(String, String)>) -> Command {
        std::fs::create_dir_all(self.work()).unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(environment)
            .envs(self.variables.iter().copied())
            .current_dir(self.work())
            .stdin(Stdio::null())
            // What it starts is ended with it.
            .process_group(0);
        command
    }

    /// What all readers have to be told.
    fn environment(&self) -> Vec<(String, String)> {
        let home = self.home.display().to_string();
        let pairs = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", &home),
            ("TMPDIR", &home),
            ("LANG", "C.UTF-8"),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}

/// Runs it to its end, which has to come in time, and ends what it left.
fn finish(command: &mut Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let group = Group::of(&child);
    let (sender, output) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = output.recv_timeout(PATIENCE);
    drop(group);
    output.expect("a reader that ends in time").unwrap()
}

/// The names in a list, or in the members `name` of its elements.
fn names(list: Option<&serde_json::Value>) -> BTreeSet<String> {
    let elements = list.and_then(serde_json::Value::as_array).into_iter();
    let names = elements.flatten().map(|element| {
        let name = element.get("name").unwrap_or(element);
        name.as_str().unwrap_or_default().to_owned()
    });
    names.collect()
}

/// The processes that a reader started, which end when this is dropped.
struct Group(rustix::process::Pid);

impl Group {
    fn of(child: &Child) -> Self {
        Self(rustix::process::Pid::from_child(child))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Mostly nobody is left.
        let _gone = rustix::process::kill_process_group(self.0, rustix::process::Signal::KILL);
    }
}
