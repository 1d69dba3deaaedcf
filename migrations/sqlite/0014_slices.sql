-- How often visitors came on days that are over.

-- Visits beyond the first, up to 14, as bit slices: Roaring bitmaps of those whose number has the bits 1, 2, 4
-- and 8, one after the other; empty if nobody came again. NULL: the day was summed up by an older version, and is
-- made again.
ALTER TABLE visitor_days ADD COLUMN slices BLOB;
CREATE INDEX visitor_days_unsliced ON visitor_days (recording_id, day) WHERE slices IS NULL;
