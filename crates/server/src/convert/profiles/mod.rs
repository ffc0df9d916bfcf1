//! Agent configuration between wire and domain.

pub(crate) mod differences;
pub(crate) mod items;
pub(crate) mod trees;
pub(crate) mod upstreams;

use wharf_api::profile::{ConfigurationContent, ConfigurationHistory, ConfigurationVersion};
use wharf_profiles::{Author, Content, History, Version};

pub(crate) fn content(content: &Content) -> ConfigurationContent {
    ConfigurationContent {
        content: content.content.to_string(),
        commit_sha: content.commit_sha.clone(),
        updated_at: content.updated_at.map(|at| at.to_string()),
    }
}

pub(crate) fn history(history: History) -> ConfigurationHistory {
    ConfigurationHistory {
        versions: history.versions.into_iter().map(version).collect(),
        total: history.total as u64,
    }
}

fn version(version: Version) -> ConfigurationVersion {
    ConfigurationVersion {
        commit_sha: version.commit_sha,
        message: version.message,
        author: author(&version.author),
        timestamp: version.timestamp.to_string(),
    }
}

/// `Ada <ada@example.com>`, as git writes it.
pub(crate) fn author(author: &Author) -> String {
    format!("{} <{}>", author.name, author.email)
}
