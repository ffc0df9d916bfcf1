//! Which processes there are, read from `/proc`.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// A process that is no zombie, unless it says so.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) zombie: bool,
    pub(crate) arguments: String,
}

/// All processes that can be seen.
pub(crate) fn all() -> Vec<Process> {
    let numbers = fs::read_dir("/proc").unwrap();
    let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter_map(read).collect()
}

/// Those that belong to a home: by their environment, arguments or directory.
pub(crate) fn of(home: &Path) -> Vec<Process> {
    let home = home.to_str().unwrap();
    let mut found = all();
    found.retain(|process| !process.zombie && belongs(process, home));
    found
}

/// Those with this in their arguments.
pub(crate) fn with(marker: &str) -> Vec<Process> {
    let mut found = all();
    found.retain(|process| !process.zombie && process.arguments.contains(marker));
    found
}

/// All below a process, zombies too.
pub(crate) fn below(root: u32) -> Vec<Process> {
    let mut rest = all();
    let mut parents = HashSet::from([root]);
    let mut found = Vec::new();
    loop {
        let (now, later): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|p| parents.contains(&p.parent));
        if now.is_empty() {
            return found;
        }
        parents.extend(now.iter().map(|process| process.pid));
        found.extend(now);
        rest = later;
    }
}

/// A figure in KiB from `/proc/PID/FILE`, such as `VmRSS` of `status`.
pub(crate) fn kib(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let figure = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    figure.map_or(0, |figure| figure.parse().unwrap())
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in the middle may hold anything, so that the fields are counted from its end.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some(Process {
        pid,
        parent,
        zombie,
        arguments: String::from_utf8_lossy(&arguments).replace('\0', " "),
    })
}

fn belongs(process: &Process, home: &str) -> bool {
    let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
    let directory = fs::read_link(format!("/proc/{}/cwd", process.pid));
    process.arguments.contains(home)
        || String::from_utf8_lossy(&environment).contains(home)
        || directory.is_ok_and(|directory| directory.starts_with(home))
}
