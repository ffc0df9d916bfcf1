//! How much persons, organizations and agents have used of what they may.
//!
//! A command is counted for the person who asks or whom an agent acts for, for the organization,
//! and for the agent. Counts are in memory, so that a command waits for no database: one short
//! lock when it begins and one when it ends. At the start of the server today's are read from the
//! runs that the database knows. A command counts on the day on which it ends; while it goes on,
//! what it has used so far counts now. What is refused or asked about counts among the commands of
//! a minute. What runs is not ended for a limit: the next is refused.
//!
//! Where several servers share a database, what was used today at the others counts as well, at the
//! latest a minute after it has ended.
//!
//! Limits: commands in a minute, commands at once and sessions are counted by each server for
//! itself; a command that began more than a day before today and ended today is forgotten by a
//! restart.

mod exceeded;
mod load;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wharf_model::{Caller, Limits, Quotas, Timestamp};

pub use self::exceeded::{Exceeded, What, Whose};
pub(crate) use self::tally::Spent;
pub use self::tally::Used;

use self::exceeded::{ASK_AGAIN, ASK_AGAIN_FOR_A_SESSION};
use self::tally::{Full, Tally, midnight_after};
use crate::engine::{Engine, Inner};
use crate::error::Error;

/// Persons, organizations and agents that are counted, each. Above that, those are forgotten first
/// of whom nothing counts any more.
pub(crate) const MAX_COUNTED: usize = 10_000;

/// What everybody has used.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    table: Arc<Mutex<Table>>,
    /// What holds for those with an account of whom nothing is said.
    defaults: Quotas,
}

#[derive(Debug, Default)]
struct Table {
    persons: Tallies,
    organizations: Tallies,
    agents: Tallies,
}

#[derive(Debug, Default)]
struct Tallies(HashMap<Box<str>, Tally>);

/// What a caller has used, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Of the person, their agents included.
    pub person: Share,
    /// Of the organization, all its people and agents.
    pub organization: Option<Share>,
    /// Of the agent, where one asks.
    pub agent: Option<Share>,
    /// When today's counts begin anew.
    pub day_ends: Timestamp,
}

/// One part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Whose it is.
    pub name: String,
    /// What has been used.
    pub used: Used,
    /// What may be.
    pub limits: Limits,
}

/// Whom a caller's name stands for: `PERSON`, `ORGANIZATION/PERSON`, or
/// `ORGANIZATION/PERSON/AGENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts<'n> {
    person: &'n str,
    organization: Option<&'n str>,
    /// The whole name.
    agent: Option<&'n str>,
}

impl<'n> Parts<'n> {
    pub(crate) fn of(name: &'n str) -> Self {
        let Some((organization, rest)) = name.split_once('/') else {
            return Self {
                person: name,
                organization: None,
                agent: None,
            };
        };
        // The part of an address before its `@` may hold a slash.
        let at = rest.find('@').unwrap_or(0);
        let end = rest
            .get(at..)
            .and_then(|domain| domain.find('/'))
            .map(|slash| at.saturating_add(slash));
        Self {
            person: end.and_then(|end| rest.get(..end)).unwrap_or(rest),
            organization: Some(organization),
            agent: end.map(|_| name),
        }
    }
}

impl Ledger {
    pub(crate) fn new(defaults: Quotas) -> Self {
        Self {
            table: Arc::default(),
            defaults,
        }
    }

    /// Counts a command that begins now.
    ///
    /// # Errors
    /// When somebody whom it is counted for may begin no more.
    pub(crate) fn begin(&self, caller: &Caller, now: Timestamp) -> Result<Charge, Error> {
        let parts = Parts::of(caller.name());
        let mut table = self.lock();
        self.room(&mut table, caller, parts, now)?;
        table.each(parts, now, |tally| tally.begin(now));
        drop(table);
        Ok(self.charge(caller, now))
    }

