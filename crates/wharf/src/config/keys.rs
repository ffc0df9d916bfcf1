//! Every setting there is: its name, its shape, its default, and the other ways to set it.

use super::value::Kind;

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name in files and in `wharf config`.
    pub(crate) name: &'static str,
    /// Its shape.
    pub(crate) kind: Kind,
    /// What it is when nobody says; empty: not set.
    pub(crate) default: &'static str,
    /// Its environment variable.
    pub(crate) env: &'static str,
    /// Older names of that, lower in rank.
    pub(crate) aliases: &'static [&'static str],
    /// Who may set it beyond the user.
    pub(crate) scope: Scope,
    /// What it does.
    pub(crate) help: &'static str,
}

/// Where a setting may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everywhere but a project's file: a checked-out repository must not choose whom the token is
    /// sent to, nor loosen what the server allows.
    User,
    /// A project's file too.
    Project,
    /// As `User`; its aliases are read by `wharf serve`, and there from `.env` too.
    Serve,
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    env: &'static str,
    scope: Scope,
    help: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        env,
        aliases: &[],
        scope,
        help,
    }
}

const fn with(key: Key, aliases: &'static [&'static str]) -> Key {
    Key { aliases, ..key }
}

/// The words of `run.meta`.
pub(crate) const META: &[&str] = &["none", "minimal", "summary", "full"];
/// The words of `serve.log_level`.
pub(crate) const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];
const GIB: u64 = 1 << 30;

