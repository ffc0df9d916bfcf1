//! `GET /api/v1/usage`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What has been used of what may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// By the person, their agents included.
    pub person: UsageShare,
    /// By all people and agents of the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<UsageShare>,
    /// By the agent, where one asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<UsageShare>,
    /// When the counts of today begin anew, in RFC 3339: midnight, UTC.
    pub day_ends_at: String,
}

/// What one has used. A limit that is null is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageShare {
    /// Whose: an address, an organization's short name, or an agent's name as it is recorded.
    pub name: String,
    /// Commands begun in the last minute.
    pub runs_in_minute: u64,
    /// How many there may be.
    pub runs_per_minute: Option<u64>,
    /// Commands that run.
    pub concurrent_runs: u64,
    /// How many there may be.
    pub concurrent_runs_most: Option<u64>,
    /// Living sessions.
    pub sessions: u64,
    /// How many there may be.
    pub sessions_most: Option<u64>,
    /// Bytes that commands wrote today, those that run included.
    pub output_bytes_today: u64,
    /// How many there may be.
    pub output_bytes_per_day: Option<u64>,
    /// Seconds that commands ran today, those that run included.
    pub wall_seconds_today: u64,
    /// How many there may be.
    pub wall_seconds_per_day: Option<u64>,
}
