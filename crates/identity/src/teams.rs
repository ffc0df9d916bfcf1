//! Teams: those of an organization who share a profile. Each caller has to do with those of the
//! organization that they act in, and with no other's.

use std::collections::HashMap;

use wharf_model::{Caller, Role};
use wharf_store::db::{OrganizationRow, TeamJoined, TeamMade, TeamPlace, TeamRow};

use crate::identity::{Inner, manages};
use crate::limits::{TEAM_MEMBERS_MAX, TEAMS_PER_ORGANIZATION, TEAMS_PER_USER};
use crate::record::Note;
use crate::text::{self, moment};
use crate::views::{TeamMemberView, TeamView};
use crate::{Ended, Error, Identity, Whose};

/// What making and ending a team takes.
const KEEPER: Error = Error::needs_role("an administrator of the organization");
/// What changing its members takes.
const LEADER: Error = Error::needs_role("a lead of the team");

impl Identity {
    /// The teams of the caller's organization, for everybody there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn teams(&self, caller: &Caller) -> Result<Vec<TeamView>, Error> {
        let inner = &self.inner;
        let Some(organization) = inner.acting_in(caller).await? else {
            return Ok(Vec::new());
        };
        let places = inner.team_places(caller, &organization.id).await?;
        let sizes = inner.team_sizes(&organization.id).await?;
        let views = places.into_iter().map(|place| view(caller, place, &sizes));
        Ok(views.collect())
    }

    /// One of them, by id or short name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn team(&self, caller: &Caller, team: &str) -> Result<TeamView, Error> {
        let (organization, place) = self.inner.team_for(caller, team).await?;
        let sizes = self.inner.team_sizes(&organization.id).await?;
        Ok(view(caller, place, &sizes))
    }

    /// Makes a team in the caller's organization. Nobody is in it yet.
    ///
    /// # Errors
    /// When the caller does not administer the organization; [`Error::Conflict`] when another team
    /// has the short name; [`Error::Full`].
    pub async fn add_team(
        &self,
        caller: &Caller,
        slug: &str,
        name: &str,
    ) -> Result<TeamView, Error> {
        let inner = &self.inner;
        manages(caller)?;
        let organization = inner.acting_in(caller).await?;
        let organization = organization.ok_or(Error::NotFound("organization"))?;
        if !looks_after_teams(caller) {
            return Err(KEEPER);
        }
        let team = TeamRow {
            id: inner.new_id("team_"),
            organization_id: organization.id,
            slug: text::slug("slug", slug)?,
            name: text::name("name", name)?,
            created_ms: inner.now_ms(),
        };
        inner.record("team.created", &about(caller, &team))?;
        let database = &inner.parts.database;
        match database.insert_team(&team, TEAMS_PER_ORGANIZATION).await? {
            TeamMade::Made => {
                let place = TeamPlace { team, leads: None };
                Ok(view(caller, place, &HashMap::new()))
            }
            TeamMade::Taken => Err(Error::Conflict("there is a team of that short name")),
            TeamMade::Full => Err(Error::Full {
                what: "teams",
                most: TEAMS_PER_ORGANIZATION,
            }),
            TeamMade::Missing => Err(Error::NotFound("organization")),
        }
    }

    /// Ends a team: its members leave it, and what it owns in the catalog goes. What
    /// else it had ends with whoever keeps it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; when the caller does not administer the
    /// organization.
    pub async fn remove_team(&self, caller: &Caller, team: &str) -> Result<Ended, Error> {
        let inner = &self.inner;
        manages(caller)?;
        let (organization, place) = inner.team_for(caller, team).await?;
        if !looks_after_teams(caller) {
            return Err(KEEPER);
        }
        inner.record("team.removed", &about(caller, &place.team))?;
        let (database, now_ms) = (&inner.parts.database, inner.now_ms());
        let removed = database.remove_team(&organization.id, &place.team.id, now_ms);
        if !removed.await? {
            return Err(Error::NotFound("team"));
        }
        Ok(Ended {
            whose: Whose::Team,
            id: place.team.id,
        })
    }

    /// The members of a team, for everybody in its organization.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn team_members(
        &self,
        caller: &Caller,
        team: &str,
    ) -> Result<Vec<TeamMemberView>, Error> {
        let (_, place) = self.inner.team_for(caller, team).await?;
        let rows = self.inner.parts.database.team_members(&place.team.id);
        let views = rows.await?.into_iter().map(|row| TeamMemberView {
            user: row.user_id,
            email: row.email,
            leads: row.leads,
        });
        Ok(views.collect())
    }

    /// Makes a member of the organization, by id or address, a member of a team, or says anew
    /// whether they lead it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such team, or no such member of the organization; when
    /// the caller does not look after the team; [`Error::Full`].
    pub async fn set_team_member(
        &self,
        caller: &Caller,
        team: &str,
        user: &str,
        leads: bool,
    ) -> Result<TeamMemberView, Error> {
        let inner = &self.inner;
        manages(caller)?;
        let (organization, place) = inner.team_for(caller, team).await?;
        if !may_edit(caller, place.leads) {
            return Err(LEADER);
        }
        let stranger = Error::NotFound("member of the organization");
        let Some(user) = inner.user_named(text::known("user", user)?).await? else {
            return Err(stranger);
        };
        let database = &inner.parts.database;
        if database.role(&organization.id, &user.id).await?.is_none() {
            return Err(stranger);
        }
        let note = Note {
            user: Some(&user.id),
            detail: leads.then_some("leads"),
            ..about(caller, &place.team)
        };
        inner.record("team_member.set", &note)?;
        let of = (organization.id.as_str(), place.team.id.as_str());
        let bounds = (TEAM_MEMBERS_MAX, TEAMS_PER_USER);
        let put = database.put_team_member(of, &user.id, leads, bounds, inner.now_ms());
        match put.await? {
            TeamJoined::Done => Ok(TeamMemberView {
                user: user.id,
                email: user.email,
                leads,
            }),
            TeamJoined::Full => Err(Error::Full {
                what: "members of the team",
                most: TEAM_MEMBERS_MAX,
            }),
            TeamJoined::Busy => Err(Error::Full {
                what: "teams of one person",
                most: TEAMS_PER_USER,
            }),
            TeamJoined::Missing => Err(Error::NotFound("team")),
            TeamJoined::Stranger => Err(stranger),
        }
    }

    /// Takes somebody out of a team, also oneself.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such team, or they are not in it; when the caller does
    /// not look after the team.
    pub async fn remove_team_member(
        &self,
        caller: &Caller,
        team: &str,
        user: &str,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        manages(caller)?;
        let (organization, place) = inner.team_for(caller, team).await?;
        let known = text::known("user", user)?;
        if !may_edit(caller, place.leads) && !is_oneself(caller, known) {
            return Err(LEADER);
        }
        let missing = Error::NotFound("member of the team");
        let Some(user) = inner.user_named(known).await? else {
            return Err(missing);
        };
        let (database, team) = (&inner.parts.database, &place.team.id);
        let theirs = database.team(&organization.id, Some(&user.id), team);
        if theirs.await?.is_none_or(|it| it.leads.is_none()) {
            return Err(missing);
        }
        let note = Note {
            user: Some(&user.id),
            ..about(caller, &place.team)
        };
        inner.record("team_member.removed", &note)?;
        let removed = database.remove_team_member(team, &user.id);
        removed.await?.then_some(()).ok_or(missing)
    }
}

