-- The audit trail: a chain of entries for each company (docs/audit.md). What is here is refused by the
-- database itself, to the owner of the tables as well: triggers ask what a change is, not who makes it.
-- Times are Unix milliseconds.

-- Where each chain begins and ends. `first_hash` is that of the entry before the first, 32 zeros if
-- there was never one.
CREATE TABLE audit_chains (
    company_id UUID   NOT NULL PRIMARY KEY REFERENCES companies (id),
    first_seq  BIGINT NOT NULL CHECK (first_seq > 0),
    first_hash BYTEA  NOT NULL CHECK (length(first_hash) = 32),
    last_seq   BIGINT NOT NULL CHECK (last_seq >= first_seq - 1),
    last_hash  BYTEA  NOT NULL CHECK (length(last_hash) = 32)
);

CREATE TABLE audit_entries (
    company_id  UUID   NOT NULL REFERENCES audit_chains (company_id),
    seq         BIGINT NOT NULL CHECK (seq > 0),
    id          UUID   NOT NULL UNIQUE,
    recorded_at BIGINT NOT NULL,
    -- An entry that stands for several equal ones says how many, and when the first and the last were.
    events      BIGINT NOT NULL CHECK (events > 0),
    first_at    BIGINT NOT NULL,
    last_at     BIGINT NOT NULL CHECK (last_at >= first_at),
    actor       TEXT   NOT NULL,
    actor_id    UUID,
    action      TEXT   NOT NULL,
    object      TEXT,
    object_id   TEXT   CHECK ((object IS NULL) = (object_id IS NULL)),
    outcome     TEXT   NOT NULL,
    request_id  TEXT,
    -- JSON, byte for byte as the hash has it: JSONB would order its keys anew.
    details     TEXT   NOT NULL,
    hash        BYTEA  NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (company_id, seq)
);

CREATE INDEX audit_entries_by_time ON audit_entries (recorded_at, company_id, seq);
CREATE INDEX audit_entries_of_company_by_time ON audit_entries (company_id, recorded_at, seq);

-- Beside the chain, since they are to be cut: 4 or 16 bytes, then 3 (a network /24) or 6 (/48).
CREATE TABLE audit_addresses (
    company_id  UUID   NOT NULL,
    seq         BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    address     BYTEA  NOT NULL CHECK (length(address) IN (3, 4, 6, 16)),
    PRIMARY KEY (company_id, seq),
    FOREIGN KEY (company_id, seq) REFERENCES audit_entries (company_id, seq)
);

CREATE INDEX audit_addresses_whole ON audit_addresses (recorded_at) WHERE length(address) IN (4, 16);

CREATE FUNCTION footfall_audit_now() RETURNS BIGINT LANGUAGE sql VOLATILE
AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE FUNCTION footfall_audit_refuse() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only appended to: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION footfall_audit_begin() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF (NEW.first_seq, NEW.last_seq) = (1, 0)
        AND NEW.first_hash = decode(repeat('00', 32), 'hex') AND NEW.last_hash = NEW.first_hash
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a chain of the audit trail begins with nothing' USING ERRCODE = 'restrict_violation';
END $$;

-- A chain ends with an entry more, or begins later, where all that was before is old enough.
CREATE FUNCTION footfall_audit_move() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.company_id = OLD.company_id
        AND (NEW.first_seq, NEW.first_hash, NEW.last_seq) = (OLD.first_seq, OLD.first_hash, OLD.last_seq + 1)
        AND EXISTS (
            SELECT FROM audit_entries
            WHERE company_id = NEW.company_id AND seq = NEW.last_seq AND hash = NEW.last_hash)
    THEN
        RETURN NEW;
    END IF;
    IF NEW.company_id = OLD.company_id
        AND (NEW.last_seq, NEW.last_hash) = (OLD.last_seq, OLD.last_hash)
        AND NEW.first_seq > OLD.first_seq
        AND EXISTS (
            SELECT FROM audit_entries
            WHERE company_id = NEW.company_id AND seq = NEW.first_seq - 1 AND hash = NEW.first_hash)
        AND NOT EXISTS (
            SELECT FROM audit_entries
            WHERE company_id = NEW.company_id AND seq >= OLD.first_seq AND seq < NEW.first_seq
                AND recorded_at >= footfall_audit_now() - 400 * 86400000::bigint)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit trail is only appended to: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

-- Only the owner moves the end of a chain, so this is the owner's.
CREATE FUNCTION footfall_audit_append() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
AS $$
BEGIN
    UPDATE audit_chains SET last_seq = NEW.seq, last_hash = NEW.hash
    WHERE company_id = NEW.company_id AND last_seq = NEW.seq - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'an audit entry goes to the end of its chain, and % is not there', NEW.seq
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

