//! Logins: by password, gone on with by refresh tokens, ended.

use serde_json::{Map, Value};
use wharf_model::{Caller, Secret, TokenKind};
use wharf_store::db::{LoginRow, Membership, Rotation, RotationAsk, UserRow};

use crate::identity::{Inner, LOGIN, Shown, person_of, shown};
use crate::limits::{
    ADDRESS_KNOWN, LOGINS_PER_USER, PASSWORD_BYTES_MAX, REFRESH_GRACE, REFRESH_TOKENS_PER_LOGIN,
    TRIES_PER_MINUTE,
};
use crate::lockout::Tried;
use crate::record::Note;
use crate::text::{self, address_of, device_of, hash_of, moment, ms, network_of};
use crate::users::{membership_view, user_view};
use crate::views::{LoggedIn, LoginView, Peer};
use crate::{Error, Identity};

impl Identity {
    /// Begins a login by password, for the organization that is named or the one that the person
    /// joined first.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`] whether or not there is such an account, after the same work;
    /// [`Error::Throttled`] when there were too many tries.
    pub async fn login(
        &self,
        email: &str,
        password: &Secret,
        organization: Option<&str>,
        peer: &Peer,
    ) -> Result<LoggedIn, Error> {
        let user = self.inner.prove(email, password, peer).await?;
        self.inner.begin_login(&user, organization, peer).await
    }

    /// Goes on with a login. The token is used up: within 10 s it gets another successor, after
    /// that it ends the login, since somebody has a copy.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when it is not good.
    pub async fn refresh(&self, token: &Secret, peer: &Peer) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        let token = TokenKind::Refresh.parse(token.expose());
        let token = token.map_err(|_| Error::unauthenticated("it is no refresh token"))?;
        let successor = TokenKind::Refresh.random(&*inner.parts.entropy);
        let now_ms = inner.now_ms();
        let ask = RotationAsk {
            hash: &hash_of(token.expose()),
            successor: &hash_of(successor.expose()),
            now_ms,
            grace_ms: ms(REFRESH_GRACE),
            expires_ms: now_ms + ms(inner.options.refresh_lifetime),
            address: &address_of(peer),
            most: REFRESH_TOKENS_PER_LOGIN,
        };
        match inner.parts.database.rotate_refresh(ask).await? {
            Rotation::Done { login } => inner.logged_in(&login, Some(successor)).await,
            Rotation::Unknown => Err(Error::unauthenticated("it is not known")),
            Rotation::Ended => Err(Error::unauthenticated("its login has ended")),
            Rotation::Reused { login } => {
                let note = Note {
                    id: Some(&login),
                    ..Note::from(peer)
                };
                inner.record("login.reused", &note)?;
                inner.parts.database.revoke_login(&login, now_ms).await?;
                inner.beliefs.forget();
                Err(Error::unauthenticated("it was used before"))
            }
        }
    }

    /// Ends the login, or revokes the key, that the caller shows; with `all`, all logins of theirs
    /// as well.
    ///
    /// # Errors
    /// When the caller has no account; [`Error::Conflict`] for a token of another issuer's, which
    /// is not ours to end.
    pub async fn logout(&self, caller: &Caller, all: bool) -> Result<(), Error> {
        let inner = &self.inner;
        let person = person_of(caller)?;
        let id = match shown(caller) {
            Shown::Login(id) | Shown::Key(id) => id,
            Shown::External => {
                return Err(Error::Conflict("this token is its issuer's; end it there"));
            }
            Shown::Nothing => return Err(Error::needs_role("a login with an account")),
        };
        let note = Note {
            user: Some(person),
            id: Some(id),
            detail: all.then_some("all"),
            ..Note::by(caller)
        };
        inner.record("login.ended", &note)?;
        let now_ms = inner.now_ms();
        if matches!(shown(caller), Shown::Login(_)) {
            inner.parts.database.revoke_login(id, now_ms).await?;
        } else {
            inner.parts.database.revoke_key(id, now_ms).await?;
        }
        // An agent does not end what is its person's.
        if all && caller.grants().agent.is_none() {
            inner.parts.database.revoke_logins(person, now_ms).await?;
        }
        inner.beliefs.forget();
        Ok(())
    }

    /// The logins of a caller's person that are good, last used first.
    ///
    /// # Errors
    /// When the caller has no account.
    pub async fn logins(&self, caller: &Caller) -> Result<Vec<LoginView>, Error> {
        let person = person_of(caller)?;
        let rows = self
            .inner
            .parts
            .database
            .logins(person, self.inner.now_ms());
        let current = caller.grants().credential_id.as_deref();
        let views = rows.await?.into_iter().map(|row| LoginView {
            current: current == Some(row.id.as_str()),
            id: row.id,
            device: row.device,
            address: row.address,
            created: moment(row.created_ms),
            used: moment(row.used_ms),
            expires: moment(row.expires_ms),
        });
        Ok(views.collect())
    }

    /// Ends one of them.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not theirs, or has ended.
    pub async fn revoke_login(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let inner = &self.inner;
        let person = person_of(caller)?;
        let current = caller.grants().credential_id.as_deref();
        if current != Some(id) {
            crate::identity::manages(caller)?;
        }
        let id = text::known("session", id)?;
        let row = inner.parts.database.login(id).await?;
        let row = row.filter(|row| row.user_id == person && row.revoked_ms.is_none());
        let row = row.ok_or(Error::NotFound("session"))?;
        let note = Note {
            user: Some(person),
            id: Some(&row.id),
            ..Note::by(caller)
        };
        inner.record("login.ended", &note)?;
        inner
            .parts
            .database
            .revoke_login(&row.id, inner.now_ms())
            .await?;
        inner.beliefs.forget();
        Ok(())
    }

    /// Lets the caller's login be for another organization of theirs. The refresh token that
    /// belongs to it stays as it is, and the answer has none.
    ///
    /// # Errors
    /// [`Error::NotFound`] when they do not belong to it; [`Error::Forbidden`] for a key, which is
    /// for one organization.
    pub async fn switch_organization(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        let person = person_of(caller)?;
        let Shown::Login(login) = shown(caller) else {
            return Err(Error::needs_role("a login by password"));
        };
        let membership = inner.place_of(person, Some(organization)).await?;
        let note = Note {
            organization: Some(&membership.organization.id),
            id: Some(login),
            ..Note::by(caller)
        };
        inner.record("login.moved", &note)?;
        let database = &inner.parts.database;
        database
            .move_login(login, &membership.organization.id)
            .await?;
        inner.beliefs.forget();
        inner.logged_in(login, None).await
    }
}

