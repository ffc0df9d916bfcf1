//! Who asks for agent configuration, and whose that is. `wharf_identity` says who may; here its
//! names become the owners that `wharf_profiles` keeps by.

use wharf_identity::standing::LOCAL_PERSON;
use wharf_identity::{Deed, Offer, Standing, StandingProfile, Whose};
use wharf_model::Caller;
use wharf_profiles::catalog::Draft;
use wharf_profiles::{Author, Layer, Layers, Owner};

use crate::configuration::Configuration;
use crate::error::Failure;
use crate::state::App;

/// What the one's own profile is called.
pub(crate) const ME: &str = "me";
/// Who signs for the holder of this machine's token where its account has no name.
const NOBODY: &str = "local";

/// Somebody who asks, with what there is for them.
pub(crate) struct Asker<'a> {
    app: &'a App,
    caller: &'a Caller,
    standing: Standing,
    /// What is asked.
    pub(crate) configuration: &'a Configuration,
}

impl<'a> Asker<'a> {
    pub(crate) async fn of(app: &'a App, caller: &'a Caller) -> Result<Self, Failure> {
        let configuration = app.configuration()?;
        Ok(Self {
            app,
            caller,
            standing: app.identity()?.standing(caller).await?,
            configuration,
        })
    }

    /// Whose the profile is that they call so and may read.
    pub(crate) fn reads(&self, called: &str) -> Result<Owner, Failure> {
        owner(self.standing.profile(called)?)
    }

    /// The same for one that they may change.
    pub(crate) fn edits(&self, called: &str) -> Result<Owner, Failure> {
        owner(self.standing.editable(called)?)
    }

    /// The same for one of which they may say which repository it follows.
    pub(crate) fn steers(&self, called: &str) -> Result<Owner, Failure> {
        owner(self.standing.steerable(called)?)
    }

    /// Whether they may change what `owner` has. What they do not see is not there.
    pub(crate) fn edits_what_is_of(&self, owner: &Owner) -> Result<(), Failure> {
        self.edits(&self.called(owner)?).map(|_| ())
    }

    /// Whose what they see is, also where it is no part of what they get.
    pub(crate) fn sees(&self) -> Result<Vec<Owner>, Failure> {
        self.standing.profiles().iter().map(owner).collect()
    }

    /// What makes up what they get, the outermost first.
    pub(crate) fn layers(&self) -> Result<Layers, Failure> {
        let owners: Result<Vec<Owner>, Failure> = self.standing.applying().map(owner).collect();
        Ok(Layers::new(owners?)?)
    }

    /// What they call the profile of `owner`: `me`, `org` or `team:ID`.
    pub(crate) fn called(&self, of: &Owner) -> Result<String, Failure> {
        self.profile(of).map(StandingProfile::called)
    }

    /// What people call `owner`.
    pub(crate) fn name(&self, of: &Owner) -> String {
        let profile = self.profile(of);
        profile.map_or_else(|_| String::new(), |profile| profile.name.clone())
    }

    /// Writes down what they are about to do with what `of` has.
    pub(crate) fn records(&self, of: &Owner, deed: Deed<'_>) -> Result<(), Failure> {
        let profile = self.profile(of)?;
        let identity = self.app.identity()?;
        Ok(identity.record_deed(self.caller, profile, deed)?)
    }

    /// Says that the profile of `owner` has a version more, for an upstream that wants it.
    pub(crate) fn made_a_version(&self, owner: &Owner) {
        self.configuration.upstreams.push_soon(owner);
    }

    /// Tells `owner` from all others, also from those of other servers. The ids of accounts are like
    /// no others anywhere; the rest is this server's.
    pub(crate) fn told_apart(&self, owner: &Owner) -> String {
        let (layer, id) = (owner.layer(), owner.id());
        if layer == Layer::User && id != LOCAL_PERSON {
            return format!("{layer}/{id}");
        }
        format!("{layer}/{id}@{}", self.configuration.server)
    }

    fn profile(&self, of: &Owner) -> Result<&StandingProfile, Failure> {
        let mut profiles = self.standing.profiles().iter();
        let found = profiles.find(|it| owner(it).is_ok_and(|owner| owner == *of));
        found.ok_or_else(|| Failure::not_found("There is no such profile."))
    }

    /// Who a change of theirs is by: the person; for an agent its name, and for whom.
    pub(crate) async fn author(&self) -> Result<Author, Failure> {
        let grants = self.caller.grants();
        let (name, email) = match &grants.person {
            Some(person) => {
                let me = self.app.identity()?.me(self.caller).await?;
                (me.user.username, person.email.to_string())
            }
            None => {
                let machine = &self.app.machine;
                let user = match machine.user.as_str() {
                    "" => NOBODY,
                    user => user,
                };
                (user.to_owned(), format!("{user}@{}", machine.host))
            }
        };
        Ok(Author {
            name: match &grants.agent {
                Some(agent) => format!("{agent} for {name}"),
                None => name,
            },
            email,
        })
    }
}

/// An item of the catalog as it is recorded.
pub(crate) fn offer<'a>(id: Option<&'a str>, draft: &'a Draft) -> Offer<'a> {
    Offer {
        id,
        kind: draft.kind.as_str(),
        name: &draft.name,
    }
}

fn owner(profile: &StandingProfile) -> Result<Owner, Failure> {
    owner_of(profile.whose, &profile.id)
}

/// What `wharf_profiles` keeps by, of what `wharf_identity` names.
pub(super) fn owner_of(whose: Whose, id: &str) -> Result<Owner, Failure> {
    let owner = match whose {
        Whose::Organization => Owner::organization(id),
        Whose::Team => Owner::team(id),
        Whose::Person => Owner::user(id),
    };
    Ok(owner?)
}

#[cfg(test)]
mod tests {
    use wharf_identity::limits::TEAMS_PER_USER;
    use wharf_profiles::limits::TEAMS_MAX;

    /// Two crates that do not know each other: whoever is in as many teams as may be gets a view.
    #[test]
    fn all_teams_of_a_person_fit_into_what_they_get() {
        assert!(usize::try_from(TEAMS_PER_USER).unwrap() <= TEAMS_MAX);
    }
}
