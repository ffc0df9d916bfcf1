//! Agents: programs that act for a person, with a name, keys and limits of their own.

use wharf_model::{Caller, Organization};
use wharf_store::db::AgentRow;

use crate::identity::{Inner, manages, person_of};
use crate::limits::AGENTS_PER_USER;
use crate::quotas::limits_from;
use crate::record::Note;
use crate::text::{self, moment};
use crate::views::AgentView;
use crate::{Error, Identity};

impl Identity {
    /// The agents that act for the caller's person in their organization; with `all`, those of
    /// everybody there.
    ///
    /// # Errors
    /// When the caller has no account; with `all`, when they do not administer the organization.
    pub async fn agents(&self, caller: &Caller, all: bool) -> Result<Vec<AgentView>, Error> {
        let inner = &self.inner;
        let person = person_of(caller)?;
        let organization = organization_of(caller)?;
        if all {
            inner.administered(caller, &organization.id).await?;
        }
        let of = (!all).then_some(person);
        let rows = inner.parts.database.agents(&organization.id, of).await?;
        let views = rows
            .into_iter()
            .map(|(row, email)| view(row, &organization.slug, email));
        Ok(views.collect())
    }

    /// One that the caller may look after.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or it is somebody else's.
    pub async fn agent(&self, caller: &Caller, id: &str) -> Result<AgentView, Error> {
        let row = self.inner.agent_for(caller, id).await?;
        self.inner.agent_view(row).await
    }

    /// Makes an agent that acts for the caller in their organization.
    ///
    /// # Errors
    /// [`Error::Conflict`] when they have one of that name; [`Error::Full`].
    pub async fn add_agent(&self, caller: &Caller, name: &str) -> Result<AgentView, Error> {
        let inner = &self.inner;
        manages(caller)?;
        let person = person_of(caller)?;
        let organization = &*organization_of(caller)?.id;
        if !caller.grants().role.may_run() {
            return Err(Error::needs_role("a member"));
        }
        let row = AgentRow {
            id: inner.new_id("agt_"),
            organization_id: organization.to_owned(),
            user_id: person.to_owned(),
            name: text::slug("name", name)?,
            created_ms: inner.now_ms(),
            limits: None,
        };
        let database = &inner.parts.database;
        let there = database.agents(organization, Some(person)).await?;
        if there.len() >= AGENTS_PER_USER as usize {
            return Err(Error::Full {
                what: "agents",
                most: AGENTS_PER_USER,
            });
        }
        let note = Note {
            user: Some(person),
            organization: Some(organization),
            agent: Some(&row.name),
            id: Some(&row.id),
            ..Note::by(caller)
        };
        inner.record("agent.created", &note)?;
        if !database.insert_agent(&row).await? {
            return Err(Error::Conflict("there is an agent of that name"));
        }
        inner.agent_view(row).await
    }

    /// Ends an agent and its keys: one's own, or any of an organization that the caller
    /// administers.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or it is somebody else's.
    pub async fn remove_agent(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let inner = &self.inner;
        manages(caller)?;
        let row = inner.agent_for(caller, id).await?;
        let note = Note {
            user: Some(&row.user_id),
            organization: Some(&row.organization_id),
            agent: Some(&row.name),
            id: Some(&row.id),
            ..Note::by(caller)
        };
        inner.record("agent.removed", &note)?;
        let removed = inner.parts.database.remove_agent(&row.id, inner.now_ms());
        let removed = removed.await?;
        inner.beliefs.forget();
        removed.then_some(()).ok_or(Error::NotFound("agent"))
    }
}

impl Inner {
    /// An agent that a caller may look after.
    pub(crate) async fn agent_for(&self, caller: &Caller, id: &str) -> Result<AgentRow, Error> {
        let missing = Error::NotFound("agent");
        let row = self.parts.database.agent(text::known("agent", id)?).await?;
        let Some(row) = row else {
            return Err(missing);
        };
        let grants = caller.grants();
        let own = grants
            .person
            .as_ref()
            .is_some_and(|it| *it.id == row.user_id)
            && grants
                .organization
                .as_ref()
                .is_some_and(|it| *it.id == row.organization_id);
        if own {
            return Ok(row);
        }
        match self.administered(caller, &row.organization_id).await {
            Ok(_) => Ok(row),
            Err(Error::NotFound(_) | Error::Forbidden { .. }) => Err(missing),
            Err(error) => Err(error),
        }
    }

    async fn agent_view(&self, row: AgentRow) -> Result<AgentView, Error> {
        let database = &self.parts.database;
        let user = database.user(&row.user_id).await?;
        let organization = database.organization(&row.organization_id).await?;
        let slug = organization.map(|it| it.slug).unwrap_or_default();
        let email = user.map(|it| it.email).unwrap_or_default();
        Ok(view(row, &slug, email))
    }
}

fn view(row: AgentRow, organization: &str, acts_for: String) -> AgentView {
    AgentView {
        id: row.id,
        name: row.name,
        organization: organization.to_owned(),
        acts_for,
        created: moment(row.created_ms),
        limits: limits_from(row.limits.as_deref()),
    }
}

/// The organization that a caller acts in.
pub(crate) fn organization_of(caller: &Caller) -> Result<&Organization, Error> {
    let organization = caller.grants().organization.as_ref();
    organization.ok_or(Error::needs_role("a login with an account"))
}
