//! Into a container's network without the engine: the way that local sandboxes are reached, where
//! this is root of the machine that the container is on.

use std::fs;
use std::sync::Arc;

use crate::launcher::plan::Init;
use crate::launcher::started;
use crate::local::dial::{Dialer, Way};
use crate::local::process::Held;

/// The first process of a container as the engine names it, where it is one of this machine's: an
/// engine behind a socket may be on another one, whose numbers mean something else here. The name
/// of its control group tells.
fn here(container: &str, pid: i32) -> Option<Held> {
    let init = Init {
        pid,
        started: started(pid).ok()?,
    };
    let held = Held::take(init)?;
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    // Still the same: as long as it is, what was read is of it.
    (groups.contains(container) && held.is_alive()).then_some(held)
}

/// A way to a container, where there is one but the engine's.
pub(super) fn way(dialer: Option<&Dialer>, container: &str, pid: i32) -> Option<Way> {
    // An empty name would be in every line.
    let held = here(container, pid).filter(|_| !container.is_empty())?;
    Some(Way::Thread(dialer?.clone(), Arc::new(held)))
}

/// Who may enter other networks: root.
pub(super) fn dialer() -> Option<Dialer> {
    let dialer = rustix::process::geteuid().is_root().then(Dialer::start)?;
    dialer
        .inspect_err(|error| tracing::warn!(%error, "containers are reached by the engine alone"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_the_containers_is_not_taken_for_it() {
        let own = i32::try_from(std::process::id()).unwrap();
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
        let group = groups.lines().next().unwrap();
        assert!(here(group, own).is_some());
        assert!(here("0123456789abcdef", own).is_none());
        assert!(here(group, i32::MAX).is_none());
        assert!(way(None, group, own).is_none());
    }
}
