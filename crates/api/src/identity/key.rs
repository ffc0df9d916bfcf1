//! `/api/v1/keys`: tokens that live long.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Hidden, OrganizationRef};

/// One API key, without its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// `key_…`
    pub id: String,
    /// Its name, such as the device's.
    pub name: String,
    /// What it is for: `run:low`, `run`, `session:ID`, `sync`, `admin`.
    pub scopes: Vec<String>,
    /// The organization that it is bound to.
    pub organization: OrganizationRef,
    /// The address of the person whose it is.
    pub owner: String,
    /// The agent whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// The address that it was last used from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_from: Option<String>,
    /// The key that asks.
    #[serde(default)]
    pub current: bool,
}

/// `GET /api/v1/keys`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyList {
    /// Those that can be used, the newest first.
    pub keys: Vec<ApiKey>,
}

/// `POST /api/v1/keys`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateApiKey {
    /// Its name.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it is for, nothing that the caller's own token is not for; all of that when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 16)]
    pub scopes: Option<Vec<String>>,
    /// The organization, by id or short name; that of the caller's own token when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The agent whose it is, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Seconds until it ends; 90 days when absent, at most 366 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 31_622_400)]
    pub expires_in: Option<u64>,
}

/// The answer to [`CreateApiKey`]. The token is shown here and never again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyCreated {
    /// `whk_…`, to be sent as `Authorization: Bearer`.
    #[schema(value_type = String)]
    pub token: Hidden,
    /// What it is.
    pub key: ApiKey,
}
