-- Where any seats will do, nobody waits for anybody: rows that somebody else has locked are passed
-- over, and the next ones taken. One statement is the whole transaction.

-- name: hold
-- $1 the event, $2 the section, $3 how many, $4 the hold, $5 the person, $6 the hold's time in ms.
-- No row: there were fewer, or the hold is known. A row that changed between the snapshot and its
-- lock is looked at again as it is now. The moment is taken behind the locks.
WITH free AS MATERIALIZED (
	SELECT seat_id, version, price FROM seats
	WHERE event_id = $1 AND section = $2
		AND (status = 'available'
			OR status = 'held' AND reserved_until <= clock_timestamp())
	ORDER BY seat_id LIMIT $3
	FOR UPDATE SKIP LOCKED
), chosen AS MATERIALIZED (
	SELECT array_agg(seat_id ORDER BY seat_id) AS seat_ids, max(version) + 1 AS version,
		sum(price)::bigint AS total, clock_timestamp() AS at
	FROM free HAVING count(*) = $3
), made AS (
	INSERT INTO seat_holds
		(event_id, hold_id, person, seat_ids, hold_ms, version, total, expires_at)
	SELECT $1, $4, $5, seat_ids, $6::bigint, version, total,
		date_trunc('milliseconds', at) + $6::bigint * interval '1 ms'
	FROM chosen
	ON CONFLICT DO NOTHING
	RETURNING event_id, hold_id, seat_ids, version, total, expires_at
), taken AS (
	UPDATE seats s SET status = 'held', hold_id = m.hold_id, reserved_until = m.expires_at,
		version = s.version + 1
	FROM made m CROSS JOIN LATERAL unnest(m.seat_ids) AS seat (seat_id)
	WHERE s.event_id = m.event_id AND s.seat_id = seat.seat_id
)
SELECT version, total, expires_at FROM made;

-- name: recall
-- $1 the event, $2 the hold, $3 the person, $4 how many, $5 the hold's time. Whether the event has
-- anything on sale, and the hold if it is known: whether it is the same request's, and its grant.
SELECT EXISTS (SELECT FROM seat_events WHERE event_id = $1), h.hold_id IS NOT NULL,
	h.person = $3 AND cardinality(h.seat_ids) = $4 AND h.hold_ms = $5,
	h.version, h.total, h.expires_at
FROM (SELECT) AS one LEFT JOIN seat_holds h ON h.event_id = $1 AND h.hold_id = $2;
