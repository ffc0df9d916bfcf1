//! Questions that are open, and yeses that hold, in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use wharf_model::{Entropy, Timestamp};
use wharf_policy::approval::{Approval, Bound, Fingerprint, Grant, Refused, Scope, State};
use wharf_policy::{ApprovalRules, Who};

/// How long a confirmation token is good.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(300);
/// Questions that are open at once. Room is made by the oldest of whoever has the most.
pub(crate) const MAX_OPEN: usize = 1_000;
/// Questions of one person, their agents included, that are open at once; the oldest of them make
/// room.
pub const MAX_OPEN_EACH: usize = 100;
/// Tokens of one question: each server gives out one of its own.
const MAX_TOKENS: usize = 16;
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
    /// With each the caller says yes to the own question.
    tokens: Vec<Token>,
    /// A request holds its yes.
    held: bool,
    /// The database has it.
    stored: bool,
}

/// A token for saying yes to the own question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    /// Known to the server that made it.
    #[serde(skip)]
    text: Option<String>,
    /// SHA-256 of it, hexadecimal.
    hash: String,
    until: Timestamp,
}

impl Token {
    fn new(text: String, until: Timestamp) -> Self {
        let hash = crate::record::hex(&Sha256::digest(&text));
        Self {
            text: Some(text),
            hash,
            until,
        }
    }
}

/// A question as the database has it, with the hashes of its tokens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(flatten)]
    pub(crate) approval: Approval,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tokens: Vec<Token>,
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

/// An approval after an answer, the standing yes that comes of it, and what holds both back until they
/// are kept.
pub(crate) type Answered = (Approval, Option<Grant>, Answering);

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
        let until = now.plus_seconds(TOKEN_LIFE.as_secs());
        let new = || Token::new(random("cnf_", entropy), until);
        let mut table = self.lock();
        let same = |entry: &&mut Entry| {
            entry.approval.fingerprint == question.fingerprint
                && entry.approval.clone().at(now).state == State::Pending
        };
        if let Some(entry) = table.open.iter_mut().find(same) {
            // Asked again, so that it is open for as long again; an earlier token stays good.
            entry.approval.until = question.until;
            return Asked {
                token: entry.token(own_yes, now, until, new),
                approval: entry.approval.clone(),
                new: false,
                dropped: None,
            };
        }
        let dropped = table
            .too_many(&question)
            .map(|at| table.open.remove(at).approval);
        let mut entry = Entry {
            approval: question.clone(),
            tokens: Vec::new(),
            held: false,
            stored: false,
        };
        let token = entry.token(own_yes, now, until, new);
        table.open.push(entry);
        drop(table);
        self.0.changed.notify_waiters();
        Asked {
            approval: question,
            token,
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

    /// A person's answer to a question: `step` makes the next state of it, which is held for
    /// nobody else to change until [`Answering::done`]. Nothing is changed before that.
    pub(crate) fn answer(
        &self,
        id: &str,
        step: impl FnOnce(&Approval) -> Result<(Approval, Option<Grant>), Refused>,
    ) -> Option<Result<Answered, Refused>> {
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
        entry.held = true;
        let answering = Answering(Yes {
            approvals: self.clone(),
            id: id.to_owned(),
            own: false,
        });
        Some(Ok((next, grant, answering)))
    }

    /// A standing yes to be taken back, and with it the yes to the run that was asked for, if no
    /// run has used it: nothing of what was agreed to is left. That one is held until
    /// [`Answering::revoked`], and nothing is changed before.
    pub(crate) fn revoking(&self, id: &str) -> Option<(Grant, Option<Approval>, Answering)> {
        let mut table = self.lock();
        let mut grants = table.grants.iter();
        let grant = grants.find(|grant| grant.approval == id)?.clone().revoke();
        let mut open = table.open.iter_mut();
        let left = open.find(|entry| entry.approval.id == id && !entry.held);
        let left = left.map(|entry| {
            entry.held = true;
            entry.approval.clone()
        });
        // Dropping it gives back what it holds, and nothing else.
        let held = if left.is_some() { id } else { "" };
        let answering = Answering(Yes {
            approvals: self.clone(),
            id: held.to_owned(),
            own: false,
        });
        Some((grant, left, answering))
    }

    /// The standing yes that a question is covered by.
    pub(crate) fn granted(&self, covers: impl Fn(&Grant) -> bool) -> Option<String> {
        let table = self.lock();
        let grant = table.grants.iter().find(|grant| covers(grant))?;
        Some(grant.approval.clone())
    }

    /// Takes what the database has, at the start and when another server has changed it. What the
    /// database does not have yet stays, and so does what a request holds.
    pub(crate) fn restore(&self, open: Vec<Kept>, grants: Vec<Grant>) {
        let mut table = self.lock();
        let mut before = std::mem::take(&mut table.open);
        for Kept { approval, tokens } in open {
            let known = before
                .iter()
                .position(|entry| entry.approval.id == approval.id);
            let known = known.map(|at| before.remove(at));
            let mut entry = Entry {
                approval,
                tokens,
                held: false,
                stored: true,
            };
            if let Some(known) = known {
                entry.held = known.held;
                entry.add_tokens(known.tokens);
            }
            table.open.push(entry);
        }
        before.retain(|entry| entry.held || !entry.stored);
        table.open.append(&mut before);
        table.grants.clear();
        for grant in grants {
            table.add_grant(grant);
        }
        drop(table);
        self.0.changed.notify_waiters();
    }

    /// The tokens of a question, to be kept in the database with it; none when it is not open.
    pub(crate) fn tokens(&self, id: &str) -> Vec<Token> {
        let table = self.lock();
        let mut open = table.open.iter();
        let entry = open.find(|entry| entry.approval.id == id);
        entry.map_or_else(Vec::new, |entry| entry.tokens.clone())
    }

    /// The database has this question from now on.
    pub(crate) fn stored(&self, id: &str) {
        let mut table = self.lock();
        let mut open = table.open.iter_mut();
        if let Some(entry) = open.find(|entry| entry.approval.id == id) {
            entry.stored = true;
        }
    }

    /// Forgets a question, and a standing yes to it, because another server knows better.
    pub(crate) fn forget(&self, id: &str) {
        let mut table = self.lock();
        table.open.retain(|entry| entry.approval.id != id);
        table.grants.retain(|grant| grant.approval != id);
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
    /// What has to make room for a question.
    fn too_many(&self, question: &Approval) -> Option<usize> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for entry in &self.open {
            *counts.entry(asker(&entry.approval)).or_default() += 1;
        }
        let own = asker(question);
        let whose = if counts.get(own).is_some_and(|count| *count >= MAX_OPEN_EACH) {
            own
        } else if self.open.len() >= MAX_OPEN {
            counts.into_iter().max_by_key(|(_, count)| *count)?.0
        } else {
            return None;
        };
        let mut open = self.open.iter();
        open.position(|entry| !entry.held && asker(&entry.approval) == whose)
    }

    fn add_grant(&mut self, grant: Grant) {
        // The database may have told of it before.
        self.grants.retain(|known| known.approval != grant.approval);
        if self.grants.len() >= MAX_GRANTS {
            self.grants.remove(0);
        }
        self.grants.push(grant);
    }
}

