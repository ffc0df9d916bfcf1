//! Query strings: few names, each with its type and range. Unknown names are left alone.

use std::ops::RangeInclusive;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use wharf_api::FieldError;

use crate::error::Failure;

/// The pairs of a query string.
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self {
                pairs,
                errors: Vec::new(),
            }),
            Err(_) => Err(Failure::invalid_field(
                "query",
                "the query string cannot be read",
            )),
        }
    }
}

impl Params {
    /// The last value of `name`, as browsers and proxies that append would have it.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A whole number; `default` when absent.
    pub(crate) fn number(&mut self, name: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let Some(value) = self.text(name) else {
            return default;
        };
        match value.parse::<u64>() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let message = if *range.end() == u64::MAX {
                    format!("must be a whole number from {}", range.start())
                } else {
                    format!(
                        "must be a whole number from {} to {}",
                        range.start(),
                        range.end()
                    )
                };
                self.wrong(name, message);
                default
            }
        }
    }

    /// A yes or no; no when absent.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        match self.text(name) {
            None | Some("false" | "0" | "no") => false,
            Some("true" | "1" | "yes" | "") => true,
            Some(_) => {
                self.wrong(name, "must be true or false".to_owned());
                false
            }
        }
    }

    /// Notes that `name` is wrong.
    pub(crate) fn wrong(&mut self, name: &str, message: String) {
        self.errors.push(FieldError {
            field: name.to_owned(),
            message,
        });
    }

    /// Fails with everything that was wrong.
    pub(crate) fn check(self) -> Result<(), Failure> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Failure::invalid(self.errors))
        }
    }
}

/// A size or count within `range`, as this machine counts.
pub(crate) fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
