-- What the three techniques have in common: everything but taking and selling seats.
--
-- Where a statement locks first and decides then, the moment that it decides by is taken once, by
-- clock_timestamp(), after all locks are held: now() is when the transaction began, which may have
-- been long before, in a queue for a row. Milliseconds, because that is what the caller is told.

-- name: tables_exist
-- They are made in one transaction, this one last. To make an index that exists would wait for all
-- who write, and let those who come later wait too.
SELECT to_regprocedure('seat_ticket_id(uuid, text)') IS NOT NULL;

-- name: add_event
INSERT INTO seat_events (event_id, currency) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: event_currency
SELECT currency FROM seat_events WHERE event_id = $1;

-- name: add_seats
INSERT INTO seats (event_id, seat_id, section, seat_row, number, price)
SELECT $1, seat_id, section, seat_row, number, price
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
	AS seat (seat_id, section, seat_row, number, price)
ORDER BY seat_id COLLATE "C"
ON CONFLICT DO NOTHING;

-- name: recall
-- What was granted under these ids, whatever has become of it.
SELECT asked.request, h.person, h.seat_ids, h.hold_ms, h.version, h.total, h.expires_at
FROM unnest($1::integer[], $2::uuid[], $3::uuid[]) AS asked (request, event_id, hold_id)
JOIN seat_holds h ON h.event_id = asked.event_id AND h.hold_id = asked.hold_id;

-- name: known_events
SELECT asked.request
FROM unnest($1::integer[], $2::uuid[]) AS asked (request, event_id)
JOIN seat_events e ON e.event_id = asked.event_id;

-- name: look_up
SELECT asked.request, h.person, h.seat_ids, h.version, h.total, e.currency, h.expires_at,
	h.order_id,
	CASE WHEN h.status = 'held' AND h.expires_at <= clock_timestamp() THEN 'expired'
		ELSE h.status END
FROM unnest($1::integer[], $2::uuid[], $3::uuid[]) AS asked (request, event_id, hold_id)
JOIN seat_holds h ON h.event_id = asked.event_id AND h.hold_id = asked.hold_id
JOIN seat_events e ON e.event_id = h.event_id;

-- name: decide
-- What is to be done about a sale. $3 the person, $4 the version, $5 the order. A statement of its
-- own, so that it sees what was committed while the one before it waited for the locks.
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at)
SELECT CASE
	WHEN h.status = 'released' THEN 'not held'
	WHEN h.person <> $3 THEN 'not yours'
	WHEN h.version <> $4 THEN 'stale'
	WHEN h.order_id <> $5 THEN 'other order'
	WHEN h.status IN ('sold', 'revoked') THEN h.status
	WHEN h.status = 'expired' OR h.expires_at <= at
		OR cardinality(h.seat_ids) <> (SELECT count(*) FROM seats s
			WHERE s.event_id = h.event_id AND s.seat_id = ANY (h.seat_ids)
			AND s.status = 'held' AND s.hold_id = h.hold_id) THEN 'expired'
	WHEN EXISTS (SELECT FROM seat_holds other WHERE other.event_id = h.event_id
		AND other.order_id = $5) THEN 'other hold'
	ELSE 'sell' END, h.total, at
FROM seat_holds h CROSS JOIN moment WHERE h.event_id = $1 AND h.hold_id = $2;

-- name: availability
-- One row without a seat for an event that has none yet.
SELECT s.seat_id, s.section, s.seat_row, s.number, s.price, s.version,
	CASE WHEN s.status = 'held' AND s.reserved_until <= clock_timestamp() THEN 'available'
		ELSE s.status END
FROM seat_events e LEFT JOIN seats s ON s.event_id = e.event_id
WHERE e.event_id = $1
ORDER BY s.seat_id;

