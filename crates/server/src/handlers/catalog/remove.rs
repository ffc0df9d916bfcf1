//! `DELETE /api/v1/catalog/items/{id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use wharf_identity::Deed;

use super::revision;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::handlers::configuration::asker::{Asker, offer};
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Remove an item
///
/// With `If-Match` only at the revision of that `ETag`.
#[utoipa::path(
    delete, path = "/api/v1/catalog/items/{id}", tag = "catalog",
    params(
        ("id" = String, Path, description = "The item, `itm_…`"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that there must be"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 412, description = "It has changed in the meantime",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let catalog = &asker.configuration.catalog;
    let before = catalog.get(&asker.sees()?, &id).await?;
    asker.edits_what_is_of(&before.owner)?;
    let revision = revision(&headers, &before).await?;
    let removed = Deed::CatalogRemoved(offer(Some(&id), &before.draft));
    asker.records(&before.owner, removed)?;
    let editable = std::slice::from_ref(&before.owner);
    catalog.remove(editable, &id, revision).await?;
    Ok(reply::nothing())
}
