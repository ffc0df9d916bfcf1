//! `PUT /api/v1/catalog/items/{id}`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::profile::{CatalogDraft, CatalogItem};
use wharf_identity::Deed;

use super::{item, revision};
use crate::convert::profiles::items;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::handlers::configuration::asker::{Asker, offer};
use crate::middleware::gate::Context;
use crate::state::App;

/// Change an item
///
/// All of it is replaced; its type and its owner stay. With `If-Match` only at the revision of that
/// `ETag`.
#[utoipa::path(
    put, path = "/api/v1/catalog/items/{id}", tag = "catalog", request_body = CatalogDraft,
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
    let (parts, wire) = json::open::<CatalogDraft>(&app, request).await?;
    items::stays(&wire.owner, &before.owner)?;
    let revision = revision(&parts.headers, &before).await?;
    let draft = items::draft(wire);
    draft.check()?;
    asker.records(
        &before.owner,
        Deed::CatalogChanged(offer(Some(&id), &draft)),
    )?;
    let editable = std::slice::from_ref(&before.owner);
    item(&catalog.change(editable, &id, draft, revision).await?)
}
