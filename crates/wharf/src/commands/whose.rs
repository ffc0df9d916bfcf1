//! Whose of what the server keeps is meant: one's own, the organization's, a team's.

use std::str::FromStr;

use wharf_client::Client;

use crate::error::{CommandError, Kind};
use crate::ui::neutral::neutral_line;

/// How the id of a team begins. No short name has such a sign in it.
const TEAM_ID: &str = "team_";

/// A profile, as people name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Whose {
    /// One's own.
    #[default]
    Me,
    /// The organization's.
    Org,
    /// A team's, by id or short name.
    Team(String),
}

impl FromStr for Whose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "me" => Ok(Self::Me),
            None if text == "org" => Ok(Self::Org),
            Some(("team", team)) if !team.is_empty() => Ok(Self::Team(team.to_owned())),
            _ => Err("must be me, org or team:NAME".to_owned()),
        }
    }
}

impl Whose {
    /// What the server calls it: `me`, `org` or `team:ID`.
    ///
    /// # Errors
    /// When there is no such team, or no server.
    pub(crate) async fn called(&self, client: &Client) -> Result<String, CommandError> {
        match self {
            Self::Me => Ok("me".to_owned()),
            Self::Org => Ok("org".to_owned()),
            Self::Team(team) => Ok(format!("team:{}", team_id(client, team).await?)),
        }
    }

    /// The profile, in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Me => "your profile".to_owned(),
            Self::Org => "the organization's profile".to_owned(),
            Self::Team(team) => format!("the profile of the team {}", neutral_line(team)),
        }
    }
}

/// The id of the team with this id or short name.
pub(crate) async fn team_id(client: &Client, wanted: &str) -> Result<String, CommandError> {
    if wanted.starts_with(TEAM_ID) {
        return Ok(wanted.to_owned());
    }
    let all = client.teams().await?.teams;
    let found = all.into_iter().find(|team| team.slug == wanted);
    found.map(|team| team.id).ok_or_else(|| {
        let text = format!("there is no team {}", neutral_line(wanted));
        CommandError::new(Kind::NotFound, text).hint("wharf org team list shows them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_three_kinds_of_names() {
        assert_eq!("me".parse(), Ok(Whose::Me));
        assert_eq!("org".parse(), Ok(Whose::Org));
        assert_eq!("team:web".parse(), Ok(Whose::Team("web".to_owned())));
        for none in ["", "team", "team:", "org:x", "me:x", "user", "Me"] {
            assert!(none.parse::<Whose>().is_err(), "{none:?}");
        }
    }
}
