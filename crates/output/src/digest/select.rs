//! Which lines fit into the budget.

use super::manner::Manner;
use super::records::{Kind, MARKER_BYTES, Rank, Record, Weight};
use super::{
    BYTES_PER_TOKEN, CONTENT_TOKENS, DEFAULT_BUDGET_TOKENS, Input, LISTING_TOKENS,
    MIN_BUDGET_TOKENS, QUIET_TOKENS, SMALL_OUTPUT_BYTES, Stream,
};

/// A missing part whose statement would be longer than itself is shown instead.
const CHEAP_BYTES: usize = 90;

/// Bytes of a line that tells of no failure; of a longer one the beginning and the end are shown.
const LONG_LINE: usize = 600;

/// What the last note takes, and what a handle takes beside its own length.
const LAST_NOTE_BYTES: usize = 112;
const HANDLE_BYTES: usize = 64;

/// A text that was cut ends at most so many bytes before the limit, where a character ends.
const CUT_BYTES: usize = 4;

/// Share of the failures' room, in tenths, that the first of them get when not all fit.
const FIRST_FAILURES: usize = 6;

/// Depth in a block up to which all blocks are served before any is served further.
const SHALLOW: u8 = 8;

/// How much may be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// What a text may be long.
    limit: usize,
    /// For everything, the last note aside.
    total: usize,
    /// For lines that belong to no failure.
    quiet: usize,
    /// The caller named it.
    named: bool,
}

impl Room {
    pub(super) fn of(input: &Input<'_>, manner: Manner) -> Self {
        let tokens = input.budget_tokens.unwrap_or(DEFAULT_BUDGET_TOKENS);
        let bytes = tokens
            .max(MIN_BUDGET_TOKENS)
            .saturating_mul(BYTES_PER_TOKEN);
        let quiet = match (input.budget_tokens, manner) {
            (Some(_), Manner::Content) => usize::MAX,
            (Some(_), _) => bytes / 2,
            (None, Manner::Work) => QUIET_TOKENS * BYTES_PER_TOKEN,
            (None, Manner::Listing) => LISTING_TOKENS * BYTES_PER_TOKEN,
            (None, Manner::Content) => CONTENT_TOKENS * BYTES_PER_TOKEN,
        };
        // Without room for both, the handle is not said.
        let handle = input.handle.map_or(0, |handle| handle.len() + HANDLE_BYTES);
        let note = LAST_NOTE_BYTES + handle.min(bytes / 4);
        Self {
            limit: bytes,
            total: bytes - note,
            quiet,
            named: input.budget_tokens.is_some(),
        }
    }

    /// With so many bytes more than there are, for what is reckoned too dear.
    pub(super) fn with(self, extra: usize) -> Self {
        Self {
            total: self.total.saturating_add(extra),
            ..self
        }
    }

    /// Bytes that a text of this length leaves.
    pub(super) fn unused(self, length: usize) -> usize {
        self.limit.saturating_sub(length + CUT_BYTES)
    }

    /// Whether a text of this length was written whole.
    pub(super) fn holds(self, length: usize) -> bool {
        length + CUT_BYTES <= self.limit
    }
}

/// Which records are written.
pub(super) struct Kept {
    /// For each record.
    pub(super) keep: Vec<bool>,
    /// Bytes beyond which a line is cut, for failures and for others.
    pub(super) long_failure: usize,
    pub(super) long_line: usize,
}

impl Kept {
    /// Everything, whole.
    pub(super) fn everything(records: &[Record]) -> Self {
        Self {
            keep: records
                .iter()
                .map(|record| record.kind != Kind::Blank)
                .collect(),
            long_failure: usize::MAX,
            long_line: usize::MAX,
        }
    }

    /// Whether something is missing that belongs to a failure.
    pub(super) fn lacks(&self, records: &[Record]) -> bool {
        let mut of = records.iter().zip(&self.keep);
        of.any(|(record, kept)| !kept && record.rank >= Rank::Excerpt)
            || records
                .iter()
                .any(|record| record.rank == Rank::Failure && record.len > self.long_failure)
    }
}

