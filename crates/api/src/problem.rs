//! Errors: `application/problem+json` (RFC 9457) with our members.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Why a request was not carried out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A name for the kind of problem, as a URI reference.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here and what to do.
    pub detail: String,
    /// The kind as a short code that programs may compare.
    pub code: String,
    /// The same request may succeed later.
    pub retryable: bool,
    /// Finds this answer in the server's log.
    pub correlation_id: String,
    /// For 422: every member that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
    /// For 403 and 428: the decision, with its reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub decision: Option<Value>,
    /// For 428: send it back within five minutes to say yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation_token: Option<String>,
    /// For 428: what the command would delete, move or change, where that could be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub measured: Option<Value>,
    /// For 428: the approval that a person can give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRef>,
    /// For 422 to contents by hash: those that are not there, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// Below `/api/cli` and `/proliferate`, whose clients look for it: the same as `detail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Beside `error`, where there is more to say: for 402 `billingCode`, for 503 `reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
}

/// An approval that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalRef {
    /// Its id.
    pub id: String,
    /// When the question ends, in RFC 3339.
    pub expires_at: String,
}

/// One member that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The member's path, such as `env.PATH` or `tags[0]`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}