    /// Whether a command may begin now; nothing is counted.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(crate) fn check(&self, caller: &Caller, now: Timestamp) -> Result<(), Error> {
        let parts = Parts::of(caller.name());
        self.room(&mut self.lock(), caller, parts, now)
    }

    /// Counts a command that an earlier server has begun and that goes on.
    pub(crate) fn adopt(&self, caller: &Caller, since: Timestamp, now: Timestamp) -> Charge {
        let parts = Parts::of(caller.name());
        self.lock().each(parts, now, |tally| tally.go_on(since));
        self.charge(caller, since)
    }

    /// Whether one more session may be made beside those of these owners.
    ///
    /// # Errors
    /// When there may be no more.
    pub(crate) fn session(&self, caller: &Caller, owners: &[&str]) -> Result<(), Error> {
        let parts = Parts::of(caller.name());
        for (kind, limits) in KINDS.into_iter().zip(self.limits(caller)) {
            let (Some(name), Some(limit)) = (kind.of(parts), limits.sessions) else {
                continue;
            };
            if kind.count(name, owners) >= limit {
                return Err(Error::Quota(Exceeded {
                    what: What::Sessions,
                    limit,
                    whose: kind.whose(name),
                    free: None,
                    retry_after: ASK_AGAIN_FOR_A_SESSION,
                }));
            }
        }
        Ok(())
    }

    fn usage(&self, caller: &Caller, now: Timestamp, owners: &[&str]) -> Usage {
        let parts = Parts::of(caller.name());
        let [person, organization, agent] = self.limits(caller);
        let share = |kind: Kind, limits: Limits| {
            let name = kind.of(parts)?;
            let mut used = {
                let mut table = self.lock();
                let tally = table.tallies(kind).0.get_mut(name);
                tally.map_or_else(Used::default, |tally| tally.used(now))
            };
            used.sessions = kind.count(name, owners);
            Some(Share {
                name: name.to_owned(),
                used,
                limits,
            })
        };
        Usage {
            person: share(Kind::Person, person).unwrap_or_else(|| Share {
                name: parts.person.to_owned(),
                used: Used::default(),
                limits: person,
            }),
            organization: share(Kind::Organization, organization),
            agent: share(Kind::Agent, agent),
            day_ends: midnight_after(now),
        }
    }

    fn room(
        &self,
        table: &mut Table,
        caller: &Caller,
        parts: Parts<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        for (kind, limits) in KINDS.into_iter().zip(self.limits(caller)) {
            let Some(name) = kind.of(parts).filter(|_| limits != Limits::NONE) else {
                continue;
            };
            let tally = table.tallies(kind).0.get_mut(name);
            let full = match tally {
                Some(tally) => tally.full(&limits, now),
                None => Tally::default().full(&limits, now),
            };
            if let Some(full) = full {
                return Err(Error::Quota(exceeded(kind.whose(name), full, now)));
            }
        }
        Ok(())
    }

    /// In the order of [`KINDS`]. The holder of the local token has no account, and no limits but
    /// those that somebody gave.
    fn limits(&self, caller: &Caller) -> [Limits; 3] {
        let grants = caller.grants();
        let quotas = match &grants.person {
            Some(_) => grants.limits.or(self.defaults),
            None => grants.limits,
        };
        [quotas.person, quotas.organization, quotas.agent]
    }

    fn charge(&self, caller: &Caller, since: Timestamp) -> Charge {
        Charge {
            ledger: self.clone(),
            caller: caller.clone(),
            since,
            counted: 0,
            state: State::Begun,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exceeded(whose: Whose, full: Full, now: Timestamp) -> Exceeded {
    let Full { what, limit, free } = full;
    let left = free.map(|free| free.millis().saturating_sub(now.millis()).max(0));
    let left = left.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    Exceeded {
        what,
        limit,
        whose,
        free,
        retry_after: left.unwrap_or(ASK_AGAIN),
    }
}

/// For whom something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Person,
    Organization,
    Agent,
}

const KINDS: [Kind; 3] = [Kind::Person, Kind::Organization, Kind::Agent];

impl Kind {
    const fn of<'n>(self, parts: Parts<'n>) -> Option<&'n str> {
        match self {
            Self::Person => Some(parts.person),
            Self::Organization => parts.organization,
            Self::Agent => parts.agent,
        }
    }

    /// How many of these owners count for this name.
    fn count(self, name: &str, owners: &[&str]) -> u64 {
        let its = owners
            .iter()
            .filter(|owner| self.of(Parts::of(owner)) == Some(name));
        u64::try_from(its.count()).unwrap_or(u64::MAX)
    }

    fn whose(self, name: &str) -> Whose {
        match self {
            Self::Person => Whose::Person(name.to_owned()),
            Self::Organization => Whose::Organization(name.to_owned()),
            Self::Agent => Whose::Agent(name.to_owned()),
        }
    }
}

