//! `/api/cli/auth/device`: logging a device in from another one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Hidden;

/// `POST /api/cli/auth/device`, an empty object or what the page shall show.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceCodeRequest {
    /// The device's name for itself; the key is called that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub device_name: Option<String>,
    /// What the key shall be for, with spaces between; `run sync admin`, as far as the role goes,
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// The answer to [`DeviceCodeRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceCode {
    /// What the device polls with; nobody else may see it.
    #[schema(value_type = String)]
    pub device_code: Hidden,
    /// What the person compares or types: four letters, a dash, four digits.
    pub user_code: String,
    /// The page, with the code filled in.
    pub verification_url: String,
    /// Seconds until both end.
    pub expires_in: u64,
    /// Seconds between two polls.
    pub interval: u64,
}

/// `POST /api/cli/auth/device/poll`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DevicePollRequest {
    /// As it was given.
    #[schema(value_type = String)]
    pub device_code: Hidden,
}

/// The answer to [`DevicePollRequest`], with status 200 either way.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum DevicePoll {
    /// Somebody allowed it. This is answered once.
    Done(DeviceToken),
    /// `authorization_pending`, `slow_down`, `access_denied`, `expired_token` or
    /// `invalid_device_code`.
    Waiting(PlainError),
}

/// A device that is logged in.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceToken {
    /// The API key, `whk_…`.
    #[schema(value_type = String)]
    pub token: Hidden,
    /// Whose it is.
    pub user: DeviceUser,
    /// The organization that it is bound to.
    pub org: DeviceOrganization,
    /// Always false here.
    #[serde(rename = "hasGitHubConnection")]
    pub has_github_connection: bool,
    /// The key's id, `key_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// When the key ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// What the key is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// A person, as a device sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceUser {
    /// A UUID.
    pub id: String,
    /// The account's address.
    pub email: String,
    /// The account's name.
    pub name: String,
}

/// An organization, as a device sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceOrganization {
    /// `org_…`
    pub id: String,
    /// The name that people read.
    pub name: String,
    /// The short name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub slug: String,
}

/// `auth.authorizeDevice`: a signed-in person's answer to a device.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizeDevice {
    /// The code that the device shows, in any case, with or without the dash.
    #[schema(value_type = String)]
    pub user_code: Hidden,
    /// The organization, by id or short name; that of the caller's own token when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// False denies it.
    #[serde(default = "yes")]
    #[schema(required = false)]
    pub allow: bool,
}

const fn yes() -> bool {
    true
}

/// The errors of `/api/cli`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlainError {
    /// A code, or words for people.
    pub error: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_poll_answers_is_told_apart_by_its_members() {
        let waiting: DevicePoll =
            serde_json::from_str(r#"{"error":"authorization_pending"}"#).unwrap();
        assert!(
            matches!(waiting, DevicePoll::Waiting(error) if error.error == "authorization_pending")
        );
        let done = r#"{"token":"whk_x","user":{"id":"1","email":"a@b.c","name":"a"},
            "org":{"id":"o","name":"O"},"hasGitHubConnection":false}"#;
        let done: DevicePoll = serde_json::from_str(done).unwrap();
        let DevicePoll::Done(done) = done else {
            panic!("not done")
        };
        assert_eq!(done.token.expose(), "whk_x");
        let text = serde_json::to_string(&done).unwrap();
        assert!(text.contains("\"hasGitHubConnection\":false"), "{text}");
    }
}
