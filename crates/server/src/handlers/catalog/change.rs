//! `PUT /api/v1/catalog/items/{id}`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::profile::{CatalogChange, CatalogItem};
use wharf_identity::Deed;
use wharf_profiles::catalog::CatalogError;

use super::{item, revision};
use crate::convert::profiles::items;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::handlers::configuration::asker::{Asker, offer};
use crate::middleware::gate::Context;
use crate::state::App;

/// How often a change that is bound to no revision is tried, where others change the item too.
const CHANGE_TRIES: usize = 8;

/// Change an item
///
/// What is absent stays as it is; its type and its owner stay in any case. With `If-Match` only at the
/// revision of that `ETag`.
#[utoipa::path(
    put, path = "/api/v1/catalog/items/{id}", tag = "catalog", request_body = CatalogChange,
    params(
        ("id" = String, Path, description = "The item, `itm_…`"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that it is made from"),
    ),
    responses(
        (status = 200, description = "The item as it is now", body = CatalogItem),
        (status = 400, description = "Another of that type and name already exists there",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It has changed in the meantime",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn change(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let catalog = &asker.configuration.catalog;
    let before = catalog.get(&asker.sees()?, &id).await?;
    asker.edits_what_is_of(&before.owner)?;
    let (parts, wire) = json::open::<CatalogChange>(&app, request).await?;
    items::stays(&wire.owner, &before.owner)?;
    let bound = revision(&parts.headers, &before).await?;
    let editable = std::slice::from_ref(&before.owner);
    let mut now = before.clone();
    let mut tries = 0;
    loop {
        tries += 1;
        let draft = items::changed(&now.draft, wire.clone());
        draft.check()?;
        asker.records(&now.owner, Deed::CatalogChanged(offer(Some(&id), &draft)))?;
        // What stays is what was read, so that the change is bound to it in any case.
        let revision = bound.unwrap_or(now.revision);
        match catalog.change(editable, &id, draft, Some(revision)).await {
            Err(CatalogError::Stale) if bound.is_none() && tries < CHANGE_TRIES => {}
            made => return item(&made?),
        }
        now = catalog.get(editable, &id).await?;
    }
}
