//! The way to a host, whether it can be gone, and whose word its key has.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wharf_exec::remote::{Standing as Known, TrustError};
use wharf_exec::{Hosts, LaunchError, Tested, Way};
use wharf_model::{Caller, SshTarget, Target};

use super::HostEntry;
use super::facts::KnownFacts;
use crate::engine::{Engine, Inner};
use crate::error::Error;
use crate::request::Access;

/// The longest reason that the record keeps, in bytes.
const MAX_WHY: usize = 1_000;
/// The longest fingerprint that is looked at, in bytes.
const MAX_FINGERPRINT_BYTES: usize = 128;
/// How many names one on the way may lead through.
const MAX_DEPTH: usize = 8;

/// A key that a host shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// Its algorithm.
    pub algorithm: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// What the files of known hosts say of it.
    pub standing: Standing,
}

/// What the files of known hosts say of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is the host's.
    Known,
    /// They do not know it.
    Unknown,
    /// They know another one.
    Changed {
        /// Its fingerprint.
        expected: String,
        /// The file and the line.
        place: String,
    },
    /// It must not be trusted.
    Refused {
        /// Why not.
        why: String,
    },
}

/// What came of trying a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTest {
    /// The host as it was asked for.
    pub host: String,
    /// The key that it shows.
    pub key: Option<KeyView>,
    /// How long it took to connect.
    pub connected: Option<Duration>,
    /// How long a trivial command took.
    pub round_trip: Option<Duration>,
    /// What it is.
    pub facts: Option<KnownFacts>,
    /// What in the SSH configuration was left out and may matter.
    pub notes: Vec<String>,
    /// The step at which it went no further, and why.
    pub error: Option<(&'static str, String)>,
}

/// What came of a person's word for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustOutcome {
    /// The key that the host shows.
    pub key: KeyView,
    /// It is trusted now.
    pub trusted: bool,
    /// The file that has it now, where it was recorded.
    pub recorded: Option<String>,
}

/// How a target is reached. A name that is no entry is the SSH configuration's.
pub(crate) fn way(inner: &Inner, target: &SshTarget, access: &Access) -> Way {
    let Some(entry) = inner.hosts.get(target.host()) else {
        return Way::to(target.clone(), access.clone());
    };
    let place = &entry.place;
    let (port, user) = (
        target.port().or(place.port),
        target.user().or(place.user.as_deref()),
    );
    // What is kept was checked; what does not hold any more is taken as it was asked for.
    let there = SshTarget::new(&place.address, port, user).unwrap_or_else(|_| target.clone());
    Way {
        name: Some(entry.name.clone()),
        jump: place.jump.as_ref().map(|jump| hops(inner, jump, MAX_DEPTH)),
        identity: place.identity.clone(),
        ..Way::to(there, access.clone())
    }
}

/// The hosts on the way with the names among them resolved, and before the first what is on the way
/// to that one.
fn hops(inner: &Inner, jump: &str, depth: usize) -> String {
    let mut resolved = Vec::new();
    for (index, text) in jump.split(',').enumerate() {
        let known = SshTarget::parse(text)
            .ok()
            .and_then(|hop| Some((inner.hosts.get(hop.host())?, hop)));
        let Some((entry, hop)) = known else {
            resolved.push(text.to_owned());
            continue;
        };
        let place = &entry.place;
        if let Some(before) = place.jump.as_ref().filter(|_| index == 0 && depth > 0) {
            resolved.push(hops(inner, before, depth - 1));
        }
        let (port, user) = (
            hop.port().or(place.port),
            hop.user().or(place.user.as_deref()),
        );
        let there = SshTarget::new(&place.address, port, user);
        resolved.push(there.map_or_else(|_| text.to_owned(), |there| there.to_string()));
    }
    resolved.join(",")
}

/// A key that was refused is on record, whatever was to be done at the host.
pub(crate) fn note_refusal(inner: &Inner, target: &Target, error: &LaunchError) {
    let LaunchError::Host(host) = error else {
        return;
    };
    if host.step() != wharf_exec::remote::Step::HostKey {
        return;
    }
    let why = crate::record::bounded_to(&error.to_string(), MAX_WHY);
    let body = json!({"target": target.to_string(), "why": why});
    if let Err(error) = crate::record::note(inner, "host.key_refused", &body) {
        tracing::warn!(target: "audit", %error, "a refused key cannot be recorded");
    }
}

/// Keeps what a host said of itself.
pub(crate) async fn learn(inner: &Inner, entry: &HostEntry, facts: KnownFacts) {
    let at = inner.parts.clock.now();
    let _changing = inner.hosts.change().await;
    // It may have been changed meanwhile.
    let Some(now) = inner.hosts.get(&entry.name) else {
        return;
    };
    if now.place != entry.place {
        return;
    }
    let kept = inner
        .parts
        .database
        .set_host_facts(&entry.name, &facts.to_json(), at.millis())
        .await;
    if let Err(error) = kept {
        tracing::warn!(target: "system", %error, "what a host said of itself cannot be kept");
    }
    inner.hosts.put(Arc::new(HostEntry {
        facts: Some((facts, at)),
        ..(*now).clone()
    }));
}

