-- What the reader of live.h asks the database, by name.

-- name: horizon
-- The oldest transaction that is still running: whatever is older has been committed, or never will
-- be. And what time it is.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text, clock_timestamp();

-- name: changes
-- $1 transaction and $2 change that were read last, $3 the most rows. Behind the horizon there is
-- nothing that may still appear, so nothing is passed by. Always gives a row, for the horizon.
SELECT horizon.xid::text, c.xid::text, c.change_id, c.event_id, c.seat_id, c.status, c.version
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())) AS horizon (xid)
LEFT JOIN LATERAL (
	SELECT * FROM seat_changes
	WHERE (xid, change_id) > ($1::text::xid8, $2::bigint) AND xid < horizon.xid
	ORDER BY xid, change_id LIMIT $3) AS c ON true;

-- name: facts
-- $1 event. What is being made is not there yet.
SELECT event_id, venue_id, version, currency, starts_at, on_sale_at, status = 'canceled',
	seats_per_hold_max, hold_seconds, changed_at
FROM events WHERE event_id = $1 AND status <> 'draft';

-- name: edited
-- $1 since when, $2 the most rows.
SELECT event_id, venue_id, version, currency, starts_at, on_sale_at, status = 'canceled',
	seats_per_hold_max, hold_seconds, changed_at
FROM events WHERE changed_at >= $1 AND status <> 'draft' ORDER BY changed_at LIMIT $2;

-- name: plan
SELECT plan FROM venues WHERE venue_id = $1;

-- name: purge
-- $1 the most rows: changes that everybody has read.
DELETE FROM seat_changes WHERE ctid = ANY (ARRAY(
	SELECT ctid FROM (SELECT ctid, at FROM seat_changes ORDER BY xid, change_id LIMIT $1)
		AS oldest (ctid, at)
	WHERE at < clock_timestamp() - interval '10 minutes'));
