//! Faults that a test makes, at the steps of the launcher and of the first process.

use rustix::process::{Signal, getppid, kill_process};
use wharf_linux::process::exit_now;

use super::plan::{Failure, How, Start, Step};

/// After a step of the launcher's.
pub(super) fn outside(plan: &Start, step: Step) -> Result<(), Failure> {
    if plan
        .fault
        .is_some_and(|fault| fault.at(step) == Some(How::EndsServer))
    {
        let _gone_already = getppid().map(|server| kill_process(server, Signal::KILL));
    }
    inside(plan, step)
}

/// After a step of the first process's, which sees nobody outside.
pub(super) fn inside(plan: &Start, step: Step) -> Result<(), Failure> {
    match plan.fault.and_then(|fault| fault.at(step)) {
        Some(How::Fails) => Err(Failure::at(step, "this is as far as it was to go")),
        Some(How::Ends) => exit_now(70),
        Some(How::EndsServer) | None => Ok(()),
    }
}