/// For whom a question counts.
fn asker(approval: &Approval) -> &str {
    match approval.requester.as_str() {
        "" => &approval.caller,
        person => person,
    }
}

impl Entry {
    fn is_approved(&self, now: Timestamp) -> bool {
        matches!(self.approval.clone().at(now).state, State::Approved { .. })
    }

    /// Whether this token or id is its own and good.
    fn goes_by(&self, given: &str, now: Timestamp) -> bool {
        if self.approval.id == given {
            return true;
        }
        let hash = crate::record::hex(&Sha256::digest(given));
        let mut tokens = self.tokens.iter();
        tokens.any(|token| token.hash == hash && token.until > now)
    }

    /// A token to give out: the one that was given out before, good for as long again, or a new
    /// one. None where the caller may not say yes.
    fn token(
        &mut self,
        own_yes: bool,
        now: Timestamp,
        until: Timestamp,
        new: impl FnOnce() -> Token,
    ) -> Option<String> {
        self.tokens.retain(|token| own_yes && token.until > now);
        if !own_yes {
            return None;
        }
        let mut known = self.tokens.iter_mut();
        if let Some(token) = known.find(|token| token.text.is_some()) {
            token.until = until;
            return token.text.clone();
        }
        let token = new();
        let text = token.text.clone();
        self.add_tokens(vec![token]);
        text
    }

    fn add_tokens(&mut self, tokens: Vec<Token>) {
        for token in tokens {
            self.tokens.retain(|known| known.hash != token.hash);
            self.tokens.push(token);
        }
        let over = self.tokens.len().saturating_sub(MAX_TOKENS);
        self.tokens.drain(..over);
    }
}

impl Yes {
    /// The approval that it comes from.
    pub(crate) fn approval(&self) -> &str {
        &self.id
    }

    /// The approval as it is, and as it is when the run is on record. Nothing is changed by this.
    pub(crate) fn spending(
        &self,
        bound: &Bound<'_>,
        caller: &Who<'_>,
        run: &str,
        now: Timestamp,
        rules: &ApprovalRules,
    ) -> Option<(Approval, Approval)> {
        let before = self.approvals.find(&self.id)?;
        let used = self.used(before.clone(), bound, caller, run, now, rules)?;
        Some((before, used))
    }

    fn used(
        &self,
        approval: Approval,
        bound: &Bound<'_>,
        caller: &Who<'_>,
        run: &str,
        now: Timestamp,
        rules: &ApprovalRules,
    ) -> Option<Approval> {
        let approved = if self.own && approval.state == State::Pending {
            let (approved, _) = approval.approve(caller, Scope::Once, now, rules).ok()?;
            approved
        } else {
            approval
        };
        approved.use_for(bound, run, now).ok()
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
        self.used(approval, bound, caller, run, now, rules)
    }
}

/// A step of a person's that is being kept.
pub(crate) struct Answering(Yes);

impl Answering {
    /// It is kept: it holds from now on.
    pub(crate) fn done(self, next: &Approval, grant: Option<&Grant>) {
        let approvals = self.0.approvals.clone();
        let mut table = approvals.lock();
        let open = matches!(next.state, State::Pending | State::Approved { .. });
        if let Some(at) = table
            .open
            .iter()
            .position(|entry| entry.approval.id == next.id)
        {
            if !open {
                table.open.remove(at);
            } else if let Some(entry) = table.open.get_mut(at) {
                entry.approval = next.clone();
            }
        }
        if let Some(grant) = grant {
            table.add_grant(grant.clone());
        }
        drop(table);
        // No longer held when others hear of it.
        drop(self);
        approvals.0.changed.notify_waiters();
    }

    /// It is kept: nothing is left of that yes.
    pub(crate) fn revoked(self, id: &str) {
        let approvals = self.0.approvals.clone();
        let mut table = approvals.lock();
        table.grants.retain(|grant| grant.approval != id);
        let own = self.0.id.as_str();
        table.open.retain(|entry| entry.approval.id != own);
        drop(table);
        drop(self);
        approvals.0.changed.notify_waiters();
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
