-- The outbox: mails are written with what causes them, and sent afterwards by any process.
--
-- `template` is what a mail is about, never a link: links are made when it is sent. When a mail is
-- over, who it was for and what it said are forgotten; the rest of the row goes a week later.

CREATE TABLE mails (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- None where nobody has an account yet.
    company_id  BLOB    REFERENCES companies (id),
    recipient   TEXT    NOT NULL,
    template    TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    -- Tries that were begun.
    tries       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    -- When it may be tried. While somebody tries, when that lease ends.
    due_at      INTEGER NOT NULL,
    -- Who tries, or has tried last and died.
    claim       BLOB    CHECK (length(claim) = 16),
    finished_at INTEGER,
    -- Why it failed.
    reason      TEXT,
    CHECK ((state = 'waiting') = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX mails_waiting ON mails (due_at, id) WHERE state = 'waiting';
CREATE INDEX mails_finished ON mails (finished_at) WHERE finished_at IS NOT NULL;

-- Whoever knows the migrations up to the second can go on.
PRAGMA user_version = 2;
