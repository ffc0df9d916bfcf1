//! From a token to a caller.

use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use wharf_model::{
    Caller, Grants, Organization, Person, Quotas, Role, Scope, Scopes, Secret, TokenKind,
};
use wharf_store::db::PrincipalRow;

use crate::identity::{Inner, KEY, LOGIN, Shown, shown};
use crate::issuers::vouched;
use crate::jwt::Unverified;
use crate::limits::USED_EVERY;
use crate::quotas::limits_from;
use crate::text::{address_of, hash_of, ms};
use crate::views::Peer;
use crate::{EXPIRED, Error, Identity};

/// What the credential of an external issuer is called.
pub(crate) const EXTERNAL: &str = "external";

impl Identity {
    /// Who shows this token: an API key, an access token of ours, or one of an external issuer.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when it is not good; when the database does not answer.
    pub async fn authenticate(&self, token: &Secret, peer: &Peer) -> Result<Caller, Error> {
        let inner = &self.inner;
        let kind = TokenKind::of(token.expose());
        let key = match kind {
            // What is mistyped is known as that without asking anybody.
            Some(TokenKind::ApiKey) => Some(TokenKind::ApiKey.parse(token.expose())),
            Some(_) => return Err(Error::unauthenticated("it is for something else")),
            None => None,
        };
        let key = key.transpose();
        let key = key.map_err(|_| Error::unauthenticated("it is cut or mistyped"))?;
        let hash = hash_of(key.as_ref().unwrap_or(token).expose());
        let (now_ms, age) = (inner.now_ms(), inner.beliefs.age());
        if let Some(caller) = inner.beliefs.get(&hash, now_ms) {
            return Ok(caller);
        }
        let (caller, expires_ms) = match key {
            Some(_) => inner.by_key(&hash, peer).await?,
            None => inner.by_jwt(token, peer).await?,
        };
        inner.beliefs.put(age, hash, &caller, now_ms, expires_ms);
        Ok(caller)
    }

