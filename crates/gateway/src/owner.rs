//! Whose a session is, and what somebody may do with it: asked and answered here.
//!
//! A person has the sessions that they and their agents made, in the organization that their token
//! is for. An agent has those that it made itself. Who administers the organization sees all of its
//! sessions and may end, pause and extend them; into the machine comes nobody but whose it is, since
//! variables and files in it are theirs. The holder of the server's own token looks after all in the
//! same way. A token that is bound to shells has none.

use wharf_model::Caller;
use wharf_store::db::{GatewaySessionRow, SessionsAsk};

use crate::Error;

/// What somebody wants of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// See how it is.
    Look,
    /// End, pause or extend it.
    Manage,
    /// Come into its machine, or have something of what is in it.
    Enter,
}

/// Whom what is made belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The organization's id; empty where there is none.
    pub(crate) organization: String,
    /// The person: an account's id, or a caller's name.
    pub(crate) person: String,
    /// A caller's name.
    pub(crate) caller: String,
}

impl Owner {
    pub(crate) fn of(caller: &Caller) -> Self {
        let grants = caller.grants();
        let organization = grants.organization.as_ref();
        let person = grants.person.as_ref();
        Self {
            organization: organization.map_or_else(String::new, |it| it.id.to_string()),
            person: person.map_or_else(|| caller.name().to_owned(), |it| it.id.to_string()),
            caller: caller.name().to_owned(),
        }
    }

    /// Who pays.
    pub(crate) fn account(&self) -> &str {
        if self.organization.is_empty() {
            &self.person
        } else {
            &self.organization
        }
    }
}

/// Whether the organization that a request names is the one that the token is for.
pub(crate) fn is_for(caller: &Caller, organization: Option<&str>) -> Result<(), Error> {
    let Some(named) = organization.filter(|named| !named.is_empty()) else {
        return Ok(());
    };
    let fits = match &caller.grants().organization {
        Some(own) => &*own.id == named || &*own.slug == named,
        // Who holds the server's own token is in none, and calls that by their own name.
        None => named == caller.name(),
    };
    fits.then_some(()).ok_or(Error::Organization)
}

/// Whether a caller may do that.
pub(crate) fn may(caller: &Caller, row: &GatewaySessionRow, wanted: Use) -> Result<(), Error> {
    let unseen = Error::NotFound("session");
    if caller.grants().scopes.confine() {
        return Err(unseen);
    }
    if is_own(caller, row) {
        return Ok(());
    }
    if !looks_after(caller, &row.organization) {
        return Err(unseen);
    }
    match wanted {
        Use::Look | Use::Manage => Ok(()),
        Use::Enter => Err(Error::Forbidden(
            "only whose session it is comes into its sandbox; you may end, pause and extend it",
        )),
    }
}

fn is_own(caller: &Caller, row: &GatewaySessionRow) -> bool {
    if row.caller == caller.name() {
        return true;
    }
    let owner = Owner::of(caller);
    caller.is_a_person() && row.owner == owner.person && row.organization == owner.organization
}

fn looks_after(caller: &Caller, organization: &str) -> bool {
    if !caller.is_a_person() {
        return false;
    }
    let grants = caller.grants();
    let own = grants.organization.as_ref();
    let administers =
        own.is_some_and(|own| &*own.id == organization && grants.role.may_administer());
    administers || caller.administers()
}

/// Which sessions a caller's list is of: their own.
pub(crate) fn own_sessions(owner: &Owner, caller: &Caller) -> SessionsAskOwned {
    SessionsAskOwned {
        organization: owner.organization.clone(),
        person: caller.is_a_person().then(|| owner.person.clone()),
        caller: (!caller.is_a_person()).then(|| owner.caller.clone()),
    }
}

/// The same with texts of its own.
#[derive(Debug, Clone)]
pub(crate) struct SessionsAskOwned {
    organization: String,
    person: Option<String>,
    caller: Option<String>,
}

impl SessionsAskOwned {
    pub(crate) fn ask<'a>(&'a self, path_hash: Option<&'a str>, ended: bool) -> SessionsAsk<'a> {
        SessionsAsk {
            organization: Some(&self.organization),
            owner: self.person.as_deref(),
            caller: self.caller.as_deref(),
            path_hash,
            ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_model::{Grants, Organization, Person, Role, Scopes};

    use super::*;

    fn caller(person: &str, organization: &str, role: Role, agent: Option<&str>) -> Caller {
        Caller::of_account(Grants {
            person: Some(Person {
                id: person.into(),
                email: format!("{person}@example.com").into(),
            }),
            organization: Some(Organization {
                id: format!("org_{organization}").into(),
                slug: organization.into(),
            }),
            agent: agent.map(Into::into),
            role,
            ..Grants::default()
        })
    }

    fn made_by(caller: &Caller) -> GatewaySessionRow {
        let owner = Owner::of(caller);
        GatewaySessionRow {
            organization: owner.organization,
            owner: owner.person,
            caller: owner.caller,
            ..GatewaySessionRow::default()
        }
    }

    /// What a caller may do: nothing, look and manage, or all.
    fn allowed(caller: &Caller, row: &GatewaySessionRow) -> usize {
        let all = [Use::Look, Use::Manage, Use::Enter];
        all.iter()
            .filter(|it| may(caller, row, **it).is_ok())
            .count()
    }

    #[test]
    fn a_session_is_its_persons_and_looked_after_by_who_administers() {
        let ada = caller("ada", "acme", Role::Member, None);
        let row = made_by(&ada);
        assert_eq!(allowed(&ada, &row), 3);
        for (other, expected) in [
            (caller("bob", "acme", Role::Member, None), 0),
            (caller("bob", "acme", Role::Viewer, None), 0),
            (caller("bob", "acme", Role::Admin, None), 2),
            (caller("bob", "acme", Role::Owner, None), 2),
            (caller("bob", "other", Role::Owner, None), 0),
            // The same person elsewhere.
            (caller("ada", "other", Role::Owner, None), 0),
            // An agent of hers, and one of an administrator's.
            (caller("ada", "acme", Role::Agent, Some("claude")), 0),
            (caller("bob", "acme", Role::Admin, Some("claude")), 0),
            (Caller::local(), 2),
            (Caller::new("stranger"), 0),
        ] {
            assert_eq!(allowed(&other, &row), expected, "{other:?}");
        }
    }

    #[test]
    fn what_an_agent_made_is_its_persons_too() {
        let agent = caller("ada", "acme", Role::Agent, Some("claude"));
        let row = made_by(&agent);
        assert_eq!(allowed(&agent, &row), 3);
        assert_eq!(allowed(&caller("ada", "acme", Role::Member, None), &row), 3);
        let other = caller("ada", "acme", Role::Agent, Some("codex"));
        assert_eq!(allowed(&other, &row), 0);
    }

    #[test]
    fn a_token_that_is_bound_to_shells_has_none() {
        let bound = Caller::with(
            "local",
            Grants {
                scopes: Scopes::parse("session:build").unwrap(),
                ..Caller::local().grants().clone()
            },
        );
        assert_eq!(allowed(&bound, &made_by(&bound)), 0);
    }

    #[test]
    fn the_organization_is_the_tokens() {
        let ada = caller("ada", "acme", Role::Member, None);
        for good in [None, Some(""), Some("acme"), Some("org_acme")] {
            assert!(is_for(&ada, good).is_ok(), "{good:?}");
        }
        assert!(is_for(&ada, Some("other")).is_err());
        assert!(is_for(&Caller::local(), Some("local")).is_ok());
        assert!(is_for(&Caller::local(), Some("acme")).is_err());
    }
}
