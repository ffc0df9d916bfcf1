//! Group commit: one thread flushes, many wait. While one flush is on its way, the entries that
//! arrive meanwhile gather for the next one.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::AuditError;
use super::disk::Disk;

/// The flushing thread and what it shares with the log.
pub(super) struct GroupCommit {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    work: Mutex<Work>,
    wake: Condvar,
    progress: watch::Sender<Progress>,
}

struct Work {
    file: Arc<File>,
    /// Last entry that is written.
    written: u64,
    /// Last entry that somebody waits for.
    wanted: u64,
    stop: bool,
}

#[derive(Clone, Copy)]
struct Progress {
    durable: u64,
    failed: Option<io::ErrorKind>,
}

impl GroupCommit {
    /// Starts the thread. `seq` is the last entry of the log, durable once the file is flushed.
    pub(super) fn start(disk: Box<dyn Disk>, file: Arc<File>, seq: u64) -> io::Result<Self> {
        let (progress, _) = watch::channel(Progress {
            durable: 0,
            failed: None,
        });
        let work = Mutex::new(Work {
            file,
            written: seq,
            wanted: 0,
            stop: false,
        });
        let shared = Arc::new(Shared {
            work,
            wake: Condvar::new(),
            progress,
        });
        let thread = std::thread::Builder::new()
            .name("audit-sync".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.flush_until_stopped(&*disk)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Tells what was written last and into which file; called under the log's lock, in order.
    pub(super) fn wrote(&self, file: &Arc<File>, seq: u64) {
        let mut work = self.shared.work();
        work.written = seq;
        if !Arc::ptr_eq(&work.file, file) {
            work.file = Arc::clone(file);
        }
    }

    /// Refuses once a flush has failed.
    pub(super) fn check(&self) -> Result<(), AuditError> {
        self.shared
            .progress
            .borrow()
            .failed
            .map_or(Ok(()), |kind| Err(sync_error(kind)))
    }

    /// Waits until entry `seq` is on the disk.
    pub(super) async fn durable(&self, seq: u64) -> Result<(), AuditError> {
        let mut progress = self.shared.progress.subscribe();
        self.shared.want(seq);
        let reached = progress
            .wait_for(|progress| progress.durable >= seq || progress.failed.is_some())
            .await
            .map_err(|_closed| sync_error(io::ErrorKind::BrokenPipe))?;
        if reached.durable >= seq {
            return Ok(());
        }
        Err(sync_error(reached.failed.unwrap_or(io::ErrorKind::Other)))
    }
}

impl Shared {
    fn flush_until_stopped(&self, disk: &dyn Disk) {
        loop {
            let mut work = self.work();
            while work.wanted <= self.progress.borrow().durable && !work.stop {
                work = self.wake.wait(work).unwrap_or_else(PoisonError::into_inner);
            }
            if work.stop {
                return;
            }
            let (file, written) = (Arc::clone(&work.file), work.written);
            drop(work);
            let flushed = disk.sync_data(&file);
            self.progress.send_modify(|progress| match flushed {
                Ok(()) => progress.durable = progress.durable.max(written),
                Err(error) => progress.failed = Some(error.kind()),
            });
            if self.progress.borrow().failed.is_some() {
                return;
            }
        }
    }

    fn want(&self, seq: u64) {
        let mut work = self.work();
        work.wanted = work.wanted.max(seq);
        self.wake.notify_one();
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.shared.work().stop = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It never panics: there is nothing in it that could.
            let _joined = thread.join();
        }
    }
}

fn sync_error(kind: io::ErrorKind) -> AuditError {
    AuditError::Sync {
        source: kind.into(),
    }
}