-- What is before the beginning of its chain may go.
CREATE FUNCTION footfall_audit_let_go() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM audit_chains WHERE company_id = OLD.company_id AND OLD.seq < first_seq) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit trail is only appended to: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION footfall_audit_shorten() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF (NEW.company_id, NEW.seq, NEW.recorded_at) = (OLD.company_id, OLD.seq, OLD.recorded_at)
        AND length(OLD.address) IN (4, 16)
        AND NEW.address = substr(OLD.address, 1, CASE length(OLD.address) WHEN 4 THEN 3 ELSE 6 END)
        AND OLD.recorded_at < footfall_audit_now() - 30 * 86400000::bigint
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an address of the audit trail is only cut to its network, after 30 days'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_begin BEFORE INSERT ON audit_chains FOR EACH ROW EXECUTE FUNCTION footfall_audit_begin();
CREATE TRIGGER audit_move BEFORE UPDATE ON audit_chains FOR EACH ROW EXECUTE FUNCTION footfall_audit_move();
CREATE TRIGGER audit_kept BEFORE DELETE ON audit_chains FOR EACH ROW EXECUTE FUNCTION footfall_audit_refuse();
CREATE TRIGGER audit_append AFTER INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION footfall_audit_append();
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit_entries FOR EACH ROW EXECUTE FUNCTION footfall_audit_refuse();
CREATE TRIGGER audit_kept BEFORE DELETE ON audit_entries FOR EACH ROW EXECUTE FUNCTION footfall_audit_let_go();
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit_addresses FOR EACH ROW EXECUTE FUNCTION footfall_audit_shorten();
CREATE TRIGGER audit_kept BEFORE DELETE ON audit_addresses FOR EACH ROW EXECUTE FUNCTION footfall_audit_let_go();
CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit_chains EXECUTE FUNCTION footfall_audit_refuse();
CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit_entries EXECUTE FUNCTION footfall_audit_refuse();
CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit_addresses EXECUTE FUNCTION footfall_audit_refuse();

-- The three below do for the service what it may not do itself. Who may use them is who may append.
CREATE FUNCTION footfall_audit_check() RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT has_table_privilege(session_user, 'audit_entries', 'INSERT') THEN
        RAISE EXCEPTION 'permission denied for the audit trail' USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- The end of a chain, which is begun if there is none; nobody else appends until the transaction ends.
CREATE FUNCTION footfall_audit_end(company UUID, OUT seq BIGINT, OUT hash BYTEA) LANGUAGE plpgsql SECURITY DEFINER
AS $$
BEGIN
    PERFORM footfall_audit_check();
    IF footfall_sees(company) IS NOT TRUE THEN
        RAISE EXCEPTION 'the audit trail of another company' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT last_seq, last_hash INTO seq, hash FROM audit_chains WHERE company_id = company FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_chains VALUES
            (company, 1, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'))
        ON CONFLICT DO NOTHING;
        SELECT last_seq, last_hash INTO seq, hash FROM audit_chains WHERE company_id = company FOR UPDATE;
    END IF;
END $$;

-- Drops up to so many of the oldest entries of a chain, those of more than 400 days, and says how many.
CREATE FUNCTION footfall_audit_drop(company UUID, most BIGINT) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    before BIGINT;
    after BIGINT;
BEGIN
    PERFORM footfall_audit_check();
    SELECT first_seq INTO before FROM audit_chains WHERE company_id = company FOR UPDATE;
    SELECT coalesce(
            min(seq) FILTER (WHERE recorded_at >= footfall_audit_now() - 400 * 86400000::bigint),
            max(seq) + 1)
        INTO after
    FROM (
        SELECT seq, recorded_at FROM audit_entries WHERE company_id = company AND seq >= before
        ORDER BY seq LIMIT most) AS oldest;
    IF after IS NULL OR after <= before THEN
        RETURN 0;
    END IF;
    UPDATE audit_chains SET first_seq = after, first_hash = (
            SELECT hash FROM audit_entries WHERE company_id = company AND seq = after - 1)
    WHERE company_id = company;
    DELETE FROM audit_addresses WHERE company_id = company AND seq < after;
    DELETE FROM audit_entries WHERE company_id = company AND seq < after;
    RETURN after - before;
END $$;

-- Cuts up to so many addresses, those of more than 30 days, to their networks, and says how many.
CREATE FUNCTION footfall_audit_cut(most BIGINT) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    done BIGINT;
BEGIN
    PERFORM footfall_audit_check();
    UPDATE audit_addresses AS cut
    SET address = substr(cut.address, 1, CASE length(cut.address) WHEN 4 THEN 3 ELSE 6 END)
    FROM (
        SELECT company_id, seq FROM audit_addresses
        WHERE length(address) IN (4, 16) AND recorded_at < footfall_audit_now() - 30 * 86400000::bigint
        ORDER BY recorded_at LIMIT most FOR UPDATE SKIP LOCKED) AS due
    WHERE (cut.company_id, cut.seq) = (due.company_id, due.seq);
    GET DIAGNOSTICS done = ROW_COUNT;
    RETURN done;
END $$;

ALTER TABLE audit_chains ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_addresses ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON audit_chains USING (footfall_sees(company_id));
CREATE POLICY of_its_company ON audit_entries USING (footfall_sees(company_id));
CREATE POLICY of_its_company ON audit_addresses USING (footfall_sees(company_id));

-- What is owned and run by others must find these tables, whatever they have put before them; and
-- whoever was given rights to all tables may only read and append here, by whatever name the service
-- logs in.
DO $$
DECLARE
    own RECORD;
BEGIN
    FOR own IN
        SELECT oid::regprocedure AS function FROM pg_proc
        WHERE proname LIKE 'footfall\_audit\_%' AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', own.function, current_schema());
    END LOOP;
    FOR own IN
        SELECT DISTINCT oid::regclass AS of_table,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS whose
        FROM pg_class, aclexplode(relacl)
        WHERE oid IN ('audit_chains'::regclass, 'audit_entries'::regclass, 'audit_addresses'::regclass)
            AND grantee <> relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON %s FROM %s', own.of_table, own.whose);
        EXECUTE format('REVOKE INSERT ON audit_chains FROM %s', own.whose);
    END LOOP;
END $$;
