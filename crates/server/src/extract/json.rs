//! JSON bodies: once quickly, and when that fails slowly, to say everything that is wrong.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use wharf_api::FieldError;

use super::media::{is_packed, says};
use crate::error::Failure;
use crate::middleware::gate::Context;
use crate::state::App;

/// Members that one answer names at most.
const MAX_ERRORS: usize = 32;

/// Refuses a body that does not say that it is JSON: what a web page can send without asking
/// (`text/plain`, forms) must not be read as a request. One that says it is compressed is not
/// unpacked, because a small one could become any size.
pub(crate) fn is_json(headers: &HeaderMap) -> Result<(), Failure> {
    if says(headers, "application/json") && !is_packed(headers) {
        Ok(())
    } else {
        Err(Failure::not_json())
    }
}

/// Who asks, and the body as a `T`.
pub(crate) async fn read<T: DeserializeOwned>(
    app: &App,
    request: Request,
) -> Result<(Context, T), Failure> {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts)?;
    is_json(&parts.headers)?;
    let bytes = app.bodies.read(body).await?;
    Ok((context, parse(&bytes)?))
}

/// The rest of the request, and its body as a `T`.
pub(crate) async fn open<T: DeserializeOwned>(
    app: &App,
    request: Request,
) -> Result<(Parts, T), Failure> {
    let (parts, body) = request.into_parts();
    is_json(&parts.headers)?;
    let bytes = app.bodies.read(body).await?;
    Ok((parts, parse(&bytes)?))
}

/// Reads `bytes` as a `T`.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // serde takes an array for the members of a struct in their order; no document of ours says so.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Failure::invalid_field("body", "must be an object"));
    }
    serde_json::from_slice(bytes).map_err(|_| explain::<T>(bytes))
}

/// serde stops at the first member that is wrong. So take that member out and read again, until
/// all is well or nothing more can be named.
fn explain<T: DeserializeOwned>(bytes: &[u8]) -> Failure {
    let mut value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return Failure::invalid_field("body", syntax(&error)),
    };
    let mut errors: Vec<FieldError> = Vec::new();
    while errors.len() < MAX_ERRORS {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(&value) else {
            break;
        };
        let words = error.inner().to_string();
        let (field, removed) = match missing_member(&words) {
            Some(name) => {
                let field = joined(error.path(), name);
                // Any value will do: if a text is none of its type, the loop ends there.
                (field, supply(&mut value, error.path(), name))
            }
            None => (shown(error.path()), remove(&mut value, error.path())),
        };
        if errors.iter().any(|known| known.field == field) {
            break;
        }
        errors.push(FieldError {
            field,
            message: expected(&words),
        });
        if !removed {
            break;
        }
    }
    if errors.is_empty() {
        // It reads well as a value: a member is there twice.
        errors.push(FieldError {
            field: "body".to_owned(),
            message: "a member occurs more than once".to_owned(),
        });
    }
    Failure::invalid(errors)
}

/// serde's words without the value that was given, which may be a secret.
fn expected(words: &str) -> String {
    if words.starts_with("missing field") {
        return "is required".to_owned();
    }
    let Some((_, kind)) = words.rsplit_once("expected ") else {
        return "has the wrong form".to_owned();
    };
    match kind {
        "u8" => "must be a whole number from 0 to 255".to_owned(),
        // Both that there are, are ports.
        "u16" => "must be a whole number from 1 to 65535".to_owned(),
        "u32" | "u64" | "usize" => "must be a whole number, not negative".to_owned(),
        "f64" => "must be a number".to_owned(),
        "a map" => "must be an object".to_owned(),
        kind if kind.starts_with("struct ") => "must be an object".to_owned(),
        kind => format!("must be {kind}"),
    }
}

fn syntax(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let what = words.split(" at line ").next().unwrap_or_default();
    format!(
        "is not JSON: {what} (line {}, column {})",
        error.line(),
        error.column()
    )
}

fn missing_member(words: &str) -> Option<&str> {
    words.strip_prefix("missing field `")?.split('`').next()
}

/// The path as people write it; `body` for the whole.
fn shown(path: &Path) -> String {
    let text = path.to_string();
    if text.is_empty() || text == "." {
        "body".to_owned()
    } else {
        text
    }
}

