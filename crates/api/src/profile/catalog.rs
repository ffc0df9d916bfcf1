//! `/api/v1/catalog`: what organizations, teams and people offer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an item is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatalogType {
    /// A skill.
    #[default]
    Skill,
    /// A slash command.
    Command,
    /// A subagent.
    Agent,
    /// An output style.
    OutputStyle,
    /// An MCP server.
    McpServer,
    /// A hook.
    Hook,
    /// A tool.
    Tool,
}

/// Whose an item is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatalogScope {
    /// The organization's: all of its people see it.
    Org,
    /// A team's: its members see it.
    Team,
    /// A person's own.
    #[default]
    User,
}

/// One item, without its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogItem {
    /// Its id.
    pub id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: CatalogType,
    /// Its name; one for each owner and type.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// By which it is found, too.
    pub tags: Vec<String>,
    /// Whose it is.
    pub scope: CatalogScope,
    /// The id of the organization, team or account.
    pub scope_id: String,
    /// Counts its changes; its `ETag`.
    pub revision: i64,
    /// RFC 3339.
    pub updated_at: String,
}

/// `GET /api/v1/catalog`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogPage {
    /// By name.
    pub items: Vec<CatalogItem>,
    /// All that match.
    pub total: u64,
    /// Which page this is, counted from 1.
    pub page: u32,
    /// Most items of a page.
    pub size: u32,
    /// How many pages there are.
    pub pages: u64,
}

/// `POST /api/v1/catalog/items`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogDraft {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: CatalogType,
    /// Its name, of at most 100 bytes.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it is good for, in at most 2,000 bytes.
    #[serde(default)]
    pub description: String,
    /// At most 16.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The text of it, of at most 1 MiB.
    #[serde(default)]
    pub content: String,
    /// Whose it is to be: the person's own when absent. For a new one only.
    #[serde(flatten)]
    pub owner: CatalogOwner,
}

/// `PUT /api/v1/catalog/items/{id}`: what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogChange {
    /// What it is, which stays.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<CatalogType>,
    /// Its name, of at most 100 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What it is good for, in at most 2,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// At most 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The text of it, of at most 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Whose it is, which stays.
    #[serde(flatten)]
    pub owner: CatalogOwner,
}

/// Whose a new item is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogOwner {
    /// The person's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<CatalogScope>,
    /// The team's id, for a team's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_id: Option<String>,
}

/// `GET /api/v1/catalog/items/{id}/raw`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogContent {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: CatalogType,
    /// What it is good for.
    pub description: String,
    /// By which it is found, too.
    pub tags: Vec<String>,
    /// The text of it.
    pub content: String,
}
