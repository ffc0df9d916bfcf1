//! Where control groups can be made: version 1 with a mount for each controller, version 2 where
//! the controllers may be handed down.

use std::fs;
use std::path::{Path, PathBuf};

/// A hierarchy and this process's own directory in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub directory: PathBuf,
    /// Which of the wanted controllers a mount of version 1 has; none for version 2.
    pub controllers: Vec<String>,
    /// Whether it is version 2.
    pub unified: bool,
}

/// The hierarchies with one of these controllers, in the order of their mounts, and version 2.
#[must_use]
pub fn places(wanted: &[&str]) -> Vec<Place> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    read(&mounts, &own, wanted)
}

/// Hands a version 2 controller down to the directories below; whether that is so now.
#[must_use]
pub fn hand_down(directory: &Path, controller: &str) -> bool {
    let file = directory.join("cgroup.subtree_control");
    let is_handed_down = || {
        fs::read_to_string(&file).is_ok_and(|list| list.split_whitespace().any(|c| c == controller))
    };
    is_handed_down() || (fs::write(&file, format!("+{controller}")).is_ok() && is_handed_down())
}

/// Reads `/proc/self/mountinfo` and `/proc/self/cgroup` together.
fn read(mounts: &str, own: &str, wanted: &[&str]) -> Vec<Place> {
    let own_path = |is_it: &dyn Fn(&str) -> bool| {
        own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let controllers = fields.next()?;
            let path = fields.next()?;
            is_it(controllers).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let place = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let mount = before.split(' ').nth(4)?;
        let mut fields = after.split(' ');
        let kind = fields.next()?;
        let options = fields.nth(1)?.split(',');
        let controllers: Vec<String> = options
            .filter(|option| wanted.contains(option))
            .map(str::to_owned)
            .collect();
        let unified = kind == "cgroup2";
        if !unified && (kind != "cgroup" || controllers.is_empty()) {
            return None;
        }
        let path = if unified {
            own_path(&str::is_empty)?
        } else {
            own_path(&|list| {
                list.split(',')
                    .any(|name| controllers.iter().any(|c| c == name))
            })?
        };
        Some(Place {
            directory: Path::new(mount).join(path),
            controllers,
            unified,
        })
    };
    mounts.lines().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids\n\
                      36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n\
                      37 31 0:34 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let own = "9:pids:/a\n5:memory:/\n3:devices:/x\n2:cpu,cpuacct:/c\n0::/user.slice/b\n";
        let found = read(mounts, own, &["memory", "pids", "cpu"]);
        let directories: Vec<_> = found
            .iter()
            .map(|place| place.directory.to_str().unwrap())
            .collect();
        assert_eq!(
            directories,
            [
                "/sys/fs/cgroup/memory/",
                "/sys/fs/cgroup/pids/a",
                "/sys/fs/cgroup/cpu,cpuacct/c",
                "/sys/fs/cgroup/unified/user.slice/b"
            ]
        );
        assert!(found[3].unified && !found[0].unified);
        assert_eq!(found[2].controllers, ["cpu"]);
        assert_eq!(read(mounts, own, &["pids"]).len(), 2);
    }
}