fn joined(path: &Path, name: &str) -> String {
    match shown(path).as_str() {
        "body" => name.to_owned(),
        parent => format!("{parent}.{name}"),
    }
}

/// Puts a text where a member is missing. False when there is no such object.
fn supply(value: &mut Value, path: &Path, name: &str) -> bool {
    match follow(value, path.iter()) {
        Some(Value::Object(members)) => {
            members.insert(name.to_owned(), Value::String(String::new()));
            true
        }
        _ => false,
    }
}

/// Takes the value at `path` out. False when it is the whole.
fn remove(value: &mut Value, path: &Path) -> bool {
    let steps: Vec<&Segment> = path.iter().collect();
    let Some((last, parents)) = steps.split_last() else {
        return false;
    };
    match (follow(value, parents.iter().copied()), last) {
        (Some(Value::Object(members)), Segment::Map { key }) => {
            // Not `remove`, which may put the last member in its place: the order in which
            // members are named is the order in which they are looked at.
            let before = members.len();
            members.retain(|name, _| name != key);
            members.len() < before
        }
        (Some(Value::Array(items)), Segment::Seq { index }) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

fn follow<'v, 'p>(
    value: &'v mut Value,
    path: impl Iterator<Item = &'p Segment>,
) -> Option<&'v mut Value> {
    let mut here = value;
    for step in path {
        here = match step {
            Segment::Map { key } => here.get_mut(key.as_str())?,
            Segment::Seq { index } => here.get_mut(*index)?,
            Segment::Enum { .. } | Segment::Unknown => return None,
        };
    }
    Some(here)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_TYPE;
    use wharf_api::{ProcessRequest, RunRequest};

    use super::*;

    fn wrong<T: DeserializeOwned>(body: &str) -> String {
        let failure = parse::<T>(body.as_bytes()).err().expect("a failure");
        let document: Value = serde_json::from_slice(&failure.document("c")).unwrap();
        let errors = document["errors"].as_array().unwrap();
        let line = |error: &Value| {
            format!(
                "{}: {}",
                error["field"].as_str().unwrap(),
                error["message"].as_str().unwrap()
            )
        };
        errors.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_member_that_is_wrong_is_named() {
        let body = r#"{"timeout": "soon", "port": 70000, "env": {"A": 1, "B": "b", "C": null},
            "background": "maybe", "metadata_format": "huge", "password": 12345}"#;
        insta::assert_snapshot!(wrong::<RunRequest>(body), @r"
        timeout: must be a number
        port: must be a whole number from 1 to 65535
        env.A: must be a string
        env.C: must be a string
        background: must be a boolean
        metadata_format: must be one of `full`, `summary`, `minimal`
        password: must be a string
        command: is required
        ");
    }

    #[test]
    fn what_is_not_an_object_or_not_json() {
        let deep = "[".repeat(100_000);
        let bodies = [
            "[]",
            "7",
            "",
            "{\"command\": \"\\ud800\"}",
            r#"{"command":"a","command":"b"}"#,
            &deep,
        ];
        let mut said = bodies.map(wrong::<RunRequest>).to_vec();
        said.push(wrong::<ProcessRequest>("{}"));
        insta::assert_snapshot!(said.join("\n"), @r"
        body: must be an object
        body: must be an object
        body: is not JSON: EOF while parsing a value (line 1, column 0)
        body: is not JSON: unexpected end of hex escape (line 1, column 20)
        body: a member occurs more than once
        body: must be an object
        action: is required
        ");
    }

    #[test]
    fn values_that_were_given_are_not_repeated() {
        let body = r#"{"command": "x", "password": 12345678, "env": {"T": ["hunter2"]}}"#;
        let said = wrong::<RunRequest>(body);
        assert!(
            !said.contains("12345678") && !said.contains("hunter2"),
            "{said}"
        );
    }

    #[test]
    fn only_json_is_read() {
        let judged = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            is_json(&headers).is_ok()
        };
        assert!(judged("application/json") && judged("Application/JSON; charset=utf-8"));
        for other in [
            "text/plain",
            "",
            "application/x-www-form-urlencoded",
            "text/json",
            "multipart/form-data; boundary=application/json",
            "application/jsonp",
            "text/plain; application/json",
        ] {
            assert!(!judged(other), "{other}");
        }
        assert!(is_json(&HeaderMap::new()).is_err());
    }
}
