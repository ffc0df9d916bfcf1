//! Accounts of people.

use wharf_model::{Caller, Role, Secret};
use wharf_store::db::{Ending, Membership, OrganizationRow, UserMade, UserRow};

use crate::identity::{Inner, Shown, administers, manages, person_of, shown};
use crate::limits::{FIRST_RUN_LIFETIME, MEMBERS_MAX, TRIES_PER_MINUTE, USERS_MAX};
use crate::lockout::Tried;
use crate::logins::place_among;
use crate::organizations::FULL;
use crate::quotas::limits_from;
use crate::record::Note;
use crate::text::{self, code_hash, moment, ms, network_of, one_time_code};
use crate::views::{LoggedIn, MeView, MembershipView, NewUser, Peer, UserChange, UserView};
use crate::{Ended, Error, Identity, Whose};

/// The short name of the server's own organization.
pub const HOME_SLUG: &str = "main";
/// Accounts that one address may make in a minute, where anybody may.
const REGISTRATIONS_PER_MINUTE: u32 = 60;

impl Identity {
    /// Whether there is any account.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_users(&self) -> Result<bool, Error> {
        Ok(self.inner.parts.database.count_users().await? > 0)
    }

    /// A new code for the first account, in place of an older one; none when there is an account.
    /// To be shown on the server's own terminal.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first_run_code(&self) -> Result<Option<Secret>, Error> {
        if self.has_users().await? {
            return Ok(None);
        }
        let inner = &self.inner;
        let code = one_time_code(&*inner.parts.entropy);
        let hash = code_hash(&code).ok_or(Error::internal("make a code"))?;
        inner.record("first_run.offered", &Note::default())?;
        let now_ms = inner.now_ms();
        let times = (now_ms, now_ms + ms(FIRST_RUN_LIFETIME));
        inner
            .parts
            .database
            .put_code("first", "", &hash, times)
            .await?;
        Ok(Some(code))
    }

    /// Makes the first account, the server's own organization and its owner, by that code, and
    /// begins a login.
    ///
    /// # Errors
    /// [`Error::WrongCode`], also when there is an account by now.
    pub async fn first(
        &self,
        code: &Secret,
        email: &str,
        username: Option<&str>,
        password: &Secret,
        peer: &Peer,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        let new = inner.checked(email, username, Some(password))?;
        let tried = Tried::new("first-run", &network_of(peer));
        inner.spend(&tried, TRIES_PER_MINUTE).await?;
        let hash = code_hash(code).ok_or(Error::WrongCode)?;
        let now_ms = inner.now_ms();
        if !inner
            .parts
            .database
            .has_code("first", &hash, now_ms)
            .await?
        {
            inner.record("first_run.failed", &Note::from(peer))?;
            return Err(Error::WrongCode);
        }
        let row = inner.with_password(new, Some(password)).await?;
        let user = inner.make_first(row, Some(&hash), Note::from(peer)).await?;
        inner.give_back(&tried, TRIES_PER_MINUTE).await?;
        inner.begin_login(&user, None, peer).await
    }

    /// Makes an account, where anybody may. The answer is its id.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Conflict`] when the address or the name is taken.
    pub async fn register(
        &self,
        email: &str,
        username: Option<&str>,
        password: &Secret,
        peer: &Peer,
    ) -> Result<String, Error> {
        let inner = &self.inner;
        let home = inner.parts.database.home_organization().await?;
        let home = home.filter(|_| inner.options.registration);
        let home = home.ok_or(Error::Closed)?;
        let new = inner.checked(email, username, Some(password))?;
        let tried = Tried::new("register-from", &network_of(peer));
        inner.spend(&tried, REGISTRATIONS_PER_MINUTE).await?;
        let row = inner.with_password(new, Some(password)).await?;
        let note = Note::from(peer);
        let user = inner.make(row, &home, Role::Member, note).await?;
        Ok(user.id)
    }

    /// The account behind a caller.
    ///
    /// # Errors
    /// When the caller has no account.
    pub async fn me(&self, caller: &Caller) -> Result<MeView, Error> {
        let inner = &self.inner;
        let user = inner.parts.database.user(person_of(caller)?).await?;
        let user = user.ok_or(Error::unauthenticated("its account is not known"))?;
        let organization = caller.grants().organization.as_ref().map(|it| &*it.id);
        let database = &inner.parts.database;
        let places = database.memberships(&user.id).await?;
        let place = place_among(&places, organization)?;
        let credential = caller.grants().credential_id.as_deref().unwrap_or_default();
        let expires_ms = match shown(caller) {
            Shown::Login(id) => database.login(id).await?.map(|row| row.expires_ms),
            Shown::Key(id) => database.key(id).await?.map(|row| row.expires_ms),
            Shown::External | Shown::Nothing => None,
        };
        Ok(MeView {
            organization: membership_view(place),
            user: user_view(user, &places),
            credential: credential.to_owned(),
            expires: expires_ms.map(moment),
        })
    }

    /// All accounts by id, for an administrator; after the one with this id where one is given.
    ///
    /// # Errors
    /// When the caller is none.
    pub async fn users(
        &self,
        caller: &Caller,
        after: Option<&str>,
    ) -> Result<Vec<UserView>, Error> {
        administers(caller)?;
        let after = after.map(|it| text::known("user", it)).transpose()?;
        let database = &self.inner.parts.database;
        let rows = database.users(after).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let mut places = database.memberships_between(&first.id, &last.id).await?;
        let views = rows.into_iter().map(|row| {
            let theirs = places.remove(&row.id).unwrap_or_default();
            user_view(row, &theirs)
        });
        Ok(views.collect())
    }

    /// One account by id or address: one's own, or any for an administrator.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or it is somebody else's.
    pub async fn user(&self, caller: &Caller, user: &str) -> Result<UserView, Error> {
        let row = self.inner.user_for(caller, user).await?;
        self.inner.with_places(row).await
    }

    /// Makes an account, as an administrator. The first one makes the server's own organization
    /// as well and owns it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the address or the name is taken.
    pub async fn add_user(&self, caller: &Caller, user: NewUser) -> Result<UserView, Error> {
        administers(caller)?;
        let inner = &self.inner;
        let password = user.password.as_ref();
        let new = inner.checked(&user.email, user.username.as_deref(), password)?;
        let role = user.role.unwrap_or_default();
        inner.check_role(caller, role)?;
        let row = inner.with_password(new, password).await?;
        let database = &inner.parts.database;
        let home = database.home_organization().await?;
        let made = match home {
            None => inner.make_first(row, None, Note::by(caller)).await?,
            Some(home) => {
                let organization = match user.organization.as_deref() {
                    None => home,
                    Some(name) => {
                        let name = text::known("organization", name)?;
                        let found = database.organization(name).await?;
                        found.ok_or(Error::NotFound("organization"))?
                    }
                };
                inner
                    .make(row, &organization, role, Note::by(caller))
                    .await?
            }
        };
        inner.with_places(made).await
    }

    /// Changes an account: one's own name, or anything for an administrator.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the name is taken, or an organization would be left without an
    /// owner.
    pub async fn change_user(
        &self,
        caller: &Caller,
        user: &str,
        change: UserChange,
    ) -> Result<UserView, Error> {
        let inner = &self.inner;
        manages(caller)?;
        let row = inner.user_for(caller, user).await?;
        if change.disabled.is_some() {
            administers(caller)?;
            inner.check_rank(caller, &row.id).await?;
        }
        if let Some(username) = &change.username {
            let username = text::name("username", username)?;
            inner.check_others_rank(caller, &row.id).await?;
            let note = Note {
                user: Some(&row.id),
                ..Note::by(caller)
            };
            inner.record("user.renamed", &note)?;
            let key = username.to_lowercase();
            let database = &inner.parts.database;
            if !database.rename_user(&row.id, &username, &key).await? {
                return Err(TAKEN);
            }
        }
        match change.disabled {
            Some(true) if row.disabled_ms.is_none() => {
                self.remove_user(caller, &row.id).await?;
            }
            Some(false) if row.disabled_ms.is_some() => {
                let note = Note {
                    user: Some(&row.id),
                    ..Note::by(caller)
                };
                inner.record("user.enabled", &note)?;
                inner.parts.database.enable_user(&row.id).await?;
                inner.beliefs.forget();
            }
            _ => {}
        }
        self.user(caller, &row.id).await
    }

    /// Disables an account and revokes all it has. It is kept, so that its address is never
    /// somebody else's.
    ///
    /// # Errors
    /// [`Error::Conflict`] when an organization would be left without an owner.
    pub async fn remove_user(&self, caller: &Caller, user: &str) -> Result<Ended, Error> {
        administers(caller)?;
        let inner = &self.inner;
        let row = inner.user_for(caller, user).await?;
        inner.check_rank(caller, &row.id).await?;
        let note = Note {
            user: Some(&row.id),
            ..Note::by(caller)
        };
        inner.record("user.disabled", &note)?;
        let ending = inner.parts.database.disable_user(&row.id, inner.now_ms());
        let ending = ending.await?;
        inner.beliefs.forget();
        match ending {
            Ending::Done => Ok(Ended {
                whose: Whose::Person,
                id: row.id,
            }),
            Ending::LastOwner | Ending::LastPlace => Err(LAST_OWNER),
            Ending::Missing => Err(Error::NotFound("user")),
        }
    }
}

