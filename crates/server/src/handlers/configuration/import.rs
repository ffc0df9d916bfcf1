//! `POST /api/v1/configuration/{profile}/import`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::profile::ConfigurationContent;

use super::asker::Asker;
use super::content;
use super::put::condition;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::multipart;
use crate::extract::tags::Bound;
use crate::middleware::gate::Context;
use crate::state::App;

/// What a file that is imported is sent as.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is there for the document alone")]
struct ImportForm {
    /// A file whose name ends in `.md`, of at most 1 MiB of UTF-8.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Import a file
///
/// The text becomes what the file holds.
#[utoipa::path(
    post, path = "/api/v1/configuration/{profile}/import", tag = "configuration",
    request_body(content = inline(ImportForm), content_type = "multipart/form-data"),
    params(
        ("profile" = String, Path, description = "`me`, `org` or `team:ID`"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that there must be"),
    ),
    responses(
        (status = 200, description = "The text as it is now", body = ConfigurationContent),
        (status = 400, description = "No `.md` of at most 1 MiB of UTF-8, or one with a private key in it",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It has changed in the meantime; `ETag` is its version now",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn import(
    State(app): State<App>,
    context: Context,
    Name(profile): Name,
    request: Request,
) -> Result<Response, Failure> {
    let bound = Bound::of(request.headers())?;
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.edits(&profile)?;
    let (parts, body) = request.into_parts();
    let file = multipart::file(&app, &parts.headers, body).await?;
    if !file.name.to_ascii_lowercase().ends_with(".md") {
        return Err(multipart::refused("The file's name does not end in .md."));
    }
    let profiles = &asker.configuration.profiles;
    let base = bound.base(async || profiles.version(&owner).await).await?;
    let author = asker.author().await?;
    let made = profiles.import(&owner, &file.content, &author, condition(&base));
    let made = made.await.map_err(multipart::unfit)?;
    asker.made_a_version(&owner);
    content(&made)
}
