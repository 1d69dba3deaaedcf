-- Counters live in Redis beside this database. What every step leaves here is what SQLite keeps in
-- PRAGMA user_version: the oldest schema that a process may know and still read and write the data
-- rightly (docs/layouts.md). Each step raises it where it must.

CREATE TABLE footfall_layout (
    readable_from BIGINT  NOT NULL CHECK (readable_from > 0),
    is_the_row    BOOLEAN NOT NULL DEFAULT TRUE CHECK (is_the_row) UNIQUE
);

INSERT INTO footfall_layout (readable_from) VALUES (1);
