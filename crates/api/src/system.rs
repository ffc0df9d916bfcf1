//! The server itself: health, the audit log, the registry.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// `GET /health`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`; a server that is stopping takes no connections.
    pub status: String,
    /// The server's version.
    pub version: String,
    /// Seconds since its start.
    pub uptime_seconds: u64,
}

/// `GET /api/audit?limit=`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditTail {
    /// The latest entries as they are stored, oldest first.
    #[schema(value_type = Vec<Object>)]
    pub entries: Vec<Value>,
}

/// `GET /api/registry?category=&q=`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RegistryList {
    /// What is known about each command.
    #[schema(value_type = Vec<Object>)]
    pub commands: Vec<Value>,
}
