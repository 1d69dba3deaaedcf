-- The time zone of a company (IANA), by which its days begin and its times are shown.

-- Who reads or writes companies meanwhile waits, so they are not waited for long.
SET LOCAL lock_timeout = '5s';

ALTER TABLE companies ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';
