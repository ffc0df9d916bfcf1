//! `/api/v1/users`: accounts, for who looks after the server.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccountLimits, AccountRole, Hidden};

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// A UUID.
    pub id: String,
    /// The address they log in with.
    pub email: String,
    /// The name that others see.
    pub username: String,
    /// Nothing of theirs is let in. A removed account stays as this, so that its address never
    /// becomes somebody else's.
    pub disabled: bool,
    /// The server itself is theirs to look after.
    pub administrator: bool,
    /// RFC 3339.
    pub created_at: String,
    /// There is a password; without one they wait for a code to set it with.
    pub has_password: bool,
    /// What they may do in the first organization, or else in their first one.
    pub role: AccountRole,
    /// Where they belong.
    #[serde(default)]
    pub organizations: Vec<MembershipRef>,
    /// What they may use up; what is absent is the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<AccountLimits>,
}

/// An organization that somebody belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MembershipRef {
    /// `org_…`
    pub id: String,
    /// Its short name.
    pub slug: String,
    /// The name that people read.
    pub name: String,
    /// What they may do there.
    pub role: AccountRole,
}

/// `GET /api/v1/users`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    /// By address.
    pub users: Vec<User>,
}

/// `POST /api/v1/users`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateUser {
    /// The address to log in with.
    #[schema(min_length = 3, max_length = 254)]
    pub email: String,
    /// The name that others see; made of the address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub username: Option<String>,
    /// 8 to 1024 characters. When absent the answer has a code to set one with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<Hidden>,
    /// What they may do in the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<AccountRole>,
    /// The organization, by id or short name; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// The answer to [`CreateUser`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct UserCreated {
    /// The account.
    pub user: User,
    /// For an account without a password: sets one at `POST /api/v1/auth/reset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<ResetCode>,
}

/// `PATCH /api/v1/users/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct UpdateUser {
    /// The name that others see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Lets nothing of theirs in any more, or again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// What they may use up, all of it anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<AccountLimits>,
}

/// The answer to `POST /api/v1/users/{id}/reset-code`: a code that is read out to its owner.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ResetCode {
    /// The code, in groups of five; it sets a password once.
    #[schema(value_type = String)]
    pub code: Hidden,
    /// RFC 3339.
    pub expires_at: String,
}
