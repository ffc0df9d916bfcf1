//! `GET /docs`: the OpenAPI document as pages, all of it served from the program itself.
//!
//! A browser cannot send a bearer token when it opens a page, so this path and `/openapi.json`
//! also take it as the password of the browser's own login box. A token in the address would
//! stay in the history, and a cookie would go along with every later request.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use utoipa_swagger_ui::Config;

use crate::error::Failure;
use crate::extract::id::Name;
use crate::reply;

/// Only what this server sends; the pages set styles on their elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Sends a browser to the folder, where the pages' relative links work.
pub(crate) async fn index() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static("/docs/"));
    response
}

/// The first page.
pub(crate) async fn first() -> Result<Response, Failure> {
    serve("index.html")
}

/// A file of the pages.
pub(crate) async fn file(Name(name): Name) -> Result<Response, Failure> {
    serve(&name)
}

fn serve(name: &str) -> Result<Response, Failure> {
    let config = Arc::new(Config::from("/openapi.json").validator_url("none"));
    let file = utoipa_swagger_ui::serve(name, config)
        .map_err(|error| Failure::internal(error.to_string()))?
        .ok_or_else(|| Failure::not_found("There is no such page."))?;
    let kind = HeaderValue::try_from(file.content_type).map_err(Failure::internal)?;
    let mut response = reply::with_type(kind, file.bytes.into_owned());
    let headers = response.headers_mut();
    if file.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=3600"),
    );
    Ok(response)
}
