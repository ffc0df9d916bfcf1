//! `POST /api/v1/catalog/items`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use wharf_api::profile::{CatalogDraft, CatalogItem, CatalogOwner, CatalogScope};
use wharf_identity::Deed;
use wharf_profiles::Owner;

use super::item;
use crate::convert::profiles::items;
use crate::error::Failure;
use crate::extract::json;
use crate::handlers::configuration::asker::{Asker, ME, offer};
use crate::middleware::gate::Context;
use crate::state::App;

/// Add an item
///
/// To one's own; with `scope` to the organization's or a team's, for those who may change them.
#[utoipa::path(
    post, path = "/api/v1/catalog/items", tag = "catalog", request_body = CatalogDraft,
    responses(
        (status = 201, description = "The item", body = CatalogItem),
        (status = 400, description = "One of that type and name already exists there",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add(
    State(app): State<App>,
    context: Context,
    request: Request,
) -> Result<Response, Failure> {
    // Whose it is to be stands in the body; who has nothing to change is told before.
    let asker = Asker::of(&app, &context.caller).await?;
    asker.edits(ME)?;
    let (_, wire) = json::read::<CatalogDraft>(&app, request).await?;
    let owner = owner(&asker, &wire.owner)?;
    let catalog = &asker.configuration.catalog;
    let draft = items::draft(wire);
    draft.check()?;
    asker.records(&owner, Deed::CatalogAdded(offer(None, &draft)))?;
    let added = catalog.add(&owner, draft, &context.caller);
    let mut response = item(&added.await?)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn owner(asker: &Asker<'_>, wanted: &CatalogOwner) -> Result<Owner, Failure> {
    let id = wanted.scope_id.as_deref();
    let called = match (wanted.scope.unwrap_or_default(), id) {
        (CatalogScope::Org, _) => "org".to_owned(),
        (CatalogScope::User, _) => ME.to_owned(),
        (CatalogScope::Team, Some(id)) => format!("team:{id}"),
        (CatalogScope::Team, None) => {
            return Err(Failure::invalid_field("scope_id", "must name the team"));
        }
    };
    let owner = asker.edits(&called)?;
    if id.is_some_and(|id| id != owner.id()) {
        return Err(Failure::not_found("There is no such owner."));
    }
    Ok(owner)
}
