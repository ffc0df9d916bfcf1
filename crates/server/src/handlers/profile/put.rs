//! `PUT /api/v1/profile/tree`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use wharf_api::profile::ProfileTree;

use super::tree;
use crate::convert::profiles::trees;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::extract::tags::{self, Bound};
use crate::extract::tree as sent;
use crate::handlers::configuration::asker::{Asker, ME};
use crate::handlers::configuration::put::condition;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Save all files
///
/// All files as they are to be, and the contents that are not here yet, as `application/x-wharf-tree`:
/// the size of a `ProfileUpload` in JSON (4 bytes, big endian), the JSON, and for each content its
/// size (4 bytes, big endian), its SHA-256 (32 bytes) and its bytes. Where contents are missing the
/// answer is 422 with their hashes in `missing`, and nothing has changed.
///
/// With `profile` they become that profile's own. Without it they are what applies to who asks, as
/// `GET` gives it: what is the organization's or a team's stays theirs, and what was changed becomes
/// the person's own. With `If-Match` only over the version of that `ETag`.
#[utoipa::path(
    put, path = "/api/v1/profile/tree", tag = "configuration",
    request_body(content = Vec<u8>, content_type = "application/x-wharf-tree"),
    params(
        ("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; what applies when absent"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that it is made from"),
    ),
    responses(
        (status = 200, description = "The files as they are now", body = ProfileTree),
        (status = 412, description = "They have changed in the meantime; `ETag` is their version now",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 507, description = "No space is left",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
    State(app): State<App>,
    context: Context,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    sent::is_tree(&parts.headers)?;
    let bound = Bound::of(&parts.headers)?;
    let profile = params.text("profile");
    let asker = Asker::of(&app, &context.caller).await?;
    // Who may not is told before anything is read.
    let owner = asker.edits(profile.unwrap_or(ME))?;
    let before = if profile.is_none() {
        Some(asker.layers()?)
    } else {
        None
    };
    let sent = sent::read(&app, &context.caller, body).await?;
    // A body may take minutes, in which they may have been taken out of a team.
    let asker = Asker::of(&app, &context.caller).await?;
    if asker.edits(profile.unwrap_or(ME))? != owner {
        return Err(changed());
    }
    let profiles = &asker.configuration.profiles;
    let Some(layers) = before else {
        let base = bound.base(async || profiles.version(&owner).await).await?;
        let author = asker.author().await?;
        let condition = condition(&base);
        let made = profiles.put_tree(&owner, sent.upload, &sent.message, &author, condition);
        let made = made.await?;
        asker.made_a_version(&owner);
        return tree(&asker, &owner, &made);
    };
    if asker.layers()? != layers {
        return Err(changed());
    }
    let current = async || {
        profiles
            .view(&layers)
            .await
            .map(|view| view.version.clone())
    };
    let base = bound.base(current).await?;
    let author = asker.author().await?;
    let condition = condition(&base);
    let made = profiles.put_view(&layers, sent.upload, &sent.message, &author, condition);
    let made = made.await?;
    asker.made_a_version(&owner);
    let mut tree = trees::applying(&asker, &made.view)?;
    tree.block_ignored = made.block_ignored;
    let mut response = reply::json(&tree)?;
    tags::tag(&mut response, &made.view.version);
    Ok(response)
}

/// 412: what applies to them is made of other layers by now.
fn changed() -> Failure {
    Failure::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "It has changed in the meantime",
        "Whose configuration applies has changed while it was sent; read it again.",
    )
}
