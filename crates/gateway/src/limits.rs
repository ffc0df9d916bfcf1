//! Every bound of this crate, in one place.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How long a session lives, unless the options or a request say otherwise.
pub const LIFETIME: Duration = Duration::from_secs(4 * HOUR);
/// The shortest that it may live.
pub const LIFETIME_MIN: Duration = Duration::from_secs(MINUTE);
/// The longest that it may live from the moment somebody says so, unless the options say otherwise.
pub const LIFETIME_MAX: Duration = Duration::from_secs(24 * HOUR);
/// How long nobody uses a machine before it is paused, unless the options say otherwise.
pub const IDLE: Duration = Duration::from_secs(30 * MINUTE);
/// How long before the end it is said.
pub const WARNING: Duration = Duration::from_secs(5 * MINUTE);
/// Most living sessions that a server may be told to have: as many as are read back at its start.
pub const SESSIONS_MAX: u32 = wharf_store::db::limits::LIVE_SESSIONS_MAX;
/// Living sessions of one server, unless the options say otherwise.
pub const SESSIONS: u32 = 64;
/// Sessions of one account that wait for somebody to need their machine. They cost their account
/// nothing, and take room from all others.
pub const PENDING_PER_ACCOUNT: u32 = 32;

/// The most that one gift of credit gives: ten years of a machine.
pub const CREDIT_MAX: Duration = Duration::from_secs(10 * 365 * 24 * HOUR);
/// Configurations of one person in an organization.
pub const CONFIGURATIONS_PER_OWNER: u32 = 1_000;
/// Repositories of one person in an organization.
pub const REPOS_PER_OWNER: u32 = 1_000;
/// Repositories of one configuration.
pub const REPOS_PER_CONFIGURATION: usize = 32;
/// Tickets of one session that are good at once; the one that ends first makes room for a new one.
pub const TICKETS_PER_SESSION: u32 = 32;
/// Tickets that are held in memory.
pub const TICKETS_HELD: usize = 10_000;

/// Characters of a directory's name for the server.
pub const PATH_HASH_CHARS: std::ops::RangeInclusive<usize> = 8..=64;
/// Most characters of a name that people give.
pub const NAME_CHARS_MAX: usize = 200;
/// Most bytes of what an agent is to do first.
pub const PROMPT_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of what a client keeps with a session.
pub const METADATA_BYTES_MAX: usize = 16 * 1024;
/// Most public keys of one request, and most that open one machine.
pub const KEYS_MAX: usize = 32;
/// Most bytes of a public key's line.
pub const KEY_BYTES_MAX: usize = 16 * 1024;
/// Most variables of one request.
pub const VARIABLES_MAX: usize = 64;
/// Most bytes of them together.
pub const VARIABLES_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of an idempotency key.
pub const IDEMPOTENCY_BYTES_MAX: usize = 255;
/// Most machines that are asked about at once.
pub const CHECKED_MAX: usize = 100;
/// Most events that one look answers.
pub const EVENTS_PER_LOOK: u32 = 100;

/// How long the answer to a request with an idempotency key is repeated.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * HOUR);
/// How long connections may begin with a ticket after it was made or renewed.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(5 * MINUTE);
/// How often it is looked whether those who are attached would still be let in.
pub const ADMITTED_EVERY: Duration = Duration::from_secs(MINUTE);
/// When it is worth asking again for what cannot be looked up now.
pub const ATTACH_AGAIN: Duration = Duration::from_secs(1);
/// How long a choice of a connection waits for whoever asks.
pub const SELECTION_LIFETIME: Duration = Duration::from_secs(5 * MINUTE);

/// How often a running machine is charged.
pub const CHARGED_EVERY: Duration = Duration::from_secs(MINUTE);
/// How often the last use is written down.
pub const USED_EVERY: Duration = Duration::from_secs(30);
/// Between two looks at the sessions.
pub const TENDED_EVERY: Duration = Duration::from_secs(5);
/// The longest wait before something that keeps failing is tried again.
pub const TRIED_AGAIN_AFTER_MAX: Duration = Duration::from_secs(5 * MINUTE);
/// How often in a row a machine cannot be held still before it ends instead, where nobody pays for it.
pub const PAUSES_TRIED: u32 = 3;
/// Between two sweeps of what nobody has.
pub const SWEPT_EVERY: Duration = Duration::from_secs(10 * MINUTE);
/// Sessions that are looked at, or taken up again, at once.
pub const AT_ONCE: usize = 16;
/// How long a provider may live on without this server: what has outlived its session by that much
/// may be removed by the provider itself.
pub const PROVIDER_GRACE: Duration = Duration::from_secs(HOUR);

/// How long a provider may take, and connections to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BringUp {
    /// To make a machine, or to bring one up.
    pub make: Duration,
    /// To end one.
    pub end: Duration,
    /// To say how one is, or to hold it still.
    pub ask: Duration,
    /// To keep a copy of one.
    pub keep: Duration,
    /// For an agent to listen.
    pub agent: Duration,
}

impl Default for BringUp {
    fn default() -> Self {
        Self {
            make: Duration::from_secs(120),
            end: Duration::from_secs(30),
            ask: Duration::from_secs(5),
            keep: Duration::from_secs(120),
            agent: Duration::from_secs(30),
        }
    }
}

/// Connections to one agent that are relayed at once.
pub const RELAYED_MAX: usize = 256;
/// How long the end waits for what is being done.
pub const CLOSE_MAX: Duration = Duration::from_secs(5);

/// As milliseconds, which is how times are kept.
pub(crate) fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
