//! Control groups: a bound on each run's processes and memory, where the system lets us.
//!
//! Both hierarchies are served: version 1 with a mount for each controller, and version 2 where
//! the controllers may be handed down. Where neither works there is no group, which
//! [`Cgroups::limits_processes`] tells.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wharf_linux::cgroups::{Place, hand_down, places};

use super::TreeLimits;

/// What our groups are called, before the zygote's process id.
const PREFIX: &str = "wharf-";
/// Names that are tried when one is taken: by the group of an earlier process of the same number,
/// in which something goes on.
const MAX_NAMES: u32 = 16;

/// The directories below which groups are made.
pub(super) struct Cgroups {
    parents: Vec<Parent>,
    limits: TreeLimits,
    next: u64,
    leftover: Vec<Group>,
}

struct Parent {
    directory: PathBuf,
    processes: bool,
    memory: Option<&'static str>,
}

/// One run's group: a directory for each hierarchy.
#[derive(Default)]
pub(super) struct Group {
    directories: Vec<PathBuf>,
}

impl Cgroups {
    /// Looks for hierarchies that this process may use.
    pub(super) fn find(limits: TreeLimits) -> Self {
        let none = Self {
            parents: Vec::new(),
            limits,
            next: 0,
            leftover: Vec::new(),
        };
        if limits.processes.is_none() && limits.memory.is_none() {
            return none;
        }
        let name = format!("{PREFIX}{}", std::process::id());
        let parents = places(&["pids", "memory"])
            .into_iter()
            .filter_map(|place| prepare(&place, &name, limits))
            .collect();
        Self { parents, ..none }
    }

    pub(super) fn limits_processes(&self) -> bool {
        self.parents.iter().any(|parent| parent.processes)
    }

    /// A new group with the limits set; empty where that is not possible.
    pub(super) fn make(&mut self) -> Group {
        self.retry_leftover();
        self.next += 1;
        let mut group = Group::default();
        for parent in &self.parents {
            let Some(directory) = create(&parent.directory, &self.next.to_string()) else {
                continue;
            };
            if let (true, Some(most)) = (parent.processes, self.limits.processes) {
                let _said_by_doctor = fs::write(directory.join("pids.max"), most.to_string());
            }
            if let (Some(file), Some(most)) = (parent.memory, self.limits.memory) {
                let _said_by_doctor = fs::write(directory.join(file), most.to_string());
            }
            group.directories.push(directory);
        }
        group
    }

    /// Removes a group. One that still has processes is tried again later.
    pub(super) fn remove(&mut self, mut group: Group) {
        group
            .directories
            .retain(|directory| fs::remove_dir(directory).is_err_and(|e| !gone(&e)));
        if !group.directories.is_empty() {
            self.leftover.push(group);
        }
    }

    pub(super) fn remove_all(&mut self) {
        self.retry_leftover();
        for parent in &self.parents {
            let _in_use = fs::remove_dir(&parent.directory);
        }
    }

    fn retry_leftover(&mut self) {
        for group in std::mem::take(&mut self.leftover) {
            self.remove(group);
        }
    }
}

impl Group {
    /// Moves the calling process into the group.
    pub(super) fn join(&self) {
        for directory in &self.directories {
            let _said_by_doctor = fs::write(directory.join("cgroup.procs"), "0");
        }
    }
}

/// Makes our parent directory in a hierarchy, if the limits that are wanted can be set there.
fn prepare(place: &Place, name: &str, limits: TreeLimits) -> Option<Parent> {
    let has = |controller: &str| {
        if place.unified {
            hand_down(&place.directory, controller)
        } else {
            place.controllers.iter().any(|c| c == controller)
        }
    };
    let processes = limits.processes.is_some() && has("pids");
    let memory = limits.memory.is_some() && has("memory");
    if !processes && !memory {
        return None;
    }
    remove_stale(&place.directory);
    let directory = create(&place.directory, name)?;
    if place.unified {
        for (wanted, controller) in [(processes, "pids"), (memory, "memory")] {
            if wanted && !hand_down(&directory, controller) {
                let _unused = fs::remove_dir(&directory);
                return None;
            }
        }
    }
    let memory_file = if place.unified {
        "memory.max"
    } else {
        "memory.limit_in_bytes"
    };
    Some(Parent {
        directory,
        processes,
        memory: memory.then_some(memory_file),
    })
}

/// Makes a directory of that name, or, where something is in the way, of a name like it.
fn create(parent: &Path, name: &str) -> Option<PathBuf> {
    let others = (1..MAX_NAMES).map(|number| format!("{name}-{number}"));
    for name in std::iter::once(name.to_owned()).chain(others) {
        let directory = parent.join(name);
        match fs::create_dir(&directory) {
            Ok(()) => return Some(directory),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return None,
        }
    }
    None
}

/// Removes the groups of servers that were killed before they could.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.and_then(|owner| owner.split('-').next());
        if owner.is_none_or(|pid| Path::new("/proc").join(pid).exists()) {
            continue;
        }
        for group in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
            let _a_file_or_in_use = fs::remove_dir(group.path());
        }
        let _in_use = fs::remove_dir(entry.path());
    }
}

fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_no_reason_to_go_without() {
        let parent = tempfile::tempdir().unwrap();
        let made: Vec<_> = std::iter::from_fn(|| create(parent.path(), "wharf-7")).collect();
        assert_eq!(made.len(), usize::try_from(MAX_NAMES).unwrap());
        assert!(made[0].ends_with("wharf-7") && made[1].ends_with("wharf-7-1"));
        assert!(create(&parent.path().join("not there"), "x").is_none());
    }
}
