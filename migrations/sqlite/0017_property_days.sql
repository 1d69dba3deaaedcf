-- Days that are over: how often each value of a property was carried, and by whom.

CREATE TABLE property_days (
    company_id   BLOB    NOT NULL,
    recording_id INTEGER NOT NULL,
    day          INTEGER NOT NULL,
    key          TEXT    NOT NULL,
    -- As JSON. Empty: the visits of that day that carry something, and not this property.
    value        TEXT    NOT NULL,
    visits       INTEGER NOT NULL,
    -- A Roaring bitmap of `visitors.id`.
    visitors     BLOB    NOT NULL,
    PRIMARY KEY (recording_id, day, key, value),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
) STRICT;

-- The properties of that day that have too many values to be summed up, as a JSON array of their keys; JSON's
-- null where these are too many: all that have no rows in `property_days`. NULL: the day was summed up by an older
-- version, and is made again.
ALTER TABLE visitor_days ADD COLUMN left_out TEXT;
CREATE INDEX visitor_days_unmade ON visitor_days (recording_id, day) WHERE slices IS NULL OR left_out IS NULL;
DROP INDEX visitor_days_unsliced;

-- Counters on which visits were counted that could not be recorded, until one is recorded again.
CREATE TABLE missed_counters (
    company_id BLOB NOT NULL,
    counter    TEXT NOT NULL,
    PRIMARY KEY (company_id, counter)
) STRICT, WITHOUT ROWID;
