//! Questions that are open, and yeses that hold, in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use wharf_model::{Entropy, Timestamp};
use wharf_policy::approval::{Approval, Bound, Fingerprint, Grant, Refused, Scope, State};
use wharf_policy::{ApprovalRules, Who};

/// How long a confirmation token is good.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(300);
/// Questions that are open at once; the oldest make room.
pub(crate) const MAX_OPEN: usize = 1_000;
/// Standing yeses that hold at once; the oldest make room.
pub(crate) const MAX_GRANTS: usize = 1_000;

/// What is open. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Approvals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    table: Mutex<Table>,
    changed: Notify,
}

/// Both lists oldest first.
#[derive(Default)]
struct Table {
    open: Vec<Entry>,
    grants: Vec<Grant>,
}

struct Entry {
    approval: Approval,
    /// With it the caller says yes to the own question.
    token: Option<Token>,
    /// A request holds its yes.
    held: bool,
}

#[derive(Clone)]
struct Token {
    text: String,
    until: Timestamp,
}

/// What came of asking.
pub(crate) struct Asked {
    /// The question: a new one, or the one that is open about the same.
    pub(crate) approval: Approval,
    /// With it the caller may say yes.
    pub(crate) token: Option<String>,
    /// Whether it is new.
    pub(crate) new: bool,
    /// What had to make room for it.
    pub(crate) dropped: Option<Approval>,
}

/// A yes that a request holds. Nobody else can use it meanwhile; dropped, it can be used again.
pub(crate) struct Yes {
    approvals: Approvals,
    id: String,
    /// It is the caller's own, by token.
    own: bool,
}

impl Approvals {
    /// Asks a question, or finds it open. `own_yes`: the caller may say yes.
    pub(crate) fn ask(
        &self,
        question: Approval,
        now: Timestamp,
        own_yes: bool,
        entropy: &dyn Entropy,
    ) -> Asked {
        let token = own_yes.then(|| Token {
            text: random("cnf_", entropy),
            until: now.plus_seconds(TOKEN_LIFE.as_secs()),
        });
        let mut table = self.lock();
        let same = |entry: &&mut Entry| {
            entry.approval.fingerprint == question.fingerprint
                && entry.approval.clone().at(now).state == State::Pending
        };
        if let Some(entry) = table.open.iter_mut().find(same) {
            // Asked again, so that it is open for as long again; an earlier token stays good.
            entry.approval.until = question.until;
            let live = entry.token.take().filter(|token| token.until > now);
            entry.token = live
                .map(|live| Token {
                    until: now.plus_seconds(TOKEN_LIFE.as_secs()),
                    ..live
                })
                .or(token)
                .filter(|_| own_yes);
            return Asked {
                approval: entry.approval.clone(),
                token: entry.token.clone().map(|token| token.text),
                new: false,
                dropped: None,
            };
        }
        let dropped = (table.open.len() >= MAX_OPEN)
            .then(|| table.open.iter().position(|entry| !entry.held))
            .flatten()
            .map(|at| table.open.remove(at).approval);
        table.open.push(Entry {
            approval: question.clone(),
            token: token.clone(),
            held: false,
        });
        drop(table);
        self.0.changed.notify_waiters();
        Asked {
            approval: question,
            token: token.map(|token| token.text),
            new: true,
            dropped,
        }
    }

