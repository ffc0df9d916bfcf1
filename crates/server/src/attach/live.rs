//! One request while it is under way: that it moves, and what ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Attachments;
use super::counts::{Counts, Cut, Way};
use super::places::Place;

/// How often the port is told of what moves.
const TOUCH_EVERY: Duration = Duration::from_secs(5);

/// Shared by the request's body, the answer's body and whoever waits for the one or the other. Its
/// place is free when all of them are gone.
pub(super) struct Live {
    session: Arc<str>,
    sessions: Arc<dyn Attachments>,
    counts: Arc<Counts>,
    begun: Instant,
    /// When something moved, and when the port heard of it; in milliseconds since `begun`.
    moved: AtomicU64,
    touched: AtomicU64,
    /// Since when the client is waited for in the middle of what it sends: as `moved`, and one more;
    /// 0 while it is not.
    awaited: AtomicU64,
    /// What the client sends broke off.
    broken: AtomicBool,
    /// The session is over.
    ended: CancellationToken,
    ends: Ends,
    _place: Place,
}

/// How this server ends: what would go on for ever ends first.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// Nothing new begins, and streams without an end of their own are over.
    pub(super) soft: CancellationToken,
    /// All is over.
    pub(super) hard: CancellationToken,
}

impl Default for Ends {
    /// What ends all ends the endless as well.
    fn default() -> Self {
        let hard = CancellationToken::new();
        Self {
            soft: hard.child_token(),
            hard,
        }
    }
}

/// Whether something would come to an end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Finite,
    Endless,
}

impl Live {
    /// A request begins, which the port hears of.
    pub(super) fn begin(
        session: Arc<str>,
        sessions: Arc<dyn Attachments>,
        counts: Arc<Counts>,
        ended: CancellationToken,
        ends: Ends,
        place: Place,
    ) -> Arc<Self> {
        counts.begun();
        sessions.touched(&session);
        Arc::new(Self {
            session,
            sessions,
            counts,
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            touched: AtomicU64::new(0),
            awaited: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            ended,
            ends,
            _place: place,
        })
    }

    pub(super) const fn session(&self) -> &Arc<str> {
        &self.session
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// So many bytes went on.
    pub(super) fn moved(&self, way: Way, bytes: usize) {
        self.counts.moved(way, bytes);
        let now = self.now();
        self.moved.store(now, Ordering::Relaxed);
        let last = self.touched.load(Ordering::Relaxed);
        let every = u64::try_from(TOUCH_EVERY.as_millis()).unwrap_or(u64::MAX);
        if now.saturating_sub(last) >= every {
            self.touched.store(now, Ordering::Relaxed);
            self.sessions.touched(&self.session);
        }
    }

    /// The agent's server takes more, and the client sends nothing.
    pub(super) fn awaits(&self) {
        if self.awaited.load(Ordering::Relaxed) == 0 {
            let now = self.now().saturating_add(1);
            self.awaited.store(now, Ordering::Relaxed);
        }
    }

    /// The client is not waited for any more.
    pub(super) fn heard(&self) {
        self.awaited.store(0, Ordering::Relaxed);
    }

    /// Waits until the client has been waited for for so long. One that is held back by the agent's
    /// server is not.
    pub(super) async fn stalled(&self, most: Duration) {
        loop {
            let since = self.awaited.load(Ordering::Relaxed);
            let waited = match since.checked_sub(1) {
                Some(since) => self
                    .begun
                    .elapsed()
                    .saturating_sub(Duration::from_millis(since)),
                None => Duration::ZERO,
            };
            if waited >= most {
                return;
            }
            tokio::time::sleep(most.saturating_sub(waited)).await;
        }
    }

    /// What the client sends broke off, which looks to hyper like a fault of whoever uses it.
    pub(super) fn broke_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Something was cut; counts it.
    pub(super) fn cut(&self, why: Cut) {
        tracing::debug!(target: "api", session = &*self.session, ?why, "attach cut");
        self.counts.cut(why);
    }

    /// Waits for a reason to cut it: nothing moved for `silence`, which is counted as `silent`, or
    /// an end.
    pub(super) async fn end(&self, silence: Duration, silent: Cut, kind: Kind) -> Cut {
        let server = match kind {
            Kind::Finite => &self.ends.hard,
            Kind::Endless => &self.ends.soft,
        };
        // Of several reasons the first of these is told.
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Cut::Session,
            () = server.cancelled() => Cut::Stopping,
            () = self.silence(silence) => silent,
        }
    }

