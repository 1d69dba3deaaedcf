-- The superuser comes from inside the container only (`docker exec … psql -U postgres`): who has no
-- password is let in by no network.
ALTER ROLE postgres PASSWORD NULL;
