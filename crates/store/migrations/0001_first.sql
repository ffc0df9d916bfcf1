-- Types are BIGINT, TEXT, BLOB and DOUBLE only, so that one text serves both databases.
-- Times are Unix milliseconds. Truth values are 0 and 1.

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    seq_opened BIGINT NOT NULL,
    seq_closed BIGINT,
    caller TEXT NOT NULL,
    session_id TEXT,
    target TEXT NOT NULL,
    command TEXT NOT NULL,
    cwd TEXT NOT NULL,
    kind TEXT NOT NULL,
    risk TEXT NOT NULL,
    verdict TEXT NOT NULL,
    background BIGINT NOT NULL,
    state TEXT NOT NULL,
    exit_code BIGINT,
    started_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    duration_ms BIGINT,
    stdout_bytes BIGINT NOT NULL,
    stderr_bytes BIGINT NOT NULL,
    output_location TEXT,
    output_digest TEXT,
    error_kind TEXT,
    cwd_after TEXT,
    idempotency_key TEXT,
    idempotency_fingerprint TEXT,
    extra TEXT
);

-- Newest first of one caller; of one session; all of them for the sweep.
CREATE INDEX runs_caller ON runs (caller, seq_opened);
CREATE INDEX runs_session ON runs (caller, session_id, seq_opened) WHERE session_id IS NOT NULL;
CREATE INDEX runs_seq ON runs (seq_opened);
CREATE INDEX runs_running ON runs (seq_opened) WHERE state = 'running';
CREATE INDEX runs_idempotency ON runs (caller, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE sessions (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    target TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    last_used_ms BIGINT NOT NULL,
    timeout_s BIGINT NOT NULL,
    ended_ms BIGINT,
    end_reason TEXT,
    cwd TEXT NOT NULL,
    env_sealed BLOB,
    client_info TEXT,
    command_count BIGINT NOT NULL,
    PRIMARY KEY (owner, id)
);

CREATE INDEX sessions_live ON sessions (last_used_ms) WHERE ended_ms IS NULL;

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
