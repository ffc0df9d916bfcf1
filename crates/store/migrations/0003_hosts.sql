-- Hosts that have a name here. Never a password. Facts are JSON, the engine's.
CREATE TABLE hosts (
    name TEXT NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    port BIGINT,
    account TEXT,
    key_file TEXT,
    jump TEXT,
    note TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    facts TEXT,
    facts_ms BIGINT
);

CREATE TABLE host_groups (
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (host, name)
);
