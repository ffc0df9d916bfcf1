//! Every bound of this crate, in one place.

use std::time::Duration;

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// Most accounts, disabled ones included.
pub const USERS_MAX: u32 = 100_000;
/// Most organizations that one person belongs to.
pub const ORGANIZATIONS_PER_USER: u32 = 100;
/// Most members of one organization.
pub const MEMBERS_MAX: u32 = 10_000;
/// Most API keys of one person that are good, those of their agents included.
pub const KEYS_PER_USER: u32 = 100;
/// Most logins of one person that are good; the least used one makes room for a new one.
pub const LOGINS_PER_USER: u32 = 100;
/// Most agents of one person in one organization.
pub const AGENTS_PER_USER: u32 = 100;
/// Most teams of one organization.
pub const TEAMS_PER_ORGANIZATION: u32 = 200;
/// Most members of one team.
pub const TEAM_MEMBERS_MAX: u32 = 1_000;
/// Most teams of one organization that one person is in: as many as layers of what they get may be
/// teams'.
pub const TEAMS_PER_USER: u32 = 16;
/// Most SSH keys of one person.
pub const SSH_KEYS_PER_USER: u32 = 100;
/// Most invitations of one organization that wait.
pub const INVITATIONS_OPEN: u32 = 1_000;
/// Most devices that wait for a decision. The oldest one of the network with the most makes room
/// for a new one.
pub const DEVICES_OPEN: u32 = 10_000;
/// Most of them that asked from one network.
pub const DEVICES_PER_NETWORK: u32 = 20;

/// Most characters of a name.
pub const NAME_CHARS_MAX: usize = 100;
/// Most bytes of an address.
pub const EMAIL_BYTES_MAX: usize = 254;
/// Least and most characters of the short name of an organization, and most of an agent's.
pub const SLUG_CHARS: std::ops::RangeInclusive<usize> = 1..=39;
/// Least characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Most bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Most bytes of an SSH key's line.
pub const SSH_KEY_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of an access token.
pub const JWT_BYTES_MAX: usize = 8 * 1024;

/// How long an access token is good for, unless the options say otherwise.
pub const ACCESS_LIFETIME: Duration = Duration::from_secs(30 * MINUTE);
/// How long a login lasts that is not used, unless the options say otherwise.
pub const REFRESH_LIFETIME: Duration = Duration::from_secs(7 * DAY);
/// How long an API key is good for that nobody gave a time.
pub const KEY_LIFETIME: Duration = Duration::from_secs(90 * DAY);
/// The longest that an API key may be good for.
pub const KEY_LIFETIME_MAX: Duration = Duration::from_secs(366 * DAY);
/// The shortest that an API key may be good for.
pub const KEY_LIFETIME_MIN: Duration = Duration::from_secs(MINUTE);
/// How long after its rotation a refresh token still gets a successor: for a client that retries,
/// or two that refresh at once.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);
/// Most refresh tokens of one login that are good at once: what [`REFRESH_GRACE`] can lead to. The
/// oldest one makes room for a new one.
pub const REFRESH_TOKENS_PER_LOGIN: u32 = 100;
/// How long a device's codes are good for.
pub const DEVICE_LIFETIME: Duration = Duration::from_secs(15 * MINUTE);
/// How long a device waits before each poll.
pub const DEVICE_INTERVAL: Duration = Duration::from_secs(5);
/// The longest that it may be told to wait.
pub const DEVICE_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// How long the code for the first account is good for.
pub const FIRST_RUN_LIFETIME: Duration = Duration::from_secs(DAY);
/// How long an invitation is good for.
pub const INVITATION_LIFETIME: Duration = Duration::from_secs(7 * DAY);
/// How long a code for a new password is good for.
pub const RESET_LIFETIME: Duration = Duration::from_secs(60 * MINUTE);

/// How far the clocks of two servers may differ: for `nbf` and `iat`, never for `exp`.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// How long a signing key signs.
pub const SIGNING_KEY_LIFETIME: Duration = Duration::from_secs(30 * DAY);
/// How long what was found of a token is believed without asking the database again: a revocation
/// at another server takes effect within this.
pub const BELIEF: Duration = Duration::from_millis(500);
/// Most tokens of which something is believed.
pub const BELIEFS_MAX: usize = 10_000;
/// How often the last use of a login or key is written down at the most.
pub const USED_EVERY: Duration = Duration::from_secs(MINUTE);

/// Tries at codes and logins that one address has in a minute, and device codes that it may ask
/// for.
pub const TRIES_PER_MINUTE: u32 = 10;
/// Letters with a code for a new password that one account gets: half as many, and no fewer than
/// one, may come at once.
pub const RESET_LETTERS_PER_MINUTE: u32 = 2;
/// Questions to the database for a signing key that is not known, within [`BELIEF`].
pub const UNKNOWN_KEYS_ASKED: u32 = 3;
/// Wrong passwords in a row that cost nothing but themselves.
pub const FREE_FAILURES: u32 = 5;
/// How long the first block of an account takes; each further failure doubles it.
pub const FIRST_BLOCK: Duration = Duration::from_secs(1);
/// The longest block of an account.
pub const BLOCK_MAX: Duration = Duration::from_secs(15 * MINUTE);
/// Wrong user codes that one account has within [`DEVICE_LIFETIME`].
pub const WRONG_CODES: u32 = 5;
/// When failures are forgotten that nobody added to.
pub const FAILURES_FORGOTTEN: Duration = Duration::from_secs(DAY);
/// How long an address stays known to an account after a login from there.
pub const ADDRESS_KNOWN: Duration = Duration::from_secs(90 * DAY);

/// Passwords that are tried at once: each takes 19 MiB and some 20 ms of a processor.
pub const HASHES_AT_ONCE: usize = 2;
/// Passwords that wait for their turn.
pub const HASHES_WAITING: usize = 64;

/// Most external issuers.
pub const ISSUERS_MAX: usize = 16;
/// Most bytes of a document of an issuer.
pub const FETCH_BYTES_MAX: usize = 256 * 1024;
/// How long fetching one may take.
pub const FETCH_MAX: Duration = Duration::from_secs(5);
/// How long the keys of an issuer are believed.
pub const ISSUER_KEYS_BELIEVED: Duration = Duration::from_secs(10 * MINUTE);
/// How long they are used when the issuer cannot be reached.
pub const ISSUER_KEYS_STALE: Duration = Duration::from_secs(DAY);
/// How often an issuer is asked at the most, for example for a key that is not known.
pub const ISSUER_ASKED_EVERY: Duration = Duration::from_secs(30);
/// Most keys of an issuer.
pub const ISSUER_KEYS_MAX: usize = 32;
