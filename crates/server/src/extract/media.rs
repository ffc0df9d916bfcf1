//! What a body says that it is.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

/// Whether a body says, once, that it is of this type, whatever parameters it names.
pub(crate) fn says(headers: &HeaderMap, media: &str) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let kind = types.next().and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    let fits = essence.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(media));
    fits && types.next().is_none()
}

/// Whether a body says that it is packed. What it is not unpacked for: a small one could become any
/// size. `identity` says that it is as it is (RFC 9110, 8.4.1).
pub(crate) fn is_packed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_type_is_said_once_and_alone() {
        let said = |kinds: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for kind in kinds {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            says(&headers, "text/x")
        };
        for fits in ["text/x", "TEXT/X", " text/x ; charset=utf-8"] {
            assert!(said(&[fits]), "{fits}");
        }
        for other in ["", "text", "text/xy", "a; text/x", "text/x, text/x"] {
            assert!(!said(&[other]), "{other}");
        }
        assert!(!said(&[]) && !said(&["text/x", "text/x"]) && !said(&["text/x", "a"]));
    }

    #[test]
    fn identity_is_not_packed() {
        let packed = |codings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            is_packed(&headers)
        };
        assert!(!packed(&[]) && !packed(&["identity"]) && !packed(&["Identity"]));
        assert!(packed(&["gzip"]) && packed(&["identity", "gzip"]) && packed(&[""]));
    }
}
