//! Agent configuration: trees and their contents, versions, the catalog, upstreams.
//!
//! Where a profile can be named it is `me`, `org` or `team:ID`. [`Client::profile_tree`] without one
//! is what applies to who asks.

mod blobs;
mod catalog;
mod tree;
mod upstream;

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};

use crate::client::Client;
use crate::error::Error;

pub use blobs::{BLOB_BYTES_MAX, BLOBS_BYTES_MAX, Blob, Blobs};
pub use catalog::CatalogQuery;
pub use tree::{Content, Put, TREE_ANSWER_BYTES_MAX};

/// How long a call may take that carries a whole profile.
pub const TRANSFER_TIMEOUT: Duration = Duration::from_secs(300);

const V1: [&str; 2] = ["api", "v1"];

impl Client {
    /// A call below `/api/v1/profile`, about one profile or about what applies.
    fn profile(&self, method: Method, path: &[&str], profile: Option<&str>) -> RequestBuilder {
        let request = self.quick(method, &[&V1[..], &["profile"], path].concat());
        match profile {
            Some(profile) => request.query(&[("profile", profile)]),
            None => request,
        }
    }
}

/// An entity tag. None where a version cannot be one, so that nothing is asked on its condition.
fn tag(version: &str) -> Option<HeaderValue> {
    let plain = version.chars().all(|c| c.is_ascii_graphic() && c != '"');
    plain
        .then(|| HeaderValue::try_from(format!("\"{version}\"")).ok())
        .flatten()
}

/// The condition of a change.
///
/// # Errors
/// Where a version cannot be an entity tag: a change without a condition would be one of whatever is
/// there.
fn condition(version: &str) -> Result<HeaderValue, Error> {
    tag(version).ok_or_else(|| Error::Version {
        version: version.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_tag_or_nothing() {
        assert_eq!(tag("4f1c2ab").unwrap(), "\"4f1c2ab\"");
        assert_eq!(tag("").unwrap(), "\"\"");
        for odd in ["a\"b", "a b", "a\nb", "é"] {
            assert!(tag(odd).is_none(), "{odd:?}");
        }
    }
}
