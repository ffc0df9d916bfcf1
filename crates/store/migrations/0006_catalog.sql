-- Skills, commands, agents and the like, owned by a layer (org, team, user) and the id of one of
-- it. Tags are JSON. Words are what a search looks through, in lower case.
CREATE TABLE catalog_items (
    id TEXT NOT NULL PRIMARY KEY,
    layer TEXT NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    content TEXT NOT NULL,
    words TEXT NOT NULL,
    revision BIGINT NOT NULL,
    added_by TEXT NOT NULL,
    added_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);

CREATE UNIQUE INDEX catalog_items_by_name ON catalog_items (layer, owner, kind, name);
