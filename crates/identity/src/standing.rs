//! Which profiles of agent configuration a caller has, and which of them they may change: asked
//! and answered here, so that no door has an opinion of its own.
//!
//! Everybody reads what applies to them: their organization's, their teams', their own. Everybody
//! changes their own; a team's is changed by those who lead it, and the organization's and all
//! teams' by its owners and admins. A viewer, and an agent for its person, change the person's own
//! and nothing else. Which repository a profile follows and is sent to is for people alone: it
//! outlives the agent, and what it says gets into every other one. Whether the token is for configuration at all is asked by the class of the
//! route.

use wharf_model::{Caller, Role};
use wharf_store::db::TeamPlace;

use crate::teams::{looks_after_teams, may_edit};
use crate::{Error, Identity};

/// The id of the person's own profile where the holder of this machine's token asks, who has no
/// account. No account has such an id: theirs are UUIDs.
pub const LOCAL_PERSON: &str = "local";

/// What an agent has not.
const PERSON: &str = "the person whom the agent acts for";

/// Whose a profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// An organization's.
    Organization,
    /// A team's.
    Team,
    /// A person's.
    Person,
}

/// Somebody who has ended, and what they had in agent configuration with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What it was.
    pub whose: Whose,
    /// Its id.
    pub id: String,
}

/// A profile that a caller sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingProfile {
    /// Whose it is.
    pub whose: Whose,
    /// The id of the organization, the team, or the account.
    pub id: String,
    /// What people call that.
    pub name: String,
    /// Whether it is part of what the caller gets. A team's is not where they look after the team
    /// and are no member of it.
    pub applies: bool,
    /// Whether they may change it.
    pub may_edit: bool,
}

impl StandingProfile {
    /// What the caller calls it: `me`, `org` or `team:ID`.
    #[must_use]
    pub fn called(&self) -> String {
        match self.whose {
            Whose::Organization => "org".to_owned(),
            Whose::Team => format!("team:{}", self.id),
            Whose::Person => "me".to_owned(),
        }
    }
}

/// The profiles that a caller sees. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    profiles: Vec<StandingProfile>,
    /// What would be needed to change one that they may not.
    needs: &'static str,
    is_a_person: bool,
}

impl Standing {
    /// All of them, the outermost first: the organization's, the teams' by short name, the
    /// person's.
    #[must_use]
    pub fn profiles(&self) -> &[StandingProfile] {
        &self.profiles
    }

    /// Those that make up what the caller gets, the outermost first.
    pub fn applying(&self) -> impl Iterator<Item = &StandingProfile> {
        self.profiles.iter().filter(|profile| profile.applies)
    }

    /// The one that the caller calls so: `me`, `org` or `team:ID`.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or it is none of theirs.
    pub fn profile(&self, called: &str) -> Result<&StandingProfile, Error> {
        let mut profiles = self.profiles.iter();
        let found = profiles.find(|profile| profile.called() == called);
        found.ok_or(Error::NotFound("profile"))
    }

    /// The same to change it.
    ///
    /// # Errors
    /// As for [`profile`](Self::profile); [`Error::Forbidden`] when they only read it.
    pub fn editable(&self, called: &str) -> Result<&StandingProfile, Error> {
        let profile = self.profile(called)?;
        if profile.may_edit {
            Ok(profile)
        } else {
            Err(Error::needs_role(self.needs))
        }
    }

    /// The same to say which repository it follows.
    ///
    /// # Errors
    /// As for [`editable`](Self::editable); [`Error::Forbidden`] for every agent.
    pub fn steerable(&self, called: &str) -> Result<&StandingProfile, Error> {
        let profile = self.editable(called)?;
        if self.is_a_person {
            Ok(profile)
        } else {
            Err(Error::needs_role(PERSON))
        }
    }
}

impl Identity {
    /// Which profiles the caller sees and may change. For the holder of this machine's token the
    /// organization is the server's own.
    ///
    /// # Errors
    /// When the caller has no account and is not the holder of this machine's token; when the
    /// database does not answer.
    pub async fn standing(&self, caller: &Caller) -> Result<Standing, Error> {
        let own = own_profile(caller)?;
        let mut profiles = Vec::new();
        if let Some(organization) = self.inner.acting_in(caller).await? {
            let places = self.inner.team_places(caller, &organization.id).await?;
            profiles.push(StandingProfile {
                whose: Whose::Organization,
                id: organization.id,
                name: organization.name,
                applies: true,
                may_edit: looks_after_teams(caller),
            });
            profiles.extend(places.into_iter().filter_map(|it| of_team(caller, it)));
        }
        profiles.push(own);
        Ok(Standing {
            profiles,
            needs: needs(caller),
            is_a_person: caller.is_a_person(),
        })
    }
}

impl Identity {
    /// Whether there is such an organization or team, or such a person, who is not disabled. Who
    /// holds this machine's token is always there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stands(&self, whose: Whose, id: &str) -> Result<bool, Error> {
        let database = &self.inner.parts.database;
        Ok(match whose {
            Whose::Organization => {
                let found = database.organization(id).await?;
                found.is_some_and(|found| found.id == id)
            }
            Whose::Team => database.has_team(id).await?,
            Whose::Person if id == LOCAL_PERSON => true,
            Whose::Person => {
                let found = database.user(id).await?;
                found.is_some_and(|found| found.disabled_ms.is_none())
            }
        })
    }
}

fn own_profile(caller: &Caller) -> Result<StandingProfile, Error> {
    let (id, name) = match &caller.grants().person {
        Some(person) => (&*person.id, &*person.email),
        None if caller.grants().administrator => (LOCAL_PERSON, caller.name()),
        None => return Err(Error::needs_role("a login with an account")),
    };
    Ok(StandingProfile {
        whose: Whose::Person,
        id: id.to_owned(),
        name: name.to_owned(),
        applies: true,
        may_edit: true,
    })
}

/// A team's profile, for who is in the team or looks after it.
fn of_team(caller: &Caller, place: TeamPlace) -> Option<StandingProfile> {
    let (applies, may_edit) = (place.leads.is_some(), may_edit(caller, place.leads));
    (applies || may_edit).then_some(StandingProfile {
        whose: Whose::Team,
        id: place.team.id,
        name: place.team.name,
        applies,
        may_edit,
    })
}

fn needs(caller: &Caller) -> &'static str {
    if !caller.is_a_person() {
        PERSON
    } else if caller.grants().role == Role::Viewer {
        "a member"
    } else {
        "an administrator of the organization, or a lead of the team,"
    }
}