    /// Whom the credential with this id, which `name` showed once, stands for by now; nobody where it
    /// has ended, or is somebody else's. A token of another issuer's counts for as long as its
    /// person is there: it is not known here when it ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn holder(&self, credential: &str, name: &str) -> Result<Option<Caller>, Error> {
        let inner = &self.inner;
        let database = &inner.parts.database;
        let row = if credential.starts_with(KEY) {
            database.key_principal_of(credential).await?
        } else if credential.starts_with(LOGIN) {
            database.login_principal(credential).await?
        } else if credential == EXTERNAL {
            let email = name.split('/').nth(1).unwrap_or_default();
            let row = database.person_principal(email).await?;
            row.map(|row| PrincipalRow {
                credential_id: EXTERNAL.to_owned(),
                expires_ms: i64::MAX,
                ..row
            })
        } else {
            None
        };
        let Some(row) = row else {
            return Ok(None);
        };
        match inner.caller_of(&row) {
            Ok(caller) => Ok(Some(caller).filter(|caller| caller.name() == name)),
            Err(Error::Unauthenticated { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    async fn by_key(&self, hash: &str, peer: &Peer) -> Result<(Caller, i64), Error> {
        let unknown = Error::unauthenticated("it is not known");
        let row = self.parts.database.key_principal(hash).await?;
        let Some(row) = row else {
            return Err(unknown);
        };
        // The database found it by its hash; that both are the same is not left to it.
        let kept = row.hash.as_deref().unwrap_or_default();
        if !bool::from(kept.as_bytes().ct_eq(hash.as_bytes())) {
            return Err(unknown);
        }
        let caller = self.caller_of(&row)?;
        if self.is_to_be_touched(&row) {
            let (id, address) = (&row.credential_id, address_of(peer));
            let touched = self.parts.database.touch_key(id, &address, self.now_ms());
            noted(touched.await);
        }
        Ok((caller, row.expires_ms))
    }

    async fn by_jwt(&self, token: &Secret, peer: &Peer) -> Result<(Caller, i64), Error> {
        let token = Unverified::parse(token.expose())?;
        let now_ms = self.now_ms();
        if token.issuer() != self.options.issuer {
            return self.by_external(token).await;
        }
        let id = token.key().unwrap_or_default();
        let key = self.verifying_key(id).await?;
        let key = key.ok_or(Error::unauthenticated("its key is not known"))?;
        let (claims, expires_ms) = token.verify(&key, &self.options.audience, now_ms)?;
        let row = self.parts.database.login_principal(&claims.sid).await?;
        let row = row.filter(|row| row.user_id == claims.sub);
        let row = row.ok_or(Error::unauthenticated("its login is not known"))?;
        let caller = self.caller_of(&row)?;
        if self.is_to_be_touched(&row) {
            let (id, address) = (&row.credential_id, address_of(peer));
            let touched = self.parts.database.touch_login(id, &address, now_ms);
            noted(touched.await);
        }
        Ok((caller, expires_ms))
    }

    async fn by_external(&self, token: Unverified<'_>) -> Result<(Caller, i64), Error> {
        let known = self.issuers.find(token.issuer());
        let known = known.ok_or(Error::unauthenticated("its issuer is not known"))?;
        let key = self.issuer_key(&known, token.key()).await?;
        let (claims, expires_ms) = token.verify(&key, &known.issuer.audience, self.now_ms())?;
        let email = vouched(&claims)?;
        let row = self.parts.database.person_principal(&email).await?;
        let row = row.map(|row| PrincipalRow {
            credential_id: EXTERNAL.to_owned(),
            credential: known.issuer.url.clone(),
            expires_ms,
            ..row
        });
        let row = row.ok_or(Error::unauthenticated("there is no account for it"))?;
        Ok((self.caller_of(&row)?, expires_ms))
    }

    /// The caller that a credential stands for, if it still does.
    pub(crate) fn caller_of(&self, row: &PrincipalRow) -> Result<Caller, Error> {
        let gone = |reason| Err(Error::unauthenticated(reason));
        if row.revoked_ms.is_some() {
            return gone("it was revoked");
        }
        if row.expires_ms <= self.now_ms() {
            return gone(EXPIRED);
        }
        if row.disabled_ms.is_some() {
            return gone("its account is disabled");
        }
        if row.deleted_ms.is_some() || row.agent_id.is_some() != row.agent.is_some() {
            return gone("what it is for is no more");
        }
        let Some(role) = row.role.as_deref().and_then(Role::parse) else {
            return gone("its person is no member any more");
        };
        let is_agent = row.agent.is_some();
        // An agent is never more than the person it acts for.
        let role = if is_agent && role.may_run() {
            Role::Agent
        } else {
            role
        };
        let scopes = match &row.scopes {
            Some(text) => Scopes::parse(text),
            None => Ok(Scopes::all()),
        };
        let scopes = scopes.map_err(|_| Error::internal("read a key's scopes"))?;
        Ok(Caller::of_account(Grants {
            person: Some(Person {
                id: Arc::from(row.user_id.as_str()),
                email: Arc::from(row.email.as_str()),
            }),
            agent: row.agent.as_deref().map(Arc::from),
            organization: Some(Organization {
                id: Arc::from(row.organization_id.as_str()),
                slug: Arc::from(row.slug.as_str()),
            }),
            home: row.home,
            credential: Some(Arc::from(row.credential.as_str())),
            credential_id: Some(Arc::from(row.credential_id.as_str())),
            scopes: capped(&scopes, role),
            administrator: row.home && role.may_administer() && !is_agent,
            role,
            limits: Quotas {
                person: limits_from(row.user_limits.as_deref()),
                organization: limits_from(row.organization_limits.as_deref()),
                agent: limits_from(row.agent_limits.as_deref()),
            },
        }))
    }

    fn is_to_be_touched(&self, row: &PrincipalRow) -> bool {
        let age = row.used_ms.map(|used| self.now_ms() - used);
        age.is_none_or(|age| age >= ms(USED_EVERY))
    }
}

/// What a caller may give away. What a login may is said by the role alone, and by the one in the
/// organization that something is made for; a key gives no more than it has.
pub(crate) fn giving(caller: &Caller) -> Scopes {
    match shown(caller) {
        Shown::Login(_) | Shown::External => Scopes::all(),
        Shown::Key(_) | Shown::Nothing => caller.grants().scopes.clone(),
    }
}

/// What of some scopes a role can have at all. What confines to sessions stays whatever the role
/// is: without it there would be more to see. That the role may run is asked besides.
pub(crate) fn capped(scopes: &Scopes, role: Role) -> Scopes {
    let confined = scopes.confine();
    scopes.only(|scope| match scope {
        Scope::Session(_) => confined || role.may_run(),
        Scope::Run | Scope::RunLow => role.may_run(),
        Scope::Admin => role != Role::Agent,
        Scope::Sync => true,
    })
}

/// That something was used is worth knowing and not worth failing for.
fn noted(touched: Result<(), wharf_store::db::DbError>) {
    if let Err(error) = touched {
        tracing::warn!(%error, "cannot write down when a credential was last used");
    }
}
