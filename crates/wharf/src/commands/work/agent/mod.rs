//! The agent, which gets the terminal.
//!
//! OpenCode runs in the sandbox and its client runs here: [`crate::opencode`] finds the client,
//! [`client`] hands the terminal to it. Any other agent is a program in the sandbox with a terminal
//! around it.

pub(super) mod child;
pub(super) mod client;
pub(super) mod environment;

use std::fmt;

use crate::sandbox::quoted;

/// What runs in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Agent {
    /// OpenCode, with its client here.
    OpenCode,
    /// Claude Code, in the sandbox.
    Claude,
    /// Codex, in the sandbox.
    Codex,
    /// A shell.
    Shell,
    /// Whatever this shell text starts.
    Other(String),
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenCode => "OpenCode",
            Self::Claude => "Claude Code",
            Self::Codex => "Codex",
            Self::Shell => "a shell",
            Self::Other(command) => command,
        })
    }
}

impl Agent {
    /// The one of that name, or whatever the text starts.
    pub(super) fn named(text: &str) -> Self {
        match text {
            "opencode" => Self::OpenCode,
            "claude" => Self::Claude,
            "codex" => Self::Codex,
            "shell" => Self::Shell,
            other => Self::Other(other.to_owned()),
        }
    }

    /// What starts it in the sandbox, in the directory of the work; none where its client is here.
    ///
    /// The account's login shell reads it. A program that is not there is said, with the code that a
    /// shell has for it.
    pub(super) fn far_command(&self, workspace: &str) -> Option<String> {
        let start = match self {
            Self::OpenCode => return None,
            Self::Claude => program_or_word("claude"),
            Self::Codex => program_or_word("codex"),
            Self::Shell => r#"exec "${SHELL:-/bin/sh}" -l"#.to_owned(),
            Self::Other(command) => format!("exec sh -c {}", quoted(command)),
        };
        Some(format!("cd {} && {start}", quoted(workspace)))
    }
}

fn program_or_word(program: &str) -> String {
    format!(
        "{{ command -v {program} >/dev/null || {{ echo 'wharf: {program} is not in this sandbox; \
         install it there, or --agent CMD' >&2; exit 127; }}; }} && exec {program}"
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn run(agent: &Agent, dir: &std::path::Path) -> (String, Option<i32>) {
        let text = agent.far_command(dir.to_str().unwrap()).unwrap();
        let output = Command::new("sh")
            .args(["-c", &text])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.code())
    }

    #[test]
    fn the_command_is_run_where_the_work_is() {
        let dir = tempfile::Builder::new()
            .prefix("it's a ")
            .tempdir()
            .unwrap();
        let agent = Agent::named("pwd; echo \"$0's\"; exit 7");
        let (said, code) = run(&agent, dir.path());
        assert_eq!(said, format!("{}\nsh's\n", dir.path().display()));
        assert_eq!(code, Some(7));
    }

    #[test]
    fn a_program_that_is_not_there_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (said, code) = run(&Agent::Codex, dir.path());
        assert!(
            said.starts_with("wharf: codex is not in this sandbox"),
            "{said}"
        );
        assert_eq!(code, Some(127));
        assert_eq!(Agent::OpenCode.far_command("/w"), None);
    }
}
