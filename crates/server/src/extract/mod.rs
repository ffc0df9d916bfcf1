//! From a request's parts to checked values. Whatever is wrong becomes a [`crate::error::Failure`].

pub(crate) mod body;
pub(crate) mod cookie;
pub(crate) mod form;
pub(crate) mod id;
pub(crate) mod json;
mod media;
pub(crate) mod multipart;
pub(crate) mod query;
pub(crate) mod tags;
pub(crate) mod tree;

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::auth::Peer;
use crate::error::Failure;
use crate::middleware::gate::Context;

/// The gate puts it there for every path that needs a token.
impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Self::of(parts)
    }
}

impl Context {
    /// Without waiting.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Failure> {
        let context = parts.extensions.get::<Self>().cloned();
        context.ok_or_else(|| Failure::internal("a route behind the token was entered without one"))
    }
}

/// Who is at the other end, also where no token is asked for.
impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_default())
    }
}
