//! Files: `/api/files`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What there is at a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileInfo {
    /// Where it is, absolute.
    pub path: String,
    /// `file`, `directory`, `link` or `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes.
    pub size: u64,
    /// Permissions in octal digits.
    pub mode: String,
    /// RFC 3339; absent where it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// Changes with the file: for `If-Match`.
    pub etag: String,
    /// The SHA-256 of its content in hexadecimal digits, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What is in a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DirectoryListing {
    /// Where it is, absolute.
    pub path: String,
    /// By name.
    pub entries: Vec<DirectoryEntry>,
    /// There are more than were asked for.
    pub more: bool,
}

/// Something in a directory. Links are not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
    /// The name's bytes in base 64, where it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_base64: Option<String>,
    /// `file`, `directory`, `link` or `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes.
    pub size: u64,
    /// Permissions in octal digits.
    pub mode: String,
    /// RFC 3339; absent where it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
}

/// The answer to a file that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileWritten {
    /// What it is now.
    #[serde(flatten)]
    pub file: FileInfo,
    /// There was none before.
    pub created: bool,
    /// It belongs to whom the file before it belonged to.
    pub owner_kept: bool,
    /// The run under which it is on record.
    pub command_id: String,
}
