//! Codex: what it would tell its model, what it tells one, and its servers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Seat, finish, names};

/// The program.
#[derive(Debug, Clone)]
pub struct Codex {
    program: PathBuf,
}

impl Codex {
    pub(super) const fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The program's file.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// `codex`, not started yet. It asks the seat's model and nobody else; that it does is in its
    /// arguments, so that no file of its configuration is the test's.
    #[must_use]
    pub fn command(&self, seat: Seat<'_>) -> Command {
        let mut environment = seat.environment();
        environment.push(("FAKE_KEY".to_owned(), "sk-no-key".to_owned()));
        let mut command = seat.command(&self.program, environment);
        let provider = format!(
            "model_providers.fake={{name=\"fake\",base_url=\"{}/v1\",wire_api=\"responses\",\
             env_key=\"FAKE_KEY\",request_max_retries=0,stream_max_retries=0}}",
            seat.model.url()
        );
        for setting in [
            "model_provider=fake",
            &provider,
            "check_for_update_on_startup=false",
        ] {
            command.args(["-c", setting]);
        }
        command
    }

    /// Asks one question. What was told and asked, the model knows.
    pub fn ask(&self, seat: Seat<'_>, prompt: &str) {
        let _said = self.says(seat, &["exec", "--skip-git-repo-check", prompt]);
    }

    /// The servers that it reads of its configuration.
    #[must_use]
    pub fn servers(&self, seat: Seat<'_>) -> BTreeSet<String> {
        let said = self.says(seat, &["mcp", "list", "--json"]);
        names(Some(&serde_json::from_str::<Value>(&said).unwrap()))
    }

    /// All that it would tell a model before anybody has said a word, in one text.
    #[must_use]
    pub fn prompt(&self, seat: Seat<'_>) -> String {
        let said = self.says(seat, &["debug", "prompt-input"]);
        let items: Value = serde_json::from_str(&said).unwrap();
        told(&items)
    }

    fn says(&self, seat: Seat<'_>, arguments: &[&str]) -> String {
        let output = finish(self.command(seat).args(arguments));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}\n{text}");
        text
    }
}

/// The texts of all messages of a list, as the Responses API has it.
#[must_use]
pub fn told(items: &Value) -> String {
    let items = items.as_array().into_iter().flatten();
    let contents = items.filter_map(|item| item.get("content")?.as_array());
    let texts = contents.flatten().filter_map(|it| it.get("text")?.as_str());
    texts.collect::<Vec<_>>().join("\n")
}
