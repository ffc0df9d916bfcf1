//! How many requests may be under way, of one session and of all.
//!
//! One more waits for a while: a client that starts asks for a dozen things at once and is done
//! with them in a moment, and a refusal then would break it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places that there are.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    in_all: usize,
    per_session: usize,
    patience: Duration,
    sessions: Mutex<HashMap<Arc<str>, Session>>,
}

#[derive(Debug)]
struct Session {
    places: Arc<Semaphore>,
    /// Who has one of them or waits for one.
    here: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _of_session: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
    _seat: Seat,
    waited: bool,
}

impl Place {
    /// It was not free at once: what was known before may have changed.
    pub(super) const fn waited(&self) -> bool {
        self.waited
    }
}

/// Keeps a session's places known while somebody has or wants one.
#[derive(Debug)]
struct Seat {
    of: Arc<Places>,
    session: Arc<str>,
}

/// Why there was no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// This session has as many as one may have.
    Session,
    /// All together have as many as there are.
    All,
}

impl Places {
    pub(super) fn new(in_all: usize, per_session: usize, patience: Duration) -> Self {
        let in_all = in_all.min(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(in_all)),
            in_all,
            per_session: per_session.min(Semaphore::MAX_PERMITS),
            patience,
            sessions: Mutex::default(),
        }
    }

    /// A place for a request of `session`, as soon as there is one. The session's own comes first,
    /// so that one that is at its bound keeps none of the others' waiting.
    pub(super) async fn take(self: &Arc<Self>, session: &Arc<str>) -> Result<Place, Full> {
        let (seat, own) = self.seat(session);
        let mut missing = Full::Session;
        let (taken, waited) = {
            let mut both = pin!(async {
                let of_session = own.acquire_owned().await;
                missing = Full::All;
                (of_session, Arc::clone(&self.all).acquire_owned().await)
            });
            let at_once = tokio::select! {
                biased;
                taken = both.as_mut() => Some(taken),
                () = std::future::ready(()) => None,
            };
            match at_once {
                Some(taken) => (Ok(taken), false),
                None => (tokio::time::timeout(self.patience, both).await, true),
            }
        };
        match taken {
            Ok((Ok(of_session), Ok(of_all))) => Ok(Place {
                _of_session: of_session,
                _of_all: of_all,
                _seat: seat,
                waited,
            }),
            // A semaphore fails only when it is closed, which nobody does.
            _ => Err(missing),
        }
    }

    /// Waits until none is under way.
    pub(super) async fn empty(&self) {
        let all = u32::try_from(self.in_all).unwrap_or(u32::MAX);
        let _all = self.all.acquire_many(all).await;
    }

    fn seat(self: &Arc<Self>, session: &Arc<str>) -> (Seat, Arc<Semaphore>) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sessions
            .entry(Arc::clone(session))
            .or_insert_with(|| Session {
                places: Arc::new(Semaphore::new(self.per_session)),
                here: 0,
            });
        known.here = known.here.saturating_add(1);
        let own = Arc::clone(&known.places);
        let seat = Seat {
            of: Arc::clone(self),
            session: Arc::clone(session),
        };
        (seat, own)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut sessions = self
            .of
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sessions.get_mut(&self.session) {
            known.here = known.here.saturating_sub(1);
            if known.here == 0 {
                sessions.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn places(in_all: usize, per_session: usize) -> Arc<Places> {
        Arc::new(Places::new(in_all, per_session, PATIENCE))
    }

    #[tokio::test(start_paused = true)]
    async fn one_more_than_may_be_is_told_so_after_a_while() {
        let places = places(3, 2);
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        let one = places.take(&a).await.unwrap();
        let _two = places.take(&a).await.unwrap();
        let begun = tokio::time::Instant::now();
        assert_eq!(places.take(&a).await.unwrap_err(), Full::Session);
        assert_eq!(begun.elapsed(), PATIENCE);
        let three = places.take(&b).await.unwrap();
        assert_eq!(places.take(&b).await.unwrap_err(), Full::All);
        assert_eq!(places.all.available_permits(), 0);
        drop(three);
        let _other = places.take(&b).await.unwrap();
        drop(one);
        places.take(&a).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_place_that_becomes_free() {
        let places = places(1, 1);
        let a = Arc::from("a");
        let one = places.take(&a).await.unwrap();
        assert!(!one.waited());
        let later = async {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(one);
        };
        let (two, ()) = tokio::join!(places.take(&a), later);
        assert!(two.unwrap().waited());
    }

    #[tokio::test(start_paused = true)]
    async fn of_who_is_gone_nothing_is_kept() {
        let places = places(2, 1);
        let a = Arc::from("a");
        let one = places.take(&a).await.unwrap();
        places.take(&a).await.unwrap_err();
        drop(one);
        assert!(places.sessions.lock().unwrap().is_empty());
        assert_eq!(places.all.available_permits(), 2);
        places.empty().await;
    }
}
