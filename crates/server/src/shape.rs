//! How a refusal is written. Most paths answer with problem documents; three families of clients
//! each look for something else, and people want a page.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use wharf_api::identity::{OAuthError, RpcError, RpcFailure};

use crate::error::{Failure, PROBLEM_JSON};
use crate::pages::frame::{Frame, page};
use crate::pages::html::Html;

/// The pages that people are sent to by links, which may stand in a mail or a chat.
pub(crate) const PAGES: [&str; 4] = ["/device", "/setup", "/invitation", "/reset"];

/// What a refusal looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// RFC 9457.
    Problem,
    /// The same with a member `error`, and `details` where there is more to say.
    Plain,
    /// RFC 6749, 5.2.
    OAuth,
    /// The envelope of a procedure call.
    Rpc,
    /// HTML.
    Page,
    /// What clients of an agent can show: plain text, and beyond 500 what they look for in JSON.
    Attach,
}

impl Shape {
    /// That of a path, whether or not there is a route.
    pub(crate) fn of(path: &str) -> Self {
        if path.starts_with("/api/rpc/") {
            Self::Rpc
        } else if path.starts_with("/api/cli/") || path.starts_with("/proliferate/") {
            Self::Plain
        } else if path.starts_with("/oauth/") {
            Self::OAuth
        } else if path.starts_with("/proxy/") {
            Self::Attach
        } else if PAGES.contains(&path) {
            Self::Page
        } else {
            Self::Problem
        }
    }

    /// Fills the shell that a [`Failure`] made of itself.
    pub(crate) fn write(self, failure: &Failure, response: &mut Response, correlation_id: &str) {
        match self {
            Self::Problem => fill(response, PROBLEM_JSON, &failure.problem(correlation_id)),
            Self::Plain => {
                let mut problem = failure.problem(correlation_id);
                problem.error = Some(problem.detail.clone());
                problem.status = self.status(failure).as_u16();
                fill(response, PROBLEM_JSON, &problem);
            }
            Self::OAuth => fill(response, JSON, &oauth(failure)),
            Self::Rpc => fill(response, JSON, &rpc(failure, self.status(failure))),
            Self::Page => *response = sheet(failure),
            Self::Attach => attach(failure, response),
        }
        *response.status_mut() = self.status(failure);
        let header = failure.header();
        // At a challenge these clients would ask for a password, or print the address they were at.
        let header = header.filter(|(name, _)| self != Self::Attach || *name != WWW_AUTHENTICATE);
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value.clone());
        }
    }

    /// What these families call a malformed request is a 400.
    fn status(self, failure: &Failure) -> StatusCode {
        match (self, failure.status()) {
            (Self::Plain | Self::OAuth | Self::Rpc, StatusCode::UNPROCESSABLE_ENTITY)
                if failure.code() == MALFORMED =>
            {
                StatusCode::BAD_REQUEST
            }
            (_, status) => status,
        }
    }
}

/// What is not of the form that is asked for.
const MALFORMED: &str = "invalid_request";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn fill<T: Serialize>(response: &mut Response, kind: HeaderValue, value: &T) {
    *response.body_mut() = Body::from(serde_json::to_vec(value).unwrap_or_default());
    response.headers_mut().insert(CONTENT_TYPE, kind);
}

fn oauth(failure: &Failure) -> OAuthError {
    let error = match failure.status() {
        StatusCode::TOO_MANY_REQUESTS => "slow_down",
        status if status.is_server_error() => "temporarily_unavailable",
        StatusCode::FORBIDDEN => "access_denied",
        _ => "invalid_request",
    };
    OAuthError {
        error: error.to_owned(),
        error_description: Some(failure.detail().to_owned()),
    }
}

fn rpc(failure: &Failure, status: StatusCode) -> RpcFailure {
    let code = match status.as_u16() {
        400 => "BAD_REQUEST",
        401 => "UNAUTHORIZED",
        402 => "PAYMENT_REQUIRED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_SUPPORTED",
        408 => "TIMEOUT",
        409 => "CONFLICT",
        413 => "PAYLOAD_TOO_LARGE",
        415 => "UNSUPPORTED_MEDIA_TYPE",
        421 => "MISDIRECTED_REQUEST",
        422 => "UNPROCESSABLE_CONTENT",
        429 => "TOO_MANY_REQUESTS",
        502 => "BAD_GATEWAY",
        503 => "SERVICE_UNAVAILABLE",
        _ => "INTERNAL_SERVER_ERROR",
    };
    let data = match failure.errors() {
        Some(errors) => json!({ "errors": errors }),
        None => failure.details().cloned().unwrap_or_default(),
    };
    RpcFailure {
        json: RpcError {
            defined: false,
            code: code.to_owned(),
            status: status.as_u16(),
            message: failure.detail().to_owned(),
            data,
        },
        meta: Vec::new(),
    }
}

/// The contract of sandbox sessions calls a 503 by one name, whoever it comes from.
fn attach(failure: &Failure, response: &mut Response) {
    let status = failure.status();
    if !status.is_server_error() {
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        *response.body_mut() = Body::from(format!("{}\n", failure.detail()));
        response.headers_mut().insert(CONTENT_TYPE, kind);
        return;
    }
    let error = match status {
        StatusCode::SERVICE_UNAVAILABLE => "Session not available",
        _ => failure.title(),
    };
    let body = json!({ "error": error, "details": { "reason": failure.detail() } });
    fill(response, JSON, &body);
}

/// Before it is known by which name the server was called, so none is shown.
fn sheet(failure: &Failure) -> Response {
    let mut html = Html::new();
    html.markup("<h1>That did not work</h1><p>");
    html.text(failure.detail()).markup("</p>");
    let frame = Frame {
        title: "Not done",
        host: "",
    };
    page(failure.status(), &frame, &html)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    #[test]
    fn each_family_is_answered_as_it_expects() {
        let written = |path: &str| {
            let failure = Failure::invalid_field("name", "is required");
            let mut response = failure.clone().into_response();
            Shape::of(path).write(&failure, &mut response, "c");
            let kind = response.headers()[CONTENT_TYPE]
                .to_str()
                .unwrap()
                .to_owned();
            (response.status().as_u16(), kind)
        };
        let problem = "application/problem+json".to_owned();
        assert_eq!(written("/api/v1/keys"), (422, problem.clone()));
        assert_eq!(written("/proliferate/sessions"), (400, problem.clone()));
        assert_eq!(written("/api/cli/ssh-keys"), (400, problem));
        let json = "application/json".to_owned();
        assert_eq!(written("/oauth/token"), (400, json.clone()));
        assert_eq!(written("/api/rpc/cli/none/at-all"), (400, json));
        let text = "text/plain; charset=utf-8".to_owned();
        assert_eq!(written("/proxy/s/t/opencode"), (422, text));
        assert_eq!(
            written("/device"),
            (422, "text/html; charset=utf-8".to_owned())
        );
    }
}
