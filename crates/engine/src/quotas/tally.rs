//! What one person, organization or agent has used: counted, in no more room than a page.

use wharf_model::{Limits, Timestamp};

use super::exceeded::What;

/// The window of [`Limits::runs_per_minute`], in seconds.
pub(crate) const WINDOW_SECONDS: usize = 60;
const WINDOW: i64 = 60;
const SECOND_MS: i64 = 1_000;
/// A day (UTC), in milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Counts of one of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    minute: Minute,
    /// Commands that run.
    running: u64,
    /// Those of them whose time is not known yet, and the sum of the moments they began at.
    timed: i64,
    since_sum: i64,
    /// Bytes that they have written so far.
    in_flight: u64,
    /// The day that the next two are of, counted from 1970.
    day: i64,
    output: u64,
    wall_ms: u64,
    /// The same at other servers, on the same day.
    elsewhere: Spent,
}

/// Where a limit is reached, and when it no longer is, if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) what: What,
    pub(super) limit: u64,
    pub(super) free: Option<Timestamp>,
}

/// What has been used at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Commands begun in the last minute.
    pub runs_in_minute: u64,
    /// Commands that run.
    pub concurrent_runs: u64,
    /// Living sessions.
    pub sessions: u64,
    /// Bytes that commands wrote today, those that run included.
    pub output_bytes_today: u64,
    /// Seconds that commands ran today, those that run included.
    pub wall_seconds_today: u64,
}

impl Tally {
    /// The limit that keeps one more command from being begun.
    pub(super) fn full(&mut self, limits: &Limits, now: Timestamp) -> Option<Full> {
        let used = self.used(now);
        let tomorrow = Some(midnight_after(now));
        let reached = |limit: Option<u64>, used: u64| limit.filter(|limit| used >= *limit);
        let full = |what, limit, free| Some(Full { what, limit, free });
        // What lasts longest is said first.
        if let Some(limit) = reached(limits.output_bytes_per_day, used.output_bytes_today) {
            return full(What::OutputPerDay, limit, tomorrow);
        }
        if let Some(limit) = reached(limits.wall_seconds_per_day, used.wall_seconds_today) {
            return full(What::WallPerDay, limit, tomorrow);
        }
        if let Some(limit) = reached(limits.runs_per_minute, used.runs_in_minute) {
            return full(What::RunsPerMinute, limit, self.minute.free_at(limit));
        }
        if let Some(limit) = reached(limits.concurrent_runs, used.concurrent_runs) {
            return full(What::ConcurrentRuns, limit, None);
        }
        None
    }

    /// What has been used; sessions are counted where they are.
    pub(super) fn used(&mut self, now: Timestamp) -> Used {
        self.turn_to(now);
        let elapsed = self
            .timed
            .saturating_mul(now.millis())
            .saturating_sub(self.since_sum);
        let wall_ms = self
            .wall_ms
            .saturating_add(self.elsewhere.ms)
            .saturating_add(u64::try_from(elapsed).unwrap_or(0));
        let output = self.output.saturating_add(self.elsewhere.bytes);
        Used {
            runs_in_minute: self.minute.total,
            concurrent_runs: self.running,
            sessions: 0,
            output_bytes_today: output.saturating_add(self.in_flight),
            wall_seconds_today: wall_ms / 1_000,
        }
    }

