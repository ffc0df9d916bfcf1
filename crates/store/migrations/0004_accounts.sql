-- People, organizations, agents, and what opens doors for them. No secret is kept in clear:
-- passwords as Argon2id, all else as the SHA-256 of what has enough bits of its own, in hex.
-- `limits` is JSON, the identity's; none is the server's own.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL,
    password TEXT,
    created_ms BIGINT NOT NULL,
    disabled_ms BIGINT,
    limits TEXT
);

CREATE UNIQUE INDEX users_email ON users (email);
CREATE UNIQUE INDEX users_username ON users (username_key);

-- One that has ended is kept, so that its short name is never another's.
CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    home BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    deleted_ms BIGINT,
    limits TEXT
);

CREATE UNIQUE INDEX organizations_slug ON organizations (slug);

CREATE TABLE memberships (
    organization_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);

CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    code_hash TEXT NOT NULL
);

CREATE UNIQUE INDEX invitations_code ON invitations (code_hash);
CREATE INDEX invitations_organization ON invitations (organization_id);

CREATE TABLE logins (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    device TEXT NOT NULL,
    address TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    revoked_ms BIGINT
);

CREATE INDEX logins_user ON logins (user_id);

-- One that has been used stays until it would have expired: it is known when it comes again.
CREATE TABLE refresh_tokens (
    hash TEXT NOT NULL PRIMARY KEY,
    login_id TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    replaced_ms BIGINT
);

CREATE INDEX refresh_tokens_login ON refresh_tokens (login_id);

CREATE TABLE agents (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    limits TEXT
);

CREATE UNIQUE INDEX agents_name ON agents (organization_id, user_id, name);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    user_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    agent_id TEXT,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT,
    used_address TEXT,
    revoked_ms BIGINT
);

CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE device_requests (
    device_hash TEXT NOT NULL PRIMARY KEY,
    user_hash TEXT NOT NULL,
    device TEXT NOT NULL,
    address TEXT NOT NULL,
    network TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    interval_ms BIGINT NOT NULL,
    polled_ms BIGINT,
    state TEXT NOT NULL,
    user_id TEXT,
    organization_id TEXT,
    name TEXT
);

CREATE UNIQUE INDEX device_requests_user ON device_requests (user_hash);
CREATE INDEX device_requests_network ON device_requests (network);

CREATE TABLE ssh_keys (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    public_key TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE UNIQUE INDEX ssh_keys_owner ON ssh_keys (owner, fingerprint);

-- The public halves; each private one is in a file of the server that signs with it.
CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    modulus TEXT NOT NULL,
    exponent TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);

CREATE TABLE one_time_codes (
    hash TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);

CREATE INDEX one_time_codes_subject ON one_time_codes (kind, subject);

-- Tries at what can be guessed: how many, and when the next one is heard.
CREATE TABLE attempts (
    key TEXT NOT NULL PRIMARY KEY,
    count BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
