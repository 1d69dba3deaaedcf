-- The outbox: mails are written with what causes them, and sent afterwards by any replica.
--
-- `template` is what a mail is about, never a link: links are made when it is sent. When a mail is
-- over, who it was for and what it said are forgotten; the rest of the row goes a week later.

CREATE TABLE mails (
    id          UUID    NOT NULL PRIMARY KEY,
    -- None where nobody has an account yet.
    company_id  UUID    REFERENCES companies (id),
    recipient   TEXT    NOT NULL,
    template    JSONB   NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    -- Tries that were begun.
    tries       INTEGER NOT NULL,
    created_at  BIGINT  NOT NULL,
    -- When it may be tried. While somebody tries, when that lease ends.
    due_at      BIGINT  NOT NULL,
    -- Who tries, or has tried last and died.
    claim       UUID,
    finished_at BIGINT,
    -- Why it failed.
    reason      TEXT,
    CHECK ((state = 'waiting') = (finished_at IS NULL))
);
CREATE INDEX mails_waiting ON mails (due_at, id) WHERE state = 'waiting';
CREATE INDEX mails_finished ON mails (finished_at) WHERE finished_at IS NOT NULL;

ALTER TABLE mails ENABLE ROW LEVEL SECURITY;
-- Those of no company are seen by who works across companies alone. Whoever causes one may write it.
CREATE POLICY of_its_company ON mails
    USING (footfall_sees(coalesce(company_id, '00000000-0000-0000-0000-000000000000')))
    WITH CHECK (company_id IS NULL OR footfall_sees(company_id));
