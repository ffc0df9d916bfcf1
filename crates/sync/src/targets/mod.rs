//! The same profile for other agents.
//!
//! Claude Code is the source and needs no rendering. For the others each file becomes what that
//! agent reads, below the agent's own directory, and what has no counterpart is told ([`Lost`])
//! rather than dropped in silence. Files that hold more than the profile (`opencode.json`,
//! `config.toml`) are edited: only the servers that we put there change, the rest stays byte for
//! byte. Which maps to which is in `docs/sync-targets.md`.

mod codex;
mod frontmatter;
mod list;
mod opencode;
mod permission;
mod placeholders;
mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::profile::ProfilePath;
use crate::secrets::ALLOW_FILE;

/// The files of a profile, or of a target, with their contents.
pub type Files = BTreeMap<ProfilePath, Arc<[u8]>>;

/// An agent that a profile is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// Claude Code, below `~/.claude`: the profile as it is.
    Claude,
    /// OpenCode, below `~/.config/opencode`.
    OpenCode,
    /// Codex, below `~/.codex`.
    Codex,
    /// `AGENTS.md` alone, in a directory of the caller's choice.
    AgentsMd,
}

/// What is at the target already.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// The text of `opencode.json` or `config.toml`, if it is there.
    pub config: Option<String>,
    /// The text of `opencode.jsonc`, if it is there: OpenCode reads it over `opencode.json` and mixes
    /// the members of two servers with one name. It is read and never changed.
    pub beside: Option<String>,
    /// The MCP servers in it that an earlier rendering put there. Others are the person's own.
    pub servers: BTreeSet<String>,
    /// What was written for each of them last, as [`Rendered::written`] told it. One that is
    /// something else now, or gone, is an edit of the person's, and stays so. One of which nothing
    /// is known is ours to change.
    pub written: BTreeMap<String, String>,
    /// Whether the profile is also at `~/.claude` here, where OpenCode finds its skills itself:
    /// written twice, one would hide the other.
    pub claude_too: bool,
}

/// A profile as another agent reads it.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// The files, by their path below the agent's directory.
    pub files: Files,
    /// The MCP servers that are ours in the agent's configuration now.
    pub servers: BTreeSet<String>,
    /// What was written for each of them, as JSON.
    pub written: BTreeMap<String, String>,
    /// What has no counterpart there.
    pub lost: Vec<Lost>,
}

/// Something that another agent cannot have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The file of the profile.
    pub path: ProfilePath,
    /// What of it, and why.
    pub what: String,
}

/// Why a profile cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The agent's own configuration cannot be edited.
    #[error("{file} cannot be edited: {reason}")]
    Config {
        /// Which file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The profile's servers cannot be read.
    #[error("mcp.json: {0}")]
    Servers(String),
}

/// Renders a profile for an agent.
///
/// # Errors
/// When `mcp.json` of the profile or the agent's own configuration cannot be read; nothing is to be
/// written then.
pub fn render(target: Target, profile: &Files, existing: &Existing) -> Result<Rendered, Error> {
    match target {
        Target::Claude => Ok(Rendered {
            files: profile.clone(),
            ..Rendered::default()
        }),
        Target::OpenCode => opencode::render(profile, existing),
        Target::Codex => codex::render(profile, existing),
        Target::AgentsMd => {
            let mut rendered = Rendered::default();
            for (path, content) in profile {
                match path.as_str() {
                    "CLAUDE.md" => rendered.put("AGENTS.md", content),
                    _ => rendered.lose(path, "AGENTS.md holds instructions alone"),
                }
            }
            Ok(rendered)
        }
    }
}

/// What a person did with a server that a rendering had put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Changed,
    Removed,
}

impl Edit {
    const fn words(self) -> &'static str {
        match self {
            Self::Changed => "you have changed it there, and it stays; --force takes the profile's",
            Self::Removed => "you have removed it there; --force writes it again",
        }
    }
}

impl Existing {
    /// The edits among our servers, of which `now` says what they are now, as JSON.
    fn edits(&self, now: &BTreeMap<String, String>) -> BTreeMap<String, Edit> {
        // Without the file there is nothing that was edited.
        let written = self.written.iter().filter(|_| self.config.is_some());
        let ours = written.filter(|(name, _)| self.servers.contains(*name));
        let each = ours.filter_map(|(name, written)| match now.get(name) {
            None => Some((name.clone(), Edit::Removed)),
            Some(now) => (!is_same(now, written)).then(|| (name.clone(), Edit::Changed)),
        });
        each.collect()
    }
}

/// Whether two values in JSON say the same.
fn is_same(one: &str, other: &str) -> bool {
    match (crate::json::parse(one), crate::json::parse(other)) {
        (Ok(one), Ok(other)) => one.says(&other),
        _ => false,
    }
}

impl Rendered {
    /// Leaves a server as a person has it.
    fn leave(&mut self, path: &ProfilePath, name: &str, edit: Edit, existing: &Existing) {
        self.lose(path, format!("the server `{name}`: {}", edit.words()));
        self.servers.insert(name.to_owned());
        let written = existing.written.get(name).cloned();
        self.written
            .extend(written.map(|written| (name.to_owned(), written)));
    }

    fn put(&mut self, path: &str, content: &Arc<[u8]>) {
        // All paths here are made of valid ones.
        if let Ok(path) = ProfilePath::parse(path) {
            self.files.insert(path, Arc::clone(content));
        }
    }

    fn put_text(&mut self, path: &str, content: &str) {
        self.put(path, &Arc::from(content.as_bytes()));
    }

    fn lose(&mut self, path: &ProfilePath, what: impl Into<String>) {
        if path.as_str() == ALLOW_FILE {
            // It is for those who push, and no agent reads it.
            return;
        }
        self.lost.push(Lost {
            path: path.clone(),
            what: what.into(),
        });
    }
}

#[cfg(test)]
mod tests;
