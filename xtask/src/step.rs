//! One step of a task: a name, a command, a time.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::terminal::say;

/// How a step ended when it did not fail.
pub(crate) enum Outcome {
    /// Everything that the step looks at is in order.
    Passed,
    /// The step could not be done here, and why; this is never a failure.
    Skipped(String),
}

/// The steps done so far, with their times.
pub(crate) struct Steps {
    done: Vec<(&'static str, Duration, Outcome)>,
    started: Instant,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            done: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Runs one step, says what it is and how long it took, and fails if the step fails.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<Outcome>,
    ) -> Result<()> {
        say(&format!("==> {name}"));
        let started = Instant::now();
        let outcome = step();
        let took = started.elapsed();
        match outcome {
            Ok(outcome) => {
                say(&format!("    {} ({})", describe(&outcome), seconds(took)));
                self.done.push((name, took, outcome));
                Ok(())
            }
            Err(error) => {
                say(&format!("    FAILED: {name} ({})", seconds(took)));
                Err(error.context(format!("step `{name}` failed")))
            }
        }
    }

    /// The closing table: a line a step, then the total.
    pub(crate) fn summarize(&self) {
        say("");
        for (name, took, outcome) in &self.done {
            say(&format!(
                "  {name:<14} {:>9}  {}",
                seconds(*took),
                describe(outcome)
            ));
        }
        say(&format!(
            "  {:<14} {:>9}",
            "total",
            seconds(self.started.elapsed())
        ));
    }
}

/// A command that inherits the terminal and gets no stdin, so that no step can wait for
/// an answer that nobody will give.
pub(crate) fn command(folder: &Path, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// Runs the command and turns any ending but success into an error that names it.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    say(&format!("    $ {shown}"));
    let status = command
        .status()
        .with_context(|| format!("starting `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Whether the command can be started and succeeds, with its output thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => "ok".to_owned(),
        Outcome::Skipped(why) => format!("skipped: {why}"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