impl Inner {
    /// The account that an address and a password prove. All that is done for a wrong password is
    /// done for an unknown address.
    pub(crate) async fn prove(
        &self,
        email: &str,
        password: &Secret,
        peer: &Peer,
    ) -> Result<UserRow, Error> {
        let network = Tried::new("login-from", &network_of(peer));
        self.spend(&network, TRIES_PER_MINUTE).await?;
        // What is no address has no account; it is tried like one that nobody has.
        let email = text::email(email).unwrap_or_default();
        let database = &self.parts.database;
        let user = database.user_by_email(&email).await?;
        let user = user.filter(|user| user.disabled_ms.is_none());
        let id = user.as_ref().map_or("", |user| user.id.as_str());
        let (address, since_ms) = (address_of(peer), self.now_ms() - ms(ADDRESS_KNOWN));
        // Where the person has been before they are counted apart, so that nobody can lock them
        // out from elsewhere.
        let tried = if database.knows_address(id, &address, since_ms).await? {
            Tried::new("login-known", &format!("{id} {address}"))
        } else {
            Tried::new("login-as", &email)
        };
        self.fail(&tried).await?;
        let kept = user.as_ref().and_then(|user| user.password.as_deref());
        let fits = password.expose().len() <= PASSWORD_BYTES_MAX;
        let right = self
            .passwords
            .verify(password, kept.filter(|_| fits))
            .await?;
        let Some(user) = user else {
            self.record("login.failed", &Note::from(peer))?;
            return Err(Error::WrongCredentials);
        };
        if !right {
            let note = Note {
                user: Some(&user.id),
                ..Note::from(peer)
            };
            self.record("login.failed", &note)?;
            return Err(Error::WrongCredentials);
        }
        self.succeed(&tried).await?;
        self.give_back(&network, TRIES_PER_MINUTE).await?;
        self.rehash(&user, password).await?;
        Ok(user)
    }

