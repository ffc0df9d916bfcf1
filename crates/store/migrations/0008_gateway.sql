-- Sandbox sessions and what they are made of. Nothing secret is here: what opens a sandbox is a
-- person's public keys, tickets are kept as the SHA-256 of what has enough bits of its own, and
-- variables are the provider's to keep. Texts that may be JSON are the gateway's.
CREATE TABLE gateway_configurations (
    id TEXT NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL,
    owner TEXT NOT NULL,
    path_hash TEXT,
    display_name TEXT,
    repos TEXT,
    snapshot TEXT,
    provider TEXT,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);

CREATE UNIQUE INDEX gateway_configurations_path ON gateway_configurations
    (organization, owner, path_hash) WHERE path_hash IS NOT NULL;
CREATE INDEX gateway_configurations_owner ON gateway_configurations (organization, owner);

CREATE TABLE gateway_repos (
    id TEXT NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL,
    owner TEXT NOT NULL,
    path_hash TEXT NOT NULL,
    display_name TEXT,
    connection TEXT,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);

CREATE UNIQUE INDEX gateway_repos_path ON gateway_repos (organization, owner, path_hash);

-- `version` grows with each change, and whoever changes a row says from which: of two one does.
-- `running_ms` is since when its machine runs and has not been charged; `used_ms` what it ran before.
CREATE TABLE gateway_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    server TEXT NOT NULL,
    organization TEXT NOT NULL,
    owner TEXT NOT NULL,
    caller TEXT NOT NULL,
    account TEXT NOT NULL,
    configuration TEXT NOT NULL,
    path_hash TEXT,
    display_name TEXT,
    title TEXT,
    session_type TEXT NOT NULL,
    client_type TEXT NOT NULL,
    asked TEXT NOT NULL,
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    sandbox TEXT,
    place TEXT,
    snapshot TEXT,
    created_ms BIGINT NOT NULL,
    started_ms BIGINT,
    active_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    warned BIGINT NOT NULL,
    ended_ms BIGINT,
    running_ms BIGINT,
    used_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- Newest first of one owner or organization; the living ones of a server, and of an account.
CREATE INDEX gateway_sessions_owner ON gateway_sessions (organization, owner, created_ms);
CREATE INDEX gateway_sessions_time ON gateway_sessions (organization, created_ms);
CREATE INDEX gateway_sessions_live ON gateway_sessions (server, created_ms) WHERE ended_ms IS NULL;
CREATE INDEX gateway_sessions_account ON gateway_sessions (account) WHERE ended_ms IS NULL;
CREATE INDEX gateway_sessions_ended ON gateway_sessions (ended_ms) WHERE ended_ms IS NOT NULL;

CREATE TABLE gateway_events (
    session TEXT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (session, number)
);

-- Keys under which a session is made once. No answer: it is being made.
CREATE TABLE gateway_claims (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    server TEXT NOT NULL,
    answer TEXT,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (owner, key)
);

CREATE INDEX gateway_claims_time ON gateway_claims (at_ms);

CREATE TABLE gateway_tickets (
    hash TEXT NOT NULL PRIMARY KEY,
    session TEXT NOT NULL,
    caller TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);

CREATE INDEX gateway_tickets_session ON gateway_tickets (session);

-- Which connection a person has chosen, until somebody asks for it.
CREATE TABLE gateway_selections (
    organization TEXT NOT NULL,
    owner TEXT NOT NULL,
    connection TEXT NOT NULL,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (organization, owner)
);

-- What an account may use of sandboxes, where somebody said so, and what it has used.
CREATE TABLE gateway_accounts (
    account TEXT NOT NULL PRIMARY KEY,
    plan TEXT,
    granted_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
