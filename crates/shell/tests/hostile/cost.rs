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

/// The time that `work` takes; the best of a few rounds, unless the first is within `enough`.
pub(crate) fn time_of(enough: Duration, mut work: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let before = worked();
        work();
        best = best.min(worked().saturating_sub(before));
        if best < enough {
            break;
        }
    }
    best
}
