//! Cookies. There are two: the refresh token of a login, which goes along to `/api/v1/auth` alone,
//! and the session of our own pages, which opens nothing else.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// The refresh token of a login.
pub(crate) const REFRESH: &str = "refresh_token";
/// The session of our own pages.
pub(crate) const PAGE: &str = "wharf_page";
/// Where the first of them goes.
const REFRESH_PATH: &str = "/api/v1/auth";

/// The value of the cookie called `name`. With several of that name the first counts, which is the
/// one with the longest path.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.trim_matches('"'))
}

/// `Set-Cookie` for a refresh token that lives for `seconds`; none clears it.
pub(crate) fn refresh(token: &str, seconds: u64, secure: bool) -> Option<HeaderValue> {
    written(REFRESH, token, REFRESH_PATH, seconds, secure)
}

/// `Set-Cookie` for a session of the pages.
pub(crate) fn page(token: &str, seconds: u64, secure: bool) -> Option<HeaderValue> {
    written(PAGE, token, "/", seconds, secure)
}

fn written(name: &str, value: &str, path: &str, seconds: u64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; HttpOnly; SameSite=Lax; Path={path}; Max-Age={seconds}{secure}");
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_name_and_written_as_the_contract_has_them() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            HeaderValue::from_static("a=1; refresh_token=whr_x; b"),
        );
        headers.append(COOKIE, HeaderValue::from_static("wharf_page=p"));
        assert_eq!(cookie(&headers, REFRESH), Some("whr_x"));
        assert_eq!(cookie(&headers, PAGE), Some("p"));
        assert_eq!(cookie(&headers, "token"), None);
        assert_eq!(
            refresh("whr_x", 604_800, true).unwrap(),
            "refresh_token=whr_x; HttpOnly; SameSite=Lax; Path=/api/v1/auth; Max-Age=604800; Secure"
        );
        assert_eq!(
            page("", 0, false).unwrap(),
            "wharf_page=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"
        );
        assert!(refresh("a\nb", 1, false).is_none());
    }
}
