//! Conversations with other git repositories that profiles follow and are sent to.
//!
//! Each of them is a task that goes on when whoever asked for it is gone, and writes down how it
//! ended. What nobody waits for (a webhook came, a version was made) is done one after the other for
//! each profile, and once however often it was asked for meanwhile.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use wharf_profiles::upstream::{
    Address, Divergence, GitProgram, Host, Last, Outcome, Protocols, Pulled, Pushed, Settings,
    UpstreamError,
};
use wharf_profiles::{Author, Condition, Error, Owner, Profiles};

/// Profiles whose upstream is spoken with soon. A webhook of one more is told so, and a version of one
/// more is sent later.
const SOON_MAX: usize = 64;
/// How long a version waits that could not be sent, each time that it could not. Then it is given up
/// until the next one.
const PUSH_AGAIN: [Duration; 3] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];
/// Profiles with a version that waits to be sent again. That of one more is not, which the log says.
const AGAIN_MAX: usize = 256;
/// Conversations at the same time that somebody waits for. Each waits for its turn among all.
pub(crate) const TALKS_MAX: usize = 16;
/// How often a pull is begun again where the profile was changed while it went on.
const PULL_TRIES: usize = 3;
/// How long the end waits for conversations that go on.
const CLOSE_MAX: Duration = Duration::from_secs(3);

/// What may be spoken with, and how.
#[derive(Clone, Debug)]
pub struct UpstreamOptions {
    /// The program that speaks.
    pub git: GitProgram,
    /// Hosts that whoever may change a profile may name.
    pub hosts: Vec<Host>,
    /// Those who look after the server may name folders of its machine.
    pub folders: bool,
}

/// All conversations of a server. Cheap to clone.
#[derive(Clone)]
pub struct Upstreams(Arc<Inner>);

struct Inner {
    profiles: Profiles,
    options: UpstreamOptions,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// A profile is in it while a task is at it.
    soon: Mutex<HashMap<Owner, Due>>,
    /// Profiles with a conversation that somebody asked for, whether or not they still wait.
    talks: Mutex<HashSet<Owner>>,
    /// Profiles with a version that is sent again later.
    again: Mutex<HashMap<Owner, Again>>,
}

/// A version that could not be sent.
struct Again {
    /// How often.
    failed: usize,
    /// Ends the waiting when this goes.
    _waits: DropGuard,
}

/// What is to be done next for a profile.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    pull: bool,
    push: bool,
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").finish_non_exhaustive()
    }
}

impl Upstreams {
    /// Those of `profiles`.
    #[must_use]
    pub fn new(profiles: Profiles, options: UpstreamOptions) -> Self {
        Self(Arc::new(Inner {
            profiles,
            options,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            soon: Mutex::default(),
            talks: Mutex::default(),
            again: Mutex::default(),
        }))
    }

