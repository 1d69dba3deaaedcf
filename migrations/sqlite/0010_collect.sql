-- Visits that web pages send: the keys they show, and the salts that tell their visitors apart for a day.

-- A key is in the source of pages, and no secret: what it is good for is bounded by what is here.
CREATE TABLE write_keys (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id BLOB    NOT NULL REFERENCES companies (id),
    name       TEXT    NOT NULL,
    key        TEXT    NOT NULL UNIQUE,
    -- Separated by blanks, both: neither has any in it.
    counters   TEXT    NOT NULL,
    origins    TEXT    NOT NULL,
    -- Visits a second.
    rate       INTEGER NOT NULL CHECK (rate > 0),
    -- Who made it; a name is looked up, if they are still there.
    created_by BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    UNIQUE (company_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX write_keys_by_company ON write_keys (company_id, id) WHERE ended_at IS NULL;

-- Grows with each change of a key: replicas read all of them when it has.
CREATE TABLE write_keys_epoch (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO write_keys_epoch (id, epoch) VALUES (1, 0);

-- By the number of the day since 1970 (UTC). Deleted 48 hours after it began.
CREATE TABLE visitor_salts (
    day  INTEGER NOT NULL PRIMARY KEY,
    salt BLOB    NOT NULL CHECK (length(salt) = 32)
) STRICT;