/// Fills the room from the highest rank down.
pub(super) fn select(records: &[Record], room: Room) -> Kept {
    let all: usize = records
        .iter()
        .map(|record| written(record, usize::MAX))
        .sum();
    if all <= room.total.min(SMALL_OUTPUT_BYTES) {
        return Kept::everything(records);
    }
    if room.named && said(records) <= room.total {
        return Kept {
            keep: records
                .iter()
                .map(|record| record.rank != Rank::Noise)
                .collect(),
            long_failure: usize::MAX,
            long_line: usize::MAX,
        };
    }
    let mut filling = Filling {
        records,
        keep: vec![false; records.len()],
        left: room.total,
        long_failure: usize::MAX,
        long_line: LONG_LINE.min(room.total / 4),
    };
    filling.failures();
    filling.rank(Rank::Excerpt, SHALLOW);
    filling.rank(Rank::Excerpt, u8::MAX);
    // Where a named budget holds everything, nothing plain needs to be left out.
    let quiet = if room.named && all <= room.total {
        usize::MAX
    } else {
        room.quiet
    };
    let reserved = filling.left.saturating_sub(quiet);
    filling.left -= reserved;
    filling.rank(Rank::Near, u8::MAX);
    filling.warnings();
    filling.plain();
    filling.left += reserved;
    filling.cheap_gaps();
    Kept {
        keep: filling.keep,
        long_failure: filling.long_failure,
        long_line: filling.long_line,
    }
}

/// Bytes of all that is no noise, with the statements of the noise between it.
fn said(records: &[Record]) -> usize {
    let mut after_noise = false;
    let mut sum = 0;
    for record in records.iter().filter(|record| record.kind != Kind::Blank) {
        let noise = record.rank == Rank::Noise;
        sum += match (noise, after_noise) {
            (true, true) => 0,
            (true, false) => MARKER_BYTES,
            (false, _) => written(record, usize::MAX),
        };
        after_noise = noise;
    }
    sum
}

/// Bytes that a record takes when it is written.
fn written(record: &Record, long: usize) -> usize {
    let text = match record.len > long {
        true => long + MARKER_BYTES,
        false if record.is_repeated() => record.len + MARKER_BYTES,
        false => record.bytes.max(record.len),
    };
    // A line break, and a blank line that may stand before it.
    text + 2
}

struct Filling<'a> {
    records: &'a [Record],
    keep: Vec<bool>,
    left: usize,
    long_failure: usize,
    long_line: usize,
}