    /// Keeps a password at the present cost, now that it is known.
    async fn rehash(&self, user: &UserRow, password: &Secret) -> Result<(), Error> {
        let kept = user.password.as_deref();
        let Some(old) = kept.filter(|kept| self.passwords.is_outdated(kept)) else {
            return Ok(());
        };
        let new = self.passwords.hash(password, &*self.parts.entropy).await?;
        let database = &self.parts.database;
        Ok(database.rehash_password(&user.id, old, &new).await?)
    }

    /// A person's place in the organization that is named, or the one that they joined first.
    pub(crate) async fn place_of(
        &self,
        user: &str,
        organization: Option<&str>,
    ) -> Result<Membership, Error> {
        let places = self.parts.database.memberships(user).await?;
        place_among(&places, organization).cloned()
    }

    /// A login of somebody who has proved who they are.
    pub(crate) async fn begin_login(
        &self,
        user: &UserRow,
        organization: Option<&str>,
        peer: &Peer,
    ) -> Result<LoggedIn, Error> {
        let place = self.place_of(&user.id, organization).await?;
        let now_ms = self.now_ms();
        let refresh = TokenKind::Refresh.random(&*self.parts.entropy);
        let login = LoginRow {
            id: self.new_id(LOGIN),
            user_id: user.id.clone(),
            organization_id: place.organization.id.clone(),
            device: device_of(peer),
            address: address_of(peer),
            created_ms: now_ms,
            used_ms: now_ms,
            expires_ms: now_ms + ms(self.options.refresh_lifetime),
            revoked_ms: None,
        };
        let note = Note {
            user: Some(&user.id),
            organization: Some(&place.organization.id),
            id: Some(&login.id),
            ..Note::from(peer)
        };
        self.record("login.begun", &note)?;
        let hash = hash_of(refresh.expose());
        let database = &self.parts.database;
        database
            .insert_login(&login, &hash, LOGINS_PER_USER)
            .await?;
        self.logged_in(&login.id, Some(refresh)).await
    }

    /// What somebody gets who goes on with a login.
    async fn logged_in(&self, login: &str, refresh: Option<Secret>) -> Result<LoggedIn, Error> {
        let row = self.parts.database.login_principal(login).await?;
        let row = row.ok_or(Error::unauthenticated("its login is not known"))?;
        // Whoever may not show an access token gets none.
        self.caller_of(&row)?;
        let user = self.parts.database.user(&row.user_id).await?;
        let user = user.ok_or(Error::unauthenticated("its account is not known"))?;
        let places = self.parts.database.memberships(&user.id).await?;
        let place = place_among(&places, Some(&row.organization_id))?;
        let access = self.access_token(&user.id, login).await?;
        Ok(LoggedIn {
            access,
            access_lifetime: self.options.access_lifetime,
            refresh,
            refresh_lifetime: self.options.refresh_lifetime,
            login: login.to_owned(),
            organization: membership_view(place),
            user: user_view(user, &places),
        })
    }

    /// An access token of a login. It says whose it is and nothing of what they may: that is asked
    /// of the database, so that it is never out of date.
    async fn access_token(&self, user: &str, login: &str) -> Result<Secret, Error> {
        let now_ms = self.now_ms();
        let seconds = |ms: i64| Value::from(ms.div_euclid(1_000));
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", self.options.issuer.as_str().into());
        put("aud", self.options.audience.as_str().into());
        put("sub", user.into());
        put("sid", login.into());
        put("iat", seconds(now_ms));
        put("nbf", seconds(now_ms));
        put("exp", seconds(now_ms + ms(self.options.access_lifetime)));
        put("jti", self.new_id("").into());
        self.sign(claims).await
    }
}

/// Of a person's places the one in the organization that is named, or the first.
pub(crate) fn place_among<'a>(
    places: &'a [Membership],
    organization: Option<&str>,
) -> Result<&'a Membership, Error> {
    let wanted = |place: &&Membership| {
        organization.is_none_or(|it| place.organization.id == it || place.organization.slug == it)
    };
    places.iter().find(wanted).ok_or(match organization {
        Some(_) => Error::NotFound("organization"),
        None => Error::needs_role("a place in an organization"),
    })
}
