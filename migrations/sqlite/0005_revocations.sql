-- What is good no longer, though no token says so. Visits are counted in this file, so each that
-- shows a token compares the greatest number with the one its process knows: no number may be given
-- twice.

CREATE TABLE revocations (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    kind           TEXT    NOT NULL,
    subject        BLOB    NOT NULL CHECK (length(subject) = 16),
    below          INTEGER,
    except_session BLOB    CHECK (length(except_session) = 16),
    noted_at       INTEGER NOT NULL,
    until          INTEGER NOT NULL,
    published      INTEGER NOT NULL
) STRICT;

CREATE INDEX revocations_until ON revocations (until);

-- Whoever knows the migrations up to 2 can go on.
PRAGMA user_version = 2;
