-- The record of the steps that were applied: see migrate.h.

-- name: migrate_lock
-- Held until the step is committed. Waiting for it is bounded by the session's lock time-out.
SELECT pg_advisory_xact_lock(20260700);

-- name: migrate_begin
CREATE TABLE IF NOT EXISTS schema_migrations (
	version    integer PRIMARY KEY,
	name       text NOT NULL,
	checksum   text NOT NULL, -- SHA-256 of the step's text, in hexadecimal.
	applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: migrate_is_begun
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- name: migrate_applied
SELECT version, name, checksum FROM schema_migrations ORDER BY version;

-- name: migrate_record
INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3);