pub(crate) const TAKEN: Error = Error::Conflict("the email or username is already registered");
pub(crate) const LAST_OWNER: Error =
    Error::Conflict("an organization would be left without an owner who can act");

/// A new account, checked.
pub(crate) struct Checked {
    email: String,
    username: String,
}

impl Inner {
    pub(crate) fn checked(
        &self,
        email: &str,
        username: Option<&str>,
        password: Option<&Secret>,
    ) -> Result<Checked, Error> {
        let email = text::email(email)?;
        let username = match username {
            Some(username) => text::name("username", username)?,
            None => email.chars().take(crate::limits::NAME_CHARS_MAX).collect(),
        };
        if let Some(password) = password {
            text::new_password(password)?;
        }
        Ok(Checked { email, username })
    }

    /// The row of a new account.
    pub(crate) async fn with_password(
        &self,
        new: Checked,
        password: Option<&Secret>,
    ) -> Result<UserRow, Error> {
        if self.parts.database.count_users().await? >= i64::from(USERS_MAX) {
            return Err(Error::Full {
                what: "accounts",
                most: USERS_MAX,
            });
        }
        let entropy = &*self.parts.entropy;
        let password = match password {
            Some(password) => Some(self.passwords.hash(password, entropy).await?),
            None => None,
        };
        Ok(UserRow {
            id: text::uuid(entropy),
            email: new.email,
            username_key: new.username.to_lowercase(),
            username: new.username,
            password,
            created_ms: self.now_ms(),
            disabled_ms: None,
            limits: None,
        })
    }

