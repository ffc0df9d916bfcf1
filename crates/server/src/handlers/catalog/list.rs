//! `GET /api/v1/catalog`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::profile::CatalogPage;
use wharf_profiles::catalog::{ItemType, Query};
use wharf_profiles::limits::{CATALOG_PAGE, CATALOG_PAGE_MAX};
use wharf_profiles::{Layer, Owner};

use crate::convert::profiles::items;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// What there is
///
/// What the organization, the teams and the person have, by name. `q` finds items that have all of
/// its words in name, description or tags.
#[utoipa::path(
    get, path = "/api/v1/catalog", tag = "catalog",
    params(
        ("page" = Option<u32>, Query, description = "Which page, counted from 1"),
        ("size" = Option<u32>, Query, description = "Most items on it, 1 to 100; 20 when absent"),
        ("type" = Option<String>, Query, description = "`skill`, `command`, `agent`, `output_style`, `mcp_server`, `hook` or `tool`"),
        ("q" = Option<String>, Query, description = "Words to find"),
        ("scope" = Option<String>, Query, description = "`org`, `team` or `user`; or one team's, `team:ID`"),
    ),
    responses((status = 200, description = "A page of items", body = CatalogPage)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    mut params: Params,
) -> Result<Response, Failure> {
    let last = u64::from(u32::MAX);
    let page = params.number("page", 1..=last, 1);
    let (most, usual) = (u64::from(CATALOG_PAGE_MAX), u64::from(CATALOG_PAGE));
    let size = params.number("size", 1..=most, usual);
    let kind = params.text("type").map(ItemType::parse);
    if kind == Some(None) {
        let all = ItemType::ALL.map(ItemType::as_str).join(", ");
        params.wrong("type", format!("must be one of {all}"));
    }
    let scope = params.text("scope").map(str::to_owned);
    let known =
        |scope: &str| ["org", "team", "user"].contains(&scope) || scope.starts_with("team:");
    if scope.as_deref().is_some_and(|scope| !known(scope)) {
        params.wrong("scope", "must be org, team, user or team:ID".to_owned());
    }
    let query = Query {
        kind: kind.flatten(),
        text: params.text("q").unwrap_or_default().to_owned(),
        page: u32::try_from(page).unwrap_or(u32::MAX),
        size: u32::try_from(size).unwrap_or(CATALOG_PAGE_MAX),
    };
    params.check()?;
    let asker = Asker::of(&app, &context.caller).await?;
    let owners = owners(&asker, scope.as_deref())?;
    let found = asker.configuration.catalog.list(&owners, &query).await?;
    reply::json(&items::page(&found))
}

fn owners(asker: &Asker<'_>, scope: Option<&str>) -> Result<Vec<Owner>, Failure> {
    let wanted = match scope {
        None => None,
        Some("org") => Some(Layer::Organization),
        Some("team") => Some(Layer::Team),
        Some("user") => Some(Layer::User),
        Some(team) => return Ok(vec![asker.reads(team)?]),
    };
    let mut owners = asker.layers()?.owners().to_vec();
    owners.retain(|owner| wanted.is_none_or(|layer| owner.layer() == layer));
    Ok(owners)
}
