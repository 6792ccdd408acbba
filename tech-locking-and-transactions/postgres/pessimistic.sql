-- One transaction per hold or sale: lock first, look then, in the order hold row, seats by id,
-- tickets. Whoever comes second waits for the first, for at most lock_timeout.

-- name: lock_seats
-- $1 the event, $2 the seats, $3 the hold.
WITH locked AS MATERIALIZED (
	SELECT seat_id, status, hold_id, reserved_until, version, price FROM seats
	WHERE event_id = $1 AND seat_id = ANY ($2)
	ORDER BY seat_id FOR UPDATE
), moment AS MATERIALIZED (
	SELECT clock_timestamp() AS at FROM (SELECT count(*) FROM locked) AS all_locked
)
SELECT seat_id, (status = 'available' OR status = 'held' AND reserved_until <= at)
	AND hold_id IS DISTINCT FROM $3, version, price
FROM locked CROSS JOIN moment;

-- name: add_hold
INSERT INTO seat_holds (event_id, hold_id, person, seat_ids, hold_ms, version, total, expires_at)
VALUES ($1, $2, $3, $4, $5::bigint, $6, $7,
	date_trunc('milliseconds', clock_timestamp()) + $5::bigint * interval '1 ms')
ON CONFLICT DO NOTHING
RETURNING expires_at;

-- name: take_seats
UPDATE seats SET status = 'held', hold_id = $3, reserved_until = $4, version = version + 1
WHERE event_id = $1 AND seat_id = ANY ($2);

-- name: lock_hold
SELECT status FROM seat_holds WHERE event_id = $1 AND hold_id = $2 FOR UPDATE;

-- name: lock_hold_seats
SELECT s.seat_id FROM seat_holds h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
JOIN seats s ON s.event_id = h.event_id AND s.seat_id = seat.seat_id
WHERE h.event_id = $1 AND h.hold_id = $2
ORDER BY s.seat_id FOR UPDATE OF s;

-- name: sell_hold
UPDATE seat_holds SET status = 'sold', order_id = $3, sold_at = $4
WHERE event_id = $1 AND hold_id = $2;

-- name: sell_seats
UPDATE seats s SET status = 'sold', reserved_until = NULL, order_id = $3, version = s.version + 1
FROM seat_holds h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
WHERE h.event_id = $1 AND h.hold_id = $2 AND s.event_id = h.event_id AND s.seat_id = seat.seat_id;

-- name: add_tickets
INSERT INTO seat_tickets (event_id, ticket_id, order_id, seat_id, price)
SELECT s.event_id, seat_ticket_id($3, s.seat_id), $3, s.seat_id, s.price
FROM seat_holds h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
JOIN seats s ON s.event_id = h.event_id AND s.seat_id = seat.seat_id
WHERE h.event_id = $1 AND h.hold_id = $2;
