-- What draining Redis needs beside the record.

-- When all counters are looked at again for what nobody has drained, in Unix milliseconds: one row for all
-- replicas.
CREATE TABLE record_sweeps (
    id      SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    next_at BIGINT   NOT NULL
);
INSERT INTO record_sweeps (id, next_at) VALUES (1, 0);

-- Visits that were given numbers which are recorded for others: Redis had lost those, and counted again
-- from where it was. They are kept aside, as Redis had them.
CREATE TABLE repeated_visits (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    -- The number of the last of them, how many they are, and when they were counted.
    last         BIGINT NOT NULL,
    visits       BIGINT NOT NULL CHECK (visits > 0),
    at           BIGINT NOT NULL,
    -- A JSON object: what they carry, by their numbers.
    carried      TEXT   NOT NULL,
    PRIMARY KEY (recording_id, last, at),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
);
ALTER TABLE repeated_visits ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON repeated_visits USING (footfall_sees(company_id));
