//! `PUT /api/v1/configuration/{profile}`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::profile::{ConfigurationContent, PutConfiguration};
use wharf_profiles::Condition;

use super::asker::Asker;
use super::content;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::extract::tags::Bound;
use crate::middleware::gate::Context;
use crate::state::App;

/// Save the text
///
/// A new version, unless the text is what is there already. With `If-Match` only over the version
/// of that `ETag`; `If-Match: *` wants that there is one, `If-None-Match: *` that there is none.
#[utoipa::path(
    put, path = "/api/v1/configuration/{profile}", tag = "configuration",
    request_body = PutConfiguration,
    params(
        ("profile" = String, Path, description = "`me`, `org` or `team:ID`"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that it is made from"),
    ),
    responses(
        (status = 200, description = "The text as it is now", body = ConfigurationContent),
        (status = 412, description = "It has changed in the meantime; `ETag` is its version now",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 413, description = "It is larger than 1 MiB",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
    State(app): State<App>,
    context: Context,
    Name(profile): Name,
    request: Request,
) -> Result<Response, Failure> {
    let bound = Bound::of(request.headers())?;
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.edits(&profile)?;
    let (_, wire) = json::read::<PutConfiguration>(&app, request).await?;
    let profiles = &asker.configuration.profiles;
    let base = bound.base(async || profiles.version(&owner).await).await?;
    let message = wire.message.as_deref().unwrap_or_default();
    let author = asker.author().await?;
    let made = profiles.put(&owner, &wire.content, message, &author, condition(&base));
    let made = made.await?;
    asker.made_a_version(&owner);
    content(&made)
}

/// What a change is bound to, for those who make it.
pub(crate) fn condition(base: &Option<String>) -> Condition<'_> {
    base.as_deref().map_or(Condition::Any, Condition::Is)
}
