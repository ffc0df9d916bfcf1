//! Every bound of the database, in one place.

use std::time::Duration;

/// Most rows that one question answers; a larger limit is taken as this one.
pub const PAGE_ROWS_MAX: u32 = 1_000;
/// Most places in organizations that a page of accounts is answered with.
pub const PAGE_PLACES_MAX: u32 = 100 * PAGE_ROWS_MAX;
/// Most live sessions that are read back at start-up.
pub const LIVE_SESSIONS_MAX: u32 = 10_000;
/// Most open questions, and most standing yeses, that are read back at start-up.
pub const OPEN_CONSENTS_MAX: u32 = 10_000;
/// Most hosts that are read back at start-up.
pub const HOSTS_MAX: u32 = 10_000;
/// Most pairs of host and group that are read back at start-up.
pub const GROUPS_MAX: u32 = 32 * HOSTS_MAX;
/// Most members of an organization that are listed.
pub const MEMBERS_MAX: u32 = 10_000;
/// Most entries that are projected in one transaction: the writer is not held longer than it takes.
pub const PROJECT_ENTRIES_MAX: usize = 512;
/// Most entries that are read from the log for one question while the tables cannot follow it. A
/// record that is refused when it cannot be written does not grow far beyond them.
pub const AHEAD_ENTRIES_MAX: usize = 16 * PROJECT_ENTRIES_MAX;
/// Most rows that one step of a sweep deletes.
pub const SWEEP_ROWS_MAX: u32 = 500;
/// Connections that read. There is always one that writes.
pub const READERS_MAX: u32 = 4;
/// How long a statement waits for a lock, and a caller for a connection.
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// Most problems that an integrity check reports.
pub const PROBLEMS_MAX: usize = 20;
/// How long an answer of a database server is waited for: longer than the server itself takes
/// before it gives up.
pub const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How long bringing the tables of a database server up to date may take, waiting for its turn
/// included.
pub const MIGRATE_MAX: Duration = Duration::from_secs(120);
/// How long a connection to a database server may be idle.
pub const IDLE_MAX: Duration = Duration::from_secs(10 * 60);
/// How old a connection to a database server may become.
pub const LIFETIME_MAX: Duration = Duration::from_secs(60 * 60);
/// How long a server of ours counts as there after it was last seen. It says so far more often.
pub const LEASE: Duration = Duration::from_secs(30);
/// Most servers that one question answers.
pub const SERVERS_MAX: u32 = 1_000;
/// Rows that a copy reads at once.
pub const COPY_ROWS_MAX: u32 = 512;
/// Callers whose use of the day is read at start-up; the others begin at nothing.
pub const SPENT_CALLERS_MAX: u32 = 100_000;
/// Runs of the last minute that are read at start-up.
pub const BEGUN_MAX: u32 = 100_000;
