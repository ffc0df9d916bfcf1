//! `POST /api/hosts/{name}/trust`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{HostTrust, HostTrustRequest};

use super::target;
use crate::convert::host;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::reply;
use crate::state::App;

/// Show a host's key, or trust it
///
/// Without a `fingerprint` the key that the host shows now is the answer. With the fingerprint that
/// a person has compared it is recorded in the owner's file of known hosts. Another key on record
/// is replaced only where `replace` is its fingerprint. Only the server's owner may.
#[utoipa::path(
    post, path = "/api/hosts/{name}/trust", tag = "hosts", request_body = HostTrustRequest,
    params(("name" = String, Path, description = "The host's name, or `[USER@]HOST[:PORT]`")),
    responses(
        (status = 200, description = "The key, and whether it is trusted", body = HostTrust),
        (status = 409, description = "It shows another key, or another one is on record", body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 502, description = "It cannot be reached", body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn trust(
    State(app): State<App>,
    Name(name): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<HostTrustRequest>(&app, request).await?;
    let target = target(&name)?;
    let outcome = match &wire.fingerprint {
        None => app.engine.host_key(&target).await?,
        Some(fingerprint) => {
            let (caller, replace) = (&context.caller, wire.replace.as_deref());
            app.engine
                .trust_host(caller, &target, fingerprint, replace)
                .await?
        }
    };
    reply::json(&host::trust(&target, outcome))
}
