//! `POST /proliferate/sessions`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use wharf_api::gateway::{CreateGatewaySession, GatewaySessionCreated};
use wharf_gateway::views::Idempotency;

use super::{answered, reached_at};
use crate::convert::gateway::{new_session, views};
use crate::error::Failure;
use crate::extract::json;
use crate::handlers::identity::created;
use crate::middleware::gate::Context;
use crate::state::App;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Make a sandbox session
///
/// With `sshOptions`, or `sandboxMode` `immediate`, the machine is there when this is answered. The
/// answer has the keys that its SSH server shows: nothing else is to be believed. With an
/// `Idempotency-Key` the same request is carried out once and answered the same for 24 hours.
#[utoipa::path(
    post, path = "/proliferate/sessions", tag = "sandboxes", request_body = CreateGatewaySession,
    params(("Idempotency-Key" = Option<String>, Header, description = "Carry it out once")),
    responses(
        (status = 201, description = "The session", body = GatewaySessionCreated),
        (status = 402, description = "No credit: `details.billingCode` is `no_credits`, \
            `credits_exhausted` or `concurrent_limit`", body = wharf_api::Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "A request with this key is being answered",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_pending`: as many deferred sessions of the account \
            as may be wait for somebody to connect", body = wharf_api::Problem,
            content_type = "application/problem+json"),
        (status = 502, description = "The sandbox could not be made: `details.reason` says why",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "No sandbox can be made here: `details.reason` says why and \
            what to do", body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<CreateGatewaySession>(&app, request).await?;
    let caller = Context::of(&parts)?.caller;
    let key = match key(&parts.headers)? {
        Some(key) => Some(Idempotency {
            key,
            body: understood(&wire).map_err(Failure::internal)?,
        }),
        None => None,
    };
    let gateway = app.gateway()?;
    // Before anything is made: what fails afterwards would leave it to nobody.
    let reached_at = reached_at(&app, &parts).await?;
    let made = gateway.create(&caller, new_session(wire), key).await;
    let made = answered(&app, made).await?;
    let replayed = made.replayed;
    let mut response = created(&views::created(made, reached_at))?;
    if replayed {
        let headers = response.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// A request as it was understood: white space and the order of members make no other request, also
/// in what is the client's own and may be in any order each time.
fn understood(wire: &CreateGatewaySession) -> serde_json::Result<Vec<u8>> {
    let mut whole = serde_json::to_value(wire)?;
    whole.sort_all_objects();
    serde_json::to_vec(&whole)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value.to_str().map(str::to_owned);
    key.map(Some).map_err(|_| {
        Failure::invalid_field("Idempotency-Key", "must have printable characters only")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_members_makes_no_other_request() {
        let of = |text: &str| {
            let wire = serde_json::from_str(text).unwrap();
            understood(&wire).unwrap()
        };
        let one = r#"{"title": "a", "clientMetadata": {"x": 1, "y": [{"a": 1, "b": 2}]}}"#;
        let two = r#"{"clientMetadata":{"y":[{"b":2,"a":1}],"x":1},"title":"a"}"#;
        assert_eq!(of(one), of(two));
        assert_ne!(of(one), of(&one.replace('2', "3")));
    }
}
