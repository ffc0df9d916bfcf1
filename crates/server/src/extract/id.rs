//! Ids in paths. What is no id names nothing, so it is not found; no id reaches a file's name
//! before it has been read here.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use wharf_model::{RunId, SessionId};

use crate::error::Failure;
use crate::middleware::log::neutral;

/// The run in the path.
pub(crate) struct Run(pub(crate) RunId);

/// The session in the path.
pub(crate) struct Session(pub(crate) SessionId);

/// Any other name in the path, decoded.
pub(crate) struct Name(pub(crate) String);

/// The two names in a path, decoded.
pub(crate) struct Names(pub(crate) String, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Run {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Name(text) = Name::from_request_parts(parts, state).await?;
        RunId::parse(&text)
            .map(Self)
            .map_err(|_| missing("command", &text))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Name(text) = Name::from_request_parts(parts, state).await?;
        SessionId::parse(&text)
            .map(Self)
            .map_err(|_| missing("session", &text))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(Failure::not_found(
                "The path names nothing that could exist.",
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Names {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((one, two))) => Ok(Self(one, two)),
            Err(_) => Err(Failure::not_found(
                "The path names nothing that could exist.",
            )),
        }
    }
}

pub(crate) fn missing(what: &str, id: &str) -> Failure {
    Failure::not_found(format!("There is no {what} {:?}.", neutral(id)))
}
