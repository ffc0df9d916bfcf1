//! `/api/v1/profile`: the whole tree of an agent's configuration as one versioned thing.

pub(crate) mod blobs;
pub(crate) mod diff;
pub(crate) mod history;
pub(crate) mod origins;
pub(crate) mod put;
pub(crate) mod rollback;
pub(crate) mod show;
pub(crate) mod upstream;

use axum::response::Response;
use wharf_profiles::{Owner, Tree};

use crate::convert::profiles::trees;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::extract::tags;
use crate::handlers::configuration::asker::{Asker, ME};
use crate::reply;

/// What a request calls the profile that it is about; the person's own where it says nothing.
fn called(params: &Params) -> &str {
    params.text("profile").unwrap_or(ME)
}

/// One profile's own files, with the version that they are.
fn tree(asker: &Asker<'_>, owner: &Owner, tree: &Tree) -> Result<Response, Failure> {
    let mut response = reply::json(&trees::own(asker, owner, tree)?)?;
    tags::tag(&mut response, &tree.version);
    Ok(response)
}