    /// Waits until nothing has moved for so long. The timer is set again only when it has run out,
    /// and not at each byte.
    async fn silence(&self, most: Duration) {
        loop {
            let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
            let quiet = self.begun.elapsed().saturating_sub(moved);
            if quiet >= most {
                return;
            }
            tokio::time::sleep(most.saturating_sub(quiet)).await;
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.counts.over();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::super::places::Places;
    use super::super::{AttachLimits, AttachRefusal, Attaching};
    use super::*;
    use crate::auth::Peer;

    /// A port that counts how often it was told.
    #[derive(Default)]
    pub(in super::super) struct Told(pub(in super::super) AtomicUsize);

    impl Attachments for Told {
        fn attach<'a>(&'a self, _: &'a str, _: &'a str, _: Peer) -> Attaching<'a> {
            Box::pin(std::future::ready(Err(AttachRefusal::Ticket)))
        }

        fn touched(&self, session: &str) {
            assert_eq!(session, "a");
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(in super::super) async fn live(told: &Arc<Told>, ends: &Ends) -> Arc<Live> {
        let places = Places::new(&AttachLimits::default());
        let session = Arc::from("a");
        let place = places
            .take(&session, &session, &Counts::default())
            .await
            .unwrap();
        Live::begin(
            session,
            Arc::clone(told) as Arc<dyn Attachments>,
            Arc::default(),
            CancellationToken::new(),
            ends.clone(),
            place,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_what_moved_last() {
        let told = Arc::default();
        let live = live(&told, &Ends::default()).await;
        let silence = Duration::from_secs(60);
        let moves = async {
            for _ in 0..3 {
                tokio::time::sleep(silence / 2).await;
                live.moved(Way::Out, 1);
            }
        };
        let begun = Instant::now();
        let (why, ()) = tokio::join!(live.end(silence, Cut::Idle, Kind::Finite), moves);
        assert_eq!(why, Cut::Idle);
        let took = begun.elapsed();
        assert!(
            (silence * 5 / 2..silence * 51 / 20).contains(&took),
            "{took:?}"
        );
        // At the beginning, and at each move, which are further apart than need be.
        assert_eq!(told.0.load(Ordering::Relaxed), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_waited_for_only_while_more_is_wanted_of_it() {
        let told = Arc::default();
        let live = live(&told, &Ends::default()).await;
        let (begun, most) = (Instant::now(), Duration::from_secs(60));
        let sends = async {
            tokio::time::sleep(most * 3).await;
            live.awaits();
            tokio::time::sleep(most / 2).await;
            live.awaits();
            live.heard();
            live.awaits();
        };
        tokio::join!(live.stalled(most), sends);
        let took = begun.elapsed();
        let expected = most * 9 / 2;
        let slack = Duration::from_millis(10);
        assert!(
            (expected - slack..expected + slack).contains(&took),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_port_is_not_told_of_every_byte() {
        let told = Arc::default();
        let live = live(&told, &Ends::default()).await;
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            live.moved(Way::In, 1);
        }
        assert_eq!(told.0.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_end_goes_before_what_has_one() {
        let (told, ends) = (Arc::default(), Ends::default());
        let live = live(&told, &ends).await;
        let end = |kind| live.end(Duration::from_secs(60), Cut::Idle, kind);
        ends.soft.cancel();
        assert_eq!(end(Kind::Endless).await, Cut::Stopping);
        assert_eq!(end(Kind::Finite).await, Cut::Idle);
        ends.hard.cancel();
        assert_eq!(end(Kind::Finite).await, Cut::Stopping);
        live.ended.cancel();
        assert_eq!(end(Kind::Finite).await, Cut::Session);
    }
}
