-- Questions that wait for a person, and yeses that hold for longer. The body is the engine's.
CREATE TABLE consents (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    until_ms BIGINT NOT NULL,
    open BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE INDEX consents_open ON consents (kind, changed_ms) WHERE open = 1;
CREATE INDEX consents_changed ON consents (kind, changed_ms);
