//! `/api/v1/catalog`: what organizations, teams and people offer.

pub(crate) mod add;
pub(crate) mod change;
pub(crate) mod list;
pub(crate) mod refresh;
pub(crate) mod remove;
pub(crate) mod show;

use axum::http::HeaderMap;
use axum::response::Response;
use wharf_profiles::catalog::{CatalogError, Item};

use crate::convert::profiles::items;
use crate::error::Failure;
use crate::extract::tags::{self, Bound};
use crate::reply;

/// One item without its content, with its revision.
fn item(item: &Item) -> Result<Response, Failure> {
    let mut response = reply::json(&items::shown(item))?;
    tags::tag(&mut response, &item.revision.to_string());
    Ok(response)
}

/// The revision that a change of `item` is bound to, where it is bound to one.
async fn revision(headers: &HeaderMap, item: &Item) -> Result<Option<i64>, Failure> {
    let current = item.revision.to_string();
    let base = Bound::of(headers)?.base(async || Ok::<_, Failure>(current.clone()));
    match base.await? {
        None => Ok(None),
        // What cannot be a revision is none.
        Some(text) => match text.parse() {
            Ok(revision) => Ok(Some(revision)),
            Err(_) => Err(CatalogError::Stale.into()),
        },
    }
}
