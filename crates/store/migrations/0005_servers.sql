-- Servers that share this database. What a server alone can do (a session's shell, a run's output)
-- is marked with its id; '' is a server from before there were ids.
CREATE TABLE servers (
    id TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    version TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL
);

ALTER TABLE runs ADD COLUMN server TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN server TEXT NOT NULL DEFAULT '';

-- Each log counts for itself, so that runs of several are in order by time.
DROP INDEX runs_caller;
DROP INDEX runs_session;
DROP INDEX runs_seq;
DROP INDEX runs_running;
CREATE INDEX runs_caller ON runs (caller, started_ms, server, seq_opened);
CREATE INDEX runs_session ON runs (caller, session_id, started_ms, server, seq_opened)
    WHERE session_id IS NOT NULL;
CREATE INDEX runs_time ON runs (started_ms, server, seq_opened);
CREATE INDEX runs_running ON runs (server, seq_opened) WHERE state = 'running';

-- How far a question or yes is: 0 it waits, 1 it holds, 2 nothing more can come of it. It only
-- grows, and whoever moves it says from where, so that of two servers one does.
ALTER TABLE consents ADD COLUMN stage BIGINT NOT NULL DEFAULT 0;
UPDATE consents SET stage = 2 WHERE open = 0;
UPDATE consents SET stage = 1 WHERE open = 1 AND kind = 'grant';

-- Keys under which a request is run once, whichever server it comes to. No run: it is being started.
CREATE TABLE claims (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    server TEXT NOT NULL,
    run TEXT,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);

CREATE INDEX claims_time ON claims (at_ms);

-- Grows with each change of what servers keep in memory.
CREATE TABLE changes (
    what TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
