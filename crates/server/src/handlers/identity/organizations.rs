//! `/api/v1/orgs`: organizations.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{
    CreateOrganization, Message, Organization, OrganizationList, UpdateOrganization,
};
use wharf_identity::limits::SLUG_CHARS;
use wharf_identity::views::LimitsOf;

use super::{created, done};
use crate::convert::identity::views;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::handlers::configuration::ended::ended;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Organizations
///
/// Those that one belongs to; all for who looks after the server.
#[utoipa::path(
    get, path = "/api/v1/orgs", tag = "organizations",
    responses((status = 200, description = "Organizations", body = OrganizationList)),
)]
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let found = app.identity()?.organizations(&context.caller).await?;
    let organizations = found.into_iter().map(views::organization).collect();
    reply::json(&OrganizationList { organizations })
}

/// Make an organization
///
/// Its owner is who asks.
#[utoipa::path(
    post, path = "/api/v1/orgs", tag = "organizations", request_body = CreateOrganization,
    responses((status = 201, description = "The organization", body = Organization)),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<CreateOrganization>(&app, request).await?;
    let slug = wire.slug.unwrap_or_else(|| slug_of(&wire.name));
    let identity = app.identity()?;
    let made = identity
        .add_organization(&context.caller, &slug, &wire.name)
        .await?;
    created(&views::organization(made))
}

/// An organization
#[utoipa::path(
    get, path = "/api/v1/orgs/{id}", tag = "organizations",
    params(("id" = String, Path, description = "The organization, by id or short name")),
    responses((status = 200, description = "The organization", body = Organization)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let found = app.identity()?.organization(&context.caller, &id).await?;
    reply::json(&views::organization(found))
}

/// Change an organization
///
/// What is absent stays. The short name never changes.
#[utoipa::path(
    patch, path = "/api/v1/orgs/{id}", tag = "organizations", request_body = UpdateOrganization,
    params(("id" = String, Path, description = "The organization, by id or short name")),
    responses((status = 200, description = "The organization as it is now", body = Organization)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<UpdateOrganization>(&app, request).await?;
    let (identity, caller) = (app.identity()?, &context.caller);
    if let Some(limits) = &wire.limits {
        let of = LimitsOf::Organization(id.clone());
        identity
            .set_limits(caller, of, views::limits_given(limits))
            .await?;
    }
    let organization = match &wire.name {
        Some(name) => identity.rename_organization(caller, &id, name).await?,
        None => identity.organization(caller, &id).await?,
    };
    reply::json(&views::organization(organization))
}

/// End an organization
///
/// Its members leave it; its teams, keys, agents and invitations end, and so do its upstream
/// and what it owns in the catalog; its configuration and its teams' is gone after 30 days. Its short
/// name is kept.
#[utoipa::path(
    delete, path = "/api/v1/orgs/{id}", tag = "organizations",
    params(("id" = String, Path, description = "The organization, by id or short name")),
    responses((status = 200, description = "It has ended", body = Message)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let identity = app.identity()?;
    let gone = identity.remove_organization(&context.caller, &id).await?;
    ended(&app, &gone).await;
    done("The organization has ended.")
}

/// A short name made of a name: small letters and digits, dashes for the rest.
pub(super) fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == *SLUG_CHARS.end() {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_made_of_a_name() {
        assert_eq!(slug_of("  Ada & Söhne, Ltd. "), "ada-s-hne-ltd");
        assert_eq!(slug_of("Überall"), "berall");
        assert_eq!(slug_of(&"x".repeat(100)).len(), *SLUG_CHARS.end());
    }
}
