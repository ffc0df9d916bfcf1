//! What a session is made of: a directory of a device's, kept under a name that no other device has.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A directory of a device's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CliConfiguration {
    /// The first 16 hexadecimal digits of SHA-256 over `DEVICE_ID::ABSOLUTE_PATH`: the same
    /// directory on two devices is two workspaces.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 64)]
    pub local_path_hash: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub display_name: Option<String>,
}

/// `configurations.create`: keeps what is in a sandbox, for the next session of this directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationCreate {
    /// The directory.
    pub local_path_hash: String,
    /// The session whose sandbox it is.
    pub session_id: String,
    /// The sandbox; that of the session, or it is not there.
    pub sandbox_id: String,
}

/// The answer to [`ConfigurationCreate`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationCreated {
    /// The configuration.
    pub configuration: SavedConfiguration,
    /// What was kept.
    pub snapshot_id: String,
}

/// The answer to `configurations.get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationFound {
    /// Null where there is none.
    pub configuration: Option<SavedConfiguration>,
}

/// One configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SavedConfiguration {
    /// `cfg_…`
    pub id: String,
    /// What an earlier session left; null where none has.
    pub snapshot_id: Option<String>,
    /// Whose it is.
    pub user_id: Option<String>,
    /// The directory; null for one of repositories.
    pub local_path_hash: Option<String>,
    /// RFC 3339.
    pub created_at: Option<String>,
    /// Where the snapshot is of use.
    pub sandbox_provider: Option<String>,
}
