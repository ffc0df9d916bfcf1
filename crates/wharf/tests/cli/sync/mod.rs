//! `wharf sync` with a real server, and a home for each machine.

mod accounts;
mod bad_servers;
mod conflicts;
mod first_contact;
mod import;
mod offline;
mod others;
mod places;
mod push;
mod round_trips;
mod stub;
mod undo;
mod upstream;
mod versions;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::home::Home;
use crate::identity;

/// A server with one account, and machines that are logged in to it.
pub(crate) struct World {
    pub(crate) server: Home,
    pub(crate) url: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let server = Home::new();
        identity::add(&server, identity::EMAIL);
        server.ok(&["serve", "--background"]);
        let url = server.url();
        Self { server, url }
    }

    /// A machine of that account.
    pub(crate) fn machine(&self) -> Machine {
        let machine = Machine { home: Home::new() };
        identity::login(&machine.home, &self.url);
        machine
    }
}

/// One machine.
pub(crate) struct Machine {
    pub(crate) home: Home,
}

impl Machine {
    /// Writes a file below the home.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.home.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A file below the home; nothing where there is none.
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.home.path(name)).ok()
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.home.path(name)).unwrap();
    }

    /// `wharf sync ARGS` as the person sees it.
    pub(crate) fn sync(&self, args: &[&str]) -> String {
        self.home.seen(&[&["sync"], args].concat())
    }

    /// The same, where all goes well.
    pub(crate) fn syncs(&self, args: &[&str]) -> String {
        self.home.ok(&[&["sync"], args].concat())
    }

    /// What it says to programs, with its exit code.
    pub(crate) fn json(&self, args: &[&str]) -> (Value, i32) {
        let output = self.home.output(&[&["sync", "--json"], args].concat());
        let shown = self.home.show(&output);
        let read = serde_json::from_slice(&output.stdout);
        assert!(read.is_ok(), "{args:?}: {shown}");
        (read.unwrap(), output.status.code().unwrap())
    }

    /// All files of the agent's directory, with their contents.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        listed(&self.home.path(".claude"))
    }
}

/// All files below a directory, by their paths in it.
pub(crate) fn listed(dir: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                files.push((name, fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    files.sort();
    files
}

/// What differs from run to run. They are given up in this order, each to the ones before it.
pub(crate) struct Filters {
    _ours: insta::internals::SettingsBindDropGuard,
    _all: insta::internals::SettingsBindDropGuard,
}

pub(crate) fn filters() -> Filters {
    let all = crate::home::filters();
    let mut settings = insta::Settings::clone_current();
    for (pattern, instead) in [
        (r"\b(remote|base|newest    ) [0-9a-f]{7}\b", "$1 VERSION"),
        (r"(?m)^[0-9a-f]{7}  (just now)", "VERSION  $1"),
        (r"\d+ min ago", "just now"),
    ] {
        settings.add_filter(pattern, instead);
    }
    Filters {
        _ours: settings.bind_to_scope(),
        _all: all,
    }
}
