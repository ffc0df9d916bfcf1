//! `wharf serve --stop`

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use wharf_localstate::Registration;

use crate::commands::{DONE, Outcome};
use crate::connect::NONE_RUNS;
use crate::context::Context;
use crate::error::CommandError;

/// How long a server may take to end: its own patience with running commands, and some.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// Ends the server of this machine and waits until it is gone. None running is no failure.
pub(super) fn stop(cx: &Context) -> Outcome {
    let Some(server) = Registration::find(&cx.places.registration_file())? else {
        cx.ui.note(NONE_RUNS);
        return Ok(DONE);
    };
    let failed = |error: rustix::io::Errno| {
        CommandError::failed(format!("cannot stop the server, pid {}", server.pid))
            .because(std::io::Error::from(error))
    };
    let pid = i32::try_from(server.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| CommandError::failed("the registration names no process"))?;
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
    // The descriptor is of one process for good; only now is it known to be the right one.
    if !server.is_running() {
        return Ok(DONE);
    }
    pidfd_send_signal(&process, Signal::TERM).map_err(failed)?;
    let timeout = Timespec::try_from(STOP_PATIENCE).ok();
    let ended = poll(
        &mut [PollFd::new(&process, PollFlags::IN)],
        timeout.as_ref(),
    )
    .map_err(failed)?;
    if ended == 0 {
        return Err(CommandError::failed(format!(
            "the server, pid {}, has not ended yet",
            server.pid
        ))
        .hint(format!(
            "kill -KILL {} ends it at once, and all that it runs",
            server.pid
        )));
    }
    cx.ui.note(&format!(
        "stopped wharf {}, pid {}",
        server.version, server.pid
    ));
    Ok(DONE)
}
