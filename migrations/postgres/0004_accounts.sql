-- People: companies, users, how they are let in, and what was done under which request id.
--
-- Times are Unix milliseconds by the clock of the database. Ids are UUIDv7; the two that every
-- database has are made here. What belongs to a company says so in `company_id`, and whatever it
-- refers to must be of the same company: the foreign keys are of both columns.

-- Row-level security is the second line behind `WHERE company_id = $1`: a transaction says of which
-- company it is (or that it is of all, to find who logs in), and sees and writes nothing else. One
-- that says nothing sees nothing.
CREATE FUNCTION footfall_sees(company UUID) RETURNS BOOLEAN LANGUAGE sql STABLE PARALLEL SAFE
    RETURN current_setting('footfall.company_id', true) IN ('all', company::text);

CREATE TABLE companies (
    id         UUID   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    -- The name as names are compared: no two are alike.
    name_key   TEXT   NOT NULL UNIQUE,
    state      TEXT   NOT NULL CHECK (state IN ('active', 'suspended')),
    -- Grows when the tokens of all its people must stop.
    generation BIGINT NOT NULL CHECK (generation > 0),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE users (
    id            UUID   NOT NULL PRIMARY KEY,
    company_id    UUID   NOT NULL REFERENCES companies (id),
    email         TEXT,
    email_key     TEXT   UNIQUE,
    username      TEXT,
    username_key  TEXT,
    role          TEXT   NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'operator')),
    state         TEXT   NOT NULL CHECK (state IN ('invited', 'active', 'disabled', 'deleted')),
    password_hash TEXT,
    -- Grows when the tokens that were issued before must stop.
    generation    BIGINT NOT NULL CHECK (generation > 0),
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    last_login_at BIGINT,
    UNIQUE (company_id, id),
    UNIQUE (company_id, username_key),
    CHECK ((email IS NULL) = (email_key IS NULL)),
    CHECK ((username IS NULL) = (username_key IS NULL))
);

-- Who has registered and not confirmed. Nothing is taken by it: several may wait for one address,
-- and the first who confirms has it.
CREATE TABLE registrations (
    id            UUID   NOT NULL PRIMARY KEY,
    company_name  TEXT   NOT NULL,
    email         TEXT   NOT NULL,
    email_key     TEXT   NOT NULL,
    username      TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX registrations_by_email ON registrations (email_key, id);
CREATE INDEX registrations_by_expiry ON registrations (expires_at);

-- What a mail lets somebody do once. The link itself is not kept: it is made of the id by a key.
CREATE TABLE links (
    id              UUID   NOT NULL PRIMARY KEY,
    purpose         TEXT   NOT NULL CHECK (purpose IN ('registration', 'invitation', 'reset', 'email')),
    company_id      UUID,
    user_id         UUID,
    registration_id UUID   REFERENCES registrations (id) ON DELETE CASCADE,
    -- The address that is confirmed by it, where it is not yet the user's.
    email           TEXT,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    used_at         BIGINT,
    FOREIGN KEY (company_id, user_id) REFERENCES users (company_id, id) ON DELETE CASCADE,
    CHECK ((user_id IS NULL) = (company_id IS NULL)),
    CHECK ((user_id IS NULL) <> (registration_id IS NULL))
);
CREATE INDEX links_by_user ON links (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX links_by_registration ON links (registration_id) WHERE registration_id IS NOT NULL;
CREATE INDEX links_by_expiry ON links (expires_at);

CREATE TABLE sessions (
    id          UUID   NOT NULL PRIMARY KEY,
    company_id  UUID   NOT NULL,
    user_id     UUID   NOT NULL,
    -- Which refresh token is the living one; the tokens themselves are not kept.
    counter     BIGINT NOT NULL CHECK (counter >= 0),
    kind        TEXT   NOT NULL CHECK (kind IN ('bearer', 'cookie')),
    user_agent  TEXT,
    address     TEXT,
    created_at  BIGINT NOT NULL,
    rotated_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    end_reason  TEXT,
    UNIQUE (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES users (company_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_by_user ON sessions (company_id, user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE api_tokens (
    id           UUID   NOT NULL PRIMARY KEY,
    company_id   UUID   NOT NULL,
    user_id      UUID   NOT NULL,
    name         TEXT   NOT NULL,
    -- Separated by blanks, as in OAuth (RFC 6749, 3.3).
    scopes       TEXT   NOT NULL,
    -- SHA-256 of the token, which has 256 bits of randomness.
    secret_hash  BYTEA  NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    ended_at     BIGINT,
    UNIQUE (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES users (company_id, id) ON DELETE CASCADE
);
CREATE INDEX api_tokens_by_user ON api_tokens (company_id, user_id, id);

-- What was done under a proxy's request id, so that its repeat does nothing more.
CREATE TABLE request_ids (
    -- SHA-256 of the operation, who asked and the id.
    key        BYTEA  NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    outcome    TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX request_ids_by_time ON request_ids (created_at);

INSERT INTO companies (id, name, name_key, state, generation, created_at, updated_at)
SELECT '00000000-0000-7000-8000-000000000000', 'default', 'default', 'active', 1, now, now
FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint) AS clock (now);
-- The account of the settings, whose name and password are there.
INSERT INTO users (id, company_id, role, state, generation, created_at, updated_at)
SELECT '00000000-0000-7000-8000-000000000001', id, 'operator', 'active', 1, created_at, created_at FROM companies;

ALTER TABLE companies ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON companies USING (footfall_sees(id));
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON users USING (footfall_sees(company_id));
ALTER TABLE links ENABLE ROW LEVEL SECURITY;
-- Those of a registration are nobody's yet.
CREATE POLICY of_its_company ON links USING (company_id IS NULL OR footfall_sees(company_id));
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON sessions USING (footfall_sees(company_id));
ALTER TABLE api_tokens ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON api_tokens USING (footfall_sees(company_id));
