//! Work that is done whole, whoever goes away.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Work that whoever waits for it drives, and a task of the engine's own from the moment they go
/// away. Driving it in place saves waking another thread at each of its steps, which for a small
/// command is most of the time that is ours.
pub(crate) struct Whole<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    runtime: Handle,
}

impl<T: Send + 'static> Whole<T> {
    /// `tasks` waits for it too. To be called in the runtime that will go on with it.
    pub(crate) fn new(tasks: &TaskTracker, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            work: Some(Box::pin(tasks.track_future(work))),
            runtime: Handle::current(),
        }
    }
}

impl<T: Send + 'static> Future for Whole<T> {
    type Output = T;

    /// Once done, it is pending for ever.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.work.as_mut() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Whole<T> {
    fn drop(&mut self) {
        // Work that has panicked cannot be gone on with; its guards have answered for it.
        if let Some(work) = self.work.take().filter(|_| !std::thread::panicking()) {
            self.runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_goes_on_when_nobody_waits() {
        let tasks = TaskTracker::new();
        let (go, gone) = oneshot::channel::<()>();
        let (done, seen) = oneshot::channel();
        let mut whole = Whole::new(&tasks, async move {
            let _ = gone.await;
            let _ = done.send(7);
        });
        tokio::select! {
            biased;
            () = &mut whole => panic!("it waits"),
            () = std::future::ready(()) => {}
        }
        drop(whole);
        assert_eq!(tasks.len(), 1, "shutting down waits for it");
        let _ = go.send(());
        assert_eq!(seen.await, Ok(7));
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn it_is_driven_in_place() {
        let tasks = TaskTracker::new();
        let here = std::thread::current().id();
        let there = Whole::new(&tasks, async { std::thread::current().id() }).await;
        assert_eq!(here, there);
        assert!(tasks.is_empty());
    }
}
