//! `/api/v1/orgs`: organizations, their members and invitations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccountRole, Hidden};

/// What may be used up. What is absent is the server's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountLimits {
    /// Runs begun in any 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_per_minute: Option<u64>,
    /// Runs at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_runs: Option<u64>,
    /// Sessions at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Bytes that runs write in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes_per_day: Option<u64>,
    /// Seconds that runs take in a day, all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_seconds_per_day: Option<u64>,
}

/// One organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    /// `org_…`
    pub id: String,
    /// The short name, of letters, digits and dashes; it never changes.
    pub slug: String,
    /// The name that people read.
    pub name: String,
    /// What who asks may do there; absent for one who looks after the server and is no member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<AccountRole>,
    /// It is the server's own: its owners and admins look after the server.
    pub home: bool,
    /// RFC 3339.
    pub created_at: String,
    /// What its members may use up together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<AccountLimits>,
}

/// `GET /api/v1/orgs`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct OrganizationList {
    /// Those that who asks belongs to; all for one who looks after the server.
    pub organizations: Vec<Organization>,
}

/// `POST /api/v1/orgs`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateOrganization {
    /// The name that people read.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The short name; made of the name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 39)]
    pub slug: Option<String>,
}

/// `PATCH /api/v1/orgs/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct UpdateOrganization {
    /// The name that people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What its members may use up together, all of it anew; for who looks after the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<AccountLimits>,
}

/// One who belongs to an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The account's id.
    pub user_id: String,
    /// The account's address.
    pub email: String,
    /// The account's name.
    pub username: String,
    /// What they may do there.
    pub role: AccountRole,
    /// When they joined.
    pub joined_at: String,
    /// Nothing of theirs is let in.
    pub disabled: bool,
}

/// `GET /api/v1/orgs/{id}/members`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct MemberList {
    /// By address.
    pub members: Vec<Member>,
}

/// `PUT /api/v1/orgs/{id}/members/{user}`, the user by id or address.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PutMember {
    /// What they may do there.
    pub role: AccountRole,
}

/// One invitation that nobody accepted yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// `inv_…`
    pub id: String,
    /// Whom it is for.
    pub email: String,
    /// What they may do once they accept.
    pub role: AccountRole,
    /// Who invited them.
    pub invited_by: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
}

/// `GET /api/v1/orgs/{id}/invitations`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct InvitationList {
    /// The newest first.
    pub invitations: Vec<Invitation>,
}

/// `POST /api/v1/orgs/{id}/invitations`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateInvitation {
    /// Whom it is for.
    #[schema(min_length = 3, max_length = 254)]
    pub email: String,
    /// What they may do once they accept; a member when absent.
    #[serde(default)]
    #[schema(required = false)]
    pub role: AccountRole,
}

/// The answer to [`CreateInvitation`]. The code is shown here and never again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct InvitationCreated {
    /// To be given to whom it is for; it is accepted at `POST /api/v1/auth/invitation`.
    #[schema(value_type = String)]
    pub code: Hidden,
    /// What it is.
    pub invitation: Invitation,
    /// The code has been mailed, too.
    pub mailed: bool,
}
