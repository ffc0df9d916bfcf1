//! `PUT /api/hosts/{name}`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{HostPut, HostRequest};

use crate::convert::host;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::reply;
use crate::state::App;

/// Add or change a host
///
/// Only the server's owner may. What the request leaves out the host does not have afterwards. A
/// command reaches it as `ssh://NAME`; the key that it shows has to be known or trusted first.
#[utoipa::path(
    put, path = "/api/hosts/{name}", tag = "hosts", request_body = HostRequest,
    params(("name" = String, Path, description = "1 to 64 letters, digits and . _ -")),
    responses((status = 200, description = "The host as it is now", body = HostPut)),
)]
pub(crate) async fn put(
    State(app): State<App>,
    Name(name): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<HostRequest>(&app, request).await?;
    let new = host::new_host(wire);
    let (entry, created) = app.engine.put_host(&context.caller, &name, new).await?;
    let host = host::host(&entry);
    reply::json(&HostPut { created, host })
}