-- name: release
-- Holds first, then seats, each in their order: that is the order of all locks.
WITH locked AS MATERIALIZED (
	SELECT asked.request, asked.person <> h.person AS foreign_person, h.event_id, h.hold_id,
		h.status, h.expires_at
	FROM unnest($1::integer[], $2::uuid[], $3::uuid[], $4::text[])
		AS asked (request, event_id, hold_id, person)
	JOIN seat_holds h ON h.event_id = asked.event_id AND h.hold_id = asked.hold_id
	ORDER BY h.event_id, h.hold_id
	FOR NO KEY UPDATE OF h
), moment AS MATERIALIZED (
	SELECT clock_timestamp() AS at FROM (SELECT count(*) FROM locked) AS all_locked
), verdict AS MATERIALIZED (
	SELECT request, event_id, hold_id, CASE
		WHEN foreign_person THEN 'not yours'
		WHEN status IN ('sold', 'revoked') THEN 'sold'
		WHEN status = 'expired' OR status = 'held' AND expires_at <= at THEN 'expired'
		WHEN status = 'released' THEN 'released'
		ELSE 'release' END AS outcome
	FROM locked CROSS JOIN moment
), ended AS (
	UPDATE seat_holds h SET status = 'released'
	FROM verdict v
	WHERE v.outcome = 'release' AND h.event_id = v.event_id AND h.hold_id = v.hold_id
	RETURNING h.event_id, h.hold_id, h.seat_ids
), own AS MATERIALIZED (
	SELECT s.event_id, s.seat_id
	FROM ended e CROSS JOIN LATERAL unnest(e.seat_ids) AS seat (seat_id)
	JOIN seats s ON s.event_id = e.event_id AND s.seat_id = seat.seat_id
	WHERE s.status = 'held' AND s.hold_id = e.hold_id
	ORDER BY s.event_id, s.seat_id
	FOR NO KEY UPDATE OF s
), freed AS (
	UPDATE seats s SET status = 'available', hold_id = NULL, reserved_until = NULL,
		version = s.version + 1
	FROM own WHERE s.event_id = own.event_id AND s.seat_id = own.seat_id
)
SELECT request, outcome FROM verdict;

-- name: expire
-- By statement_timestamp(), so that the index is used; it is earlier than the moment of the lock,
-- so nothing is ended too soon. Who is busy with a hold is not waited for.
WITH over AS MATERIALIZED (
	SELECT event_id, hold_id, expires_at FROM seat_holds
	WHERE status = 'held' AND expires_at <= statement_timestamp()
	ORDER BY expires_at, event_id, hold_id LIMIT $1
	FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
	UPDATE seat_holds h SET status = 'expired'
	FROM over o WHERE h.event_id = o.event_id AND h.hold_id = o.hold_id
	RETURNING h.event_id, h.hold_id, h.seat_ids
), own AS MATERIALIZED (
	SELECT s.event_id, s.seat_id
	FROM ended e CROSS JOIN LATERAL unnest(e.seat_ids) AS seat (seat_id)
	JOIN seats s ON s.event_id = e.event_id AND s.seat_id = seat.seat_id
	WHERE s.status = 'held' AND s.hold_id = e.hold_id
	ORDER BY s.event_id, s.seat_id
	FOR NO KEY UPDATE OF s
), freed AS (
	UPDATE seats s SET status = 'available', hold_id = NULL, reserved_until = NULL,
		version = s.version + 1
	FROM own WHERE s.event_id = own.event_id AND s.seat_id = own.seat_id
)
SELECT event_id, hold_id FROM over ORDER BY expires_at, event_id, hold_id;

-- name: revoke
WITH locked AS MATERIALIZED (
	SELECT asked.request, h.event_id, h.hold_id, h.status
	FROM unnest($1::integer[], $2::uuid[], $3::uuid[]) AS asked (request, event_id, order_id)
	JOIN seat_holds h ON h.event_id = asked.event_id AND h.order_id = asked.order_id
	ORDER BY h.event_id, h.hold_id
	FOR NO KEY UPDATE OF h
), ended AS (
	UPDATE seat_holds h SET status = 'revoked'
	FROM locked l
	WHERE l.status = 'sold' AND h.event_id = l.event_id AND h.hold_id = l.hold_id
	RETURNING h.event_id, h.hold_id, h.order_id, h.seat_ids
), own AS MATERIALIZED (
	SELECT s.event_id, s.seat_id
	FROM ended e CROSS JOIN LATERAL unnest(e.seat_ids) AS seat (seat_id)
	JOIN seats s ON s.event_id = e.event_id AND s.seat_id = seat.seat_id
	WHERE s.status = 'sold' AND s.hold_id = e.hold_id
	ORDER BY s.event_id, s.seat_id
	FOR NO KEY UPDATE OF s
), freed AS (
	UPDATE seats s SET status = 'available', hold_id = NULL, order_id = NULL,
		version = s.version + 1
	FROM own WHERE s.event_id = own.event_id AND s.seat_id = own.seat_id
), voided AS (
	UPDATE seat_tickets t SET status = 'void'
	FROM ended e WHERE t.event_id = e.event_id AND t.order_id = e.order_id
)
SELECT request FROM locked;
