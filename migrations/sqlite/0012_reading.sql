-- What reading the record needs beside it.

-- The version of its settings that the store of counts was told: less than `version` where it could not be
-- reached.
ALTER TABLE recordings ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
-- Up to which minute only those marks are left that end a quarter of an hour.
ALTER TABLE recordings ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0;
-- Before which day value_days and visitor_days are whole. What they have of later days counts for nothing.
ALTER TABLE recordings ADD COLUMN summed INTEGER NOT NULL DEFAULT 0;
-- How often what visits carried was taken from the record: what was summed up meanwhile counts for nothing.
ALTER TABLE recordings ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;

-- Runs of which nothing is recorded are few, and asked for at each look at the history.
CREATE INDEX runs_unrecorded ON runs (recording_id, first) WHERE reason IS NOT NULL;
-- Settings that the store of counts has yet to be told.
CREATE INDEX recordings_untold ON recordings (id) WHERE told < version;
