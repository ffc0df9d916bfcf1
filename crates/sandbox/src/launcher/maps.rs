//! Who the users of a namespace are outside of it.

use std::fs;
use std::process::Command;

use rustix::process::Pid;

use super::plan::{Failure, Named as _, Owners, Step};

/// The user inside where there is only one, and the one that works in every sandbox.
pub(crate) const USER: u32 = 1000;

const STEP: Step = Step::Maps;

/// Says who the users of the process's namespace are.
pub(crate) fn write(of: Pid, owners: Owners) -> Result<(), Failure> {
    let pid = of.as_raw_nonzero();
    match owners {
        Owners::Range { first, count } => write_both(of, &line(first, count)),
        Owners::Subordinate {
            user,
            group,
            first_user,
            first_group,
            count,
        } => {
            by_helper("newuidmap", pid.get(), user, first_user, count)?;
            by_helper("newgidmap", pid.get(), group, first_group, count)
        }
        Owners::Single { user, group } => {
            let map = |outside: u32| format!("{USER} {outside} 1\n");
            fs::write(format!("/proc/{pid}/uid_map"), map(user)).named(STEP, "uid_map")?;
            // Without this the kernel takes no map of groups from an ordinary user: a group may
            // be what keeps somebody out, and giving it up would let them in.
            fs::write(format!("/proc/{pid}/setgroups"), "deny").named(STEP, "setgroups")?;
            fs::write(format!("/proc/{pid}/gid_map"), map(group)).named(STEP, "gid_map")
        }
    }
}

/// User and group 0 is `first`, and so on.
pub(crate) fn line(first: u32, count: u32) -> String {
    format!("0 {first} {count}\n")
}

/// The same map for users and groups, which only root may write.
pub(crate) fn write_both(of: Pid, map: &str) -> Result<(), Failure> {
    let pid = of.as_raw_nonzero();
    fs::write(format!("/proc/{pid}/uid_map"), map).named(STEP, "uid_map")?;
    fs::write(format!("/proc/{pid}/gid_map"), map).named(STEP, "gid_map")
}

/// The programs that may hand out the ids of `/etc/subuid` and `/etc/subgid`.
fn by_helper(program: &str, pid: i32, own: u32, first: u32, count: u32) -> Result<(), Failure> {
    let words = [
        pid.to_string(),
        "0".to_owned(),
        own.to_string(),
        "1".to_owned(),
        "1".to_owned(),
        first.to_string(),
        count.to_string(),
    ];
    let output = Command::new(program)
        .args(words)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .named(STEP, program)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::at(
        STEP,
        format_args!("{program}: {}", said.trim()),
    ))
}
