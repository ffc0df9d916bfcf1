//! API keys: long-lived, for what they name, until they end or are revoked.

use std::time::Duration;

use wharf_model::{Caller, Role, Scopes, TokenKind};
use wharf_store::db::{KeyMade, KeyPlace, KeyRow};

use crate::agents::organization_of;
use crate::authenticate::{capped, giving};
use crate::identity::{Inner, KEY, Shown, administers, manages, person_of, shown};
use crate::limits::{KEY_LIFETIME_MAX, KEY_LIFETIME_MIN, KEYS_PER_USER};
use crate::record::Note;
use crate::text::{self, hash_of, moment, ms};
use crate::views::{KeyView, MadeKey, NewKey};
use crate::{Error, Identity};

impl Identity {
    /// The API keys of the caller's person that are good, those of their agents included, and for a
    /// key no others than those for its organization; or those of somebody else, by id or address,
    /// for an administrator.
    ///
    /// # Errors
    /// When the caller has no account, or is no administrator.
    pub async fn keys(&self, caller: &Caller, of: Option<&str>) -> Result<Vec<KeyView>, Error> {
        let inner = &self.inner;
        let (person, email) = match of {
            None => (person_of(caller)?.to_owned(), caller.person().to_owned()),
            Some(user) => {
                let user = inner.user_for(caller, user).await?;
                (user.id, user.email)
            }
        };
        let places = inner.parts.database.keys(&person, inner.now_ms()).await?;
        let current = caller.grants().credential_id.as_deref();
        let elsewhere = of.is_none().then_some(caller);
        let views = places
            .into_iter()
            .filter(|place| elsewhere.is_none_or(|caller| reaches(caller, &place.key)))
            .map(|place| {
                let is_current = current == Some(place.key.id.as_str());
                view(place, email.clone(), is_current)
            });
        views.collect()
    }

    /// Makes an API key: for no more than the maker has, and for an agent of theirs where one is
    /// named.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a greater scope; [`Error::Full`]; [`Error::Invalid`] for a lifetime
    /// out of bounds.
    pub async fn make_key(&self, caller: &Caller, key: NewKey) -> Result<MadeKey, Error> {
        let inner = &self.inner;
        manages(caller)?;
        let person = person_of(caller)?;
        let name = text::name("name", &key.name)?;
        let lifetime = lifetime(key.lifetime, inner.options.key_lifetime)?;
        let (organization, role) = match (&key.agent, &key.organization) {
            (Some(id), _) => {
                let agent = inner.agent_for(caller, id).await?;
                if agent.user_id != person {
                    return Err(Error::NotFound("agent"));
                }
                (agent.organization_id, Role::Agent)
            }
            (None, Some(organization)) => {
                let is_key = matches!(shown(caller), Shown::Key(_));
                let place = inner.place_of(person, Some(organization)).await?;
                let own = organization_of(caller)?;
                // A key is for one organization, and so is what it makes.
                if is_key && place.organization.id != *own.id {
                    return Err(Error::NotFound("organization"));
                }
                let role = Role::parse(&place.role).unwrap_or(Role::Viewer);
                (place.organization.id, role)
            }
            (None, None) => {
                let own = organization_of(caller)?;
                (own.id.to_string(), caller.grants().role)
            }
        };
        let own = giving(caller);
        let scopes = match key.scopes {
            None => capped(&own, role),
            Some(wanted) if own.cover(&wanted) => {
                if capped(&wanted, role) != wanted {
                    return Err(Error::needs_role("another role"));
                }
                wanted
            }
            Some(_) => return Err(Error::needs_role("a token with all of the key's scopes")),
        };
        if scopes.as_slice().is_empty() {
            return Err(Error::invalid("scopes", "must name at least one"));
        }
        let now_ms = inner.now_ms();
        let token = TokenKind::ApiKey.random(&*inner.parts.entropy);
        let row = KeyRow {
            id: inner.new_key_id(),
            hash: hash_of(token.expose()),
            user_id: person.to_owned(),
            organization_id: organization,
            agent_id: key.agent,
            name,
            scopes: scopes.to_string(),
            created_ms: now_ms,
            expires_ms: now_ms + ms(lifetime),
            ..KeyRow::default()
        };
        inner.record("key.created", &key_note(caller, &row))?;
        match inner.parts.database.insert_key(&row, KEYS_PER_USER).await? {
            KeyMade::Made => {}
            KeyMade::Full => return Err(FULL),
            KeyMade::Refused => return Err(Error::NotFound("organization")),
        }
        let key = inner.key_view(row, false).await?;
        Ok(MadeKey { token, key })
    }

