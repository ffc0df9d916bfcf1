//! Conversations with other git repositories that profiles follow and are sent to.
//!
//! Each of them is a task that goes on when whoever asked for it is gone, and writes down how it
//! ended. What nobody waits for (a webhook came, a version was made) is done one after the other for
//! each profile, and once however often it was asked for meanwhile.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_profiles::upstream::{
    Address, Divergence, GitProgram, Host, Last, Outcome, Protocols, Pulled, Pushed, Settings,
    UpstreamError,
};
use wharf_profiles::{Author, Condition, Error, Owner, Profiles};

/// Profiles whose upstream is spoken with soon. What comes for one more is left out, which the log
/// says.
const SOON_MAX: usize = 64;
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
    ) -> Result<Last, Error> {
        let this = self.clone();
        let pull = async move {
            let base = base.as_deref().map_or(Condition::Any, Condition::Is);
            this.0.pull(&settings, &author, divergence, base).await
        };
        let done = self.0.tasks.spawn(pull).await;
        done.unwrap_or(Err(Error::Stopping))
    }

    /// Sends what there is to the upstream.
    pub(crate) async fn push(&self, settings: Settings) -> Result<Last, Error> {
        let this = self.clone();
        let push = async move { this.0.push(&settings).await };
        let done = self.0.tasks.spawn(push).await;
        done.unwrap_or(Err(Error::Stopping))
    }

    /// The upstream says that it has something new.
    pub(crate) fn pull_soon(&self, owner: &Owner) {
        let due = Due {
            pull: true,
            push: false,
        };
        self.soon(owner, due);
    }

    /// A version was made; it is sent if the profile has an upstream that wants it.
    pub(crate) fn push_soon(&self, owner: &Owner) {
        let due = Due {
            pull: false,
            push: true,
        };
        self.soon(owner, due);
    }

    fn soon(&self, owner: &Owner, due: Due) {
        if self.0.stop.is_cancelled() {
            return;
        }
        {
            let mut soon = self.0.soon.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(next) = soon.get_mut(owner) {
                next.pull |= due.pull;
                next.push |= due.push;
                return;
            }
            if soon.len() >= SOON_MAX {
                tracing::warn!(target: "api", limit = SOON_MAX,
                    "an upstream was not spoken with: too many are");
                return;
            }
            soon.insert(owner.clone(), due);
        }
        let (this, owner) = (self.clone(), owner.clone());
        self.0.tasks.spawn(async move { this.0.work(&owner).await });
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
    /// What is due for a profile, until nothing is.
    async fn work(&self, owner: &Owner) {
        while let Some(due) = self.next(owner) {
            if let Err(error) = self.serve(owner, due).await {
                tracing::warn!(target: "api", %owner, %error, "an upstream was not spoken with");
            }
        }
    }

    fn next(&self, owner: &Owner) -> Option<Due> {
        let mut soon = self.soon.lock().unwrap_or_else(PoisonError::into_inner);
        let due = soon.get_mut(owner).map(std::mem::take);
        let due = due.filter(|due| (due.pull || due.push) && !self.stop.is_cancelled());
        if due.is_none() {
            soon.remove(owner);
        }
        due
    }

    async fn serve(&self, owner: &Owner, due: Due) -> Result<(), Error> {
        let Some(settings) = self.profiles.upstream(owner).await? else {
            return Ok(());
        };
        if due.pull {
            let author = nobody();
            let pull = self.pull(&settings, &author, Divergence::Report, Condition::Any);
            pull.await?;
        }
        if settings.push && due.push {
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
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use wharf_model::{Clock, Entropy, Timestamp};
    use wharf_profiles::upstream::{Branch, Draft};

    use super::*;

    struct Same;

    impl Entropy for Same {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn git(words: &[&str]) {
        let status = Command::new("git").args(words).status().unwrap();
        assert!(status.success(), "{words:?}");
    }

    struct Epoch;

    impl Clock for Epoch {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
    }

    fn upstreams(root: &Path) -> Upstreams {
        let options = UpstreamOptions {
            git: GitProgram {
                program: program(root),
                search: "/usr/bin".into(),
                home: root.join("home"),
            },
            hosts: ["git.example.com", "other.example.com:2222"]
                .map(|host| Host::parse(host).unwrap())
                .to_vec(),
            folders: true,
        };
        Upstreams::new(
            Profiles::open(root.join("profiles"), Arc::new(Epoch)),
            options,
        )
    }

    /// `git`, after whatever a test has written to `first` is done.
    fn program(root: &Path) -> std::path::PathBuf {
        let (first, program) = (root.join("first"), root.join("git"));
        std::fs::write(&first, "").unwrap();
        let script = format!("#!/bin/sh\n. {}\nexec git \"$@\"\n", first.display());
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
        program
    }

    #[tokio::test]
    async fn a_side_is_never_chosen_against_what_was_saved_meanwhile() {
        let root = tempfile::tempdir().unwrap();
        let at = root.path();
        std::fs::create_dir(at.join("home")).unwrap();
        let upstreams = upstreams(at);
        let profiles = &upstreams.0.profiles;
        let others = Profiles::open(at.join("others"), Arc::new(Epoch));
        let ours = Owner::user("ada").unwrap();
        let save = async |profiles: &Profiles, text: &str| {
            let author = nobody();
            let put = profiles.put(&ours, text, "", &author, Condition::Any);
            put.await.unwrap().commit_sha
        };
        let (here, there) = (
            at.join("profiles/user/ada.git"),
            at.join("others/user/ada.git"),
        );
        save(&others, "theirs").await;
        let seen = save(profiles, "ours").await;
        let later = save(profiles, "saved meanwhile").await;
        let reset = |id: &str| {
            let here = here.to_str().unwrap();
            git(&["--git-dir", here, "update-ref", "refs/heads/main", id]);
        };
        let draft = Draft {
            address: Address::parse(
                &format!("file://{}", there.display()),
                Protocols { file: true },
            )
            .unwrap(),
            branch: Branch::parse("main").unwrap(),
            user: None,
            token: None,
            known_hosts: None,
            push: false,
        };
        let set = profiles.set_upstream(&ours, draft, &Same).await;
        let settings = set.unwrap().settings;
        let meanwhile = format!("echo {later} > {}/refs/heads/main", here.display());
        std::fs::write(at.join("first"), meanwhile).unwrap();
        for divergence in [Divergence::Theirs, Divergence::Ours] {
            reset(&seen);
            let pulled = upstreams.pull(settings.clone(), nobody(), divergence, None);
            let error = pulled.await.unwrap_err();
            assert!(matches!(error, Error::Stale { current } if current == later));
            assert_eq!(profiles.version(&ours).await.unwrap(), later);
        }
        // Where no side is chosen it is done again with what is there now.
        reset(&seen);
        let pulled = upstreams.pull(settings.clone(), nobody(), Divergence::Merge, None);
        assert_eq!(pulled.await.unwrap().outcome, Outcome::Diverged);
        reset(&seen);
        let pulled = upstreams.pull(settings, nobody(), Divergence::Merge, Some(seen));
        assert!(matches!(pulled.await, Err(Error::Stale { .. })));
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_asked_for_once() {
        let root = tempfile::tempdir().unwrap();
        let upstreams = upstreams(root.path());
        let owner = |number: usize| Owner::user(&number.to_string()).unwrap();
        // None of the tasks runs before this one waits.
        for number in 0..=SOON_MAX {
            upstreams.push_soon(&owner(number));
            upstreams.pull_soon(&owner(number));
        }
        let waits = || upstreams.0.soon.lock().unwrap().len();
        assert_eq!((waits(), upstreams.0.tasks.len()), (SOON_MAX, SOON_MAX));
        let first = upstreams.0.soon.lock().unwrap()[&owner(0)];
        assert!(first.pull && first.push);
        upstreams.0.tasks.close();
        upstreams.0.tasks.wait().await;
        assert_eq!(waits(), 0);
        upstreams.close().await;
        upstreams.pull_soon(&owner(0));
        assert_eq!(waits(), 0);
    }

    #[test]
    fn hosts_are_named_by_those_who_look_after_the_server_or_are_on_the_list() {
        let root = tempfile::tempdir().unwrap();
        let upstreams = upstreams(root.path());
        let taken = |text: &str, administers| upstreams.address(text, administers).is_ok();
        for (address, anybody, administrator) in [
            ("https://git.example.com/x", true, true),
            ("https://GIT.example.com:8443/x", false, true),
            ("ssh://git@git.example.com:2222/x", false, true),
            ("ssh://git@other.example.com:2222/x", true, true),
            ("ssh://git@other.example.com/x", false, true),
            ("ssh://git@git.example.com/x", true, true),
            ("https://git.example.com.evil.example/x", false, true),
            ("https://127.0.0.1/x", false, true),
            ("file:///srv/x", false, true),
            ("ext::x", false, false),
        ] {
            assert_eq!(taken(address, false), anybody, "{address}");
            assert_eq!(taken(address, true), administrator, "{address}");
        }
    }
}
