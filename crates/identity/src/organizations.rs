//! Organizations and their members.

use wharf_model::{Caller, Limits, Role};
use wharf_store::db::{Ending, Joined, OrganizationRow};

use crate::identity::{Inner, Shown, administers, manages, person_of, shown};
use crate::limits::{MEMBERS_MAX, ORGANIZATIONS_PER_USER};
use crate::quotas::limits_from;
use crate::record::Note;
use crate::text::{self, moment};
use crate::users::LAST_OWNER;
use crate::views::{MemberView, OrganizationView};
use crate::{Ended, Error, Identity, Whose};

/// Most members of an organization, and most organizations of a person.
pub(crate) const PLACES: (u32, u32) = (MEMBERS_MAX, ORGANIZATIONS_PER_USER);
/// The organization has as many members as there may be.
pub(crate) const FULL: Error = Error::Full {
    what: "members of the organization",
    most: MEMBERS_MAX,
};
/// The person is in as many organizations as they may be.
pub(crate) const BUSY: Error = Error::Full {
    what: "organizations of one person",
    most: ORGANIZATIONS_PER_USER,
};

impl Identity {
    /// The organizations of a caller; all for an administrator.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn organizations(&self, caller: &Caller) -> Result<Vec<OrganizationView>, Error> {
        let database = &self.inner.parts.database;
        let places = match &caller.grants().person {
            Some(person) => database.memberships(&person.id).await?,
            None => Vec::new(),
        };
        let role_in = |id: &str| {
            let place = places.iter().find(|place| place.organization.id == id);
            place.and_then(|place| Role::parse(&place.role))
        };
        let rows: Vec<OrganizationRow> = if caller.administers() {
            database.organizations().await?
        } else {
            places.iter().map(|it| it.organization.clone()).collect()
        };
        let views = rows.into_iter().map(|row| {
            let role = role_in(&row.id);
            view(row, role)
        });
        Ok(views.collect())
    }

    /// One of them by id or short name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or the caller does not belong to it.
    pub async fn organization(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<OrganizationView, Error> {
        let (row, role) = self.inner.place_in(caller, organization).await?;
        Ok(view(row, Some(role)))
    }

    /// Makes an organization whose owner the caller is. Only administrators of the server may.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the short name was ever used.
    pub async fn add_organization(
        &self,
        caller: &Caller,
        slug: &str,
        name: &str,
    ) -> Result<OrganizationView, Error> {
        let owner = person_of(caller)?;
        administers(caller)?;
        let inner = &self.inner;
        let row = OrganizationRow {
            id: inner.new_id("org_"),
            slug: text::slug("slug", slug)?,
            name: text::name("name", name)?,
            created_ms: inner.now_ms(),
            ..OrganizationRow::default()
        };
        let database = &inner.parts.database;
        if database.memberships(owner).await?.len() >= ORGANIZATIONS_PER_USER as usize {
            return Err(BUSY);
        }
        let note = Note {
            organization: Some(&row.id),
            user: Some(owner),
            name: Some(&row.slug),
            ..Note::by(caller)
        };
        inner.record("organization.created", &note)?;
        if !database.insert_organization(&row, owner).await? {
            return Err(Error::Conflict("the short name is taken"));
        }
        Ok(view(row, Some(Role::Owner)))
    }

    /// Gives an organization another name. Its short name stays.
    ///
    /// # Errors
    /// When the caller does not administer it.
    pub async fn rename_organization(
        &self,
        caller: &Caller,
        organization: &str,
        name: &str,
    ) -> Result<OrganizationView, Error> {
        let inner = &self.inner;
        let (row, role) = inner.administered(caller, organization).await?;
        let name = text::name("name", name)?;
        let note = Note {
            organization: Some(&row.id),
            name: Some(&name),
            ..Note::by(caller)
        };
        inner.record("organization.renamed", &note)?;
        inner
            .parts
            .database
            .rename_organization(&row.id, &name)
            .await?;
        Ok(view(OrganizationRow { name, ..row }, Some(role)))
    }

    /// Ends an organization: its members, agents and invitations go, its keys and logins are
    /// revoked. Its short name is never another's. Its teams and itself are what has ended.
    ///
    /// # Errors
    /// When the caller does not own it; [`Error::Conflict`] for the server's own.
    pub async fn remove_organization(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<Vec<Ended>, Error> {
        let inner = &self.inner;
        let (row, role) = inner.administered(caller, organization).await?;
        if role != Role::Owner {
            return Err(Error::needs_role("an owner"));
        }
        if row.home {
            return Err(Error::Conflict("the server's own organization stays"));
        }
        let note = Note {
            organization: Some(&row.id),
            ..Note::by(caller)
        };
        inner.record("organization.removed", &note)?;
        let (database, now_ms) = (&inner.parts.database, inner.now_ms());
        let teams = database.teams(&row.id, None).await?;
        let removed = database.remove_organization(&row.id, now_ms).await?;
        inner.beliefs.forget();
        if !removed {
            return Err(Error::NotFound("organization"));
        }
        let mut ended: Vec<Ended> = teams
            .into_iter()
            .map(|place| Ended {
                whose: Whose::Team,
                id: place.team.id,
            })
            .collect();
        ended.push(Ended {
            whose: Whose::Organization,
            id: row.id,
        });
        Ok(ended)
    }

    /// The members of an organization, for its members.
    ///
    /// # Errors
    /// [`Error::NotFound`] for everybody else.
    pub async fn members(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<Vec<MemberView>, Error> {
        let (row, _) = self.inner.place_in(caller, organization).await?;
        let rows = self.inner.parts.database.members(&row.id).await?;
        let views = rows.into_iter().map(|row| MemberView {
            user: row.user_id,
            email: row.email,
            username: row.username,
            role: Role::parse(&row.role).unwrap_or(Role::Viewer),
            since: moment(row.created_ms),
            disabled: row.disabled_ms.is_some(),
        });
        Ok(views.collect())
    }

    /// Gives a member another role; an administrator of the server may also make a user, by id or
    /// address, a member.
    ///
    /// # Errors
    /// [`Error::Conflict`] when no owner would be left.
    pub async fn set_member(
        &self,
        caller: &Caller,
        organization: &str,
        user: &str,
        role: Role,
    ) -> Result<MemberView, Error> {
        let inner = &self.inner;
        let (row, own) = inner.administered(caller, organization).await?;
        if role == Role::Agent {
            inner.check_role(caller, role)?;
        }
        let user = inner.user_named(text::known("user", user)?).await?;
        let user = user.ok_or(Error::NotFound("user"))?;
        let database = &inner.parts.database;
        let before = database.role(&row.id, &user.id).await?;
        // Who has an account here is not for everybody to find out: others are invited.
        if before.is_none() && !caller.administers() {
            return Err(Error::NotFound("user"));
        }
        let touches_owner = role == Role::Owner || before.as_deref() == Some("owner");
        if touches_owner && own != Role::Owner {
            return Err(Error::needs_role("an owner"));
        }
        let note = Note {
            organization: Some(&row.id),
            user: Some(&user.id),
            role: Some(role.as_str()),
            ..Note::by(caller)
        };
        inner.record("member.set", &note)?;
        let put = database.put_member(&row.id, &user.id, role.as_str(), PLACES, inner.now_ms());
        let put = put.await?;
        inner.beliefs.forget();
        match put {
            Joined::Done => Ok(MemberView {
                user: user.id,
                email: user.email,
                username: user.username,
                role,
                since: moment(inner.now_ms()),
                disabled: user.disabled_ms.is_some(),
            }),
            Joined::LastOwner => Err(LAST_OWNER),
            Joined::Missing => Err(Error::NotFound("organization")),
            Joined::Full => Err(FULL),
            Joined::Busy => Err(BUSY),
        }
    }

    /// Takes somebody out of an organization, also oneself; what they have there is revoked.
    ///
    /// # Errors
    /// [`Error::Conflict`] when no owner would be left, or it is their only organization.
    pub async fn remove_member(
        &self,
        caller: &Caller,
        organization: &str,
        user: &str,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        // First what the caller is there, so that who is none of them learns nothing of accounts.
        let (row, role) = inner.place_in(caller, organization).await?;
        let known = text::known("user", user)?.to_ascii_lowercase();
        let own = caller.grants().person.as_ref();
        if own.is_some_and(|own| *own.id == *known || *own.email == *known) {
            manages(caller)?;
        } else {
            inner.administered(caller, organization).await?;
        }
        let user = inner.user_named(&known).await?;
        let user = user.ok_or(Error::NotFound("user"))?;
        let database = &inner.parts.database;
        let theirs = database.role(&row.id, &user.id).await?;
        let theirs = theirs.ok_or(Error::NotFound("user"))?;
        if theirs == "owner" && role != Role::Owner {
            return Err(Error::needs_role("an owner"));
        }
        let note = Note {
            organization: Some(&row.id),
            user: Some(&user.id),
            ..Note::by(caller)
        };
        inner.record("member.removed", &note)?;
        let ending = database.remove_member(&row.id, &user.id, inner.now_ms());
        let ending = ending.await?;
        inner.beliefs.forget();
        match ending {
            Ending::Done => Ok(()),
            Ending::LastOwner => Err(LAST_OWNER),
            Ending::LastPlace => Err(Error::Conflict(
                "it is their only organization; disable the account instead",
            )),
            Ending::Missing => Err(Error::NotFound("user")),
        }
    }
}

impl Inner {
    /// An organization and what the caller is there: whoever administers the server counts as an
    /// owner of all others. A key is for its own organization and no other.
    pub(crate) async fn place_in(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<(OrganizationRow, Role), Error> {
        let missing = Error::NotFound("organization");
        let name = text::known("organization", organization)?;
        let row = self.parts.database.organization(name).await?;
        let Some(row) = row else {
            return Err(missing);
        };
        let grants = caller.grants();
        // In the server's own organization an administrator is what they are there, or they would
        // make themselves its owner.
        if caller.administers() && (!row.home || grants.person.is_none()) {
            return Ok((row, Role::Owner));
        }
        if grants
            .organization
            .as_ref()
            .is_some_and(|it| *it.id == row.id)
        {
            return Ok((row, grants.role));
        }
        let is_key = matches!(shown(caller), Shown::Key(_));
        let Some(person) = grants.person.as_ref().filter(|_| !is_key) else {
            return Err(missing);
        };
        let role = self.parts.database.role(&row.id, &person.id).await?;
        let role = role.as_deref().and_then(Role::parse);
        role.map(|role| (row, role)).ok_or(missing)
    }

    /// The same for who may look after it.
    pub(crate) async fn administered(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<(OrganizationRow, Role), Error> {
        let (row, role) = self.place_in(caller, organization).await?;
        if !role.may_administer() {
            return Err(Error::needs_role("an administrator of the organization"));
        }
        manages(caller)?;
        Ok((row, role))
    }
}

fn view(row: OrganizationRow, role: Option<Role>) -> OrganizationView {
    let limits: Limits = limits_from(row.limits.as_deref());
    OrganizationView {
        id: row.id,
        slug: row.slug,
        name: row.name,
        created: moment(row.created_ms),
        home: row.home,
        role,
        limits,
    }
}