    /// Begins nothing more, and waits a few seconds for what goes on. `git` itself ends within its
    /// time in any case.
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        let _waited = tokio::time::timeout(CLOSE_MAX, self.0.tasks.wait()).await;
    }

    /// An address that may be an upstream's. `administers` is whether who asks looks after the
    /// server, who may name any host: the server speaks with it, from where the server is.
    pub(crate) fn address(&self, text: &str, administers: bool) -> Result<Address, Refused> {
        let options = &self.0.options;
        let allowed = Protocols {
            file: administers && options.folders,
        };
        let address = Address::parse(text, allowed)?;
        if administers || options.hosts.iter().any(|host| address.is_at(host)) {
            Ok(address)
        } else {
            Err(Refused::Host)
        }
    }

    /// Takes over what the upstream has; onto the version `base` only, where there is one.
    pub(crate) async fn pull(
        &self,
        settings: Settings,
        author: Author,
        divergence: Divergence,
        base: Option<String>,
    ) -> Result<Last, Unspoken> {
        let talk = self.begin(&settings.owner)?;
        let pull = async move {
            let base = base.as_deref().map_or(Condition::Any, Condition::Is);
            let inner = &talk.of.0;
            inner.pull(&settings, &author, divergence, base).await
        };
        let done = self.0.tasks.spawn(pull).await;
        Ok(done.unwrap_or(Err(Error::Stopping))?)
    }

    /// Sends what there is to the upstream.
    pub(crate) async fn push(&self, settings: Settings) -> Result<Last, Unspoken> {
        let talk = self.begin(&settings.owner)?;
        let push = async move { talk.of.0.push(&settings).await };
        let done = self.0.tasks.spawn(push).await;
        Ok(done.unwrap_or(Err(Error::Stopping))?)
    }

    /// One conversation for each profile, and [`TALKS_MAX`] together: they go on when whoever asked
    /// is gone, so that asking again and again would fill the queue.
    fn begin(&self, owner: &Owner) -> Result<Talk, Unspoken> {
        let mut talks = self.0.talks.lock().unwrap_or_else(PoisonError::into_inner);
        if talks.contains(owner) {
            return Err(Unspoken::Going);
        }
        if talks.len() >= TALKS_MAX {
            return Err(Unspoken::Full);
        }
        talks.insert(owner.clone());
        Ok(Talk {
            of: self.clone(),
            owner: owner.clone(),
        })
    }

    /// The upstream says that it has something new. False where it cannot be pulled from soon.
    #[must_use]
    pub(crate) fn pull_soon(&self, owner: &Owner) -> bool {
        let due = Due {
            pull: true,
            push: false,
        };
        self.soon(owner, due)
    }

    /// A version was made; it is sent if the profile has an upstream that wants it.
    pub(crate) fn push_soon(&self, owner: &Owner) {
        let due = Due {
            pull: false,
            push: true,
        };
        if !self.soon(owner, due) {
            self.later(owner);
        }
    }

    fn soon(&self, owner: &Owner, due: Due) -> bool {
        if self.0.stop.is_cancelled() {
            return false;
        }
        {
            let mut soon = self.0.soon.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(next) = soon.get_mut(owner) {
                next.pull |= due.pull;
                next.push |= due.push;
                return true;
            }
            if soon.len() >= SOON_MAX {
                tracing::warn!(target: "api", limit = SOON_MAX,
                    "an upstream is not spoken with soon: too many are");
                return false;
            }
            soon.insert(owner.clone(), due);
        }
        let (this, owner) = (self.clone(), owner.clone());
        self.0.tasks.spawn(async move { this.work(&owner).await });
        true
    }

    /// Sends what there is after a while, which is longer each time.
    fn later(&self, owner: &Owner) {
        let waits = self.0.stop.child_token();
        let patience = {
            let mut again = self.0.again.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = again.get(owner).map_or(0, |again| again.failed);
            let patience = PUSH_AGAIN.get(failed).copied();
            if patience.is_none() || failed == 0 && again.len() >= AGAIN_MAX {
                again.remove(owner);
                tracing::warn!(target: "api", %owner, failed, "a version is not sent again");
                return;
            }
            let next = Again {
                failed: failed + 1,
                _waits: waits.clone().drop_guard(),
            };
            again.insert(owner.clone(), next);
            patience.unwrap_or_default()
        };
        let (this, owner) = (self.clone(), owner.clone());
        self.0.tasks.spawn(async move {
            let waited = waits.run_until_cancelled(tokio::time::sleep(patience));
            if waited.await.is_some() {
                this.push_soon(&owner);
            }
        });
    }

    /// What is due for a profile, until nothing is.
    async fn work(&self, owner: &Owner) {
        while let Some(due) = self.0.next(owner) {
            if due.pull
                && let Err(error) = self.0.pull_due(owner).await
            {
                tracing::warn!(target: "api", %owner, %error, "an upstream was not pulled from");
            }
            // Also where nothing could be pulled: that is no reason to keep what is here.
            if due.push {
                match self.0.push_due(owner).await {
                    Err(error) if may_pass(&error) => {
                        tracing::warn!(target: "api", %owner, %error, "a version was not sent");
                        self.later(owner);
                    }
                    Err(error) => {
                        tracing::warn!(target: "api", %owner, %error, "a version was not sent");
                        self.0.forget(owner);
                    }
                    Ok(()) => self.0.forget(owner),
                }
            }
        }
    }
}

/// Whether what failed may do so no more after a while.
fn may_pass(error: &Error) -> bool {
    use UpstreamError::{Failed, Program, TimedOut};
    match error {
        Error::Busy | Error::Io { .. } | Error::Git { .. } => true,
        Error::Upstream(error) => matches!(error, Failed(_) | Program(_) | TimedOut(_)),
        _ => false,
    }
}

/// A conversation that somebody asked for, until it is dropped.
struct Talk {
    of: Upstreams,
    owner: Owner,
}

impl Drop for Talk {
    fn drop(&mut self) {
        let talks = &self.of.0.talks;
        let mut talks = talks.lock().unwrap_or_else(PoisonError::into_inner);
        talks.remove(&self.owner);
    }
}

/// Why a conversation came to nothing.
#[derive(Debug)]
pub(crate) enum Unspoken {
    /// One that somebody asked for goes on already.
    Going,
    /// As many go on as may.
    Full,
    /// It was begun, and failed.
    Failed(Error),
}

