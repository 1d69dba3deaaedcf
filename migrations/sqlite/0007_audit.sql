-- The audit trail: a chain of entries for each company (docs/audit.md). What is here is refused by the
-- database itself: triggers ask what a change is, since SQLite knows nobody who makes it.
-- Times are Unix milliseconds.

-- Where each chain begins and ends. `first_hash` is that of the entry before the first, 32 zeros if
-- there was never one.
CREATE TABLE audit_chains (
    company_id BLOB    NOT NULL PRIMARY KEY CHECK (length(company_id) = 16) REFERENCES companies (id),
    first_seq  INTEGER NOT NULL CHECK (first_seq > 0),
    first_hash BLOB    NOT NULL CHECK (length(first_hash) = 32),
    last_seq   INTEGER NOT NULL CHECK (last_seq >= first_seq - 1),
    last_hash  BLOB    NOT NULL CHECK (length(last_hash) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_entries (
    company_id  BLOB    NOT NULL CHECK (length(company_id) = 16) REFERENCES audit_chains (company_id),
    seq         INTEGER NOT NULL CHECK (seq > 0),
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    recorded_at INTEGER NOT NULL,
    -- An entry that stands for several equal ones says how many, and when the first and the last were.
    events      INTEGER NOT NULL CHECK (events > 0),
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL CHECK (last_at >= first_at),
    actor       TEXT    NOT NULL,
    actor_id    BLOB    CHECK (actor_id IS NULL OR length(actor_id) = 16),
    action      TEXT    NOT NULL,
    object      TEXT,
    object_id   TEXT    CHECK ((object IS NULL) = (object_id IS NULL)),
    outcome     TEXT    NOT NULL,
    request_id  TEXT,
    details     TEXT    NOT NULL,
    hash        BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (company_id, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_entries_by_time ON audit_entries (recorded_at, company_id, seq);
CREATE INDEX audit_entries_of_company_by_time ON audit_entries (company_id, recorded_at, seq);

-- Beside the chain, since they are to be cut: 4 or 16 bytes, then 3 (a network /24) or 6 (/48).
CREATE TABLE audit_addresses (
    company_id  BLOB    NOT NULL,
    seq         INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    address     BLOB    NOT NULL CHECK (length(address) IN (3, 4, 6, 16)),
    PRIMARY KEY (company_id, seq),
    FOREIGN KEY (company_id, seq) REFERENCES audit_entries (company_id, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_addresses_whole ON audit_addresses (recorded_at) WHERE length(address) IN (4, 16);

-- Those for INSERT also refuse what is there already: INSERT OR REPLACE would delete it, and ask no
-- trigger that is for DELETE.
CREATE TRIGGER audit_begin BEFORE INSERT ON audit_chains
WHEN NOT (NEW.first_seq = 1 AND NEW.last_seq = 0 AND NEW.first_hash = zeroblob(32) AND NEW.last_hash = zeroblob(32)
    AND NOT EXISTS (SELECT 1 FROM audit_chains WHERE company_id = NEW.company_id))
BEGIN
    SELECT RAISE(ABORT, 'a chain of the audit trail begins with nothing');
END;

-- A chain ends with an entry more, or begins later, where all that was before is old enough.
CREATE TRIGGER audit_move BEFORE UPDATE ON audit_chains
WHEN NOT (NEW.company_id = OLD.company_id AND (
    (NEW.first_seq = OLD.first_seq AND NEW.first_hash = OLD.first_hash AND NEW.last_seq = OLD.last_seq + 1
        AND EXISTS (
            SELECT 1 FROM audit_entries
            WHERE company_id = NEW.company_id AND seq = NEW.last_seq AND hash = NEW.last_hash))
    OR
    (NEW.last_seq = OLD.last_seq AND NEW.last_hash = OLD.last_hash AND NEW.first_seq > OLD.first_seq
        AND EXISTS (
            SELECT 1 FROM audit_entries
            WHERE company_id = NEW.company_id AND seq = NEW.first_seq - 1 AND hash = NEW.first_hash)
        AND NOT EXISTS (
            SELECT 1 FROM audit_entries
            WHERE company_id = NEW.company_id AND seq >= OLD.first_seq AND seq < NEW.first_seq
                AND recorded_at >= unixepoch('now', 'subsec') * 1000 - 400 * 86400000))))
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only appended to: UPDATE of audit_chains is refused');
END;

CREATE TRIGGER audit_chain_kept BEFORE DELETE ON audit_chains
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only appended to: DELETE of audit_chains is refused');
END;

CREATE TRIGGER audit_at_the_end BEFORE INSERT ON audit_entries
WHEN NOT (EXISTS (SELECT 1 FROM audit_chains WHERE company_id = NEW.company_id AND last_seq = NEW.seq - 1)
    AND NOT EXISTS (SELECT 1 FROM audit_entries WHERE id = NEW.id OR (company_id = NEW.company_id AND seq = NEW.seq)))
BEGIN
    SELECT RAISE(ABORT, 'an audit entry goes to the end of its chain, once');
END;

CREATE TRIGGER audit_append AFTER INSERT ON audit_entries
BEGIN
    UPDATE audit_chains SET last_seq = NEW.seq, last_hash = NEW.hash WHERE company_id = NEW.company_id;
END;

CREATE TRIGGER audit_entry_fixed BEFORE UPDATE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only appended to: UPDATE of audit_entries is refused');
END;

-- What is before the beginning of its chain may go.
CREATE TRIGGER audit_entry_kept BEFORE DELETE ON audit_entries
WHEN NOT EXISTS (SELECT 1 FROM audit_chains WHERE company_id = OLD.company_id AND OLD.seq < first_seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only appended to: DELETE of audit_entries is refused');
END;

CREATE TRIGGER audit_address_once BEFORE INSERT ON audit_addresses
WHEN EXISTS (SELECT 1 FROM audit_addresses WHERE company_id = NEW.company_id AND seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'an audit entry has one address');
END;

CREATE TRIGGER audit_address_fixed BEFORE UPDATE ON audit_addresses
WHEN NOT (NEW.company_id = OLD.company_id AND NEW.seq = OLD.seq AND NEW.recorded_at = OLD.recorded_at
    AND length(OLD.address) IN (4, 16)
    AND NEW.address = substr(OLD.address, 1, CASE length(OLD.address) WHEN 4 THEN 3 ELSE 6 END)
    AND OLD.recorded_at < unixepoch('now', 'subsec') * 1000 - 30 * 86400000)
BEGIN
    SELECT RAISE(ABORT, 'an address of the audit trail is only cut to its network, after 30 days');
END;

CREATE TRIGGER audit_address_kept BEFORE DELETE ON audit_addresses
WHEN NOT EXISTS (SELECT 1 FROM audit_chains WHERE company_id = OLD.company_id AND OLD.seq < first_seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only appended to: DELETE of audit_addresses is refused');
END;

-- Whoever knows the migrations up to this one can go on.
PRAGMA user_version = 2;
