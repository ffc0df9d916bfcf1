//! `/api/v1/auth`: the account of who asks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Hidden;

/// What somebody may do in an organization; each may what those after it may.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccountRole {
    /// All of it, and giving it away.
    Owner,
    /// People, agents, keys, limits.
    Admin,
    /// Running commands.
    #[default]
    Member,
    /// The same for a program that acts for a person.
    Agent,
    /// Looking.
    Viewer,
}

impl AccountRole {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Agent => "agent",
            Self::Viewer => "viewer",
        }
    }
}

/// `POST /api/v1/auth/register`, where registration is open.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Register {
    /// The address to log in with; kept in lower case.
    #[schema(min_length = 3, max_length = 254)]
    pub email: String,
    /// The name that others see.
    #[schema(min_length = 1, max_length = 100)]
    pub username: String,
    /// 8 to 1024 characters.
    #[schema(value_type = String, format = Password)]
    pub password: Hidden,
}

/// The answer to [`Register`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Registered {
    /// In words.
    pub message: String,
    /// The account's id, a UUID.
    pub user_id: String,
}

/// An answer that only says that it was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// In words.
    pub message: String,
}

/// An organization, by its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrganizationRef {
    /// `org_…`; absent where only the short name is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The short name, of letters, digits and dashes.
    pub slug: String,
    /// The name that people read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// `GET /api/v1/auth/me`: who the token belongs to.
///
/// The holder of the server's own local token has no account; theirs is the nil UUID, the address
/// `local@localhost` and the name `local`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// A UUID.
    pub id: String,
    /// The address they log in with.
    pub email: String,
    /// The name that others see.
    pub username: String,
    /// What they may do in `organization`.
    pub role: AccountRole,
    /// When the account was made.
    pub created_at: String,
    /// The organization that the token is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationRef>,
    /// The agent that the token is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The name of the token or login, as lists show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The id of the token or login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// When the token ends, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// What the token is for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The server itself is theirs to look after.
    #[serde(default)]
    pub administrator: bool,
}

/// `POST /api/v1/auth/password`. All other logins of the account end with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PasswordChange {
    /// The password until now.
    #[schema(value_type = String, format = Password)]
    pub current_password: Hidden,
    /// 8 to 1024 characters.
    #[schema(value_type = String, format = Password)]
    pub new_password: Hidden,
}

/// `POST /api/v1/auth/reset/request`: asks for a code by mail. The answer is the same whether or
/// not the address is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ResetRequest {
    /// The account's address.
    pub email: String,
}

/// `POST /api/v1/auth/reset`: a new password for a code. All logins of the account end with it.
/// Answered as a login.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PasswordReset {
    /// The code that was mailed or read out, in any case, with or without dashes.
    #[schema(value_type = String)]
    pub code: Hidden,
    /// 8 to 1024 characters.
    #[schema(value_type = String, format = Password)]
    pub new_password: Hidden,
}

/// `POST /api/v1/auth/first`: the first account, which the server belongs to. Answered as a login.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct FirstUser {
    /// The code on the server's terminal, in any case, with or without dashes.
    #[schema(value_type = String)]
    pub code: Hidden,
    /// The address to log in with.
    #[schema(min_length = 3, max_length = 254)]
    pub email: String,
    /// The name that others see.
    #[schema(min_length = 1, max_length = 100)]
    pub username: String,
    /// 8 to 1024 characters.
    #[schema(value_type = String, format = Password)]
    pub password: Hidden,
}

/// `POST /api/v1/auth/invitation`: accepts one, with a new account or an old one. Answered as a
/// login.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AcceptInvitation {
    /// The code of the invitation, in any case, with or without dashes.
    #[schema(value_type = String)]
    pub code: Hidden,
    /// The name that others see; needed where the invited address has no account yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub username: Option<String>,
    /// The account's password; 8 to 1024 characters for a new one.
    #[schema(value_type = String, format = Password)]
    pub password: Hidden,
}