impl Engine {
    /// Looks at a host's key, connects, runs a trivial command and asks what the host is.
    ///
    /// # Errors
    /// When this server reaches no hosts.
    pub async fn test_host(&self, target: &SshTarget) -> Result<HostTest, Error> {
        let inner = self.inner();
        let way = way(inner, target, &Access::default());
        let tested = reached(inner)?.test(&way).await;
        let Tested {
            key,
            connected,
            round_trip,
            facts,
            notes,
            error,
        } = tested;
        if let Some(error) = &error {
            note_refusal(inner, &Target::Ssh(target.clone()), error);
        }
        let facts = facts.map(|facts| KnownFacts::from(&*facts));
        if let (Some(entry), Some(facts)) = (inner.hosts.get(target.host()), &facts) {
            learn(inner, &entry, facts.clone()).await;
        }
        Ok(HostTest {
            host: target.to_string(),
            key: key.as_ref().map(key_view),
            connected,
            round_trip,
            facts,
            notes,
            error: error.map(|error| (step(&error), error.to_string())),
        })
    }

    /// The key that a host shows now. Nothing is recorded.
    ///
    /// # Errors
    /// When it shows none.
    pub async fn host_key(&self, target: &SshTarget) -> Result<TrustOutcome, Error> {
        let inner = self.inner();
        let way = way(inner, target, &Access::default());
        let key = reached(inner)?.key(&way).await.map_err(unreachable)?;
        let key = key_view(&key);
        Ok(TrustOutcome {
            trusted: key.standing == Standing::Known,
            key,
            recorded: None,
        })
    }

    /// Takes a person's word for the key that a host shows now: it must have the fingerprint that
    /// was compared. One that is on record is replaced only where `replace` is its fingerprint.
    ///
    /// # Errors
    /// When it shows another key, another one is on record, or nothing can be recorded.
    pub async fn trust_host(
        &self,
        caller: &Caller,
        target: &SshTarget,
        fingerprint: &str,
        replace: Option<&str>,
    ) -> Result<TrustOutcome, Error> {
        for (field, text) in [("fingerprint", Some(fingerprint)), ("replace", replace)] {
            let legal = |text: &str| {
                (1..=MAX_FINGERPRINT_BYTES).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_graphic())
            };
            if !text.is_none_or(legal) {
                let message =
                    "must be a fingerprint such as SHA256:…, as `ssh-keygen -l` prints it";
                return Err(Error::invalid(field, message));
            }
        }
        let (inner, caller) = (Arc::clone(self.inner()), caller.clone());
        let (target, fingerprint) = (target.clone(), fingerprint.to_owned());
        let replace = replace.map(str::to_owned);
        self.whole(async move {
            trust(&inner, &caller, &target, &fingerprint, replace.as_deref()).await
        })
        .await
    }
}

async fn trust(
    inner: &Inner,
    caller: &Caller,
    target: &SshTarget,
    fingerprint: &str,
    replace: Option<&str>,
) -> Result<TrustOutcome, Error> {
    let way = way(inner, target, &Access::default());
    let target = Target::Ssh(target.clone()).to_string();
    let done = reached(inner)?.trust(&way, fingerprint, replace).await;
    let trusted = match done {
        Ok(trusted) => trusted,
        Err(TrustError::Look(error)) => {
            return Err(unreachable(LaunchError::Host(Box::new(error))));
        }
        Err(error) => {
            let why = crate::record::bounded_to(&error.to_string(), MAX_WHY);
            let key = json!({"given": fingerprint, "replace": replace});
            let body = json!({"by": caller.name(), "target": target, "key": key, "why": why});
            crate::record::note(inner, "host.key_refused", &body)?;
            return Err(Error::Conflict(error.to_string()));
        }
    };
    let recorded = trusted.recorded.map(|file| file.display().to_string());
    if let Some(file) = &recorded {
        let key = json!({
            "fingerprint": trusted.key.fingerprint,
            "replaced": replace,
            "file": file,
        });
        let body = json!({"by": caller.name(), "target": target, "key": key});
        crate::record::note(inner, "host.trusted", &body)?;
    }
    Ok(TrustOutcome {
        key: KeyView {
            standing: Standing::Known,
            ..key_view(&trusted.key)
        },
        trusted: true,
        recorded,
    })
}

fn reached(inner: &Inner) -> Result<&Arc<dyn Hosts>, Error> {
    inner.parts.hosts.as_ref().ok_or(Error::Unsupported(
        "this server runs commands on its own machine only (serve.disable_remote)",
    ))
}

fn key_view(key: &wharf_exec::remote::HostKey) -> KeyView {
    KeyView {
        algorithm: key.algorithm.clone(),
        fingerprint: key.fingerprint.clone(),
        standing: match &key.standing {
            Known::Known => Standing::Known,
            Known::Unknown => Standing::Unknown,
            Known::Changed { expected, place } => Standing::Changed {
                expected: expected.clone(),
                place: place.to_string(),
            },
            Known::Refused(refusal) => Standing::Refused {
                why: refusal.to_string(),
            },
        },
    }
}

fn step(error: &LaunchError) -> &'static str {
    match error {
        LaunchError::Host(error) => error.step().name(),
        _ => "command",
    }
}

fn unreachable(error: LaunchError) -> Error {
    crate::places::unreachable(&error)
}
