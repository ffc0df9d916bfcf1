//! Which processes belong together, read from `/proc`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The most passes that ending a tree makes over `/proc`; a tree that forks faster than it can be
/// stopped is ended by its process limit, and what the system holds is left to it.
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

/// All processes of this machine that we may see, at one moment: one walk over `/proc`, from which
/// any number of trees can be read.
#[derive(Debug)]
pub struct Processes {
    entries: HashMap<i32, Entry>,
    children: HashMap<i32, Vec<i32>>,
    sessions: HashMap<i32, Vec<i32>>,
}

/// The latest walk and when it began.
static LATEST: Mutex<Option<(Instant, Arc<Processes>)>> = Mutex::new(None);

impl Processes {
    /// What there is now. Those who ask while somebody walks wait and share the next walk, so that
    /// many trees that end at once cost no more than one. Takes milliseconds: not for a runtime's
    /// thread.
    #[must_use]
    pub fn now() -> Arc<Self> {
        let asked = Instant::now();
        let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((began, processes)) = latest.as_ref()
            && *began >= asked
        {
            return Arc::clone(processes);
        }
        let began = Instant::now();
        let processes = Arc::new(Self::of(all()));
        *latest = Some((began, Arc::clone(&processes)));
        processes
    }

    fn of(found: Vec<Entry>) -> Self {
        let (mut children, mut sessions) = (HashMap::new(), HashMap::new());
        for entry in &found {
            let of_parent: &mut Vec<i32> = children.entry(entry.parent).or_default();
            of_parent.push(entry.pid);
            let of_session: &mut Vec<i32> = sessions.entry(entry.session).or_default();
            of_session.push(entry.pid);
        }
        Self {
            entries: found.into_iter().map(|entry| (entry.pid, entry)).collect(),
            children,
            sessions,
        }
    }

    /// The living descendants of `root`, parents first, without `root`.
    pub(crate) fn descendants(&self, root: i32) -> Vec<i32> {
        let mut found = Vec::new();
        self.collect(vec![root], &mut HashSet::from([root]), &mut found);
        found
    }

    /// The living members of the session `session` (in the sense of `setsid`), without its leader,
    /// and whatever descends from them.
    pub(crate) fn session_members(&self, session: i32) -> Vec<i32> {
        let (mut found, mut seen) = (Vec::new(), HashSet::from([session]));
        self.collect(vec![session], &mut seen, &mut found);
        for pid in self.sessions.get(&session).into_iter().flatten() {
            if seen.insert(*pid) && self.lives(*pid) {
                found.push(*pid);
                self.collect(vec![*pid], &mut seen, &mut found);
            }
        }
        found
    }

    /// Those of [`Self::session_members`] that have started at `since` or later, and before
    /// `until`.
    pub(crate) fn session_members_between(&self, session: i32, since: u64, until: u64) -> Vec<i32> {
        let mut found = self.session_members(session);
        found.retain(|pid| {
            self.entries
                .get(pid)
                .is_some_and(|entry| (since..until).contains(&entry.started))
        });
        found
    }

    /// Puts the living below those in `queue` into `found`, through the dead as well.
    fn collect(&self, mut queue: Vec<i32>, seen: &mut HashSet<i32>, found: &mut Vec<i32>) {
        while let Some(parent) = queue.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                if seen.insert(*child) {
                    queue.push(*child);
                    if self.lives(*child) {
                        found.push(*child);
                    }
                }
            }
        }
    }

    fn lives(&self, pid: i32) -> bool {
        self.entries.get(&pid).is_some_and(|entry| !entry.zombie)
    }
}

/// All processes of this machine that we may see.
fn all() -> Vec<Entry> {
    let Ok(directory) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    directory
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(read)
        .collect()
}

/// One process; none when it is not there.
pub(crate) fn entry(pid: i32) -> Option<Entry> {
    read(pid)
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
    Processes::of(all()).descendants(root)
}

/// The living among `roots` and what descends from them; no walk when there are none.
pub(crate) fn with_descendants(roots: &[i32]) -> Vec<i32> {
    let lives = |pid: &&i32| read(**pid).is_some_and(|entry| !entry.zombie);
    let mut found: Vec<i32> = roots.iter().filter(lives).copied().collect();
    if !roots.is_empty() {
        let mut seen = found.iter().copied().collect();
        Processes::of(all()).collect(roots.to_vec(), &mut seen, &mut found);
    }
    found
}

/// See [`Processes::session_members`]. One small read instead of a walk where there is nothing
/// below a living leader: it is the reaper of its session, so that nothing else is in that.
pub(crate) fn session_members(session: i32) -> Vec<i32> {
    let childless = children_listed(session).is_some_and(|children| children.is_empty());
    if childless && read(session).is_some_and(|entry| !entry.zombie) {
        return Vec::new();
    }
    Processes::now().session_members(session)
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

/// Whether `parent` has children at this moment: one small read instead of a walk.
pub(crate) fn has_children(parent: i32) -> bool {
    match children_listed(parent) {
        Some(children) => !children.is_empty(),
        None => !descendants(parent).is_empty(),
    }
}

/// The children of a process with one thread, the dead as well.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    children_listed(parent).unwrap_or_else(|| {
        let mut found = all();
        found.retain(|entry| entry.parent == parent);
        found.into_iter().map(|entry| entry.pid).collect()
    })
}

/// None on a kernel without that file, or when the process is not there.
fn children_listed(parent: i32) -> Option<Vec<i32>> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let pids = list.split_ascii_whitespace();
    Some(pids.filter_map(|pid| pid.parse().ok()).collect())
}

/// Does what may take a while on a thread of its own, or here, where there is no runtime any more.
pub(crate) fn apart(work: impl FnOnce() + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => work(),
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