    async fn make(
        &self,
        row: UserRow,
        organization: &OrganizationRow,
        role: Role,
        note: Note<'_>,
    ) -> Result<UserRow, Error> {
        let note = Note {
            user: Some(&row.id),
            organization: Some(&organization.id),
            name: Some(&row.email),
            role: Some(role.as_str()),
            ..note
        };
        self.record("user.created", &note)?;
        let database = &self.parts.database;
        match database
            .insert_user(&row, &organization.id, role.as_str(), MEMBERS_MAX)
            .await?
        {
            UserMade::Made => Ok(row),
            UserMade::Taken => Err(TAKEN),
            UserMade::Refused => Err(Error::NotFound("organization")),
            UserMade::Full | UserMade::Busy => Err(FULL),
        }
    }

    async fn make_first(
        &self,
        row: UserRow,
        code: Option<&str>,
        note: Note<'_>,
    ) -> Result<UserRow, Error> {
        let organization = OrganizationRow {
            id: self.new_id("org_"),
            slug: HOME_SLUG.to_owned(),
            name: HOME_SLUG.to_owned(),
            home: true,
            created_ms: row.created_ms,
            ..OrganizationRow::default()
        };
        let note = Note {
            user: Some(&row.id),
            organization: Some(&organization.id),
            name: Some(&row.email),
            role: Some(Role::Owner.as_str()),
            ..note
        };
        self.record("user.created", &note)?;
        let database = &self.parts.database;
        match database
            .insert_first_user(&row, &organization, code)
            .await?
        {
            UserMade::Made => Ok(row),
            UserMade::Taken => Err(TAKEN),
            // It is the first in an organization of its own, which has room.
            UserMade::Refused | UserMade::Full | UserMade::Busy => Err(Error::WrongCode),
        }
    }

