//! A future that wakes itself is polled again at once.
//!
//! hyper wakes its own connection while it is polled, once for each request that has a body. The
//! runtime takes that for a new task and wakes another thread for it, which then carries the
//! connection away from the memory and the core it was on: for a small command that is a fifth of
//! all the time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often in a row; then the others of this thread have their turn.
const MOST_IN_A_ROW: usize = 8;

/// `future`, polled again at once when it was woken while it was polled.
pub(super) struct Again<F> {
    future: F,
    woken: Arc<Woken>,
    waker: Waker,
}

/// Who wants `future` to be polled, and when that was said.
#[derive(Default)]
struct Woken {
    state: AtomicU8,
    task: AtomicWaker,
}

/// Nobody polls it.
const RESTING: u8 = 0;
/// It is being polled.
const POLLED: u8 = 1;
/// It was woken since, and whoever polls it knows or was told.
const WOKEN: u8 = 2;

impl<F> Again<F> {
    pub(super) fn new(future: F) -> Self {
        let woken = Arc::new(Woken::default());
        Self {
            future,
            waker: Waker::from(Arc::clone(&woken)),
            woken,
        }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == RESTING {
            self.task.wake();
        }
    }
}

impl<F: Future + Unpin> Future for Again<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.woken.task.register(context.waker());
        for _ in 0..MOST_IN_A_ROW {
            this.woken.state.store(POLLED, Ordering::Release);
            let own = &mut Context::from_waker(&this.waker);
            if let Poll::Ready(value) = Pin::new(&mut this.future).poll(own) {
                return Poll::Ready(value);
            }
            let state = &this.woken.state;
            let rests =
                state.compare_exchange(POLLED, RESTING, Ordering::AcqRel, Ordering::Acquire);
            if rests.is_ok() {
                return Poll::Pending;
            }
        }
        // Still `WOKEN`, so that nobody else says it a second time.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Polls once a future that wakes itself so often; says how often it was polled, and how
    /// often the task was woken.
    fn polled(self_wakes: usize) -> (usize, usize) {
        let (polls, task) = (AtomicUsize::new(0), Arc::new(Counted::default()));
        let future = std::future::poll_fn(|cx| {
            if polls.fetch_add(1, Ordering::Relaxed) < self_wakes {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        let waker = Waker::from(Arc::clone(&task));
        let mut again = Again::new(future);
        assert!(
            Pin::new(&mut again)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        (polls.into_inner(), task.0.load(Ordering::Relaxed))
    }

    #[test]
    fn a_self_wake_stays_here() {
        assert_eq!(polled(0), (1, 0));
        assert_eq!(polled(1), (2, 0));
        assert_eq!(polled(MOST_IN_A_ROW - 1), (MOST_IN_A_ROW, 0));
    }

    #[test]
    fn one_that_never_rests_lets_the_others_have_their_turn() {
        assert_eq!(polled(MOST_IN_A_ROW), (MOST_IN_A_ROW, 1));
        assert_eq!(polled(usize::MAX), (MOST_IN_A_ROW, 1));
    }

    #[tokio::test]
    async fn it_is_woken_from_outside() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(Again::new(receiver));
        tokio::task::yield_now().await;
        sender.send(3).unwrap();
        assert_eq!(task.await.unwrap(), Ok(3));
    }
}
