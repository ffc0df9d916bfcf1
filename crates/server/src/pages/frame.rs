//! What is around every page: its head, its style, and the headers that hold it.

use std::sync::OnceLock;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, VARY,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::html::Html;

const STYLE: &str = include_str!("style.css");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Posts in the water, and a plank over them.
const LOGO: &str = "<svg viewBox=\"0 0 32 32\" fill=\"none\" stroke=\"currentColor\" \
    stroke-width=\"2.6\" stroke-linecap=\"round\" aria-hidden=\"true\">\
    <path d=\"M3 11h26M8 7v15M16 7v15M24 7v15M3 26c2.2 0 2.2-1.8 4.3-1.8S9.5 26 11.7 26s2.2-1.8 \
4.3-1.8S18.2 26 20.3 26s2.2-1.8 4.3-1.8S26.8 26 29 26\"/></svg>";

/// What a page shows in its frame.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// The window's title.
    pub(crate) title: &'static str,
    /// The name that the server was called by: people should know whose page they are on.
    pub(crate) host: &'a str,
}

/// The page as an answer.
///
/// `Referrer-Policy` is `same-origin` and not `no-referrer`: with the latter browsers send
/// `Origin: null` along with a form, which cannot be told from a foreign page's. Nothing is told
/// to other sites either way, and there are no links to any.
pub(crate) fn page(status: StatusCode, frame: &Frame<'_>, main: &Html) -> Response {
    let mut html = Html::new();
    html.markup("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
        .markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
        .markup("<meta name=\"color-scheme\" content=\"light dark\">")
        .markup("<meta name=\"robots\" content=\"noindex\"><title>")
        .text(frame.title)
        .markup(" · Wharf</title><style>")
        .markup(STYLE)
        .markup("</style></head><body><header>")
        .markup(LOGO)
        .markup("<span>Wharf</span></header><main>")
        .html(main)
        .markup("</main><footer>This page belongs to the Wharf server at ")
        .text(frame.host)
        .markup("</footer></body></html>\n");
    let mut response = Response::new(html.into_string().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
        (VARY, "cookie"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_SECURITY_POLICY, policy());
    response
}

/// The one style, by its hash; forms to this server; nothing else at all.
fn policy() -> HeaderValue {
    static WRITTEN: OnceLock<HeaderValue> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| {
        let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        let text = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        // Base 64 and constants always make a header; without one the page has no style.
        HeaderValue::try_from(text)
            .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
    });
    written.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_its_own_style_and_the_policy_names_it() {
        let frame = Frame {
            title: "Test",
            host: "<b>",
        };
        let answer = page(StatusCode::OK, &frame, &Html::new());
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        assert!(policy.contains(&hash) && policy.starts_with("default-src 'none'"));
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains("</"));
    }
}
