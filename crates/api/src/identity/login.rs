//! `/api/v1/auth`: logging in by password, and the logins there are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Hidden;

/// `POST /api/v1/auth/login`, form-urlencoded, as OAuth 2's password form has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct LoginForm {
    /// `password`, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_type: Option<String>,
    /// The account's address.
    pub username: String,
    /// The account's password.
    #[schema(value_type = String, format = Password)]
    pub password: Hidden,
    /// What the login is shown as in lists; the client's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub device: Option<String>,
    /// The organization to act for, by id or short name; the first joined when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// The answer to a login or a refresh. With it comes the cookie `refresh_token`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AccessGranted {
    /// A JWT, to be sent as `Authorization: Bearer`.
    #[schema(value_type = String)]
    pub access_token: Hidden,
    /// `bearer`
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u64,
}

/// One login: what was begun with a password and goes on by refreshing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginSession {
    /// `lgn_…`
    pub id: String,
    /// What it calls itself.
    pub device: String,
    /// The address that it was last used from.
    pub address: String,
    /// RFC 3339.
    pub created_at: String,
    /// When it was last used, to the minute.
    pub last_used_at: String,
    /// When it ends unless it refreshes before.
    pub expires_at: String,
    /// The login that asks.
    pub current: bool,
}

/// `GET /api/v1/auth/sessions`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct LoginSessionList {
    /// Those that still go on, the last used first.
    pub sessions: Vec<LoginSession>,
}

/// `POST /api/v1/auth/organization`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SwitchOrganization {
    /// The organization, by id or short name.
    pub organization: String,
}
