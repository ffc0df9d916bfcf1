//! Which processes belong together, read from `/proc`.

use std::collections::HashMap;
use std::fs;

/// The most passes that ending a tree makes over `/proc`; a tree that forks faster than it can be
/// stopped is ended by its process limit.
const MAX_PASSES: usize = 200;
/// Passes without a pause between them, and the pause.
const HURRIED_PASSES: usize = 10;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

/// One process as `/proc` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) session: i32,
    pub(crate) zombie: bool,
    /// When it started, in ticks since the machine did; see [`now`].
    pub(crate) started: u64,
}

/// All processes of this machine that we may see.
pub(crate) fn all() -> Vec<Entry> {
    let Ok(directory) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    directory
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(read)
        .collect()
}

/// The tick at which a process started; none when it is not there.
pub(crate) fn started(pid: i32) -> Option<u64> {
    read(pid).map(|entry| entry.started)
}

/// Sends a signal to each, and wakes those that are stopped, which would not see it otherwise.
pub(crate) fn signal(pids: &[i32], signal: i32) {
    for pid in pids {
        let _gone_already = crate::sys::kill(*pid, signal);
        if matches!(signal, libc::SIGTERM | libc::SIGHUP | libc::SIGINT) {
            let _gone_already = crate::sys::kill(*pid, libc::SIGCONT);
        }
    }
}

/// The living descendants of `root`, parents first, without `root`.
pub(crate) fn descendants(root: i32) -> Vec<i32> {
    descendants_in(&all(), root)
}

fn descendants_in(processes: &[Entry], root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<&Entry>> = HashMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut queue = vec![root];
    while let Some(parent) = queue.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            queue.push(child.pid);
            if !child.zombie {
                found.push(child.pid);
            }
        }
    }
    found
}

/// The living members of the session `session` (in the sense of `setsid`), without its leader,
/// and whatever descends from them.
pub(crate) fn session_members(session: i32) -> Vec<i32> {
    let processes = all();
    session_members_in(&processes, session)
}

/// Those of [`session_members`] that have started at `since` or later, and before `until`.
pub(crate) fn session_members_between(session: i32, since: u64, until: u64) -> Vec<i32> {
    let processes = all();
    let started: HashMap<i32, u64> = processes.iter().map(|p| (p.pid, p.started)).collect();
    let mut found = session_members_in(&processes, session);
    found.retain(|pid| {
        started
            .get(pid)
            .is_some_and(|tick| (since..until).contains(tick))
    });
    found
}

/// The present moment as [`Entry::started`] counts: hundredths of a second since the machine
/// started, on every Linux.
pub(crate) fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(100)
        .saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0) / 10_000_000)
}

fn session_members_in(processes: &[Entry], session: i32) -> Vec<i32> {
    let mut found = descendants_in(processes, session);
    for process in processes {
        let member = process.session == session && process.pid != session && !process.zombie;
        if member && !found.contains(&process.pid) {
            found.push(process.pid);
            for below in descendants_in(processes, process.pid) {
                if !found.contains(&below) {
                    found.push(below);
                }
            }
        }
    }
    found
}

/// Whether `parent` has children at this moment: one small read instead of a walk.
pub(crate) fn has_children(parent: i32) -> bool {
    match fs::read(format!("/proc/{parent}/task/{parent}/children")) {
        Ok(list) => !list.is_empty(),
        // A kernel without that file: walk.
        Err(_) => !descendants(parent).is_empty(),
    }
}

/// Kills everything that `members` names until it names nobody.
pub(crate) fn kill_until_gone(mut members: impl FnMut() -> Vec<i32>) {
    for pass in 0..MAX_PASSES {
        let found = members();
        if found.is_empty() {
            return;
        }
        // The dying take a moment; a tree that forks is worth a few passes without one.
        if pass >= HURRIED_PASSES {
            std::thread::sleep(PAUSE);
        }
        // Stop all first, so that none starts a new one while its siblings are being killed.
        for signal in [libc::SIGSTOP, libc::SIGKILL] {
            for pid in &found {
                let _gone_already = crate::sys::kill(*pid, signal);
            }
        }
    }
}

fn read(pid: i32) -> Option<Entry> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `PID (NAME) STATE PPID PGRP SESSION …`, where NAME may hold anything, also `)` and spaces.
fn parse(stat: &str) -> Option<Entry> {
    let (before, after) = stat.rsplit_once(')')?;
    let pid = before.split_once(' ')?.0.parse().ok()?;
    let mut fields = after.split_ascii_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X" | "x");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let started = fields
        .nth(15)
        .and_then(|field| field.parse().ok())
        .unwrap_or(u64::MAX);
    Some(Entry {
        pid,
        parent,
        session,
        zombie,
        started,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_with_parentheses() {
        let stat = "12 (a) b (c) S 7 12 5 0 -1 4194304 1 0 0 0 9 9 0 0 20 0 1 0 777 1 1\n";
        let entry = parse(stat).unwrap();
        let expected = Entry {
            pid: 12,
            parent: 7,
            session: 5,
            zombie: false,
            started: 777,
        };
        assert_eq!(entry, expected);
        assert!(parse("12 (x) Z 1 2 3").unwrap().zombie);
        assert!(parse("").is_none());
    }

    #[test]
    fn finds_our_own_children() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(descendants(own).contains(&pid));
        let entry = all().into_iter().find(|entry| entry.pid == pid).unwrap();
        assert!(entry.started <= now() && entry.started + 6000 > now());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants(own).contains(&pid));
    }
}
