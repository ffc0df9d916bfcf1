//! All living sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_model::{Caller, SessionId};

use super::state::Session;
use crate::error::Error;

type Sessions = HashMap<(Caller, SessionId), Arc<Session>>;

/// Sessions by owner and id: what is another caller's cannot be found, not even by accident.
#[derive(Default)]
pub(crate) struct SessionTable(Mutex<Sessions>);

impl SessionTable {
    pub(crate) fn get(&self, caller: &Caller, id: &SessionId) -> Result<Arc<Session>, Error> {
        let found = self.lock().get(&(caller.clone(), id.clone())).cloned();
        let found = found.filter(|_| caller.reaches(Some(id)));
        found.ok_or_else(|| Error::not_found("session", id.as_str()))
    }

    /// Puts a session in unless one of that name is there, there are `limit` of them, or there may
    /// be no more beside those of these owners.
    pub(crate) fn insert(
        &self,
        session: &Arc<Session>,
        limit: usize,
        room: impl FnOnce(&[&str]) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let mut sessions = self.lock();
        let name = (session.owner.clone(), session.id.clone());
        if sessions.contains_key(&name) {
            return Ok(false);
        }
        if sessions.len() >= limit {
            let what = "the number of sessions";
            let retry_after = crate::runs::start::RETRY_AFTER;
            return Err(Error::Busy {
                what,
                limit,
                retry_after,
            });
        }
        let owners: Vec<&str> = sessions.keys().map(|(owner, _)| owner.name()).collect();
        room(&owners)?;
        sessions.insert(name, Arc::clone(session));
        Ok(true)
    }

    pub(crate) fn remove(&self, session: &Session) {
        self.lock()
            .remove(&(session.owner.clone(), session.id.clone()));
    }

    pub(crate) fn of(&self, caller: &Caller) -> Vec<Arc<Session>> {
        self.lock()
            .values()
            .filter(|session| session.owner == *caller && caller.reaches(Some(&session.id)))
            .cloned()
            .collect()
    }

    /// The names of the owners of all, one for each session.
    pub(crate) fn owners(&self) -> Vec<Caller> {
        let sessions = self.lock();
        sessions.keys().map(|(owner, _)| owner.clone()).collect()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
