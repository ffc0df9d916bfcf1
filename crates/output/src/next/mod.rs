//! What to do next, from what really came out.
//!
//! The messages that tools write are rules in `data/next/rules/*.toml`: patterns, what to say,
//! which command shows more. A command never changes anything that the caller did not ask for,
//! unless it installs what is missing, and it is never `sudo` as an answer to a refusal. Failing
//! tests are run again by name (`rerun.rs`), an exit code speaks when no message does, and when
//! nothing is known the registry's steps by outcome are given.
//!
//! Words from an output go into a command only as one quoted word: an output cannot make a command
//! of its own. Everything is bounded: lines that are held against patterns, steps that are given.

mod exits;
mod install;
mod lookup;
mod narrow;
mod pattern;
mod quote;
mod rerun;
mod rules;
mod similar;

use serde::Serialize;
use wharf_shell::{Analysis, registry};

use crate::text;

pub use install::PackageManager;

/// Steps that are given at most.
pub const MAX_STEPS: usize = 6;

/// A thing to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextStep {
    /// What to do, in words.
    pub text: String,
    /// The command that does it, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Why, from the output.
    pub why: String,
}

/// What is known about the place where the command ran.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// How programs are installed there.
    pub package_manager: Option<PackageManager>,
    /// Whether the caller may install without asking: a system's package manager needs that.
    pub is_root: bool,
    /// Programs that can be called there, for "did you mean"; the registry's names are always
    /// known.
    pub programs: &'a [&'a str],
}

/// Says what to do next.
#[must_use]
pub fn next_steps(
    analysis: &Analysis,
    exit_code: Option<i32>,
    stdout: &[u8],
    stderr: &[u8],
    around: &Surroundings<'_>,
) -> Vec<NextStep> {
    let failed = exit_code != Some(0);
    let (stdout, stderr) = (&*text::decoded(stdout), &*text::decoded(stderr));
    let mut steps = Steps::default();
    steps.add_all(rerun::steps(analysis, failed, stdout, stderr));
    steps.add_all(rules::steps(analysis, failed, stdout, stderr, around));
    if steps.0.is_empty() && failed {
        steps.add_all(exits::step(analysis, exit_code));
    }
    if steps.0.is_empty() {
        steps.add_all(usual(analysis, failed));
    }
    steps.0
}

#[derive(Default)]
struct Steps(Vec<NextStep>);

impl Steps {
    fn add_all(&mut self, steps: impl IntoIterator<Item = NextStep>) {
        for step in steps {
            let known = self.0.iter().any(|known| {
                known.text == step.text
                    || (known.command.is_some() && known.command == step.command)
            });
            if self.0.len() < MAX_STEPS && !known {
                self.0.push(step);
            }
        }
    }
}

/// What the registry says is usually done after this outcome.
fn usual(analysis: &Analysis, failed: bool) -> Vec<NextStep> {
    let (text_of, outcome): (fn(&registry::Entry) -> &Vec<String>, _) = match failed {
        true => (|entry| &entry.next_steps.failure, "failed"),
        false => (|entry| &entry.next_steps.success, "went well"),
    };
    // What is said about a subcommand counts before what is said about its program.
    let entries = analysis.programs.iter().rev().flat_map(|program| {
        let whole = registry::lookup(&program.name);
        registry::describe(program).into_iter().chain(whole)
    });
    // After a failure of a program that nobody knows, what another one needs is no help.
    let unknown = |program: &wharf_shell::Program| registry::lookup(&program.name).is_none();
    if failed && analysis.programs.last().is_some_and(unknown) {
        return Vec::new();
    }
    let Some(entry) = entries.into_iter().find(|entry| !text_of(entry).is_empty()) else {
        return Vec::new();
    };
    // What was just done is not what comes next.
    let argv = |program: &wharf_shell::Program| program.argv.clone().unwrap_or_default();
    let done = analysis
        .programs
        .iter()
        .filter_map(|program| Some(format!("{} {}", program.name, argv(program).get(1)?)));
    let done: Vec<String> = done.collect();
    let steps = text_of(entry)
        .iter()
        .filter(|text| !done.iter().any(|done| text.contains(done)));
    let step = |text: &String| NextStep {
        text: text.clone(),
        command: text
            .split_once(": ")
            .and_then(|(_, command)| runnable(command)),
        why: format!("usual after {} {outcome}", entry.name),
    };
    steps.map(step).collect()
}

/// The text after a colon, if it is a command that can be run as it stands: its program is known,
/// and no word in capitals waits for a value.
fn runnable(text: &str) -> Option<String> {
    let program = text.split_whitespace().next()?;
    let waits = text.split_whitespace().any(|word| {
        word.len() > 1
            && word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    });
    (registry::lookup(program).is_some() && !waits && !text.contains('\u{2026}'))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use wharf_shell::{Context, analyze};

    use super::*;

    fn steps(command: &str, exit_code: i32, stderr: &str) -> Vec<NextStep> {
        let analysis = analyze(command, &Context::default());
        let around = Surroundings {
            package_manager: Some(PackageManager::Apt),
            is_root: true,
            programs: &["mytool"],
        };
        next_steps(&analysis, Some(exit_code), b"", stderr.as_bytes(), &around)
    }

    #[test]
    fn a_typo_is_recognised() {
        let steps = steps(
            "mytoll --x 'a b'",
            127,
            "bash: line 1: mytoll: command not found\n",
        );
        assert_eq!(steps[0].command.as_deref(), Some("mytool --x 'a b'"));
        assert!(steps[0].text.contains("did you mean mytool"), "{steps:?}");
    }

    #[test]
    fn an_exit_code_speaks_when_no_message_does() {
        assert!(
            steps("./x", 137, "")[0]
                .command
                .as_deref()
                .unwrap()
                .starts_with("dmesg")
        );
        assert!(steps("timeout 3 ./x", 124, "")[0].why.contains("timeout"));
        assert!(steps("./x", 139, "")[0].text.contains("debugger"));
    }

    #[test]
    fn the_registry_speaks_when_nothing_else_does() {
        assert!(!steps("cargo build", 0, "").is_empty());
        assert_eq!(
            steps("cargo build", 0, "")[0].command.as_deref(),
            Some("cargo test")
        );
    }

    #[test]
    fn an_output_cannot_make_a_command() {
        for path in ["$(reboot)", "a;reboot", "`reboot`", "a' b"] {
            for step in steps("cat x", 1, &format!("cat: {path}: Permission denied\n")) {
                let command = step.command.unwrap_or_default();
                let read = analyze(&command, &Context::default());
                assert!(
                    read.programs.iter().all(|p| p.name != "reboot"),
                    "{command}"
                );
            }
        }
        for step in steps("cat x", 1, "cat: -rf: Permission denied\n") {
            assert_eq!(step.command, None);
        }
    }

    #[test]
    fn steps_are_bounded() {
        let many: String = (0..2_000)
            .map(|n| format!("cat: /x/{n}: Permission denied\ncurl: (6) Could not resolve host: h{n}\nls: cannot access 'd{n}/x': No such file or directory\n"))
            .collect();
        assert!(steps("cat x", 1, &many).len() <= MAX_STEPS);
    }
}
