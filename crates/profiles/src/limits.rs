//! Every bound of this crate.

use std::time::Duration;

/// Largest `CLAUDE.md`, in bytes. It travels in JSON and is read whole into a model's context.
pub const CONTENT_MAX: usize = 1024 * 1024;
/// Most files of one profile.
pub const FILES_MAX: usize = 10_000;
/// Largest file of a profile, in bytes.
pub const FILE_MAX: usize = 8 * 1024 * 1024;
/// Most bytes of all files of a profile together.
pub const TREE_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of one profile's repository, all versions together. What was saved once stays.
pub const REPOSITORY_MAX: u64 = 1024 * 1024 * 1024;
/// Longest path of a file, in bytes.
pub const PATH_MAX: usize = 512;
/// Longest component of a path, in bytes.
pub const COMPONENT_MAX: usize = 255;
/// Most components of a path.
pub const DEPTH_MAX: usize = 16;
/// Longest message of a version, in bytes. A longer one is cut.
pub const MESSAGE_MAX: usize = 4096;
/// Longest name or address of an author, in bytes. A longer one is cut.
pub const AUTHOR_MAX: usize = 200;
/// Most versions that are walked to count or to find one.
pub const VERSIONS_MAX: usize = 10_000;
/// Fewest digits of a version that stand for it.
pub const VERSION_DIGITS_MIN: usize = 7;
/// Most versions that one question about the history gets.
pub const HISTORY_MAX: usize = 100;
/// Most contents that one question may name.
pub const BLOBS_MAX: usize = FILES_MAX;
/// Most bytes of one answer with contents.
pub const BLOBS_BYTES_MAX: usize = TREE_MAX;
/// Most things that a refusal names; there may be more.
pub const PROBLEMS_MAX: usize = 20;
/// Most teams whose layers one effective profile has.
pub const TEAMS_MAX: usize = 16;
/// Largest text whose changes are shown line by line, in bytes.
pub const DIFF_TEXT_MAX: usize = 256 * 1024;
/// Most files whose changes are shown line by line in one answer.
pub const DIFF_FILES_MAX: usize = 200;
/// Longest that the changes of one text are looked for, before coarser ones do.
pub const DIFF_TIME: Duration = Duration::from_millis(200);
/// Deepest nesting of a JSON file that is merged by key; deeper, the inner layer wins.
pub const MERGE_DEPTH_MAX: usize = 32;

/// Questions and writes that are worked on at the same time.
pub const WORKERS: usize = 8;
/// Questions and writes that wait for their turn. One more is refused.
pub const WAITING_MAX: usize = 512;
/// Conversations with upstreams that go on or wait for their turn. One more is refused.
pub const CONVERSATIONS_MAX: usize = 128;
/// Queues of writers; a profile has one of them.
pub const WRITER_QUEUES: usize = 64;
/// Longest wait for another process that writes to the same profile.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often the other process is looked for.
pub const LOCK_POLL: Duration = Duration::from_millis(5);
/// Most bytes of profiles that are kept in memory.
pub const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Most records of the index from SHA-256 to git's ids, for each profile (64 bytes each).
pub const INDEX_MAX: usize = 200_000;
/// New objects of one version that become files of their own; more become one pack.
pub const LOOSE_MAX: usize = 16;

/// Longest time for one conversation with an upstream.
pub const UPSTREAM_TIME: Duration = Duration::from_secs(60);
/// Largest pack that an upstream may send, in bytes.
pub const UPSTREAM_BYTES: u64 = 64 * 1024 * 1024;
/// Longest address of an upstream, in bytes.
pub const URL_MAX: usize = 2048;
/// Most bytes that are kept of what `git` says.
pub const SAID_MAX: usize = 16 * 1024;
/// Longest name beside a token, in bytes.
pub const UPSTREAM_USER_MAX: usize = 200;
/// Longest token of an upstream, in bytes.
pub const UPSTREAM_TOKEN_MAX: usize = 4096;
/// Most bytes of the keys of hosts that an upstream may be at.
pub const KNOWN_HOSTS_MAX: usize = 16 * 1024;
/// Longest text about the last conversation with an upstream, in bytes. A longer one is cut.
pub const UPSTREAM_DETAIL_MAX: usize = 1000;
/// Largest file of an upstream's settings, in bytes.
pub const UPSTREAM_SETTINGS_MAX: u64 = 64 * 1024;
/// Random bytes in the id of a webhook.
pub const WEBHOOK_RANDOM: usize = 16;
/// Random bytes of a webhook's secret.
pub const WEBHOOK_SECRET_BYTES: usize = 32;
/// Longest secret of a webhook, in bytes.
pub const WEBHOOK_SECRET_MAX: usize = 1024;

/// Views that are kept in memory; each of them is one person's.
pub const VIEWS_KEPT: usize = 512;
/// Most bytes of views that are kept in memory.
pub const VIEW_BYTES: usize = 64 * 1024 * 1024;
/// Most keys of one merged JSON file whose origin is told.
pub const ORIGINS_MAX: usize = 1000;
/// Conversations with upstreams at the same time.
pub const UPSTREAMS: usize = 2;
/// Longest name of a branch of an upstream, in bytes.
pub const BRANCH_MAX: usize = 200;
/// Most paths that are named of two histories that went apart.
pub const CONFLICTS_MAX: usize = 100;

/// Longest name of an item of the catalog, in bytes.
pub const ITEM_NAME_MAX: usize = 100;
/// Longest description of an item, in bytes.
pub const ITEM_DESCRIPTION_MAX: usize = 2_000;
/// Most tags of an item.
pub const ITEM_TAGS_MAX: usize = 16;
/// Longest tag, in bytes.
pub const ITEM_TAG_MAX: usize = 40;
/// Largest content of an item, in bytes.
pub const ITEM_CONTENT_MAX: usize = CONTENT_MAX;
/// Items on one page of the catalog, where nothing else is asked for.
pub const CATALOG_PAGE: u32 = 20;
/// Most items on one page of the catalog.
pub const CATALOG_PAGE_MAX: u32 = 100;
/// Longest text that the catalog is searched for, in bytes. A longer one is cut.
pub const SEARCH_MAX: usize = 200;
