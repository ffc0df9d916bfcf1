//! Invitations: how somebody comes into an organization.

use std::sync::Arc;

use wharf_model::{Caller, Role, Secret};
use wharf_store::db::{InvitationRow, UserMade};

use crate::identity::Inner;
use crate::limits::{INVITATION_LIFETIME, INVITATIONS_OPEN, TRIES_PER_MINUTE};
use crate::lockout::Tried;
use crate::organizations::{BUSY, FULL, PLACES};
use crate::record::Note;
use crate::text::{self, code_hash, moment, ms, network_of, one_time_code};
use crate::users::TAKEN;
use crate::views::{InvitationView, LoggedIn, MadeInvitation, Peer};
use crate::{Error, Identity, Letter};

impl Identity {
    /// The invitations of an organization that wait.
    ///
    /// # Errors
    /// When the caller does not administer it.
    pub async fn invitations(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<Vec<InvitationView>, Error> {
        let inner = &self.inner;
        let (row, _) = inner.administered(caller, organization).await?;
        let rows = inner.parts.database.invitations(&row.id, inner.now_ms());
        Ok(rows.await?.into_iter().map(view).collect())
    }

    /// Invites somebody, in place of an older invitation for them. It is mailed where there is a
    /// way to; the code is given to whoever invites in any case.
    ///
    /// # Errors
    /// When the caller does not administer the organization; [`Error::Full`].
    pub async fn invite(
        &self,
        caller: &Caller,
        organization: &str,
        email: &str,
        role: Role,
    ) -> Result<MadeInvitation, Error> {
        let inner = &self.inner;
        let (organization, own) = inner.administered(caller, organization).await?;
        if role == Role::Agent {
            inner.check_role(caller, role)?;
        }
        if role == Role::Owner && own != Role::Owner {
            return Err(Error::needs_role("an owner"));
        }
        let code = one_time_code(&*inner.parts.entropy);
        let now_ms = inner.now_ms();
        let row = InvitationRow {
            id: inner.new_id("inv_"),
            organization_id: organization.id,
            email: text::email(email)?,
            role: role.as_str().to_owned(),
            invited_by: caller.person().to_owned(),
            created_ms: now_ms,
            expires_ms: now_ms + ms(INVITATION_LIFETIME),
            code_hash: code_hash(&code).ok_or(Error::internal("make a code"))?,
        };
        let note = Note {
            organization: Some(&row.organization_id),
            id: Some(&row.id),
            name: Some(&row.email),
            role: Some(role.as_str()),
            ..Note::by(caller)
        };
        inner.record("invitation.created", &note)?;
        let database = &inner.parts.database;
        if !database.insert_invitation(&row, INVITATIONS_OPEN).await? {
            return Err(Error::Full {
                what: "invitations that wait",
                most: INVITATIONS_OPEN,
            });
        }
        let mailed = inner.mail_invitation(&row, &organization.name, &code);
        Ok(MadeInvitation {
            code,
            invitation: view(row),
            mailed,
        })
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn revoke_invitation(
        &self,
        caller: &Caller,
        organization: &str,
        id: &str,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let (row, _) = inner.administered(caller, organization).await?;
        let id = text::known("invitation", id)?;
        let database = &inner.parts.database;
        let waiting = database.invitations(&row.id, inner.now_ms()).await?;
        let found = waiting.into_iter().find(|it| it.id == id);
        let found = found.ok_or(Error::NotFound("invitation"))?;
        let note = Note {
            organization: Some(&row.id),
            id: Some(&found.id),
            name: Some(&found.email),
            ..Note::by(caller)
        };
        inner.record("invitation.revoked", &note)?;
        let removed = database.remove_invitation(&row.id, &found.id).await?;
        removed.then_some(()).ok_or(Error::NotFound("invitation"))
    }

    /// Follows an invitation and begins a login: with a new account, or with the password of the
    /// account that the address has.
    ///
    /// # Errors
    /// [`Error::WrongCode`]; [`Error::WrongCredentials`] when the account is there and the password
    /// is not its; then the invitation is good still.
    pub async fn accept_invitation(
        &self,
        code: &Secret,
        username: Option<&str>,
        password: &Secret,
        peer: &Peer,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        let network = Tried::new("code-from", &network_of(peer));
        inner.spend(&network, TRIES_PER_MINUTE).await?;
        let (database, now_ms) = (&inner.parts.database, inner.now_ms());
        let hash = code_hash(code).ok_or(Error::WrongCode)?;
        let Some(row) = database.invitation(&hash, now_ms).await? else {
            inner.record("invitation.failed", &Note::from(peer))?;
            return Err(Error::WrongCode);
        };
        let there = database.user_by_email(&row.email).await?;
        let new = there.is_none();
        let user = match there {
            Some(_) => inner.prove(&row.email, password, peer).await?,
            None => {
                let new = inner.checked(&row.email, username, Some(password))?;
                inner.with_password(new, Some(password)).await?
            }
        };
        let note = Note {
            user: Some(&user.id),
            organization: Some(&row.organization_id),
            id: Some(&row.id),
            name: Some(&row.email),
            role: Some(&row.role),
            ..Note::from(peer)
        };
        inner.record("invitation.accepted", &note)?;
        let accepted = database.accept_invitation(&row, &user, new, PLACES, now_ms);
        match accepted.await? {
            UserMade::Made => {}
            UserMade::Full => return Err(FULL),
            UserMade::Busy => return Err(BUSY),
            UserMade::Taken => return Err(TAKEN),
            UserMade::Refused => return Err(Error::WrongCode),
        }
        inner.give_back(&network, TRIES_PER_MINUTE).await?;
        let organization = Some(row.organization_id.as_str());
        inner.begin_login(&user, organization, peer).await
    }
}

impl Inner {
    /// Whether a mail is on its way.
    fn mail_invitation(&self, row: &InvitationRow, organization: &str, code: &Secret) -> bool {
        let permit = Arc::clone(&self.mailing).try_acquire_owned();
        let (Some(mail), Ok(permit)) = (self.parts.mail.clone(), permit) else {
            return false;
        };
        let place = match &self.options.public_url {
            Some(url) => format!("Follow it at {url}/invitation"),
            None => "Follow it at the server".to_owned(),
        };
        let text = format!(
            "{} invites you to {organization} on Wharf.\n\nYour code: {}\n\n\
             {place}. It is good for seven days, once.\n",
            row.invited_by,
            code.expose()
        );
        let letter = Letter {
            to: row.email.clone(),
            subject: "An invitation".to_owned(),
            text: Secret::new(text),
        };
        self.tasks.spawn(async move {
            let _permit = permit;
            if let Err(error) = mail.send(letter).await {
                tracing::warn!(%error, "cannot mail an invitation");
            }
        });
        true
    }
}

fn view(row: InvitationRow) -> InvitationView {
    InvitationView {
        id: row.id,
        email: row.email,
        role: Role::parse(&row.role).unwrap_or(Role::Viewer),
        by: row.invited_by,
        created: moment(row.created_ms),
        expires: moment(row.expires_ms),
    }
}
