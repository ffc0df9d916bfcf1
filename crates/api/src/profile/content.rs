//! `/api/v1/configuration/{profile}`: the single file `CLAUDE.md` of a profile.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The single file, at one version of its profile. Its `ETag` is `commit_sha`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationContent {
    /// The text; empty where nothing was ever saved.
    pub content: String,
    /// The git commit; empty where nothing was ever saved.
    pub commit_sha: String,
    /// RFC 3339; null where nothing was ever saved.
    pub updated_at: Option<String>,
}

/// `PUT /api/v1/configuration/{profile}`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PutConfiguration {
    /// The text, of at most 1 MiB.
    pub content: String,
    /// What is said of the version; made of what changed when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// One version of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationVersion {
    /// The git commit.
    pub commit_sha: String,
    /// What was said of it.
    pub message: String,
    /// Who made it.
    pub author: String,
    /// RFC 3339.
    pub timestamp: String,
}

/// `GET /api/v1/configuration/{profile}/history`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationHistory {
    /// The newest first.
    pub versions: Vec<ConfigurationVersion>,
    /// How many there are in all, counted up to 10,000.
    pub total: u64,
}

/// `GET /api/v1/profile/effective-configuration`: organization, then teams, then the person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EffectiveConfiguration {
    /// The texts in that order, an empty line between them.
    pub content: String,
    /// The organization's text is in it.
    pub org_applied: bool,
    /// A team's text is in it.
    pub team_applied: bool,
    /// The person's own text is in it.
    pub user_applied: bool,
    /// Where each part comes from.
    #[serde(default)]
    pub parts: Vec<EffectivePart>,
}

/// One part of an effective `CLAUDE.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EffectivePart {
    /// `me`, `org` or `team:ID`.
    pub profile: String,
    /// The git commit that it is of.
    pub commit_sha: String,
    /// Its first line, counted from 1.
    pub first_line: u64,
    /// Its last line.
    pub last_line: u64,
}
