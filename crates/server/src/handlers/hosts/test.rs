//! `POST /api/hosts/{name}/test`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::HostTest;

use super::target;
use crate::convert::host;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::reply;
use crate::state::App;

/// Try a host
///
/// Looks at its key, connects, runs a trivial command and asks what it is. A host that cannot be
/// reached is an answer like another: `ok` is false, and `step` and `error` say why. Also a name
/// of the SSH configuration can be tried. Only the server's owner may.
#[utoipa::path(
    post, path = "/api/hosts/{name}/test", tag = "hosts",
    params(("name" = String, Path, description = "The host's name, or `[USER@]HOST[:PORT]`")),
    responses((status = 200, description = "How far it went", body = HostTest)),
)]
pub(crate) async fn test(State(app): State<App>, Name(name): Name) -> Result<Response, Failure> {
    let tested = app.engine.test_host(&target(&name)?).await?;
    reply::json(&host::test(tested))
}
