//! A platform, and machines of one person that are synced with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::home::Home;

/// A server, as it runs on one of the machines.
pub(crate) struct Platform {
    server: Home,
    token: String,
}

pub(crate) struct Machine {
    home: Home,
    dir: PathBuf,
    url: String,
    token: String,
}

impl Platform {
    pub(crate) fn new() -> Self {
        let server = Home::new();
        server.ok(&["serve", "--background"]);
        let token = server.ok(&["auth", "token"]).trim().to_owned();
        Self { server, token }
    }

    pub(crate) fn machine(&self) -> Machine {
        let home = Home::new();
        Machine {
            dir: home.path("."),
            home,
            url: self.server.url(),
            token: self.token.clone(),
        }
    }
}

impl Machine {
    pub(crate) fn home(&self) -> &Path {
        &self.dir
    }

    /// A file of the home.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.home.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.home.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Sends what is here for Claude Code.
    pub(crate) fn push(&self) {
        self.wharf(&["sync", "push"], &[]);
    }

    /// Brings what the platform has to these agents; what of it they cannot have.
    pub(crate) fn sync(&self, agents: &[&str]) -> BTreeSet<String> {
        self.sync_with(agents, &[])
    }

    /// The same with further variables of the environment.
    pub(crate) fn sync_with(
        &self,
        agents: &[&str],
        variables: &[(&str, &str)],
    ) -> BTreeSet<String> {
        let agents = agents.iter().flat_map(|agent| ["--target", agent]);
        let args: Vec<&str> = ["sync", "--json"].into_iter().chain(agents).collect();
        let said: Value = serde_json::from_str(&self.wharf(&args, variables)).unwrap();
        let sections = said["targets"].as_array().unwrap().iter();
        let lost = sections.flat_map(|section| section["lost"].as_array().unwrap());
        let text = |lost: &Value, name: &str| lost[name].as_str().unwrap().to_owned();
        lost.map(|lost| format!("{}: {}", text(lost, "path"), text(lost, "what")))
            .collect()
    }

    fn wharf(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let mut wharf: Command = self.home.wharf(args);
        wharf.envs(variables.iter().copied());
        wharf.env("WHARF_API_URL", &self.url);
        let output = wharf.env("WHARF_TOKEN", &self.token).output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            self.home.show(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}