impl Table {
    const fn tallies(&mut self, kind: Kind) -> &mut Tallies {
        match kind {
            Kind::Person => &mut self.persons,
            Kind::Organization => &mut self.organizations,
            Kind::Agent => &mut self.agents,
        }
    }

    /// What was used at other servers is to be told anew.
    fn forget_elsewhere(&mut self) {
        for kind in KINDS {
            let tallies = self.tallies(kind).0.values_mut();
            tallies.for_each(Tally::forget_elsewhere);
        }
    }

    /// Does something to each tally of a caller's, which are made where they are not there.
    fn each(&mut self, parts: Parts<'_>, now: Timestamp, change: impl Fn(&mut Tally)) {
        for kind in KINDS {
            if let Some(name) = kind.of(parts) {
                self.tallies(kind).with(name, now, &change);
            }
        }
    }
}

impl Tallies {
    fn with(&mut self, name: &str, now: Timestamp, change: impl Fn(&mut Tally)) {
        if let Some(tally) = self.0.get_mut(name) {
            return change(tally);
        }
        if self.0.len() >= MAX_COUNTED {
            self.forget(now);
        }
        let mut tally = Tally::default();
        change(&mut tally);
        self.0.insert(Box::from(name), tally);
    }

    /// Makes room for one.
    fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, tally| tally.matters(now));
        if self.0.len() < MAX_COUNTED {
            return;
        }
        let quiet = self.0.iter().filter(|(_, tally)| !tally.runs());
        let oldest = quiet.min_by_key(|(_, tally)| tally.touched());
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            self.0.remove(&name);
        }
    }
}

/// A command as it is counted. Dropping it ends that, whatever became of the command.
#[derive(Debug)]
pub(crate) struct Charge {
    ledger: Ledger,
    caller: Caller,
    since: Timestamp,
    /// Bytes of it that are counted so far.
    counted: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not on record: it counts for nothing if it comes to nothing.
    Begun,
    /// On record.
    Opened,
    /// What it came to is counted; something of it may still run.
    Closed,
}

impl Charge {
    /// It is on record.
    pub(crate) fn opened(&mut self) {
        self.state = State::Opened;
    }

    /// It has written so many bytes by now.
    pub(crate) fn written(&mut self, total: u64) {
        let more = total.saturating_sub(self.counted);
        if more == 0 || self.state == State::Closed {
            return;
        }
        self.counted = total;
        self.change(|tally| tally.wrote(more));
    }

    /// It has come to so much, as the record says.
    pub(crate) fn close(&mut self, now: Timestamp, spent: Spent) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        let (since, counted) = (self.since, self.counted);
        self.change(|tally| {
            tally.settle(since, counted);
            tally.add_today(now, spent);
        });
    }

    fn change(&self, change: impl Fn(&mut Tally)) {
        let parts = Parts::of(self.caller.name());
        let mut table = self.ledger.lock();
        for kind in KINDS {
            let name = kind.of(parts);
            if let Some(tally) = name.and_then(|name| table.tallies(kind).0.get_mut(name)) {
                change(tally);
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let (since, counted, state) = (self.since, self.counted, self.state);
        self.change(|tally| {
            if state == State::Begun {
                tally.take_back(since);
            }
            if state != State::Closed {
                tally.settle(since, counted);
            }
            tally.end();
        });
    }
}

impl Engine {
    /// What the caller has used of what they may.
    #[must_use]
    pub fn usage(&self, caller: &Caller) -> Usage {
        let inner: &Inner = self.inner();
        let now = inner.parts.clock.now();
        let owners = inner.sessions.owners();
        let owners: Vec<&str> = owners.iter().map(Caller::name).collect();
        inner.quotas.usage(caller, now, &owners)
    }
}
