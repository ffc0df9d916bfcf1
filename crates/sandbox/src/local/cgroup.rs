//! Control groups: what a sandbox may use, and holding it still.
//!
//! Both hierarchies are served: version 1 with a mount for each controller, and version 2 where
//! the controllers may be handed down. A machine may have both, with the controllers in version 1
//! and the freezer in version 2.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use wharf_linux::cgroups::{Place, hand_down, places};

use crate::provider::{Capability, Limits};

/// What our groups are called, before a tag of the state directory and the sandbox's id.
const PREFIX: &str = "wharfbox";
/// How long a group may take to be empty after its processes are gone.
const EMPTY_PATIENCE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The span over which processors are shared out, in microseconds; the kernel's own.
const PERIOD: u64 = 100_000;

/// The directories below which groups are made.
#[derive(Debug, Clone)]
pub(crate) struct Cgroups {
    parents: Vec<Parent>,
    tag: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parent {
    directory: PathBuf,
    unified: bool,
    controllers: BTreeSet<Controller>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Controller {
    Memory,
    Processes,
    Processors,
    Freezer,
}

impl Controller {
    const ALL: [Self; 4] = [
        Self::Memory,
        Self::Processes,
        Self::Processors,
        Self::Freezer,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "pids",
            Self::Processors => "cpu",
            Self::Freezer => "freezer",
        }
    }
}

impl Cgroups {
    /// Looks for hierarchies that this process may use. `tag` tells our groups from those of
    /// another server.
    pub(crate) fn find(tag: &str) -> Self {
        let tag = format!("{PREFIX}-{tag}-");
        let mut seen = BTreeSet::new();
        let parents = places(&Controller::ALL.map(Controller::name))
            .into_iter()
            .filter_map(|place| usable(place, &tag))
            .filter(|parent| {
                // The same hierarchy may be mounted twice.
                let news = parent
                    .controllers
                    .iter()
                    .filter(|c| seen.insert(**c))
                    .count();
                news > 0
            })
            .collect();
        Self { parents, tag }
    }

    /// What can be bounded here.
    pub(crate) fn can(&self, capability: Capability) -> bool {
        let wanted = match capability {
            Capability::Memory => Controller::Memory,
            Capability::Processes => Controller::Processes,
            Capability::Processors => Controller::Processors,
            Capability::Pause => Controller::Freezer,
            _ => return false,
        };
        self.parents
            .iter()
            .any(|parent| parent.controllers.contains(&wanted))
    }

    /// Makes the groups of a sandbox and says what may be used in them.
    pub(crate) fn make(&self, name: &str, limits: Limits) -> io::Result<Vec<PathBuf>> {
        let mut made = Vec::new();
        for parent in &self.parents {
            let directory = parent.directory.join(format!("{}{name}", self.tag));
            match fs::create_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
            made.push(directory.clone());
            set(parent, &directory, limits).inspect_err(|_| {
                for group in &made {
                    let _in_use = fs::remove_dir(group);
                }
            })?;
        }
        Ok(made)
    }

    /// The groups that a sandbox of that name has, whether or not anybody has written them down.
    pub(crate) fn of(&self, name: &str) -> Vec<PathBuf> {
        let group = |parent: &Parent| parent.directory.join(format!("{}{name}", self.tag));
        let groups = self.parents.iter().map(group);
        groups.filter(|group| group.is_dir()).collect()
    }

    /// The names of all sandboxes that have a group.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let entries = |parent: &Parent| fs::read_dir(&parent.directory).ok();
        let entries = self.parents.iter().filter_map(entries).flatten().flatten();
        entries
            .filter_map(|entry| {
                let name = entry.file_name();
                name.to_str()?.strip_prefix(&self.tag).map(str::to_owned)
            })
            .collect()
    }

    /// Holds all processes still and waits until they are. Blocks.
    pub(crate) fn hold_fast(&self, name: &str) -> io::Result<()> {
        self.hold(name, true)?;
        let freezer = |parent: &&Parent| parent.controllers.contains(&Controller::Freezer);
        let parent = self.parents.iter().find(freezer);
        let parent = parent.ok_or(io::ErrorKind::Unsupported)?;
        let directory = parent.directory.join(format!("{}{name}", self.tag));
        let mut waited = Duration::ZERO;
        while !is_still(&directory, parent.unified)? {
            if waited >= EMPTY_PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(LOOK_AGAIN);
            waited += LOOK_AGAIN;
        }
        Ok(())
    }

