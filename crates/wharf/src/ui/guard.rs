//! What puts a silenced terminal right when somebody ends us while it is silent.
//!
//! SIGTERM and SIGHUP end a process with the terminal as it is. From the first question on a thread
//! takes them instead, puts the terminal right, and ends the process with the code that a shell
//! shows for them. Where a command looks after SIGTERM itself, it says so with
//! [`leave_terminate_alone`], or after both with [`leave_alone`], and the thread keeps to the time of
//! a question.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

/// The terminal that is silent now, and how it was.
static SILENT: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);
static ELSEWHERE: AtomicBool = AtomicBool::new(false);
static HANG_UP_ELSEWHERE: AtomicBool = AtomicBool::new(false);
static STARTED: Once = Once::new();

/// Somebody else looks after SIGTERM outside of questions.
pub(crate) fn leave_terminate_alone() {
    ELSEWHERE.store(true, Ordering::SeqCst);
}

/// Somebody else looks after both signals outside of questions.
pub(crate) fn leave_alone() {
    leave_terminate_alone();
    HANG_UP_ELSEWHERE.store(true, Ordering::SeqCst);
}

/// From now on `terminal` is put right as `before` if somebody ends us.
pub(crate) fn watch(terminal: &impl AsFd, before: &Termios) {
    let Ok(terminal) = terminal.as_fd().try_clone_to_owned() else {
        return;
    };
    *SILENT.lock().unwrap_or_else(PoisonError::into_inner) = Some((terminal, before.clone()));
    STARTED.call_once(|| {
        // It ends with the process.
        std::thread::spawn(wait);
    });
}

/// The terminal is as it was.
pub(crate) fn rest() {
    *SILENT.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn wait() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    // Without one the signals are the system's, as ever.
    if let Ok(runtime) = runtime {
        runtime.block_on(listen());
    }
}

async fn listen() {
    let kinds = (SignalKind::terminate(), SignalKind::hangup());
    let (Ok(mut terminate), Ok(mut hang_up)) = (signal(kinds.0), signal(kinds.1)) else {
        return;
    };
    loop {
        let (kind, elsewhere) = tokio::select! {
            _ = terminate.recv() => (kinds.0, &ELSEWHERE),
            _ = hang_up.recv() => (kinds.1, &HANG_UP_ELSEWHERE),
        };
        let silent = SILENT.lock().unwrap_or_else(PoisonError::into_inner).take();
        match silent {
            Some((terminal, before)) => {
                let _gone = tcsetattr(&terminal, OptionalActions::Now, &before);
            }
            None if elsewhere.load(Ordering::SeqCst) => continue,
            None => {}
        }
        end(128 + kind.as_raw_value());
    }
}

#[expect(
    clippy::exit,
    reason = "stands for the signal's own effect, which the listening took away"
)]
fn end(code: i32) -> ! {
    std::process::exit(code)
}
