//! Whom the kernel holds to account for what a sandbox uses of it: watches of files, signals that
//! wait, processes. Such bounds are a user's, and those of a namespace count for who has made it
//! as well.

use std::fs;
use std::io;

use rustix::process::{Pid, Resource, Rlimit, Uid};
use rustix::thread::{capabilities, set_capabilities, set_thread_res_uid};

use super::plan::{Owners, Start};

/// How much earlier than others a sandbox is ended where the machine has no memory left, of 1000.
const FIRST_IN_NEED: &str = "500";

/// What an ordinary user may have of each, and what of it a namespace may.
const SHARED: [(&str, &str); 2] = [
    (
        "/proc/sys/fs/inotify/max_user_instances",
        "/proc/sys/user/max_inotify_instances",
    ),
    (
        "/proc/sys/fs/inotify/max_user_watches",
        "/proc/sys/user/max_inotify_watches",
    ),
];

/// Has this process, and the sandbox after it, ended before others where there is no memory left.
pub(super) fn first_in_need() {
    let _a_wish = fs::write("/proc/self/oom_score_adj", FIRST_IN_NEED);
}

/// Makes the namespaces as the sandbox's own first user, so that it uses up nothing of root's. A
/// bound of processes is then one of all its users together.
pub(super) fn to_its_own(plan: &Start, make: impl FnOnce() -> io::Result<Pid>) -> io::Result<Pid> {
    let Owners::Range { first, .. } = plan.owners else {
        return make();
    };
    if let Some(most) = plan.processes {
        let most = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        rustix::process::setrlimit(Resource::Nproc, most)?;
    }
    let mut rights = capabilities(None)?;
    let own = Uid::from_raw(first);
    set_thread_res_uid(own, own, Uid::ROOT)?;
    // Namespaces may be root's alone here, and root is who this is for.
    rights.effective = rights.permitted;
    set_capabilities(None, rights)?;
    let made = make();
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    // Who becomes another user is let off that.
    super::end_with_whoever_asked();
    made
}

/// Where the sandbox is its user's in this as well, it takes half of it at most.
pub(super) fn leave_some() {
    for (whole, part) in SHARED {
        let most = fs::read_to_string(whole).ok();
        if let Some(most) = most.and_then(|most| most.trim().parse::<u64>().ok()) {
            let _a_wish = fs::write(part, (most / 2).max(1).to_string());
        }
    }
}