    /// Takes the yes to this question, if there is one: by a token or an approval's id, or without
    /// either when a person has said yes to exactly this.
    pub(crate) fn yes(
        &self,
        given: Option<&str>,
        about: Fingerprint,
        now: Timestamp,
    ) -> Result<Option<Yes>, &'static str> {
        let mut table = self.lock();
        let Some(given) = given else {
            let mut open = table.open.iter_mut();
            let approved = open.find(|entry| {
                entry.approval.fingerprint == about && !entry.held && entry.is_approved(now)
            });
            return Ok(approved.map(|entry| self.hold(entry, false)));
        };
        let mut open = table.open.iter_mut();
        let entry = open
            .find(|entry| entry.goes_by(given, now))
            .ok_or("the confirmation that came along is unknown, expired or used")?;
        if entry.approval.fingerprint != about {
            return Err("the confirmation that came along was given for something else");
        }
        if entry.held {
            return Err("the confirmation that came along is in use by another request");
        }
        let own = entry.approval.id != given;
        if !own && !entry.is_approved(now) {
            return Err("the approval that came along has not been given");
        }
        Ok(Some(self.hold(entry, own)))
    }

    fn hold(&self, entry: &mut Entry, own: bool) -> Yes {
        entry.held = true;
        Yes {
            approvals: self.clone(),
            id: entry.approval.id.clone(),
            own,
        }
    }

    /// A person's answer to a question: `step` makes the next state of it.
    pub(crate) fn answer(
        &self,
        id: &str,
        step: impl FnOnce(&Approval) -> Result<(Approval, Option<Grant>), Refused>,
    ) -> Option<Result<(Approval, Option<Grant>), Refused>> {
        let mut table = self.lock();
        let at = table
            .open
            .iter()
            .position(|entry| entry.approval.id == id)?;
        let entry = table.open.get_mut(at)?;
        if entry.held {
            return Some(Err(Refused::Over));
        }
        let (next, grant) = match step(&entry.approval) {
            Ok(next) => next,
            Err(refused) => return Some(Err(refused)),
        };
        entry.approval = next.clone();
        if !matches!(next.state, State::Pending | State::Approved { .. }) {
            table.open.remove(at);
        }
        if let Some(grant) = &grant {
            table.add_grant(grant.clone());
        }
        drop(table);
        self.0.changed.notify_waiters();
        Some(Ok((next, grant)))
    }

    /// Takes a standing yes back, and with it the yes to the run that was asked for, if no run has
    /// used it: nothing of what was agreed to is left.
    pub(crate) fn revoke(&self, id: &str) -> Option<(Grant, Option<Approval>)> {
        let mut table = self.lock();
        let at = table.grants.iter().position(|grant| grant.approval == id)?;
        let grant = table.grants.remove(at).revoke();
        let unused = |entry: &Entry| entry.approval.id == id && !entry.held;
        let at = table.open.iter().position(unused);
        let left = at.map(|at| table.open.remove(at).approval);
        Some((grant, left))
    }

    /// The standing yes that a question is covered by.
    pub(crate) fn granted(&self, covers: impl Fn(&Grant) -> bool) -> Option<String> {
        let table = self.lock();
        let grant = table.grants.iter().find(|grant| covers(grant))?;
        Some(grant.approval.clone())
    }

    /// Brings back what was open when the server last stopped.
    pub(crate) fn restore(&self, open: Vec<Approval>, grants: Vec<Grant>) {
        let mut table = self.lock();
        table.open = open
            .into_iter()
            .map(|approval| Entry {
                approval,
                token: None,
                held: false,
            })
            .collect();
        for grant in grants {
            table.add_grant(grant);
        }
    }

    /// Takes out those whose time is up, as they are now.
    pub(crate) fn take_expired(&self, now: Timestamp) -> Vec<Approval> {
        let mut table = self.lock();
        table.grants.retain(|grant| grant.until > now);
        let mut expired = Vec::new();
        table.open.retain(|entry| {
            let current = entry.approval.clone().at(now);
            let over = current.state == State::Expired && !entry.held;
            if over {
                expired.push(current);
            }
            !over
        });
        drop(table);
        if !expired.is_empty() {
            self.0.changed.notify_waiters();
        }
        expired
    }

    pub(crate) fn open(&self) -> Vec<Approval> {
        let table = self.lock();
        table
            .open
            .iter()
            .map(|entry| entry.approval.clone())
            .collect()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Approval> {
        let table = self.lock();
        let mut open = table.open.iter();
        open.find(|entry| entry.approval.id == id)
            .map(|entry| entry.approval.clone())
    }

    pub(crate) fn grants(&self) -> Vec<Grant> {
        self.lock().grants.clone()
    }

    /// Is told of every change from now on.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.changed.notified()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add_grant(&mut self, grant: Grant) {
        if self.grants.len() >= MAX_GRANTS {
            self.grants.remove(0);
        }
        self.grants.push(grant);
    }
}

impl Entry {
    fn is_approved(&self, now: Timestamp) -> bool {
        matches!(self.approval.clone().at(now).state, State::Approved { .. })
    }

    /// Whether this token or id is its own and good.
    fn goes_by(&self, given: &str, now: Timestamp) -> bool {
        let by_token = self
            .token
            .as_ref()
            .is_some_and(|token| token.text == given && token.until > now);
        by_token || self.approval.id == given
    }
}

impl Yes {
    /// The approval that it comes from.
    pub(crate) fn approval(&self) -> &str {
        &self.id
    }

    /// The run is on record: the yes is used up. The approval as it is now, over.
    pub(crate) fn spend(
        self,
        bound: &Bound<'_>,
        caller: &Who<'_>,
        run: &str,
        now: Timestamp,
        rules: &ApprovalRules,
    ) -> Option<Approval> {
        let mut table = self.approvals.lock();
        let at = table
            .open
            .iter()
            .position(|entry| entry.approval.id == self.id)?;
        let approval = table.open.remove(at).approval;
        drop(table);
        self.approvals.0.changed.notify_waiters();
        let approved = if self.own && approval.state == State::Pending {
            let (approved, _) = approval.approve(caller, Scope::Once, now, rules).ok()?;
            approved
        } else {
            approval
        };
        approved.use_for(bound, run, now).ok()
    }
}

/// Given back, unless it was spent, after which there is nothing to give back.
impl Drop for Yes {
    fn drop(&mut self) {
        let mut table = self.approvals.lock();
        let mut open = table.open.iter_mut();
        if let Some(entry) = open.find(|entry| entry.approval.id == self.id) {
            entry.held = false;
        }
    }
}

impl std::fmt::Debug for Yes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Yes({})", self.id)
    }
}

/// `prefix` and 24 bytes that nobody can guess.
fn random(prefix: &str, entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 24];
    entropy.fill(&mut bytes);
    format!("{prefix}{}", crate::record::hex(&bytes))
}

/// A new id of an approval: short enough to be typed.
pub(crate) fn new_id(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 6];
    entropy.fill(&mut bytes);
    format!("apr_{}", crate::record::hex(&bytes))
}
