-- The record: what is known of visits beside their number (docs/record.md).
--
-- Times are Unix milliseconds, minutes and days Unix minutes and days (UTC). Numbers of a counter have no
-- gaps, so one number says how much is recorded: `through`. What is recorded of numbers is in `runs`, what
-- visits carried in `visits`.

-- One row for each counter that was ever recorded. Who writes to the tables below for this counter has
-- its row locked.
CREATE TABLE recordings (
    id             BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id     UUID    NOT NULL REFERENCES companies (id),
    counter        TEXT    NOT NULL COLLATE "C",
    recorded       BOOLEAN NOT NULL,
    retention_days INTEGER NOT NULL CHECK (retention_days BETWEEN 1 AND 3650),
    visitor        TEXT    NOT NULL CHECK (visitor IN ('daily', 'hashed', 'given')),
    -- Grows with each change of the three above.
    version        BIGINT  NOT NULL DEFAULT 0,
    -- Numbers up to it were counted before recording began.
    began          BIGINT  NOT NULL CHECK (began >= 0),
    -- Runs cover base + 1 to through. It grows with what is removed when its retention ends.
    base           BIGINT  NOT NULL CHECK (base >= began),
    through        BIGINT  NOT NULL CHECK (through >= base),
    -- When `through` was counted.
    through_at     BIGINT  NOT NULL,
    -- `first` of the last run, while times may be added to it.
    tail           BIGINT,
    -- The greatest id that a text of this counter was given. No id is given twice, since what is
    -- known of past days goes by it.
    last_text      BIGINT  NOT NULL DEFAULT 0,
    created_at     BIGINT  NOT NULL,
    UNIQUE (company_id, id),
    UNIQUE (company_id, counter)
);

-- What is recorded of which numbers: runs join up without gaps.
CREATE TABLE runs (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    first        BIGINT NOT NULL,
    last         BIGINT NOT NULL CHECK (last >= first),
    -- Why nothing is recorded of them; NULL if it is.
    reason       TEXT   CHECK (reason IN ('off', 'behind', 'lost', 'older_version')),
    -- When the first and the last of them were counted. Of those of which nothing is recorded: when
    -- the visits before and after were.
    first_at     BIGINT NOT NULL,
    last_at      BIGINT NOT NULL CHECK (last_at >= first_at),
    -- Pairs of LEB128 numbers: how many visits, and how many milliseconds after those before them
    -- (the first pair: after first_at).
    times        BYTEA,
    PRIMARY KEY (recording_id, first),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id),
    CHECK ((reason IS NULL) = (times IS NOT NULL))
);

-- Visits that carry something. Thousands come at once, each with its number from a run of the same
-- transaction, so no foreign key is asked for each of them again.
CREATE TABLE visits (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    visitor      BIGINT,
    -- Ids of texts.
    path         BIGINT,
    referrer     BIGINT,
    campaign     BIGINT,
    country      BIGINT,
    properties   JSONB,
    PRIMARY KEY (recording_id, number, at)
) PARTITION BY RANGE (at);
-- A visitor is of one company. Those of one visitor are few, so the counter is no part of it.
CREATE INDEX visits_by_visitor ON visits (visitor) WHERE visitor IS NOT NULL;

-- What the visits of a counter say again and again.
CREATE TABLE texts (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    id           BIGINT NOT NULL CHECK (id > 0),
    text         TEXT   NOT NULL COLLATE "C",
    -- How often rows of `visits` name it.
    uses         BIGINT NOT NULL CHECK (uses >= 0),
    PRIMARY KEY (recording_id, id),
    UNIQUE (recording_id, text),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
);

-- Who came. The numbers are dense: sets of them are bitmaps.
CREATE TABLE visitors (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id UUID   NOT NULL REFERENCES companies (id),
    -- NULL where the visitor was erased.
    key        TEXT   COLLATE "C",
    UNIQUE (company_id, key)
);

-- The last number of each minute in which any was counted; of minutes long past only those that end a
-- quarter of an hour.
CREATE TABLE marks (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    minute       BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    PRIMARY KEY (recording_id, minute),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
);

-- Under which identities the newest visits were counted, for a store of counts that has lost them. Two
-- rows at most for each chunk that is recorded.
CREATE TABLE recorded_identities (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('request', 'key')),
    -- The greatest of the numbers, and when it was counted.
    last         BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    -- Pairs of LEB128 numbers: how many numbers are passed over, and how many follow.
    numbers      BYTEA  NOT NULL,
    -- 16 bytes for each number.
    digests      BYTEA  NOT NULL,
    PRIMARY KEY (recording_id, kind, last),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
);
CREATE INDEX recorded_identities_by_time ON recorded_identities (kind, at);
-- Nothing of it can be made shorter.
ALTER TABLE recorded_identities ALTER COLUMN digests SET STORAGE EXTERNAL;

