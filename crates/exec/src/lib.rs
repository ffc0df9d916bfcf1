//! Processes: starting them, ending whole trees of them, shells that live on, and the journal of
//! all that they write.
//!
//! Knows nothing of callers, decisions, HTTP or SQL. Everything that is started is started by the
//! zygote, a small process forked before the server has threads: it and its shims own the process
//! trees, so that a run's stragglers are known exactly and nothing outlives the server by accident.
//!
//! Another machine is a place like this one: [`remote`], over channels that `wharf_ssh` opens.
//! Files of either are reached through [`files`].
//!
//! Start reading at [`executor`], then `local`. `unsafe` is confined to `sys` and
//! to what is shared in `wharf_linux`.

pub mod executor;
pub mod files;
pub mod journal;
pub mod remote;

mod askpass;
mod frame;
mod hold;
mod local;
mod pool;
mod ports;
mod process;
mod pump;
mod shell;
mod shim;
mod sys;
mod tree;
mod zygote;

pub use askpass::{Askpass, MAX_PASSWORD, Outcome as AskpassOutcome};
pub use executor::{
    BoxFuture, Executor, Exit, Facts, HostConnection, Hosts, Launch, LaunchError, Place, Process,
    Program, Shell, ShellCommand, ShellEnv, ShellReport, ShellStart, Status, Tested, Tree, Way,
};
pub use local::LocalExecutor;
pub use tree::Processes;
pub use zygote::{DEFAULT_TREE_PROCESSES, TreeLimits, Zygote, ZygoteOptions};

/// The living processes below a process, for checks that nothing is left.
#[must_use]
pub fn processes_below(pid: u32) -> Vec<u32> {
    let below = tree::descendants(i32::try_from(pid).unwrap_or(0));
    below
        .into_iter()
        .filter_map(|pid| u32::try_from(pid).ok())
        .collect()
}