    /// Revokes an API key: one's own, or anybody's for an administrator. The key that is shown may
    /// always revoke itself.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none that is good, or it is somebody else's.
    pub async fn revoke_key(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let inner = &self.inner;
        let id = text::known("key", id)?;
        let missing = Error::NotFound("key");
        let row = inner.parts.database.key(id).await?;
        let row = row.filter(|row| row.revoked_ms.is_none());
        let Some(row) = row else {
            return Err(missing);
        };
        let grants = caller.grants();
        if grants.credential_id.as_deref() != Some(id) {
            let own = grants
                .person
                .as_ref()
                .is_some_and(|it| *it.id == row.user_id);
            if !(own && reaches(caller, &row)) && administers(caller).is_err() {
                return Err(missing);
            }
            manages(caller)?;
            inner.check_others_rank(caller, &row.user_id).await?;
        }
        inner.record("key.revoked", &key_note(caller, &row))?;
        let revoked = inner.parts.database.revoke_key(id, inner.now_ms()).await?;
        inner.beliefs.forget();
        revoked.then_some(()).ok_or(missing)
    }
}

pub(crate) const FULL: Error = Error::Full {
    what: "API keys",
    most: KEYS_PER_USER,
};

/// Whether a key is in reach of a caller whose person's it is: a key sees its own organization.
fn reaches(caller: &Caller, row: &KeyRow) -> bool {
    let own = caller.grants().organization.as_ref();
    !matches!(shown(caller), Shown::Key(_)) || own.is_some_and(|it| *it.id == row.organization_id)
}

fn key_note<'a>(caller: &'a Caller, row: &'a KeyRow) -> Note<'a> {
    Note {
        user: Some(&row.user_id),
        organization: Some(&row.organization_id),
        agent: row.agent_id.as_deref(),
        id: Some(&row.id),
        name: Some(&row.name),
        scopes: Some(row.scopes.clone()),
        ..Note::by(caller)
    }
}

/// How long a key is good for: never for ever, and never for no time.
pub(crate) fn lifetime(asked: Option<Duration>, default: Duration) -> Result<Duration, Error> {
    let lifetime = asked.unwrap_or(default);
    if (KEY_LIFETIME_MIN..=KEY_LIFETIME_MAX).contains(&lifetime) {
        return Ok(lifetime);
    }
    let most = KEY_LIFETIME_MAX.as_secs() / (24 * 60 * 60);
    Err(Error::invalid(
        "expires_in",
        format!("must be between a minute and {most} days"),
    ))
}

impl Inner {
    pub(crate) fn new_key_id(&self) -> String {
        self.new_id(KEY)
    }

    pub(crate) async fn key_view(&self, row: KeyRow, current: bool) -> Result<KeyView, Error> {
        let database = &self.parts.database;
        let organization = database.organization(&row.organization_id).await?;
        let user = database.user(&row.user_id).await?;
        let agent = match &row.agent_id {
            Some(id) => database.agent(id).await?.map(|agent| agent.name),
            None => None,
        };
        let place = KeyPlace {
            key: row,
            organization: organization.map(|it| it.slug),
            agent,
        };
        view(place, user.map(|it| it.email).unwrap_or_default(), current)
    }
}

fn view(place: KeyPlace, email: String, current: bool) -> Result<KeyView, Error> {
    let row = place.key;
    Ok(KeyView {
        id: row.id,
        name: row.name,
        scopes: Scopes::parse(&row.scopes).map_err(|_| Error::internal("read scopes"))?,
        organization: place.organization.unwrap_or_default(),
        email,
        agent: place.agent,
        created: moment(row.created_ms),
        expires: moment(row.expires_ms),
        used: row.used_ms.map(moment),
        used_from: row.used_address,
        current,
    })
}
