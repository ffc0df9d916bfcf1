//! `/api/v1/teams`: those of an organization who share a profile.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Team {
    /// `team_…`
    pub id: String,
    /// The organization's id.
    pub organization_id: String,
    /// The short name, of letters, digits and dashes; one for each organization.
    pub slug: String,
    /// The name that people read.
    pub name: String,
    /// Members.
    pub members: u64,
    /// Who asks is one of them.
    pub is_member: bool,
    /// Who asks may change its profile and its members.
    pub may_edit: bool,
    /// RFC 3339.
    pub created_at: String,
}

/// `GET /api/v1/teams`: those of the caller's organization.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct TeamList {
    /// By short name.
    pub teams: Vec<Team>,
}

/// `POST /api/v1/teams`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateTeam {
    /// The name that people read.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The short name; made of the name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 39)]
    pub slug: Option<String>,
}

/// One who belongs to a team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamMember {
    /// The account's id.
    pub user_id: String,
    /// The account's address.
    pub email: String,
    /// They may change its profile and its members.
    pub leads: bool,
}

/// `GET /api/v1/teams/{id}/members`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct TeamMemberList {
    /// By address.
    pub members: Vec<TeamMember>,
}

/// `PUT /api/v1/teams/{id}/members/{user}`, the user by id or address.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PutTeamMember {
    /// They may change its profile and its members.
    #[serde(default)]
    pub leads: bool,
}
