-- Saved filters of visitors: audiences, which others refer to, and presets, which nobody does
-- (docs/audiences.md). Who writes to any of these tables has the row of the company in `companies` locked.
--
-- Times are Unix milliseconds. A filter is kept in its canonical form, and known by the SHA-256 of that.

-- The filters that audiences have, and had: an answer that was given before one was changed can be given
-- again.
CREATE TABLE audience_filters (
    company_id  UUID   NOT NULL REFERENCES companies (id),
    hash        TEXT   NOT NULL COLLATE "C",
    filter      TEXT   NOT NULL,
    -- Since when no audience has it; NULL while one has.
    replaced_at BIGINT,
    PRIMARY KEY (company_id, hash)
);
CREATE INDEX audience_filters_by_time ON audience_filters (replaced_at) WHERE replaced_at IS NOT NULL;

CREATE TABLE audiences (
    id         UUID   NOT NULL PRIMARY KEY,
    company_id UUID   NOT NULL,
    name       TEXT   NOT NULL,
    -- The name as names are compared: no two of a company are alike.
    name_key   TEXT   NOT NULL COLLATE "C",
    filter     TEXT   NOT NULL,
    hash       TEXT   NOT NULL COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (company_id, id),
    UNIQUE (company_id, name_key),
    UNIQUE (company_id, hash),
    FOREIGN KEY (company_id, hash) REFERENCES audience_filters (company_id, hash)
);

CREATE TABLE presets (
    id         UUID   NOT NULL PRIMARY KEY,
    company_id UUID   NOT NULL REFERENCES companies (id),
    name       TEXT   NOT NULL,
    name_key   TEXT   NOT NULL COLLATE "C",
    filter     TEXT   NOT NULL,
    hash       TEXT   NOT NULL COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (company_id, id),
    UNIQUE (company_id, name_key),
    UNIQUE (company_id, hash)
);

-- Which audiences the filter of an audience refers to. One that is referred to cannot be deleted.
CREATE TABLE audience_references (
    company_id  UUID NOT NULL,
    owner_id    UUID NOT NULL,
    audience_id UUID NOT NULL,
    PRIMARY KEY (company_id, owner_id, audience_id),
    FOREIGN KEY (company_id, owner_id) REFERENCES audiences (company_id, id) ON DELETE CASCADE,
    FOREIGN KEY (company_id, audience_id) REFERENCES audiences (company_id, id)
);
CREATE INDEX audience_references_by_audience ON audience_references (company_id, audience_id);

-- The same of presets.
CREATE TABLE preset_references (
    company_id  UUID NOT NULL,
    owner_id    UUID NOT NULL,
    audience_id UUID NOT NULL,
    PRIMARY KEY (company_id, owner_id, audience_id),
    FOREIGN KEY (company_id, owner_id) REFERENCES presets (company_id, id) ON DELETE CASCADE,
    FOREIGN KEY (company_id, audience_id) REFERENCES audiences (company_id, id)
);
CREATE INDEX preset_references_by_audience ON preset_references (company_id, audience_id);

ALTER TABLE audience_filters ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON audience_filters USING (footfall_sees(company_id));
ALTER TABLE audiences ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON audiences USING (footfall_sees(company_id));
ALTER TABLE presets ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON presets USING (footfall_sees(company_id));
ALTER TABLE audience_references ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON audience_references USING (footfall_sees(company_id));
ALTER TABLE preset_references ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_its_company ON preset_references USING (footfall_sees(company_id));