impl Filling<'_> {
    /// All failures, or the first and the last of them.
    fn failures(&mut self) {
        let is_failure = |record: &Record| record.rank == Rank::Failure;
        let mut needed = 0;
        for (at, record) in self.records.iter().enumerate() {
            if is_failure(record) {
                needed += self.cost(at, record);
                if let Some(keep) = self.keep.get_mut(at) {
                    *keep = true;
                }
            }
        }
        if needed <= self.left {
            self.left -= needed;
            return;
        }
        self.keep.fill(false);
        self.long_failure = (self.left / 6).max(64);
        // What failed comes before how, and what is new before what was said often.
        for weight in [
            Weight::Headline,
            Weight::Message,
            Weight::Again,
            Weight::Detail,
        ] {
            let wanted = |record: &Record| is_failure(record) && record.weight == weight;
            let last = self.left - self.left / 10 * FIRST_FAILURES;
            self.left -= last;
            self.fill(wanted, false);
            self.left += last;
            self.fill(wanted, true);
        }
    }

    /// Keeps matching records while they fit, from the beginning or from the end.
    fn fill(&mut self, wanted: impl Fn(&Record) -> bool, backwards: bool) {
        let count = self.records.len();
        for step in 0..count {
            let at = if backwards { count - 1 - step } else { step };
            let Some(record) = self.records.get(at).filter(|record| wanted(record)) else {
                continue;
            };
            if !self.take(at, record, backwards) {
                return;
            }
        }
    }

    /// Lines of a rank, in order, while they fit.
    fn rank(&mut self, rank: Rank, depth: u8) {
        for (at, record) in self.records.iter().enumerate() {
            if record.rank == rank && record.depth <= depth {
                self.take(at, record, false);
            }
        }
    }

    /// Warnings take at most three quarters of what is left.
    fn warnings(&mut self) {
        let aside = self.left / 4;
        self.left -= aside;
        self.fill(|record| record.rank == Rank::Warning, false);
        self.left += aside;
    }

    /// Plain lines: of each stream its first and its last.
    fn plain(&mut self) {
        let of = |stream: Stream| {
            move |record: &Record| record.rank == Rank::Plain && record.stream == stream
        };
        let bytes = |stream: Stream| -> usize {
            self.records
                .iter()
                .filter(|record| of(stream)(record))
                .map(|record| record.len + 1)
                .sum()
        };
        let (out, err) = (bytes(Stream::Stdout), bytes(Stream::Stderr));
        if out + err == 0 {
            return;
        }
        let all = self.left;
        // Each stream in proportion, and none less than a quarter.
        let share = (all as u128 * out as u128 / (out + err) as u128) as usize;
        let share = match (out, err) {
            (_, 0) => all,
            (0, _) => 0,
            _ => share.clamp(all / 4, all - all / 4),
        };
        let mut unused = 0;
        for (stream, share) in [(Stream::Stdout, share), (Stream::Stderr, all - share)] {
            self.left = (share + unused) / 2;
            let tail = share + unused - self.left;
            self.fill(of(stream), false);
            self.left += tail;
            self.fill(of(stream), true);
            unused = self.left;
        }
        self.left = unused;
    }

    /// Shows what is shorter than the statement that it is missing.
    fn cheap_gaps(&mut self) {
        let mut gap = 0..0;
        let mut cost = 0;
        for (at, record) in self.records.iter().enumerate() {
            let kept = self.keep.get(at).copied().unwrap_or(false);
            if kept {
                self.close_gap(gap.clone(), cost);
                (gap, cost) = (at + 1..at + 1, 0);
            } else {
                gap.end = at + 1;
                cost += record.bytes + 1;
            }
        }
        self.close_gap(gap, cost);
    }

    fn close_gap(&mut self, gap: std::ops::Range<usize>, cost: usize) {
        if cost > CHEAP_BYTES || cost > self.left {
            return;
        }
        for at in gap {
            let blank = self
                .records
                .get(at)
                .is_none_or(|record| record.kind == Kind::Blank);
            if let (Some(keep), false) = (self.keep.get_mut(at), blank) {
                *keep = true;
            }
        }
        self.left -= cost;
    }

    /// Keeps a record if it fits.
    fn take(&mut self, at: usize, record: &Record, backwards: bool) -> bool {
        if self.keep.get(at).copied().unwrap_or(true) {
            return true;
        }
        let neighbour = if backwards {
            at.checked_add(1)
        } else {
            at.checked_sub(1)
        };
        let joined = neighbour.is_some_and(|at| self.keep.get(at).copied().unwrap_or(false));
        let cost = self.text_cost(record) + if joined { 0 } else { MARKER_BYTES };
        if cost > self.left {
            return false;
        }
        self.left -= cost;
        if let Some(keep) = self.keep.get_mut(at) {
            *keep = true;
        }
        true
    }

    /// What a record takes with the statement of what is missing before it.
    fn cost(&self, at: usize, record: &Record) -> usize {
        let before = at.checked_sub(1).and_then(|at| self.keep.get(at));
        let marker = if before.copied().unwrap_or(false) {
            0
        } else {
            MARKER_BYTES
        };
        self.text_cost(record) + marker
    }

    fn text_cost(&self, record: &Record) -> usize {
        let long = if record.rank == Rank::Failure {
            self.long_failure
        } else {
            self.long_line
        };
        written(record, long)
    }
}
