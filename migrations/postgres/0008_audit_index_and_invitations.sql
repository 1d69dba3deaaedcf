-- The audit trail is read by who did something and by what was done; of one company, and by operators of all.
-- With the time behind, the newest first is the order of the index: nothing is sorted, and nothing else read.
CREATE INDEX audit_entries_by_actor_id ON audit_entries (actor_id, recorded_at, company_id, seq)
    WHERE actor_id IS NOT NULL;
CREATE INDEX audit_entries_by_actor ON audit_entries (actor, recorded_at, company_id, seq);
CREATE INDEX audit_entries_by_action ON audit_entries (action, recorded_at, company_id, seq);
CREATE INDEX audit_entries_of_company_by_actor_id ON audit_entries (company_id, actor_id, recorded_at, seq)
    WHERE actor_id IS NOT NULL;
CREATE INDEX audit_entries_of_company_by_actor ON audit_entries (company_id, actor, recorded_at, seq);
CREATE INDEX audit_entries_of_company_by_action ON audit_entries (company_id, action, recorded_at, seq);

-- Whoever is invited has their address only once they accept: until then it is compared within the company.
UPDATE users SET email_key = replace(company_id::text, '-', '') || ' ' || email_key
WHERE password_hash IS NULL AND strpos(email_key, ' ') = 0;

-- By which address they are found all the same: what stands behind the company's id and a blank. A column,
-- since row-level security lets no function be asked before it has decided, so that an index of one is of no use.
ALTER TABLE users ADD COLUMN invited_key TEXT
    GENERATED ALWAYS AS (CASE WHEN password_hash IS NULL THEN substr(email_key, 34) END) STORED;
CREATE INDEX users_by_invited_key ON users (invited_key, id) WHERE invited_key IS NOT NULL;
