-- Counters of companies other than `default`, whose counters stay where they are: processes of older
-- versions that share the file take every row there for theirs. Companies are UUIDs, 16 bytes.
-- In `identities` and `identity_totals` a counter of another company is COMPANY/NAME.

CREATE TABLE company_counters (
    company BLOB    NOT NULL CHECK (length(company) = 16),
    name    TEXT    NOT NULL,
    visits  INTEGER NOT NULL CHECK (visits > 0),
    PRIMARY KEY (company, name)
) STRICT, WITHOUT ROWID;

-- How many counters each of them has: counting the rows at each new one would cost more with each row.
CREATE TABLE company_totals (
    company  BLOB    NOT NULL PRIMARY KEY,
    counters INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER company_counter_created AFTER INSERT ON company_counters
BEGIN
    INSERT INTO company_totals (company, counters) VALUES (NEW.company, 1)
    ON CONFLICT (company) DO UPDATE SET counters = counters + 1;
END;

CREATE TRIGGER company_counter_removed AFTER DELETE ON company_counters
BEGIN
    UPDATE company_totals SET counters = counters - 1 WHERE company = OLD.company;
END;

-- Whoever knows the migrations up to this one can go on.
PRAGMA user_version = 2;
