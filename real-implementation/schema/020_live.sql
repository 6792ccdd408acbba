-- What happens to seats, in the order in which it can be read: for live seat maps.
--
-- A trigger writes it, so that no technique of the seat store can forget to. Once per statement and
-- not per row: the batched statement changes hundreds of seats.
--
-- Who reads must not miss a commit. Transactions do not commit in the order in which they took
-- numbers, so "everything after the last number I saw" would lose what was slower. Instead each row
-- has its transaction's id, and readers take, in order of (xid, change_id),
--	WHERE (xid, change_id) > (…) AND xid < pg_snapshot_xmin(pg_current_snapshot())
-- that is, only from transactions before all that are still running.
--
-- Rows older than ten minutes are of no use: who was away for longer starts again from the seats.

-- name: schema
CREATE TABLE seat_changes (
	event_id       uuid NOT NULL,
	xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
	change_id      bigint GENERATED ALWAYS AS IDENTITY,
	seat_id        text COLLATE "C" NOT NULL,
	status         text COLLATE "C" NOT NULL,
	version        bigint NOT NULL,
	reserved_until timestamptz,
	at             timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (event_id, xid, change_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
-- What is read, whatever the event, and forgotten: the oldest first.
CREATE INDEX seat_changes_in_order ON seat_changes (xid, change_id);

-- Each change of a seat's status makes its version grow, so a row whose version is the same has not
-- changed; the pairs are found by a hash of what is at most a batch.
CREATE FUNCTION seat_changes_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seat_changes (event_id, seat_id, status, version, reserved_until)
	SELECT now.event_id, now.seat_id, now.status, now.version, now.reserved_until
	FROM changed now JOIN before USING (event_id, seat_id)
	WHERE now.version <> before.version OR now.status <> before.status;
	RETURN NULL;
END $$;
CREATE TRIGGER seat_changes_keep AFTER UPDATE ON seats
	REFERENCING OLD TABLE AS before NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION seat_changes_keep();
