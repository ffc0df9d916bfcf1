//! `POST /api/v1/catalog/refresh`.

use axum::response::Response;

use crate::error::Failure;
use crate::middleware::gate::Context;
use crate::reply;

/// Look again
///
/// For clients that were written for a catalog that is read from files now and then. This one is
/// always as it was left, so that there is nothing to do.
#[utoipa::path(
    post, path = "/api/v1/catalog/refresh", tag = "catalog",
    responses((status = 204, description = "What is listed is what there is")),
)]
pub(crate) async fn refresh(_context: Context) -> Result<Response, Failure> {
    Ok(reply::nothing())
}
