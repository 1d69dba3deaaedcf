-- The embedded store. Times are Unix milliseconds.

CREATE TABLE counters (
    name   TEXT    NOT NULL PRIMARY KEY,
    visits INTEGER NOT NULL CHECK (visits > 0)
) STRICT, WITHOUT ROWID;

-- A visit's identity and the number it was given (kind 0: a proxy's request id, 1: an Idempotency-Key).
CREATE TABLE identities (
    counter    TEXT    NOT NULL,
    kind       INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    number     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (counter, kind, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX identities_by_expiry ON identities (expires_at);

-- How many identities a counter remembers: counting the rows at each visit would cost more with each row.
CREATE TABLE identity_totals (
    counter    TEXT    NOT NULL,
    kind       INTEGER NOT NULL,
    remembered INTEGER NOT NULL,
    PRIMARY KEY (counter, kind)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER identity_remembered AFTER INSERT ON identities
BEGIN
    INSERT INTO identity_totals (counter, kind, remembered) VALUES (NEW.counter, NEW.kind, 1)
    ON CONFLICT (counter, kind) DO UPDATE SET remembered = remembered + 1;
END;

CREATE TRIGGER identity_forgotten AFTER DELETE ON identities
BEGIN
    UPDATE identity_totals SET remembered = remembered - 1 WHERE counter = OLD.counter AND kind = OLD.kind;
END;

CREATE TABLE login_failures (
    subject    TEXT    NOT NULL PRIMARY KEY,
    failures   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX login_failures_by_expiry ON login_failures (expires_at);
