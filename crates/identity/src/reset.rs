//! New passwords: by the old one, or by a code that an administrator reads out or that is mailed.

use std::sync::Arc;

use wharf_model::{Caller, Secret};
use wharf_store::db::UserRow;

use crate::identity::{Inner, Shown, administers, manages, person_of, shown};
use crate::limits::{RESET_LETTERS_PER_MINUTE, RESET_LIFETIME, TRIES_PER_MINUTE};
use crate::lockout::Tried;
use crate::record::Note;
use crate::text::{self, code_hash, ms, network_of, one_time_code};
use crate::views::{LoggedIn, Peer};
use crate::{Error, Identity, Letter};

impl Identity {
    /// Sets another password, and ends all other logins. API keys stay.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`] when the old one is wrong; [`Error::Throttled`].
    pub async fn change_password(
        &self,
        caller: &Caller,
        old: &Secret,
        new: &Secret,
        peer: &Peer,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        person_of(caller)?;
        manages(caller)?;
        text::new_password(new)?;
        let user = inner.prove(caller.person(), old, peer).await?;
        let hash = inner.passwords.hash(new, &*inner.parts.entropy).await?;
        let note = Note {
            user: Some(&user.id),
            ..Note::by(caller)
        };
        inner.record("password.changed", &note)?;
        let shown = match shown(caller) {
            Shown::Login(id) => Some(id),
            _ => None,
        };
        let (database, now_ms) = (&inner.parts.database, inner.now_ms());
        database
            .set_password(&user.id, &hash, shown, now_ms)
            .await?;
        inner.beliefs.forget();
        Ok(())
    }

    /// Mails a code for a new password, if there is such an account and a way to send mail. The
    /// answer is the same whether or not, and does not wait for it.
    ///
    /// # Errors
    /// [`Error::Throttled`] when there were too many.
    pub async fn request_reset(&self, email: &str, peer: &Peer) -> Result<(), Error> {
        let inner = &self.inner;
        let network = Tried::new("reset-from", &network_of(peer));
        inner.spend(&network, TRIES_PER_MINUTE).await?;
        let email = text::email(email)?;
        let permit = Arc::clone(&inner.mailing).try_acquire_owned();
        let (Some(mail), Ok(permit)) = (inner.parts.mail.clone(), permit) else {
            return Ok(());
        };
        let (task, peer) = (Arc::clone(inner), peer.clone());
        inner.tasks.spawn(async move {
            let _permit = permit;
            let letter = match task.letter(&email, &peer).await {
                Ok(Some(letter)) => letter,
                Ok(None) => return,
                Err(error) => return tracing::warn!(%error, "cannot make a code for a password"),
            };
            if let Err(error) = mail.send(letter).await {
                tracing::warn!(%error, "cannot mail a code for a password");
            }
        });
        Ok(())
    }

    /// Sets a new password by a code, ends all logins and begins one.
    ///
    /// # Errors
    /// [`Error::WrongCode`]; [`Error::Throttled`] when there were too many tries.
    pub async fn reset(
        &self,
        code: &Secret,
        password: &Secret,
        peer: &Peer,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        text::new_password(password)?;
        let network = Tried::new("code-from", &network_of(peer));
        inner.spend(&network, TRIES_PER_MINUTE).await?;
        let (database, now_ms) = (&inner.parts.database, inner.now_ms());
        let hash = code_hash(code).ok_or(Error::WrongCode)?;
        if !database.has_code("reset", &hash, now_ms).await? {
            inner.record("password.reset_failed", &Note::from(peer))?;
            return Err(Error::WrongCode);
        }
        let kept = inner
            .passwords
            .hash(password, &*inner.parts.entropy)
            .await?;
        inner.record("password.reset", &Note::from(peer))?;
        let user = database.reset_password(&hash, &kept, now_ms).await?;
        let user = user.ok_or(Error::WrongCode)?;
        inner.beliefs.forget();
        inner.give_back(&network, TRIES_PER_MINUTE).await?;
        let user = database.user(&user).await?.ok_or(Error::WrongCode)?;
        inner.succeed(&Tried::new("login-as", &user.email)).await?;
        inner.begin_login(&user, None, peer).await
    }

    /// A code for a new password, for an administrator to read out. It is good for an hour, once.
    ///
    /// # Errors
    /// When the caller is none; [`Error::NotFound`].
    pub async fn reset_code(&self, caller: &Caller, user: &str) -> Result<Secret, Error> {
        administers(caller)?;
        let inner = &self.inner;
        let user = inner.user_for(caller, user).await?;
        inner.check_rank(caller, &user.id).await?;
        if user.disabled_ms.is_some() {
            return Err(Error::Conflict("the account is disabled"));
        }
        let note = Note {
            user: Some(&user.id),
            ..Note::by(caller)
        };
        inner.make_reset_code(&user, &note).await
    }
}

impl Inner {
    async fn make_reset_code(&self, user: &UserRow, note: &Note<'_>) -> Result<Secret, Error> {
        let code = one_time_code(&*self.parts.entropy);
        let hash = code_hash(&code).ok_or(Error::internal("make a code"))?;
        self.record("password.code_made", note)?;
        let now_ms = self.now_ms();
        let times = (now_ms, now_ms + ms(RESET_LIFETIME));
        let database = &self.parts.database;
        database.put_code("reset", &user.id, &hash, times).await?;
        Ok(code)
    }

    async fn letter(&self, email: &str, peer: &Peer) -> Result<Option<Letter>, Error> {
        let user = self.parts.database.user_by_email(email).await?;
        let Some(user) = user.filter(|user| user.disabled_ms.is_none()) else {
            return Ok(None);
        };
        // Here, where nobody sees it: whoever asks learns nothing of who has an account.
        let tried = Tried::new("reset-for", &user.id);
        match self.spend(&tried, RESET_LETTERS_PER_MINUTE).await {
            Ok(()) => {}
            Err(Error::Throttled { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let note = Note {
            user: Some(&user.id),
            ..Note::from(peer)
        };
        let code = self.make_reset_code(&user, &note).await?;
        let place = match &self.options.public_url {
            Some(url) => format!("Type it at {url}/reset, or into `wharf auth password --code`"),
            None => "Type it into `wharf auth password --code`, or at the server's page /reset"
                .to_owned(),
        };
        let text = format!(
            "Somebody, probably you, asked for a new password for your Wharf account.\n\n\
             Your code: {}\n\n{place}. It is good for one hour, once.\n\
             If it was not you, nothing needs to be done.\n",
            code.expose()
        );
        Ok(Some(Letter {
            to: user.email,
            subject: "Your code for a new password".to_owned(),
            text: Secret::new(text),
        }))
    }
}
