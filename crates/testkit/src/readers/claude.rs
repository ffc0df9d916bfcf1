//! Claude Code: one question, and what it says of itself before it answers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Seat, finish, names};

/// The program.
#[derive(Debug, Clone)]
pub struct ClaudeCode {
    program: PathBuf,
}

/// The first event of a conversation: what Claude Code has read, its own things among it.
#[derive(Debug, Clone, PartialEq)]
pub struct Init(pub Value);

impl ClaudeCode {
    pub(super) const fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The program's file.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// `claude`, not started yet. It asks the seat's model and nobody else.
    #[must_use]
    pub fn command(&self, seat: Seat<'_>) -> Command {
        let mut environment = seat.environment();
        let url = seat.model.url();
        let pairs = [
            ("ANTHROPIC_BASE_URL", url.as_str()),
            ("ANTHROPIC_API_KEY", "sk-no-key"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        environment.extend(pairs);
        seat.command(&self.program, environment)
    }

    /// Asks one question; with `arguments` besides.
    #[must_use]
    pub fn ask(&self, seat: Seat<'_>, prompt: &str, arguments: &[&str]) -> Init {
        let mut command = self.command(seat);
        command
            .args(["-p", prompt, "--output-format", "stream-json", "--verbose"])
            .args(arguments);
        let output = finish(&mut command);
        let text = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}\n{text}", output.status);
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut inits = events.filter(|event| event.get("subtype") == Some(&"init".into()));
        Init(inits.next().expect("an event `init`"))
    }
}

impl Init {
    /// The agents.
    #[must_use]
    pub fn agents(&self) -> BTreeSet<String> {
        names(self.0.get("agents"))
    }

    /// What can be typed after a slash: commands and skills.
    #[must_use]
    pub fn commands(&self) -> BTreeSet<String> {
        names(self.0.get("slash_commands"))
    }

    /// The skills.
    #[must_use]
    pub fn skills(&self) -> BTreeSet<String> {
        names(self.0.get("skills"))
    }

    /// The MCP servers.
    #[must_use]
    pub fn servers(&self) -> BTreeSet<String> {
        names(self.0.get("mcp_servers"))
    }
}
