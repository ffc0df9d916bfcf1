//! `/api/v1/agents`: programs that act for a person.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccountLimits, OrganizationRef};

/// One agent. Its credentials are API keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// `agt_…`
    pub id: String,
    /// Its name, the last part of the name that is recorded.
    pub name: String,
    /// Where it acts.
    pub organization: OrganizationRef,
    /// The address of the person that it acts for.
    pub acts_for: String,
    /// RFC 3339.
    pub created_at: String,
    /// What it may use up; what is absent is the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<AccountLimits>,
}

/// `GET /api/v1/agents`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AgentList {
    /// By name.
    pub agents: Vec<Agent>,
}

/// `POST /api/v1/agents`: an agent that acts for who asks, in the organization that their token is
/// for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateAgent {
    /// Letters, digits, `.`, `_` and `-`.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
}

/// `PATCH /api/v1/agents/{id}`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct UpdateAgent {
    /// What it may use up, all of it anew.
    pub limits: AccountLimits,
}
