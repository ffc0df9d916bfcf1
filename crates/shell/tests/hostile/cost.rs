//! What reading a text costs: time that this thread works, and memory at its peak.

use std::time::Duration;

/// Time that this thread has worked. What others on the machine do does not count, so that a limit
/// can be close to the truth on a busy machine as well.
pub(crate) fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

/// The time that `work` takes; the best of a few rounds, unless one is within `enough`.
pub(crate) fn time_of(enough: Duration, mut work: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..4 {
        let before = worked();
        work();
        best = best.min(worked().saturating_sub(before));
        if best < enough {
            break;
        }
    }
    best
}

/// Memory of this process beyond what it held at one time.
pub(crate) struct Peak {
    before: usize,
}

impl Peak {
    pub(crate) fn new() -> Self {
        Self {
            before: status("VmRSS"),
        }
    }

    /// Bytes that the process held at its peak while `work` was done. What an allocator keeps of
    /// earlier work counts as well, so that this is never too little.
    pub(crate) fn of(&self, work: impl FnOnce()) -> usize {
        let reset = std::fs::write("/proc/self/clear_refs", "5");
        work();
        match reset {
            Ok(()) => status("VmHWM").saturating_sub(self.before),
            Err(_) => 0,
        }
    }
}

/// Bytes that the system tells of this process under a name.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<usize>().ok()).unwrap_or(0) << 10
}
