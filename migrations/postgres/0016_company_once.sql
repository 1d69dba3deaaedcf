-- Row-level security asks of which company a transaction is once for each statement: so far it did for each row,
-- which took longer than to read it, and the planner expected next to no rows of what it could not look into.
-- Who sees what stays as it is.

-- All tables are changed together. Who reads or writes meanwhile waits for them, so they are not waited for long.
SET LOCAL lock_timeout = '5s';

-- The company of the transaction; NULL if it is of all, or has said nothing. What a transaction has set is empty
-- after it, and not gone.
CREATE FUNCTION footfall_company() RETURNS UUID LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(nullif(current_setting('footfall.company_id', true), ''), 'all')::uuid;

CREATE FUNCTION footfall_sees_all() RETURNS BOOLEAN LANGUAGE sql STABLE PARALLEL SAFE
    RETURN current_setting('footfall.company_id', true) = 'all';

-- For what is asked about one company, in the functions of the audit trail.
CREATE OR REPLACE FUNCTION footfall_sees(company UUID) RETURNS BOOLEAN LANGUAGE sql STABLE PARALLEL SAFE
    RETURN company = footfall_company() OR footfall_sees_all();

-- A SELECT of its own is what PostgreSQL does once (an InitPlan) and not for each row. The tables in the order in
-- which they were made, which is the one in which transactions lock them: companies and counters first.
ALTER POLICY of_its_company ON companies
    USING (id = (SELECT footfall_company()) OR (SELECT footfall_sees_all()));
DO $$
DECLARE
    own RECORD;
BEGIN
    FOR own IN
        SELECT polrelid::regclass AS name FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
        WHERE polname = 'of_its_company' AND relnamespace = current_schema()::regnamespace AND relname <> 'companies'
        ORDER BY polrelid
    LOOP
        EXECUTE format(
            'ALTER POLICY of_its_company ON %s
             USING (company_id = (SELECT footfall_company()) OR (SELECT footfall_sees_all()))', own.name);
    END LOOP;
END $$;
-- Those of a registration are nobody's yet.
ALTER POLICY of_its_company ON links
    USING (company_id IS NULL OR company_id = (SELECT footfall_company()) OR (SELECT footfall_sees_all()));
-- Those of no company are seen by who works across companies alone. Whoever causes one may write it.
ALTER POLICY of_its_company ON mails
    WITH CHECK (company_id IS NULL OR company_id = (SELECT footfall_company()) OR (SELECT footfall_sees_all()));
