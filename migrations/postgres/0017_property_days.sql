-- Days that are over: how often each value of a property was carried, and by whom.

CREATE TABLE property_days (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    day          BIGINT NOT NULL,
    key          TEXT   NOT NULL COLLATE "C",
    -- As JSON. Empty: the visits of that day that carry something, and not this property.
    value        TEXT   NOT NULL COLLATE "C",
    visits       BIGINT NOT NULL,
    -- A Roaring bitmap of `visitors.id`.
    visitors     BYTEA  NOT NULL,
    PRIMARY KEY (recording_id, day, key, value),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
);
ALTER TABLE property_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON property_days
    USING (company_id = (SELECT footfall_company()) OR (SELECT footfall_sees_all()));

-- The properties of that day that have too many values to be summed up, as a JSON array of their keys; JSON's
-- null where these are too many: all that have no rows in `property_days`. NULL: the day was summed up by an older
-- version, and is made again.
ALTER TABLE visitor_days ADD COLUMN left_out TEXT;
CREATE INDEX visitor_days_unmade ON visitor_days (recording_id, day) WHERE slices IS NULL OR left_out IS NULL;
DROP INDEX visitor_days_unsliced;