/// All settings, in the order in which they are listed.
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    with(key("api_url", Kind::Url, "", "WHARF_API_URL", Scope::User,
        "the server to talk to; without it, the one on this machine"), &["ATLAS_API_URL"]),
    key("profile", Kind::Text, "", "WHARF_PROFILE", Scope::User,
        "the login to use, of those that wharf auth switch lists; local: this machine's server"),
    key("token_file", Kind::Text, "", "WHARF_TOKEN_FILE", Scope::User,
        "a file with the token for that server"),
    key("run.timeout", Kind::Time(1, 3600), "", "WHARF_TIMEOUT", Scope::Project,
        "when a command is ended; without it, by its kind"),
    key("run.meta", Kind::Choice(META), "none", "WHARF_META", Scope::Project,
        "how much is said about a command after it ran"),
    key("work.agent", Kind::Text, "opencode", "WHARF_WORK_AGENT", Scope::User,
        "who gets the terminal when a bare wharf is ready: opencode, claude, codex, shell, or a command in the sandbox"),
    key("work.git", Kind::Bool, "false", "WHARF_WORK_GIT", Scope::User,
        "a bare wharf takes .git along: history and branches, no hooks"),
    key("work.env", Kind::List, "", "WHARF_WORK_ENV", Scope::User,
        "variables of this machine that a bare wharf takes along to a new sandbox, by their names"),
    key("sync.targets", Kind::List, "claude", "WHARF_SYNC_TARGETS", Scope::User,
        "agents whose configuration is synced: claude, opencode, codex, agents-md"),
    with(key("sync.claude_dir", Kind::Text, "", "WHARF_CLAUDE_DIR", Scope::User,
        "the directory of Claude Code; without it, ~/.claude"), &["CLAUDE_CONFIG_DIR"]),
    key("sync.agents_md_dir", Kind::Text, "", "WHARF_AGENTS_MD_DIR", Scope::User,
        "where AGENTS.md is written for the target agents-md; without it, ~/.config"),
    key("sync.interval", Kind::Time(1, 86_400), "60s", "WHARF_SYNC_INTERVAL", Scope::User,
        "how often wharf sync --watch asks the server"),
    key("ui.color", Kind::Choice(&["auto", "always", "never"]), "auto", "WHARF_COLOR", Scope::User,
        "colours in Wharf's own words"),
    key("ui.no_input", Kind::Bool, "false", "WHARF_NO_INPUT", Scope::User,
        "never ask"),
    key("serve.listen", Kind::Ip, "127.0.0.1", "WHARF_LISTEN", Scope::Serve,
        "the address to listen on"),
    with(key("serve.port", Kind::Count(0, 65535), "7304", "WHARF_PORT", Scope::Serve,
        "the port to listen on; 0 takes any free one"), &["FASTAPI_PORT"]),
    key("serve.allow_plain_http", Kind::Bool, "false", "WHARF_ALLOW_PLAIN_HTTP", Scope::Serve,
        "allow an address that other machines can reach, and other servers, without encryption"),
    with(key("serve.public_url", Kind::Url, "", "WHARF_PUBLIC_URL", Scope::Serve,
        "the address under which clients know the server"), &["API_SERVER_URL"]),
    key("serve.peer_url", Kind::Url, "", "WHARF_PEER_URL", Scope::Serve,
        "where other servers on the same database reach this one"),
    key("serve.database", Kind::Database, "", "WHARF_DATABASE_URL", Scope::Serve,
        "the database, postgres://ACCOUNT:PASSWORD@HOST/NAME; without it, a file"),
    with(key("serve.allowed_hosts", Kind::List, "", "WHARF_ALLOWED_HOSTS", Scope::Serve,
        "names, besides the loopback's, that requests may be addressed to"), &["DOCKER_HOST_IP"]),
    key("serve.cors_origins", Kind::List, "", "WHARF_CORS_ORIGINS", Scope::Serve,
        "web pages, such as https://app.example.com, that may call"),
    key("serve.trusted_proxies", Kind::List, "", "WHARF_TRUSTED_PROXIES", Scope::Serve,
        "addresses and networks of proxies whose X-Forwarded-For counts"),
    key("serve.upstream_hosts", Kind::List, "", "WHARF_UPSTREAM_HOSTS", Scope::Serve,
        "hosts whose git repositories anybody's profile may follow; file:// lets administrators name folders"),
    with(key("serve.bypass_auth", Kind::Bool, "false", "WHARF_BYPASS_AUTH", Scope::Serve,
        "ask for no token; on the loopback only"), &["BYPASS_AUTH"]),
    with(key("serve.allow_dangerous", Kind::Bool, "false", "WHARF_ALLOW_DANGEROUS", Scope::Serve,
        "what is denied may be confirmed instead; nothing runs unasked"), &["ALLOW_DANGEROUS_COMMANDS"]),
    with(key("serve.environment", Kind::Choice(&["development", "production"]), "development",
        "WHARF_ENVIRONMENT", Scope::Serve, "production writes its log as JSON"), &["ENV"]),
    key("serve.askpass", Kind::Text, "", "WHARF_ASKPASS", Scope::Serve,
        "a program that asks somebody for sudo's password, where none comes with a command"),
    key("serve.log_format", Kind::Choice(&["pretty", "json"]), "", "WHARF_LOG_FORMAT", Scope::Serve,
        "how the log is written; without it, by serve.environment"),
    with(key("serve.log_level", Kind::Choice(LEVELS), "info", "WHARF_LOG_LEVEL", Scope::Serve,
        "how much is logged"), &["LOG_LEVEL"]),
    key("serve.log_days", Kind::Count(1, 365), "14", "WHARF_LOG_DAYS", Scope::Serve,
        "log files kept of each area, one a day"),
    key("serve.durability", Kind::Choice(&["process", "full"]), "process", "WHARF_DURABILITY", Scope::Serve,
        "what the record survives: process, a crash of Wharf; full, a power cut"),
    with(key("serve.force_local", Kind::Bool, "false", "WHARF_FORCE_LOCAL", Scope::Serve,
        "run here what is asked to run on another host"), &["FORCE_LOCAL_EXECUTION"]),
    with(key("serve.disable_remote", Kind::Bool, "false", "WHARF_DISABLE_REMOTE", Scope::Serve,
        "refuse to run anything on another host"), &["DISABLE_REMOTE"]),
    key("serve.team", Kind::Bool, "false", "WHARF_TEAM", Scope::Serve,
        "as long as there is no account, say at the start how the first one is made"),
    key("serve.registration", Kind::Bool, "false", "WHARF_REGISTRATION", Scope::Serve,
        "let anybody make an account; without it, by invitation"),
    with(key("serve.jwt_algorithm", Kind::Text, "RS256", "WHARF_JWT_ALGORITHM", Scope::Serve,
        "how access tokens are signed; there is RS256 and no other"), &["JWT_ALGORITHM"]),
    with(key("serve.jwt_audience", Kind::Text, "", "WHARF_JWT_AUDIENCE", Scope::Serve,
        "whom access tokens are for; without it, wharf"), &["JWT_AUDIENCE"]),
    key("serve.jwt_issuers", Kind::List, "", "WHARF_JWT_ISSUERS", Scope::Serve,
        "OpenID Connect issuers whose tokens are taken: URL, or URL=AUDIENCE; without it, serve.jwt_audience"),
    key("serve.smtp_url", Kind::MailServer, "", "WHARF_SMTP_URL", Scope::Serve,
        "the server that takes mail, smtps://ACCOUNT:PASSWORD@HOST; without it, none is sent"),
    key("serve.mail_from", Kind::Text, "", "WHARF_MAIL_FROM", Scope::Serve,
        "the sender of mails, such as Wharf <wharf@example.com>"),
    key("env.pass", Kind::List, "", "WHARF_ENV_PASS", Scope::Serve,
        "variables of the server's environment that commands get too"),
    key("limits.concurrent_runs", Kind::Count(1, 100_000), "256", "WHARF_CONCURRENT_RUNS", Scope::Serve,
        "commands that run at once"),
    key("limits.queued_runs", Kind::Count(0, 100_000), "1024", "WHARF_QUEUED_RUNS", Scope::Serve,
        "commands that wait for a place"),
    key("limits.queued_per_session", Kind::Count(0, 10_000), "64", "WHARF_QUEUED_PER_SESSION", Scope::Serve,
        "commands that wait in one session"),
    key("limits.background_runs", Kind::Count(1, 100_000), "256", "WHARF_BACKGROUND_RUNS", Scope::Serve,
        "background commands at once"),
    key("limits.sessions", Kind::Count(1, 100_000), "1000", "WHARF_SESSIONS", Scope::Serve,
        "living sessions"),
    key("limits.processes", Kind::Count(8, 1_000_000), "4096", "WHARF_PROCESSES", Scope::Serve,
        "processes and threads of one run or session"),
    key("limits.memory_bytes", Kind::Bytes(0, 65_536 * GIB), "0", "WHARF_MEMORY_BYTES", Scope::Serve,
        "memory of one run or session; 0: no bound"),
    key("limits.grace", Kind::Time(0, 300), "2s", "WHARF_GRACE", Scope::Serve,
        "time between asking a command to end and ending it"),
    key("limits.session_timeout", Kind::Time(1, 2_592_000), "3600s", "WHARF_SESSION_TIMEOUT", Scope::Serve,
        "a session ends after this long without use"),
    key("limits.shutdown", Kind::Time(0, 300), "5s", "WHARF_SHUTDOWN", Scope::Serve,
        "time for running commands to finish when the server stops"),
    key("quotas.person_runs_per_minute", Kind::Count(0, 1_000_000), "0", "WHARF_PERSON_RUNS_PER_MINUTE", Scope::Serve,
        "commands a person with an account may begin in a minute; 0: no bound"),
    key("quotas.person_concurrent_runs", Kind::Count(0, 100_000), "0", "WHARF_PERSON_CONCURRENT_RUNS", Scope::Serve,
        "commands a person with an account may run at once; 0: no bound"),
    key("quotas.person_sessions", Kind::Count(0, 100_000), "0", "WHARF_PERSON_SESSIONS", Scope::Serve,
        "living sessions a person with an account may have; 0: no bound"),
    key("quotas.person_output_bytes_per_day", Kind::Bytes(0, 65_536 * GIB), "0", "WHARF_PERSON_OUTPUT_BYTES_PER_DAY", Scope::Serve,
        "output a person with an account may write in a day; 0: no bound"),
    key("quotas.person_wall_seconds_per_day", Kind::Count(0, 100_000_000), "0", "WHARF_PERSON_WALL_SECONDS_PER_DAY", Scope::Serve,
        "seconds a person with an account may run commands in a day; 0: no bound"),
    key("quotas.organization_runs_per_minute", Kind::Count(0, 1_000_000), "0", "WHARF_ORGANIZATION_RUNS_PER_MINUTE", Scope::Serve,
        "commands an organization may begin in a minute; 0: no bound"),
    key("quotas.organization_concurrent_runs", Kind::Count(0, 100_000), "0", "WHARF_ORGANIZATION_CONCURRENT_RUNS", Scope::Serve,
        "commands an organization may run at once; 0: no bound"),
    key("quotas.organization_sessions", Kind::Count(0, 100_000), "0", "WHARF_ORGANIZATION_SESSIONS", Scope::Serve,
        "living sessions an organization may have; 0: no bound"),
    key("quotas.organization_output_bytes_per_day", Kind::Bytes(0, 65_536 * GIB), "0", "WHARF_ORGANIZATION_OUTPUT_BYTES_PER_DAY", Scope::Serve,
        "output an organization may write in a day; 0: no bound"),
    key("quotas.organization_wall_seconds_per_day", Kind::Count(0, 100_000_000), "0", "WHARF_ORGANIZATION_WALL_SECONDS_PER_DAY", Scope::Serve,
        "seconds an organization may run commands in a day; 0: no bound"),
    key("quotas.agent_runs_per_minute", Kind::Count(0, 1_000_000), "0", "WHARF_AGENT_RUNS_PER_MINUTE", Scope::Serve,
        "commands an agent may begin in a minute; 0: no bound"),
    key("quotas.agent_concurrent_runs", Kind::Count(0, 100_000), "0", "WHARF_AGENT_CONCURRENT_RUNS", Scope::Serve,
        "commands an agent may run at once; 0: no bound"),
    key("quotas.agent_sessions", Kind::Count(0, 100_000), "0", "WHARF_AGENT_SESSIONS", Scope::Serve,
        "living sessions an agent may have; 0: no bound"),
    key("quotas.agent_output_bytes_per_day", Kind::Bytes(0, 65_536 * GIB), "0", "WHARF_AGENT_OUTPUT_BYTES_PER_DAY", Scope::Serve,
        "output an agent may write in a day; 0: no bound"),
    key("quotas.agent_wall_seconds_per_day", Kind::Count(0, 100_000_000), "0", "WHARF_AGENT_WALL_SECONDS_PER_DAY", Scope::Serve,
        "seconds an agent may run commands in a day; 0: no bound"),
    key("sandbox.provider", Kind::Choice(&["local", "docker", "none"]), "local", "WHARF_SANDBOX_PROVIDER", Scope::Serve,
        "who makes sandboxes: local, namespaces of this machine; docker, a Docker engine; none, nobody"),
    with(key("sandbox.docker_host", Kind::Text, "", "WHARF_SANDBOX_DOCKER_HOST", Scope::Serve,
        "the socket of the Docker engine, as unix:///PATH; without it, /var/run/docker.sock"), &["DOCKER_HOST"]),
    key("sandbox.docker_image", Kind::Text, "", "WHARF_SANDBOX_DOCKER_IMAGE", Scope::Serve,
        "what its sandboxes start from: an image, or the path of a root directory or of an archive of one; without it, one of our own"),
    key("sandbox.lifetime", Kind::Time(60, 31_536_000), "14400s", "WHARF_SANDBOX_LIFETIME", Scope::Serve,
        "a sandbox session ends after this long, unless it is extended"),
    key("sandbox.lifetime_max", Kind::Time(60, 31_536_000), "86400s", "WHARF_SANDBOX_LIFETIME_MAX", Scope::Serve,
        "the longest that a sandbox session may be made or extended for"),
    key("sandbox.idle", Kind::Time(0, 31_536_000), "1800s", "WHARF_SANDBOX_IDLE", Scope::Serve,
        "a sandbox is paused after this long without use; 0: never"),
    key("sandbox.max", Kind::Count(1, 10_000), "64", "WHARF_SANDBOX_MAX", Scope::Serve,
        "living sandbox sessions of this server"),
    key("sandbox.memory_bytes", Kind::Bytes(0, 65_536 * GIB), "4294967296", "WHARF_SANDBOX_MEMORY_BYTES", Scope::Serve,
        "memory of one sandbox; 0: no bound"),
    key("sandbox.egress", Kind::List, "@models", "WHARF_SANDBOX_EGRESS", Scope::Serve,
        "what sandboxes may reach: hosts such as *.npmjs.org, @models, @packages, or * for any; empty, nothing"),
    key("sandbox.plans", Kind::List, "", "WHARF_SANDBOX_PLANS", Scope::Serve,
        "what accounts may use of sandboxes, NAME=SECONDS/AT_ONCE, either may be *; without it, as much as they like"),
    key("sandbox.plan", Kind::Text, "", "WHARF_SANDBOX_PLAN", Scope::Serve,
        "the plan of an account of which nobody says another; without it, the first"),
    key("journal.run_bytes", Kind::Bytes(1 << 20, 1024 * GIB), "1073741824", "WHARF_JOURNAL_RUN_BYTES", Scope::Serve,
        "output kept of one run"),
    key("journal.total_bytes", Kind::Bytes(1 << 20, 65_536 * GIB), "10737418240", "WHARF_JOURNAL_TOTAL_BYTES", Scope::Serve,
        "output kept of all runs"),
    key("journal.age", Kind::Time(60, 31_536_000), "2592000s", "WHARF_JOURNAL_AGE", Scope::Serve,
        "output is kept this long"),
];

/// Variables that are no settings: where things are, the token itself, and what opens a page.
pub(crate) const OTHER_VARIABLES: &[&str] = &[
    "WHARF_HOME",
    "WHARF_TOKEN",
    "WHARF_BROWSER",
    "WHARF_OPENCODE_BIN",
];

/// The setting of that name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_legal() {
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            let value = key
                .kind
                .read(key.default)
                .unwrap_or_else(|e| panic!("{}: {e}", key.name));
            assert_eq!(value.to_string(), key.default, "{}", key.name);
        }
    }

    #[test]
    fn no_name_is_used_twice() {
        let names = KEYS.iter().flat_map(|key| {
            [key.name, key.env]
                .into_iter()
                .chain(key.aliases.iter().copied())
        });
        let mut names: Vec<_> = names.chain(OTHER_VARIABLES.iter().copied()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_project_can_change_nothing_that_matters_to_safety() {
        let open: Vec<_> = KEYS
            .iter()
            .filter(|key| key.scope == Scope::Project)
            .map(|key| key.name)
            .collect();
        assert_eq!(open, ["run.timeout", "run.meta"]);
    }
}