-- Days that are over: how often each text was named in a field, and by whom.
CREATE TABLE value_days (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    day          BIGINT NOT NULL,
    field        TEXT   NOT NULL COLLATE "C",
    -- 0: the visits of that day that say nothing there.
    text         BIGINT NOT NULL,
    visits       BIGINT NOT NULL,
    -- A Roaring bitmap of `visitors.id`.
    visitors     BYTEA,
    PRIMARY KEY (recording_id, day, field, text),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
);

-- Days that are over: who came.
CREATE TABLE visitor_days (
    company_id   UUID   NOT NULL,
    recording_id BIGINT NOT NULL,
    day          BIGINT NOT NULL,
    visits       BIGINT NOT NULL,
    -- A Roaring bitmap of `visitors.id`.
    visitors     BYTEA  NOT NULL,
    PRIMARY KEY (recording_id, day),
    FOREIGN KEY (company_id, recording_id) REFERENCES recordings (company_id, id)
);

ALTER TABLE recordings ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON recordings USING (footfall_sees(company_id));
ALTER TABLE runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON runs USING (footfall_sees(company_id));
ALTER TABLE visits ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON visits USING (footfall_sees(company_id));
ALTER TABLE texts ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON texts USING (footfall_sees(company_id));
ALTER TABLE visitors ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON visitors USING (footfall_sees(company_id));
ALTER TABLE marks ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON marks USING (footfall_sees(company_id));
ALTER TABLE recorded_identities ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON recorded_identities USING (footfall_sees(company_id));
ALTER TABLE value_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON value_days USING (footfall_sees(company_id));
ALTER TABLE visitor_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON visitor_days USING (footfall_sees(company_id));

-- The two below do for the service what it may not do itself: it owns no table.

-- Makes the partition of `visits` for the month (UTC) of this moment, if there is none: it is made apart
-- and then attached, so that nobody who reads waits for it.
CREATE FUNCTION footfall_make_visits_partition(moment BIGINT) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    month TIMESTAMP := date_trunc('month', to_timestamp(moment / 1000) AT TIME ZONE 'UTC');
    name  TEXT := to_char(month, '"visits_"YYYY"_"MM');
    -- Where `visits` is: the first place of the search path is not one to create anything in.
    home  REGNAMESPACE := (SELECT relnamespace FROM pg_class WHERE oid = 'visits'::regclass);
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    IF NOT has_table_privilege(session_user, 'visits', 'INSERT') THEN
        RAISE EXCEPTION 'permission denied for the visits' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Until the end of the transaction: who waits for it finds the partition.
    PERFORM pg_advisory_xact_lock(hashtextextended('footfall visits', 'visits'::regclass::oid::bigint));
    -- Not by its name again: that there was none is remembered.
    IF EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = home) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %s.%I (LIKE visits INCLUDING ALL)', home, name);
    -- Of the rows in it only those are seen that are seen in `visits`: it has no policy of its own.
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
        'ALTER TABLE visits ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name,
        (extract(epoch FROM month) * 1000)::bigint,
        (extract(epoch FROM month + interval '1 month') * 1000)::bigint);
END $$;

-- Drops the partitions of `visits` whose months were over at this moment and whose visits are all up to
-- the `base` of their counters, and says how many.
CREATE FUNCTION footfall_drop_visits_partitions(moment BIGINT) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER
    -- Whoever reads waits behind who waits for readers.
    SET lock_timeout = '2s'
AS $$
DECLARE
    old       RECORD;
    is_needed BOOLEAN;
    dropped   BIGINT := 0;
BEGIN
    IF NOT has_table_privilege(session_user, 'visits', 'DELETE') THEN
        RAISE EXCEPTION 'permission denied for the visits' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR old IN
        SELECT oid::regclass AS own_name, to_date(right(relname, 7), 'YYYY_MM')::timestamp AS month
        FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'visits'::regclass AND relname ~ '^visits_\d{4}_\d{2}$'
        ORDER BY relname
    LOOP
        CONTINUE WHEN (extract(epoch FROM old.month + interval '1 month') * 1000)::bigint > moment;
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM recordings WHERE EXISTS (
                SELECT FROM %s AS its WHERE its.recording_id = recordings.id AND its.number > recordings.base))',
            old.own_name) INTO is_needed;
        CONTINUE WHEN is_needed;
        EXECUTE format('DROP TABLE %s', old.own_name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

-- What is owned and run by others must find these tables, whatever they have put before them.
DO $$
BEGIN
    EXECUTE format(
        'ALTER FUNCTION footfall_make_visits_partition(BIGINT) SET search_path = pg_catalog, %I, pg_temp', current_schema());
    EXECUTE format(
        'ALTER FUNCTION footfall_drop_visits_partitions(BIGINT) SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;

SELECT footfall_make_visits_partition((extract(epoch FROM now() + months * interval '1 month') * 1000)::bigint)
FROM generate_series(0, 2) AS months;
