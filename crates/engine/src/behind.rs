//! The database behind the record, and the runs that an earlier process left open in both.

use std::sync::Arc;

use tokio::time::{Duration, Instant};
use wharf_model::{Caller, RunId, SessionId};
use wharf_store::db::{Ahead, RunRow};

use crate::engine::Inner;
use crate::error::Error;
use crate::{record, runs};

/// How far the record of another server may be ahead of the database, and how often it is looked.
const OTHERS_BEHIND: Duration = Duration::from_millis(1_500);
const LOOK: Duration = Duration::from_millis(100);

/// A run of the caller's that is known.
enum Known {
    Own(runs::start::Found),
    /// It is another server's, and this is what the database has of it.
    Foreign(Box<RunRow>),
}

impl Inner {
    /// Brings the database up to the record.
    pub(crate) async fn catch_up(&self) -> Result<(), Error> {
        let mut projector = self.projector.lock().await;
        projector
            .catch_up()
            .await
            .map(|_| ())
            .map_err(Error::from_database)
    }

    /// [`Inner::catch_up`] for a question. When the database cannot follow, for example while the
    /// disk is full, what it lacks is read from the record itself.
    pub(crate) async fn catch_up_for_reading(&self) -> Ahead {
        let mut projector = self.projector.lock().await;
        let Err(error) = projector.catch_up().await else {
            return Ahead::default();
        };
        tracing::warn!(target: "system", %error, "the database is behind the record, which is read instead");
        projector.ahead().await.unwrap_or_else(|error| {
            tracing::warn!(target: "system", %error, "the record cannot be read");
            Ahead::default()
        })
    }

    /// A run by its id: here if it goes on or has just ended, else from the database.
    pub(crate) async fn find_run(
        &self,
        caller: &Caller,
        id: &RunId,
    ) -> Result<runs::start::Found, Error> {
        match self.look_for(caller, id).await? {
            Known::Own(found) => Ok(found),
            Known::Foreign(row) => Err(self.elsewhere("command", &row.id, &row.server).await),
        }
    }

    async fn look_for(&self, caller: &Caller, id: &RunId) -> Result<Known, Error> {
        let unknown = || Error::not_found("command", id.as_str());
        if let Some(run) = self.runs.get(id) {
            return if run.is_for(caller) {
                Ok(Known::Own(runs::start::Found::Here(run)))
            } else {
                Err(unknown())
            };
        }
        let ahead = self.catch_up_for_reading().await;
        let row = self.parts.database.run(caller.name(), id.as_str()).await;
        let row = row.map_err(Error::from_database)?;
        let row = match ahead.run(caller.name(), id.as_str(), row) {
            None => self.awaited_run(caller, id).await?,
            known => known,
        };
        let row = row.ok_or_else(unknown)?;
        let session = row.session_id.as_deref();
        let session = session.and_then(|id| SessionId::parse(id).ok());
        if !caller.reaches(session.as_ref()) {
            return Err(unknown());
        }
        let (is_foreign, row) = (self.is_foreign(&row.server), Box::new(row));
        Ok(match is_foreign {
            true => Known::Foreign(row),
            false => Known::Own(runs::start::Found::Stored(row)),
        })
    }

    /// A run that another server may just have begun: that one's record is ahead of the database.
    async fn awaited_run(&self, caller: &Caller, id: &RunId) -> Result<Option<RunRow>, Error> {
        // Whoever tries ids shall neither hold up the others nor keep the database busy.
        let Ok(_place) = self.shared.waits.try_acquire() else {
            return Ok(None);
        };
        if !self.has_live_others().await? {
            return Ok(None);
        }
        let until = Instant::now() + OTHERS_BEHIND;
        loop {
            tokio::time::sleep(LOOK).await;
            let row = self.parts.database.run(caller.name(), id.as_str()).await;
            let row = row.map_err(Error::from_database)?;
            if row.is_some() || Instant::now() >= until {
                return Ok(row);
            }
        }
    }

    /// A run as far as it can be seen from here: one of another server that has ended or is not
    /// there, as the database has it.
    pub(crate) async fn seen_run(
        &self,
        caller: &Caller,
        id: &RunId,
    ) -> Result<runs::start::Found, Error> {
        let row = match self.look_for(caller, id).await? {
            Known::Own(found) => return Ok(found),
            Known::Foreign(row) => row,
        };
        if row.seq_closed.is_some() {
            return Ok(runs::start::Found::Stored(row));
        }
        match self.elsewhere("command", &row.id, &row.server).await {
            Error::Elsewhere { server, .. } if server.reachable().is_none() => {
                Ok(runs::start::Found::Stored(row))
            }
            error => Err(error),
        }
    }

    /// Closes what an earlier process left open, save for what goes on on hosts: that is taken up
    /// again.
    pub(crate) async fn close_lost_runs(self: &Arc<Self>) -> Result<(), Error> {
        let mut after = -1;
        let (mut lost, mut adopted) = (0_u64, 0_u64);
        loop {
            let open = self
                .parts
                .database
                .open_runs(after)
                .await
                .map_err(Error::from_database)?;
            let Some(last) = open.last() else { break };
            after = last.seq_opened;
            let mut handles = runs::kept::handles(self, &open);
            for row in &open {
                let Ok(run) = RunId::parse(&row.id) else {
                    continue;
                };
                let handle = handles
                    .remove(&row.id)
                    .filter(|_| self.parts.hosts.is_some());
                let Some(handle) = handle else {
                    record::close_lost(self, &run)?;
                    lost += 1;
                    continue;
                };
                runs::kept::adopt(self, row, handle)?;
                adopted += 1;
            }
        }
        if adopted > 0 {
            tracing::info!(target: "command", adopted, "took up runs again that went on on hosts");
        }
        if lost > 0 {
            tracing::warn!(target: "audit", lost, "closed runs that an earlier process left open");
        }
        self.catch_up().await
    }
}
