-- Look without a lock, then write what still is as it was seen, or begin anew: the version of a row
-- says whether it is. Nobody waits for who only looks.

-- name: read_seats
-- $1 the event, $2 the seats, $3 the hold, $4 how long. The hold's time counts from here: what was
-- free now and has the same version later is still as it was now.
SELECT seat_id, (status = 'available' OR status = 'held' AND reserved_until <= clock_timestamp())
	AND hold_id IS DISTINCT FROM $3, version, price,
	date_trunc('milliseconds', now()) + $4 * interval '1 ms'
FROM seats WHERE event_id = $1 AND seat_id = ANY ($2) ORDER BY seat_id;

-- name: take_seats
-- $2 the seats, $3 their versions. The rows come in the order of the seats, which is how they are
-- locked; should the planner choose otherwise, a deadlock is one more reason to begin anew.
UPDATE seats s SET status = 'held', hold_id = $4, reserved_until = $5, version = s.version + 1
FROM unnest($2::text[], $3::bigint[]) AS seen (seat_id, version)
WHERE s.event_id = $1 AND s.seat_id = seen.seat_id AND s.version = seen.version;

-- name: add_hold
INSERT INTO seat_holds (event_id, hold_id, person, seat_ids, hold_ms, version, total, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING;

-- name: sell_hold
-- What was seen as held with this version; 0 rows: it is not any more.
UPDATE seat_holds SET status = 'sold', order_id = $4, sold_at = $5
WHERE event_id = $1 AND hold_id = $2 AND version = $3 AND status = 'held';

-- name: sell_seats
UPDATE seats s SET status = 'sold', reserved_until = NULL, order_id = $3, version = s.version + 1
FROM seat_holds h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
WHERE h.event_id = $1 AND h.hold_id = $2 AND s.event_id = h.event_id AND s.seat_id = seat.seat_id
	AND s.status = 'held' AND s.hold_id = h.hold_id;

-- name: add_tickets
-- All rows are locked by now, so here is where the time is asked. Fewer rows than seats: it is
-- over.
INSERT INTO seat_tickets (event_id, ticket_id, order_id, seat_id, price)
SELECT s.event_id, seat_ticket_id($3, s.seat_id), $3, s.seat_id, s.price
FROM seat_holds h CROSS JOIN LATERAL unnest(h.seat_ids) AS seat (seat_id)
JOIN seats s ON s.event_id = h.event_id AND s.seat_id = seat.seat_id
WHERE h.event_id = $1 AND h.hold_id = $2 AND h.expires_at > clock_timestamp();
