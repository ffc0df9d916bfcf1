//! The id that joins an answer to the log.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header, in requests and answers.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-correlation-id");
/// The longest id that is taken from a request.
pub(crate) const MAX_BYTES: usize = 64;

/// Letters, digits and `. _ -` only, so that it can stand in a header, a log line and a path.
#[derive(Clone, Debug)]
pub(crate) struct CorrelationId(HeaderValue);

impl CorrelationId {
    /// The request's own id, if it has one that is fit to be repeated.
    fn given(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(&HEADER)?;
        let bytes = value.as_bytes();
        let fit = (1..=MAX_BYTES).contains(&bytes.len())
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
        fit.then(|| Self(value.clone()))
    }

    /// The id's text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// Makes ids: a part that differs from start to start, and a count. They are names, not secrets.
#[derive(Debug)]
pub(crate) struct Correlations {
    instance: String,
    count: AtomicU64,
}

impl Correlations {
    /// `instance` is cut to what may stand in an id.
    pub(crate) fn new(instance: &str) -> Self {
        let instance = instance
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(32)
            .collect();
        Self {
            instance,
            count: AtomicU64::new(0),
        }
    }

    /// The request's id, or a new one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> CorrelationId {
        CorrelationId::given(headers).unwrap_or_else(|| {
            let number = self.count.fetch_add(1, Ordering::Relaxed);
            let text = format!("{}-{number}", self.instance);
            CorrelationId(
                HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("unnamed")),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(value).unwrap());
        Correlations::new("boot").of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_fit_id_is_kept_up_to_its_bound() {
        assert_eq!(of(b"agent-7.step_2"), "agent-7.step_2");
        let longest = "x".repeat(MAX_BYTES);
        assert_eq!(of(longest.as_bytes()), longest);
    }

    #[test]
    fn anything_else_is_replaced() {
        let long = "x".repeat(MAX_BYTES + 1);
        for odd in [
            &b""[..],
            b"a b",
            b"a\tb",
            b"a\x80",
            b"\"",
            b"../x",
            long.as_bytes(),
        ] {
            assert_eq!(of(odd), "boot-0", "{odd:?}");
        }
    }

    #[test]
    fn made_ids_differ() {
        let ids = Correlations::new("b\r\no\"ot");
        let none = HeaderMap::new();
        assert_eq!(ids.of(&none).as_str(), "boot-0");
        assert_eq!(ids.of(&none).as_str(), "boot-1");
    }
}
