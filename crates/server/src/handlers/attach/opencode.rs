//! `ANY /proxy/{id}/{token}/opencode/…`.
//!
//! Not in the OpenAPI document: what can be asked is OpenCode's to say, and a path of any depth has
//! no place in one. docs/attach.md has the rest.

use axum::extract::{Request, State};
use axum::response::Response;

use crate::error::Failure;
use crate::state::App;

/// OpenCode's server in the session's sandbox
pub(crate) async fn opencode(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    app.attach()?.relay(request).await
}