    /// Holds all processes of the groups still, or lets them go on.
    pub(crate) fn hold(&self, name: &str, still: bool) -> io::Result<()> {
        let parent = self
            .parents
            .iter()
            .find(|parent| parent.controllers.contains(&Controller::Freezer))
            .ok_or(io::ErrorKind::Unsupported)?;
        let directory = parent.directory.join(format!("{}{name}", self.tag));
        if parent.unified {
            fs::write(
                directory.join("cgroup.freeze"),
                if still { "1" } else { "0" },
            )
        } else {
            let word = if still { "FROZEN" } else { "THAWED" };
            fs::write(directory.join("freezer.state"), word)
        }
    }
}

/// Whether everything in a group stands still.
fn is_still(directory: &Path, unified: bool) -> io::Result<bool> {
    if unified {
        let events = fs::read_to_string(directory.join("cgroup.events"))?;
        return Ok(events.lines().any(|line| line == "frozen 1"));
    }
    let state = fs::read_to_string(directory.join("freezer.state"))?;
    Ok(state.trim() == "FROZEN")
}

/// Ends what is still in the groups: helpers outside of the namespaces that nobody has written down
/// yet.
pub(crate) fn kill(groups: &[PathBuf]) {
    for group in groups {
        let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        let members = members.lines().filter_map(|pid| pid.parse().ok());
        for pid in members.filter_map(Pid::from_raw) {
            let _gone_already = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

/// Removes groups whose processes have ended. What is still in use after a while is told. Blocks.
pub(crate) fn remove(groups: &[PathBuf]) -> io::Result<()> {
    for group in groups {
        let mut waited = Duration::ZERO;
        loop {
            match fs::remove_dir(group) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) if waited >= EMPTY_PATIENCE => return Err(error),
                Err(_) => {
                    std::thread::sleep(LOOK_AGAIN);
                    waited += LOOK_AGAIN;
                }
                Ok(()) => break,
            }
        }
    }
    Ok(())
}

fn set(parent: &Parent, directory: &Path, limits: Limits) -> io::Result<()> {
    let has = |controller| parent.controllers.contains(&controller);
    let write = |file: &str, text: String| fs::write(directory.join(file), text);
    if let (true, Some(most)) = (has(Controller::Memory), limits.memory) {
        let file = if parent.unified {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        write(file, most.to_string())?;
        // What is swapped out would be beside that bound. A kernel without swap has no such file.
        let (file, most) = if parent.unified {
            ("memory.swap.max", 0)
        } else {
            ("memory.memsw.limit_in_bytes", most)
        };
        if directory.join(file).exists() {
            write(file, most.to_string())?;
        }
    }
    if let (true, Some(most)) = (has(Controller::Processes), limits.processes) {
        write("pids.max", most.to_string())?;
    }
    if let (true, Some(most)) = (has(Controller::Processors), limits.processors) {
        let share = most.saturating_mul(PERIOD) / 1000;
        if parent.unified {
            write("cpu.max", format!("{share} {PERIOD}"))?;
        } else {
            write("cpu.cfs_period_us", PERIOD.to_string())?;
            write("cpu.cfs_quota_us", share.to_string())?;
        }
    }
    Ok(())
}

/// What can be had of a hierarchy, and from where; none if no group can be made there.
fn usable(place: Place, tag: &str) -> Option<Parent> {
    if !place.unified {
        let is_there = |controller: &Controller| {
            place
                .controllers
                .iter()
                .any(|name| name == controller.name())
        };
        let controllers = Controller::ALL.into_iter().filter(is_there).collect();
        return may_make(&place.directory, tag).then_some(Parent {
            directory: place.directory,
            unified: false,
            controllers,
        });
    }
    // Version 2 hands nothing down from a group with processes, ours; one above may do.
    let above = place.directory.ancestors();
    let mut above: Vec<_> = above
        .take_while(|path| path.join("cgroup.procs").exists())
        .collect();
    // The last of equals is taken: the nearest.
    above.reverse();
    let handed = |directory: &Path| -> BTreeSet<Controller> {
        Controller::ALL
            .into_iter()
            .filter(|c| *c != Controller::Freezer && hand_down(directory, c.name()))
            .collect()
    };
    let best = above
        .into_iter()
        .filter(|directory| may_make(directory, tag))
        .map(|directory| (directory.to_owned(), handed(directory)))
        .max_by_key(|(_, controllers)| controllers.len());
    let (directory, mut controllers) = best?;
    // Every group of version 2 but the root can be frozen.
    controllers.insert(Controller::Freezer);
    Some(Parent {
        directory,
        unified: true,
        controllers,
    })
}

fn may_make(directory: &Path, tag: &str) -> bool {
    let probe = directory.join(format!("{tag}probe"));
    let made = match fs::create_dir(&probe) {
        Err(error) => error.kind() == io::ErrorKind::AlreadyExists,
        Ok(()) => true,
    };
    let _not_made = fs::remove_dir(&probe);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_gone_is_removed_already() {
        remove(&[PathBuf::from("/nonexistent/group")]).unwrap();
    }
}
