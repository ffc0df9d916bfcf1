//! `GET /api/v1/catalog/items/{id}` and its content.

use axum::extract::State;
use axum::response::Response;
use wharf_api::profile::{CatalogContent, CatalogItem};

use super::item;
use crate::convert::profiles::items;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::tags;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// An item
#[utoipa::path(
    get, path = "/api/v1/catalog/items/{id}", tag = "catalog",
    params(("id" = String, Path, description = "The item, `itm_…`")),
    responses((status = 200, description = "The item; its `ETag` is its revision", body = CatalogItem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let catalog = &asker.configuration.catalog;
    item(&catalog.get(&asker.sees()?, &id).await?)
}

/// An item's content
#[utoipa::path(
    get, path = "/api/v1/catalog/items/{id}/raw", tag = "catalog",
    params(("id" = String, Path, description = "The item, `itm_…`")),
    responses((status = 200, description = "What it says; `ETag` is its revision", body = CatalogContent)),
)]
pub(crate) async fn raw(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let found = asker.configuration.catalog.get(&asker.sees()?, &id).await?;
    let revision = found.revision.to_string();
    let mut response = reply::json(&items::content(found))?;
    tags::tag(&mut response, &revision);
    Ok(response)
}
