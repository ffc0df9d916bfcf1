//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110, 8.8 and 13.1).

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::error::Failure;

/// What a conditional header names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`
    Any,
    /// Tags without their quotes; a weak one keeps its `W/`, and so is the same as no strong one.
    These(Vec<String>),
}

/// What a change is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Nothing.
    Free,
    /// There is a version: `If-Match: *`.
    Exists,
    /// There is none yet: `If-None-Match: *`.
    Absent,
    /// It is one of these.
    To(Vec<String>),
}

impl Bound {
    /// What the headers of a change say.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let wanted = tags(headers, header::IF_MATCH)?;
        let unwanted = tags(headers, header::IF_NONE_MATCH)?;
        match (wanted, unwanted) {
            (None, None) => Ok(Self::Free),
            (Some(Tags::Any), None) => Ok(Self::Exists),
            (Some(Tags::These(tags)), None) => Ok(Self::To(tags)),
            (None, Some(Tags::Any)) => Ok(Self::Absent),
            _ => Err(Failure::invalid_field(
                "if-none-match",
                "must be *, without If-Match",
            )),
        }
    }

    /// The version that there must be, empty for none yet; nothing where any will do. What there is
    /// now, empty for nothing, is looked at where more than one would do.
    ///
    /// One that does not hold now is given as it is, and refused by whoever makes the change: it
    /// alone can compare and change in one step.
    pub(crate) async fn base<E>(
        self,
        current: impl AsyncFnOnce() -> Result<String, E>,
    ) -> Result<Option<String>, E> {
        match self {
            Self::Free => Ok(None),
            Self::Absent => Ok(Some(String::new())),
            Self::Exists => {
                let current = current().await?;
                // Nothing is ever taken away again, so that it needs no second look.
                Ok(current.is_empty().then(|| NO_VERSION.to_owned()))
            }
            Self::To(tags) => match <[String; 1]>::try_from(tags) {
                Ok([tag]) => Ok(Some(tag)),
                Err(tags) => {
                    let current = current().await?;
                    let there = tags.contains(&current);
                    Ok(Some(if there {
                        current
                    } else {
                        NO_VERSION.to_owned()
                    }))
                }
            },
        }
    }
}

/// What no version is called.
const NO_VERSION: &str = "*";

/// Whether the client has `version` already.
pub(crate) fn has(headers: &HeaderMap, version: &str) -> Result<bool, Failure> {
    Ok(match tags(headers, header::IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => !version.is_empty(),
        // The comparison is the weak one: a proxy that compresses makes strong tags weak.
        Some(Tags::These(tags)) => tags
            .iter()
            .any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == version),
    })
}

/// Whether a client asks for something only if it is new to it.
pub(crate) fn asks(headers: &HeaderMap) -> bool {
    headers.contains_key(header::IF_NONE_MATCH)
}

/// 304: the client has it.
pub(crate) fn not_modified(version: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    tag(&mut response, version);
    response
}

/// Says which version an answer is.
pub(crate) fn tag(response: &mut Response, version: &str) {
    if let Some(value) = value(version) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

/// The tag of a version.
pub(crate) fn value(version: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{version}\"")).ok()
}

fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags>, Failure> {
    let wrong = || Failure::invalid_field(name.as_str(), "must be * or a list of ETags");
    let mut found = Vec::new();
    let mut lines = headers.get_all(&name).iter().peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    for line in lines {
        let line = line.to_str().map_err(|_| wrong())?.trim();
        if line == "*" {
            return Ok(Some(Tags::Any));
        }
        read_list(line, &mut found).ok_or_else(wrong)?;
    }
    if found.is_empty() {
        return Err(wrong());
    }
    Ok(Some(Tags::These(found)))
}

/// Reads `"a", W/"b"`. One without quotes is read as if it had them: programs write the id of a
/// version as they got it in JSON.
fn read_list(line: &str, found: &mut Vec<String>) -> Option<()> {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return Some(());
        }
        let (weak, tag) = match rest.strip_prefix("W/") {
            Some(tag) => ("W/", tag),
            None => ("", rest),
        };
        let text = if let Some(inner) = tag.strip_prefix('"') {
            let (text, after) = inner.split_once('"')?;
            rest = after;
            if !rest.is_empty() && !rest.starts_with([',', ' ', '\t']) {
                return None;
            }
            text
        } else {
            let (text, after) = tag.split_once(',').unwrap_or((tag, ""));
            rest = after;
            let text = text.trim();
            if text.is_empty() || text.contains(['"', ' ', '*']) {
                return None;
            }
            text
        };
        found.push(format!("{weak}{text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Option<Vec<String>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_MATCH, HeaderValue::from_static(text));
        match tags(&headers, header::IF_MATCH).ok()?? {
            Tags::Any => Some(vec!["any".to_owned()]),
            Tags::These(tags) => Some(tags),
        }
    }

    #[test]
    fn tags_are_read_as_http_has_them() {
        let are = |list: &[&str]| Some(list.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(read("\"a\""), are(&["a"]));
        assert_eq!(read("\"\""), are(&[""]));
        assert_eq!(read("W/\"a\" , \"b,c\","), are(&["W/a", "b,c"]));
        assert_eq!(read("*"), are(&["any"]));
        assert_eq!(read("a1, b2"), are(&["a1", "b2"]));
        for wrong in ["", ",", "\"a", "a b", "\"a\"b", "\"a\", *", "a\"b\""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    fn bound(name: HeaderName, text: &'static str) -> Result<Bound, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(text));
        Bound::of(&headers)
    }

    #[tokio::test]
    async fn what_cannot_hold_is_bound_to_no_version_there_is() {
        let base = async |bound: Result<Bound, Failure>, current: &str| {
            let current = async || Ok::<_, ()>(current.to_owned());
            bound.unwrap().base(current).await.unwrap()
        };
        let wanted = |text| bound(header::IF_MATCH, text);
        let none = Some(NO_VERSION.to_owned());
        assert_eq!(base(wanted("*"), "a").await, None);
        assert_eq!(base(wanted("*"), "").await, none);
        assert_eq!(base(wanted("\"a\", \"b\""), "b").await, Some("b".into()));
        assert_eq!(base(wanted("\"a\", W/\"b\""), "b").await, none);
        assert_eq!(base(wanted("W/\"b\""), "b").await, Some("W/b".into()));
        let unwanted = |text| bound(header::IF_NONE_MATCH, text);
        assert_eq!(base(unwanted("*"), "b").await, Some(String::new()));
        assert!(unwanted("\"a\"").is_err());
    }

    #[test]
    fn what_a_client_has_is_compared_weakly() {
        let has = |text: &'static str, version: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(text));
            has(&headers, version).unwrap()
        };
        assert!(has("\"a\"", "a") && has("\"x\", W/\"a\"", "a") && has("*", "a"));
        assert!(has("\"\"", ""));
        assert!(!has("\"b\"", "a") && !has("*", ""));
    }
}
