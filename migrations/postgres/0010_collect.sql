-- Visits that web pages send: the keys they show, and the salts that tell their visitors apart for a day.

-- A key is in the source of pages, and no secret: what it is good for is bounded by what is here.
CREATE TABLE write_keys (
    id         UUID   NOT NULL PRIMARY KEY,
    company_id UUID   NOT NULL REFERENCES companies (id),
    name       TEXT   NOT NULL,
    key        TEXT   NOT NULL UNIQUE,
    -- Separated by blanks, both: neither has any in it.
    counters   TEXT   NOT NULL,
    origins    TEXT   NOT NULL,
    -- Visits a second.
    rate       BIGINT NOT NULL CHECK (rate > 0),
    -- Who made it; a name is looked up, if they are still there.
    created_by UUID   NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT,
    UNIQUE (company_id, id)
);
CREATE INDEX write_keys_by_company ON write_keys (company_id, id) WHERE ended_at IS NULL;

-- Grows with each change of a key: replicas read all of them when it has.
CREATE TABLE write_keys_epoch (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch BIGINT NOT NULL
);
INSERT INTO write_keys_epoch (id, epoch) VALUES (1, 0);

-- By the number of the day since 1970 (UTC). Deleted 48 hours after it began.
CREATE TABLE visitor_salts (
    day  BIGINT NOT NULL PRIMARY KEY,
    salt BYTEA  NOT NULL CHECK (length(salt) = 32)
);

ALTER TABLE write_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON write_keys USING (footfall_sees(company_id));
