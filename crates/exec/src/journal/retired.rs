//! Files that nobody will write to any more: put on the disk and out of the system's memory.
//!
//! Output is written once and seldom read again. Left in the page cache it would push out what the
//! machine's own work needs there, and each further write would take pages that were never used
//! before, which costs ten times as much where memory is lent to a virtual machine page by page.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustix::fs::Advice;

/// Files that wait for the disk; one more stays in the page cache instead.
const MAX_WAITING: usize = 16;

/// The thread that waits for the disk, so that nobody else does.
#[derive(Debug)]
pub(super) struct Retired {
    files: Option<SyncSender<File>>,
    thread: Option<JoinHandle<()>>,
}

impl Retired {
    pub(super) fn start() -> io::Result<Self> {
        let (files, waiting) = sync_channel::<File>(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("wharf-journal".to_owned())
            .spawn(move || {
                for file in waiting {
                    if file.sync_data().is_ok() {
                        let _only_advice = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
                    }
                }
            })?;
        Ok(Self {
            files: Some(files),
            thread: Some(thread),
        })
    }

    pub(super) fn push(&self, file: File) {
        if let Some(files) = &self.files {
            let _stays_in_memory = files.try_send(file);
        }
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        self.files = None;
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
