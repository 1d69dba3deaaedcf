-- The roles of Footfall in PostgreSQL, and its database. Run by psql as a superuser, or as the
-- administrator of a managed PostgreSQL; to run it again is safe, and is how passwords change:
--
--   footfall_owner    owns the database and all in it; `footfall migrate` is this role
--   footfall          the service: reads and writes rows, and can change no table
--   footfall_monitor  the exporter: sees how the server is doing, and no row
--
-- The passwords are read from these files, so that no command and no environment has them.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
\set owner_password `cat "${OWNER_PASSWORD_FILE:-/run/secrets/database_owner_password}"`
\set service_password `cat "${PASSWORD_FILE:-/run/secrets/database_password}"`
\set monitor_password `cat "${MONITOR_PASSWORD_FILE:-/run/secrets/database_monitor_password}"`
-- Asked of the files, since whatever the server is asked may be logged.
\set complete `for file in "${OWNER_PASSWORD_FILE:-/run/secrets/database_owner_password}" "${PASSWORD_FILE:-/run/secrets/database_password}" "${MONITOR_PASSWORD_FILE:-/run/secrets/database_monitor_password}"; do grep -qs . "$file" || { echo no; exit; }; done; echo yes`
\if :complete
\else
    DO $$ BEGIN RAISE EXCEPTION 'a password is empty, or its file cannot be read'; END $$;
\endif

-- A statement with a password is in no log, whatever is logged otherwise. Only a superuser may say
-- so; a managed PostgreSQL has its own answer.
SELECT set_config(name, value, false)
FROM (VALUES ('log_statement', 'none'), ('log_min_duration_statement', '-1'), ('log_min_error_statement', 'panic'))
    AS setting (name, value)
WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \g /dev/null
SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I LOGIN', name)
FROM (VALUES ('footfall_owner'), ('footfall'), ('footfall_monitor')) AS role (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE footfall_owner PASSWORD :'owner_password';
ALTER ROLE footfall PASSWORD :'service_password';
ALTER ROLE footfall_monitor PASSWORD :'monitor_password';

-- Who is no superuser makes something for a role only as its member.
SELECT format('GRANT footfall_owner TO %I', current_user)
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \gexec
SELECT 'CREATE DATABASE footfall OWNER footfall_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'footfall') \gexec
ALTER DATABASE footfall OWNER TO footfall_owner;
REVOKE ALL ON DATABASE footfall FROM PUBLIC;
GRANT CONNECT ON DATABASE footfall TO footfall, footfall_monitor;
GRANT pg_monitor TO footfall_monitor;

-- A statement that takes longer than this has no one waiting for it any more; a transaction that
-- does nothing holds locks and keeps vacuum from its work.
ALTER ROLE footfall SET statement_timeout = '5s';
ALTER ROLE footfall SET lock_timeout = '3s';
ALTER ROLE footfall SET idle_in_transaction_session_timeout = '10s';
-- Room for footfall_owner, the exporter and a person, however many replicas there are.
ALTER ROLE footfall CONNECTION LIMIT 180;
ALTER ROLE footfall_monitor SET statement_timeout = '5s';
ALTER ROLE footfall_monitor CONNECTION LIMIT 5;

\connect footfall
-- Before version 15 this schema is the superuser's, and everybody may make tables in it; only a
-- superuser can change that.
SELECT 'ALTER SCHEMA public OWNER TO footfall_owner'
WHERE pg_has_role(current_user, (SELECT nspowner FROM pg_namespace WHERE nspname = 'public'), 'USAGE') \gexec
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO footfall;
ALTER DEFAULT PRIVILEGES FOR ROLE footfall_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO footfall;
ALTER DEFAULT PRIVILEGES FOR ROLE footfall_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO footfall;
