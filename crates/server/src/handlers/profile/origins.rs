//! `GET /api/v1/profile/origins`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::profile::{ProfileOrigin, ProfileOrigins};

use crate::error::Failure;
use crate::extract::query::Params;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Whose each value of a file is
///
/// Of a JSON file that the organization's, the teams' and one's own were put together into. Of any
/// other file the tree says whose it is.
#[utoipa::path(
    get, path = "/api/v1/profile/origins", tag = "configuration",
    params(("path" = String, Query, description = "The file, as the tree has it")),
    responses((status = 200, description = "The values, by JSON pointer", body = ProfileOrigins)),
)]
pub(crate) async fn origins(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let path = params.text("path");
    let path = path.ok_or_else(|| Failure::invalid_field("path", "must name a file"))?;
    let asker = Asker::of(&app, &context.caller).await?;
    let profiles = &asker.configuration.profiles;
    let keys = profiles.effective_keys(&asker.layers()?, path).await?;
    let mut values = Vec::with_capacity(keys.len());
    for (pointer, origin) in keys {
        values.push(ProfileOrigin {
            pointer,
            profile: asker.called(&origin.owner)?,
            commit_sha: origin.version,
        });
    }
    reply::json(&ProfileOrigins {
        path: path.to_owned(),
        values,
    })
}
