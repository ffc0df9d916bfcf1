//! What happens to sessions, for those who look on.

use std::time::Duration;

use wharf_model::Caller;

use crate::Error;
use crate::gateway::Gateway;
use crate::limits::EVENTS_PER_LOOK;
use crate::owner::Use;
use crate::views::EventView;

impl Gateway {
    /// What happened to a session behind the event of that number, in order. Waits for at most
    /// `patience` where nothing has; nothing is answered then.
    ///
    /// It is looked at anew each time whether the caller may see the session.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it is somebody else's; [`Error::Elsewhere`].
    pub async fn events(
        &self,
        caller: &Caller,
        id: &str,
        after: u64,
        patience: Duration,
    ) -> Result<Vec<EventView>, Error> {
        let inner = &self.inner;
        let row = inner.find(caller, id, Use::Look).await?;
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        // Before the database is asked, so that nothing falls between.
        let mut number = match inner.live_of(&row) {
            Ok(live) => Some(live.number.subscribe()),
            Err(Error::Ended { .. }) => None,
            Err(elsewhere) => return Err(elsewhere),
        };
        let database = &inner.parts.database;
        let events = database.gateway_events(&row.id, after, EVENTS_PER_LOOK);
        let mut events = events.await?;
        if let (true, Some(number)) = (events.is_empty(), &mut number) {
            let news = number.wait_for(|last| *last > after);
            tokio::select! {
                () = inner.stopping.cancelled() => {}
                // Nothing comes of one that is gone.
                _waited = tokio::time::timeout(patience, news) => {}
            }
            let again = database.gateway_events(&row.id, after, EVENTS_PER_LOOK);
            events = again.await?;
        }
        Ok(events.into_iter().map(EventView::of).collect())
    }
}
