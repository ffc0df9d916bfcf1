//! From a request's parts to checked values. Whatever is wrong becomes a [`crate::error::Failure`].

pub(crate) mod body;
pub(crate) mod id;
pub(crate) mod json;
pub(crate) mod query;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

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
    /// For what is the business of the server's owner alone.
    pub(crate) fn must_be_owner(&self, why: &'static str) -> Result<(), Failure> {
        if self.caller.administers() {
            Ok(())
        } else {
            Err(Failure::forbidden(why))
        }
    }

    /// The same without waiting.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Failure> {
        let context = parts.extensions.get::<Self>().cloned();
        context.ok_or_else(|| Failure::internal("a route behind the token was entered without one"))
    }
}
