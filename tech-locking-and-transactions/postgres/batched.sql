-- Many holds, and many sales, by one statement and one commit. The caller has seen to it that no
-- two rows of a statement are about the same hold, order or (for holds) seat: UPDATE … FROM would
-- apply one of several rows that join, and say nothing of the others.
--
-- Rows are locked in order by a query of their own before anything is decided, or two lanes would
-- wait for each other. Each join is a look-up by primary key: the session has enable_seqscan off,
-- since a hash join with a scan of a million seats is fifteen times slower. Nothing is joined with
-- a common table expression of as many rows, which is estimated to have one and looped over.

-- name: hold
-- One row per seat. $1 which request, $7 the seat's bit in the answer, $8 how many seats it wants.
WITH locked AS MATERIALIZED (
	SELECT asked.*, s.status, s.hold_id AS holder, s.reserved_until, s.version, s.price
	FROM unnest($1::integer[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[],
		$7::bigint[], $8::integer[])
		AS asked (request, event_id, hold_id, person, hold_ms, seat_id, bit, wanted)
	JOIN seats s ON s.event_id = asked.event_id AND s.seat_id = asked.seat_id
	ORDER BY s.event_id, s.seat_id
	FOR NO KEY UPDATE OF s
), moment AS MATERIALIZED (
	SELECT date_trunc('milliseconds', clock_timestamp()) AS at
	FROM (SELECT count(*) FROM locked) AS all_locked
), verdict AS MATERIALIZED (
	SELECT request, l.event_id, l.hold_id, person, hold_ms, bit_or(bit) AS found,
		bit_or(CASE WHEN l.status = 'available' OR
			l.status = 'held' AND l.reserved_until <= at THEN 0 ELSE bit END) AS taken,
		count(*) = wanted AND bool_and(l.status = 'available' OR
			l.status = 'held' AND l.reserved_until <= at)
			AND NOT bool_or(l.holder IS NOT DISTINCT FROM l.hold_id) AS grantable,
		array_agg(seat_id) AS seat_ids, max(l.version) + 1 AS version,
		sum(l.price)::bigint AS total, at + hold_ms * interval '1 ms' AS expires_at
	FROM locked l CROSS JOIN moment
	GROUP BY request, l.event_id, l.hold_id, person, hold_ms, wanted, at
), granted AS (
	-- What is known under this id already is not granted again; the caller recalls it.
	INSERT INTO seat_holds
		(event_id, hold_id, person, seat_ids, hold_ms, version, total, expires_at)
	SELECT event_id, hold_id, person, seat_ids, hold_ms, version, total, expires_at
	FROM verdict WHERE grantable
	ORDER BY event_id, hold_id
	ON CONFLICT DO NOTHING
	RETURNING event_id, hold_id, seat_ids, expires_at
), taken AS (
	UPDATE seats s SET status = 'held', hold_id = g.hold_id, reserved_until = g.expires_at,
		version = s.version + 1
	FROM granted g CROSS JOIN LATERAL unnest(g.seat_ids) AS seat (seat_id)
	WHERE s.event_id = g.event_id AND s.seat_id = seat.seat_id
)
SELECT request, found, taken, grantable, version, total, expires_at,
	(SELECT count(*) FROM granted)
FROM verdict;

-- name: sell
WITH locked_hold AS MATERIALIZED (
	SELECT asked.request, asked.order_id AS wanted_order, asked.version <> h.version AS stale,
		asked.person <> h.person AS foreign_person, h.event_id, h.hold_id, h.status,
		h.order_id, h.expires_at, h.total, h.seat_ids
	FROM unnest($1::integer[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::uuid[])
		AS asked (request, event_id, hold_id, person, version, order_id)
	JOIN seat_holds h ON h.event_id = asked.event_id AND h.hold_id = asked.hold_id
	ORDER BY h.event_id, h.hold_id
	FOR NO KEY UPDATE OF h
), locked_seat AS MATERIALIZED (
	SELECT h.*, s.seat_id, s.status = 'held' AND s.hold_id = h.hold_id AS own
	FROM locked_hold h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
	JOIN seats s ON s.event_id = h.event_id AND s.seat_id = seat.seat_id
	ORDER BY s.event_id, s.seat_id
	FOR NO KEY UPDATE OF s
), moment AS MATERIALIZED (
	SELECT clock_timestamp() AS at FROM (SELECT count(*) FROM locked_seat) AS all_locked
), verdict AS MATERIALIZED (
	SELECT request, event_id, hold_id, wanted_order, total, at, CASE
		WHEN status = 'released' THEN 'not held'
		WHEN foreign_person THEN 'not yours'
		WHEN stale THEN 'stale'
		WHEN order_id <> wanted_order THEN 'other order'
		WHEN status IN ('sold', 'revoked') THEN status
		WHEN status = 'expired' OR expires_at <= at OR NOT bool_and(own) THEN 'expired'
		WHEN EXISTS (SELECT FROM seat_holds other WHERE other.event_id = l.event_id
			AND other.order_id = wanted_order) THEN 'other hold'
		ELSE 'sell' END AS outcome
	FROM locked_seat l CROSS JOIN moment
	GROUP BY request, event_id, hold_id, wanted_order, total, status, foreign_person, stale,
		order_id, expires_at, at
), sold_hold AS (
	UPDATE seat_holds h SET status = 'sold', order_id = v.wanted_order, sold_at = v.at
	FROM verdict v
	WHERE v.outcome = 'sell' AND h.event_id = v.event_id AND h.hold_id = v.hold_id
	RETURNING h.event_id, h.order_id, h.seat_ids
), sold_seat AS (
	UPDATE seats s SET status = 'sold', reserved_until = NULL, order_id = h.order_id,
		version = s.version + 1
	FROM sold_hold h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
	WHERE s.event_id = h.event_id AND s.seat_id = seat.seat_id
	RETURNING s.event_id, s.order_id, s.seat_id, s.price
), ticket AS (
	INSERT INTO seat_tickets (event_id, ticket_id, order_id, seat_id, price)
	SELECT event_id, seat_ticket_id(order_id, seat_id), order_id, seat_id, price FROM sold_seat
)
SELECT request, outcome, total FROM verdict;
