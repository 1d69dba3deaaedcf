-- The record: what is known of visits beside their number (docs/record.md). It is written in the
-- transaction that counts.
--
-- Times are Unix milliseconds, minutes and days Unix minutes and days (UTC). Numbers of a counter have no
-- gaps, so one number says how much is recorded: `through`. What is recorded of numbers is in `runs`, what
-- visits carried in `visits`.

-- One row for each counter that was ever recorded. Who writes to the tables below for this counter has
-- its row locked.
CREATE TABLE recordings (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    company_id     BLOB    NOT NULL CHECK (length(company_id) = 16) REFERENCES companies (id),
    counter        TEXT    NOT NULL,
    recorded       INTEGER NOT NULL CHECK (recorded IN (0, 1)),
    retention_days INTEGER NOT NULL CHECK (retention_days BETWEEN 1 AND 3650),
    visitor        TEXT    NOT NULL CHECK (visitor IN ('daily', 'hashed', 'given')),
    -- Grows with each change of the three above.
    version        INTEGER NOT NULL DEFAULT 0,
    -- Numbers up to it were counted before recording began.
    began          INTEGER NOT NULL CHECK (began >= 0),
    -- Runs cover base + 1 to through. It grows with what is removed when its retention ends.
    base           INTEGER NOT NULL CHECK (base >= began),
    through        INTEGER NOT NULL CHECK (through >= base),
    -- When `through` was counted.
    through_at     INTEGER NOT NULL,
    -- `first` of the last run, while times may be added to it.
    tail           INTEGER,
    -- The greatest id that a text of this counter was given. No id is given twice, since what is
    -- known of past days goes by it.
    last_text      INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    UNIQUE (company_id, id),
    UNIQUE (company_id, counter)
) STRICT;

-- What is recorded of which numbers: runs join up without gaps.
CREATE TABLE runs (
    company_id   BLOB    NOT NULL,
    recording_id INTEGER NOT NULL,
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL CHECK (last >= first),
    -- Why nothing is recorded of them; NULL if it is.
    reason       TEXT    CHECK (reason IN ('off', 'behind', 'lost', 'older_version')),
    -- When the first and the last of them were counted. Of those of which nothing is recorded: when
    -- the visits before and after were.
    first_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL CHECK (last_at >= first_at),
    -- Pairs of LEB128 numbers: how many visits, and how many milliseconds after those before them
    -- (the first pair: after first_at).
    times        BLOB,
    PRIMARY KEY (recording_id, first),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id),
    CHECK ((reason IS NULL) = (times IS NOT NULL))
) STRICT;

-- Visits that carry something.
CREATE TABLE visits (
    company_id   BLOB    NOT NULL,
    recording_id INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    visitor      INTEGER,
    -- Ids of texts.
    path         INTEGER,
    referrer     INTEGER,
    campaign     INTEGER,
    country      INTEGER,
    properties   TEXT,
    PRIMARY KEY (recording_id, number),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
) STRICT, WITHOUT ROWID;
-- A visitor is of one company. Those of one visitor are few, so the counter is no part of it.
CREATE INDEX visits_by_visitor ON visits (visitor) WHERE visitor IS NOT NULL;

-- What the visits of a counter say again and again.
CREATE TABLE texts (
    company_id   BLOB    NOT NULL,
    recording_id INTEGER NOT NULL,
    id           INTEGER NOT NULL CHECK (id > 0),
    text         TEXT    NOT NULL,
    -- How often rows of `visits` name it.
    uses         INTEGER NOT NULL CHECK (uses >= 0),
    PRIMARY KEY (recording_id, id),
    UNIQUE (recording_id, text),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
) STRICT, WITHOUT ROWID;

-- Who came. The numbers are dense: sets of them are bitmaps.
CREATE TABLE visitors (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    company_id BLOB    NOT NULL REFERENCES companies (id),
    -- NULL where the visitor was erased.
    key        TEXT,
    UNIQUE (company_id, key)
) STRICT;

-- The last number of each minute in which any was counted; of minutes long past only those that end a
-- quarter of an hour.
CREATE TABLE marks (
    company_id   BLOB    NOT NULL,
    recording_id INTEGER NOT NULL,
    minute       INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    PRIMARY KEY (recording_id, minute),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
) STRICT, WITHOUT ROWID;

-- Under which identities the newest visits were counted, for a store of counts that has lost them. Two
-- rows at most for each chunk that is recorded.
CREATE TABLE recorded_identities (
    company_id   BLOB    NOT NULL,
    recording_id INTEGER NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('request', 'key')),
    -- The greatest of the numbers, and when it was counted.
    last         INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    -- Pairs of LEB128 numbers: how many numbers are passed over, and how many follow.
    numbers      BLOB    NOT NULL,
    -- 16 bytes for each number.
    digests      BLOB    NOT NULL,
    PRIMARY KEY (recording_id, kind, last),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
) STRICT;
CREATE INDEX recorded_identities_by_time ON recorded_identities (kind, at);

-- Days that are over: how often each text was named in a field, and by whom.
CREATE TABLE value_days (
    company_id   BLOB    NOT NULL,
    recording_id INTEGER NOT NULL,
    day          INTEGER NOT NULL,
    field        TEXT    NOT NULL,
    -- 0: the visits of that day that say nothing there.
    text         INTEGER NOT NULL,
    visits       INTEGER NOT NULL,
    -- A Roaring bitmap of `visitors.id`.
    visitors     BLOB,
    PRIMARY KEY (recording_id, day, field, text),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
) STRICT;

-- Days that are over: who came.
CREATE TABLE visitor_days (
    company_id   BLOB    NOT NULL,
    recording_id INTEGER NOT NULL,
    day          INTEGER NOT NULL,
    visits       INTEGER NOT NULL,
    -- A Roaring bitmap of `visitors.id`.
    visitors     BLOB    NOT NULL,
    PRIMARY KEY (recording_id, day),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
) STRICT;

-- Whoever knows the migrations up to the second can go on.
PRAGMA user_version = 2;
