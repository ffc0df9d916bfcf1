//! `/api/cli/ssh-keys`: public keys of devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/cli/ssh-keys`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshKeyRequest {
    /// As in an `authorized_keys` file: algorithm, base 64, comment.
    pub public_key: String,
    /// Its name; the comment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// The fingerprint that the client has computed; it must be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// One public key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshKey {
    /// `sky_…`
    pub id: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// Its name.
    pub name: String,
    /// RFC 3339.
    pub created_at: String,
}

/// The answer to [`SshKeyRequest`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SshKeyCreated {
    /// The key.
    pub key: SshKey,
}

/// `GET /api/cli/ssh-keys`, and `sshKeys.list`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SshKeyList {
    /// The newest first.
    pub keys: Vec<SshKey>,
}

/// `sshKeys.delete`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SshKeyDelete {
    /// The key's id.
    pub id: String,
}

/// The answer to `sshKeys.delete`, `sshKeys.deleteAll` and `DELETE /api/cli/ssh-keys/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshKeyDeleted {
    /// It was done.
    pub success: bool,
    /// How many are gone.
    pub deleted: u64,
}
