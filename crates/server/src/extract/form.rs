//! Form-urlencoded bodies: the password login of OAuth 2, its other endpoints, and our own pages.

use axum::body::Body;
use axum::http::HeaderMap;
use wharf_api::FieldError;
use wharf_model::Secret;

use super::media::{is_packed, says};
use crate::error::Failure;
use crate::state::App;

/// A form's largest body, in bytes: a password of 1,024 characters, all of them encoded, and room.
pub(crate) const FORM_BYTES: usize = 32 * 1024;
/// Pairs in one form.
const MAX_PAIRS: usize = 32;

/// A form's members. An empty one counts as absent, as RFC 6749 has it.
pub(crate) struct Form(Vec<(String, Secret)>);

impl Form {
    /// Reads the body, if it says that it is a form.
    pub(crate) async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Self, Failure> {
        is_form(headers)?;
        let bytes = app.forms.read(body).await?;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let mut pairs: Vec<(String, Secret)> = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if pairs.iter().any(|(known, _)| *known == name) {
                // Never twice (RFC 6749, 3.2): two readers could take two different ones.
                return Err(Failure::invalid_field(
                    "body",
                    "a member occurs more than once",
                ));
            }
            if pairs.len() == MAX_PAIRS {
                return Err(Failure::invalid_field("body", "has too many members"));
            }
            pairs.push((name.into_owned(), Secret::new(value.into_owned())));
        }
        Ok(Self(pairs))
    }

    /// The value of `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        let value = found.map(|(_, value)| value.expose());
        value.filter(|value| !value.is_empty())
    }

    /// The value of `name` or nothing.
    pub(crate) fn or_empty(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// The value of `name`, kept from being shown.
    pub(crate) fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(|text| Secret::new(text.to_owned()))
    }

    /// The same, or an empty one.
    pub(crate) fn secret_or_empty(&self, name: &str) -> Secret {
        Secret::new(self.or_empty(name).to_owned())
    }

    /// Fails with each of `names` that is not there.
    pub(crate) fn require(self, names: &[&str]) -> Result<Self, Failure> {
        let missing = names.iter().filter(|name| self.text(name).is_none());
        let missing: Vec<_> = missing
            .map(|name| FieldError {
                field: (*name).to_owned(),
                message: "is required".to_owned(),
            })
            .collect();
        if missing.is_empty() {
            Ok(self)
        } else {
            Err(Failure::invalid(missing))
        }
    }
}

fn is_form(headers: &HeaderMap) -> Result<(), Failure> {
    let fits = says(headers, "application/x-www-form-urlencoded");
    if fits && !is_packed(headers) {
        Ok(())
    } else {
        Err(Failure::not_a_form())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_once_and_empty_ones_are_absent() {
        let form = Form::parse(b"username=a%40b.c&password=p+w%26&scope=").unwrap();
        assert_eq!(form.text("username"), Some("a@b.c"));
        assert_eq!(form.text("password"), Some("p w&"));
        assert_eq!(form.text("scope"), None);
        assert!(form.require(&["username", "scope"]).is_err());
        assert!(Form::parse(b"a=1&a=2").is_err());
        let many: String = (0..=MAX_PAIRS).map(|n| format!("m{n}=&")).collect();
        assert!(Form::parse(many.as_bytes()).is_err());
        let most: String = (0..MAX_PAIRS).map(|n| format!("m{n}=&")).collect();
        assert!(Form::parse(most.as_bytes()).is_ok());
    }
}