/// Whether the caller looks after all teams of their organization.
pub(crate) fn looks_after_teams(caller: &Caller) -> bool {
    caller.is_a_person() && caller.grants().role.may_administer()
}

/// Whether they may change a team's profile and its members, where they lead it or not.
pub(crate) fn may_edit(caller: &Caller, leads: Option<bool>) -> bool {
    let leads = leads == Some(true) && caller.grants().role != Role::Viewer;
    looks_after_teams(caller) || leads && caller.is_a_person()
}

fn is_oneself(caller: &Caller, user: &str) -> bool {
    let own = caller.grants().person.as_ref();
    let named = |id: &str, email: &str| id == user || email.eq_ignore_ascii_case(user);
    caller.is_a_person() && own.is_some_and(|own| named(&own.id, &own.email))
}

fn about<'a>(caller: &'a Caller, team: &'a TeamRow) -> Note<'a> {
    Note {
        organization: Some(&team.organization_id),
        id: Some(&team.id),
        name: Some(&team.slug),
        ..Note::by(caller)
    }
}

fn view(caller: &Caller, place: TeamPlace, sizes: &HashMap<String, i64>) -> TeamView {
    let members = sizes.get(&place.team.id).copied().unwrap_or_default();
    TeamView {
        is_member: place.leads.is_some(),
        may_edit: may_edit(caller, place.leads),
        members: u64::try_from(members).unwrap_or_default(),
        id: place.team.id,
        organization: place.team.organization_id,
        slug: place.team.slug,
        name: place.team.name,
        created: moment(place.team.created_ms),
    }
}

impl Inner {
    /// The organization that a caller acts in; for the holder of this machine's token the server's
    /// own, once there is one.
    pub(crate) async fn acting_in(
        &self,
        caller: &Caller,
    ) -> Result<Option<OrganizationRow>, Error> {
        let database = &self.parts.database;
        let grants = caller.grants();
        match &grants.organization {
            Some(organization) => Ok(database.organization(&organization.id).await?),
            None if grants.administrator => Ok(database.home_organization().await?),
            None => Ok(None),
        }
    }

    /// The teams of an organization by short name, and what the caller's person is in each.
    pub(crate) async fn team_places(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<Vec<TeamPlace>, Error> {
        let teams = self.parts.database.teams(organization, person(caller));
        Ok(teams.await?)
    }

    async fn team_sizes(&self, organization: &str) -> Result<HashMap<String, i64>, Error> {
        let sizes = self.parts.database.team_sizes(organization).await?;
        Ok(sizes.into_iter().collect())
    }

    async fn team_for(
        &self,
        caller: &Caller,
        team: &str,
    ) -> Result<(OrganizationRow, TeamPlace), Error> {
        let missing = Error::NotFound("team");
        let team = text::known("team", team)?;
        let Some(organization) = self.acting_in(caller).await? else {
            return Err(missing);
        };
        let database = &self.parts.database;
        let place = database
            .team(&organization.id, person(caller), team)
            .await?;
        place.map(|place| (organization, place)).ok_or(missing)
    }
}

fn person(caller: &Caller) -> Option<&str> {
    caller.grants().person.as_ref().map(|person| &*person.id)
}
