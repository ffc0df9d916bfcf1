//! `POST /api/v1/catalog/refresh`.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use crate::error::Failure;
use crate::middleware::gate::Context;

/// Look again
///
/// For clients that were written for a catalog that is read from files now and then. This one is
/// always as it was left, so that there is nothing to do.
#[utoipa::path(
    post, path = "/api/v1/catalog/refresh", tag = "catalog",
    responses((status = 204, description = "What is listed is what there is")),
)]
pub(crate) async fn refresh(_context: Context) -> Result<Response, Failure> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
