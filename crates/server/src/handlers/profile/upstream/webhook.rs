//! `POST /api/v1/profile/webhook/{id}`.

use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use subtle::ConstantTimeEq as _;
use wharf_model::Secret;
use wharf_profiles::upstream::webhook::is_genuine;

use crate::error::Failure;
use crate::extract::id::Name;
use crate::handlers::configuration::ended::whose;
use crate::reply;
use crate::state::App;

/// Largest message, in bytes: a push of as many versions as services name in one.
pub(crate) const WEBHOOK_BYTES: usize = 4 * 1024 * 1024;
/// What messages may take together, in bytes.
pub(crate) const WEBHOOK_BYTES_TOTAL: usize = 16 * 1024 * 1024;
/// When a message that comes to too many may be sent again, in seconds.
const RETRY_SECONDS: &str = "60";
/// Longest id, in bytes.
const ID_MAX: usize = 200;
/// Where services put the HMAC-SHA256 of what they send.
const SIGNATURES: [&str; 4] = [
    "x-hub-signature-256",
    "x-gitea-signature",
    "x-forgejo-signature",
    "x-gogs-signature",
];
/// Where GitLab puts the secret itself.
const SHOWN: &str = "x-gitlab-token";

/// The upstream has something new
///
/// For the service where the upstream is. What it sends is signed with the webhook's secret
/// (`X-Hub-Signature-256`, `X-Gitea-Signature`), or shows it (`X-Gitlab-Token`). What is in it does
/// not matter: the upstream is pulled from, soon.
#[utoipa::path(
    post, path = "/api/v1/profile/webhook/{id}", tag = "configuration",
    request_body(content = Vec<u8>, content_type = "*/*"),
    params(
        ("id" = String, Path, description = "As `webhook_path` of the upstream has it"),
        ("X-Hub-Signature-256" = Option<String>, Header, description = "`sha256=` and the HMAC-SHA256 of the body"),
    ),
    responses(
        (status = 204, description = "It will be pulled from"),
        (status = 503, description = "Too many are to be pulled from; `Retry-After` says when to send it again",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(crate) async fn webhook(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let configuration = app.configuration()?;
    let unknown = || Failure::not_found("There is no such webhook.");
    if id.len() > ID_MAX {
        return Err(unknown());
    }
    let found = configuration.profiles.upstream_of_webhook(&id).await?;
    let settings = found.ok_or_else(unknown)?;
    let (parts, body) = request.into_parts();
    let body = app.webhooks.read(body).await?;
    if !is_from_there(&settings.webhook_secret, &parts.headers, &body) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "wrong_signature",
            "Not from there",
            "The message is not signed with this webhook's secret.",
        ));
    }
    // Its owner may have ended where what was theirs was not taken away.
    let owner = &settings.owner;
    let identity = app.identity()?;
    if !identity.stands(whose(owner.layer()), owner.id()).await? {
        return Err(unknown());
    }
    if !configuration.upstreams.pull_soon(owner) {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_upstreams",
            "Not now",
            "Too many upstreams are to be pulled from; send the message again later.",
        )
        .with_header(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS))
        .retryable());
    }
    Ok(reply::nothing())
}

fn is_from_there(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut signatures = SIGNATURES.iter().filter_map(|name| text(name));
    let signed = signatures.any(|signature| is_genuine(secret, body, signature));
    signed || text(SHOWN).is_some_and(|shown| is_same(secret, shown))
}

/// Compared in constant time. An empty secret opens nothing.
fn is_same(secret: &Secret, shown: &str) -> bool {
    let secret = secret.expose().as_bytes();
    !secret.is_empty() && bool::from(secret.ct_eq(shown.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_or_shows_the_secret() {
        // RFC 4231, test case 2.
        let secret = Secret::new("Jefe".to_owned());
        let body = b"what do ya want for nothing?";
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let with = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            headers
        };
        let signed = format!("sha256={hex}");
        assert!(is_from_there(
            &secret,
            &with("x-hub-signature-256", &signed),
            body
        ));
        assert!(is_from_there(
            &secret,
            &with("x-gitea-signature", hex),
            body
        ));
        assert!(is_from_there(
            &secret,
            &with("x-gitlab-token", "Jefe"),
            body
        ));
        assert!(!is_from_there(
            &secret,
            &with("x-gitlab-token", "jefe"),
            body
        ));
        assert!(!is_from_there(&secret, &with("x-gitlab-token", hex), body));
        assert!(!is_from_there(
            &secret,
            &with("x-hub-signature-256", "Jefe"),
            body
        ));
        assert!(!is_from_there(&secret, &HeaderMap::new(), body));
        let none = Secret::new(String::new());
        assert!(!is_from_there(&none, &with("x-gitlab-token", ""), body));
    }
}
