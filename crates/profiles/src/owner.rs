//! Whose a profile is.

use std::fmt;

use crate::error::Error;

/// Longest id of an owner, in bytes.
const ID_MAX: usize = 64;

/// The layers of an effective profile, the outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// What an organization gives to all of its people.
    Organization,
    /// What a team gives to its members.
    Team,
    /// A person's own.
    User,
}

impl Layer {
    /// As it is written: on the wire, and as the name of a directory.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "org",
            Self::Team => "team",
            Self::User => "user",
        }
    }

    /// Reads what [`Layer::as_str`] gives.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Organization, Self::Team, Self::User];
        all.into_iter().find(|layer| layer.as_str() == text)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose a profile is: a layer, and the id of the organization, team or account.
///
/// The id becomes the name of a directory, so that nothing but letters, digits, `-` and `_` is in
/// it: it can neither lead elsewhere nor be taken for a flag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    layer: Layer,
    id: String,
}

impl Owner {
    /// The owner of `layer` whose id is `id`.
    ///
    /// # Errors
    /// When `id` is empty, longer than 64 bytes, begins with `-`, or has anything in it but ASCII
    /// letters, digits, `-` and `_`.
    pub fn new(layer: Layer, id: &str) -> Result<Self, Error> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let fits = !id.is_empty() && id.len() <= ID_MAX && !id.starts_with('-');
        if fits && id.bytes().all(legal) {
            Ok(Self {
                layer,
                id: id.to_owned(),
            })
        } else {
            Err(Error::InvalidId(id.chars().take(80).collect()))
        }
    }

    /// A person, by the id of the account.
    ///
    /// # Errors
    /// See [`Owner::new`].
    pub fn user(id: &str) -> Result<Self, Error> {
        Self::new(Layer::User, id)
    }

    /// A team.
    ///
    /// # Errors
    /// See [`Owner::new`].
    pub fn team(id: &str) -> Result<Self, Error> {
        Self::new(Layer::Team, id)
    }

    /// An organization.
    ///
    /// # Errors
    /// See [`Owner::new`].
    pub fn organization(id: &str) -> Result<Self, Error> {
        Self::new(Layer::Organization, id)
    }

    /// Which layer it is.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        self.layer
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.layer, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_a_path() {
        for id in ["3f0c8a4e-5b1d-4a55-9d1e-0d9f3b1c2a77", "org_1", "a"] {
            assert_eq!(Owner::user(id).unwrap().to_string(), format!("user/{id}"));
        }
        let long = "a".repeat(ID_MAX + 1);
        for id in [
            "", "..", ".", "a/b", "-x", "a\0", "a.git", "ä", "a b", &long,
        ] {
            assert!(Owner::team(id).is_err(), "{id:?}");
        }
        assert!(Owner::team(&"a".repeat(ID_MAX)).is_ok());
    }
}
