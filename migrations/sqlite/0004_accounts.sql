-- People: companies, users, how they are let in, and what was done under which request id.
--
-- Times are Unix milliseconds by the clock of the database. Ids are UUIDv7; the two that every
-- database has are made here. What belongs to a company says so in `company_id`, and whatever it
-- refers to must be of the same company: the foreign keys are of both columns.

CREATE TABLE companies (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name       TEXT   NOT NULL,
    -- The name as names are compared: no two are alike.
    name_key   TEXT   NOT NULL UNIQUE,
    state      TEXT   NOT NULL CHECK (state IN ('active', 'suspended')),
    -- Grows when the tokens of all its people must stop.
    generation INTEGER NOT NULL CHECK (generation > 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id            BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id    BLOB   NOT NULL REFERENCES companies (id),
    email         TEXT,
    email_key     TEXT   UNIQUE,
    username      TEXT,
    username_key  TEXT,
    role          TEXT   NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'operator')),
    state         TEXT   NOT NULL CHECK (state IN ('invited', 'active', 'disabled', 'deleted')),
    password_hash TEXT,
    -- Grows when the tokens that were issued before must stop.
    generation    INTEGER NOT NULL CHECK (generation > 0),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    last_login_at INTEGER,
    UNIQUE (company_id, id),
    UNIQUE (company_id, username_key),
    CHECK ((email IS NULL) = (email_key IS NULL)),
    CHECK ((username IS NULL) = (username_key IS NULL))
) STRICT, WITHOUT ROWID;

-- Who has registered and not confirmed. Nothing is taken by it: several may wait for one address,
-- and the first who confirms has it.
CREATE TABLE registrations (
    id            BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_name  TEXT   NOT NULL,
    email         TEXT   NOT NULL,
    email_key     TEXT   NOT NULL,
    username      TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX registrations_by_email ON registrations (email_key, id);
CREATE INDEX registrations_by_expiry ON registrations (expires_at);

-- What a mail lets somebody do once. The link itself is not kept: it is made of the id by a key.
CREATE TABLE links (
    id              BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    purpose         TEXT   NOT NULL CHECK (purpose IN ('registration', 'invitation', 'reset', 'email')),
    company_id      BLOB,
    user_id         BLOB,
    registration_id BLOB   REFERENCES registrations (id) ON DELETE CASCADE,
    -- The address that is confirmed by it, where it is not yet the user's.
    email           TEXT,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    used_at         INTEGER,
    FOREIGN KEY (company_id, user_id) REFERENCES users (company_id, id) ON DELETE CASCADE,
    CHECK ((user_id IS NULL) = (company_id IS NULL)),
    CHECK ((user_id IS NULL) <> (registration_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_user ON links (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX links_by_registration ON links (registration_id) WHERE registration_id IS NOT NULL;
CREATE INDEX links_by_expiry ON links (expires_at);

CREATE TABLE sessions (
    id          BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id  BLOB   NOT NULL,
    user_id     BLOB   NOT NULL,
    -- Which refresh token is the living one; the tokens themselves are not kept.
    counter     INTEGER NOT NULL CHECK (counter >= 0),
    kind        TEXT   NOT NULL CHECK (kind IN ('bearer', 'cookie')),
    user_agent  TEXT,
    address     TEXT,
    created_at  INTEGER NOT NULL,
    rotated_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    end_reason  TEXT,
    UNIQUE (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES users (company_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (company_id, user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE api_tokens (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id   BLOB   NOT NULL,
    user_id      BLOB   NOT NULL,
    name         TEXT   NOT NULL,
    -- Separated by blanks, as in OAuth (RFC 6749, 3.3).
    scopes       TEXT   NOT NULL,
    -- SHA-256 of the token, which has 256 bits of randomness.
    secret_hash  BLOB   NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    ended_at     INTEGER,
    UNIQUE (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES users (company_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX api_tokens_by_user ON api_tokens (company_id, user_id, id);

-- What was done under a proxy's request id, so that its repeat does nothing more.
CREATE TABLE request_ids (
    -- SHA-256 of the operation, who asked and the id.
    key        BLOB   NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    outcome    TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX request_ids_by_time ON request_ids (created_at);

INSERT INTO companies (id, name, name_key, state, generation, created_at, updated_at)
SELECT x'00000000000070008000000000000000', 'default', 'default', 'active', 1, now, now
FROM (SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) AS now);
-- The account of the settings, whose name and password are there.
INSERT INTO users (id, company_id, role, state, generation, created_at, updated_at)
SELECT x'00000000000070008000000000000001', id, 'operator', 'active', 1, created_at, created_at FROM companies;

-- Whoever knows the migrations up to the second can go on.
PRAGMA user_version = 2;
