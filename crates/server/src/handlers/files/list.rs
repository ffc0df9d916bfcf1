//! `GET /api/files/list`: what is in a directory.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use wharf_api::DirectoryListing;

use crate::convert::files;
use crate::error::Failure;
use crate::extract::query::{Params, size};
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Entries unless the request says otherwise.
const DEFAULT_ENTRIES: u64 = 1000;
/// The most entries that may be asked for.
const MAX_ENTRIES: u64 = 100_000;

/// What is in a directory
///
/// By name; links are not followed. Judged, decided and recorded as the command that would do it.
#[utoipa::path(
    get, path = "/api/files/list", tag = "files",
    params(
        ("path" = String, Query, description = "Absolute, below `~/`, or from the session's directory"),
        ("target" = Option<String>, Query, description = "`local` (when absent) or `ssh://[USER@]HOST[:PORT]`"),
        ("session_id" = Option<String>, Query, description = "At this session's target, from its directory"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 100_000, description = "Entries at most; 1000 when absent"),
        ("X-Confirmation-Token" = Option<String>, Header, description = "Says yes, after a 428"),
    ),
    responses(
        (status = 200, description = "The entries", body = DirectoryListing),
        (status = 409, description = "It is no directory",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 428, description = "It needs a yes",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Failure> {
    let request = files::request(&mut params, &headers);
    let most = params.number("limit", 1..=MAX_ENTRIES, DEFAULT_ENTRIES);
    params.check()?;
    let listed = app
        .engine
        .list_directory(&context.caller, request, size(most));
    let (path, listing) = listed.await?;
    reply::json(&files::listing(&path, &listing))
}