    /// A command begins.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.turn_to(now);
        self.minute.add();
        self.go_on(now);
    }

    /// A command that began at `since` goes on.
    pub(super) fn go_on(&mut self, since: Timestamp) {
        self.running = self.running.saturating_add(1);
        self.timed = self.timed.saturating_add(1);
        self.since_sum = self.since_sum.saturating_add(since.millis());
    }

    /// A command has written so many bytes more and goes on.
    pub(super) fn wrote(&mut self, bytes: u64) {
        self.in_flight = self.in_flight.saturating_add(bytes);
    }

    /// What a command comes to that began at `since`, and of whose bytes `counted` were counted,
    /// is known; what it left running may go on.
    pub(super) fn settle(&mut self, since: Timestamp, counted: u64) {
        self.timed = self.timed.saturating_sub(1);
        self.since_sum = self.since_sum.saturating_sub(since.millis());
        self.in_flight = self.in_flight.saturating_sub(counted);
    }

    /// Nothing of a command runs any more.
    pub(super) fn end(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// A command was not begun after all.
    pub(super) fn take_back(&mut self, since: Timestamp) {
        self.minute.take_back(since.millis().div_euclid(SECOND_MS));
    }

    /// So much was used today.
    pub(super) fn add_today(&mut self, now: Timestamp, spent: Spent) {
        self.turn_to(now);
        self.output = self.output.saturating_add(spent.bytes);
        self.wall_ms = self.wall_ms.saturating_add(spent.ms);
    }

    /// So much was used today at another server.
    pub(super) fn add_elsewhere(&mut self, now: Timestamp, spent: Spent) {
        self.turn_to(now);
        let Spent { bytes, ms } = &mut self.elsewhere;
        *bytes = bytes.saturating_add(spent.bytes);
        *ms = ms.saturating_add(spent.ms);
    }

    /// What was used at other servers is to be told anew.
    pub(super) fn forget_elsewhere(&mut self) {
        self.elsewhere = Spent::default();
    }

    /// A command was begun at `at`, before this server was started.
    pub(super) fn add_begun(&mut self, at: Timestamp, now: Timestamp) {
        self.turn_to(now);
        self.minute.add_at(at.millis().div_euclid(SECOND_MS));
    }

    /// Whether forgetting it would forget something that counts.
    pub(super) fn matters(&self, now: Timestamp) -> bool {
        let today = self.day == day_of(now) && (self.output > 0 || self.wall_ms > 0);
        self.running > 0 || today || self.minute.head + WINDOW > now.millis().div_euclid(SECOND_MS)
    }

    /// Whether a command runs.
    pub(super) const fn runs(&self) -> bool {
        self.running > 0
    }

    /// The second in which it last changed.
    pub(super) const fn touched(&self) -> i64 {
        self.minute.head
    }

    fn turn_to(&mut self, now: Timestamp) {
        self.minute.turn_to(now.millis().div_euclid(SECOND_MS));
        let today = day_of(now);
        if self.day != today {
            self.day = today;
            self.output = 0;
            self.wall_ms = 0;
            self.elsewhere = Spent::default();
        }
    }
}

/// What a command came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) bytes: u64,
    pub(crate) ms: u64,
}

fn day_of(at: Timestamp) -> i64 {
    at.millis().div_euclid(DAY_MS)
}

/// The end of the day (UTC) that a moment is in.
pub(crate) fn midnight_after(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(day_of(at).saturating_add(1).saturating_mul(DAY_MS))
}

/// Counts by second of the last minute. A count leaves 60 s after its second began.
#[derive(Debug)]
struct Minute {
    seconds: [u32; WINDOW_SECONDS],
    /// The latest second, since 1970.
    head: i64,
    total: u64,
}

impl Default for Minute {
    fn default() -> Self {
        Self {
            seconds: [0; WINDOW_SECONDS],
            head: i64::MIN / 2,
            total: 0,
        }
    }
}

impl Minute {
    fn turn_to(&mut self, second: i64) {
        let ahead = second.saturating_sub(self.head);
        if !(-WINDOW..WINDOW).contains(&ahead) {
            // A long pause, or a clock that was set back: nothing of before can be told.
            *self = Self {
                head: second,
                ..Self::default()
            };
            return;
        }
        for passed in 1..=ahead {
            let at = self.head.saturating_add(passed);
            let count = self.at(at).map(std::mem::take).unwrap_or(0);
            self.total = self.total.saturating_sub(u64::from(count));
        }
        self.head = self.head.max(second);
    }

    fn add(&mut self) {
        self.add_at(self.head);
    }

    fn add_at(&mut self, second: i64) {
        if self.is_within(second)
            && let Some(count) = self.at(second)
        {
            *count = count.saturating_add(1);
            self.total = self.total.saturating_add(1);
        }
    }

    fn take_back(&mut self, second: i64) {
        if self.is_within(second)
            && let Some(count) = self.at(second)
            && *count > 0
        {
            *count -= 1;
            self.total = self.total.saturating_sub(1);
        }
    }

    /// When fewer than `limit` are left, if nothing is added.
    fn free_at(&mut self, limit: u64) -> Option<Timestamp> {
        let mut left = self.total;
        let oldest = self.head.saturating_sub(WINDOW - 1);
        for second in oldest..=self.head {
            let count = self.at(second).map_or(0, |count| *count);
            left = left.saturating_sub(u64::from(count));
            if left < limit {
                let free = second.saturating_add(WINDOW).saturating_mul(SECOND_MS);
                return Some(Timestamp::from_millis(free));
            }
        }
        None
    }

    fn is_within(&self, second: i64) -> bool {
        second <= self.head && second > self.head.saturating_sub(WINDOW)
    }

    fn at(&mut self, second: i64) -> Option<&mut u32> {
        let index = usize::try_from(second.rem_euclid(WINDOW)).ok()?;
        self.seconds.get_mut(index)
    }
}
