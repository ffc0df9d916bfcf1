//! Approvals: a person's yes to a command, asked for, given or not, and used once.
//!
//! `table.rs` holds what is open, `keep.rs` writes every step down. What a yes is bound to and
//! which steps there are is `wharf_policy::approval`'s.

pub(crate) mod keep;
pub(crate) mod sight;
pub(crate) mod table;

use std::time::Duration;

use wharf_model::{Caller, Scope as TokenScope, SessionId, Target};
use wharf_policy::Pattern;
use wharf_policy::approval::{
    Approval, Grant, Granted, Matched, Past, Refused, Scope, State, matched,
};
use wharf_store::db::Page;

use crate::engine::{Engine, Inner};
use crate::error::Error;
use crate::principal::{sees, who};
use crate::shared;

/// Approvals that one answer lists.
pub const MAX_LISTED: u32 = 200;
/// Approvals that are looked at for one answer; those that do not concern the caller are left out.
pub const MAX_LOOKED_AT: u32 = wharf_store::db::limits::PAGE_ROWS_MAX;
/// Commands of the past that a pattern is tried on.
const PAST: u32 = 1_000;
/// The longest that an answer waits for somebody else's.
pub const MAX_WAIT: Duration = Duration::from_secs(60);
/// The longest reason for a no, in bytes.
const MAX_WHY: usize = 1_000;

pub use self::table::MAX_OPEN_EACH;

/// What a person answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes, for so much.
    Approve(Scope),
    /// No, and why.
    Deny(String),
}

impl Engine {
    /// Approvals that concern the caller, open ones first, then the latest that are over, as far
    /// as the latest [`MAX_LOOKED_AT`] of all go.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn approvals(&self, caller: &Caller, limit: u32) -> Result<Vec<Approval>, Error> {
        let inner = self.inner();
        shared::follow(inner).await?;
        expire(inner).await;
        let most = usize::try_from(limit.min(MAX_LISTED)).unwrap_or(usize::MAX);
        let mut approvals = inner.approvals.open();
        approvals.reverse();
        approvals.retain(|approval| concerns(caller, approval));
        if approvals.len() < most {
            for approval in keep::recent(inner, MAX_LOOKED_AT).await? {
                let known = approvals.iter().any(|known| known.id == approval.id);
                if !known && concerns(caller, &approval) {
                    approvals.push(approval);
                }
            }
        }
        approvals.truncate(most);
        Ok(approvals)
    }

    /// One approval. With a time to wait, the answer comes when it is no longer pending, or when
    /// the time is up.
    ///
    /// # Errors
    /// When there is none with this id that concerns the caller.
    pub async fn approval(
        &self,
        caller: &Caller,
        id: &str,
        wait: Duration,
    ) -> Result<Approval, Error> {
        let inner = self.inner();
        let until = tokio::time::Instant::now() + wait.min(MAX_WAIT);
        loop {
            let changed = inner.approvals.changed();
            expire(inner).await;
            let approval = match inner.approvals.find(id) {
                Some(approval) => approval,
                None => keep::one(inner, id)
                    .await?
                    .ok_or_else(|| Error::not_found("approval", id))?,
            };
            if !concerns(caller, &approval) {
                return Err(Error::not_found("approval", id));
            }
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if approval.state != State::Pending || left.is_zero() {
                return Ok(approval);
            }
            // Its own end may come before anybody's answer.
            let own = approval.until.millis() - inner.parts.clock.now().millis();
            let own = Duration::from_millis(u64::try_from(own).unwrap_or(0) + 1);
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(left.min(own)) => {}
                () = inner.stopping.cancelled() => return Err(Error::Stopping),
            }
        }
    }

    /// A person's answer to a question, on record before it holds.
    ///
    /// # Errors
    /// When there is no such question that concerns the caller, it has been answered, or the caller
    /// may not answer it: an agent may not, nor a token that is for less than running.
    pub async fn answer(
        &self,
        caller: &Caller,
        id: &str,
        answer: Answer,
    ) -> Result<Approval, Error> {
        let (engine, caller, id) = (self.clone(), caller.clone(), id.to_owned());
        self.whole(async move { engine.answer_whole(&caller, &id, answer).await })
            .await
    }

    async fn answer_whole(
        &self,
        caller: &Caller,
        id: &str,
        answer: Answer,
    ) -> Result<Approval, Error> {
        let inner = self.inner();
        shared::follow(inner).await?;
        self.approval(caller, id, Duration::ZERO).await?;
        let (now, rules) = (inner.parts.clock.now(), inner.policy().approval_rules());
        if !caller.is_a_person() {
            return Err(conflict(Refused::NotAPerson));
        }
        let scopes = &caller.grants().scopes;
        if !caller.grants().role.may_run()
            || !(scopes.has(&TokenScope::Run) || scopes.has(&TokenScope::Admin))
        {
            return Err(Error::Scope { needs: "run" });
        }
        let who = who(caller);
        let step = |approval: &Approval| match &answer {
            Answer::Approve(scope) => approval.approve(&who, scope.clone(), now, &rules),
            Answer::Deny(why) => {
                let why = crate::record::bounded_to(why, MAX_WHY);
                approval.deny(&who, &why, now).map(|denied| (denied, None))
            }
        };
        let Some(answered) = inner.approvals.answer(id, step) else {
            return Err(match keep::one(inner, id).await? {
                Some(over) if over.state == State::Expired => conflict(Refused::Expired),
                Some(_) => conflict(Refused::Over),
                None => Error::not_found("approval", id),
            });
        };
        let (approval, grant, answering) = answered.map_err(conflict)?;
        if let Err(error) = keep::answered(inner, caller, &approval, grant.as_ref()).await {
            drop(answering);
            keep::doubt(inner, id, &error).await;
            return Err(error);
        }
        answering.done(&approval, grant.as_ref());
        Ok(approval)
    }

    /// What a pattern would have matched in the caller's history, in a project at a target.
    ///
    /// # Errors
    /// When it is no pattern, or the database does not answer.
    pub async fn try_pattern(
        &self,
        caller: &Caller,
        pattern: &str,
        project: &str,
        target: &Target,
    ) -> Result<Matched, Error> {
        let pattern = Pattern::parse(pattern)
            .map_err(|error| Error::invalid("pattern", error.to_string()))?;
        let inner = self.inner();
        inner.catch_up().await?;
        let page = Page {
            limit: PAST,
            ..Page::default()
        };
        let rows = inner
            .parts
            .database
            .recent_runs(caller.name(), None, page)
            .await;
        let rows = rows.map_err(Error::from_database)?;
        let past = rows.iter().map(|row| Past {
            command: &row.command,
            cwd: &row.cwd,
            target: &row.target,
        });
        Ok(matched(&pattern, project, &target.to_string(), past))
    }

    /// Yeses that hold for longer than one run and concern the caller.
    #[must_use]
    pub fn grants(&self, caller: &Caller) -> Vec<Grant> {
        let now = self.inner().parts.clock.now();
        let mut grants = self.inner().approvals.grants();
        grants.retain(|grant| grant.until > now && is_for(caller, grant));
        grants
    }

    /// Takes a standing yes back.
    ///
    /// # Errors
    /// When there is none from this approval that concerns the caller.
    pub async fn revoke_grant(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let (engine, caller, id) = (self.clone(), caller.clone(), id.to_owned());
        self.whole(async move { engine.revoke_whole(&caller, &id).await })
            .await
    }

    async fn revoke_whole(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let inner = self.inner();
        shared::follow(inner).await?;
        let its = |grant: &Grant| grant.approval == id && is_for(caller, grant);
        if !inner.approvals.grants().iter().any(its) {
            return Err(Error::not_found("grant", id));
        }
        let revoking = inner.approvals.revoking(id);
        let (grant, left, revoking) = revoking.ok_or_else(|| Error::not_found("grant", id))?;
        let unused = left.map(|approval| Approval {
            state: State::Expired,
            ..approval
        });
        if let Err(error) = keep::revoked(inner, &grant, unused.as_ref(), caller.name()).await {
            drop(revoking);
            keep::doubt(inner, id, &error).await;
            return Err(error);
        }
        revoking.revoked(id);
        Ok(())
    }
}

