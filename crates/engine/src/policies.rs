//! The owner's policy as a whole: whether other files would load, what they would change, and
//! taking them. Deciding by it is `policy.rs`'s.

use std::sync::Arc;

use serde_json::json;
use wharf_model::{Caller, Target, Timestamp};
use wharf_policy::{Error as PolicyError, File, Moment, Policy, Problem, Record, Replay, replay};
use wharf_store::db::{Page, RunRow};

use crate::engine::{Engine, Inner};
use crate::error::Error;
use crate::principal::{Standing, who};

/// Runs that one replay reads at most.
pub const MAX_REPLAYED: usize = 10_000;
/// The longest account of a policy that did not load in the record, in bytes.
const MAX_WHY: usize = 1_000;

/// Whether files are a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// What is wrong; nothing when it loads and its examples hold.
    pub problems: Vec<Problem>,
    /// Examples that were tried.
    pub examples: usize,
    /// Which policy it is, when it loads.
    pub fingerprint: Option<String>,
}

/// What came of taking the owner's files again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// What is wrong with them; the policy before them stays then.
    pub problems: Vec<Problem>,
    /// The policy that holds now.
    pub fingerprint: String,
    /// Whether it is another than before.
    pub changed: bool,
}

impl Engine {
    /// Whether these files load, and decide their examples as they say.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn test_policy(&self, files: Vec<File>) -> Result<Tested, Error> {
        self.apart(move || match Policy::load(&files) {
            Ok(policy) => Tested {
                problems: Vec::new(),
                examples: policy.examples().len(),
                fingerprint: Some(policy.fingerprint()),
            },
            Err(error) => Tested {
                problems: problems(error),
                examples: 0,
                fingerprint: None,
            },
        })
        .await
    }

    /// What these files would have decided differently over the caller's latest runs.
    ///
    /// # Errors
    /// When they do not load, or the database does not answer.
    pub async fn replay_policy(
        &self,
        caller: &Caller,
        files: Vec<File>,
        limit: usize,
    ) -> Result<Replay, Error> {
        let inner = Arc::clone(self.inner());
        let records = records(&inner, caller, limit.min(MAX_REPLAYED)).await?;
        self.apart(move || {
            let new =
                Policy::load(&files).map_err(|error| Error::invalid("files", error.to_string()))?;
            Ok(replay(&inner.policy(), &new, records))
        })
        .await?
    }

    /// Takes the owner's files, on record before they hold. `None`: there are none, so that the
    /// built-in policy holds. Files that do not load, or could not be read, change nothing.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn reload_policy(
        &self,
        caller: &Caller,
        files: Result<Option<Vec<File>>, String>,
    ) -> Result<Reloaded, Error> {
        let loaded = self
            .apart(move || match files {
                Ok(Some(files)) => Policy::load(&files).map_err(problems),
                Ok(None) => Ok(Policy::builtin()),
                Err(why) => Err(vec![about_all(why)]),
            })
            .await?;
        let inner = self.inner();
        let before = inner.policy().fingerprint();
        match loaded {
            Ok(policy) => {
                let after = policy.fingerprint();
                let body = json!({"by": caller.name(), "from": before, "to": after});
                crate::record::note(inner, "policy.reloaded", &body)?;
                self.set_policy(policy);
                Ok(Reloaded {
                    problems: Vec::new(),
                    changed: after != before,
                    fingerprint: after,
                })
            }
            Err(problems) => {
                let why = problems.first().map(ToString::to_string);
                let why = crate::record::bounded_to(&why.unwrap_or_default(), MAX_WHY);
                let body = json!({"by": caller.name(), "stays": before, "why": why});
                crate::record::note(inner, "policy.refused", &body)?;
                Ok(Reloaded {
                    problems,
                    changed: false,
                    fingerprint: before,
                })
            }
        }
    }

    /// Reading Cedar takes long enough to hold up others on the same thread.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let task = self.inner().tasks.spawn_blocking(work);
        task.await
            .map_err(|error| Error::internal("working on a policy", error))
    }
}

/// The caller's latest runs, refused ones too, as far as the record says what was asked.
async fn records(inner: &Inner, caller: &Caller, limit: usize) -> Result<Vec<Record>, Error> {
    inner.catch_up().await?;
    let (database, mut before) = (&inner.parts.database, None);
    let asked = asked_today(inner, caller);
    let mut records = Vec::new();
    while records.len() < limit {
        let left = limit - records.len();
        let page = Page {
            limit: u32::try_from(left).unwrap_or(u32::MAX),
            before: before.clone(),
        };
        let rows = database.recent_runs(caller.name(), None, page).await;
        let rows = rows.map_err(Error::from_database)?;
        let Some(last) = rows.last() else { break };
        before = Some(last.cursor());
        records.extend(rows.into_iter().map(|row| record(inner, &asked, row)));
    }
    Ok(records)
}

/// What is the same of all that the caller would ask for today. By what name their token went then,
/// and which role they had, does not count.
fn asked_today(inner: &Inner, caller: &Caller) -> Record {
    let (who, standing) = (who(caller), Standing::of(caller));
    Record {
        user: who.user.to_owned(),
        agent: who.agent.to_owned(),
        roles: vec![standing.role],
        organization: standing.organization,
        scopes: standing.scopes,
        home: inner.options.home.clone(),
        login: inner.options.user.clone(),
        allow_dangerous: inner.options.allow_dangerous,
        ..Record::default()
    }
}

/// A run of the caller's, as they would ask for it today.
fn record(inner: &Inner, asked: &Record, row: RunRow) -> Record {
    let started = Timestamp::from_millis(row.started_ms);
    let offset = inner.parts.clock.utc_offset_minutes();
    Record {
        id: row.id,
        command: row.command,
        groups: Target::parse(&row.target)
            .map_or_else(|_| Vec::new(), |target| inner.hosts.groups_of(&target)),
        target: row.target,
        session: row.session_id,
        cwd: Some(row.cwd),
        background: row.background,
        at: Some(Moment::from_timestamp(started, offset)),
        ..asked.clone()
    }
}

/// Says what a reader of the policy might overlook.
pub(crate) fn warn_of(policy: &Policy) {
    for role in policy.widened_roles() {
        tracing::warn!(target: "decision", role, "the policy adds callers to a role that accounts give by themselves; take another name unless that is meant");
    }
}

/// What is wrong, one by one.
fn problems(error: PolicyError) -> Vec<Problem> {
    match error {
        PolicyError::Bounds(why) => vec![about_all(why)],
        PolicyError::ReadHeader(problems)
        | PolicyError::ParsePolicies(problems)
        | PolicyError::CheckPolicies(problems)
        | PolicyError::Examples(problems) => problems.0,
    }
}

fn about_all(message: String) -> Problem {
    Problem {
        file: String::new(),
        line: 0,
        message,
        suggestion: None,
    }
}
