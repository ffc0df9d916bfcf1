//! What a login leaves on this machine: the secrets, and whom and what they are for.

use serde::{Deserialize, Serialize};
use wharf_model::{Secret, Timestamp};

/// The version of the text that is kept. Another one is not guessed at.
const VERSION: u32 = 1;

/// A login's secrets with all that must be known to use them.
#[derive(Debug, Clone)]
pub struct Credential {
    /// What is sent.
    pub token: Secret,
    /// What gets the next token; none with an API key.
    pub refresh: Option<Secret>,
    /// Whom and what it is for.
    pub about: About,
}

/// All of a login that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The one server that the token is ever sent to.
    pub url: String,
    /// What the token is.
    pub kind: Kind,
    /// When the token ends, if that is known.
    pub expires_at: Option<Timestamp>,
    /// Since when it is kept.
    pub stored_at: Timestamp,
    /// Whose it is.
    #[serde(default)]
    pub user: Option<Named>,
    /// The organization that it is for.
    #[serde(default)]
    pub org: Option<Named>,
    /// The token's id at the server, by which it is revoked.
    #[serde(default)]
    pub id: Option<String>,
    /// The server took it no more: a person has to log in again.
    #[serde(default)]
    pub refused: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Long-lived, used as it is.
    Key,
    /// Short-lived, renewed with a refresh token.
    Login,
}

/// Somebody or something with an id and a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The server's id for it.
    pub id: String,
    /// What people call it: a person's address, an organization's name.
    pub name: String,
}

impl About {
    /// Whether both are one login, renewed or not.
    #[must_use]
    pub fn is_same_login(&self, other: &Self) -> bool {
        let same = match (&self.id, &other.id) {
            (Some(one), Some(two)) => one == two,
            (None, None) => self.stored_at == other.stored_at,
            _ => false,
        };
        same && self.url == other.url
    }
}

impl Credential {
    /// Whether both are the same token, whatever is known about it.
    #[must_use]
    pub fn is_same_token(&self, other: &Self) -> bool {
        self.about.url == other.about.url && self.token.expose() == other.token.expose()
    }

    /// The text that a store keeps.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let kept = Kept {
            version: VERSION,
            token: self.token.expose().to_owned(),
            refresh_token: self.refresh.as_ref().map(|it| it.expose().to_owned()),
            about: self.about.clone(),
        };
        // The members are plain texts and numbers, which always become JSON.
        Secret::new(serde_json::to_string(&kept).unwrap_or_default())
    }

    /// Reads what a store kept; none for anything else.
    #[must_use]
    pub fn from_text(text: &Secret) -> Option<Self> {
        let kept: Kept = serde_json::from_str(text.expose()).ok()?;
        (kept.version == VERSION).then(|| Self {
            token: Secret::new(kept.token),
            refresh: kept.refresh_token.map(Secret::new),
            about: kept.about,
        })
    }
}

/// As it is kept. Never `Debug`.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    token: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    refresh_token: Option<String>,
    #[serde(flatten)]
    about: About,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A login with this token.
    pub(crate) fn login(token: &str) -> Credential {
        Credential {
            token: Secret::new(token.to_owned()),
            refresh: Some(Secret::new("whr_next".to_owned())),
            about: About {
                url: "http://127.0.0.1:7304".to_owned(),
                kind: Kind::Login,
                expires_at: Some(Timestamp::from_millis(5)),
                stored_at: Timestamp::from_millis(1),
                user: Some(Named {
                    id: "u".to_owned(),
                    name: "ada@example.com".to_owned(),
                }),
                org: None,
                id: None,
                refused: false,
            },
        }
    }

    #[test]
    fn what_is_kept_is_read_again_and_nothing_else_is() {
        let login = login("whk_secret");
        let text = login.to_text();
        let read = Credential::from_text(&text).unwrap();
        assert!(read.is_same_token(&login));
        assert_eq!(read.about, login.about);
        assert_eq!(read.refresh.unwrap().expose(), "whr_next");
        for other in ["", "{}", "whk_x"] {
            assert!(Credential::from_text(&Secret::new(other.to_owned())).is_none());
        }
        let later = text.expose().replace("\"version\":1", "\"version\":2");
        assert!(Credential::from_text(&Secret::new(later)).is_none());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", login("whk_secret"));
        assert!(
            !shown.contains("whk_secret") && !shown.contains("whr_next"),
            "{shown}"
        );
    }
}
