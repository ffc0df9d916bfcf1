//! `/api/v1/profile/…`: the whole tree of an agent's configuration as one versioned thing.
//!
//! Contents travel as [`BLOBS_TYPE`]: for each its size (4 bytes, big endian), its SHA-256 (32
//! bytes), the bytes. A new tree travels as [`TREE_TYPE`]: the size of a [`ProfileUpload`] as JSON
//! (4 bytes, big endian), the JSON, and the contents in that form.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of contents.
pub const BLOBS_TYPE: &str = "application/x-wharf-blobs";
/// The media type of a new tree with its contents.
pub const TREE_TYPE: &str = "application/x-wharf-tree";

/// `GET /api/v1/profile/tree`: without `profile` what applies to who asks, with it one profile's
/// own files. Its `ETag` is `version`.
///
/// In what applies, the texts of organization and teams are in `CLAUDE.md` between
/// `<!-- wharf:begin … -->` and `<!-- wharf:end -->`, the person's own after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileTree {
    /// Whose it is: a text that no other person of this server, and none of another server, has. A
    /// client that keeps what was agreed on keeps it for this owner. The organization that a person
    /// is at work for changes nothing in it.
    #[serde(default)]
    pub owner: String,
    /// Changes whenever anything in it does; empty where nothing was ever saved.
    pub version: String,
    /// The newest commit of the person's own profile (or of the one that was asked for).
    pub commit_sha: String,
    /// RFC 3339; null where nothing was ever saved.
    pub updated_at: Option<String>,
    /// Who made the newest commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The profiles that it is made of, the outermost first.
    pub layers: Vec<ProfileLayer>,
    /// By path.
    pub files: Vec<ProfileFile>,
    /// In the answer to a `PUT`: changes within the part of `CLAUDE.md` that is the organization's
    /// and the teams' were not taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub block_ignored: bool,
}

/// One profile of those that apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileLayer {
    /// `me`, `org` or `team:ID`.
    pub profile: String,
    /// What people call its owner.
    pub name: String,
    /// Its newest commit.
    pub commit_sha: String,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileFile {
    /// Relative, with `/`.
    pub path: String,
    /// The SHA-256 of its content in hexadecimal digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// It may be run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// The profiles that it comes from, the outermost first, as places in `layers`; absent where
    /// there is one layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<u32>,
}

/// `POST /api/v1/profile/blobs`: contents by hash. The answer is [`BLOBS_TYPE`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlobsRequest {
    /// At most 10,000 hashes, of at most 64 MiB of contents.
    pub sha256: Vec<String>,
}

/// The beginning of `PUT /api/v1/profile/tree`: all files as they are to be.
///
/// Contents that the server has need not be sent. It answers 422 with the `sha256` of those that it
/// lacks in `missing`, and nothing has changed then. `If-Match` names the version that it is made
/// from. Without `profile` the tree is what applies to the person: what is the organization's or a
/// team's in it stays theirs, and what was changed becomes the person's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileUpload {
    /// What is said of the version; made of what changed when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// All files.
    pub files: Vec<ProfileTreeFile>,
}

/// One file of a [`ProfileUpload`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileTreeFile {
    /// Relative, with `/`.
    pub path: String,
    /// The SHA-256 of its content in hexadecimal digits.
    pub sha256: String,
    /// It may be run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// `GET /api/v1/profile/diff?from&to`: what changed between two commits of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileDifferences {
    /// As `git diff` prints it, at most 1 MiB.
    pub diff: String,
    /// Files that changed.
    pub files: u64,
    /// Files whose changes are not shown: too large, no text, or too many.
    pub omitted: u64,
}

/// `GET /api/v1/profile/origins?path=`: of a JSON file that several profiles were put together into,
/// which of them each value is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileOrigins {
    /// The file.
    pub path: String,
    /// At most 1,000, in the order of the file; none of a file that is one profile's alone.
    pub values: Vec<ProfileOrigin>,
}

/// Whose one value is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileOrigin {
    /// Where it is, a JSON pointer (RFC 6901).
    pub pointer: String,
    /// `me`, `org` or `team:ID`.
    pub profile: String,
    /// The git commit that it is of.
    pub commit_sha: String,
}
