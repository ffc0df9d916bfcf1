//! What accounts may use and have, and giving them more.

use std::time::Duration;

use wharf_model::Caller;

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::limits::{CREDIT_MAX, ms};
use crate::owner::Owner;
use crate::record::Note;
use crate::views::{CreditsView, Grant, uncharged};

impl Gateway {
    /// What an account may use, and what is used; the caller's own where none is named. Who looks
    /// after the server sees all.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it is somebody else's; when the database or whoever keeps the
    /// credit does not answer.
    pub async fn credits(
        &self,
        caller: &Caller,
        account: Option<&str>,
    ) -> Result<CreditsView, Error> {
        let owner = Owner::of(caller);
        let own = owner.account();
        let account = account.unwrap_or(own);
        if account != own && !caller.administers() {
            return Err(Error::NotFound("account"));
        }
        self.inner.credits_of(account).await
    }

    /// Gives an account, the caller's own where none is named, time of machines beside what its plan gives, another plan, or both. What is
    /// paused for want of credit goes on when it is used again.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for whoever does not look after the server; [`Error::Invalid`] for
    /// nothing, too much, or a plan that there is not; [`Error::Conflict`] where nothing is counted
    /// against anybody; when it cannot be recorded or kept.
    pub async fn grant(
        &self,
        caller: &Caller,
        account: Option<&str>,
        grant: Grant,
    ) -> Result<CreditsView, Error> {
        let owner = Owner::of(caller);
        let account = account.unwrap_or(owner.account());
        if !caller.administers() {
            return Err(Error::Forbidden(
                "only who looks after the server gives credit",
            ));
        }
        let inner = &self.inner;
        let plans = inner.parts.gate.plans();
        if plans.is_empty() {
            return Err(Error::Conflict(
                "this server has no plans, so that everybody uses as much as they like; \
                 sandbox.plans in its configuration makes some",
            ));
        }
        if grant.time.is_zero() && grant.plan.is_none() {
            return Err(Error::invalid("seconds", "must be given, or a plan"));
        }
        if grant.time > CREDIT_MAX {
            let most = CREDIT_MAX.as_secs();
            return Err(Error::invalid("seconds", format!("must be at most {most}")));
        }
        if grant.plan.as_ref().is_some_and(|it| !plans.contains(it)) {
            let message = format!("must be one of {}", plans.join(", "));
            return Err(Error::invalid("plan", message));
        }
        let seconds = grant.time.as_secs();
        let detail = match &grant.plan {
            Some(plan) => format!("{account}: {seconds} s, plan {plan}"),
            None => format!("{account}: {seconds} s"),
        };
        let note = Note {
            detail: Some(detail),
            ..Note::by(caller)
        };
        inner.record("sandbox.credited", &note)?;
        let database = &inner.parts.database;
        let plan = grant.plan.as_deref();
        let kept = database.grant_gateway_account(account, plan, ms(grant.time), inner.now_ms());
        kept.await?;
        inner.credits_of(account).await
    }
}

impl Inner {
    async fn credits_of(&self, account: &str) -> Result<CreditsView, Error> {
        let running = self.parts.database.running_gateway_sessions(account);
        let running = u64::try_from(running.await?).unwrap_or_default();
        let mut standing = self.parts.gate.standing(account).await?;
        // What runs and has not been charged yet is used as well.
        let now_ms = self.now_ms();
        let open: i64 = self
            .lives
            .all()
            .iter()
            .map(|live| live.row())
            .filter(|row| row.account == account)
            .map(|row| uncharged(&row, now_ms))
            .sum();
        standing.used += Duration::from_millis(u64::try_from(open).unwrap_or_default());
        Ok(CreditsView {
            account: account.to_owned(),
            running,
            standing,
        })
    }
}
