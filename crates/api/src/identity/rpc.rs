//! `POST /api/rpc/cli/{group}/{procedure}`: the envelope around each call.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A call.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RpcRequest {
    /// The procedure's input; absent or null where it has none.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    pub json: Value,
    /// Left alone.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, required = false)]
    pub meta: Vec<Value>,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RpcAnswer {
    /// The procedure's output.
    #[schema(value_type = Object)]
    pub json: Value,
    /// Empty.
    #[schema(value_type = Vec<Object>)]
    pub meta: Vec<Value>,
}

/// Why nothing came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RpcFailure {
    /// What went wrong.
    pub json: RpcError,
    /// Empty.
    #[schema(value_type = Vec<Object>)]
    pub meta: Vec<Value>,
}

/// One error.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RpcError {
    /// Always false here.
    pub defined: bool,
    /// Such as `NOT_FOUND`.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// In words.
    pub message: String,
    /// More about it; null where there is none.
    #[schema(value_type = Object, nullable)]
    pub data: Value,
}