/// A pattern to offer to whoever says yes: for one plain program whose arguments are all known.
#[must_use]
pub fn suggested_pattern(approval: &Approval) -> Option<String> {
    let context = wharf_shell::Context {
        cwd: Some(&approval.cwd),
        workspace_root: Some(&approval.cwd),
        ..wharf_shell::Context::default()
    };
    let analysis = wharf_shell::analyze(&approval.command, &context);
    let [program] = analysis.programs.as_slice() else {
        return None;
    };
    let pattern = Pattern::suggest(program.argv.as_deref()?)?;
    // One that does not cover what it was made from is of no use.
    let covers = pattern.matches(&analysis, &approval.cwd);
    covers.then(|| pattern.to_string())
}

/// Whether a question is to be seen by the caller, and within the reach of their token.
fn concerns(caller: &Caller, approval: &Approval) -> bool {
    sees(caller, &approval.caller) && is_reached(caller, approval.session.as_deref())
}

/// The same of a standing yes.
fn is_for(caller: &Caller, grant: &Grant) -> bool {
    let session = match &grant.what {
        Granted::Session { session, .. } => Some(session.as_str()),
        Granted::Pattern { .. } => None,
    };
    sees(caller, &grant.caller) && is_reached(caller, session)
}

fn is_reached(caller: &Caller, session: Option<&str>) -> bool {
    let session = session.and_then(|id| SessionId::parse(id).ok());
    caller.reaches(session.as_ref())
}

/// Writes down what has run out of time.
pub(crate) async fn expire(inner: &Inner) {
    let now = inner.parts.clock.now();
    for approval in inner.approvals.take_expired(now) {
        if let Err(error) = keep::expired(inner, &approval).await {
            tracing::warn!(target: "decision", approval = approval.id, %error, "its end cannot be kept");
        }
    }
}

fn conflict(refused: Refused) -> Error {
    match refused {
        Refused::NoGrant(why) => Error::invalid("scope", why),
        other => Error::Conflict(other.to_string()),
    }
}
