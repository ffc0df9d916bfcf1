//! `/api/v1/configuration`: the single file `CLAUDE.md` of a profile.

pub(crate) mod asker;
pub(crate) mod effective;
pub(crate) mod ended;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod put;
pub(crate) mod rollback;
pub(crate) mod show;

use axum::response::Response;
use wharf_profiles::Content;

use crate::convert::profiles;
use crate::error::Failure;
use crate::extract::tags;
use crate::reply;

/// The content, with the version that it is.
fn content(content: &Content) -> Result<Response, Failure> {
    let mut response = reply::json(&profiles::content(content))?;
    tags::tag(&mut response, &content.commit_sha);
    Ok(response)
}