    async fn with_places(&self, row: UserRow) -> Result<UserView, Error> {
        let places = self.parts.database.memberships(&row.id).await?;
        Ok(user_view(row, &places))
    }

    /// The account that a caller may look at: their own, or any for an administrator.
    pub(crate) async fn user_for(&self, caller: &Caller, user: &str) -> Result<UserRow, Error> {
        let user = text::known("user", user)?;
        let row = self.user_named(user).await?;
        let own = caller.grants().person.as_ref().map(|it| &*it.id);
        let row = row.filter(|row| own == Some(row.id.as_str()) || caller.administers());
        row.ok_or(Error::NotFound("user"))
    }

    /// An account by id or address.
    pub(crate) async fn user_named(&self, user: &str) -> Result<Option<UserRow>, Error> {
        let database = &self.parts.database;
        if user.contains('@') {
            return Ok(database.user_by_email(&user.to_ascii_lowercase()).await?);
        }
        Ok(database.user(user).await?)
    }

    /// Who only administers the server does nothing to those who own it: otherwise a new password
    /// for an owner would make an owner of any administrator.
    pub(crate) async fn check_rank(&self, caller: &Caller, user: &str) -> Result<(), Error> {
        if caller.grants().role == Role::Owner {
            return Ok(());
        }
        let places = self.parts.database.memberships(user).await?;
        let owns = |place: &Membership| place.organization.home && place.role == "owner";
        if places.iter().any(owns) {
            return Err(Error::needs_role("an owner"));
        }
        Ok(())
    }

    /// The same for what everybody may do to themselves.
    pub(crate) async fn check_others_rank(&self, caller: &Caller, user: &str) -> Result<(), Error> {
        let own = caller.grants().person.as_ref();
        if own.is_some_and(|own| *own.id == *user) {
            return Ok(());
        }
        self.check_rank(caller, user).await
    }

    /// Nobody gives more than they have, and a person is no agent.
    pub(crate) fn check_role(&self, caller: &Caller, role: Role) -> Result<(), Error> {
        if role == Role::Agent {
            let message = "must be owner, admin, member or viewer: agents are made for a person";
            return Err(Error::invalid("role", message));
        }
        if role == Role::Owner && caller.grants().role != Role::Owner {
            return Err(Error::needs_role("an owner"));
        }
        Ok(())
    }
}

pub(crate) fn membership_view(place: &Membership) -> MembershipView {
    MembershipView {
        organization: place.organization.id.clone(),
        slug: place.organization.slug.clone(),
        name: place.organization.name.clone(),
        role: Role::parse(&place.role).unwrap_or(Role::Viewer),
    }
}

/// An account with the places that it has.
pub(crate) fn user_view(row: UserRow, places: &[Membership]) -> UserView {
    let home = places.iter().find(|place| place.organization.home);
    let role = home.or(places.first()).and_then(|it| Role::parse(&it.role));
    UserView {
        id: row.id,
        email: row.email,
        username: row.username,
        role: role.unwrap_or(Role::Viewer),
        created: moment(row.created_ms),
        disabled: row.disabled_ms.is_some(),
        has_password: row.password.is_some(),
        limits: limits_from(row.limits.as_deref()),
        organizations: places.iter().map(membership_view).collect(),
    }
}
