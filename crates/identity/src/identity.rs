//! The one value that the rest of the program holds. What it can do is in a file for each topic.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use wharf_model::{Caller, Scope, random_text_id};

use crate::authenticate::EXTERNAL;
use crate::beliefs::Beliefs;
use crate::issuers::Issuers;
use crate::limits::ISSUERS_MAX;
use crate::passwords::Passwords;
use crate::signing::Signing;
use crate::{Error, Options, Parts};

/// Accounts and what opens doors. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) options: Options,
    pub(crate) passwords: Passwords,
    pub(crate) signing: Signing,
    pub(crate) issuers: Issuers,
    pub(crate) beliefs: Beliefs,
    /// Mail on its way.
    pub(crate) tasks: TaskTracker,
    pub(crate) mailing: Arc<Semaphore>,
}

/// Mails that are on their way at once; more are not sent.
const MAILS_AT_ONCE: usize = 16;
/// How long the end waits for mail on its way.
const CLOSE_MAX: Duration = Duration::from_secs(5);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// Puts it together. Nothing is made yet: the first signing key is when it is needed.
    ///
    /// # Errors
    /// When the options are of no use: an API key that is good for ever or for no time, too many
    /// issuers.
    pub fn open(parts: Parts, options: Options) -> Result<Self, Error> {
        crate::keys::lifetime(Some(options.key_lifetime), options.key_lifetime)?;
        if options.issuers.len() > ISSUERS_MAX {
            return Err(Error::invalid(
                "issuers",
                format!("must be at most {ISSUERS_MAX}"),
            ));
        }
        if options.issuers.iter().any(|it| it.url == options.issuer) {
            return Err(Error::invalid("issuers", "must not name this server"));
        }
        let inner = Inner {
            passwords: Passwords::new(options.password_cost),
            signing: Signing::default(),
            issuers: Issuers::new(&options.issuers),
            beliefs: Beliefs::default(),
            tasks: TaskTracker::new(),
            mailing: Arc::new(Semaphore::new(MAILS_AT_ONCE)),
            parts,
            options,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Waits for mail on its way, a few seconds at the most.
    pub async fn close(&self) {
        self.inner.tasks.close();
        let _waited = tokio::time::timeout(CLOSE_MAX, self.inner.tasks.wait()).await;
    }

    /// Deletes what has ended; to be called now and then. Says how many rows went.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn sweep(&self) -> Result<u64, Error> {
        let mut gone = 0;
        loop {
            let step = self
                .inner
                .parts
                .database
                .sweep_accounts(self.inner.now_ms());
            match step.await? {
                0 => return Ok(gone),
                step => gone += step,
            }
        }
    }
}

impl Inner {
    pub(crate) fn now_ms(&self) -> i64 {
        self.parts.clock.now().millis()
    }

    pub(crate) fn new_id(&self, prefix: &str) -> String {
        random_text_id(prefix, &*self.parts.entropy)
    }
}

/// What a caller showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown<'a> {
    /// An access token of the login with this id.
    Login(&'a str),
    /// The API key with this id, which is for one organization.
    Key(&'a str),
    /// A token of another issuer's.
    External,
    /// Nothing of an account.
    Nothing,
}

/// How the ids of logins begin.
pub(crate) const LOGIN: &str = "lgn_";
/// How the ids of keys begin.
pub(crate) const KEY: &str = "key_";

/// What a caller showed.
pub(crate) fn shown(caller: &Caller) -> Shown<'_> {
    match caller.grants().credential_id.as_deref() {
        Some(id) if id.starts_with(LOGIN) => Shown::Login(id),
        Some(id) if id.starts_with(KEY) => Shown::Key(id),
        Some(EXTERNAL) => Shown::External,
        _ => Shown::Nothing,
    }
}

/// The account's id of a caller who has one.
pub(crate) fn person_of(caller: &Caller) -> Result<&str, Error> {
    let person = caller.grants().person.as_ref();
    person
        .map(|person| &*person.id)
        .ok_or(Error::needs_role("a login with an account"))
}

/// Whether the caller's token is for looking after accounts, their own included.
pub(crate) fn manages(caller: &Caller) -> Result<(), Error> {
    if caller.grants().scopes.has(&Scope::Admin) {
        Ok(())
    } else {
        Err(Error::needs_scope("admin"))
    }
}

/// Whether the caller may look after the accounts of the whole server.
pub(crate) fn administers(caller: &Caller) -> Result<(), Error> {
    if !caller.grants().administrator {
        return Err(Error::needs_role("an administrator of this server"));
    }
    manages(caller)
}
