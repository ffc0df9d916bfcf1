//! What an item says of itself.

use std::fmt;

use super::CatalogError;
use crate::error::{Problem, Problems};
use crate::limits::{
    ITEM_CONTENT_MAX, ITEM_DESCRIPTION_MAX, ITEM_NAME_MAX, ITEM_TAG_MAX, ITEM_TAGS_MAX,
};
use crate::path::ProfilePath;
use crate::profiles::check_content;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemType {
    /// A folder with a `SKILL.md`; here that file.
    Skill,
    /// A command of the agent's.
    Command,
    /// An agent to be called by one.
    Agent,
    /// How an agent writes.
    OutputStyle,
    /// A server of tools, in JSON.
    McpServer,
    /// A program that an agent runs at certain moments.
    Hook,
    /// Any other tool.
    Tool,
}

impl ItemType {
    /// All.
    pub const ALL: [Self; 7] = [
        Self::Skill,
        Self::Command,
        Self::Agent,
        Self::OutputStyle,
        Self::McpServer,
        Self::Hook,
        Self::Tool,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skill => "skill",
            Self::Command => "command",
            Self::Agent => "agent",
            Self::OutputStyle => "output_style",
            Self::McpServer => "mcp_server",
            Self::Hook => "hook",
            Self::Tool => "tool",
        }
    }

    /// Reads one; `mcp` is short for `mcp_server`, and `-` as good as `_`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.replace('-', "_");
        if text == "mcp" {
            return Some(Self::McpServer);
        }
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An item as its owner writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is.
    pub kind: ItemType,
    /// Its name, which is also the name of its file in a profile.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What it says.
    pub content: String,
}

impl Draft {
    /// Whether all of it may be as it is.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] with all that may not.
    pub fn check(&self) -> Result<(), CatalogError> {
        let mut problems = Problems::default();
        let mut add = |member, reason| problems.add(Problem::new(member, reason));
        if self.name.len() > ITEM_NAME_MAX {
            add("name", "it is longer than 100 bytes");
        } else if self.name.contains('/') {
            add("name", "it has a '/' in it");
        } else if let Err(reason) = ProfilePath::parse(&self.name) {
            add("name", reason);
        }
        if self.description.len() > ITEM_DESCRIPTION_MAX {
            add("description", "it is longer than 2000 bytes");
        }
        if self.tags.len() > ITEM_TAGS_MAX {
            add("tags", "there are more than 16");
        }
        let is_tag = |tag: &String| {
            !tag.trim().is_empty() && tag.len() <= ITEM_TAG_MAX && !tag.contains(char::is_control)
        };
        if !self.tags.iter().all(is_tag) {
            add(
                "tags",
                "a tag is empty, longer than 40 bytes, or has a control character",
            );
        }
        if self.content.len() > ITEM_CONTENT_MAX {
            add("content", "it is larger than 1 MiB");
        } else {
            check_content("content", self.content.as_bytes(), &mut problems);
        }
        problems
            .take()
            .map_or(Ok(()), |found| Err(CatalogError::Invalid(found)))
    }

    /// What a search looks through.
    pub(super) fn words(&self) -> String {
        format!(
            "{}\n{}\n{}",
            self.name,
            self.description,
            self.tags.join("\n")
        )
        .to_lowercase()
    }
}
