-- Those of an organization who share a profile. A member of a team is a member of its organization.
CREATE TABLE teams (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE UNIQUE INDEX teams_slug ON teams (organization_id, slug);

-- Who leads a team may change its profile and its members.
CREATE TABLE team_members (
    team_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    leads BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (team_id, user_id)
);

CREATE INDEX team_members_user ON team_members (user_id);
