//! How many requests may be under way: of one session, of all sessions of one account, and of all.
//!
//! One more waits for a while: a client that starts asks for a dozen things at once and is done
//! with them in a moment, and a refusal then would break it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::AttachLimits;
use super::counts::Counts;

/// The places that there are.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    in_all: usize,
    accounts: Arc<Shares>,
    sessions: Arc<Shares>,
    patience: Duration,
}

/// As many places for each of many.
#[derive(Debug)]
struct Shares {
    each: usize,
    known: Mutex<HashMap<Arc<str>, Share>>,
}

#[derive(Debug)]
struct Share {
    places: Arc<Semaphore>,
    /// Who has one of them or waits for one.
    here: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _of_session: OwnedSemaphorePermit,
    _of_account: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
    _seats: [Seat; 2],
    waited: bool,
}

impl Place {
    /// It was not free at once: what was known before may have changed.
    pub(super) const fn waited(&self) -> bool {
        self.waited
    }
}

/// Keeps a share known while somebody has or wants a place of it.
#[derive(Debug)]
struct Seat {
    of: Arc<Shares>,
    name: Arc<str>,
}

/// Why there was no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// This session has as many as one may have.
    Session,
    /// The sessions of this account have.
    Account,
    /// All together have as many as there are.
    All,
}

impl Places {
    pub(super) fn new(limits: &AttachLimits) -> Self {
        let in_all = limits.in_all.min(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(in_all)),
            in_all,
            accounts: Shares::of(limits.per_account),
            sessions: Shares::of(limits.per_session),
            patience: limits.place_patience,
        }
    }

    /// A place for a request of `session`, which is charged to `account`, as soon as there is one.
    /// The smaller share comes first, so that who is at a bound keeps none of the others waiting.
    pub(super) async fn take(
        &self,
        session: &Arc<str>,
        account: &Arc<str>,
        counts: &Counts,
    ) -> Result<Place, Full> {
        let (seat, own) = self.sessions.seat(session);
        let (account_seat, of_account) = self.accounts.seat(account);
        let mut missing = Full::Session;
        let (taken, waited) = {
            let mut both = pin!(async {
                let of_session = own.acquire_owned().await;
                missing = Full::Account;
                let of_account = of_account.acquire_owned().await;
                missing = Full::All;
                let of_all = Arc::clone(&self.all).acquire_owned().await;
                (of_session, of_account, of_all)
            });
            let at_once = tokio::select! {
                biased;
                taken = both.as_mut() => Some(taken),
                () = std::future::ready(()) => None,
            };
            match at_once {
                Some(taken) => (Ok(taken), false),
                None => {
                    let _waits = counts.waiting();
                    (tokio::time::timeout(self.patience, both).await, true)
                }
            }
        };
        match taken {
            Ok((Ok(of_session), Ok(of_account), Ok(of_all))) => Ok(Place {
                _of_session: of_session,
                _of_account: of_account,
                _of_all: of_all,
                _seats: [seat, account_seat],
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
}

impl Shares {
    fn of(each: usize) -> Arc<Self> {
        Arc::new(Self {
            each: each.min(Semaphore::MAX_PERMITS),
            known: Mutex::default(),
        })
    }

    fn seat(self: &Arc<Self>, name: &Arc<str>) -> (Seat, Arc<Semaphore>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let share = known.entry(Arc::clone(name)).or_insert_with(|| Share {
            places: Arc::new(Semaphore::new(self.each)),
            here: 0,
        });
        share.here = share.here.saturating_add(1);
        let own = Arc::clone(&share.places);
        let seat = Seat {
            of: Arc::clone(self),
            name: Arc::clone(name),
        };
        (seat, own)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let known = self.of.known.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = known.get_mut(&self.name) {
            share.here = share.here.saturating_sub(1);
            if share.here == 0 {
                known.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);
    static COUNTS: LazyLock<Counts> = LazyLock::new(Counts::default);

    fn places(in_all: usize, per_account: usize, per_session: usize) -> Places {
        Places::new(&AttachLimits {
            per_session,
            per_account,
            in_all,
            place_patience: PATIENCE,
            ..AttachLimits::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn one_more_than_may_be_is_told_so_after_a_while() {
        let places = places(4, 3, 2);
        let [a, b, c] = ["a", "b", "c"].map(Arc::<str>::from);
        let [acme, other] = ["acme", "other"].map(Arc::<str>::from);
        let one = places.take(&a, &acme, &COUNTS).await.unwrap();
        let _two = places.take(&a, &acme, &COUNTS).await.unwrap();
        let begun = tokio::time::Instant::now();
        let full = async |session: &Arc<str>, account: &Arc<str>| {
            places.take(session, account, &COUNTS).await.unwrap_err()
        };
        assert_eq!(full(&a, &acme).await, Full::Session);
        assert_eq!(begun.elapsed(), PATIENCE);
        let three = places.take(&b, &acme, &COUNTS).await.unwrap();
        assert_eq!(full(&b, &acme).await, Full::Account);
        let _four = places.take(&c, &other, &COUNTS).await.unwrap();
        assert_eq!(full(&c, &other).await, Full::All);
        assert_eq!(places.all.available_permits(), 0);
        drop(three);
        let _other = places.take(&b, &acme, &COUNTS).await.unwrap();
        drop(one);
        places.take(&a, &acme, &COUNTS).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_place_that_becomes_free() {
        let places = places(1, 1, 1);
        let a = Arc::from("a");
        let one = places.take(&a, &a, &COUNTS).await.unwrap();
        assert!(!one.waited());
        let later = async {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(one);
        };
        let (two, ()) = tokio::join!(places.take(&a, &a, &COUNTS), later);
        assert!(two.unwrap().waited());
    }

    #[tokio::test(start_paused = true)]
    async fn of_who_is_gone_nothing_is_kept() {
        let places = places(2, 2, 1);
        let a = Arc::from("a");
        let one = places.take(&a, &a, &COUNTS).await.unwrap();
        places.take(&a, &a, &COUNTS).await.unwrap_err();
        drop(one);
        assert!(places.sessions.known.lock().unwrap().is_empty());
        assert!(places.accounts.known.lock().unwrap().is_empty());
        assert_eq!(places.all.available_permits(), 2);
        places.empty().await;
    }
}