impl From<Error> for Unspoken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Why an address may not be an upstream's.
pub(crate) enum Refused {
    /// It is none.
    Address(UpstreamError),
    /// Its host is not among those that anybody may name.
    Host,
}

impl From<UpstreamError> for Refused {
    fn from(error: UpstreamError) -> Self {
        Self::Address(error)
    }
}

impl Inner {
    fn next(&self, owner: &Owner) -> Option<Due> {
        let mut soon = self.soon.lock().unwrap_or_else(PoisonError::into_inner);
        let due = soon.get_mut(owner).map(std::mem::take);
        let due = due.filter(|due| (due.pull || due.push) && !self.stop.is_cancelled());
        if due.is_none() {
            soon.remove(owner);
        }
        due
    }

    fn forget(&self, owner: &Owner) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        again.remove(owner);
    }

    async fn pull_due(&self, owner: &Owner) -> Result<(), Error> {
        if let Some(settings) = self.profiles.upstream(owner).await? {
            let author = nobody();
            let pull = self.pull(&settings, &author, Divergence::Report, Condition::Any);
            pull.await?;
        }
        Ok(())
    }

    async fn push_due(&self, owner: &Owner) -> Result<(), Error> {
        let settings = self.profiles.upstream(owner).await?;
        if let Some(settings) = settings.filter(|settings| settings.push) {
            self.push(&settings).await?;
        }
        Ok(())
    }

    async fn pull(
        &self,
        settings: &Settings,
        author: &Author,
        divergence: Divergence,
        condition: Condition<'_>,
    ) -> Result<Last, Error> {
        let upstream = settings.upstream();
        // A side is chosen against what was seen of the other, and not against what came after.
        let is_blind = match divergence {
            Divergence::Report | Divergence::Merge => condition == Condition::Any,
            Divergence::Theirs | Divergence::Ours => false,
        };
        let mut tries = 0;
        let pulled = loop {
            tries += 1;
            let git = &self.options.git;
            let owner = &settings.owner;
            let pulled = self
                .profiles
                .pull(owner, git, &upstream, author, divergence, condition);
            match pulled.await {
                Err(Error::Stale { .. }) if is_blind && tries < PULL_TRIES => {}
                pulled => break pulled,
            }
        };
        let ended = pulled.map(|pulled| match pulled {
            Pulled::Nothing { .. } => (Outcome::Unchanged, None),
            Pulled::Forward(_) | Pulled::Merged(_) => (Outcome::Pulled, None),
            Pulled::Divided(divided) => {
                let told = match divided.conflicts.as_slice() {
                    [] => "both sides have versions of their own".to_owned(),
                    both => format!("both sides changed {}", both.join(", ")),
                };
                (Outcome::Diverged, Some(told))
            }
        });
        self.note(settings, ended).await
    }

    async fn push(&self, settings: &Settings) -> Result<Last, Error> {
        let (git, upstream) = (&self.options.git, settings.upstream());
        let pushed = self.profiles.push(&settings.owner, git, &upstream);
        let ended = pushed.await.map(|pushed| match pushed {
            Pushed::Nothing => (Outcome::Unchanged, None),
            Pushed::Sent(_) => (Outcome::Pushed, None),
            Pushed::Behind => {
                let told = "the upstream has versions that are not here; pull first";
                (Outcome::Diverged, Some(told.to_owned()))
            }
        });
        self.note(settings, ended).await
    }

    /// Writes down how it ended, also when it ended badly.
    async fn note(
        &self,
        settings: &Settings,
        ended: Result<(Outcome, Option<String>), Error>,
    ) -> Result<Last, Error> {
        match ended {
            Ok((outcome, detail)) => {
                let noted = self
                    .profiles
                    .note_upstream(settings, outcome, detail.as_deref());
                noted.await
            }
            Err(error) => {
                let detail = told(&error);
                let noted = self
                    .profiles
                    .note_upstream(settings, Outcome::Failed, Some(&detail));
                noted.await?;
                Err(error)
            }
        }
    }
}

/// Why it failed, for those who look at the upstream. What is the server's own stays here.
fn told(error: &Error) -> String {
    match error {
        Error::Io { .. } | Error::Git { .. } => "the server failed; its log says more".to_owned(),
        error => error.to_string(),
    }
}

/// Whose a version would be that nobody asked for; a report makes none.
fn nobody() -> Author {
    Author {
        name: "Wharf".to_owned(),
        email: "wharf@localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests;
