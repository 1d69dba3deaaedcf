-- The time zone of a company (IANA), by which its days begin and its times are shown.

ALTER TABLE companies ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';
